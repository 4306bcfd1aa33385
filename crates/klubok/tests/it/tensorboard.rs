//! The TensorBoard event file of a training: what it holds, and that it changes no bit. That a
//! killed run has the file of one that was not stands in `resume.rs`.

use std::{collections::BTreeMap, path::Path};

use fs_err as fs;
use klubok::{
    Settings, Trainer,
    config::Config,
    diagnose::{Diagnosis, history},
    train::{
        act::Act,
        event::{Metrics, Stopped},
        run_dir::{MODEL, RunDir},
        tensorboard::{
            EVENT_FILE, TensorBoard,
            message::{Event, Value},
            record::masked,
        },
    },
};
use prost::Message as _;

use crate::resume::{Nobody, config, copy_folder, create, film, lines, train, train_all, whole};

/// Settings with an event file.
pub(crate) fn with_board() -> Config {
    let mut config = config();
    config.train.tensorboard = true;
    config
}

/// Reads the events of a file, and checks their frames.
fn events(path: &Path) -> Vec<Event> {
    let (bytes, mut all) = (fs::read(path).unwrap(), Vec::new());
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        assert_eq!(word(8), masked(&rest[..8]));
        let record = &rest[12..12 + length];
        assert_eq!(word(12 + length), masked(record));
        all.push(Event::decode(record).unwrap());
        rest = &rest[16 + length..];
    }
    all
}

/// Reads the values of a file with their steps.
fn values(path: &Path) -> Vec<(i64, Value)> {
    let summaries = events(path).into_iter().filter_map(|event| Some((event.step, event.summary?)));
    summaries.flat_map(|(step, of)| of.value.into_iter().map(move |value| (step, value))).collect()
}

/// Reads a file without what depends on the clock.
fn timeless(run: &RunDir) -> Vec<Event> {
    let mut events = events(&run.file(EVENT_FILE));
    for event in &mut events {
        event.seconds = 0.0;
        for value in event.summary.iter_mut().flat_map(|summary| &mut summary.value) {
            if value.tag.contains("time/") {
                value.number = Some(0.0);
            }
            if value.tag.starts_with("_hparams_") {
                value.metadata = None;
            }
        }
    }
    events
}

/// Checks that two runs have the same file but for the clock.
#[track_caller]
pub(crate) fn assert_same_file(run: &RunDir, whole: &RunDir, when: &str) {
    assert!(timeless(run) == timeless(whole), "{when}: another event file");
    assert_in_order(&run.file(EVENT_FILE));
}

/// Checks that every tag has every step once, in order.
fn assert_in_order(path: &Path) {
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for (step, Value { tag, .. }) in values(path) {
        let before = last.insert(tag.clone(), step);
        assert!(before < Some(step), "{tag}: {step} after {before:?}");
    }
}

fn numbers(path: &Path, tag: &str) -> Vec<(i64, f32)> {
    let of_tag = values(path).into_iter().filter(|(_, value)| value.tag == tag);
    of_tag.filter_map(|(step, value)| Some((step, value.number?))).collect()
}

