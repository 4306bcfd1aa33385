//! The panel of label errors: training samples whose labels are likely wrong.

use std::sync::Arc;

use klubok::{data::Dataset, nn::loss::predicted_class};
use serde_json::{Value, json};

use super::{
    fixed_sample::{SampleOutputs, train_sample},
    hub::Hub,
    inspection::InspectionResult,
    lock::lock,
};

/// Samples in the panel, at most.
const MAX_SAMPLES: usize = 12;
/// A label is suspect below this probability, averaged geometrically over the snapshots.
const MIN_LABEL_PROBABILITY: f64 = 0.2;

impl Hub {
    /// Finds training samples whose labels the network contradicted in the snapshots up to a step.
    pub(super) fn inspect_label_errors(&self, step: Option<u64>) -> InspectionResult {
        let data = self.class_data()?;
        self.compute_from_snapshots(step, "suspects", || self.label_errors(data, step))
    }

    fn label_errors(&self, data: &Dataset, max_step: Option<u64>) -> InspectionResult {
        let (step, view) = self.network_at(max_step)?;
        let mut outputs = lock(&self.snapshots).sample_outputs();
        outputs.retain(|(_, kept_step)| max_step.is_none_or(|max_step| *kept_step <= max_step));
        let (means, snapshots) = mean_losses(&outputs);
        let rows = train_sample(data);
        let max_loss = -MIN_LABEL_PROBABILITY.ln();
        let mut order: Vec<usize> = (0..means.len()).filter(|&i| means[i] > max_loss).collect();
        order.sort_by(|&a, &b| means[b].total_cmp(&means[a]));
        order.truncate(MAX_SAMPLES);
        let mut samples: Vec<Value> = Vec::new();
        for i in order {
            let row = rows[i];
            let stored = self.stored(&[row])?;
            let pass = view.forward(&stored);
            let predicted = predicted_class(&pass.probabilities);
            let mut sample = self.sample_json(&stored);
            sample.insert("row".to_owned(), row.into());
            sample.insert("name".to_owned(), data.names[row as usize].clone().into());
            sample.insert("label".to_owned(), data.targets.class(row).into());
            sample.insert("said".to_owned(), predicted.into());
            sample.insert("confidence".to_owned(), view.confidences(&pass)[predicted].into());
            sample.insert("loss".to_owned(), means[i].into());
            samples.push(Value::Object(sample));
        }
        Ok(json!({
            "step": step,
            "samples": rows.len(),
            "moments": snapshots,
            "doubt": MIN_LABEL_PROBABILITY,
            "suspects": samples,
        }))
    }
}

/// Returns the mean loss of each training sample over the snapshots after step 0, and the number of
/// these snapshots.
fn mean_losses(outputs: &[(Arc<SampleOutputs>, u64)]) -> (Vec<f64>, usize) {
    let trained: Vec<&[f32]> =
        outputs.iter().filter(|(_, step)| *step > 0).map(|(of, _)| &*of.losses).collect();
    let samples = trained.first().map_or(0, |losses| losses.len());
    let mean = |i: usize| {
        trained.iter().map(|losses| f64::from(losses[i])).sum::<f64>() / trained.len() as f64
    };
    ((0..samples).map(mean).collect(), trained.len())
}
