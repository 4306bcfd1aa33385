//! A run by its files alone: one that has ended, or that another process trains. Nothing is
//! written.

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
    about::About,
    hub::{Hub, Weighted},
    story::Mode,
};
use crate::error::Result;

/// Time between two looks at the files.
const PACE: Duration = Duration::from_millis(500);

/// A run that is shown by its files.
pub struct Followed {
    /// What the page shows.
    pub hub: Arc<Hub>,
    /// Damaged lines of its logs, which are left out.
    pub damaged_lines: u64,
}

/// Shows a run by its files, and follows them as long as the run has not ended.
///
/// # Errors
/// When it has no model yet or a file is damaged.
pub fn follow(run: &RunDir, data: Option<Dataset>) -> Result<Followed> {
    let about = About::of_files(run)?;
    let hub = Arc::new(Hub::new(about, data, Weighted::Model));
    let mut files = Files::new(run);
    hub.story().set_mode(Mode::Following);
    let progress = run.progress().map_err(klubok::Error::from)?;
    if let Some(progress) = &progress {
        hub.story().set_length(
            progress.steps_per_epoch,
            progress.last_epoch(hub.about.config.train.epochs),
        );
    }
    files.read(&hub).map_err(klubok::Error::from)?;
    let damaged_lines = files.damaged;
    if progress.is_some_and(|progress| progress.stopped.is_some()) {
        hub.story().set_mode(Mode::Ended);
        return Ok(Followed { hub, damaged_lines });
    }
    let followed = Arc::downgrade(&hub);
    let follower = thread::Builder::new().name("follow".to_owned()).spawn(move || {
        while let Some(hub) = followed.upgrade() {
            if files.read(&hub).is_err() {
                return;
            }
            let stopped = hub.now().stopped;
            if stopped.is_some_and(|stopped| stopped != Stopped::Interrupted) {
                hub.story().set_mode(Mode::Ended);
                return;
            }
            drop(hub);
            thread::sleep(PACE);
        }
    });
    follower.map_err(klubok::Error::from)?;
    Ok(Followed { hub, damaged_lines })
}

/// The data of a run, if it is still what it was.
pub fn data_of(run: &RunDir) -> Option<Dataset> {
    let (config, info) = run.settings().ok()?;
    let (options, None) = info.reopen(&config).ok()? else { return None };
    data::open(&info.data, &options, &|_, _| {}).ok()
}

/// The logs of a run, each read up to its last whole line.
struct Files {
    steps: Tail,
    epochs: Tail,
    events: Tail,
    /// Memory that is left for further lines, in bytes.
    room: u64,
    /// Lines that were left out.
    damaged: u64,
}

impl Files {
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
            *self = Self::new(&hub.about.run);
            hub.story().begin_anew(&hub.about.val, hub.about.setup());
        }
        let (room, damaged) = (&mut self.room, &mut self.damaged);
        let steps = self.steps.lines(room, damaged)?;
        let epochs = self.epochs.lines(room, damaged)?;
        let events = self.events.lines(room, damaged)?;
        let mut story = hub.story();
        // A story has nothing that can fail.
        let _ =
            story.observe(&Event::Past { steps: &steps, epochs: &epochs, events: &[], ahead: &[] });
        story.happened(events);
        Ok(())
    }
}

/// A log that grows.
struct Tail {
    path: PathBuf,
    kind: LineKind,
    /// Bytes of whole lines that were read, and the last of these lines.
    read: u64,
    last: Vec<u8>,
}

impl Tail {
    /// Whether the last line no longer stands where it stood: a resumed run cuts its logs back and
    /// writes on.
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

    /// The whole lines since the last time; those that are damaged are left out and counted.
    ///
    /// # Errors
    /// When it is no log: no regular file, a line without an end, more than there is room for.
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

    /// What an object in a line takes.
    const OBJECT: u64 = 256;

    fn tail(folder: &tempfile::TempDir) -> Tail {
        Tail { path: folder.path().join("log"), kind: LineKind::Metrics, read: 0, last: Vec::new() }
    }

    #[test]
    fn a_log_is_read_line_by_line_without_what_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let mut tail = tail(&folder);
        let mut room = 10 * OBJECT;
        assert_eq!(
            tail.lines::<Value>(&mut room, &mut 0).unwrap(),
            [Value::Null; 0],
            "nothing is there"
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
    fn a_log_has_no_more_than_there_is_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut tail = tail(&folder);
        fs_err::write(&tail.path, "{}\n".repeat(5)).unwrap();
        let error = tail.lines::<Value>(&mut (4 * OBJECT), &mut 0).unwrap_err();
        assert!(error.to_string().contains("holds takes more than"), "{error}");
        // A line that never ends, of a terabyte that takes no room.
        fs_err::File::create(&tail.path).unwrap().set_len(1 << 40).unwrap();
        let error = tail.lines::<Value>(&mut MAX_LINES_MEMORY.clone(), &mut 0).unwrap_err();
        assert!(error.to_string().contains("is larger than"), "{error}");
    }
}
