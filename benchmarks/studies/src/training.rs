//! One training, epoch by epoch: scores on validation sets of several sizes, and on a test set.

use anyhow::Result;
use klubok::{
    backend::{Backend, DataId, Outputs},
    config::{Config, ConfigBuilder, Preset},
    data::{Dataset, Parts},
    nn::calibration::Calibration,
    plan::Plan,
    rng::{Purpose, Stream},
    train::{
        control::Control,
        evaluate::visit,
        event::{Event, Observer},
        task::Task,
        trainer::{Checkpoint, Trainer},
    },
};
use serde::{Deserialize, Serialize};

use crate::data_set::{DataSet, split};

/// Sizes of the validation sets.
pub(crate) const SIZES: [usize; 4] = [60, 300, 1000, 5000];

/// The record of one training.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Training {
    #[serde(rename = "set")]
    pub(crate) data_set: DataSet,
    pub(crate) preset: String,
    pub(crate) train: usize,
    pub(crate) seed: u64,
    /// Patience of early stopping in epochs; none where the preset does not stop early. The
    /// training itself ran to its end.
    pub(crate) patience: Option<u64>,
    /// Epoch 0 is before any update.
    pub(crate) epochs: Vec<Epoch>,
}

impl Training {
    /// Scores of all epochs on the validation set with this index in [`SIZES`].
    pub(crate) fn scores(&self, size: usize) -> Vec<Score> {
        self.epochs.iter().map(|epoch| epoch.scores[size]).collect()
    }
}

/// The network at the end of an epoch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// Accuracy on the test set.
    pub(crate) accuracy: f64,
    /// Uncalibrated cross-entropy on the test set.
    pub(crate) loss: f64,
    /// The temperature with the lowest cross-entropy on the test set.
    pub(crate) best_temperature: f64,
    /// Cross-entropy on the test set with that temperature.
    pub(crate) best_loss: f64,
    /// Scores by validation set, in the order of [`SIZES`].
    #[serde(rename = "seen")]
    pub(crate) scores: Vec<Score>,
}

/// An epoch's scores on one validation set, and the calibration fitted there applied to the test
/// set.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Score {
    /// Uncalibrated cross-entropy.
    pub(crate) loss: f64,
    /// Cross-entropy after calibration.
    #[serde(rename = "calibrated")]
    pub(crate) calibrated_loss: f64,
    pub(crate) temperature: f64,
    /// Number of wrong predictions.
    pub(crate) errors: u64,
    /// Cross-entropy on the test set with this calibration.
    #[serde(rename = "judged")]
    pub(crate) test_loss: f64,
    /// The same with the temperature alone, without the uniform share.
    #[serde(rename = "judged_unmixed")]
    pub(crate) test_loss_unmixed: f64,
    /// Expected calibration error (15 bins) on the test set with this calibration.
    pub(crate) ece: f64,
    /// The 95th percentile of that error among perfectly calibrated networks with the same
    /// confidences; none in older records.
    #[serde(default)]
    pub(crate) ece_by_chance: Option<f64>,
}

/// Opens the backend that the settings name.
///
/// # Errors
/// When this machine lacks the kernel.
pub(crate) fn backend(config: &Config) -> Result<Box<dyn Backend>> {
    let train = &config.train;
    Ok(klubok::device::open(train.device, train.kernel, train.threads, train.precision)?)
}

/// The settings for a data set without early stopping, and the patience that it would have.
pub(crate) fn settings(
    data_set: DataSet,
    preset: Preset,
    seed: u64,
) -> Result<(Config, Option<u64>)> {
    let mut builder = ConfigBuilder::new(preset, data_set.kind());
    builder.set("train.seed", &seed.to_string())?;
    let machine = klubok::device::machine();
    let mut config = builder.resolve(&machine)?.config;
    let patience = config.train.early_stopping.then_some(config.train.patience);
    config.train.early_stopping = false;
    Ok((config, patience))
}

