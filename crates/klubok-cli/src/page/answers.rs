//! What the network answers on the validation part: confusions, calibration, and its surest mistakes.

use klubok::{
    backend::{Backend as _, DataId, Outputs, cpu::CpuBackend},
    data::Dataset,
    look::Glass,
    nn::loss::{answer, softmax},
    rows::Field,
    state::State,
};
use serde_json::{Value, json};

use super::{
    hub::{Copy, Hub},
    looks::Answer,
};
use crate::{classifier::BLOCK, measures::Evaluation};

/// Samples that are asked at most: enough for an interval of two points.
const SAMPLES: usize = 2000;
/// Mistakes that are shown.
const MISTAKES: usize = 24;
/// Bins of the calibration.
const BINS: usize = 10;

impl Hub {
    /// How the network answers on the validation part, or on a part of it that is spread evenly.
    pub(super) fn look_at_answers(&self) -> Answer {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        let Copy { step, glass, .. } = self.weights()?;
        let apart = data.parts.val.len().div_ceil(SAMPLES).max(1);
        let rows: Vec<u32> = data.parts.val.iter().copied().step_by(apart).collect();
        let logits = logits(&glass, data, &rows).map_err(|error| error.to_string())?;
        let targets: Vec<u32> = rows.iter().map(|&row| data.targets[row as usize]).collect();
        let figures = Evaluation::new(&logits, &targets, &data.classes);
        let mut told = serde_json::to_value(figures).map_err(|error| error.to_string())?;
        told["step"] = step.into();
        told["calibration"] = calibration(&logits, &targets, data.classes.len());
        told["mistakes"] = self.mistakes(data, &rows, &logits)?.into();
        Ok(told)
    }

    /// Wrong answers, the surest first.
    fn mistakes(&self, data: &Dataset, rows: &[u32], logits: &[f32]) -> Result<Vec<Value>, String> {
        let mut wrong: Vec<(u32, usize, f64)> = Vec::new();
        for (&row, z) in rows.iter().zip(logits.chunks_exact(data.classes.len())) {
            let (said, confidence) = sure(z);
            if said != data.targets[row as usize] as usize {
                wrong.push((row, said, confidence));
            }
        }
        wrong.sort_by(|a, b| b.2.total_cmp(&a.2));
        wrong.truncate(MISTAKES);
        let field = &data.rows.fields()[Field::X.0];
        let mut bytes = vec![0; field.bytes()];
        let mut told = Vec::new();
        for (row, said, confidence) in wrong {
            data.rows.gather(Field::X, &[row], &mut bytes).map_err(|error| error.to_string())?;
            let stored = bytes.chunks_exact(field.kind.bytes()).map(|v| field.kind.number(v));
            let mut shown = self.shown(&stored.collect::<Vec<_>>());
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

/// The answer and how sure it is.
fn sure(z: &[f32]) -> (usize, f64) {
    let z: Vec<f64> = z.iter().map(|&z| f64::from(z)).collect();
    let said = answer(&z);
    (said, softmax(&z)[said])
}

/// By confidence: how sure the answers were, and how many of them are right.
fn calibration(logits: &[f32], targets: &[u32], classes: usize) -> Value {
    let mut bins = [(0usize, 0usize, 0.0); BINS];
    for (z, &target) in logits.chunks_exact(classes).zip(targets) {
        let (said, confidence) = sure(z);
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

/// Logits of rows, on one thread: the others are the training's.
fn logits(glass: &Glass, data: &Dataset, rows: &[u32]) -> klubok::Result<Vec<f32>> {
    let all = std::slice::from_ref(&data.rows);
    let mut program = CpuBackend::new(1).compile(glass.plan(), BLOCK, all)?;
    let weights = &glass.model.weights;
    program.load(&State {
        params: weights.params.clone(),
        moments: Vec::new(),
        running: weights.running.clone(),
    })?;
    let mut outputs = Outputs::default();
    program.infer(DataId(0), rows, &[glass.plan().output], &mut outputs)?;
    Ok(outputs.values.swap_remove(0))
}