#[test]
fn the_file_has_the_figures_of_the_logs_and_changes_no_bit() {
    let (_kept, run) = whole(&with_board());
    let path = run.file(EVENT_FILE);
    let epochs: Vec<Metrics> = fs::read_to_string(run.file("metrics.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |figure: fn(&Metrics) -> Option<f64>| -> Vec<(i64, f32)> {
        epochs.iter().filter_map(|m| Some((m.step as i64, figure(m)? as f32))).collect()
    };
    assert_eq!(numbers(&path, "epoch"), of(|m| Some(m.epoch)));
    assert_eq!(numbers(&path, "train/loss"), of(|m| m.train_loss));
    assert_eq!(numbers(&path, "validation/accuracy"), of(|m| m.val_accuracy));
    let ratio = of(|m| m.layers[0].update_ratio);
    assert_eq!((numbers(&path, "layers/hidden1/update_ratio"), ratio.len()), (ratio.clone(), 6));
    let steps = fs::read_to_string(run.file("steps.jsonl")).unwrap().lines().count();
    assert_eq!(numbers(&path, "first_epochs/train/eval_loss").len(), steps);
    assert_in_order(&path);

    let first = &events(&path)[0];
    assert_eq!(first.file_version.as_deref(), Some("brain.Event:2"));
    let texts: Vec<String> = values(&path)
        .into_iter()
        .filter(|(_, value)| value.tag == "run/settings")
        .map(|(_, value)| String::from_utf8(value.tensor.unwrap().strings[0].clone()).unwrap())
        .collect();
    assert_eq!(texts.len(), 1);
    assert!(texts[0].contains("epochs = 6"), "{}", texts[0]);

    let (_kept, plain) = whole(&config());
    assert!(!plain.file(EVENT_FILE).exists());
    assert!(fs::read(plain.file(MODEL)).unwrap() == fs::read(run.file(MODEL)).unwrap());
    for log in ["metrics.jsonl", "steps.jsonl"] {
        assert_eq!(lines(&plain, log), lines(&run, log));
    }
    assert!(film(&plain) == film(&run));
}

#[test]
fn histograms_count_the_weights_of_each_epoch_and_snapshot() {
    let (_kept, run) = whole(&with_board());
    let film = klubok::train::film::FilmDir::of(run.path());
    let mut found: BTreeMap<i64, f64> = BTreeMap::new();
    for (step, value) in values(&run.file(EVENT_FILE)) {
        let Some(histogram) = value.histogram.filter(|_| value.tag == "layers/hidden2/weights")
        else {
            continue;
        };
        // 7 units to 5.
        assert_eq!(histogram.count, 35.0);
        assert_eq!(histogram.counts.iter().sum::<f64>(), 35.0);
        assert_eq!(histogram.edges.len(), histogram.counts.len());
        found.insert(step, histogram.sum_squares);
    }
    for step in film.steps() {
        let weights = film.read(step).unwrap().weights.unwrap();
        // Weights and shift and scale of hidden1, then the weights of hidden2.
        let of_layer = weights.params.iter().find(|numbers| numbers.len() == 35).unwrap();
        let squares: f64 = of_layer.to_f64().iter().map(|w| w * w).sum();
        // The film has them in single precision.
        assert!((found[&(step as i64)] - squares).abs() < 1e-6 * squares, "step {step}");
    }
    assert!((0..=54).step_by(9).all(|step| found.contains_key(&step)), "{found:?}");
}

#[test]
fn an_interrupted_run_has_every_step_once() {
    let (_kept, whole) = whole(&with_board());
    for steps in [1, 5, 9, 16] {
        let folder = tempfile::tempdir().unwrap();
        let run = create(folder.path(), &with_board());
        while train(&run, &with_board(), steps, &mut Nobody).unwrap().stopped
            == Some(Stopped::Interrupted)
        {}
        let path = run.file(EVENT_FILE);
        assert_in_order(&path);
        for tag in ["epoch", "validation/loss", "layers/output/grad_norm"] {
            assert_eq!(numbers(&path, tag), numbers(&whole.file(EVENT_FILE), tag), "{steps} {tag}");
        }
    }
}

#[test]
fn a_lost_file_begins_again_and_a_changed_one_is_refused() {
    let (folder, config) = (tempfile::tempdir().unwrap(), with_board());
    let run = create(folder.path(), &config);
    train(&run, &config, 20, &mut Nobody).unwrap();
    let copy = folder.path().join("copy");
    copy_folder(run.path(), &copy);
    let other = RunDir::open(&copy).unwrap();

    fs::remove_file(run.file(EVENT_FILE)).unwrap();
    train_all(&run, &config);
    assert_in_order(&run.file(EVENT_FILE));
    let steps: Vec<i64> = numbers(&run.file(EVENT_FILE), "epoch").iter().map(|of| of.0).collect();
    assert_eq!(steps, [27, 36, 45, 54]);

    let mut bytes = fs::read(other.file(EVENT_FILE)).unwrap();
    bytes[40] ^= 1;
    fs::write(other.file(EVENT_FILE), bytes).unwrap();
    let error = train(&other, &config, 5, &mut Nobody).unwrap_err().to_string();
    assert!(error.contains(EVENT_FILE), "{error}");
}

#[test]
fn the_diagnosis_of_the_file_is_that_of_the_log() {
    let [fast, slow] = [0.05, 1e-5].map(same_diagnosis);
    assert!(!fast.phases.is_empty() && !slow.verdicts.is_empty(), "{fast:?} {slow:?}");
}

/// Checks that the event file and the log of a training with this learning rate have the same
/// diagnosis, and returns it.
fn same_diagnosis(learning_rate: f64) -> Diagnosis {
    let mut config = with_board();
    (config.train.epochs, config.train.learning_rate) = (60, learning_rate);
    let (folder, run) = whole(&config);
    let log = folder.path().join("history.jsonl");
    fs::copy(run.file("metrics.jsonl"), &log).unwrap();
    let [of_file, of_log] = [run.file(EVENT_FILE), log].map(|path| history::read(&path).unwrap());
    assert_eq!(of_file.epochs.len(), 61);
    for (ours, log) in of_file.epochs.iter().zip(&of_log.epochs) {
        let close = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * b.abs(),
            (a, b) => a == b,
        };
        assert!(close(ours.train_loss, log.train_loss), "{ours:?} {log:?}");
        assert!(close(ours.val_loss, log.val_loss), "{ours:?} {log:?}");
        assert!(close(ours.val_accuracy, log.val_accuracy), "{ours:?} {log:?}");
        assert!(close(ours.grad_norm, log.grad_norm), "{ours:?} {log:?}");
        assert_eq!(ours.epoch, log.epoch);
    }
    let [of_file, of_log] = [of_file, of_log].map(|history| Diagnosis::from_history(&history));
    let phases = |of: &Diagnosis| -> Vec<_> {
        of.phases.iter().map(|phase| (phase.name, phase.start, phase.end)).collect()
    };
    assert_eq!(phases(&of_file), phases(&of_log));
    let verdicts = |of: &Diagnosis| -> Vec<_> {
        of.verdicts.iter().map(|verdict| (verdict.name, verdict.severity, verdict.since)).collect()
    };
    assert_eq!(verdicts(&of_file), verdicts(&of_log));
    assert_eq!(of_file.best_epoch, of_log.best_epoch);
    of_log
}

