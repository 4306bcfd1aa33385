//! Checkpoints: `checkpoint/state.safetensors`, one file with everything needed to resume.
//!
//! Tensors: `params.NAME`, `moments.MOMENT.NAME`, `running.NAME`, `best.NAME` (parameters and
//! running statistics of the best epoch), each in the precision of the backend that trained, so
//! that resuming is exact; `epoch_ratios.LAYER` and `step_ratios.LAYER`, the update ratios behind
//! the medians; `seal`, the hash of all the rest. One metadata key, `checkpoint`: a JSON string
//! with the version, the settings, the progress and the marks of the logs.
//!
//! The file is not trusted. The seal detects damage and edits; content that contradicts itself or
//! the settings is refused even with a valid seal.

use std::{borrow::Cow, io::Write, path::Path};

use klubok_files::atomic::stream_atomically;
use klubok_model::tensors::{self, Tensor};
use klubok_nn::{
    error::PlanError,
    plan::{ParamSpec, Plan, RunningSpec},
    state::{Numbers, State, StateTensor, Weights},
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::{
    Result, RunError,
    act::RecordedAct,
    config::{Config, KEYS, Kernel},
    event::Metrics,
    log::Marks,
    progress::Progress,
    run_info::RunInfo,
    trainer::Checkpoint,
};

const KEY: &str = "checkpoint";
const VERSION: u32 = 3;
/// What messages call a checkpoint that is no file.
const IN_MEMORY: &str = "in memory";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    version: u32,
    settings: Settings,
    progress: Progress,
    logs: Marks,
    /// Of a training in memory, which has no logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    past: Option<Past>,
}

/// The past of a training in memory: what the logs of a run hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// Identity of its training and validation samples.
    pub data: String,
    /// Figures of the chosen steps.
    pub steps: Vec<Metrics>,
    /// Figures of the epochs.
    pub epochs: Vec<Metrics>,
}

/// Everything besides the data that determines the result: a resumed run must have the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    config: Config,
    /// Earlier versions of klubok wrote the kernel here.
    #[serde(default, skip_serializing)]
    kernel: Option<Kernel>,
    /// Acts of people in the run that this one replays.
    replay: Vec<RecordedAct>,
}

impl Settings {
    /// Collects the settings of a run.
    pub fn new(config: &Config, info: &RunInfo) -> Self {
        Self { config: config.clone(), kernel: None, replay: info.replay.clone() }
    }

    /// Returns the first difference from a checkpoint's settings that changes the result: the key,
    /// its value at the checkpoint and its value now.
    fn change(&self, before: &Settings) -> Option<RunError> {
        let changed = |key: &str, before: String, now: String| {
            (before != now).then(|| RunError::Changed { key: key.to_owned(), before, now })
        };
        let acts = |settings: &Settings| format!("{} acts", settings.replay.len());
        KEYS.iter()
            // Their number decides which thread computes a tile, not the values of the tile.
            .filter(|key| key.path != "train.threads")
            .find_map(|key| changed(key.path, before.config.written(key), self.config.written(key)))
            .or_else(|| {
                let other = before.replay != self.replay;
                let now = format!("{} (others)", acts(self));
                other.then(|| RunError::Changed {
                    key: "run.replay".into(),
                    before: acts(before),
                    now,
                })
            })
    }
}

/// The contents of a checkpoint, borrowed from a running training.
pub struct Contents<'a> {
    /// Settings of the run.
    pub settings: &'a Settings,
    /// Position, running figures and trackers.
    pub progress: &'a Progress,
    /// Weights of the best epoch.
    pub best: &'a Weights,
    /// Returns the current weights, moments and running statistics, block by block.
    pub state: &'a dyn Fn(StateTensor) -> Result<Cow<'a, Numbers>>,
}

/// Writes a checkpoint of a training of `plan`, and replaces the file atomically.
///
/// # Errors
/// When the device fails, the file cannot be written, or the metadata is larger than 32 MiB.
pub fn write(path: &Path, contents: &Contents<'_>, logs: Marks, plan: &Plan) -> Result<()> {
    let file = |out: &mut _| serialize(out, contents, logs, None, plan);
    Ok(stream_atomically(path, file)?)
}

/// Returns a training in memory as bytes: its settings, its checkpoint and its past.
///
/// # Errors
/// When the metadata is larger than 32 MiB.
pub fn to_bytes(
    config: &Config,
    checkpoint: &Checkpoint,
    past: Past,
    plan: &Plan,
) -> Result<Vec<u8>> {
    let Checkpoint { progress, state, best } = checkpoint;
    let settings = Settings { config: config.clone(), kernel: None, replay: Vec::new() };
    let state = |tensor| Ok(Cow::Borrowed(state.tensor(tensor)));
    let contents = Contents { settings: &settings, progress, best, state: &state };
    let mut bytes = Vec::new();
    serialize(&mut bytes, &contents, Marks::default(), Some(past), plan)?;
    Ok(bytes)
}

