//! What a training wrote down: the lines of `metrics.jsonl`, read here without klubok's own code.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// A line of `metrics.jsonl`. What is not a number there (`null`, or not there at all) is `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// Epochs done.
    #[serde(rename = "epoch")]
    pub(crate) done: f64,
    /// Mean loss in training mode.
    #[serde(default)]
    pub(crate) train_loss: Option<f64>,
    /// Loss in evaluation mode on a sample of the training part.
    #[serde(default)]
    pub(crate) train_eval_loss: Option<f64>,
    /// Loss on the validation part.
    #[serde(default)]
    pub(crate) val_loss: Option<f64>,
    /// Share of right answers on the sample of the training part.
    #[serde(default)]
    pub(crate) train_accuracy: Option<f64>,
    /// Share of right answers on the validation part.
    #[serde(default)]
    pub(crate) val_accuracy: Option<f64>,
    /// Learning rate of the last update.
    #[serde(default)]
    pub(crate) learning_rate: Option<f64>,
    /// Mean norm of the gradient.
    #[serde(default)]
    pub(crate) grad_norm: Option<f64>,
    /// The layers, from the input on; the last is the output.
    #[serde(default)]
    pub(crate) layers: Vec<Layer>,
}

/// What is written down of a layer.
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
    /// Share of units with the same output for every sample looked at, in every epoch.
    #[serde(default)]
    pub(crate) silent_fraction: Option<f64>,
}

/// The log of a training. The first line, epoch 0, is from before any update.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Log(pub(crate) Vec<Epoch>);

impl Log {
    /// Reads `metrics.jsonl` of a run; lines that cannot be read are passed over.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(run: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(run.join("metrics.jsonl"))?;
        Ok(Self(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()))
    }

    /// The lines after an update.
    pub(crate) fn trained(&self) -> &[Epoch] {
        let start = self.0.iter().position(|line| line.done > 0.0).unwrap_or(self.0.len());
        &self.0[start..]
    }

    /// A figure of each epoch after an update, where it is a number.
    pub(crate) fn course(&self, figure: impl Fn(&Epoch) -> Option<f64>) -> Vec<f64> {
        self.trained().iter().filter_map(figure).filter(|x| x.is_finite()).collect()
    }
}

/// Means of three neighbours; at the ends of what there is of them.
pub(crate) fn smooth(course: &[f64]) -> Vec<f64> {
    let around = |i: usize| &course[i.saturating_sub(1)..(i + 2).min(course.len())];
    (0..course.len()).map(|i| mean(around(i))).collect()
}

/// The mean; of nothing, 0.
pub(crate) fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

/// The last part of a course: one in `parts`, at least one number of it.
pub(crate) fn last(course: &[f64], parts: usize) -> &[f64] {
    let count = (course.len() / parts).max(1).min(course.len());
    &course[course.len() - count..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_null_is_read_and_epoch_0_stands_apart() {
        let line = |text| serde_json::from_str::<Epoch>(text).unwrap();
        let log = Log(vec![
            line(r#"{"epoch": 0, "val_loss": 2.5, "layers": []}"#),
            line(
                r#"{"epoch": 1, "val_loss": null, "layers": [{"name": "output", "weight_norm": 1}]}"#,
            ),
            line(r#"{"epoch": 2, "val_loss": 1.5}"#),
        ]);
        assert_eq!(log.trained().len(), 2);
        assert_eq!(log.course(|line| line.val_loss), [1.5]);
        assert_eq!(log.0[1].layers[0].weight_norm, Some(1.0));
    }

    #[test]
    fn courses_are_smoothed_and_cut_by_hand() {
        assert_eq!(smooth(&[3.0, 6.0, 0.0, 3.0]), [4.5, 3.0, 3.0, 1.5]);
        assert_eq!(last(&[1.0, 2.0, 3.0, 4.0, 5.0], 2), [4.0, 5.0]);
        assert_eq!((last(&[], 3), mean(&[])), (&[][..], 0.0));
    }
}
