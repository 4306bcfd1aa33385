//! A run by its files alone: one that has ended, or that another process trains. Nothing is written.

use std::{
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use fs_err::File;
use klubok::{
    data::{self, Dataset, OpenOptions},
    train::{
        event::{Metrics, Stopped},
        logs::{EVENTS, EventLine, METRICS, STEPS},
        run_dir::RunDir,
    },
};
use serde::de::DeserializeOwned;

use super::{
    about::About,
    hub::{Hub, Weighted},
    story::Mode,
};
use crate::failure::Result;

/// Time between two looks at the files.
const PACE: Duration = Duration::from_millis(500);

/// A hub for a run by its files; as long as the run has not ended, its files are followed.
///
/// # Errors
/// When it has no model yet or a file is damaged.
pub(crate) fn follow(run: &RunDir, data: Option<Dataset>) -> Result<Arc<Hub>> {
    let about = About::of_files(run)?;
    let hub = Arc::new(Hub::new(about, data, Weighted::Model));
    let mut files = Files::new(run);
    hub.story().set_mode(Mode::Following);
    let progress = run.progress()?;
    if let Some(progress) = &progress {
        hub.story().set_length(progress.steps_per_epoch, hub.about.config.train.epochs);
    }
    files.read(&hub);
    if progress.is_some_and(|progress| progress.stopped.is_some()) {
        hub.story().set_mode(Mode::Ended);
        return Ok(hub);
    }
    let followed = Arc::downgrade(&hub);
    thread::spawn(move || {
        while let Some(hub) = followed.upgrade() {
            files.read(&hub);
            let stopped = hub.now().stopped;
            if stopped.is_some_and(|stopped| stopped != Stopped::Interrupted) {
                hub.story().set_mode(Mode::Ended);
                return;
            }
            drop(hub);
            thread::sleep(PACE);
        }
    });
    Ok(hub)
}

/// The data of a run, if it is still what it was.
pub(crate) fn data_of(run: &RunDir) -> Option<Dataset> {
    let (config, info) = run.settings().ok()?;
    let options = OpenOptions {
        val: info.val.as_ref().map(Into::into),
        test: info.test.as_ref().map(Into::into),
        threads: config.train.threads,
        ..OpenOptions::new(config.data.clone())
    };
    let before: data::Fingerprint = info.fingerprint.clone().try_into().ok()?;
    let now = data::fingerprint(&info.data, &options).ok()?;
    if before.difference(&now).is_some() {
        return None;
    }
    data::open(&info.data, &options, &|_, _| {}).ok()
}

/// The logs of a run, each read up to its last whole line.
struct Files {
    steps: Tail,
    epochs: Tail,
    events: Tail,
}

impl Files {
    fn new(run: &RunDir) -> Self {
        let tail = |name| Tail { path: run.file(name), read: 0, last: String::new() };
        Self { steps: tail(STEPS), epochs: tail(METRICS), events: tail(EVENTS) }
    }

    fn read(&mut self, hub: &Hub) {
        if [&self.steps, &self.epochs, &self.events].into_iter().any(Tail::was_cut) {
            *self = Self::new(&hub.about.run);
            hub.story().begin_anew(&hub.about.val);
        }
        let mut steps = self.steps.lines::<Metrics>().into_iter().peekable();
        for epoch in self.epochs.lines::<Metrics>() {
            while let Some(step) = steps.next_if(|step| step.step <= epoch.step) {
                hub.story().step(&step);
            }
            hub.story().epoch(&epoch);
        }
        steps.for_each(|step| hub.story().step(&step));
        for line in self.events.lines::<EventLine>() {
            hub.story().happened(line);
        }
    }
}

/// A log that grows.
struct Tail {
    path: PathBuf,
    /// Bytes of whole lines that were read, and the last of these lines.
    read: u64,
    last: String,
}

impl Tail {
    /// Whether the last line no longer stands where it stood: a resumed run cuts its logs back and writes on.
    fn was_cut(&self) -> bool {
        let begin = self.read - self.last.len() as u64;
        let mut there = vec![0; self.last.len()];
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(begin))?;
            file.read_exact(&mut there)
        });
        self.read > 0 && (read.is_err() || there != self.last.as_bytes())
    }

    /// The whole lines since the last time.
    fn lines<T: DeserializeOwned>(&mut self) -> Vec<T> {
        let Ok(mut file) = File::open(&self.path) else { return Vec::new() };
        if file.seek(SeekFrom::Start(self.read)).is_err() {
            return Vec::new();
        }
        let (mut lines, mut line) = (Vec::new(), String::new());
        let mut reader = BufReader::new(file);
        while let Ok(n) = reader.read_line(&mut line)
            && line.ends_with('\n')
        {
            self.read += n as u64;
            lines.extend(serde_json::from_str(&line).ok());
            self.last.clone_from(&line);
            line.clear();
        }
        lines
    }
}
