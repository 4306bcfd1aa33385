//! The panel of label errors: training samples whose labels are likely wrong.

use klubok::{data::Dataset, inspect::ModelView, nn::loss::predicted_class};
use serde_json::{Value, json};

use super::{
    fixed_sample::train_sample,
    hub::Hub,
    inspection::InspectionResult,
    logits::{Losses, to_f64},
    moment::At,
};

/// Samples in the panel, at most.
const MAX_SAMPLES: usize = 12;
/// Networks that judge the labels, at most.
const MAX_NETWORKS: usize = 5;
/// A label is suspect below this probability, averaged geometrically over the networks.
const MIN_LABEL_PROBABILITY: f64 = 0.2;

impl Hub {
    /// Finds training samples whose labels the known networks up to a step contradict.
    pub(super) fn inspect_label_errors(&self, at: At) -> InspectionResult {
        let data = self.class_data()?;
        self.get_or_compute(&self.expensive, at, "suspects", |view| {
            self.label_errors(data, view, at)
        })
    }

    fn label_errors(&self, data: &Dataset, view: &ModelView, at: At) -> InspectionResult {
        let mut losses: Vec<Vec<f64>> = Vec::new();
        for (own, view) in self.networks(at, MAX_NETWORKS)? {
            // Random weights contradict half of all labels.
            if own > 0 {
                losses.push(train_losses(data, &view)?);
            }
        }
        let samples = losses.first().map_or(0, Vec::len);
        let mean = |i: usize| losses.iter().map(|of| of[i]).sum::<f64>() / losses.len() as f64;
        let means: Vec<f64> = (0..samples).map(mean).collect();
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
            "samples": rows.len(),
            "moments": losses.len(),
            "doubt": MIN_LABEL_PROBABILITY,
            "suspects": samples,
        }))
    }
}

/// Returns the losses of the fixed training sample.
fn train_losses(data: &Dataset, view: &ModelView) -> Result<Vec<f64>, String> {
    let rows = train_sample(data);
    let logits = view.infer(&data.rows, &rows, &[view.plan().output]);
    let logits = logits.map_err(|error| error.to_string())?.swap_remove(0);
    let losses = Losses::new(data, &view.model);
    let loss = |(z, &row): (&[f32], &u32)| losses.of(row, &to_f64(z));
    Ok(logits.chunks_exact(data.outputs.len()).zip(&rows).map(loss).collect())
}
