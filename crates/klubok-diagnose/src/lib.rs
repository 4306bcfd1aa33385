//! Diagnoses a training, live or from a history that any framework wrote.
//!
//! [`history`] reads a run's folder, CSV, JSON or TensorBoard's event files. A
//! [`tracker::Tracker`] takes one epoch at a time and reports phases and verdicts at any point. It
//! never looks ahead, so it gives the same verdicts on a finished history and on a live training.
//! [`observer::DiagnosisObserver`] attaches the tracker to a training. [`data_quality`] checks the
//! data alone, before any training.

pub mod check;
pub mod data_quality;
mod evidence;
pub mod history;
mod knee;
mod layer_rules;
mod meaning;
pub mod metrics;
mod non_finite;
pub mod observer;
mod plateau;
pub mod remedy;
pub mod row;
mod series;
pub mod setup;
mod shuffled_labels;
mod steady_decrease;
pub mod tracker;
mod val_loss_increase;
mod verdict_choice;
mod verdicts;

use klubok_train::event::{Phase, Verdict, epoch_number};
use serde::{Serialize, Serializer};

/// The phases and verdicts of a training: the output of `klubok diagnose`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// The phases that occurred, in order.
    pub phases: Vec<Phase>,
    /// The verdicts, the most severe first.
    pub verdicts: Vec<Verdict>,
    /// The epoch with the lowest validation loss, the earlier on ties; none without validation.
    #[serde(serialize_with = "epoch_if_any")]
    pub best_epoch: Option<f64>,
}

impl Diagnosis {
    /// Reads the tracker's current state. Some verdicts need a training that has ended.
    pub fn from_tracker(tracker: &tracker::Tracker, ended: bool) -> Self {
        Self {
            phases: tracker.phases(),
            verdicts: tracker.verdicts(ended),
            best_epoch: tracker.best_epoch(),
        }
    }

    /// Diagnoses a whole history.
    pub fn from_history(history: &history::History) -> Self {
        Self::from_tracker(&tracker::Tracker::from_history(history), history.ended)
    }
}

#[expect(clippy::ref_option, reason = "serde asks for a reference")]
fn epoch_if_any<S: Serializer>(epoch: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    match epoch {
        Some(epoch) => epoch_number(epoch, to),
        None => to.serialize_none(),
    }
}
