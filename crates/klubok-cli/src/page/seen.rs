//! What a network makes of a fixed sample of the data at a moment: where validation samples lie
//! before the last layer, and which training samples cost most. Little enough to be kept for every
//! moment.

use std::sync::Arc;

use klubok::{
    components::Components,
    data::Dataset,
    inspect::Glass,
    nn::{
        calibration::Calibration,
        loss::{answer, log_sum_exp},
    },
};
use serde_json::{Value, json};

use super::{
    hub::{Hub, lock},
    looks::{Answer, spread},
};

/// Validation samples of the cloud.
const CLOUD: usize = 240;
/// Training samples whose loss is followed.
const FOLLOWED: usize = 1500;
/// Samples with perhaps wrong labels that are shown.
const SUSPECTS: usize = 12;
/// A label is suspected where the network gives it less than this, on average over the moments.
const DOUBT: f64 = 0.2;

/// What a network makes of a fixed sample at a moment.
pub(super) struct Seen {
    /// What the last layer reads, of the validation samples: `[samples, width]`.
    hidden: Vec<f32>,
    /// What it answers.
    said: Vec<usize>,
    /// The loss of the training samples.
    losses: Vec<f32>,
}

impl Hub {
    /// Looks at the fixed sample, if there is time for it.
    pub(super) fn see(&self, glass: &Glass) -> Option<Seen> {
        if !self.allows(&self.frequent) {
            return None;
        }
        let data = self.data.as_ref()?;
        let output = glass.plan().output;
        let last = glass.layers().len().checked_sub(2)?;
        let val = spread(&data.parts.val, CLOUD);
        let mut of_val = glass.ask(&data.rows, &val, &[glass.handed_on(last), output]).ok()?;
        let train = spread(&data.parts.train, FOLLOWED);
        let of_train = glass.ask(&data.rows, &train, &[output]).ok()?;
        let classes = data.classes.len();
        let said = of_val[1].chunks_exact(classes).map(|z| answer(&wide(z))).collect();
        let loss = |(z, &row): (&[f32], &u32)| {
            let z = wide(z);
            (log_sum_exp(&z) - z[data.targets[row as usize] as usize]) as f32
        };
        let losses = of_train[0].chunks_exact(classes).zip(&train).map(loss).collect();
        Some(Seen { hidden: of_val.swap_remove(0), said, losses })
    }

    /// Validation samples as the last layer gets them, on the two components of the last moment, at
    /// the moment of a snapshot.
    pub(super) fn look_at_cloud(&self, moment: Option<u64>) -> Answer {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        self.of_moments(moment, "cloud", || self.cloud(data, moment))
    }

    fn cloud(&self, data: &Dataset, moment: Option<u64>) -> Answer {
        let seen = lock(&self.snapshots).seen();
        let (last, _) = seen.last().ok_or("this network has no hidden layer")?;
        let rows = spread(&data.parts.val, CLOUD);
        let width = last.hidden.len() / rows.len().max(1);
        if width == 0 {
            return Err("this run has no validation part".to_owned());
        }
        let space = Components::of(&wide(&last.hidden), width, 2);
        let after = moment.map_or(seen.len(), |step| seen.partition_point(|(_, of)| *of <= step));
        let (shown, step) = &seen[after.saturating_sub(1)];
        let point = |(i, &row): (usize, &u32)| {
            let mut at = space.coordinates(&wide(&shown.hidden[i * width..][..width]));
            at.resize(2, 0.0);
            json!([at[0], at[1], data.targets[row as usize], shown.said[i]])
        };
        Ok(json!({
            "step": step,
            "moments": seen.iter().map(|(_, step)| step).collect::<Vec<_>>(),
            "width": width,
            "points": rows.iter().enumerate().map(point).collect::<Vec<_>>(),
        }))
    }

    /// Training samples whose label the network contradicted whenever it was looked at by a moment:
    /// likely wrong labels.
    pub(super) fn look_at_suspects(&self, moment: Option<u64>) -> Answer {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        self.of_moments(moment, "suspects", || self.suspects(data, moment))
    }

    fn suspects(&self, data: &Dataset, moment: Option<u64>) -> Answer {
        let (step, glass) = self.weights_at(moment)?;
        let mut seen = lock(&self.snapshots).seen();
        seen.retain(|(_, of)| moment.is_none_or(|moment| *of <= moment));
        let (means, moments) = mean_losses(&seen);
        let rows = spread(&data.parts.train, FOLLOWED);
        let mut order: Vec<usize> = (0..means.len()).filter(|&i| means[i] > -DOUBT.ln()).collect();
        order.sort_by(|&a, &b| means[b].total_cmp(&means[a]));
        order.truncate(SUSPECTS);
        let mut told: Vec<Value> = Vec::new();
        for i in order {
            let row = rows[i];
            let stored = self.stored(&[row])?;
            let pass = glass.pass(&stored);
            let said = answer(&pass.probabilities);
            let mut shown = self.shown(&stored);
            shown.insert("row".to_owned(), row.into());
            shown.insert("name".to_owned(), data.names[row as usize].clone().into());
            shown.insert("label".to_owned(), data.targets[row as usize].into());
            shown.insert("said".to_owned(), said.into());
            shown.insert("confidence".to_owned(), glass.confidences(&pass)[said].into());
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

/// Logits as the loss reads them.
pub(super) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// How sure logits are of an answer, and which.
pub(super) fn sure(z: &[f32], calibration: Calibration) -> (usize, f64) {
    let mut z = wide(z);
    let said = answer(&z);
    calibration.confidences(&mut z);
    (said, z[said])
}
