//! One append-only log of a run; a mark in the checkpoint records its length and hash.

use std::{
    io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use fs_err::File;
use klubok_files::bounded;
use serde::{Deserialize, Serialize};
use twox_hash::xxhash3_128::Hasher;

use crate::{Result, RunError};

/// Length and hash of each log at a checkpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Marks {
    pub(super) metrics: Mark,
    pub(super) steps: Mark,
    pub(super) events: Mark,
    /// Of the TensorBoard event file.
    pub(super) tensorboard: Mark,
}

/// The serialized form of [`Marks`]: the bytes of each log, then all hashes. The event file is
/// absent where there is none.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    metrics: u64,
    steps: u64,
    events: u64,
    hashes: [[u64; 2]; 3],
    #[serde(skip_serializing_if = "Option::is_none", default)]
    tensorboard: Option<(u64, [u64; 2])>,
}

impl From<Marks> for Written {
    fn from(Marks { metrics, steps, events, tensorboard: board }: Marks) -> Self {
        let hashes = [metrics.hash, steps.hash, events.hash];
        let tensorboard = (board.bytes > 0).then_some((board.bytes, board.hash));
        let (metrics, steps, events) = (metrics.bytes, steps.bytes, events.bytes);
        Self { metrics, steps, events, hashes, tensorboard }
    }
}

impl From<Written> for Marks {
    fn from(
        Written {
            metrics,
            steps,
            events,
            hashes: [metrics_hash, steps_hash, events_hash],
            tensorboard,
        }: Written,
    ) -> Self {
        let mark = |bytes, hash| Mark { bytes, hash };
        Self {
            metrics: mark(metrics, metrics_hash),
            steps: mark(steps, steps_hash),
            events: mark(events, events_hash),
            tensorboard: tensorboard.map_or_else(Mark::default, |(bytes, hash)| mark(bytes, hash)),
        }
    }
}

/// Bytes of a log and their hash (XXH3, 128 bits), upper half first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) bytes: u64,
    pub(super) hash: [u64; 2],
}

impl Default for Mark {
    /// The mark of an empty log.
    fn default() -> Self {
        Self::new(0, &Hasher::new())
    }
}

impl Mark {
    fn new(bytes: u64, hasher: &Hasher) -> Self {
        let hash = hasher.finish_128();
        Self { bytes, hash: [(hash >> 64) as u64, hash as u64] }
    }

    /// Checks that the log begins with the marked bytes, and returns their hasher.
    pub(super) fn check(&self, path: &Path) -> Result<Hasher> {
        let mut hasher = Hasher::new();
        if self.bytes == 0 {
            return Ok(hasher);
        }
        let mut got = 0;
        match bounded::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            file => {
                let (mut file, mut piece) = (file?.take(self.bytes), vec![0; 1 << 16]);
                loop {
                    let read = file.read(&mut piece)?;
                    if read == 0 {
                        break;
                    }
                    hasher.write(&piece[..read]);
                    got += read as u64;
                }
            }
        }
        let path = || path.display().to_string();
        if got < self.bytes {
            return Err(RunError::Log { path: path(), expected: self.bytes, got });
        }
        if Self::new(got, &hasher) != *self {
            return Err(RunError::LogChanged { path: path() });
        }
        Ok(hasher)
    }
}

/// A log open for appending.
pub(super) struct Log {
    file: File,
    bytes: u64,
    /// Hasher of all bytes.
    hasher: Hasher,
    synced: bool,
}

impl Log {
    /// Opens a log and truncates it to the hashed bytes.
    pub(super) fn open(path: &Path, bytes: u64, hasher: Hasher) -> Result<Self> {
        let mut file = bounded::open_to_write(path)?;
        file.set_len(bytes)?;
        file.seek(SeekFrom::Start(bytes))?;
        Ok(Self { file, bytes, hasher, synced: false })
    }

    /// Appends a line of JSON.
    pub(super) fn append(&mut self, line: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(line).map_err(std::io::Error::other)?;
        line.push(b'\n');
        self.append_bytes(&line)
    }

    pub(super) fn append_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.write(bytes);
        self.bytes += bytes.len() as u64;
        self.synced = false;
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Result<Mark> {
        if !self.synced {
            self.file.sync_data()?;
            self.synced = true;
        }
        Ok(Mark::new(self.bytes, &self.hasher))
    }
}