/// Trains once and scores every epoch.
pub(crate) fn run(
    data: &Dataset,
    data_set: DataSet,
    preset: Preset,
    train: usize,
    seed: u64,
) -> Result<Training> {
    let (_, patience) = settings(data_set, preset, seed)?;
    let mut epochs = Vec::new();
    visit_epochs(data, data_set, preset, train, seed, &mut |_, [validation, test]| {
        epochs.push(score_epoch(validation, test));
        Ok(())
    })?;
    Ok(Training { data_set, preset: preset.name().into(), train, seed, patience, epochs })
}

/// Trains once. After each epoch (0 is before any update) calls `visit` with the logits of the
/// validation and the test set.
pub(crate) fn visit_epochs(
    data: &Dataset,
    data_set: DataSet,
    preset: Preset,
    train: usize,
    seed: u64,
    visit: &mut dyn FnMut(u64, &[Logits; 2]) -> Result<()>,
) -> Result<()> {
    let (config, _) = settings(data_set, preset, seed)?;
    let (data, test) = split(data, train, seed)?;
    let backend = backend(&config)?;
    let task = Task::new(&config, &data)?;
    let mut evaluator = Evaluator::new(&*backend, &task.plan, &data)?;
    let plan = task.plan.clone();
    let mut samples = task.samples.clone();
    samples.parts = std::sync::Arc::new(Parts { val: Vec::new(), ..data.parts.clone() });
    let start = Checkpoint::start(task.initial_state);
    let mut trainer = Trainer::new(&*backend, plan, samples, &config.train, start)?;
    let (mut next, mut observer, control) = (0, NoObserver, Control::new());
    loop {
        let stopped = trainer.advance(&mut observer, &control)?;
        let Checkpoint { progress, state, .. } = trainer.checkpoint()?;
        if progress.position == 0 && progress.epoch == next {
            evaluator.program.load(&state)?;
            visit(next, &[evaluator.logits(&data.parts.val)?, evaluator.logits(&test)?])?;
            next += 1;
        }
        if stopped.is_some() {
            break;
        }
    }
    Ok(())
}

struct NoObserver;

impl Observer for NoObserver {
    fn observe(&mut self, _: &Event<'_>) -> klubok::train::Result<()> {
        Ok(())
    }
}

/// A network's logits for some samples, and their true classes.
pub(crate) struct Logits {
    z: Vec<f32>,
    outputs: usize,
    pub(crate) classes: Vec<u32>,
}

impl Logits {
    /// The samples with these indices.
    pub(crate) fn select(&self, rows: &[u32]) -> Self {
        let row = |&row: &u32| &self.z[row as usize * self.outputs..][..self.outputs];
        Self {
            z: rows.iter().flat_map(row).copied().collect(),
            outputs: self.outputs,
            classes: rows.iter().map(|&row| self.classes[row as usize]).collect(),
        }
    }

    fn first(&self, samples: usize) -> Self {
        Self {
            z: self.z[..samples * self.outputs].to_vec(),
            outputs: self.outputs,
            classes: self.classes[..samples].to_vec(),
        }
    }

    fn fit_calibration(&self) -> Calibration {
        Calibration::fit(&self.z, self.outputs, &self.classes, &[])
    }

    /// Cross-entropy after calibration.
    pub(crate) fn loss(&self, calibration: Calibration) -> f64 {
        calibration.loss(&self.z, self.outputs, &self.classes, &[]).unwrap_or(f64::NAN)
    }

    /// Number of correct predictions.
    fn correct(&self) -> u64 {
        let rows = self.z.chunks_exact(self.outputs).zip(&self.classes);
        rows.filter(|(z, class)| argmax(z) == **class as usize).count() as u64
    }
}

/// Scores a network by every validation set.
fn score_epoch(validation: &Logits, test: &Logits) -> Epoch {
    let best = test.fit_calibration();
    let scores = SIZES.map(|size| {
        let own = validation.first(size);
        let fitted = own.fit_calibration();
        let predictions = Predictions::new(fitted, test);
        Score {
            loss: own.loss(Calibration::NONE),
            calibrated_loss: own.loss(fitted),
            temperature: fitted.temperature,
            errors: size as u64 - own.correct(),
            test_loss: test.loss(fitted),
            test_loss_unmixed: test.loss(Calibration { uniform: 0.0, ..fitted }),
            ece: predictions.ece(),
            ece_by_chance: Some(predictions.ece_by_chance()),
        }
    });
    Epoch {
        accuracy: test.correct() as f64 / test.classes.len() as f64,
        loss: test.loss(Calibration::NONE),
        best_temperature: best.temperature,
        best_loss: test.loss(Calibration { uniform: 0.0, ..best }),
        scores: scores.to_vec(),
    }
}

