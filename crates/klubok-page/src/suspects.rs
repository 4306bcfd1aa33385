//! What the panel of suspects asks: training samples whose labels are likely wrong.

use std::sync::Arc;

use klubok::{data::Dataset, nn::loss::predicted_class};
use serde_json::{Value, json};

use super::{
    answer::Answer,
    fixed_sample::{Seen, followed},
    hub::Hub,
    lock::lock,
};

/// Samples that are shown.
const SUSPECTS: usize = 12;
/// A label is suspected where the network gives it less than this, on average over the moments.
const DOUBT: f64 = 0.2;

impl Hub {
    /// Training samples whose label the network contradicted whenever it was looked at by a moment:
    /// likely wrong labels.
    pub(super) fn look_at_suspects(&self, moment: Option<u64>) -> Answer {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        self.of_moments(moment, "suspects", || self.suspects(data, moment))
    }

    fn suspects(&self, data: &Dataset, moment: Option<u64>) -> Answer {
        let (step, view) = self.weights_at(moment)?;
        let mut seen = lock(&self.snapshots).seen();
        seen.retain(|(_, of)| moment.is_none_or(|moment| *of <= moment));
        let (means, moments) = mean_losses(&seen);
        let rows = followed(data);
        let mut order: Vec<usize> = (0..means.len()).filter(|&i| means[i] > -DOUBT.ln()).collect();
        order.sort_by(|&a, &b| means[b].total_cmp(&means[a]));
        order.truncate(SUSPECTS);
        let mut told: Vec<Value> = Vec::new();
        for i in order {
            let row = rows[i];
            let stored = self.stored(&[row])?;
            let pass = view.forward(&stored);
            let said = predicted_class(&pass.probabilities);
            let mut shown = self.shown(&stored);
            shown.insert("row".to_owned(), row.into());
            shown.insert("name".to_owned(), data.names[row as usize].clone().into());
            shown.insert("label".to_owned(), data.targets[row as usize].into());
            shown.insert("said".to_owned(), said.into());
            shown.insert("confidence".to_owned(), view.confidences(&pass)[said].into());
            shown.insert("loss".to_owned(), means[i].into());
            told.push(Value::Object(shown));
        }
        Ok(json!({
            "step": step,
            "samples": rows.len(),
            "moments": moments,
            "doubt": DOUBT,
            "suspects": told,
        }))
    }
}

/// The mean loss of every followed training sample over the moments after the start, and how many
/// those are.
fn mean_losses(seen: &[(Arc<Seen>, u64)]) -> (Vec<f64>, usize) {
    let learnt: Vec<&[f32]> =
        seen.iter().filter(|(_, step)| *step > 0).map(|(seen, _)| &*seen.losses).collect();
    let samples = learnt.first().map_or(0, |losses| losses.len());
    let mean =
        |i: usize| learnt.iter().map(|of| f64::from(of[i])).sum::<f64>() / learnt.len() as f64;
    ((0..samples).map(mean).collect(), learnt.len())
}
