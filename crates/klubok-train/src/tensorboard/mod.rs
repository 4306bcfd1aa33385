//! TensorBoard event files: the figures of a training, histograms of its weights, pictures of the
//! first layer, and its settings, phases and verdicts as texts.
//!
//! A run has one file, which grows like the other logs, and which `resume` cuts back to its
//! checkpoint: a run that was killed and resumed reads as one run. What repeats has the same bytes,
//! but for the clock, so even a reader that follows the file goes on.

mod content;
pub mod message;
mod picture;
pub mod record;
mod tags;

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use fs_err as fs;
use prost::Message as _;
use twox_hash::xxhash3_128::Hasher;

use self::{
    content::{Content, settings},
    message::{SessionLog, Summary, Value},
};
use crate::{
    Result,
    config::Config,
    event::{Event, Observer},
    film::FilmDir,
    log::{Log, Mark},
};

/// The event file of a run. TensorBoard knows such files by `tfevents` in their names.
pub const EVENT_FILE: &str = "events.out.tfevents.klubok";
/// The version of the format.
const VERSION: &str = "brain.Event:2";
/// The status of a session that starts.
const START: i32 = 1;

/// Writes a TensorBoard event file. It is an observer: any training can have one.
///
/// With `train.tensorboard`, a run folder has one by itself. Histograms need that setting in
/// memory too; pictures are those of a run folder's film.
pub struct TensorBoard {
    log: Log,
    content: Content,
}

impl TensorBoard {
    /// Creates an event file of a training with these settings. Makes the folder if need be; beside
    /// the files of earlier trainings in the folder, it gets a number.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(folder: &Path, config: &Config) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let mut path = folder.join(EVENT_FILE);
        let mut number = 1;
        while path.symlink_metadata().is_ok() {
            number += 1;
            path = folder.join(format!("{EVENT_FILE}.{number:03}"));
        }
        let log = Log::open(&path, 0, Hasher::new())?;
        Self::begin(log, Content::after(None, None), config)
    }

    /// Opens the event file of a run that resumes from this step, and cuts it back to the mark of
    /// the checkpoint. Without the file, as with a new run, starts it.
    ///
    /// # Errors
    /// When the file is shorter than its mark or differs from it, or cannot be written.
    pub(crate) fn resume(run: &Path, keep: Mark, step: u64, config: &Config) -> Result<Self> {
        let path = run.join(EVENT_FILE);
        if keep.bytes == 0 || path.symlink_metadata().is_err() {
            let step = (step > 0).then_some(step);
            let log = Log::open(&path, 0, Hasher::new())?;
            return Self::begin(log, Content::after(step, first_layer(run)), config);
        }
        let log = Log::open(&path, keep.bytes, keep.check(&path)?)?;
        Ok(Self { log, content: Content::after(Some(step), first_layer(run)) })
    }

    /// Syncs the file to the disk and returns its mark for a checkpoint.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn sync(&mut self) -> Result<Mark> {
        self.log.sync()
    }

    fn begin(mut log: Log, content: Content, config: &Config) -> Result<Self> {
        let seconds = now();
        let file_version = Some(VERSION.to_owned());
        append(&mut log, &message::Event { seconds, file_version, ..message::Event::default() })?;
        append(&mut log, &event(0, settings(config, seconds)))?;
        Ok(Self { log, content })
    }
}

impl Observer for TensorBoard {
    fn observe(&mut self, of: &Event<'_>) -> Result<()> {
        if let Event::Start { step: step @ 1.., .. } = of {
            // Goes on in a new file: later steps of the files before it no longer count.
            let session_log = Some(SessionLog { status: START });
            let event = event(step + 1, Vec::new());
            return append(&mut self.log, &message::Event { summary: None, session_log, ..event });
        }
        match self.content.of(of) {
            Some((step, values)) if !values.is_empty() => {
                append(&mut self.log, &event(step, values))
            }
            _ => Ok(()),
        }
    }
}

fn append(log: &mut Log, event: &message::Event) -> Result<()> {
    log.append_bytes(&record::framed(&event.encode_to_vec()))
}

fn event(step: u64, value: Vec<Value>) -> message::Event {
    let (seconds, step) = (now(), step as i64);
    let summary = Some(Summary { value });
    message::Event { seconds, step, summary, ..message::Event::default() }
}

/// Returns the first layer at the start of a run, as its film has it.
fn first_layer(run: &Path) -> Option<crate::film::Bytes> {
    FilmDir::of(run).read(0).ok()?.start
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
