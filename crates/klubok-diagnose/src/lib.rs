//! How the learning goes, read from what training tells or from a history that anybody wrote.
//!
//! [`history`] reads a history: a run's folder, CSV, JSON or TensorBoard's event files. A
//! [`tracker::Tracker`] is told it epoch by epoch and can say its phases and verdicts at any
//! moment; it never looks ahead, so that a finished history and a training under way are judged
//! alike. [`observer::DiagnosisObserver`] is the tracker as an observer of a training. [`mod@before`] judges the
//! data alone, before any training.

pub mod before;
mod blind;
pub mod check;
mod evidence;
mod fall;
mod flat;
pub mod history;
mod knee;
mod labels;
mod layers;
mod meaning;
pub mod metrics;
mod naming;
pub mod observer;
pub mod remedy;
mod rise;
pub mod row;
mod series;
pub mod setup;
pub mod tracker;
mod verdicts;

use klubok_train::event::{Phase, Verdict, epoch_number};
use serde::{Serialize, Serializer};

/// What can be said of a training: the answer of `klubok diagnose`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Its phases, in order; one that did not occur is not among them.
    pub phases: Vec<Phase>,
    /// What is wrong, the worst first.
    pub verdicts: Vec<Verdict>,
    /// The epoch with the lowest validation loss, the earlier on ties; none where none was
    /// validated.
    #[serde(serialize_with = "epoch_if_any")]
    pub best_epoch: Option<f64>,
}

impl Diagnosis {
    /// Of what a tracker was told. Some verdicts can only be said of a training that has ended.
    pub fn of(tracker: &tracker::Tracker, ended: bool) -> Self {
        Self {
            phases: tracker.phases(),
            verdicts: tracker.verdicts(ended),
            best_epoch: tracker.best_epoch(),
        }
    }

    /// Of a whole history.
    pub fn of_history(history: &history::History) -> Self {
        Self::of(&tracker::Tracker::of(history), history.ended)
    }
}

#[expect(clippy::ref_option, reason = "serde asks for a reference")]
fn epoch_if_any<S: Serializer>(epoch: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    match epoch {
        Some(epoch) => epoch_number(epoch, to),
        None => to.serialize_none(),
    }
}
