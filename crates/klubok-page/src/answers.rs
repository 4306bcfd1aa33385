//! What the network answers on the validation part: confusions, calibration, and its surest
//! mistakes.

use klubok::{data::Dataset, inspect::ModelView};
use serde_json::{Value, json};

use super::{answer::Answer, fixed_sample::spread, hub::Hub, logits::sure};
use klubok::evaluation::Evaluation;

/// Samples that are asked at most: enough for an interval of two points.
const SAMPLES: usize = 2000;
/// Mistakes that are shown.
const MISTAKES: usize = 24;
/// Bins of the calibration.
const BINS: usize = 10;

impl Hub {
    /// How the network answers on the validation part, or on a part of it that is spread evenly.
    pub(super) fn look_at_answers(&self, moment: Option<u64>) -> Answer {
        self.said(&self.frequent, moment, "answers", |view| self.answered(view))
    }

    fn answered(&self, view: &ModelView) -> Answer {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        let rows = spread(&data.parts.val, SAMPLES);
        let logits = view.infer(&data.rows, &rows, &[view.plan().output]);
        let logits = logits.map_err(|error| error.to_string())?.swap_remove(0);
        let targets: Vec<u32> = rows.iter().map(|&row| data.targets[row as usize]).collect();
        let figures = Evaluation::new(&logits, &targets, &data.classes, view.model.calibration);
        let mut told = serde_json::to_value(figures).map_err(|error| error.to_string())?;
        told["calibration"] = bins(view, &logits, &targets);
        told["mistakes"] = self.mistakes(data, view, &rows, &logits)?.into();
        Ok(told)
    }

    /// Wrong answers, the surest first.
    fn mistakes(
        &self,
        data: &Dataset,
        view: &ModelView,
        rows: &[u32],
        logits: &[f32],
    ) -> Result<Vec<Value>, String> {
        let mut wrong: Vec<(u32, usize, f64)> = Vec::new();
        for (&row, z) in rows.iter().zip(logits.chunks_exact(data.classes.len())) {
            let (said, confidence) = sure(z, view.model.calibration);
            if said != data.targets[row as usize] as usize {
                wrong.push((row, said, confidence));
            }
        }
        wrong.sort_by(|a, b| b.2.total_cmp(&a.2));
        wrong.truncate(MISTAKES);
        let mut told = Vec::new();
        for (row, said, confidence) in wrong {
            let mut shown = self.shown(&self.stored(&[row])?);
            shown.insert("row".to_owned(), row.into());
            shown.insert("name".to_owned(), data.names[row as usize].clone().into());
            shown.insert("label".to_owned(), data.targets[row as usize].into());
            shown.insert("said".to_owned(), said.into());
            shown.insert("confidence".to_owned(), confidence.into());
            told.push(Value::Object(shown));
        }
        Ok(told)
    }
}

/// By confidence: how sure the answers were, and how many of them are right.
fn bins(view: &ModelView, logits: &[f32], targets: &[u32]) -> Value {
    let mut bins = [(0usize, 0usize, 0.0); BINS];
    for (z, &target) in logits.chunks_exact(view.model.classes.len()).zip(targets) {
        let (said, confidence) = sure(z, view.model.calibration);
        let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        *bin = (bin.0 + 1, bin.1 + usize::from(said == target as usize), bin.2 + confidence);
    }
    let told = |(i, &(samples, right, confidence)): (usize, &(usize, usize, f64))| {
        json!({
            "from": i as f64 / BINS as f64,
            "to": (i + 1) as f64 / BINS as f64,
            "samples": samples,
            "confidence": (samples > 0).then(|| confidence / samples as f64),
            "accuracy": (samples > 0).then(|| right as f64 / samples as f64),
        })
    };
    bins.iter().enumerate().map(told).collect()
}
