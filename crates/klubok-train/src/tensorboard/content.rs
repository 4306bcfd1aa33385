//! What each event of a training adds to an event file.

use std::{collections::BTreeMap, fmt::Write as _};

use prost::Message as _;
use serde::Serialize;

use super::{
    message::{
        Dimension, HyperParameters, Metadata, Plugin, SessionStart, Setting, Shape, Tensor, Value,
    },
    picture::sheet,
    tags::{histograms, scalars, tag},
};
use crate::{
    config::{Config, KEYS},
    event::{Event, Evidence, Notice, Phase, Verdict},
    film::{Bytes, Snapshot, is_due},
    metrics::LayerMetrics,
};

/// Prefix of the figures of steps within the first epochs. They are of samples of the data, those
/// of the epochs of all of it.
const FIRST_EPOCHS: &str = "first_epochs/";
/// Settings that say nothing of the result.
const NO_HYPER_PARAMETERS: [&str; 5] =
    ["train.snapshots", "train.tensorboard", "train.threads", "train.device", "train.kernel"];
/// The types of a tensor of f32 and of strings.
const FLOAT: i32 = 1;
const STRING: i32 = 7;
/// The class of a value that is a tensor.
const TENSOR: i32 = 2;

/// Makes the values of an event file.
pub(super) struct Content {
    /// The first layer at the start.
    start: Option<Bytes>,
    /// The last step with histograms, and that with a picture.
    histograms_at: Option<u64>,
    picture_at: Option<u64>,
    /// The first layer at the last snapshot without a picture: the last one of a training gets one.
    pending: Option<(u64, Value)>,
}

/// Values at a step.
pub(super) type Values = (u64, Vec<Value>);

impl Content {
    /// Continues after this step, if there is one; `start` is the first layer at the start.
    pub(super) fn after(step: Option<u64>, start: Option<Bytes>) -> Self {
        Self { start, histograms_at: step, picture_at: step, pending: None }
    }

    /// Returns what an event adds.
    pub(super) fn of(&mut self, event: &Event<'_>) -> Option<Values> {
        match event {
            Event::Step(metrics) => Some((metrics.step, scalars(FIRST_EPOCHS, metrics))),
            Event::Epoch { metrics, .. } => {
                let more = self.histograms(metrics.step, &metrics.layers);
                Some((metrics.step, [scalars("", metrics), more].concat()))
            }
            Event::Snapshot { snapshot, is_kept: true } => {
                let mut values = self.histograms(snapshot.step, &snapshot.layers);
                values.extend(self.picture(snapshot));
                Some((snapshot.step, values))
            }
            Event::Noticed { step, notice: Notice::Phase(phase), .. } => {
                let tag = format!("phases/{}", name(&phase.name));
                Some((*step, vec![text(tag, &of_phase(phase))]))
            }
            Event::Noticed { step, notice: Notice::Verdict(verdict), .. } => {
                let tag = format!("verdicts/{}", name(&verdict.name));
                Some((*step, vec![text(tag, &of_verdict(verdict))]))
            }
            Event::Person { step, act, .. } => {
                let act = serde_json::to_value(act).unwrap_or_default();
                let tag = format!("acts/{}", act["act"].as_str().unwrap_or_default());
                Some((*step, vec![text(tag, &format!("`{act}`"))]))
            }
            Event::Stopping { stopped, step, .. } => {
                let last = self.pending.take().filter(|(at, _)| at == step);
                let stopped = text("run/stopped".to_owned(), &name(stopped));
                Some((*step, last.map(|(_, value)| value).into_iter().chain([stopped]).collect()))
            }
            _ => None,
        }
    }

    /// Returns the histograms of a step, once.
    fn histograms(&mut self, step: u64, layers: &[LayerMetrics]) -> Vec<Value> {
        if self.histograms_at >= Some(step) {
            return Vec::new();
        }
        self.histograms_at = Some(step);
        histograms(layers)
    }

