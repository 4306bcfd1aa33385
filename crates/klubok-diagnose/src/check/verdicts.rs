//! Turns findings into verdicts; every threshold has its source.

use klubok_train::{
    config::{Change, Config, Init},
    event::{Verdict, VerdictName},
};

use super::{
    Baselines, Findings, OneBatch, RangeTest, one_batch::WIDE, permutation_test::PermutationTest,
};
use crate::data_quality::{self, verdict_at_start};

/// Largest initial loss as a multiple of the loss of a uniform distribution. Karpathy (2019) wants
/// them equal; normal He initialisation of the output layer reaches up to 1.7 times with two
/// classes and does little harm.
const MAX_INITIAL_LOSS: f64 = 2.0;
/// The labels depend on the inputs if the largest of three z scores reaches this. The largest of
/// three independent ones stays below it in 99 of 100 random permutations of the labels.
const MIN_Z: f64 = 2.7;
/// Smallest validation set on which the test finds weak signals.
const MIN_SAMPLES: usize = 200;
/// The network has learned nothing from one batch if the loss stays above this share of the first
/// loss.
const STUCK_SHARE: f64 = 0.9;

/// All verdicts, the most severe first.
pub(super) fn verdicts(findings: &Findings, config: &Config) -> Vec<Verdict> {
    let mut verdicts = data_quality::verdicts(&findings.data, config);
    verdicts.extend(initial_loss(findings, config));
    let too_small = one_batch(&findings.one_batch, config);
    verdicts.extend(too_small.or_else(|| too_narrow(&findings.baselines, config)));
    verdicts.extend(labels_look_shuffled(findings));
    verdicts.extend(findings.learning_rate.verdict());
    verdicts.sort_by_key(|verdict| std::cmp::Reverse(verdict.severity));
    verdicts
}

fn initial_loss(findings: &Findings, config: &Config) -> Option<Verdict> {
    let (loss, expected) = (findings.initial_loss.loss, findings.initial_loss.expected);
    let high = loss > MAX_INITIAL_LOSS * expected || !loss.is_finite();
    high.then(|| {
        // If the inputs have a wrong scale, initialising the output layer differently only hides
        // it.
        let change = match (config.data.normalize, config.model.output_init) {
            (false, _) => Some(Change::new("data.normalize", true)),
            (true, Init::Zeros) => None,
            (true, _) => Some(Change::new("model.output_init", "zeros")),
        };
        let numbers = [("loss", loss), ("expected", expected)];
        verdict_at_start(VerdictName::InitialLoss, &numbers, change.into_iter().collect())
    })
}

/// The network is too small if a wide copy overfits the batch. If neither does and the loss is
/// stuck, something keeps it from learning.
fn one_batch(batch: &OneBatch, config: &Config) -> Option<Verdict> {
    if batch.learnt {
        return None;
    }
    let mut numbers = vec![
        ("samples", batch.samples as f64),
        ("steps", batch.steps as f64),
        ("loss", batch.loss),
        ("loss_first", batch.first_loss),
        ("loss_now", batch.loss),
    ];
    numbers.extend(batch.accuracy.map(|accuracy| ("accuracy", accuracy)));
    if batch.wide_copy_learnt == Some(true) {
        return Some(verdict_at_start(VerdictName::NetworkTooSmall, &numbers, wider(config)));
    }
    let learned = batch.loss < STUCK_SHARE * batch.first_loss;
    (!learned).then(|| {
        let change = match (config.model.init, config.data.normalize) {
            (Init::Zeros, _) => Some(Change::new("model.init", "he")),
            (_, false) => Some(Change::new("data.normalize", true)),
            _ => None,
        };
        verdict_at_start(VerdictName::UnderFitting, &numbers, change.into_iter().collect())
    })
}

/// A hidden layer has fewer units than there are classes, and the network is significantly worse
/// than a baseline without that layer.
fn too_narrow(baselines: &Baselines, config: &Config) -> Option<Verdict> {
    let network = baselines.narrow_network?;
    let (linear, small) = (baselines.linear, baselines.small_network);
    let best = if linear.accuracy > small.accuracy { linear } else { small };
    let intervals = network.accuracy_interval.zip(best.accuracy_interval);
    let significantly_worse = intervals.is_some_and(|([_, high], [low, _])| high < low);
    significantly_worse.then(|| {
        let narrowest = config.model.hidden.iter().min().copied().unwrap_or(0);
        let numbers = [
            ("narrowest", narrowest as f64),
            ("accuracy", network.accuracy.unwrap_or(f64::NAN)),
            ("wide_accuracy", best.accuracy.unwrap_or(f64::NAN)),
        ];
        verdict_at_start(VerdictName::NetworkTooSmall, &numbers, wider(config))
    })
}

