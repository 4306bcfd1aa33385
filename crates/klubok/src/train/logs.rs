//! The logs of a run: `metrics.jsonl`, `steps.jsonl` and `events.jsonl`, one JSON object a line.
//!
//! Lines are appended as they come and synced before a checkpoint refers to them. A resumed run cuts
//! the logs back to the lengths in its checkpoint, so a line that was half written, or that the
//! resumed run writes again, is gone.

use std::{
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use fs_err::File;
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    backend::DeviceInfo,
    train::{
        RunError,
        control::{Act, Recorded},
        event::{Event, Metrics, Notice, Observer, Phase, Stopped, Verdict},
    },
};

/// File of the lines of epochs.
pub const METRICS: &str = "metrics.jsonl";
/// File of the lines of chosen steps.
pub const STEPS: &str = "steps.jsonl";
/// File of what happened.
pub const EVENTS: &str = "events.jsonl";

/// Bytes of each log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLengths {
    metrics: u64,
    steps: u64,
    events: u64,
}

/// A line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventLine {
    /// Updates done.
    pub step: u64,
    /// Epochs done, with the fraction.
    pub epoch: f64,
    /// What happened.
    #[serde(flatten)]
    pub happened: Happened,
}

/// What happened to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happened {
    /// It began.
    Start {
        /// What computes.
        device: String,
        /// Which kernels.
        kernel: String,
    },
    /// It went on from its checkpoint.
    Resume {
        /// What computes.
        device: String,
        /// Which kernels.
        kernel: String,
    },
    /// A phase of learning began.
    Phase(Phase),
    /// A verdict appeared.
    Verdict(Verdict),
    /// A person did something.
    Person {
        /// What.
        #[serde(flatten)]
        act: Act,
    },
    /// It ended, or was interrupted.
    Stopped {
        /// Why.
        reason: Stopped,
        /// The cause in words, where the reason does not say it all.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        cause: Option<String>,
    },
}

impl Happened {
    /// The beginning, or the going on, of a training by this device.
    pub fn begin(resumed: bool, info: DeviceInfo) -> Self {
        let DeviceInfo { device, kernel, .. } = info;
        if resumed { Self::Resume { device, kernel } } else { Self::Start { device, kernel } }
    }
}

impl From<Notice> for Happened {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Phase(phase) => Self::Phase(phase),
            Notice::Verdict(verdict) => Self::Verdict(verdict),
        }
    }
}

/// The open logs of a run.
#[derive(Debug)]
pub struct Logs {
    metrics: Log,
    steps: Log,
    events: Log,
}

