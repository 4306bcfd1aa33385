//! Reads `metrics.jsonl` and `steps.jsonl`.

use std::path::Path;

use klubok_files::bounded::{LineKind, Lines};
use klubok_train::event::Metrics;

use crate::history::{HistoryError, Result};

/// The largest valid epoch number.
const MAX_EPOCH: f64 = 1e9;

/// Reads all complete records of a log and subtracts their memory from `budget`, which all logs of
/// a run share. Leaves out a last line without its end: it is still being written.
///
/// # Errors
/// When the file cannot be read, a complete line is not a record of metrics, or the epochs are not
/// in order.
pub fn read(path: &Path, budget: &mut u64) -> Result<Vec<Metrics>> {
    let mut lines = Lines::open(path, LineKind::Metrics, 0, *budget)?;
    let mut all: Vec<Metrics> = Vec::new();
    while let Some(line) = lines.next_line()? {
        let number = all.len() + 1;
        let wrong =
            |reason| HistoryError::Log { path: path.display().to_string(), line: number, reason };
        let line: Metrics =
            serde_json::from_slice(line).map_err(|error| wrong(format!("is damaged: {error}")))?;
        if !(0.0..=MAX_EPOCH).contains(&line.epoch) {
            return Err(wrong(format!("has epoch {}, which is none", line.epoch)));
        }
        let mut shares = [line.train_accuracy, line.val_accuracy].into_iter().flatten();
        if let Some(share) = shares.find(|share| !(0.0..=1.0).contains(share)) {
            return Err(wrong(format!("has an accuracy of {share}, which is not between 0 and 1")));
        }
        if let Some(before) = all.last().filter(|before| before.epoch >= line.epoch) {
            let reason = format!("has epoch {} after epoch {}", line.epoch, before.epoch);
            return Err(wrong(reason));
        }
        all.push(line);
    }
    *budget = lines.left().0;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Metrics>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        read(file.path(), &mut klubok_files::bounded::MAX_LINES_MEMORY.clone())
    }

    #[test]
    fn a_record_survives_a_round_trip() {
        let metrics = Metrics { epoch: 0.1, val_loss: Some(0.1 + 0.2), ..Metrics::default() };
        let line = serde_json::to_string(&metrics).unwrap();
        assert!(!line.contains("grad_norm"), "absent figures have no key: {line}");
        assert_eq!(read_text(&format!("{line}\n")).unwrap(), [metrics]);
    }

    #[test]
    fn skips_an_incomplete_last_line_and_refuses_a_damaged_one() {
        let line = serde_json::to_string(&Metrics::default()).unwrap();
        assert_eq!(read_text(&format!("{line}\n{{\"epo")).unwrap().len(), 1);
        assert!(read_text("").unwrap().is_empty() && read_text("{").unwrap().is_empty());
        let error = read_text(&format!("{line}\nnonsense\n")).unwrap_err().to_string();
        assert!(error.starts_with("line 2 of") && error.contains("is damaged"), "{error}");
    }

    #[test]
    fn accuracy_must_be_between_0_and_1() {
        let line = |share| Metrics { val_accuracy: Some(share), ..Metrics::default() };
        let read = |share| read_text(&(serde_json::to_string(&line(share)).unwrap() + "\n"));
        assert!(read(1.0).is_ok() && read(0.0).is_ok());
        for share in [500.0, -0.1] {
            let error = read(share).unwrap_err().to_string();
            assert!(error.contains("which is not between 0 and 1"), "{error}");
        }
    }

    #[test]
    fn epochs_must_increase() {
        let lines = |epochs: &[f64]| {
            let line = |&epoch: &f64| Metrics { epoch, ..Metrics::default() };
            let lines = epochs.iter().map(|e| serde_json::to_string(&line(e)).unwrap() + "\n");
            read_text(&lines.collect::<String>())
        };
        assert_eq!(lines(&[0.0, 0.5, 1.0]).unwrap().len(), 3);
        for (epochs, expected) in [
            ([1.0, 2.0, 2.0], "has epoch 2 after epoch 2"),
            ([2.0, 1.0, 3.0], "has epoch 1 after epoch 2"),
            ([0.0, 1.0, 1e300], "which is none"),
            ([-1.0, 0.0, 1.0], "which is none"),
        ] {
            let error = lines(&epochs).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
