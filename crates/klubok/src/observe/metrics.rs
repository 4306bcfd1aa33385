//! Lines of `metrics.jsonl` and `steps.jsonl`, read back.

use std::path::Path;

use crate::{Result, train::event::Metrics};

/// The lines of a log that can be read so far. A last line that is still being written is left out.
///
/// # Errors
/// When the file cannot be read, or a whole line is no line of metrics.
pub fn read(path: &Path) -> Result<Vec<Metrics>> {
    let text = fs_err::read_to_string(path)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |(i, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| {
            let message = format!("line {} of `{}`: {error}", i + 1, path.display());
            std::io::Error::new(std::io::ErrorKind::InvalidData, message).into()
        })
    };
    whole.lines().enumerate().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<Vec<Metrics>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        read(file.path())
    }

    #[test]
    fn a_line_comes_back_as_it_was_written() {
        let metrics = Metrics { epoch: 0.1, val_loss: Some(0.1 + 0.2), ..Metrics::default() };
        let line = serde_json::to_string(&metrics).unwrap();
        assert!(!line.contains("grad_norm"), "keys that do not apply are absent: {line}");
        assert_eq!(written(&format!("{line}\n{line}\n")).unwrap(), [metrics.clone(), metrics]);
    }

    #[test]
    fn a_half_written_line_is_left_out_and_a_damaged_one_is_an_error() {
        let line = serde_json::to_string(&Metrics::default()).unwrap();
        assert_eq!(written(&format!("{line}\n{{\"epo")).unwrap().len(), 1);
        assert!(written("").unwrap().is_empty() && written("{").unwrap().is_empty());
        let error = written(&format!("{line}\nnonsense\n")).unwrap_err().to_string();
        assert!(error.starts_with("line 2 of"), "{error}");
    }
}
