//! `klubok eval`: evaluates a model on labelled data.

use klubok::{
    data::{Dataset, Part},
    evaluation::Evaluation,
    train::evaluate::wilson,
};
use klubok_text::{
    numbers::{accuracy, accuracy_and_chance, decimal, loss, percent, thousands},
    text, trust,
};
use serde::Serialize;

use crate::{
    args::{self, Split},
    classifier::Classifier,
    failure::{Failure, Result},
    loading,
    terminal::{Column, Screen, numbers, paint, print_stdout, print_wrapped, table, words},
};

/// Largest number of classes of a printed confusion matrix, and rows of the list of the largest
/// confusions, which replaces it for more classes.
const MAX_MATRIX_CLASSES: usize = 12;

/// The JSON object of `klubok eval`: all samples, then each origin.
#[derive(Serialize)]
struct EvalReport {
    #[serde(flatten)]
    all: Evaluation,
    /// Whether the model's training and validation samples are known.
    origin_known: bool,
    /// New samples; null when there are none or the origin is unknown.
    never_seen: Option<Figures>,
    /// Validation samples that chose the epoch.
    chose_epoch: Option<Figures>,
    /// Training samples; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    trained_on: Option<TrainedOnFigures>,
}

/// Scores on the samples of one origin.
#[derive(Serialize)]
struct Figures {
    samples: usize,
    accuracy: f64,
    /// 95 % interval of the accuracy.
    accuracy_interval: [f64; 2],
    chance: f64,
    loss: f64,
    loss_calibrated: f64,
    ece: f64,
    ece_uncalibrated: f64,
}

impl Figures {
    fn new(of: &Evaluation) -> Self {
        Self {
            samples: of.samples,
            accuracy: of.accuracy,
            accuracy_interval: of.accuracy_interval,
            chance: of.chance,
            loss: of.loss,
            loss_calibrated: of.loss_calibrated,
            ece: of.ece,
            ece_uncalibrated: of.ece_uncalibrated,
        }
    }
}

/// Accuracy on training samples and on the others.
#[derive(Serialize)]
struct TrainedOnFigures {
    /// Number of training samples.
    samples: usize,
    /// Accuracy on them.
    accuracy: f64,
    /// Accuracy on the others; null when there are none.
    other_accuracy: Option<f64>,
    /// 95 % interval of `other_accuracy`.
    other_accuracy_interval: Option<[f64; 2]>,
}

