//! One training, epoch by epoch: what parts of several sizes say of it, and what is true.

use anyhow::Result;
use klubok::{
    backend::{Backend, DataId, Outputs},
    config::{Config, ConfigBuilder, Preset},
    data::Dataset,
    nn::calibration::Calibration,
    plan::Plan,
    rng::{Purpose, Stream},
    train::{
        control::Control,
        evaluate::visit,
        event::{Event, Observer},
        task::Task,
        trainer::{Snapshot, Trainer},
    },
};
use serde::{Deserialize, Serialize};

use crate::set::{Set, deal};

/// Sizes of the part that chooses.
pub(crate) const SIZES: [usize; 4] = [60, 300, 1000, 5000];

/// What a training was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Course {
    pub(crate) set: Set,
    pub(crate) preset: String,
    pub(crate) train: usize,
    pub(crate) seed: u64,
    /// Epochs without a better one before it would have stopped; none where it never would.
    pub(crate) patience: Option<u64>,
    /// Epoch 0 is before any update.
    pub(crate) epochs: Vec<Epoch>,
}

/// The end of an epoch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// Share of right answers on samples that chose nothing.
    pub(crate) accuracy: f64,
    /// Cross-entropy on them, as the network has it.
    pub(crate) loss: f64,
    /// The best temperature on them, and the cross-entropy with it.
    pub(crate) best_temperature: f64,
    pub(crate) best_loss: f64,
    /// In the order of [`SIZES`].
    pub(crate) seen: Vec<Seen>,
}

/// What a part that chooses says of an epoch, and what comes of it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) loss: f64,
    pub(crate) calibrated: f64,
    pub(crate) temperature: f64,
    /// Wrong answers.
    pub(crate) errors: u64,
    /// Cross-entropy on the samples that chose nothing, with this temperature.
    pub(crate) judged: f64,
    /// The same without all answers alike mixed in.
    pub(crate) judged_unmixed: f64,
    /// Expected calibration error there (15 bins), with this temperature.
    pub(crate) ece: f64,
    /// What 95 of 100 networks with the same confidences stay below that are right as often as they
    /// say; none in older records.
    #[serde(default)]
    pub(crate) ece_by_chance: Option<f64>,
}

/// What computes, by the settings.
///
/// # Errors
/// When this machine lacks their kernel.
pub(crate) fn backend(config: &Config) -> Result<Box<dyn Backend>> {
    let train = &config.train;
    Ok(klubok::device::open(train.device, train.kernel, train.threads, train.precision)?)
}

/// The settings of a set, with everything done to the end.
pub(crate) fn settings(set: Set, preset: Preset, seed: u64) -> Result<(Config, Option<u64>)> {
    let mut layers = ConfigBuilder::new(preset, set.kind());
    layers.set("train.seed", &seed.to_string())?;
    let machine = klubok::device::machine();
    let mut config = layers.resolve(&machine)?.config;
    let patience = config.train.early_stopping.then_some(config.train.patience);
    config.train.early_stopping = false;
    Ok((config, patience))
}

/// Trains once.
pub(crate) fn run(
    data: &Dataset,
    set: Set,
    preset: Preset,
    train: usize,
    seed: u64,
) -> Result<Course> {
    let (_, patience) = settings(set, preset, seed)?;
    let mut epochs = Vec::new();
    visit_epochs(data, set, preset, train, seed, &mut |_, [pool, judges]| {
        epochs.push(look(pool, judges));
        Ok(())
    })?;
    Ok(Course { set, preset: preset.name().into(), train, seed, patience, epochs })
}

/// Trains once, and shows after each epoch (0 is before any update) the logits of the pool that
/// chooses and of the samples that judge.
pub(crate) fn visit_epochs(
    data: &Dataset,
    set: Set,
    preset: Preset,
    train: usize,
    seed: u64,
    show: &mut dyn FnMut(u64, &[Logits; 2]) -> Result<()>,
) -> Result<()> {
    let (config, _) = settings(set, preset, seed)?;
    let (data, judges) = deal(data, train, seed)?;
    let backend = backend(&config)?;
    let task = Task::new(&config, &data)?;
    let mut looker = Looker::new(&*backend, &task.plan, &data)?;
    let plan = task.plan.clone();
    let mut own = data.clone();
    own.parts.val.clear();
    let mut trainer =
        Trainer::new(&*backend, plan, &own, &config.train, Snapshot::start(task.initial_state))?;
    let (mut next, mut silent, control) = (0, Silent, Control::new());
    loop {
        let stopped = trainer.advance(&mut silent, &control)?;
        let Snapshot { progress, state, .. } = trainer.snapshot()?;
        if progress.position == 0 && progress.epoch == next {
            looker.program.load(&state)?;
            show(next, &[looker.logits(&data.parts.val)?, looker.logits(&judges)?])?;
            next += 1;
        }
        if stopped.is_some() {
            break;
        }
    }
    Ok(())
}

struct Silent;