/// One wide layer like that of the wide copy, or a wider one if the network already has it.
fn wider(config: &Config) -> Vec<Change> {
    let units = if config.model.hidden[..] == [WIDE] { 4 * WIDE } else { WIDE };
    vec![Change::new("model.hidden", units)]
}

fn labels_look_shuffled(findings: &Findings) -> Option<Verdict> {
    let (labels, baselines) = (&findings.labels, &findings.baselines);
    let shuffled = labels.samples >= MIN_SAMPLES && !labels.depend_on_inputs();
    shuffled.then(|| {
        let mut numbers = vec![
            ("samples", labels.samples as f64),
            ("linear_z", labels.linear_z),
            ("small_network_z", labels.small_network_z),
            ("neighbours_z", labels.neighbours_z),
        ];
        let more = [
            ("accuracy", baselines.small_network.accuracy),
            ("chance", baselines.priors.accuracy),
            ("neighbours_agree", labels.neighbours_agree),
            ("neighbours_by_chance", labels.neighbours_by_chance),
        ];
        numbers.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
        verdict_at_start(VerdictName::LabelsLookShuffled, &numbers, Vec::new())
    })
}

impl PermutationTest {
    /// True if the labels depend on the inputs by more than chance explains.
    pub fn depend_on_inputs(&self) -> bool {
        self.largest_z() >= MIN_Z
    }
}

impl RangeTest {
    /// The verdict on the configured learning rate.
    pub fn verdict(&self) -> Option<Verdict> {
        self.too_high().or(self.too_low())
    }

    /// The configured rate is above the rate that undid the progress, and a short training at the
    /// configured rate learned nothing.
    fn too_high(&self) -> Option<Verdict> {
        let exploded_at = self.undone_at().filter(|_| self.learns == Some(false))?;
        let now = self.curve.last().map_or(f64::NAN, |point| point.1);
        let numbers = [
            ("learning_rate", self.configured),
            ("exploded_at", exploded_at),
            ("loss_lowest", self.lowest_loss),
            ("loss_now", now),
        ];
        let rate = self.proposed.unwrap_or(exploded_at * 0.1);
        let change = Change::new("train.learning_rate", rate);
        Some(verdict_at_start(VerdictName::LearningRateTooHigh, &numbers, vec![change]))
    }

    /// The planned training would make less progress than this test made until its loss had
    /// decreased a little.
    fn too_low(&self) -> Option<Verdict> {
        let proposed = self.proposed.filter(|proposed| *proposed > self.configured)?;
        let least = self.least.filter(|least| *least > self.configured)?;
        let numbers =
            [("learning_rate", self.configured), ("proposed", proposed), ("least", least)];
        let change = Change::new("train.learning_rate", proposed);
        Some(verdict_at_start(VerdictName::LearningRateTooLow, &numbers, vec![change]))
    }
}

#[cfg(test)]
mod tests {
    use klubok_train::config::{ConfigBuilder, DataKind, Machine, Preset};

    use super::*;

    fn config(set: &str) -> Config {
        let mut builder = ConfigBuilder::new(Preset::Plain, DataKind::Points);
        builder.assign(set).unwrap();
        builder.resolve(&Machine::plain(1)).unwrap().config
    }

    fn batch(loss: f64, wide_copy_learnt: Option<bool>) -> OneBatch {
        let (samples, steps, first_loss, accuracy) = (32, 200, 0.7, 0.5);
        let accuracy = Some(accuracy);
        OneBatch { samples, learnt: false, steps, first_loss, loss, accuracy, wide_copy_learnt }
    }

    #[test]
    fn a_wide_copy_tells_a_small_network_from_one_that_cannot_learn() {
        let verdict = |batch: &OneBatch, set: &str| {
            one_batch(batch, &config(set)).map(|verdict| (verdict.name, verdict.try_))
        };
        let plain = "train.seed=1";
        let small = (VerdictName::NetworkTooSmall, "--set model.hidden=256".to_owned());
        assert_eq!(verdict(&batch(0.3, Some(true)), plain), Some(small));
        let stuck = verdict(&batch(0.69, Some(false)), "model.init=zeros");
        let try_ = "--set model.init=he".to_owned();
        assert_eq!(stuck, Some((VerdictName::UnderFitting, try_)));
        // A NaN loss counts as stuck.
        let broken = verdict(&batch(f64::NAN, Some(false)), plain);
        assert_eq!(broken, Some((VerdictName::UnderFitting, String::new())));
        // The network learned a part of the batch, and more units do not help.
        assert_eq!(verdict(&batch(0.3, Some(false)), plain), None);
        assert_eq!(verdict(&OneBatch { learnt: true, ..batch(0.01, None) }, plain), None);
    }
}
