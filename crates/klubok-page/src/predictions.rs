//! The network's predictions on the validation set: confusions, calibration, and the most confident
//! errors.

use klubok::{
    data::{Dataset, subsample},
    evaluation::Evaluation,
    model::Model,
    nn::network::OutputKind,
};
use serde_json::{Value, json};

use super::{
    hub::Hub,
    inspection::InspectionResult,
    logits::{predict, to_f64},
    moment::At,
};

/// Validation samples, at most: enough for a confidence interval of two percentage points.
const MAX_SAMPLES: usize = 2000;
/// Errors in the panel, at most.
const MAX_ERRORS: usize = 24;
/// Pairs of a number and its prediction, at most.
const MAX_PAIRS: usize = 500;
/// Bins of the reliability diagram.
const BINS: usize = 10;

impl Hub {
    /// Evaluates the network on the validation set, or on a fixed sample of it.
    pub(super) fn inspect_predictions(&self, at: At) -> InspectionResult {
        self.on_validation(at, "answers", evaluated)
    }

    /// Computes something from the logits of validation samples, and caches it under a key.
    pub(super) fn on_validation(
        &self,
        at: At,
        key: &str,
        compute: impl FnOnce(&Dataset, &Model, &[u32], &[f32]) -> InspectionResult,
    ) -> InspectionResult {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        if let Some(step) = at.step
            && let Ok(snapshot) = self.snapshot(Some(step))
            && !self.network_steps().contains(&snapshot.step)
            && snapshot.step < self.status().step
        {
            // Of most moments, what the film's samples got is known.
            let rows = &self.scene()?.rows[..snapshot.outputs.rows().len()];
            let model = self.reader_at(snapshot.step)?;
            let mut json = compute(data, &model, rows, &snapshot.outputs.values)?;
            json["step"] = snapshot.step.into();
            return Ok(json);
        }
        self.get_or_compute(&self.frequent, at, key, |view| {
            let rows = subsample(&data.parts.val, MAX_SAMPLES);
            let logits = view.infer(&data.rows, &rows, &[view.plan().output]);
            let logits = logits.map_err(|error| error.to_string())?.swap_remove(0);
            compute(data, &view.model, &rows, &logits)
        })
    }
}

/// Evaluates these logits of a network.
fn evaluated(data: &Dataset, model: &Model, rows: &[u32], logits: &[f32]) -> InspectionResult {
    let figures = Evaluation::new(model, data, rows, logits);
    let mut json = serde_json::to_value(figures).map_err(|error| error.to_string())?;
    let Some(classes) = data.targets.classes() else {
        if data.targets.kind() == OutputKind::Numbers {
            json["pairs"] = pairs(model, data, rows, logits);
        }
        return Ok(json);
    };
    let targets: Vec<u32> = rows.iter().map(|&row| classes[row as usize]).collect();
    json["calibration"] = reliability(model, logits, &targets);
    json["mistakes"] = errors(data, model, rows, logits).into();
    Ok(json)
}

/// Lists misclassified samples, the most confident first.
fn errors(data: &Dataset, model: &Model, rows: &[u32], logits: &[f32]) -> Vec<Value> {
    let mut errors: Vec<(u32, usize, f64)> = Vec::new();
    for (&row, z) in rows.iter().zip(logits.chunks_exact(data.outputs.len())) {
        let (predicted, confidence) = predict(z, model.calibration);
        if predicted != data.targets.class(row) as usize {
            errors.push((row, predicted, confidence));
        }
    }
    errors.sort_by(|a, b| b.2.total_cmp(&a.2));
    errors.truncate(MAX_ERRORS);
    let sample = |(row, predicted, confidence): (u32, usize, f64)| {
        json!({
            "row": row,
            "name": data.names[row as usize],
            "label": data.targets.class(row),
            "said": predicted,
            "confidence": confidence,
        })
    };
    errors.into_iter().map(sample).collect()
}

/// Lists numbers and their predictions, `[[truth, prediction], ...]`, of the first output.
fn pairs(model: &Model, data: &Dataset, rows: &[u32], logits: &[f32]) -> Value {
    let outputs = data.outputs.len();
    let samples = rows.iter().zip(logits.chunks_exact(outputs)).take(MAX_PAIRS);
    let pair = |(&row, z): (&u32, &[f32])| {
        let mut prediction = to_f64(z);
        model.to_prediction(&mut prediction);
        json!([data.targets.values()[row as usize * outputs], prediction[0]])
    };
    samples.map(pair).collect()
}

/// Computes the reliability diagram: mean confidence and accuracy per bin of confidence.
fn reliability(model: &Model, logits: &[f32], targets: &[u32]) -> Value {
    let mut bins = [(0usize, 0usize, 0.0); BINS];
    for (z, &target) in logits.chunks_exact(model.outputs.len()).zip(targets) {
        let (predicted, confidence) = predict(z, model.calibration);
        let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        *bin = (bin.0 + 1, bin.1 + usize::from(predicted == target as usize), bin.2 + confidence);
    }
    let bin = |(i, &(samples, right, confidence)): (usize, &(usize, usize, f64))| {
        json!({
            "from": i as f64 / BINS as f64,
            "to": (i + 1) as f64 / BINS as f64,
            "samples": samples,
            "confidence": (samples > 0).then(|| confidence / samples as f64),
            "accuracy": (samples > 0).then(|| right as f64 / samples as f64),
        })
    };
    bins.iter().enumerate().map(bin).collect()
}
