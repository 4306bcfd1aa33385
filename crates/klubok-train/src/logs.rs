//! The logs of a run: `metrics.jsonl`, `steps.jsonl` and `events.jsonl`, one JSON object a line.
//!
//! Lines are appended as they come and synced before a checkpoint refers to them. A resumed run
//! cuts the logs back to the marks in its checkpoint, whose hashes say that nobody wrote into them
//! since. So a line that was half written, or that the resumed run writes again, is gone. What
//! people did stays, however often a run is killed: it is done again at its step, and its line is
//! not written a second time.

use std::{cmp::Ordering, path::Path};

use klubok_data::{
    bounded::{LineKind, Lines},
    limits,
};
use klubok_model::write_atomically;
use serde::de::DeserializeOwned;
use twox_hash::xxhash3_128::Hasher;

use crate::{
    Result, RunError,
    act::{Act, Recorded},
    event::{Event, Metrics, Observer},
    log::{Log, Mark},
    progress::Progress,
};
pub use crate::{
    event::{EventLine, Happened},
    log::Marks,
};

/// File of the lines of epochs.
pub const METRICS: &str = "metrics.jsonl";
/// File of the lines of chosen steps.
pub const STEPS: &str = "steps.jsonl";
/// File of what happened.
pub const EVENTS: &str = "events.jsonl";

/// The lines of all logs.
#[derive(Debug)]
pub struct Past {
    /// Of `steps.jsonl`.
    pub steps: Vec<Metrics>,
    /// Of `metrics.jsonl`.
    pub epochs: Vec<Metrics>,
    /// Of `events.jsonl`.
    pub events: Vec<EventLine>,
}

/// The open logs of a run.
pub struct Logs {
    metrics: Log,
    steps: Log,
    events: Log,
    /// What people did that stands in `events.jsonl` and is still to be done.
    ahead: Vec<Recorded>,
}

impl Logs {
    /// The logs of a run that goes on from `at`, whose checkpoint knows these lengths: cut back to
    /// them, but for what people did since. That stays, and what of it changes what is computed is
    /// still to be done, as is what is left of `replay`: the second of the answer, by steps. A last
    /// line that is cut off was not done.
    ///
    /// # Errors
    /// When a log is shorter than that, a line is damaged, or a log cannot be read or written.
    pub fn go_on(
        folder: &Path,
        keep: Marks,
        at: &Progress,
        replay: &[Recorded],
    ) -> Result<(Self, Vec<Recorded>)> {
        // All of them are looked at before any is changed.
        let paths = [METRICS, STEPS, EVENTS].map(|name| folder.join(name));
        let of_metrics = keep.metrics.check(&paths[0])?;
        let of_steps = keep.steps.check(&paths[1])?;
        keep.events.check(&paths[2])?;
        let events = if paths[2].exists() { events(folder)? } else { Vec::new() };
        in_order(&paths[2], keep.events, &events, at.step)?;
        let logged = telling(&events);
        let ahead = after(&logged, at);
        let mut left = replay.to_vec();
        for done in &logged {
            left.iter().position(|act| act == done).map(|at| left.remove(at));
        }
        let mut pending = [&ahead[..], &left].concat();
        pending.sort_by_key(|recorded| recorded.step);
        let (kept, of_events) = keep_acts(&paths[2], keep.events, &events)?;
        let logs = Self {
            metrics: Log::open(&paths[0], keep.metrics.bytes, of_metrics)?,
            steps: Log::open(&paths[1], keep.steps.bytes, of_steps)?,
            events: Log::open(&paths[2], kept, of_events)?,
            ahead,
        };
        Ok((logs, pending))
    }

    /// What people did in a run, in order.
    ///
    /// # Errors
    /// When the log cannot be read or a line is damaged.
    pub fn done(folder: &Path) -> Result<Vec<Recorded>> {
        Ok(acts(&events(folder)?))
    }

    /// Whether a person wanted a run that had ended at this point to go on.
    ///
    /// # Errors
    /// When the log cannot be read or a line is damaged.
    pub fn goes_on_after(folder: &Path, at: &Progress) -> Result<bool> {
        if !folder.join(EVENTS).exists() {
            return Ok(false);
        }
        let ahead = after(&telling(&events(folder)?), at);
        Ok(ahead.iter().any(|recorded| matches!(recorded.act, Act::Epochs { .. })))
    }

    /// How far a run came by its log, once it was past the epochs after which its first checkpoint
    /// is made.
    ///
    /// # Errors
    /// When the log cannot be read or a line is damaged.
    pub fn came_to(folder: &Path) -> Result<Option<f64>> {
        let path = folder.join(METRICS);
        if !path.exists() {
            return Ok(None);
        }
        let epochs = lines(&path, LineKind::Metrics, |line: Metrics, _| line.epoch)?;
        // Before the first step it is measured, and saved.
        Ok(epochs.get(1..).and_then(<[f64]>::last).copied())
    }

