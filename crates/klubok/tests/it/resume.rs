//! Runs on disk: interruptions and kills do not change a bit.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fs_err as fs;
use klubok::{
    backend::{Backend, DataId, DeviceInfo, Figures, Outputs, Program, Step},
    bounded::MAX_LINES_MEMORY,
    config::{Config, Optimizer},
    data::Dataset,
    diagnose::{data_quality, metrics, observer::DiagnosisObserver},
    model::Model,
    nn,
    nn::calibration::Calibration,
    plan::{Plan, Precision, Value},
    reference::ReferenceBackend,
    rows::Rows,
    state::{Numbers, State, StateTensor, Weights},
    train::{
        self as training, RunError,
        control::Control,
        evaluate::Evaluator,
        event::{Event, Observer, Stopped, VerdictName},
        film::FILM,
        run_dir::{CHECKPOINT, MODEL, Place, RunDir},
        run_info::RunInfo,
        session::{self, Summary},
        task::Task,
        tensorboard::EVENT_FILE,
    },
};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::{blobs, tensorboard};

fn info() -> RunInfo {
    RunInfo {
        klubok: "0.1.0".into(),
        data: "/data/blobs".into(),
        val: None,
        test: None,
        preset: Some("balanced".into()),
        replay: Vec::new(),
        fingerprint: toml::from_str("files = 3\nhash = \"ab\"").unwrap(),
    }
}

pub(crate) fn create(folder: &Path, config: &Config) -> RunDir {
    RunDir::create(Place::Folder(&folder.join("run")), config, &info()).unwrap()
}

/// The reference backend, but each program interrupts the training after this many steps.
struct StopAfter {
    steps: u64,
    control: Arc<Control>,
}

struct Counting {
    inner: Box<dyn Program>,
    left: AtomicU64,
    control: Arc<Control>,
}

impl Backend for StopAfter {
    fn info(&self, precision: Precision) -> DeviceInfo {
        ReferenceBackend.info(precision)
    }

    fn compile(
        &self,
        plan: &Plan,
        max_batch: usize,
        data: &[Arc<dyn Rows>],
    ) -> nn::Result<Box<dyn Program>> {
        let inner = ReferenceBackend.compile(plan, max_batch, data)?;
        let (left, control) = (AtomicU64::new(self.steps), Arc::clone(&self.control));
        Ok(Box::new(Counting { inner, left, control }))
    }
}

impl Program for Counting {
    fn load(&mut self, state: &State) -> nn::Result<()> {
        self.inner.load(state)
    }

    fn store(&self, state: &mut State) -> nn::Result<()> {
        self.inner.store(state)
    }

    fn store_tensor(&self, tensor: StateTensor) -> nn::Result<Numbers> {
        self.inner.store_tensor(tensor)
    }

    fn store_weights(&self, weights: &mut Weights) -> nn::Result<()> {
        self.inner.store_weights(weights)
    }

    fn train(&mut self, data: DataId, step: &Step<'_>) -> nn::Result<()> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.control.interrupt();
        }
        self.inner.train(data, step)
    }

    fn gradients(&mut self, data: DataId, step: &Step<'_>, out: &mut Weights) -> nn::Result<()> {
        self.inner.gradients(data, step, out)
    }

    fn infer(
        &mut self,
        data: DataId,
        rows: &[u32],
        taps: &[Value],
        out: &mut Outputs,
    ) -> nn::Result<()> {
        self.inner.infer(data, rows, taps, out)
    }

    fn read(&mut self, out: &mut Figures) {
        self.inner.read(out);
    }
}

/// Trains to the end, or for this many steps.
pub(crate) fn train(
    run: &RunDir,
    config: &Config,
    steps: u64,
    diagnosis: &mut dyn Observer,
) -> training::Result<Summary> {
    train_on(run, config, &blobs::data(61, 21), steps, diagnosis)
}

fn train_on(
    run: &RunDir,
    config: &Config,
    data: &Dataset,
    steps: u64,
    diagnosis: &mut dyn Observer,
) -> training::Result<Summary> {
    let control = Arc::new(Control::new());
    let backend = StopAfter { steps, control: Arc::clone(&control) };
    session::train(run, config, data, &backend, &mut [diagnosis], &info(), &control)
}

