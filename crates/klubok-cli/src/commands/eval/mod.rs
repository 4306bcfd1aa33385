//! `klubok eval`: evaluates a model on data with known targets.

mod classes;
mod values;

use klubok::{
    data::{Dataset, Part},
    evaluation::Evaluation,
    train::evaluate::wilson,
};
use klubok_text::{numbers::thousands, text};
use serde::Serialize;
use serde_json::Value;

use crate::{
    args::{self, Split},
    failure::{Failure, Result},
    loaded_model::LoadedModel,
    loading,
    terminal::{Screen, paint, print_stdout, print_wrapped},
};

/// The JSON object of `klubok eval`: all samples, then each origin.
#[derive(Serialize)]
struct EvalReport {
    #[serde(flatten)]
    all: Evaluation,
    /// Whether the model's training and validation samples are known.
    origin_known: bool,
    /// New samples; null when there are none or the origin is unknown.
    never_seen: Option<Value>,
    /// Validation samples that chose the epoch.
    chose_epoch: Option<Value>,
    /// Training samples; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    trained_on: Option<Value>,
}

/// The figures of an evaluation without its tables.
fn figures(of: &Evaluation) -> Result<Value> {
    let mut figures = serde_json::to_value(of).map_err(Failure::failed)?;
    if let Some(all) = figures.as_object_mut() {
        all.retain(|_, value| !value.is_array() || value[0].is_number());
    }
    Ok(figures)
}

/// The accuracy on training samples and on the others; for numbers the errors on training samples.
fn trained_on_figures(all: &Evaluation, trained: &Evaluation) -> Result<Value> {
    let (Some(of_all), Some(of_trained)) = (all.accuracy(), trained.accuracy()) else {
        return figures(trained);
    };
    let right = |share: f64, of: &Evaluation| share * of.samples() as f64;
    let others = all.samples() - trained.samples();
    let share = (right(of_all, all) - right(of_trained, trained)) / others as f64;
    let other = (others > 0).then_some(share.clamp(0.0, 1.0));
    Ok(serde_json::json!({
        "samples": trained.samples(),
        "accuracy": of_trained,
        "other_accuracy": other,
        "other_accuracy_interval": other.map(|share| wilson(share, others)),
    }))
}

/// Role of a sample in the training of the model.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// None: an unbiased measure of the model.
    NeverSeen,
    /// It helped to choose the epoch.
    ChoseEpoch,
    /// The model was trained on it.
    TrainedOn,
}

/// All origins, the most informative first.
const ORIGINS: [Origin; 3] = [Origin::NeverSeen, Origin::ChoseEpoch, Origin::TrainedOn];

/// Evaluates a model.
pub(crate) fn run(args: &args::Eval) -> Result<()> {
    let screen = Screen::new(args.flags.quiet);
    let loaded = LoadedModel::open(&args.model, args.compute.threads)?;
    let options = loaded.data_options(args.strict, &args.columns)?;
    let data = loading::open(&args.data, &options, screen)?;
    let (split, rows) = rows_of_split(&data, args.split, &args.data)?;
    let logits = loaded.predictor().logits(&data.rows, &rows)?;
    if !logits.iter().all(|z| z.is_finite()) {
        return Err(Failure::failed(text!("predict.no_number")).hint(text!("hint.model")));
    }
    let evaluate =
        |rows: &[u32], logits: &[f32]| Evaluation::new(loaded.model(), &data, rows, logits);
    let all = evaluate(&rows, &logits);
    let origins = origins(&loaded, &data, &rows)?;
    let groups = ORIGINS.map(|origin| {
        let (rows, logits) = select(origin, origins.as_deref()?, &rows, &logits);
        (!rows.is_empty()).then(|| evaluate(&rows, &logits))
    });
    if args.flags.json {
        let [never_seen, chose_epoch, trained_on] = &groups;
        let of = |group: &Option<Evaluation>| group.as_ref().map(figures).transpose();
        let trained = trained_on.as_ref().map(|trained| trained_on_figures(&all, trained));
        let result = EvalReport {
            origin_known: origins.is_some(),
            never_seen: of(never_seen)?,
            chose_epoch: of(chose_epoch)?,
            trained_on: trained.transpose()?,
            all,
        };
        return print_stdout(serde_json::to_string(&result).map_err(Failure::failed)?);
    }
    let name = match split {
        Split::Train => text!("eval.part_train"),
        Split::Val => text!("eval.part_val"),
        Split::Test => text!("eval.part_test"),
        Split::All => text!("eval.part_all"),
    };
    let samples = thousands(all.samples());
    print_wrapped(text!("eval.part", data = args.data, part = name, samples = samples))?;
    print_wrapped(describe(&all, &groups))
}

