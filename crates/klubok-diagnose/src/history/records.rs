//! Reads the records of an event file: length, masked CRC-32C of the length, bytes, masked CRC-32C
//! of the bytes.
//!
//! Source: TensorFlow's `tfrecord` format. Reads records one by one and skips long ones, which hold
//! pictures, sounds or the graph, so a file may be far larger than memory.

use std::{
    io::{BufReader, Read},
    path::Path,
};

use klubok_files::bounded::{self, NotRead};
use klubok_train::tensorboard::record::masked;

use super::HistoryError;
use crate::history::Result;

/// Longest record to read; longer ones hold no scalars.
const MAX_SCALAR_BYTES: u64 = 1 << 20;
/// A record of this length means a damaged file.
const MAX_BYTES: u64 = 1 << 32;
/// The name of the format.
pub(super) const FORM: &str = "TensorBoard events";
const DAMAGED: &str = "a checksum does not agree";

/// Calls `handle` for each short record of a file in order, and subtracts their bytes from
/// `budget`, which all files of a training share. Leaves out an incomplete last record.
///
/// # Errors
/// When the file cannot be read, is damaged or too large, or `handle` returns an error.
pub(super) fn for_each(
    path: &Path,
    budget: &mut u64,
    mut handle: impl FnMut(&[u8]) -> std::result::Result<(), String>,
) -> Result<()> {
    let damaged = |reason: String| HistoryError::Form {
        path: path.display().to_string(),
        form: FORM,
        reason,
    };
    let mut file = BufReader::with_capacity(1 << 16, bounded::open(path)?);
    let (mut head, mut record) = ([0; 12], Vec::new());
    while fill(&mut file, &mut head)? {
        let (length, checksum) = head.split_at(8);
        if masked(length) != word(checksum) {
            return Err(damaged(DAMAGED.to_owned()));
        }
        let length = length.iter().rev().fold(0u64, |all, &byte| all << 8 | u64::from(byte));
        if length >= MAX_BYTES {
            return Err(damaged(format!("a record of {length} bytes")));
        }
        if length > MAX_SCALAR_BYTES {
            file.seek_relative(i64::try_from(length).unwrap_or(0) + 4)?;
            continue;
        }
        let Some(left) = budget.checked_sub(length + 16) else {
            return Err(too_large(&path.display().to_string()).into());
        };
        *budget = left;
        record.resize(length as usize + 4, 0);
        if !fill(&mut file, &mut record)? {
            break;
        }
        let (record, checksum) = record.split_at(length as usize);
        if masked(record) != word(checksum) {
            return Err(damaged(DAMAGED.to_owned()));
        }
        handle(record).map_err(damaged)?;
    }
    Ok(())
}

/// The error for a file that exceeds the budget of a history.
pub(super) fn too_large(path: &str) -> std::io::Error {
    NotRead::TooLarge { path: path.to_owned(), limit: bounded::MAX_LOG_BYTES }.into()
}

/// Fills `bytes` from the file; false if the file ends before.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |all, &byte| all << 8 | u32::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(length: u64, bytes: &[u8]) -> Vec<u8> {
        let length = length.to_le_bytes();
        let sums = [masked(&length), masked(bytes)].map(u32::to_le_bytes);
        [&length[..], &sums[0], bytes, &sums[1]].concat()
    }

    fn read(bytes: &[u8]) -> Result<Vec<usize>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), bytes).unwrap();
        let mut lengths = Vec::new();
        for_each(file.path(), &mut bounded::MAX_LOG_BYTES.clone(), |record| {
            lengths.push(record.len());
            Ok(())
        })?;
        Ok(lengths)
    }

    #[test]
    fn skips_long_records_and_an_incomplete_last_one() {
        let length = MAX_SCALAR_BYTES + 1;
        let long = vec![7; length as usize];
        let all = [framed(3, b"abc"), framed(length, &long), framed(2, b"de")].concat();
        assert_eq!(read(&all).unwrap(), [3, 2]);
        assert_eq!(read(&all[..all.len() - 3]).unwrap(), [3]);
        // A record of a gigabyte without its bytes is incomplete.
        assert_eq!(read(&framed(1 << 30, b"abc")).unwrap(), [0usize; 0]);
    }

    #[test]
    fn all_files_share_one_budget() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), framed(3, b"abc")).unwrap();
        let mut budget = 40;
        let mut read = || for_each(file.path(), &mut budget, |_| Ok(()));
        assert!(read().is_ok() && read().is_ok());
        let error = read().unwrap_err().to_string();
        assert!(error.contains("larger than 256 MiB"), "{error}");
    }

    #[test]
    fn refuses_damaged_records() {
        let mut bytes = framed(3, b"abc");
        bytes[13] ^= 1;
        assert!(read(&bytes).unwrap_err().to_string().ends_with(DAMAGED));
        let error = read(&framed(1 << 60, b"abc")).unwrap_err().to_string();
        assert!(error.ends_with("a record of 1152921504606846976 bytes"), "{error}");
        assert!(read(&[0; 64]).is_err());
    }
}