impl TrainedOnFigures {
    fn new(all: &Evaluation, trained: &Evaluation) -> Self {
        let right = |of: &Evaluation| of.accuracy * of.samples as f64;
        let others = all.samples - trained.samples;
        let share = (right(all) - right(trained)) / others as f64;
        let other_accuracy = (others > 0).then_some(share.clamp(0.0, 1.0));
        Self {
            samples: trained.samples,
            accuracy: trained.accuracy,
            other_accuracy,
            other_accuracy_interval: other_accuracy.map(|share| wilson(share, others)),
        }
    }
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
    let classifier = Classifier::open(&args.model, args.compute.threads)?;
    let data = loading::open(&args.data, &classifier.data_options(args.strict)?, screen)?;
    let (split, rows) = rows_of_split(&data, args.split, &args.data)?;
    let logits = classifier.logits(&data.rows, &rows)?;
    if !logits.iter().all(|z| z.is_finite()) {
        return Err(Failure::failed(text!("predict.no_number")).hint(text!("hint.model")));
    }
    let targets: Vec<u32> = rows.iter().map(|&row| data.targets[row as usize]).collect();
    let evaluate = |logits: &[f32], targets: &[u32]| {
        Evaluation::new(logits, targets, classifier.classes(), classifier.calibration())
    };
    let all = evaluate(&logits, &targets);
    let origins = origins(&classifier, &data, &rows)?;
    let groups = ORIGINS.map(|origin| {
        let (logits, targets) = select(origin, origins.as_deref()?, &logits, &targets);
        (!targets.is_empty()).then(|| evaluate(&logits, &targets))
    });
    if args.flags.json {
        let [never_seen, chose_epoch, trained_on] = &groups;
        let result = EvalReport {
            origin_known: origins.is_some(),
            never_seen: never_seen.as_ref().map(Figures::new),
            chose_epoch: chose_epoch.as_ref().map(Figures::new),
            trained_on: trained_on.as_ref().map(|trained| TrainedOnFigures::new(&all, trained)),
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
    let samples = thousands(all.samples);
    print_wrapped(text!("eval.part", data = args.data, part = name, samples = samples))?;
    print_wrapped(describe(&all, &groups))
}

/// Returns the origin of each row, if known.
fn origins(classifier: &Classifier, data: &Dataset, rows: &[u32]) -> Result<Option<Vec<Origin>>> {
    let Some(known) = classifier.known_parts(data)? else { return Ok(None) };
    let validation = classifier.card().and_then(|card| card.validation);
    let chose = validation.is_none_or(|validation| validation.chose_epoch);
    let origin = |&row: &u32| match known.get(&data.hashes[row as usize]) {
        Some(Part::Train) => Origin::TrainedOn,
        Some(Part::Val) if chose => Origin::ChoseEpoch,
        _ => Origin::NeverSeen,
    };
    Ok(Some(rows.iter().map(origin).collect()))
}

/// Selects logits and targets of the samples of one origin.
fn select(
    origin: Origin,
    origins: &[Origin],
    logits: &[f32],
    targets: &[u32],
) -> (Vec<f32>, Vec<u32>) {
    let own = (0..targets.len()).filter(|&i| origins[i] == origin);
    let classes = logits.len() / targets.len();
    let mut found = (Vec::new(), Vec::new());
    for i in own {
        found.0.extend_from_slice(&logits[i * classes..][..classes]);
        found.1.push(targets[i]);
    }
    found
}

/// Returns the rows of the split: that of the flag, else the test part, else all.
fn rows_of_split(data: &Dataset, split: Option<Split>, source: &str) -> Result<(Split, Vec<u32>)> {
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
        let (n, scores) = (thousands(group.1.samples), scores(group.1));
        match group.0 {
            Origin::NeverSeen => text!("eval.never_seen", n = n, scores = scores),
            Origin::ChoseEpoch => text!("eval.chose_epoch", n = n, scores = scores),
            Origin::TrainedOn => text!("eval.trained_on", n = n, scores = scores),
        }
    };
    let known: Vec<_> =
        ORIGINS.iter().zip(groups).filter_map(|(o, group)| Some((o, group.as_ref()?))).collect();
    let mut lines: Vec<String> = known.iter().map(|group| line(*group)).collect();
    let (n, together) = (thousands(all.samples), scores(all));
    match known.len() {
        0 => lines.push(text!("eval.unknown", n = n, scores = together)),
        1 => {}
        _ => lines.push(text!("eval.all", n = n, scores = together)),
    }
    let first = known.first().map_or(all, |(_, first)| first);
    lines[0] = paint(&lines[0]).bold().to_string();
    lines.extend(limits(first, known.first().map(|(origin, _)| **origin)));
    lines.extend([String::new(), by_class(first), String::new(), confusions(first)]);
    lines.join("\n")
}

/// Warns of a single class, or of an accuracy at chance level.
fn limits(of: &Evaluation, origin: Option<Origin>) -> Option<String> {
    let names = |there: bool| {
        let classes = of.per_class.iter().filter(|class| (class.support > 0) == there);
        classes.map(|class| class.class.as_str()).collect::<Vec<_>>()
    };
    match names(true)[..] {
        [class] => Some(text!("eval.one_class", class = class, others = names(false).join(", "))),
        // On memorised samples every model is better than chance.
        _ if origin == Some(Origin::TrainedOn) => None,
        _ => trust::no_better_than_chance(of.accuracy, of.samples, of.chance, origin.is_some()),
    }
}

fn scores(of: &Evaluation) -> String {
    // With one class, chance is always right.
    let accuracy = if of.chance < 1.0 {
        accuracy_and_chance(of.accuracy, of.samples, of.chance)
    } else {
        accuracy(of.accuracy, of.samples)
    };
    text!(
        "eval.scores",
        accuracy = accuracy,
        loss = loss(of.loss_calibrated, 4),
        ece = decimal(format_args!("{:.3}", of.ece)),
        loss_raw = loss(of.loss, 4),
        ece_raw = decimal(format_args!("{:.3}", of.ece_uncalibrated))
    )
}

fn by_class(all: &Evaluation) -> String {
    let head = [
        words(text!("eval.class")),
        numbers(text!("eval.precision")),
        numbers(text!("eval.recall")),
        numbers(text!("eval.f1")),
        numbers(text!("eval.support")),
    ];
    let share = |share: Option<f64>| share.map_or("-".to_owned(), percent);
    let rows: Vec<_> = all
        .per_class
        .iter()
        .map(|c| {
            let recall = c.recall.map_or("-".to_owned(), |recall| accuracy(recall, c.support));
            vec![c.class.clone(), share(c.precision), recall, share(c.f1), thousands(c.support)]
        })
        .collect();
    table(&head, &rows)
}

fn confusions(all: &Evaluation) -> String {
    let names: Vec<&String> = all.per_class.iter().map(|c| &c.class).collect();
    if names.len() <= MAX_MATRIX_CLASSES {
        let head: Vec<Column> = [words(text!("eval.confusion"))]
            .into_iter()
            .chain(names.iter().map(|name| numbers(name.as_str())))
            .collect();
        let row = |(name, counts): (&&String, &Vec<usize>)| {
            [(*name).clone()].into_iter().chain(counts.iter().map(|&n| thousands(n))).collect()
        };
        return table(&head, &names.iter().zip(&all.confusion).map(row).collect::<Vec<_>>());
    }
    let mut pairs = Vec::new();
    for (truth, counts) in all.confusion.iter().enumerate() {
        let wrong = counts.iter().enumerate().filter(|&(class, &n)| class != truth && n > 0);
        pairs.extend(wrong.map(|(class, &n)| (n, truth, class)));
    }
    pairs.sort_by_key(|&(n, truth, class)| (std::cmp::Reverse(n), truth, class));
    let head = [
        words(text!("eval.class")),
        words(text!("eval.taken_for")),
        numbers(text!("eval.support")),
    ];
    let row = |&(n, truth, class): &(usize, usize, usize)| {
        vec![names[truth].clone(), names[class].clone(), thousands(n)]
    };
    table(&head, &pairs.iter().take(MAX_MATRIX_CLASSES).map(row).collect::<Vec<_>>())
}