/// Returns the origin of each row, if known.
fn origins(loaded: &LoadedModel, data: &Dataset, rows: &[u32]) -> Result<Option<Vec<Origin>>> {
    let Some(known) = loaded.known_parts(data)? else { return Ok(None) };
    let card = loaded.card();
    let of_accuracy = card.and_then(|card| Some(card.validation?.chose_epoch));
    let of_errors = card.and_then(|card| Some(card.errors?.chose_epoch));
    let chose = of_accuracy.or(of_errors).unwrap_or(true);
    let origin = |&row: &u32| match known.get(&data.hashes[row as usize]) {
        Some(Part::Train) => Origin::TrainedOn,
        Some(Part::Val) if chose => Origin::ChoseEpoch,
        _ => Origin::NeverSeen,
    };
    Ok(Some(rows.iter().map(origin).collect()))
}

/// Selects the rows of one origin, with their logits.
fn select(
    origin: Origin,
    origins: &[Origin],
    rows: &[u32],
    logits: &[f32],
) -> (Vec<u32>, Vec<f32>) {
    let outputs = logits.len() / rows.len();
    let mut found = (Vec::new(), Vec::new());
    for i in (0..rows.len()).filter(|&i| origins[i] == origin) {
        found.0.push(rows[i]);
        found.1.extend_from_slice(&logits[i * outputs..][..outputs]);
    }
    found
}

/// Returns the rows of the split: that of the flag, else the test part, else all.
pub(super) fn rows_of_split(
    data: &Dataset,
    split: Option<Split>,
    source: &str,
) -> Result<(Split, Vec<u32>)> {
    let parts = &data.parts;
    let split = split.unwrap_or(if parts.test.is_empty() { Split::All } else { Split::Test });
    let rows = match split {
        Split::Train => parts.train.clone(),
        Split::Val => parts.val.clone(),
        Split::Test => parts.test.clone(),
        Split::All => (0..data.rows.len() as u32).collect(),
    };
    let name = match split {
        Split::Train => "training",
        Split::Val => "validation",
        Split::Test => "test",
        Split::All => "readable",
    };
    if rows.is_empty() {
        let sentence = format!("`{source}` has no {name} part");
        return Err(Failure::failed(sentence).hint(text!("hint.split")));
    }
    Ok((split, rows))
}

/// Writes the most informative samples in full; the others and all together in a line each.
fn describe(all: &Evaluation, groups: &[Option<Evaluation>; 3]) -> String {
    let line = |group: (&Origin, &Evaluation)| {
        let (n, scores) = (thousands(group.1.samples()), scores(group.1));
        match group.0 {
            Origin::NeverSeen => text!("eval.never_seen", n = n, scores = scores),
            Origin::ChoseEpoch => text!("eval.chose_epoch", n = n, scores = scores),
            Origin::TrainedOn => text!("eval.trained_on", n = n, scores = scores),
        }
    };
    let known: Vec<_> =
        ORIGINS.iter().zip(groups).filter_map(|(o, group)| Some((o, group.as_ref()?))).collect();
    let mut lines: Vec<String> = known.iter().map(|group| line(*group)).collect();
    let (n, together) = (thousands(all.samples()), scores(all));
    match known.len() {
        0 => lines.push(text!("eval.unknown", n = n, scores = together)),
        1 => {}
        _ => lines.push(text!("eval.all", n = n, scores = together)),
    }
    let first = known.first().map_or(all, |(_, first)| first);
    lines[0] = paint(&lines[0]).bold().to_string();
    let origin = known.first().map(|(origin, _)| **origin);
    match first {
        Evaluation::Classes(of) => {
            let is_memorised = origin == Some(Origin::TrainedOn);
            lines.extend(classes::limits(of, is_memorised, origin.is_some()));
            lines.extend([String::new(), classes::tables(of)]);
        }
        Evaluation::Labels(of) => lines.extend([String::new(), values::label_table(of)]),
        Evaluation::Numbers(of) => {
            let tables = values::number_table(of).into_iter();
            lines.extend(tables.flat_map(|table| [String::new(), table]));
        }
    }
    lines.join("\n")
}

/// Writes the figures of an evaluation in a line.
pub(super) fn scores(of: &Evaluation) -> String {
    match of {
        Evaluation::Classes(of) => classes::scores(of),
        Evaluation::Labels(of) => values::label_scores(of),
        Evaluation::Numbers(of) => values::number_scores(of),
    }
}