impl Logs {
    /// What is still to be done of what people did: of a training that this one is to `replay`, and of this one itself after
    /// its checkpoint. A line that is cut off at the end was not done.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn pending(folder: &Path, kept: LogLengths, replay: &[Recorded]) -> Result<Vec<Recorded>> {
        let path = folder.join(EVENTS);
        let bytes = if path.exists() { fs_err::read(path)? } else { Vec::new() };
        let (before, after) = bytes.split_at(bytes.len().min(kept.events as usize));
        let mut done = acts(before);
        let mut pending: Vec<Recorded> = Vec::new();
        for act in replay.iter().copied().chain(acts(after)) {
            if let Some(at) = done.iter().position(|done| *done == act) {
                done.swap_remove(at);
            } else if !pending.contains(&act) {
                pending.push(act);
            }
        }
        pending.sort_by_key(|recorded| recorded.step);
        Ok(pending)
    }

    /// What people did in a run, in order.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn done(folder: &Path) -> Result<Vec<Recorded>> {
        Ok(acts(&fs_err::read(folder.join(EVENTS))?))
    }

    /// Opens the logs in a run's folder, cut back to these lengths.
    ///
    /// # Errors
    /// When a log is shorter than that, or cannot be written.
    pub fn open(folder: &Path, keep: LogLengths) -> Result<Self> {
        Ok(Self {
            metrics: Log::open(&folder.join(METRICS), keep.metrics)?,
            steps: Log::open(&folder.join(STEPS), keep.steps)?,
            events: Log::open(&folder.join(EVENTS), keep.events)?,
        })
    }

    /// Appends to `events.jsonl`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn happened(&mut self, line: &EventLine) -> Result<()> {
        self.events.append(line)
    }

    /// What stands in `steps.jsonl` and `metrics.jsonl` of a run's folder.
    ///
    /// # Errors
    /// When a log cannot be read or a line is damaged.
    pub fn past(folder: &Path) -> Result<[Vec<Metrics>; 2]> {
        let read = |name: &str| -> Result<Vec<Metrics>> {
            let text = fs_err::read_to_string(folder.join(name))?;
            let parse = |line| serde_json::from_str(line).map_err(std::io::Error::from);
            Ok(text.lines().map(parse).collect::<std::io::Result<_>>()?)
        };
        Ok([read(STEPS)?, read(METRICS)?])
    }

    /// Brings all lines to the disk and returns the lengths for a checkpoint.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&mut self) -> Result<LogLengths> {
        Ok(LogLengths {
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
            Event::Person { step, epoch, act } => {
                let happened = Happened::Person { act: *act };
                self.happened(&EventLine { step: *step, epoch: *epoch, happened })?;
                self.events.sync().map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// What people did, by lines of `events.jsonl`.
fn acts(lines: &[u8]) -> Vec<Recorded> {
    let lines = lines.split(|&byte| byte == b'\n');
    let act = |line| match serde_json::from_slice::<EventLine>(line).ok()? {
        EventLine { step, happened: Happened::Person { act }, .. } => Some(Recorded { step, act }),
        _ => None,
    };
    lines.filter_map(act).collect()
}

#[derive(Debug)]
struct Log {
    file: File,
    bytes: u64,
    synced: bool,
}

impl Log {
    fn open(path: &Path, keep: u64) -> Result<Self> {
        let mut file = File::options().create(true).truncate(false).write(true).open(path)?;
        let got = file.metadata()?.len();
        if got < keep {
            let path = path.display().to_string();
            return Err(RunError::Log { path, expected: keep, got }.into());
        }
        file.set_len(keep)?;
        file.seek(SeekFrom::Start(keep))?;
        Ok(Self { file, bytes: keep, synced: false })
    }

    fn append(&mut self, line: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(line).map_err(std::io::Error::other)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.bytes += line.len() as u64;
        self.synced = false;
        Ok(())
    }

    fn sync(&mut self) -> Result<u64> {
        if !self.synced {
            self.file.sync_data()?;
            self.synced = true;
        }
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, train::event::Metrics};

    fn epoch(logs: &mut Logs, step: u64) {
        let metrics = Metrics { step, ..Metrics::default() };
        logs.observe(&Event::Epoch { metrics: &metrics, best: false }).unwrap();
    }

    #[test]
    fn logs_are_cut_back_to_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        let mut logs = Logs::open(folder.path(), LogLengths::default()).unwrap();
        epoch(&mut logs, 1);
        let lengths = logs.sync().unwrap();
        let before = fs_err::read(&path).unwrap();
        epoch(&mut logs, 2);
        drop(logs);
        let half = [fs_err::read(&path).unwrap(), b"{\"epoch\":3.0,\"st".to_vec()].concat();
        fs_err::write(&path, half).unwrap();

        let mut logs = Logs::open(folder.path(), lengths).unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), before);
        epoch(&mut logs, 2);
        let lines = fs_err::read_to_string(&path).unwrap();
        let steps: Vec<u64> =
            lines.lines().map(|l| serde_json::from_str::<Metrics>(l).unwrap().step).collect();
        assert_eq!(steps, [1, 2]);
    }

    #[test]
    fn what_was_done_before_the_checkpoint_is_not_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = Logs::open(folder.path(), LogLengths::default()).unwrap();
        let [slow, fast, stop] = [
            Recorded { step: 3, act: Act::LearningRate { rate: 0.1 } },
            Recorded { step: 5, act: Act::LearningRate { rate: 0.2 } },
            Recorded { step: 9, act: Act::Stop },
        ];
        let mut person = |Recorded { step, act }| {
            logs.observe(&Event::Person { step, epoch: 0.5, act }).unwrap();
            logs.sync().unwrap()
        };
        let kept = person(slow);
        person(fast);
        let replay = [slow, fast, stop];
        let pending = |kept, replay| Logs::pending(folder.path(), kept, replay).unwrap();
        assert_eq!(pending(kept, &replay), [fast, stop]);
        assert_eq!(pending(kept, &[]), [fast]);
        assert_eq!(pending(LogLengths::default(), &[]), [slow, fast]);
        assert_eq!(Logs::done(folder.path()).unwrap(), [slow, fast]);
    }

    #[test]
    fn a_log_shorter_than_the_checkpoint_says_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let keep = LogLengths { metrics: 10, ..LogLengths::default() };
        let error = Logs::open(folder.path(), keep).unwrap_err();
        assert!(matches!(error, Error::Run(RunError::Log { expected: 10, got: 0, .. })), "{error}");
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