pub(crate) fn train_all(run: &RunDir, config: &Config) -> Summary {
    train(run, config, u64::MAX, &mut Nobody).unwrap()
}

pub(crate) struct Nobody;

impl Observer for Nobody {
    fn observe(&mut self, _: &Event<'_>) -> training::Result<()> {
        Ok(())
    }
}

/// Reads the lines of a log without the keys that depend on the clock.
pub(crate) fn lines(run: &RunDir, log: &str) -> Vec<Json> {
    let text = fs::read_to_string(run.file(log)).unwrap();
    let timeless = |line: &str| {
        let mut line: Json = serde_json::from_str(line).unwrap();
        for key in ["seconds", "elapsed_seconds", "samples_per_second"] {
            line.as_object_mut().unwrap().shift_remove(key);
        }
        line
    };
    text.lines().map(timeless).collect()
}

#[track_caller]
fn assert_same(run: &RunDir, whole: &RunDir, when: &str) {
    let model = |run: &RunDir| fs::read(run.file(MODEL)).unwrap();
    assert!(model(run) == model(whole), "{when}: another model");
    for log in ["metrics.jsonl", "steps.jsonl"] {
        assert_eq!(lines(run, log), lines(whole, log), "{when}: {log}");
    }
    let progress = |run: &RunDir| {
        let mut progress = run.progress().unwrap().unwrap();
        progress.elapsed_seconds = 0.0;
        progress.epoch_seconds = 0.0;
        progress.update_seconds = 0.0;
        progress
    };
    assert_eq!(progress(run), progress(whole), "{when}");
    assert!(film(run) == film(whole), "{when}: another film");
}

