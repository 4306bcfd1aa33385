//! The logs of a run: `metrics.jsonl`, `steps.jsonl` and `events.jsonl`, one JSON object per line.
//!
//! Lines are appended as they come and synced before a checkpoint refers to them. A resumed run
//! truncates the logs to the marks in its checkpoint; their hashes detect edits. This removes
//! half-written lines and lines that the resumed run writes again. Acts of people survive every
//! kill: the resumed run repeats each at its step, and does not write its line again.

use std::{cmp::Ordering, path::Path};

use klubok_files::{
    bounded::{LineKind, Lines},
    limits, write_atomically,
};
use serde::de::DeserializeOwned;
use twox_hash::xxhash3_128::Hasher;

use crate::{
    Result, RunError,
    act::{Act, RecordedAct},
    event::{Event, EventKind, EventLine, Metrics, Observer},
    log::{Log, Mark, Marks},
    progress::Progress,
};

/// File of the metrics of epochs.
pub const METRICS: &str = "metrics.jsonl";
/// File of the metrics of chosen steps.
pub const STEPS: &str = "steps.jsonl";
/// File of the events.
pub const EVENTS: &str = "events.jsonl";

/// The content of all logs.
#[derive(Debug)]
pub struct Past {
    /// Lines of `steps.jsonl`.
    pub steps: Vec<Metrics>,
    /// Lines of `metrics.jsonl`.
    pub epochs: Vec<Metrics>,
    /// Lines of `events.jsonl`.
    pub events: Vec<EventLine>,
}

/// The open logs of a run.
pub struct Logs {
    metrics: Log,
    steps: Log,
    events: Log,
    /// Acts in `events.jsonl` that are ahead of the training: it has still to repeat them.
    ahead: Vec<RecordedAct>,
}

impl Logs {
    /// Opens the logs of a run that resumes from `at`, and truncates them to the marks of its
    /// checkpoint. Later acts of people stay in the log.
    ///
    /// Also returns the pending acts by step: the later ones that change weights, and what is left
    /// of `replay`. An act whose line is cut off at the end of the file never took effect.
    ///
    /// # Errors
    /// When a log is shorter than its mark, a line is damaged, or a log cannot be read or written.
    pub fn resume(
        folder: &Path,
        keep: Marks,
        at: &Progress,
        replay: &[RecordedAct],
    ) -> Result<(Self, Vec<RecordedAct>)> {
        // Checks all logs before it changes any.
        let paths = [METRICS, STEPS, EVENTS].map(|name| folder.join(name));
        let metrics_hasher = keep.metrics.check(&paths[0])?;
        let steps_hasher = keep.steps.check(&paths[1])?;
        keep.events.check(&paths[2])?;
        let events = if paths[2].exists() { events(folder)? } else { Vec::new() };
        check_order(&paths[2], keep.events, &events, at.step)?;
        let logged = weight_changing_acts(&events);
        let ahead = acts_ahead(&logged, at);
        let mut left = replay.to_vec();
        for act in &logged {
            left.iter().position(|other| other == act).map(|at| left.remove(at));
        }
        let mut pending = [&ahead[..], &left].concat();
        pending.sort_by_key(|recorded| recorded.step);
        let (kept, events_hasher) = truncate_events(&paths[2], keep.events, &events)?;
        let logs = Self {
            metrics: Log::open(&paths[0], keep.metrics.bytes, metrics_hasher)?,
            steps: Log::open(&paths[1], keep.steps.bytes, steps_hasher)?,
            events: Log::open(&paths[2], kept, events_hasher)?,
            ahead,
        };
        Ok((logs, pending))
    }

    /// Reads the acts of people in a run, in order.
    ///
    /// # Errors
    /// When the log cannot be read or a line is damaged.
    pub fn acts(folder: &Path) -> Result<Vec<RecordedAct>> {
        Ok(acts(&events(folder)?))
    }