#[test]
fn a_training_in_memory_has_one_too() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::new().hidden(&[8]).epochs(4).tensorboard(true).threads(1);
    let data = klubok::open("demo:spirals", &settings).unwrap();
    let mut trainer = Trainer::new(&data, &settings).unwrap();
    let mut board = TensorBoard::create(folder.path(), trainer.config()).unwrap();
    drop(trainer.control().request(Act::LearningRate { rate: 0.01 }));
    trainer.advance(&mut board).unwrap();
    trainer.advance(&mut board).unwrap();
    let bytes = trainer.to_bytes().unwrap();
    // One more epoch, which is lost.
    trainer.advance(&mut board).unwrap();

    let mut trainer = Trainer::from_bytes(&bytes, &data).unwrap();
    let mut board = TensorBoard::create(folder.path(), trainer.config()).unwrap();
    trainer.run(&mut board).unwrap();
    let files = [EVENT_FILE.to_owned(), format!("{EVENT_FILE}.002")];
    let [first, second] = files.map(|name| folder.path().join(name));
    let epochs =
        |path: &Path| -> Vec<f32> { numbers(path, "epoch").iter().map(|of| of.1).collect() };
    assert_eq!((epochs(&first), epochs(&second)), (vec![0.0, 1.0, 2.0], vec![2.0, 3.0, 4.0]));
    let restart = events(&second).into_iter().find(|event| event.session_log.is_some()).unwrap();
    assert_eq!(restart.step, numbers(&first, "epoch")[1].0 + 1);
    let histograms = values(&first).iter().filter(|(_, value)| value.histogram.is_some()).count();
    assert_eq!(histograms, 3 * 2);
    let tags: Vec<String> = values(&first).into_iter().map(|(_, value)| value.tag).collect();
    assert!(tags.contains(&"acts/learning_rate".to_owned()), "{tags:?}");
    let history = history::read(folder.path()).unwrap();
    assert_eq!(history.epochs.len(), 5);
}