/// Reads the files of a film.
pub(crate) fn film(run: &RunDir) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(run.file(FILM))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().display().to_string(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

pub(crate) fn whole(config: &Config) -> (TempDir, RunDir) {
    let folder = tempfile::tempdir().unwrap();
    let run = create(folder.path(), config);
    assert_eq!(train_all(&run, config).stopped, Some(Stopped::Epochs));
    (folder, run)
}

/// Settings with batches of 7 and batch normalisation: 61 rows are nine batches, the last one of 5.
pub(crate) fn config() -> Config {
    let mut config = blobs::config();
    config.train.batch_size = 7;
    // Fewer than the steps of the series: the film drops some.
    config.train.snapshots = 12;
    config
}

#[test]
fn an_interrupted_run_resumes_with_the_same_bits() {
    let (_kept, whole) = whole(&config());
    for steps in [1, 2, 5, 8, 9, 10, 16, 17, 23] {
        let folder = tempfile::tempdir().unwrap();
        let run = create(folder.path(), &config());
        let mut sessions = 0;
        loop {
            let summary = train(&run, &config(), steps, &mut Nobody).unwrap();
            sessions += 1;
            if summary.stopped != Some(Stopped::Interrupted) {
                break;
            }
            assert_eq!(run.progress().unwrap().unwrap().step, sessions * steps);
        }
        assert_eq!(sessions, 54_u64.div_ceil(steps));
        assert_same(&run, &whole, &format!("every {steps} steps"));
    }
}

/// Copies the run at every event, as a process killed there would leave it.
struct Killer {
    run: PathBuf,
    into: PathBuf,
    copies: Vec<PathBuf>,
}

impl Observer for Killer {
    fn observe(&mut self, _: &Event<'_>) -> training::Result<()> {
        let copy = self.into.join(self.copies.len().to_string());
        copy_folder(&self.run, &copy);
        self.copies.push(copy);
        Ok(())
    }
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn a_run_killed_at_any_event_resumes_with_the_same_bits() {
    let (folder, config) = (tempfile::tempdir().unwrap(), tensorboard::with_board());
    let run = create(folder.path(), &config);
    let (path, into) = (run.path().to_owned(), folder.path().join("copies"));
    let mut killer = Killer { run: path, into, copies: vec![] };
    train(&run, &config, u64::MAX, &mut killer).unwrap();
    assert!(killer.copies.len() > 20);
    let mut checkpoint_before: Option<Vec<u8>> = None;
    for copy in &killer.copies {
        let killed = RunDir::open(copy).unwrap();
        let checkpoint = fs::read(killed.file(CHECKPOINT)).ok();
        // Killed between the renames of the model and of the checkpoint.
        if let Some(before) = &checkpoint_before {
            fs::write(killed.file(CHECKPOINT), before).unwrap();
        }
        checkpoint_before = checkpoint;
        if killed.progress().unwrap().is_none_or(|progress| progress.stopped.is_none()) {
            // A half-written line, and a half-written record.
            for (log, half) in [("metrics.jsonl", &b"{\"epoch\":"[..]), (EVENT_FILE, &[40, 0, 0])] {
                let torn = [&fs::read(killed.file(log)).unwrap()[..], half].concat();
                fs::write(killed.file(log), torn).unwrap();
            }
        }
        train_all(&killed, &config);
        assert_same(&killed, &run, &copy.display().to_string());
        tensorboard::assert_same_file(&killed, &run, &copy.display().to_string());
    }
}

#[test]
fn a_run_that_has_ended_stays_unchanged() {
    let (_kept, run) = whole(&config());
    let files = ["config.toml", "metrics.jsonl", "events.jsonl", MODEL, CHECKPOINT];
    let read = || files.map(|name| fs::read(run.file(name)).unwrap());
    let before = read();
    let again = train_all(&run, &config());
    assert_eq!(read(), before);
    assert_eq!((again.stopped, again.epochs), (Some(Stopped::Epochs), 6));
    assert!(again.val_loss.is_some() && again.seconds > 0.0);
}

#[test]
fn the_log_records_start_interruption_resumption_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let run = create(folder.path(), &config());
    train(&run, &config(), 5, &mut Nobody).unwrap();
    train_all(&run, &config());
    let events: Vec<String> = lines(&run, "events.jsonl")
        .iter()
        .map(|l| format!("{} {} {}", l["step"], l["event"], l.get("reason").unwrap_or(&Json::Null)))
        .collect();
    let expected = [
        r#"0 "start" null"#,
        r#"5 "stopped" "interrupted""#,
        r#"5 "resume" null"#,
        r#"54 "stopped" "epochs""#,
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_diverged_run_ends_with_its_best_model() {
    let mut config = config();
    config.train.optimizer = Optimizer::Sgd;
    config.train.learning_rate = 1e200;
    config.model.batch_norm = false;
    let folder = tempfile::tempdir().unwrap();
    let run = create(folder.path(), &config);
    let summary = train_all(&run, &config);
    assert_eq!((summary.stopped, summary.best_epoch), (Some(Stopped::Diverged), Some(0)));
    assert!(summary.cause.as_ref().unwrap().contains("try a lower learning rate"));
    assert!(!serde_json::to_string(&summary).unwrap().contains("NaN"));
    assert!(run.file(MODEL).is_file());
    let before = fs::read(run.file(CHECKPOINT)).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&before).unwrap();
    let weights = tensors.tensor("params.hidden1.weight").unwrap();
    let words = weights.data().as_chunks().0.iter();
    let start: f64 = words.map(|&word| f64::from_le_bytes(word).abs()).sum();
    assert!(start.is_finite() && start > 0.0, "the last good weights are kept: {start}");
    assert_eq!(train_all(&run, &config).cause, summary.cause);
    assert_eq!(fs::read(run.file(CHECKPOINT)).unwrap(), before);
}

#[test]
fn refuses_a_damaged_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let run = create(folder.path(), &config());
    train(&run, &config(), 5, &mut Nobody).unwrap();
    let path = run.file(CHECKPOINT);
    let good = fs::read(&path).unwrap();
    let bad_json = String::from_utf8_lossy(&good).replacen("steps_per_epoch", "steps_per_epoxx", 1);
    let later = good.clone();
    let damaged = [
        ("empty", vec![]),
        ("garbage", b"no checkpoint at all".to_vec()),
        ("cut in the header", good[..100].to_vec()),
        ("cut in the tensors", good[..good.len() - 8].to_vec()),
        ("other metadata", bad_json.into_bytes()),
        ("a later version", replace(later, br#"{\"version\":3"#, br#"{\"version\":4"#)),
    ];
    for (what, bytes) in damaged {
        fs::write(&path, bytes).unwrap();
        let error = train(&run, &config(), u64::MAX, &mut Nobody).unwrap_err();
        assert!(matches!(error, RunError::Checkpoint { .. }), "{what}: {error}");
        assert!(run.progress().is_err(), "{what}");
    }
    fs::write(&path, good).unwrap();
    train_all(&run, &config());
}

#[test]
fn a_run_without_its_checkpoint_does_not_start_over() {
    let folder = tempfile::tempdir().unwrap();
    let run = create(folder.path(), &config());
    train_all(&run, &config());
    fs::remove_file(run.file(CHECKPOINT)).unwrap();
    let log = fs::read(run.file("metrics.jsonl")).unwrap();
    let error = train(&run, &config(), u64::MAX, &mut Nobody).unwrap_err();
    assert!(matches!(error, RunError::Gone { .. }), "{error}");
    assert_eq!(fs::read(run.file("metrics.jsonl")).unwrap(), log);
}

#[test]
fn detects_a_flipped_bit_anywhere_in_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let run = create(folder.path(), &config());
    train(&run, &config(), 5, &mut Nobody).unwrap();
    let path = run.file(CHECKPOINT);
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(good.len() / 97) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        fs::write(&path, bytes).unwrap();
        let error = train(&run, &config(), u64::MAX, &mut Nobody).unwrap_err();
        assert!(matches!(error, RunError::Checkpoint { .. }), "byte {at}: {error}");
    }
}

#[test]
fn the_error_names_a_setting_changed_since_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let run = create(folder.path(), &config());
    train(&run, &config(), 5, &mut Nobody).unwrap();
    let changed = |change: fn(&mut Config)| {
        let mut config = config();
        change(&mut config);
        train(&run, &config, 1, &mut Nobody)
            .map(|summary| summary.stopped)
            .map_err(|e| e.to_string())
    };
    let at = |key: &str, now: &str, before: &str| {
        Err(format!(
            "`{key}` is `{now}` in the settings of the run, at its checkpoint it was `{before}`"
        ))
    };
    assert_eq!(
        changed(|config| config.train.learning_rate = 0.5),
        at("train.learning_rate", "0.5", "0.01")
    );
    assert_eq!(changed(|config| config.train.epochs = 9), at("train.epochs", "9", "6"));
    assert_eq!(
        changed(|config| config.regularization.l2 = 0.0),
        at("regularization.l2", "0.0", "0.001")
    );
    // The number of threads may change.
    assert_eq!(changed(|config| config.train.threads = 3), Ok(Some(Stopped::Interrupted)));
}