impl Observer for Silent {
    fn observe(&mut self, _: &Event<'_>) -> klubok::train::Result<()> {
        Ok(())
    }
}

/// What a network says of some samples, and what they are.
pub(crate) struct Logits {
    z: Vec<f32>,
    outputs: usize,
    pub(crate) classes: Vec<u32>,
}

impl Logits {
    /// Some of them, by number.
    pub(crate) fn of(&self, rows: &[u32]) -> Self {
        let one = |&row: &u32| &self.z[row as usize * self.outputs..][..self.outputs];
        Self {
            z: rows.iter().flat_map(one).copied().collect(),
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

    fn fitted(&self) -> Calibration {
        Calibration::fit(&self.z, self.outputs, &self.classes)
    }

    /// Cross-entropy of the confidences.
    pub(crate) fn loss(&self, calibration: Calibration) -> f64 {
        calibration.loss(&self.z, self.outputs, &self.classes).unwrap_or(f64::NAN)
    }

    /// Right answers.
    fn right(&self) -> u64 {
        let rows = self.z.chunks_exact(self.outputs).zip(&self.classes);
        rows.filter(|(z, class)| largest(z) == **class as usize).count() as u64
    }
}

/// Looks at a network with the eyes of every part.
fn look(pool: &Logits, judges: &Logits) -> Epoch {
    let best = judges.fitted();
    let seen = SIZES.map(|size| {
        let own = pool.first(size);
        let fitted = own.fitted();
        let answers = Answers::new(fitted, judges);
        Seen {
            loss: own.loss(Calibration::NONE),
            calibrated: own.loss(fitted),
            temperature: fitted.temperature,
            errors: size as u64 - own.right(),
            judged: judges.loss(fitted),
            judged_unmixed: judges.loss(Calibration { uniform: 0.0, ..fitted }),
            ece: answers.ece(),
            ece_by_chance: Some(answers.by_chance()),
        }
    });
    Epoch {
        accuracy: judges.right() as f64 / judges.classes.len() as f64,
        loss: judges.loss(Calibration::NONE),
        best_temperature: best.temperature,
        best_loss: judges.loss(Calibration { uniform: 0.0, ..best }),
        seen: seen.to_vec(),
    }
}

/// Gets logits from a network.
struct Looker<'a> {
    program: Box<dyn klubok::backend::Program>,
    plan: &'a Plan,
    data: &'a Dataset,
}

impl<'a> Looker<'a> {
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
        let classes = rows.iter().map(|&row| self.data.targets[row as usize]).collect();
        Ok(Logits { z, outputs: self.data.classes.len(), classes })
    }
}

pub(crate) fn largest(z: &[f32]) -> usize {
    (1..z.len()).fold(0, |best, i| if z[i] > z[best] { i } else { best })
}

/// Confidences of the answers, and whether they are right.
struct Answers(Vec<(f64, bool)>);

impl Answers {
    fn new(calibration: Calibration, Logits { z, outputs, classes }: &Logits) -> Self {
        let one = |(z, &class): (&[f32], &u32)| {
            let mut p: Vec<f64> = z.iter().map(|&z| f64::from(z)).collect();
            calibration.confidences(&mut p);
            let answer = largest(z);
            (p[answer], answer == class as usize)
        };
        Self(z.chunks_exact(*outputs).zip(classes).map(one).collect())
    }

    /// Expected calibration error over 15 bins of equal width (Guo et al. 2017).
    fn ece(&self) -> f64 {
        let mut bins = [(0.0, 0.0); 15];
        for &(sure, right) in &self.0 {
            let bin = &mut bins[((sure * 15.0) as usize).min(14)];
            bin.0 += sure;
            bin.1 += f64::from(u8::from(right));
        }
        bins.iter().map(|(sure, right): &(f64, f64)| (sure - right).abs()).sum::<f64>()
            / self.0.len() as f64
    }

    /// The 95th of 100 such errors, in order, where every answer is right as often as it says.
    fn by_chance(&self) -> f64 {
        let mut errors: Vec<f64> = (0..100)
            .map(|draw| {
                let mut stream = Stream::new(draw, Purpose::Look, 0, 0);
                let drawn = |&(sure, _): &(f64, bool)| (sure, stream.uniform() < sure);
                Answers(self.0.iter().map(drawn).collect()).ece()
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
    fn answers_that_are_right_as_often_as_they_say_stay_below_what_chance_gives() {
        let mut stream = Stream::new(7, Purpose::Look, 0, 2);
        let answers = |more: f64, stream: &mut Stream| {
            let one = |i: usize| {
                let sure = 0.5 + 0.4 * (i % 100) as f64 / 100.0;
                (sure, stream.uniform() < sure - more)
            };
            Answers((0..4000).map(one).collect())
        };
        let honest = answers(0.0, &mut stream);
        assert!(honest.ece() < honest.by_chance() && honest.by_chance() < 0.04);
        let boasting = answers(0.1, &mut stream);
        assert!(boasting.ece() > 2.0 * boasting.by_chance());
    }
}