    /// Returns the picture of the first layer at the steps of the film's series: at best epochs
    /// besides, a long run would have too many.
    fn picture(&mut self, snapshot: &Snapshot) -> Option<Value> {
        let step = snapshot.step;
        self.start = self.start.take().or_else(|| snapshot.start.clone());
        if self.picture_at >= Some(step) {
            return None;
        }
        let image = sheet(snapshot.tiles.as_ref()?, self.start.as_ref())?;
        let tag = tag(snapshot.layers.first()?, "tiles");
        let value = Value { tag, image: Some(Box::new(image)), ..Value::default() };
        if is_due(step) {
            (self.picture_at, self.pending) = (Some(step), None);
            return Some(value);
        }
        self.pending = Some((step, value));
        None
    }
}

/// Returns the settings of a run, as text and as hyper-parameters.
pub(super) fn settings(config: &Config, seconds: f64) -> Vec<Value> {
    let table = toml::Table::try_from(config).unwrap_or_default();
    let keys = KEYS.iter().filter(|key| !NO_HYPER_PARAMETERS.contains(&key.path));
    let settings: BTreeMap<String, Setting> = keys
        .filter_map(|key| {
            let value = table.get(key.section())?.get(key.name())?;
            let setting = match value {
                toml::Value::Integer(n) => {
                    Setting { number: Some(*n as f64), ..Setting::default() }
                }
                toml::Value::Float(x) => Setting { number: Some(*x), ..Setting::default() },
                toml::Value::Boolean(on) => Setting { switch: Some(*on), ..Setting::default() },
                toml::Value::String(s) => Setting { text: Some(s.clone()), ..Setting::default() },
                _ => Setting { text: Some(config.written(key)), ..Setting::default() },
            };
            Some((key.path.to_owned(), setting))
        })
        .collect();
    let hyper_parameters = HyperParameters { start: Some(SessionStart { settings, seconds }) };
    let plugin = Plugin { name: "hparams".into(), content: hyper_parameters.encode_to_vec() };
    let hyper_parameters = Value {
        tag: "_hparams_/session_start_info".into(),
        // The settings stand in the metadata, but TensorBoard wants a value too.
        tensor: Some(Box::new(Tensor { dtype: FLOAT, shape: Some(shape(0)), ..Tensor::default() })),
        metadata: Some(Box::new(Metadata { plugin: Some(plugin), class: TENSOR })),
        ..Value::default()
    };
    let toml = format!("```toml\n{}```", config.to_toml());
    vec![text("run/settings".into(), &toml), hyper_parameters]
}

/// Returns a text in Markdown.
fn text(tag: String, text: &str) -> Value {
    let plugin = Plugin { name: "text".into(), content: Vec::new() };
    let tensor = Tensor {
        dtype: STRING,
        shape: Some(shape(1)),
        strings: vec![text.as_bytes().to_vec()],
        ..Tensor::default()
    };
    Value {
        tag,
        tensor: Some(Box::new(tensor)),
        metadata: Some(Box::new(Metadata { plugin: Some(plugin), class: TENSOR })),
        ..Value::default()
    }
}

fn shape(size: i64) -> Shape {
    Shape { dimensions: vec![Dimension { size }] }
}

fn of_phase(phase: &Phase) -> String {
    let Phase { start, certainty, evidence, .. } = phase;
    format!("From epoch {start} on, certainty {certainty:.2}.{}", list(evidence))
}

fn of_verdict(verdict: &Verdict) -> String {
    let Verdict { since, meaning, severity, try_, evidence, source, .. } = verdict;
    let mut text = format!("**{}**, since epoch {since}: {meaning}.", name(severity));
    if !try_.is_empty() {
        let _ = write!(text, " Try `{try_}`.");
    }
    text += &list(evidence);
    if !source.is_empty() {
        let _ = write!(text, "\n\nSource: {source}");
    }
    text
}

/// Returns the figures behind a finding as a list in Markdown.
fn list(evidence: &Evidence) -> String {
    let line = |(name, figure): (&String, &f64)| format!("\n- {name}: {figure}");
    let lines: String = evidence.iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

/// Returns the name of something in the logs.
fn name(of: &impl Serialize) -> String {
    let name = serde_json::to_value(of).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}
