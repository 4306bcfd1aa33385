//! From findings to verdicts, with the limits and where they come from.

use klubok_train::{
    config::{Change, Config, Init},
    event::{Verdict, VerdictName},
};

use super::{Baselines, Findings, OneBatch, RangeTest, labels::Labels, one_batch::WIDE};
use crate::before::{self, verdict};

/// How many times the loss of even confidences a start may cost. Karpathy (2019) wants them equal;
/// a normal He start of the output layer costs up to 1.7 times that with two classes and does
/// little harm.
const START: f64 = 2.0;
/// Standard deviations above chance that the strongest witness of three must see: three independent
/// ones stay below it in 99 of 100 cases where labels are in a random order.
const BY_CHANCE: f64 = 2.7;
/// Samples of the validation part below which a real signal could go unseen.
const ENOUGH: usize = 200;
/// Share of the first loss that is still there after learning one batch in vain, when nothing was
/// learnt at all.
const NOTHING: f64 = 0.9;

/// What is wrong, the worst first.
pub(super) fn verdicts(findings: &Findings, config: &Config) -> Vec<Verdict> {
    let mut verdicts = before::verdicts(&findings.data, config);
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
    let high = loss > START * expected || !loss.is_finite();
    high.then(|| {
        // Inputs of a wrong scale are the cause, a start of the output layer only hides it.
        let change = match (config.data.normalize, config.model.output_init) {
            (false, _) => Some(Change::new("data.normalize", true)),
            (true, Init::Zeros) => None,
            (true, _) => Some(Change::new("model.output_init", "zeros")),
        };
        let numbers = [("loss", loss), ("expected", expected)];
        verdict(VerdictName::InitialLoss, &numbers, change.into_iter().collect())
    })
}

/// Too small, where a wide copy learns the batch; where that learns it neither, nothing is learnt
/// at all.
fn one_batch(batch: &OneBatch, config: &Config) -> Option<Verdict> {
    if batch.learnt {
        return None;
    }
    let numbers = [
        ("samples", batch.samples as f64),
        ("accuracy", batch.accuracy),
        ("steps", batch.steps as f64),
        ("loss", batch.loss),
        ("loss_first", batch.first_loss),
        ("loss_now", batch.loss),
    ];
    if batch.wide_copy_learnt == Some(true) {
        return Some(verdict(VerdictName::NetworkTooSmall, &numbers, wider(config)));
    }
    let fell = batch.loss < NOTHING * batch.first_loss;
    (!fell).then(|| {
        let change = match (config.model.init, config.data.normalize) {
            (Init::Zeros, _) => Some(Change::new("model.init", "he")),
            (_, false) => Some(Change::new("data.normalize", true)),
            _ => None,
        };
        verdict(VerdictName::UnderFitting, &numbers, change.into_iter().collect())
    })
}

/// Some layer has fewer units than there are classes, and the network is surely worse than one
/// without it.
fn too_narrow(baselines: &Baselines, config: &Config) -> Option<Verdict> {
    let network = baselines.narrow_network?;
    let (linear, small) = (baselines.linear, baselines.small_network);
    let best = if linear.accuracy > small.accuracy { linear } else { small };
    let surely_worse = network.accuracy_interval[1] < best.accuracy_interval[0];
    surely_worse.then(|| {
        let narrowest = config.model.hidden.iter().min().copied().unwrap_or(0);
        let numbers = [
            ("narrowest", narrowest as f64),
            ("accuracy", network.accuracy),
            ("wide_accuracy", best.accuracy),
        ];
        verdict(VerdictName::NetworkTooSmall, &numbers, wider(config))
    })
}

/// One wide layer, as the copy had that learnt; a wider one where that is what there is.
fn wider(config: &Config) -> Vec<Change> {
    let units = if config.model.hidden[..] == [WIDE] { 4 * WIDE } else { WIDE };
    vec![Change::new("model.hidden", units)]
}

fn labels_look_shuffled(findings: &Findings) -> Option<Verdict> {
    let (labels, baselines) = (&findings.labels, &findings.baselines);
    let shuffled = labels.samples >= ENOUGH && !labels.follow_inputs();
    shuffled.then(|| {
        let numbers = [
            ("samples", labels.samples as f64),
            ("accuracy", baselines.small_network.accuracy),
            ("chance", baselines.priors.accuracy),
            ("linear_z", labels.linear_z),
            ("small_network_z", labels.small_network_z),
            ("neighbours_z", labels.neighbours_z),
            ("neighbours_agree", labels.neighbours_agree),
            ("neighbours_by_chance", labels.neighbours_by_chance),
        ];
        verdict(VerdictName::LabelsLookShuffled, &numbers, Vec::new())
    })
}

impl Labels {
    /// Whether the labels follow the inputs by more than chance explains.
    pub fn follow_inputs(&self) -> bool {
        self.strongest() >= BY_CHANCE
    }
}

impl RangeTest {
    /// What is wrong with the rate that the settings have.
    pub fn verdict(&self) -> Option<Verdict> {
        self.too_high().or(self.too_low())
    }

    /// The rate that the settings have is above the one that undid what had been learnt, and a
    /// training at it learnt nothing.
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
        Some(verdict(VerdictName::LearningRateTooHigh, &numbers, vec![change]))
    }

    /// The planned training would not come as far as this test had come when its loss had fallen a
    /// little.
    fn too_low(&self) -> Option<Verdict> {
        let proposed = self.proposed.filter(|proposed| *proposed > self.configured)?;
        let least = self.least.filter(|least| *least > self.configured)?;
        let numbers =
            [("learning_rate", self.configured), ("proposed", proposed), ("least", least)];
        let change = Change::new("train.learning_rate", proposed);
        Some(verdict(VerdictName::LearningRateTooLow, &numbers, vec![change]))
    }
}

#[cfg(test)]
mod tests {
    use klubok_train::config::{ConfigBuilder, DataKind, Machine, Preset};

    use super::*;

    fn config(set: &str) -> Config {
        let mut layers = ConfigBuilder::new(Preset::Plain, DataKind::Points);
        layers.assign(set).unwrap();
        layers.resolve(&Machine::plain(1)).unwrap().config
    }

    fn batch(loss: f64, wide_copy_learnt: Option<bool>) -> OneBatch {
        let (samples, steps, first_loss, accuracy) = (32, 200, 0.7, 0.5);
        OneBatch { samples, learnt: false, steps, first_loss, loss, accuracy, wide_copy_learnt }
    }

    #[test]
    fn a_wide_copy_decides_what_is_wrong_with_one_batch() {
        let of = |batch: &OneBatch, set: &str| {
            one_batch(batch, &config(set)).map(|verdict| (verdict.name, verdict.try_))
        };
        let plain = "train.seed=1";
        let small = (VerdictName::NetworkTooSmall, "--set model.hidden=256".to_owned());
        assert_eq!(of(&batch(0.3, Some(true)), plain), Some(small));
        let nothing = of(&batch(0.69, Some(false)), "model.init=zeros");
        let try_ = "--set model.init=he".to_owned();
        assert_eq!(nothing, Some((VerdictName::UnderFitting, try_)));
        // A loss that is no number is not one that fell.
        let broken = of(&batch(f64::NAN, Some(false)), plain);
        assert_eq!(broken, Some((VerdictName::UnderFitting, String::new())));
        // Something was learnt, only not all of it, and more units do not help.
        assert_eq!(of(&batch(0.3, Some(false)), plain), None);
        assert_eq!(of(&OneBatch { learnt: true, ..batch(0.01, None) }, plain), None);
    }
}
