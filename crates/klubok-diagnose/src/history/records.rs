//! Records of an event file: length, masked CRC-32C of it, bytes, masked CRC-32C of these.
//!
//! Source: TensorFlow's `tfrecord` format. Records are read one by one. Long ones hold pictures,
//! sounds or the graph and are passed over; the file may so be far larger than memory.

use std::{
    io::{BufReader, Read},
    path::Path,
};

use klubok_data::bounded::{self, NotRead};

use super::HistoryError;
use crate::history::Result;

/// A longer record holds no scalars.
const LONG: u64 = 1 << 20;
/// No record of a file is as long as this.
const ABSURD: u64 = 1 << 32;
/// What these files are called.
pub(super) const FORM: &str = "TensorBoard events";
const DAMAGED: &str = "a checksum does not agree";

/// Tells each short record of a file in order, and takes their bytes from the budget of all files
/// of a training. A last one that is still being written is left out.
///
/// # Errors
/// When the file cannot be read, is damaged or too large, or `told` says what is wrong with a
/// record.
pub(super) fn each(
    path: &Path,
    budget: &mut u64,
    mut told: impl FnMut(&[u8]) -> std::result::Result<(), String>,
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
        if length >= ABSURD {
            return Err(damaged(format!("a record of {length} bytes")));
        }
        if length > LONG {
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
        told(record).map_err(damaged)?;
    }
    Ok(())
}

/// A file with which all files of a history are more than is read.
pub(super) fn too_large(path: &str) -> std::io::Error {
    NotRead::TooLarge { path: path.to_owned(), limit: bounded::MAX_LOG_BYTES }.into()
}

/// Reads so many bytes; false when the file ends before.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The checksum as it stands in the file.
pub(super) fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
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
        each(file.path(), &mut bounded::MAX_LOG_BYTES.clone(), |record| {
            lengths.push(record.len());
            Ok(())
        })?;
        Ok(lengths)
    }

    #[test]
    fn the_checksum_is_the_published_one() {
        // The file version record that TensorFlow writes first: its length is 24.
        assert_eq!(masked(&24u64.to_le_bytes()), word(&[0xa3, 0x7f, 0x4b, 0x22]));
    }

    #[test]
    fn long_records_are_passed_over_and_the_last_may_be_unfinished() {
        let long = vec![7; (LONG + 1) as usize];
        let all = [framed(3, b"abc"), framed(LONG + 1, &long), framed(2, b"de")].concat();
        assert_eq!(read(&all).unwrap(), [3, 2]);
        assert_eq!(read(&all[..all.len() - 3]).unwrap(), [3]);
        // A length of a gigabyte that is not there is an unfinished one.
        assert_eq!(read(&framed(1 << 30, b"abc")).unwrap(), [0usize; 0]);
    }

    #[test]
    fn all_files_share_one_budget() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), framed(3, b"abc")).unwrap();
        let mut budget = 40;
        let mut read = || each(file.path(), &mut budget, |_| Ok(()));
        assert!(read().is_ok() && read().is_ok());
        let error = read().unwrap_err().to_string();
        assert!(error.contains("larger than 256 MiB"), "{error}");
    }

    #[test]
    fn damage_is_said() {
        let mut bytes = framed(3, b"abc");
        bytes[13] ^= 1;
        assert!(read(&bytes).unwrap_err().to_string().ends_with(DAMAGED));
        let error = read(&framed(1 << 60, b"abc")).unwrap_err().to_string();
        assert!(error.ends_with("a record of 1152921504606846976 bytes"), "{error}");
        assert!(read(&[0; 64]).is_err());
    }
}