/// Returns the settings and the past of a training that [`to_bytes`] wrote.
///
/// # Errors
/// When the bytes are damaged or something else.
pub fn settings_and_past(bytes: &[u8]) -> Result<(Config, Past)> {
    let metadata = metadata(Path::new(IN_MEMORY), bytes)?;
    let none = || damaged(Path::new(IN_MEMORY), &"it belongs to a run folder");
    Ok((metadata.settings.config, metadata.past.ok_or_else(none)?))
}

/// Returns the checkpoint of a training that [`to_bytes`] wrote.
///
/// # Errors
/// When the bytes are damaged, or of another network.
pub fn from_memory(bytes: &[u8], plan: &Plan) -> Result<Checkpoint> {
    let path = Path::new(IN_MEMORY);
    let settings = metadata(path, bytes)?.settings;
    Ok(from_bytes(path, bytes, plan, &settings)?.0)
}

/// Writes a checkpoint.
fn serialize(
    out: &mut impl Write,
    contents: &Contents<'_>,
    logs: Marks,
    past: Option<Past>,
    plan: &Plan,
) -> std::io::Result<()> {
    let Contents { settings, progress, best, state } = contents;
    let (settings, progress) = ((*settings).clone(), *progress);
    let metadata = Metadata { version: VERSION, settings, progress: progress.clone(), logs, past };
    let metadata = serde_json::to_string(&metadata).map_err(std::io::Error::other)?;
    let ratios = [&progress.epoch_meter, &progress.step_meter].map(|meter| &meter.update_ratios);
    // All blocks of one training are of the same kind; the ratios are always f32.
    let wide = best.params.first().map_or(Dtype::F32, tensors::dtype);
    let parts = layout(plan);
    let tensor = |(name, part, len): &(String, Part, usize)| match *part {
        Part::Ratios(meter, layer) => {
            let shape = vec![ratios[meter][layer].len()];
            Tensor { name: name.clone(), shape, dtype: Dtype::F32 }
        }
        Part::State(_) | Part::BestParam(_) | Part::BestRunning(_) => {
            Tensor { name: name.clone(), shape: vec![*len], dtype: wide }
        }
    };
    let tensors: Vec<Tensor> = parts.iter().map(tensor).collect();
    let numbers = |i: usize| match parts[i].1 {
        Part::State(block) => state(block).map_err(std::io::Error::other),
        Part::BestParam(p) => Ok(Cow::Borrowed(&best.params[p])),
        Part::BestRunning(r) => Ok(Cow::Borrowed(&best.running[r])),
        Part::Ratios(meter, layer) => Ok(Cow::Owned(Numbers::F32(ratios[meter][layer].clone()))),
    };
    tensors::write_sealed(out, (KEY, metadata), &tensors, numbers)
}

/// Parses a checkpoint; `path` is for messages.
///
/// # Errors
/// When `bytes` are not a checkpoint, or one that is damaged, of another version or of another
/// network; [`RunError::Changed`] when it has other settings.
pub fn from_bytes(
    path: &Path,
    bytes: &[u8],
    plan: &Plan,
    settings: &Settings,
) -> Result<(Checkpoint, Marks)> {
    let Metadata { settings: before, progress, logs, .. } = metadata(path, bytes)?;
    if let Some(change) = settings.change(&before) {
        return Err(change);
    }
    let file = SafeTensors::deserialize(bytes).map_err(|e| damaged(path, &e))?;
    let mut blocks = Vec::new();
    for (name, part, expected) in layout(plan) {
        let tensor = file.tensor(&name).map_err(|e| damaged(path, &e))?;
        let block = numbers(&tensor)
            .ok_or_else(|| damaged(path, &format!("`{name}` holds {}", tensor.dtype())))?;
        if !matches!(part, Part::Ratios(..)) && expected != block.len() {
            let (what, got) = (name, block.len());
            return Err(PlanError::ShapeMismatch { what, expected, got }.into());
        }
        blocks.push(block);
    }
    let checkpoint = assembled(plan, progress, blocks);
    match checkpoint.progress.inconsistency(Some(plan.layers.len()), settings.config.train.epochs) {
        Some(reason) => Err(damaged(path, &reason)),
        None => Ok((checkpoint, logs)),
    }
}

/// Parses the progress of a training from its checkpoint; `path` is for messages.
///
/// # Errors
/// When `bytes` are not a checkpoint, or one that is damaged or of another version;
/// [`RunError::Changed`] when it has other settings.
pub fn progress(path: &Path, bytes: &[u8], settings: &Settings) -> Result<Progress> {
    let Metadata { settings: before, progress, .. } = metadata(path, bytes)?;
    if let Some(change) = settings.change(&before) {
        return Err(change);
    }
    match progress.inconsistency(None, settings.config.train.epochs) {
        Some(reason) => Err(damaged(path, &reason)),
        None => Ok(progress),
    }
}