    /// Whether an act extends a run that had ended at this point.
    ///
    /// # Errors
    /// When the log cannot be read or a line is damaged.
    pub fn is_extended_after(folder: &Path, at: &Progress) -> Result<bool> {
        if !folder.join(EVENTS).exists() {
            return Ok(false);
        }
        let ahead = acts_ahead(&weight_changing_acts(&events(folder)?), at);
        Ok(ahead.iter().any(|recorded| matches!(recorded.act, Act::Epochs { .. })))
    }

    /// Reads the last epoch in the log of a run that is past its first checkpoint.
    ///
    /// # Errors
    /// When the log cannot be read or a line is damaged.
    pub fn last_epoch(folder: &Path) -> Result<Option<f64>> {
        let path = folder.join(METRICS);
        if !path.exists() {
            return Ok(None);
        }
        let epochs = lines(&path, LineKind::Metrics, |line: Metrics, _| line.epoch)?;
        // The first line is epoch 0, before any step; the first checkpoint follows it.
        Ok(epochs.get(1..).and_then(<[f64]>::last).copied())
    }

    /// Returns the acts in the log that the training has still to repeat.
    pub fn ahead(&self) -> &[RecordedAct] {
        &self.ahead
    }

    /// Appends to `events.jsonl`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append_event(&mut self, line: &EventLine) -> Result<()> {
        self.events.append(line)
    }

    /// Reads all logs of a run's folder. Their lengths come from the checkpoint, so only the
    /// available memory limits them.
    ///
    /// # Errors
    /// When a log cannot be read, a line is damaged, or there is not enough memory.
    pub fn past(folder: &Path) -> Result<Past> {
        let metrics = |name| lines(&folder.join(name), LineKind::Metrics, |line, _| line);
        let (steps, epochs) = (metrics(STEPS)?, metrics(METRICS)?);
        let events = events(folder)?.into_iter().map(|(line, _)| line).collect();
        Ok(Past { steps, epochs, events })
    }

    /// Syncs all lines to the disk and returns the marks for a checkpoint.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&mut self) -> Result<Marks> {
        Ok(Marks {
            metrics: self.metrics.sync()?,
            steps: self.steps.sync()?,
            events: self.events.sync()?,
            ..Marks::default()
        })
    }
}