    /// What people did that stands in the log and is still to be done.
    pub fn ahead(&self) -> &[Recorded] {
        &self.ahead
    }

    /// Appends to `events.jsonl`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn happened(&mut self, line: &EventLine) -> Result<()> {
        self.events.append(line)
    }

    /// What stands in the logs of a run's folder. How long they are is in the checkpoint: nothing
    /// but the memory there is limits them.
    ///
    /// # Errors
    /// When a log cannot be read, a line is damaged, or there is not enough memory.
    pub fn past(folder: &Path) -> Result<Past> {
        let metrics = |name| lines(&folder.join(name), LineKind::Metrics, |line, _| line);
        let (steps, epochs) = (metrics(STEPS)?, metrics(METRICS)?);
        let events = events(folder)?.into_iter().map(|(line, _)| line).collect();
        Ok(Past { steps, epochs, events })
    }

    /// Brings all lines to the disk and returns the marks for a checkpoint.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&mut self) -> Result<Marks> {
        Ok(Marks {
            metrics: self.metrics.sync()?,
            steps: self.steps.sync()?,
            events: self.events.sync()?,
        })
    }
}

impl Observer for Logs {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Step(metrics) => self.steps.append(metrics),
            Event::Epoch { metrics, .. } => self.metrics.append(metrics),
            Event::Noticed { step, epoch, notice } => {
                let happened = (*notice).clone().into();
                self.happened(&EventLine { step: *step, epoch: *epoch, happened })
            }
            Event::Person { step, act, .. }
                if let Some(at) =
                    self.ahead.iter().position(|a| (a.step, a.act) == (*step, *act)) =>
            {
                // It is done again and stands there already.
                self.ahead.remove(at);
                Ok(())
            }
            Event::Person { step, epoch, act } => {
                let happened = Happened::Person { act: *act };
                self.happened(&EventLine { step: *step, epoch: *epoch, happened })?;
                self.events.sync().map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// The lines of `events.jsonl` with their bytes.
fn events(folder: &Path) -> Result<Vec<(EventLine, Vec<u8>)>> {
    lines(&folder.join(EVENTS), LineKind::Events, |line, bytes| (line, bytes.to_vec()))
}

/// What stands in the whole lines of a log, each made of what it says and its bytes.
fn lines<T: DeserializeOwned, U>(
    path: &Path,
    kind: LineKind,
    made: impl Fn(T, &[u8]) -> U,
) -> Result<Vec<U>> {
    let (mut lines, mut all) =
        (Lines::open(path, kind, 0, limits::max_tensor_file_bytes())?, Vec::new());
    while let Some(bytes) = lines.next_line()? {
        let line = serde_json::from_slice(bytes).map_err(|error| RunError::Line {
            path: path.display().to_string(),
            line: all.len() + 1,
            reason: error.to_string(),
        })?;
        all.push(made(line, bytes));
    }
    Ok(all)
}

/// Makes sure that what people did after the checkpoint comes after it: they cannot have done it
/// before.
fn in_order(path: &Path, keep: Mark, events: &[(EventLine, Vec<u8>)], step: u64) -> Result<()> {
    let mut end = 0u64;
    for (i, (line, bytes)) in events.iter().enumerate() {
        end += bytes.len() as u64;
        let is_act = matches!(line.happened, Happened::Person { .. });
        if is_act && end > keep.bytes && line.step < step {
            let reason = format!(
                "something was done at step {}, and the checkpoint was made at step {step} before it",
                line.step
            );
            return Err(RunError::Line { path: path.display().to_string(), line: i + 1, reason });
        }
    }
    Ok(())
}

/// What people did, by the lines of `events.jsonl`.
fn acts(events: &[(EventLine, Vec<u8>)]) -> Vec<Recorded> {
    let act = |(line, _): &(EventLine, Vec<u8>)| match line.happened {
        Happened::Person { act } => Some(Recorded { step: line.step, act }),
        _ => None,
    };
    events.iter().filter_map(act).collect()
}

/// Those of them that change what is computed.
fn telling(events: &[(EventLine, Vec<u8>)]) -> Vec<Recorded> {
    acts(events).into_iter().filter(|recorded| recorded.act.changes_weights()).collect()
}

/// Those of them that a training has still to do at this point.
fn after(acts: &[Recorded], at: &Progress) -> Vec<Recorded> {
    let mut here = at.acts;
    let is_ahead = |recorded: &&Recorded| match recorded.step.cmp(&at.step) {
        Ordering::Less => false,
        Ordering::Equal if here > 0 => {
            here -= 1;
            false
        }
        _ => true,
    };
    acts.iter().filter(is_ahead).copied().collect()
}

/// Cuts `events.jsonl` back to a mark, but keeps what people did after it: at once, so that a
/// process that is killed meanwhile leaves the old log or the new one. Its bytes then, and their
/// hasher.
fn keep_acts(path: &Path, keep: Mark, events: &[(EventLine, Vec<u8>)]) -> Result<(u64, Hasher)> {
    let (mut kept, mut end) = (Vec::new(), 0u64);
    for (line, bytes) in events {
        end += bytes.len() as u64;
        if end <= keep.bytes || matches!(line.happened, Happened::Person { .. }) {
            kept.extend_from_slice(bytes);
        }
    }
    write_atomically(path, &kept)?;
    let mut hasher = Hasher::new();
    hasher.write(&kept);
    Ok((kept.len() as u64, hasher))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Metrics, Stopped};

    fn epoch(logs: &mut Logs, step: u64) {
        let metrics = Metrics { step, ..Metrics::default() };
        logs.observe(&Event::Epoch { metrics: &metrics, best: false }).unwrap();
    }

    fn at(step: u64, acts: u64) -> Progress {
        Progress { step, acts, ..Progress::default() }
    }

    fn open(folder: &Path, keep: Marks) -> Result<Logs> {
        Ok(Logs::go_on(folder, keep, &at(0, 0), &[])?.0)
    }

    #[test]
    fn logs_are_cut_back_to_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        let mut logs = open(folder.path(), Marks::default()).unwrap();
        epoch(&mut logs, 1);
        let lengths = logs.sync().unwrap();
        let before = fs_err::read(&path).unwrap();
        epoch(&mut logs, 2);
        drop(logs);
        let half = [fs_err::read(&path).unwrap(), b"{\"epoch\":3.0,\"st".to_vec()].concat();
        fs_err::write(&path, half).unwrap();

        let mut logs = open(folder.path(), lengths).unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), before);
        epoch(&mut logs, 2);
        let lines = fs_err::read_to_string(&path).unwrap();
        let steps: Vec<u64> =
            lines.lines().map(|l| serde_json::from_str::<Metrics>(l).unwrap().step).collect();
        assert_eq!(steps, [1, 2]);
    }

    fn person(logs: &mut Logs, Recorded { step, act }: Recorded) -> Marks {
        logs.observe(&Event::Person { step, epoch: 0.5, act }).unwrap();
        logs.sync().unwrap()
    }

    const SLOW: Recorded = Recorded { step: 3, act: Act::LearningRate { rate: 0.1 } };
    const FAST: Recorded = Recorded { step: 5, act: Act::LearningRate { rate: 0.2 } };
    const REST: Recorded = Recorded { step: 6, act: Act::Pause };
    const STOP: Recorded = Recorded { step: 9, act: Act::Stop };

    #[test]
    fn what_was_done_before_the_checkpoint_is_not_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = open(folder.path(), Marks::default()).unwrap();
        let kept = person(&mut logs, SLOW);
        person(&mut logs, FAST);
        let replay = [SLOW, FAST, STOP];
        let pending = |kept, at: &Progress, replay: &[Recorded]| {
            Logs::go_on(folder.path(), kept, at, replay).unwrap().1
        };
        assert_eq!(pending(kept, &at(4, 0), &replay), [FAST, STOP]);
        assert_eq!(pending(kept, &at(4, 0), &[]), [FAST]);
        // At the very step of an act it depends on whether it was done when the checkpoint was
        // made.
        assert_eq!(pending(kept, &at(3, 1), &[]), [FAST]);
        assert_eq!(pending(kept, &at(3, 0), &[]), [SLOW, FAST]);
        assert_eq!(pending(Marks::default(), &at(0, 0), &[]), [SLOW, FAST]);
        assert_eq!(Logs::done(folder.path()).unwrap(), [SLOW, FAST]);
    }

    #[test]
    fn what_people_did_stands_once_however_often_the_log_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = open(folder.path(), Marks::default()).unwrap();
        let kept = person(&mut logs, SLOW);
        epoch(&mut logs, 4);
        person(&mut logs, FAST);
        person(&mut logs, REST);
        let resume = |logs: &mut Logs| {
            let happened = Happened::Resume { device: "cpu".into(), kernel: "avx2".into() };
            logs.happened(&EventLine { step: 4, epoch: 0.5, happened }).unwrap();
        };
        // Killed before the act's step, and once more.
        for _ in 0..3 {
            let (mut logs, pending) = Logs::go_on(folder.path(), kept, &at(4, 0), &[]).unwrap();
            assert_eq!((&pending[..], logs.ahead()), (&[FAST][..], &[FAST][..]));
            resume(&mut logs);
        }
        // A checkpoint after the cut but before the act knows a log that holds it.
        let (mut logs, _) = Logs::go_on(folder.path(), kept, &at(4, 0), &[]).unwrap();
        let later = logs.sync().unwrap();
        let (mut logs, pending) = Logs::go_on(folder.path(), later, &at(4, 0), &[]).unwrap();
        assert_eq!(pending, [FAST]);
        // Done again it is not written again; what a person does now is.
        person(&mut logs, FAST);
        person(&mut logs, STOP);
        assert_eq!(Logs::done(folder.path()).unwrap(), [SLOW, FAST, REST, STOP]);
        let (_, pending) = Logs::go_on(folder.path(), later, &at(6, 0), &[]).unwrap();
        assert_eq!(pending, [STOP]);
    }

    #[test]
    fn a_log_shorter_than_the_checkpoint_says_is_an_error() {
        let ten = Mark { bytes: 10, ..Mark::default() };
        let keeps =
            [Marks { metrics: ten, ..Marks::default() }, Marks { events: ten, ..Marks::default() }];
        for keep in keeps {
            let folder = tempfile::tempdir().unwrap();
            let error = open(folder.path(), keep).map(drop).unwrap_err();
            assert!(matches!(error, RunError::Log { expected: 10, got: 0, .. }), "{error}");
        }
    }

    #[test]
    fn logs_that_no_longer_fit_the_checkpoint_are_left_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = open(folder.path(), Marks::default()).unwrap();
        epoch(&mut logs, 1);
        person(&mut logs, SLOW);
        let keep = logs.sync().unwrap();
        let all = || [METRICS, EVENTS].map(|name| fs_err::read(folder.path().join(name)).unwrap());
        let before = all();
        drop(logs);
        let refused = |keep| {
            let error = open(folder.path(), keep).map(drop).unwrap_err();
            assert!(matches!(error, RunError::LogChanged { .. } | RunError::Log { .. }), "{error}");
        };
        let shorter = |mark: Mark| Mark { bytes: mark.bytes - 1, ..mark };
        for wrong in [
            Marks { metrics: shorter(keep.metrics), ..keep },
            Marks { steps: keep.metrics, ..keep },
            Marks { events: shorter(keep.events), ..keep },
        ] {
            refused(wrong);
            assert_eq!(all(), before);
        }
        // One letter for another.
        let path = folder.path().join(METRICS);
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, text.replacen('1', "2", 1)).unwrap();
        refused(keep);
        fs_err::write(&path, text).unwrap();
        open(folder.path(), keep).map(drop).unwrap();
    }

    #[test]
    fn nobody_did_anything_before_a_checkpoint_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = open(folder.path(), Marks::default()).unwrap();
        let keep = person(&mut logs, SLOW);
        person(&mut logs, FAST);
        let at_step = |step| Logs::go_on(folder.path(), keep, &at(step, 0), &[]).map(|of| of.1);
        let error = at_step(6).unwrap_err();
        assert!(matches!(error, RunError::Line { line: 2, .. }), "{error}");
        assert_eq!(at_step(4).unwrap(), [FAST]);
    }

    #[test]
    fn without_a_log_nothing_is_known_of_what_people_did() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Logs::done(folder.path()).is_err());
    }

    #[test]
    fn a_damaged_line_is_named_and_a_cut_one_at_the_end_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let events = |lines: &str| fs_err::write(folder.path().join(EVENTS), lines).unwrap();
        let line = r#"{"step":3,"epoch":0.5,"event":"person","act":"stop"}"#;
        events(&format!("{line}\n{{\"step\":4"));
        assert_eq!(Logs::done(folder.path()).unwrap().len(), 1);
        for bad in [
            "",
            "{}",
            &line.replace("stop", "fly"),
            &line.replace("\"stop\"", "\"learning_rate\",\"rate\":1e99"),
        ] {
            events(&format!("{line}\n{bad}\n{line}\n"));
            let error = open(folder.path(), Marks::default()).map(drop).unwrap_err();
            assert!(matches!(error, RunError::Line { line: 2, .. }), "{error}");
        }
    }

    #[test]
    fn events_are_flat_objects() {
        let happened = Happened::Stopped { reason: Stopped::EarlyStopping, cause: None };
        let line = EventLine { step: 3, epoch: 1.5, happened };
        let json = serde_json::to_string(&line).unwrap();
        assert_eq!(json, r#"{"step":3,"epoch":1.5,"event":"stopped","reason":"early_stopping"}"#);
        assert_eq!(serde_json::from_str::<EventLine>(&json).unwrap(), line);
    }
}
