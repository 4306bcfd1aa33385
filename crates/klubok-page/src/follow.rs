//! A run by its files alone: a finished one, or one that another process trains. Writes nothing.

use std::{
    io::{self, ErrorKind, Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use klubok::{
    bounded::{self, LineKind, Lines, MAX_LINES_MEMORY},
    data::{self, Dataset},
    train::{
        event::{Event, Observer as _, Stopped},
        logs::{EVENTS, METRICS, STEPS},
        run_dir::RunDir,
    },
};
use serde::de::DeserializeOwned;

use super::{
    hub::{Hub, WeightSource},
    run_description::RunDescription,
    timeline::Mode,
};
use crate::error::Result;

/// Time between two reads of the files.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// A run shown by its files.
pub struct FollowedRun {
    /// State of its page.
    pub hub: Arc<Hub>,
    /// Damaged lines of its logs; the page leaves them out.
    pub damaged_lines: u64,
}

/// Shows a run by its files, and follows them until the run has ended.
///
/// # Errors
/// When the run has no model yet, or a file is damaged.
pub fn follow(run: &RunDir, data: Option<Dataset>) -> Result<FollowedRun> {
    let description = RunDescription::from_files(run)?;
    let hub = Arc::new(Hub::new(description, data, WeightSource::Folder));
    let mut logs = Logs::new(run);
    hub.timeline().set_mode(Mode::Following);
    let progress = run.progress().map_err(klubok::Error::from)?;
    if let Some(progress) = &progress {
        hub.timeline()
            .set_length(progress.steps_per_epoch, progress.last_epoch(hub.run.config.train.epochs));
    }
    logs.read(&hub).map_err(klubok::Error::from)?;
    let damaged_lines = logs.damaged;
    if progress.is_some_and(|progress| progress.stopped.is_some()) {
        hub.timeline().set_mode(Mode::Ended);
        return Ok(FollowedRun { hub, damaged_lines });
    }
    let followed = Arc::downgrade(&hub);
    let follower = thread::Builder::new().name("follow".to_owned()).spawn(move || {
        while let Some(hub) = followed.upgrade() {
            if logs.read(&hub).is_err() {
                return;
            }
            let stopped = hub.status().stopped;
            if stopped.is_some_and(|stopped| stopped != Stopped::Interrupted) {
                hub.timeline().set_mode(Mode::Ended);
                return;
            }
            drop(hub);
            thread::sleep(POLL_INTERVAL);
        }
    });
    follower.map_err(klubok::Error::from)?;
    Ok(FollowedRun { hub, damaged_lines })
}

/// Opens the data of a run; none where it is missing or has changed since the training.
pub fn open_data(run: &RunDir) -> Option<Dataset> {
    let (config, info) = run.settings().ok()?;
    let (options, None) = info.reopen(&config).ok()? else { return None };
    data::open(&info.data, &options, &|_, _| {}).ok()
}

/// The logs of a run, each read up to its last complete line.
struct Logs {
    steps: Tail,
    epochs: Tail,
    events: Tail,
    /// Memory left for further lines, in bytes.
    room: u64,
    /// Damaged lines so far.
    damaged: u64,
}

impl Logs {
    fn new(run: &RunDir) -> Self {
        let tail = |name, kind| Tail { path: run.file(name), kind, read: 0, last: Vec::new() };
        Self {
            steps: tail(STEPS, LineKind::Metrics),
            epochs: tail(METRICS, LineKind::Metrics),
            events: tail(EVENTS, LineKind::Events),
            room: MAX_LINES_MEMORY,
            damaged: 0,
        }
    }

    fn read(&mut self, hub: &Hub) -> io::Result<()> {
        if [&self.steps, &self.epochs, &self.events].into_iter().any(Tail::was_cut) {
            *self = Self::new(&hub.run.dir);
            hub.timeline().reset(&hub.run);
        }
        let (room, damaged) = (&mut self.room, &mut self.damaged);
        let steps = self.steps.lines(room, damaged)?;
        let epochs = self.epochs.lines(room, damaged)?;
        let events = self.events.lines(room, damaged)?;
        let mut timeline = hub.timeline();
        // A timeline's observer never fails.
        let _ = timeline.observe(&Event::Past {
            steps: &steps,
            epochs: &epochs,
            events: &[],
            ahead: &[],
        });
        timeline.record_events(events);
        timeline.set_snapshot(hub.film_steps().last().copied());
        Ok(())
    }
}

/// A log that grows.
struct Tail {
    path: PathBuf,
    kind: LineKind,
    /// Bytes of the complete lines read so far.
    read: u64,
    /// The last of these lines.
    last: Vec<u8>,
}

impl Tail {
    /// Whether the last line has moved or changed: a resumed run truncates its logs and appends to
    /// them.
    fn was_cut(&self) -> bool {
        let begin = self.read - self.last.len() as u64;
        let mut there = vec![0; self.last.len()];
        let read = bounded::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(begin))?;
            file.read_exact(&mut there)
        });
        self.read > 0
            && match read {
                Ok(()) => there != self.last,
                Err(error) => {
                    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::NotFound)
                }
            }
    }

    /// Reads the complete lines since the last call; counts damaged ones and leaves them out.
    ///
    /// # Errors
    /// When it is no log: not a regular file, an endless line, or more than there is room for.
    fn lines<T: DeserializeOwned>(
        &mut self,
        room: &mut u64,
        damaged: &mut u64,
    ) -> io::Result<Vec<T>> {
        let mut log = match Lines::open(&self.path, self.kind, self.read, *room) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            log => log?,
        };
        let mut lines = Vec::new();
        while let Some(line) = log.next_line()? {
            match serde_json::from_slice(line) {
                Ok(line) => lines.push(line),
                Err(_) => *damaged += 1,
            }
            self.last.clear();
            self.last.extend_from_slice(line);
        }
        (*room, self.read) = log.left();
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Bytes that [`Lines`] counts for a JSON object.
    const OBJECT: u64 = 256;

    fn tail(folder: &tempfile::TempDir) -> Tail {
        Tail { path: folder.path().join("log"), kind: LineKind::Metrics, read: 0, last: Vec::new() }
    }

    #[test]
    fn reads_complete_lines_and_counts_damaged_ones() {
        let folder = tempfile::tempdir().unwrap();
        let mut tail = tail(&folder);
        let mut room = 10 * OBJECT;
        assert_eq!(
            tail.lines::<Value>(&mut room, &mut 0).unwrap(),
            [Value::Null; 0],
            "there is no log yet"
        );
        fs_err::write(&tail.path, b"{}\n\xff\n{\"a\":\n[{}]\n{\"b\"").unwrap();
        let mut damaged = 0;
        let lines: Vec<Value> = tail.lines(&mut room, &mut damaged).unwrap();
        assert_eq!(damaged, 2);
        assert_eq!(lines, [serde_json::json!({}), serde_json::json!([{}])]);
        assert_eq!((tail.read, room), (16, 7 * OBJECT - 2));
        assert!(!tail.was_cut());
        fs_err::write(&tail.path, b"{}\n").unwrap();
        assert!(tail.was_cut());
    }

    #[test]
    fn refuses_logs_that_exceed_the_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut tail = tail(&folder);
        fs_err::write(&tail.path, "{}\n".repeat(5)).unwrap();
        let error = tail.lines::<Value>(&mut (4 * OBJECT), &mut 0).unwrap_err();
        assert!(error.to_string().contains("holds takes more than"), "{error}");
        // An endless line: a sparse file of a terabyte.
        fs_err::File::create(&tail.path).unwrap().set_len(1 << 40).unwrap();
        let error = tail.lines::<Value>(&mut MAX_LINES_MEMORY.clone(), &mut 0).unwrap_err();
        assert!(error.to_string().contains("is larger than"), "{error}");
    }
}