fn replace(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn refuses_a_checkpoint_of_another_batch_size_or_network() {
    let folder = tempfile::tempdir().unwrap();
    let run = create(folder.path(), &config());
    train(&run, &config(), 5, &mut Nobody).unwrap();
    for (key, change) in [
        ("train.batch_size", (|config| config.train.batch_size = 30) as fn(&mut Config)),
        ("model.hidden", |config| config.model.hidden = vec![7, 6]),
    ] {
        let mut other = config();
        change(&mut other);
        let error = train(&run, &other, 1, &mut Nobody).unwrap_err();
        assert!(
            matches!(&error, RunError::Changed { key: changed, .. } if changed == key),
            "{error}"
        );
    }
}

#[test]
fn two_processes_never_train_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = create(folder.path(), &config());
    let lock = run.lock().unwrap();
    let error = train(&run, &config(), 1, &mut Nobody).unwrap_err();
    assert!(matches!(error, RunError::Busy { .. }), "{error}");
    drop(lock);
    train_all(&run, &config());
}

#[test]
fn a_failing_observer_ends_the_session_and_the_run_can_resume() {
    struct FullDisk(u64);
    impl Observer for FullDisk {
        fn observe(&mut self, _: &Event<'_>) -> training::Result<()> {
            self.0 -= 1;
            if self.0 == 0 { Err(std::io::Error::other("the disk is full").into()) } else { Ok(()) }
        }
    }
    let (_kept, whole) = whole(&config());
    let folder = tempfile::tempdir().unwrap();
    let run = create(folder.path(), &config());
    let error = train(&run, &config(), u64::MAX, &mut FullDisk(12)).unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");
    train_all(&run, &config());
    assert_same(&run, &whole, "after a full disk");
}