/// Evaluates the logits of a network.
struct Evaluator<'a> {
    program: Box<dyn klubok::backend::Program>,
    plan: &'a Plan,
    data: &'a Dataset,
}

impl<'a> Evaluator<'a> {
    fn new(backend: &dyn Backend, plan: &'a Plan, data: &'a Dataset) -> Result<Self> {
        let program = backend.compile(plan, 512, std::slice::from_ref(&data.rows))?;
        Ok(Self { program, plan, data })
    }

    fn logits(&mut self, rows: &[u32]) -> Result<Logits> {
        let mut z = Vec::new();
        let taps = [self.plan.output];
        let mut outputs = Outputs::default();
        visit(&mut *self.program, DataId(0), rows, &taps, &mut outputs, |_, outputs| {
            z.extend_from_slice(&outputs.values[0]);
            Ok(())
        })?;
        let classes = self.data.classes_of(rows);
        Ok(Logits { z, outputs: self.data.outputs.len(), classes })
    }
}

pub(crate) fn argmax(z: &[f32]) -> usize {
    (1..z.len()).fold(0, |best, i| if z[i] > z[best] { i } else { best })
}

/// Confidence of each prediction, and whether it is correct.
struct Predictions(Vec<(f64, bool)>);

impl Predictions {
    fn new(calibration: Calibration, Logits { z, outputs, classes }: &Logits) -> Self {
        let predict = |(z, &class): (&[f32], &u32)| {
            let mut p: Vec<f64> = z.iter().map(|&z| f64::from(z)).collect();
            calibration.confidences(&mut p);
            let predicted = argmax(z);
            (p[predicted], predicted == class as usize)
        };
        Self(z.chunks_exact(*outputs).zip(classes).map(predict).collect())
    }

    /// Expected calibration error over 15 bins of equal width (Guo et al. 2017).
    fn ece(&self) -> f64 {
        let mut bins = [(0.0, 0.0); 15];
        for &(confidence, correct) in &self.0 {
            let bin = &mut bins[((confidence * 15.0) as usize).min(14)];
            bin.0 += confidence;
            bin.1 += f64::from(u8::from(correct));
        }
        bins.iter()
            .map(|(confidence, correct): &(f64, f64)| (confidence - correct).abs())
            .sum::<f64>()
            / self.0.len() as f64
    }

    /// The 95th of 100 sorted errors, with each prediction drawn to be correct with the probability
    /// of its confidence.
    fn ece_by_chance(&self) -> f64 {
        let mut errors: Vec<f64> = (0..100)
            .map(|draw| {
                let mut stream = Stream::new(draw, Purpose::Inspect, 0, 0);
                let redraw =
                    |&(confidence, _): &(f64, bool)| (confidence, stream.uniform() < confidence);
                Predictions(self.0.iter().map(redraw).collect()).ece()
            })
            .collect();
        errors.sort_by(f64::total_cmp);
        errors[94]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibrated_predictions_stay_below_the_chance_level_of_the_calibration_error() {
        let mut stream = Stream::new(7, Purpose::Inspect, 0, 2);
        let predictions = |excess: f64, stream: &mut Stream| {
            let predict = |i: usize| {
                let confidence = 0.5 + 0.4 * (i % 100) as f64 / 100.0;
                (confidence, stream.uniform() < confidence - excess)
            };
            Predictions((0..4000).map(predict).collect())
        };
        let calibrated = predictions(0.0, &mut stream);
        let chance = calibrated.ece_by_chance();
        assert!(calibrated.ece() < chance && chance < 0.04);
        let overconfident = predictions(0.1, &mut stream);
        assert!(overconfident.ece() > 2.0 * overconfident.ece_by_chance());
    }
}
