//! The log of a training: `metrics.jsonl`, read without klubok's own code.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// A row of `metrics.jsonl`. Figures that are `null` or missing are `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// Completed epochs.
    #[serde(rename = "epoch")]
    pub(crate) done: f64,
    /// Mean loss in training mode.
    #[serde(default)]
    pub(crate) train_loss: Option<f64>,
    /// Loss in evaluation mode on a sample of the training set.
    #[serde(default)]
    pub(crate) train_eval_loss: Option<f64>,
    /// Validation loss.
    #[serde(default)]
    pub(crate) val_loss: Option<f64>,
    /// Accuracy on the sample of the training set.
    #[serde(default)]
    pub(crate) train_accuracy: Option<f64>,
    /// Validation accuracy.
    #[serde(default)]
    pub(crate) val_accuracy: Option<f64>,
    /// Learning rate of the last update.
    #[serde(default)]
    pub(crate) learning_rate: Option<f64>,
    /// Mean norm of the gradient.
    #[serde(default)]
    pub(crate) grad_norm: Option<f64>,
    /// The layers from input to output.
    #[serde(default)]
    pub(crate) layers: Vec<Layer>,
}

/// Figures of a layer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Layer {
    /// Mean norm of its gradient.
    #[serde(default)]
    pub(crate) grad_norm: Option<f64>,
    /// Norm of its weights.
    #[serde(default)]
    pub(crate) weight_norm: Option<f64>,
    /// Median of |dW| / |W|.
    #[serde(default)]
    pub(crate) update_ratio: Option<f64>,
    /// Share of units with the same output for every inspected sample.
    #[serde(default)]
    pub(crate) silent_fraction: Option<f64>,
}

/// The log of a training. The first row, epoch 0, is from before any update.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Log(pub(crate) Vec<Epoch>);

impl Log {
    /// Reads `metrics.jsonl` of a run; skips unreadable lines.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(run: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(run.join("metrics.jsonl"))?;
        Ok(Self(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()))
    }

    /// The rows after the first update.
    pub(crate) fn trained(&self) -> &[Epoch] {
        let start = self.0.iter().position(|epoch| epoch.done > 0.0).unwrap_or(self.0.len());
        &self.0[start..]
    }

    /// The finite values of a figure in the rows after the first update.
    pub(crate) fn series(&self, figure: impl Fn(&Epoch) -> Option<f64>) -> Vec<f64> {
        self.trained().iter().filter_map(figure).filter(|x| x.is_finite()).collect()
    }
}

/// Moving average over three neighbours, two at the ends.
pub(crate) fn smooth(series: &[f64]) -> Vec<f64> {
    let neighbours = |i: usize| &series[i.saturating_sub(1)..(i + 2).min(series.len())];
    (0..series.len()).map(|i| mean(neighbours(i))).collect()
}

/// The mean of some numbers; 0 of none.
pub(crate) fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

/// The last of `parts` equal parts of a series, at least one number.
pub(crate) fn last(series: &[f64], parts: usize) -> &[f64] {
    let count = (series.len() / parts).max(1).min(series.len());
    &series[series.len() - count..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_read_as_missing_and_epoch_0_is_not_trained() {
        let line = |text| serde_json::from_str::<Epoch>(text).unwrap();
        let log = Log(vec![
            line(r#"{"epoch": 0, "val_loss": 2.5, "layers": []}"#),
            line(
                r#"{"epoch": 1, "val_loss": null, "layers": [{"name": "output", "weight_norm": 1}]}"#,
            ),
            line(r#"{"epoch": 2, "val_loss": 1.5}"#),
        ]);
        assert_eq!(log.trained().len(), 2);
        assert_eq!(log.series(|epoch| epoch.val_loss), [1.5]);
        assert_eq!(log.0[1].layers[0].weight_norm, Some(1.0));
    }

    #[test]
    fn smoothing_and_the_last_part_match_hand_calculations() {
        assert_eq!(smooth(&[3.0, 6.0, 0.0, 3.0]), [4.5, 3.0, 3.0, 1.5]);
        assert_eq!(last(&[1.0, 2.0, 3.0, 4.0, 5.0], 2), [4.0, 5.0]);
        assert_eq!((last(&[], 3), mean(&[])), (&[][..], 0.0));
    }
}