#[test]
fn refuses_changed_data() {
    let folder = tempfile::tempdir().unwrap();
    let run = create(folder.path(), &config());
    train(&run, &config(), 5, &mut Nobody).unwrap();
    let mut data = blobs::data(61, 21);
    data.hashes[4] += 1;
    let error = train_on(&run, &config(), &data, 1, &mut Nobody).unwrap_err().to_string();
    assert!(error.ends_with("1 sample was changed, `4`"), "{error}");
    train_all(&run, &config());
}

#[test]
fn the_model_has_the_weights_of_the_best_epoch() {
    let (_kept, run) = whole(&config());
    let model = Model::load(&run.file(MODEL)).unwrap();
    assert_eq!(model.outputs, ["a", "b", "c"]);
    assert_eq!(model.network, config().network(2, 3));
    let metrics = metrics::read(&run.file("metrics.jsonl"), &mut MAX_LINES_MEMORY.clone()).unwrap();
    let losses: Vec<f64> = metrics.iter().map(|m| m.val_loss_calibrated.unwrap()).collect();
    let means_of_three: Vec<f64> =
        losses.windows(3).map(|three| three.iter().sum::<f64>() / 3.0).collect();
    let lowest = means_of_three.iter().copied().fold(f64::INFINITY, f64::min);
    let best = run.progress().unwrap().unwrap().best.unwrap();
    let best_metrics = &metrics[best.epoch as usize];
    assert!((means_of_three[best.epoch as usize - 2] - lowest).abs() < 1e-12);
    assert_eq!(model.calibration, Calibration::new(best_metrics.temperature.unwrap(), 21));
    assert!(
        best.epoch > 0 && fs::read_to_string(run.file("split.csv")).unwrap().lines().count() == 83
    );

    // The weights in the file reproduce the validation losses of that epoch.
    let data = blobs::data(61, 21);
    let task = Task::new(&config(), &data).unwrap();
    let mut program = ReferenceBackend.compile(&task.plan, 8, &[data.rows]).unwrap();
    let Weights { params, running } = model.weights;
    program.load(&State { params, running, moments: vec![] }).unwrap();
    let validated = Evaluator::new(&task.plan, DataId(0))
        .validate(&mut *program, &data.parts.val, &task.samples)
        .unwrap();
    let off = |loss: Option<f64>, expected: f64| (loss.unwrap() - expected).abs();
    assert!(off(validated.scores.loss(), best_metrics.val_loss.unwrap()) < 1e-6);
    assert!(
        off(validated.calibrated.map(|calibrated| calibrated.loss), losses[best.epoch as usize])
            < 1e-6
    );
}

#[test]
fn notices_do_not_depend_on_interruptions_and_observing_changes_no_bit() {
    let (_kept, unobserved) = whole(&config());
    let folder = tempfile::tempdir().unwrap();
    let observed = create(folder.path(), &config());
    let data_verdict_observer = || {
        let mut diagnosis = DiagnosisObserver::new(21);
        diagnosis.add_data_verdicts([data_quality::verdict_at_start(
            VerdictName::ContradictingLabels,
            &[],
            Vec::new(),
        )]);
        diagnosis
    };
    let mut diagnosis = data_verdict_observer();
    train(&observed, &config(), u64::MAX, &mut diagnosis).unwrap();
    assert_same(&observed, &unobserved, "observed");
    let noticed = |run: &RunDir| {
        let of = |line: &Json| line["event"] == "phase" || line["event"] == "verdict";
        lines(run, "events.jsonl").into_iter().filter(of).collect::<Vec<_>>()
    };
    let expected = noticed(&observed);
    let names: Vec<&Json> = expected.iter().map(|line| &line["name"]).collect();
    assert_eq!(names[..2], ["contradicting_labels", "fast_learning"]);
    assert_eq!((&expected[0]["step"], &expected[0]["since"]), (&0.into(), &0.into()));

    let folder = tempfile::tempdir().unwrap();
    let run = create(folder.path(), &config());
    for steps in [1, 3, 11, 9, 2] {
        let summary = train(&run, &config(), steps, &mut data_verdict_observer()).unwrap();
        assert_eq!(summary.stopped, Some(Stopped::Interrupted), "after {steps}");
    }
    let mut last = data_verdict_observer();
    train(&run, &config(), u64::MAX, &mut last).unwrap();
    assert_same(&run, &unobserved, "interrupted five times");
    assert_eq!(noticed(&run), expected);
    assert_eq!(last.diagnosis(), diagnosis.diagnosis());
}
