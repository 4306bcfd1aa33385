//! Lines of `metrics.jsonl` and `steps.jsonl`, read back.

use std::path::Path;

use klubok_data::bounded::{LineKind, Lines};
use klubok_train::event::Metrics;

use crate::history::{HistoryError, Result};

/// The largest number of an epoch.
const LARGEST: f64 = 1e9;

/// The lines of a log that can be read so far, whose memory is taken from the `room` for all logs
/// of a run. A last line that is still being written is left out.
///
/// # Errors
/// When the file cannot be read, a whole line is no line of metrics, or the epochs are not in
/// order.
pub fn read(path: &Path, room: &mut u64) -> Result<Vec<Metrics>> {
    let mut lines = Lines::open(path, LineKind::Metrics, 0, *room)?;
    let mut all: Vec<Metrics> = Vec::new();
    while let Some(line) = lines.next_line()? {
        let number = all.len() + 1;
        let wrong =
            |reason| HistoryError::Log { path: path.display().to_string(), line: number, reason };
        let line: Metrics =
            serde_json::from_slice(line).map_err(|error| wrong(format!("is damaged: {error}")))?;
        if !(0.0..=LARGEST).contains(&line.epoch) {
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
    *room = lines.left().0;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<Vec<Metrics>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        read(file.path(), &mut klubok_data::bounded::MAX_LINES_MEMORY.clone())
    }

    #[test]
    fn a_line_comes_back_as_it_was_written() {
        let metrics = Metrics { epoch: 0.1, val_loss: Some(0.1 + 0.2), ..Metrics::default() };
        let line = serde_json::to_string(&metrics).unwrap();
        assert!(!line.contains("grad_norm"), "keys that do not apply are absent: {line}");
        assert_eq!(written(&format!("{line}\n")).unwrap(), [metrics]);
    }

    #[test]
    fn a_half_written_line_is_left_out_and_a_damaged_one_is_an_error() {
        let line = serde_json::to_string(&Metrics::default()).unwrap();
        assert_eq!(written(&format!("{line}\n{{\"epo")).unwrap().len(), 1);
        assert!(written("").unwrap().is_empty() && written("{").unwrap().is_empty());
        let error = written(&format!("{line}\nnonsense\n")).unwrap_err().to_string();
        assert!(error.starts_with("line 2 of") && error.contains("is damaged"), "{error}");
    }

    #[test]
    fn an_accuracy_is_a_share() {
        let line = |share| Metrics { val_accuracy: Some(share), ..Metrics::default() };
        let read = |share| written(&(serde_json::to_string(&line(share)).unwrap() + "\n"));
        assert!(read(1.0).is_ok() && read(0.0).is_ok());
        for share in [500.0, -0.1] {
            let error = read(share).unwrap_err().to_string();
            assert!(error.contains("which is not between 0 and 1"), "{error}");
        }
    }

    #[test]
    fn epochs_go_on() {
        let lines = |epochs: &[f64]| {
            let line = |&epoch: &f64| Metrics { epoch, ..Metrics::default() };
            let lines = epochs.iter().map(|e| serde_json::to_string(&line(e)).unwrap() + "\n");
            written(&lines.collect::<String>())
        };
        assert_eq!(lines(&[0.0, 0.5, 1.0]).unwrap().len(), 3);
        for (epochs, said) in [
            ([1.0, 2.0, 2.0], "has epoch 2 after epoch 2"),
            ([2.0, 1.0, 3.0], "has epoch 1 after epoch 2"),
            ([0.0, 1.0, 1e300], "which is none"),
            ([-1.0, 0.0, 1.0], "which is none"),
        ] {
            let error = lines(&epochs).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