impl Observer for Logs {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Step(metrics) => self.steps.append(metrics),
            Event::Epoch { metrics, .. } => self.metrics.append(metrics),
            Event::Noticed { step, epoch, notice } => {
                let kind = (*notice).clone().into();
                self.append_event(&EventLine { step: *step, epoch: *epoch, kind })
            }
            Event::Person { step, act, .. }
                if let Some(at) =
                    self.ahead.iter().position(|a| (a.step, a.act) == (*step, *act)) =>
            {
                // The line of a repeated act is already in the log.
                self.ahead.remove(at);
                Ok(())
            }
            Event::Person { step, epoch, act } => {
                let kind = EventKind::Person { act: *act };
                self.append_event(&EventLine { step: *step, epoch: *epoch, kind })?;
                self.events.sync().map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// Reads the lines of `events.jsonl` with their bytes.
fn events(folder: &Path) -> Result<Vec<(EventLine, Vec<u8>)>> {
    lines(&folder.join(EVENTS), LineKind::Events, |line, bytes| (line, bytes.to_vec()))
}

/// Reads the complete lines of a log; `make` turns the content and bytes of a line into an entry.
fn lines<T: DeserializeOwned, U>(
    path: &Path,
    kind: LineKind,
    make: impl Fn(T, &[u8]) -> U,
) -> Result<Vec<U>> {
    let (mut lines, mut all) =
        (Lines::open(path, kind, 0, limits::max_tensor_file_bytes())?, Vec::new());
    while let Some(bytes) = lines.next_line()? {
        let line = serde_json::from_slice(bytes).map_err(|error| RunError::Line {
            path: path.display().to_string(),
            line: all.len() + 1,
            reason: error.to_string(),
        })?;
        all.push(make(line, bytes));
    }
    Ok(all)
}

/// Checks that the acts logged after the checkpoint are at its step or later.
fn check_order(path: &Path, keep: Mark, events: &[(EventLine, Vec<u8>)], step: u64) -> Result<()> {
    let mut end = 0u64;
    for (i, (line, bytes)) in events.iter().enumerate() {
        end += bytes.len() as u64;
        let is_act = matches!(line.kind, EventKind::Person { .. });
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

/// Collects the acts of people from `events.jsonl`.
fn acts(events: &[(EventLine, Vec<u8>)]) -> Vec<RecordedAct> {
    let act = |(line, _): &(EventLine, Vec<u8>)| match line.kind {
        EventKind::Person { act } => Some(RecordedAct { step: line.step, act }),
        _ => None,
    };
    events.iter().filter_map(act).collect()
}

/// Collects the acts that change weights.
fn weight_changing_acts(events: &[(EventLine, Vec<u8>)]) -> Vec<RecordedAct> {
    acts(events).into_iter().filter(|recorded| recorded.act.changes_weights()).collect()
}

/// Filters the acts that a training has still to repeat from this point.
fn acts_ahead(acts: &[RecordedAct], at: &Progress) -> Vec<RecordedAct> {
    let mut here = at.acts;
    let is_ahead = |recorded: &&RecordedAct| match recorded.step.cmp(&at.step) {
        Ordering::Less => false,
        Ordering::Equal if here > 0 => {
            here -= 1;
            false
        }
        _ => true,
    };
    acts.iter().filter(is_ahead).copied().collect()
}

/// Truncates `events.jsonl` to a mark, but keeps the acts of people after it. It replaces the file
/// atomically, so a kill leaves the old log or the new one. Returns its length and hasher.
fn truncate_events(
    path: &Path,
    keep: Mark,
    events: &[(EventLine, Vec<u8>)],
) -> Result<(u64, Hasher)> {
    let (mut kept, mut end) = (Vec::new(), 0u64);
    for (line, bytes) in events {
        end += bytes.len() as u64;
        if end <= keep.bytes || matches!(line.kind, EventKind::Person { .. }) {
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
        Ok(Logs::resume(folder, keep, &at(0, 0), &[])?.0)
    }

    #[test]
    fn resuming_truncates_logs_to_the_checkpoint() {
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

    fn person(logs: &mut Logs, RecordedAct { step, act }: RecordedAct) -> Marks {
        logs.observe(&Event::Person { step, epoch: 0.5, act }).unwrap();
        logs.sync().unwrap()
    }

    const SLOW: RecordedAct = RecordedAct { step: 3, act: Act::LearningRate { rate: 0.1 } };
    const FAST: RecordedAct = RecordedAct { step: 5, act: Act::LearningRate { rate: 0.2 } };
    const REST: RecordedAct = RecordedAct { step: 6, act: Act::Pause };
    const STOP: RecordedAct = RecordedAct { step: 9, act: Act::Stop };

    #[test]
    fn acts_before_the_checkpoint_are_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = open(folder.path(), Marks::default()).unwrap();
        let kept = person(&mut logs, SLOW);
        person(&mut logs, FAST);
        let replay = [SLOW, FAST, STOP];
        let pending = |kept, at: &Progress, replay: &[RecordedAct]| {
            Logs::resume(folder.path(), kept, at, replay).unwrap().1
        };
        assert_eq!(pending(kept, &at(4, 0), &replay), [FAST, STOP]);
        assert_eq!(pending(kept, &at(4, 0), &[]), [FAST]);
        // At the step of an act, the count in the checkpoint tells whether the act came before it.
        assert_eq!(pending(kept, &at(3, 1), &[]), [FAST]);
        assert_eq!(pending(kept, &at(3, 0), &[]), [SLOW, FAST]);
        assert_eq!(pending(Marks::default(), &at(0, 0), &[]), [SLOW, FAST]);
        assert_eq!(Logs::acts(folder.path()).unwrap(), [SLOW, FAST]);
    }

    #[test]
    fn acts_stay_in_the_log_exactly_once_when_it_is_truncated_repeatedly() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = open(folder.path(), Marks::default()).unwrap();
        let kept = person(&mut logs, SLOW);
        epoch(&mut logs, 4);
        person(&mut logs, FAST);
        person(&mut logs, REST);
        let resume = |logs: &mut Logs| {
            let kind = EventKind::Resume { device: "cpu".into(), kernel: "avx2".into() };
            logs.append_event(&EventLine { step: 4, epoch: 0.5, kind }).unwrap();
        };
        // Killed repeatedly before the step of the act.
        for _ in 0..3 {
            let (mut logs, pending) = Logs::resume(folder.path(), kept, &at(4, 0), &[]).unwrap();
            assert_eq!((&pending[..], logs.ahead()), (&[FAST][..], &[FAST][..]));
            resume(&mut logs);
        }
        // A checkpoint after the truncation but before the act marks a log that contains the act.
        let (mut logs, _) = Logs::resume(folder.path(), kept, &at(4, 0), &[]).unwrap();
        let later = logs.sync().unwrap();
        let (mut logs, pending) = Logs::resume(folder.path(), later, &at(4, 0), &[]).unwrap();
        assert_eq!(pending, [FAST]);
        // The repeated act is not written again; a new act is.
        person(&mut logs, FAST);
        person(&mut logs, STOP);
        assert_eq!(Logs::acts(folder.path()).unwrap(), [SLOW, FAST, REST, STOP]);
        let (_, pending) = Logs::resume(folder.path(), later, &at(6, 0), &[]).unwrap();
        assert_eq!(pending, [STOP]);
    }

    #[test]
    fn refuses_a_log_shorter_than_its_mark() {
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
    fn logs_that_do_not_match_the_checkpoint_stay_unchanged() {
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
        // One changed character.
        let path = folder.path().join(METRICS);
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, text.replacen('1', "2", 1)).unwrap();
        refused(keep);
        fs_err::write(&path, text).unwrap();
        open(folder.path(), keep).map(drop).unwrap();
    }

    #[test]
    fn refuses_an_act_logged_after_the_checkpoint_with_an_earlier_step() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = open(folder.path(), Marks::default()).unwrap();
        let keep = person(&mut logs, SLOW);
        person(&mut logs, FAST);
        let at_step = |step| Logs::resume(folder.path(), keep, &at(step, 0), &[]).map(|of| of.1);
        let error = at_step(6).unwrap_err();
        assert!(matches!(error, RunError::Line { line: 2, .. }), "{error}");
        assert_eq!(at_step(4).unwrap(), [FAST]);
    }

    #[test]
    fn reading_acts_without_a_log_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Logs::acts(folder.path()).is_err());
    }

    #[test]
    fn the_error_names_a_damaged_line_and_a_cut_off_last_line_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let events = |lines: &str| fs_err::write(folder.path().join(EVENTS), lines).unwrap();
        let line = r#"{"step":3,"epoch":0.5,"event":"person","act":"stop"}"#;
        events(&format!("{line}\n{{\"step\":4"));
        assert_eq!(Logs::acts(folder.path()).unwrap().len(), 1);
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
    fn events_serialize_as_flat_objects() {
        let kind = EventKind::Stopped { reason: Stopped::EarlyStopping, cause: None };
        let line = EventLine { step: 3, epoch: 1.5, kind };
        let json = serde_json::to_string(&line).unwrap();
        assert_eq!(json, r#"{"step":3,"epoch":1.5,"event":"stopped","reason":"early_stopping"}"#);
        assert_eq!(serde_json::from_str::<EventLine>(&json).unwrap(), line);
    }
}
