//! The network's predictions on the validation set: confusions, calibration, and the most confident
//! errors.

use klubok::{
    data::{Dataset, subsample},
    evaluation::Evaluation,
    model::Model,
    nn::network::OutputKind,
};
use serde::{Deserialize, Serialize};
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
/// The key of the judged samples, which stay on this side.
const JUDGED: &str = "judged";

/// A sample with its classes and the confidence in the predicted one.
#[derive(Serialize, Deserialize)]
pub(super) struct Judged {
    pub(super) row: u32,
    pub(super) truth: usize,
    pub(super) said: usize,
    /// None where it is no number.
    pub(super) confidence: Option<f64>,
}

impl Judged {
    /// Returns the confidence, or 0 where it is no number.
    pub(super) fn confidence_or_zero(&self) -> f64 {
        self.confidence.unwrap_or_default()
    }
}

impl Hub {
    /// Evaluates the network on the validation set, or on a fixed sample of it.
    pub(super) fn inspect_predictions(&self, at: At) -> InspectionResult {
        let mut json = self.predictions(at)?;
        if let Some(json) = json.as_object_mut() {
            json.remove(JUDGED);
        }
        Ok(json)
    }

    /// Returns what the network predicts for each of these samples, with the step of the network.
    pub(super) fn judged(&self, at: At) -> Result<(Value, Vec<Judged>), String> {
        let mut json = self.predictions(at)?;
        let judged = serde_json::from_str(json[JUDGED].as_str().unwrap_or("[]"));
        Ok((json["step"].take(), judged.map_err(|error| error.to_string())?))
    }

    /// Evaluates the network, and keeps the judged samples beside the figures: the matrix and its
    /// cells are of one inference.
    fn predictions(&self, at: At) -> InspectionResult {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        if let Some(step) = at.step
            && let Ok(snapshot) = self.snapshot(Some(step))
            && !self.network_steps().contains(&snapshot.step)
            && snapshot.step < self.status().step
        {
            // Of most moments, what the film's samples got is known.
            let rows = &self.scene()?.rows[..snapshot.outputs.rows().len()];
            let model = self.reader_at(snapshot.step)?;
            let mut json = evaluated(data, &model, rows, &snapshot.outputs.values)?;
            json["step"] = snapshot.step.into();
            return Ok(json);
        }
        self.get_or_compute(&self.frequent, at, "answers", |view| {
            let rows = subsample(&data.parts.val, MAX_SAMPLES);
            let logits = view.infer(&data.rows, &rows, &[view.plan().output]);
            let logits = logits.map_err(|error| error.to_string())?.swap_remove(0);
            evaluated(data, &view.model, &rows, &logits)
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
    let sample = |(&row, z): (&u32, &[f32])| {
        let (said, confidence) = predict(z, model.calibration);
        let confidence = Some(confidence).filter(|confidence| confidence.is_finite());
        Judged { row, truth: classes[row as usize] as usize, said, confidence }
    };
    let samples = rows.iter().zip(logits.chunks_exact(data.outputs.len()));
    let judged: Vec<Judged> = samples.map(sample).collect();
    json["calibration"] = reliability(&judged);
    json["mistakes"] = errors(data, &judged).into();
    // As text: a cache of many results holds it.
    json[JUDGED] = serde_json::to_string(&judged).map_err(|error| error.to_string())?.into();
    Ok(json)
}

/// Lists misclassified samples, the most confident first.
fn errors(data: &Dataset, judged: &[Judged]) -> Vec<Value> {
    let mut errors: Vec<&Judged> = judged.iter().filter(|of| of.said != of.truth).collect();
    errors.sort_by(|a, b| b.confidence_or_zero().total_cmp(&a.confidence_or_zero()));
    errors.truncate(MAX_ERRORS);
    let sample = |of: &Judged| {
        json!({
            "row": of.row,
            "name": data.names[of.row as usize],
            "label": of.truth,
            "said": of.said,
            "confidence": of.confidence,
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
fn reliability(judged: &[Judged]) -> Value {
    let mut bins = [(0usize, 0usize, 0.0); BINS];
    for of in judged {
        let (confidence, is_right) = (of.confidence_or_zero(), of.said == of.truth);
        let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        *bin = (bin.0 + 1, bin.1 + usize::from(is_right), bin.2 + confidence);
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