fn metadata(path: &Path, bytes: &[u8]) -> Result<Metadata> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    tensors::check_header(bytes).map_err(|e| damaged(path, &e))?;
    // Checks the sizes of all tensors too, which detects a truncated file.
    SafeTensors::deserialize(bytes).map_err(|e| damaged(path, &e))?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(path, &e))?;
    let json = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let json = json.ok_or_else(|| damaged(path, &format!("it has no `{KEY}` in its metadata")))?;
    let Version { version } = serde_json::from_str(json).map_err(|e| damaged(path, &e))?;
    if version != VERSION {
        let reason = format!("it is of version {version}, this klubok knows version {VERSION}");
        return Err(damaged(path, &reason));
    }
    if !tensors::is_sealed(bytes) {
        return Err(damaged(path, &"its content does not match its checksum"));
    }
    let mut metadata: Metadata = serde_json::from_str(json).map_err(|e| damaged(path, &e))?;
    let settings = &mut metadata.settings;
    settings.config.train.kernel = settings.kernel.take().unwrap_or(settings.config.train.kernel);
    Ok(metadata)
}

fn damaged(path: &Path, reason: &impl ToString) -> crate::RunError {
    let (path, reason) = (path.display().to_string(), reason.to_string());
    RunError::Checkpoint { path, reason }
}

/// A block of a checkpoint.
#[derive(Debug, Clone, Copy)]
enum Part {
    State(StateTensor),
    BestParam(usize),
    BestRunning(usize),
    /// Update ratios of a layer, over the epoch (0) or since the last chosen step (1).
    Ratios(usize, usize),
}

/// Lists every block with its name and length; the length of ratios varies.
fn layout(plan: &Plan) -> Vec<(String, Part, usize)> {
    let params = |prefix: &str, part: &dyn Fn(usize) -> Part| {
        let of = |(p, spec): (usize, &ParamSpec)| {
            (format!("{prefix}.{}", spec.name), part(p), spec.len())
        };
        plan.params.iter().enumerate().map(of).collect::<Vec<_>>()
    };
    let running = |prefix: &str, part: fn(usize) -> Part| {
        let of = |(r, spec): (usize, &RunningSpec)| {
            (format!("{prefix}.{}", spec.name), part(r), spec.len)
        };
        plan.running.iter().enumerate().map(of).collect::<Vec<_>>()
    };
    let ratios = |prefix: &str, meter| {
        let of = |(layer, name): (usize, &String)| {
            (format!("{prefix}.{name}"), Part::Ratios(meter, layer), 0)
        };
        plan.layers.iter().enumerate().map(of).collect::<Vec<_>>()
    };
    let moments = plan.update.rule.moments().iter().enumerate();
    let moments = moments.flat_map(|(m, moment)| {
        params(&format!("moments.{moment}"), &|p| Part::State(StateTensor::Moment(m, p)))
    });
    [
        params("params", &|p| Part::State(StateTensor::Param(p))),
        moments.collect(),
        running("running", |r| Part::State(StateTensor::Running(r))),
        params("best", &Part::BestParam),
        running("best", Part::BestRunning),
        ratios("epoch_ratios", 0),
        ratios("step_ratios", 1),
    ]
    .concat()
}

/// Assembles a training from its blocks, in the order of [`layout`].
fn assembled(plan: &Plan, mut progress: Progress, blocks: Vec<Numbers>) -> Checkpoint {
    let mut blocks = blocks.into_iter();
    let mut take = |count: usize| blocks.by_ref().take(count).collect::<Vec<_>>();
    let (params, running) = (plan.params.len(), plan.running.len());
    let state = State {
        params: take(params),
        moments: plan.update.rule.moments().iter().map(|_| take(params)).collect(),
        running: take(running),
    };
    let best = Weights { params: take(params), running: take(running) };
    for meter in [&mut progress.epoch_meter, &mut progress.step_meter] {
        meter.update_ratios = take(plan.layers.len()).iter().map(Numbers::to_f32).collect();
    }
    Checkpoint { progress, state, best }
}

fn numbers(tensor: &TensorView<'_>) -> Option<Numbers> {
    let bytes = tensor.data();
    match tensor.dtype() {
        Dtype::F32 => {
            let words = bytes.as_chunks().0.iter();
            Some(Numbers::F32(words.map(|&word| f32::from_le_bytes(word)).collect()))
        }
        Dtype::F64 => {
            let words = bytes.as_chunks().0.iter();
            Some(Numbers::F64(words.map(|&word| f64::from_le_bytes(word)).collect()))
        }
        _ => None,
    }
}
