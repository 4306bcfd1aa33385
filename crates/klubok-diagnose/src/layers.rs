//! What is wrong inside the network, judged from the figures of its layers, one line of metrics at
//! a time.
//!
//! Each rule looks at one line and finds that something holds, may begin, or does not. What holds
//! for as many epochs in a row as its rule asks is said, dated to the line with which it began;
//! what ends is taken back. The state is a few numbers, however long the training.
//!
//! Limits are from the literature where it has one, and were tried on healthy trainings of every
//! activation, update rule and depth that klubok has: a healthy network must raise no alarm. So
//! most rules ask beside their figure whether the network learns at all: batch normalisation makes
//! gradients long, an output layer that starts at zero lets nothing through at first and then grows
//! by large shares of itself, and a learning rate that decays makes updates small.

use std::collections::BTreeMap;

use klubok_train::event::{Evidence, LayerMetrics, Metrics, VerdictName};

use super::{
    evidence::{Finding, evidence},
    flat::is_good,
    labels::Chance,
    row::FOLLOW,
};

/// Share of a layer's units: dead from here on (`TheDeepChecker`; `AutoTrainer` has 0.7).
const DEAD: f64 = 0.5;
/// Share of a layer's outputs: saturated from here on, where it began so (`TheDeepChecker`).
const SATURATED: f64 = 0.5;
/// The same where it came with training: healthy tanh layers on pictures come to 0.6 and more.
const DRIVEN: f64 = 0.9;
/// The first hidden layer's gradient over the longest hidden one: vanished below this
/// (`AutoTrainer`).
const VANISHED: f64 = 1e-3;
/// The same of a network that gives all samples one answer: the gradient that fades is then what
/// holds it there. Each layer of sigmoids takes a quarter or less of it.
const FADES: f64 = 0.05;
/// Weights of a layer below this share of what they began with: a penalty has shrunk them to
/// nothing.
const COLLAPSED: f64 = 0.05;
/// Norm of the gradient over what it was at first: exploded from here on (`AutoTrainer`).
const EXPLODED: f64 = 70.0;
/// The same within an epoch: enough for a training that comes to no later one.
const EXPLODES: f64 = 7.0;
/// |dW| / |W| of a step: about 1e-3 is healthy (Karpathy). Two orders of magnitude below are out of
/// range.
const UPDATE: f64 = 1e-3;
/// Planted faults change 6 to 8 % of a layer a step (`cargo xtask bench diagnosis`).
const UPDATE_LARGE: f64 = 0.05;
/// See [`UPDATE`].
const UPDATE_SMALL: f64 = 1e-5;
/// `√(Σ var p)` below which all samples get the same answer: probabilities that differ by less than
/// a point.
const SAME_ANSWER: f64 = 0.01;
/// A spread that grows by this factor from epoch to epoch is that of a network that begins to
/// learn, unless it is [`NOTHING`].
const BEGINS: f64 = 1.05;
/// See [`BEGINS`]: this is rounding.
const NOTHING: f64 = 1e-5;
/// A layer lets nothing through: this share of its units is silent, or this share of its outputs is
/// above 0.
const KILLED: (f64, f64) = (0.99, 0.01);
/// A loss so many times the one before training has exploded, where it hardly comes below its start
/// again. Half of what fastai has for a loss that need not come back (Howard and Gugger 2020):
/// `klubok-studies rates` has trainings that rates too high had killed after 2.2 times.
const EXPLODED_LOSS: f64 = 2.0;
/// A loss above this share of the one before training is no learning.
const STUCK: f64 = 0.9;
/// A training accuracy so far above what guessing gives does not come from one answer for all.
const TELLS_APART: f64 = 0.1;

/// Follows the figures of the layers.
#[derive(Debug, Clone, Default)]
pub(super) struct Layers {
    pub(super) chance: Option<Chance>,
    /// The first line: before any update, when the whole history is known.
    first: Option<Metrics>,
    first_grad_norm: Option<f64>,
    /// Of the training losses, penalties included: the first one, and the highest so far.
    first_loss: Option<f64>,
    highest_loss: f64,
    last: Option<Metrics>,
    /// The largest update ratio of each layer so far.
    largest_updates: Vec<f64>,
    epochs: u64,
    held: BTreeMap<VerdictName, Held>,
}

/// Something that holds.
#[derive(Debug, Clone)]
struct Held {
    since: f64,
    /// Epochs for which it was found to hold.
    epochs: u64,
    evidence: Evidence,
}

impl Layers {
    /// Is told a line: of an epoch, or of a moment within one.
    pub(super) fn line(&mut self, line: &Metrics) {
        let whole = line.epoch.fract() == 0.0;
        let first = self.first.get_or_insert_with(|| line.clone()).clone();
        self.first_grad_norm = self.first_grad_norm.or(line.grad_norm);
        if whole && line.step > 0 {
            self.epochs += 1;
            self.largest_updates.resize(line.layers.len(), 0.0);
            for (largest, layer) in self.largest_updates.iter_mut().zip(&line.layers) {
                *largest = largest.max(layer.update_ratio.unwrap_or(0.0));
            }
        }
        if let Some(chance) = &mut self.chance {
            chance.line(line);
        }
        self.first_loss = self.first_loss.or(line.train_loss);
        self.highest_loss = line.train_loss.map_or(self.highest_loss, |x| x.max(self.highest_loss));
        let findings = [
            (VerdictName::LearningRateTooHigh, self.exploded_loss(line, &first)),
            (VerdictName::DeadUnits, dead(line)),
            (VerdictName::SaturatedUnits, saturated(line, &first)),
            (VerdictName::VanishingGradients, vanishing(line, &first)),
            (VerdictName::ExplodingGradients, self.exploding(line, &first)),
            (VerdictName::UpdateRatio, self.updates(line, &first)),
            (VerdictName::LearningRateKillsNetwork, killed(line, &first)),
            (VerdictName::PredictionsIgnoreInput, self.same_answers(line)),
            (
                VerdictName::LabelsLookShuffled,
                self.chance.as_ref().map_or(Finding::No, |chance| chance.shuffled(line)),
            ),
        ];
        for (name, finding) in findings {
            self.hold(name, finding, line, whole);
        }
        self.last = Some(line.clone());
    }

    fn hold(&mut self, name: VerdictName, finding: Finding, line: &Metrics, whole: bool) {
        let evidence = match finding {
            Finding::No => {
                self.held.remove(&name);
                return;
            }
            Finding::Open => None,
            Finding::Holds(evidence) => Some(evidence),
        };
        // What holds before any update holds from the first epoch on.
        let since = if line.step == 0 { 1.0 } else { line.epoch };
        let new = || Held { since, epochs: 0, evidence: Evidence::new() };
        let held = self.held.entry(name).or_insert_with(new);
        if let Some(evidence) = evidence {
            held.evidence = evidence;
            held.epochs += u64::from(whole && line.step > 0);
        }
    }

    /// What holds, since when, and what it rests on. A training whose loss `exploded` has no later
    /// epoch that could confirm what its last moments show; one whose loss `falls` evenly learns,
    /// if slowly.
    pub(super) fn findings(
        &self,
        exploded: bool,
        falls: bool,
    ) -> Vec<(VerdictName, f64, Evidence)> {
        let said = |name: VerdictName| {
            let held = self.held.get(&name)?;
            let last_moment = exploded && name == VerdictName::ExplodingGradients;
            let enough = held.epochs >= patience(name) || last_moment;
            (enough && !held.evidence.is_empty()).then_some(held)
        };
        let explained = |name: VerdictName| match name {
            // A dead network, or one that has hardly begun to learn, gives one answer: the cause is
            // said, and not this.
            VerdictName::PredictionsIgnoreInput => {
                exploded
                    || falls
                    || said(VerdictName::LearningRateKillsNetwork).is_some()
                    || self.held.contains_key(&VerdictName::UpdateRatio)
            }
            VerdictName::LearningRateTooHigh
            | VerdictName::LearningRateKillsNetwork
            | VerdictName::LabelsLookShuffled => exploded,
            _ => false,
        };
        let names = self.held.keys().copied().filter(|&name| !explained(name));
        names
            .filter_map(|name| said(name).map(|held| (name, held.since, held.evidence.clone())))
            .collect()
    }

    /// True when hidden layers have an activation whose range has ends.
    pub(super) fn can_saturate(&self) -> bool {
        let mut layers = self.last.iter().flat_map(|line| &line.layers);
        layers.any(|layer| layer.saturated_fraction.is_some())
    }

    /// True when a penalty has left hidden layers hardly any weights.
    pub(super) fn weights_collapsed(&self) -> bool {
        self.last.iter().zip(&self.first).any(|(last, first)| collapsed(last, first))
    }

    /// True when a hidden layer began with all weights at zero.
    pub(super) fn began_at_zero(&self) -> bool {
        self.first.iter().flat_map(hidden).any(|layer| layer.weight_norm == 0.0)
    }

    /// True where it is known how much of the layers the steps change.
    pub(super) fn know_updates(&self) -> bool {
        !self.largest_updates.is_empty()
    }

    /// The network has hardly moved, and learnt next to nothing: no step ever changed as much of a
    /// layer as is usual, and nothing else explains it.
    pub(super) fn hardly_moved(&self) -> Option<Evidence> {
        let (first, last) = (self.first.as_ref()?, self.last.as_ref()?);
        let largest = self.largest_updates.split_last()?.1.iter().copied().fold(0.0, f64::max);
        let known = 0.0 < largest && largest < UPDATE;
        let explained = [
            VerdictName::DeadUnits,
            VerdictName::SaturatedUnits,
            VerdictName::VanishingGradients,
            VerdictName::LearningRateKillsNetwork,
        ];
        let explained = explained.iter().any(|name| self.held.contains_key(name));
        let explained = explained || self.began_at_zero() || collapsed(last, first);
        let begun = last.step >= FOLLOW;
        if !begun || !known || explained || !stuck(last, first, STUCK) {
            return None;
        }
        Some(evidence(&[
            ("loss_first", first.train_eval_loss?),
            ("loss_now", last.train_eval_loss?),
            ("update_ratio", largest),
        ]))
    }

    /// True where it is said that a step changes too much or too little.
    pub(super) fn judge_updates(&self) -> bool {
        let held = self.held.get(&VerdictName::UpdateRatio);
        held.is_some_and(|held| held.epochs >= patience(VerdictName::UpdateRatio))
    }

    /// By which power of ten the learning rate should change for updates of the usual size.
    pub(super) fn rate_factor(&self) -> f64 {
        let evidence = self.held.get(&VerdictName::UpdateRatio).map(|held| &held.evidence);
        let ratios = evidence.into_iter().flatten().filter(|(name, _)| *name != "limit");
        let largest = ratios.map(|(_, ratio)| *ratio).fold(f64::MIN_POSITIVE, f64::max);
        power_of_ten(UPDATE / largest)
    }

    /// The same of a network that has hardly moved; none where that is not known.
    pub(super) fn rate_factor_of_crept(&self) -> Option<f64> {
        let largest = *self.hardly_moved()?.get("update_ratio")?;
        Some(power_of_ten(UPDATE / largest))
    }

    /// The loss has exploded and come back, but hardly below where it began: the steps that threw
    /// it off are too large.
    fn exploded_loss(&self, line: &Metrics, first: &Metrics) -> Finding {
        let (Some(then), highest) = (self.first_loss, self.highest_loss) else {
            return Finding::No;
        };
        if highest < EXPLODED_LOSS * then || !stuck(line, first, STUCK) {
            return Finding::No;
        }
        Finding::of(evidence(&[
            ("loss_first", then),
            ("loss_highest", highest),
            ("loss_now", line.train_eval_loss.unwrap_or(f64::NAN)),
        ]))
    }

    /// The gradient is far longer than it began, and the loss is no lower.
    fn exploding(&self, line: &Metrics, first: &Metrics) -> Finding {
        let (Some(now), Some(then)) = (line.grad_norm, self.first_grad_norm) else {
            return Finding::No;
        };
        let times = if line.epoch.fract() == 0.0 { EXPLODED } else { EXPLODES };
        if !(now >= times * then && stuck(line, first, 1.0)) {
            return Finding::No;
        }
        let mut found = evidence(&[
            ("grad_norm_first", then),
            ("grad_norm_now", now),
            ("times_first", now / then),
        ]);
        found.extend(by_layer(&line.layers, |layer| layer.grad_norm, |_| true));
        Finding::of(found)
    }

    /// A step changes too much of a hidden layer, or too little of all of them. The output layer is
    /// left out: where it starts at zero and finds nothing to learn, it stays small beside its
    /// steps.
    fn updates(&self, line: &Metrics, first: &Metrics) -> Finding {
        // Whatever changes weights that are almost gone changes much of them.
        if collapsed(line, first) {
            return Finding::No;
        }
        let large =
            by_layer(hidden(line), |layer| layer.update_ratio, |ratio| ratio > UPDATE_LARGE);
        if !large.is_empty() {
            return Finding::Holds(with_limit(large, UPDATE_LARGE));
        }
        let blocked = hidden(line).any(|layer| layer.silent_fraction.is_some_and(|s| s >= DEAD));
        let largest = hidden(line).zip(&self.largest_updates);
        let small = |&ratio: &f64| 0.0 < ratio && ratio < UPDATE_SMALL;
        let all = largest.clone().next().is_some() && largest.clone().all(|(_, l)| small(l));
        if !all || blocked || !stuck(line, first, STUCK) {
            return Finding::No;
        }
        let small = largest.map(|(layer, ratio)| (layer.name.clone(), *ratio)).collect();
        // A learning rate that rises from 0 makes small updates at first.
        if self.epochs < 3 {
            Finding::Open
        } else {
            Finding::Holds(with_limit(small, UPDATE_SMALL))
        }
    }

    /// All samples get the same answer, and that does not begin to change.
    fn same_answers(&self, line: &Metrics) -> Finding {
        let Some(spread) = line.prediction_spread.filter(|&spread| spread < SAME_ANSWER) else {
            return Finding::No;
        };
        let chance = self.chance.as_ref().map(|chance| chance.accuracy);
        let accuracy = chance.zip(line.train_accuracy);
        if accuracy.is_some_and(|(chance, accuracy)| accuracy > chance + TELLS_APART) {
            return Finding::No;
        }
        // An output layer that starts at zero gives one answer before any update.
        if line.step == 0 {
            return Finding::Open;
        }
        let before = self.last.as_ref().and_then(|last| last.prediction_spread);
        if before.is_some_and(|before| spread > BEGINS * before && spread > NOTHING) {
            return Finding::Open;
        }
        let loss = line.train_eval_loss.unwrap_or(f64::NAN);
        Finding::of(evidence(&[("prediction_spread", spread), ("loss_now", loss)]))
    }
}

fn power_of_ten(factor: f64) -> f64 {
    10f64.powf(factor.log10().round().clamp(-3.0, 3.0))
}

/// Epochs for which it must hold before it is said.
fn patience(name: VerdictName) -> u64 {
    match name {
        VerdictName::LearningRateTooHigh
        | VerdictName::PredictionsIgnoreInput
        | VerdictName::UpdateRatio => 3,
        VerdictName::SaturatedUnits
        | VerdictName::VanishingGradients
        | VerdictName::ExplodingGradients
        | VerdictName::LearningRateKillsNetwork => 2,
        _ => 1,
    }
}

/// Many units of a layer are silent on all training samples.
fn dead(line: &Metrics) -> Finding {
    let dead = |share: f64| share >= DEAD;
    let silent = by_layer(&line.layers, |layer| layer.silent_fraction, dead);
    let known = hidden(line).all(|layer| layer.dead_fraction.is_some());
    match known {
        true => Finding::of(by_layer(&line.layers, |layer| layer.dead_fraction, dead)),
        false if silent.is_empty() => Finding::No,
        false => Finding::Open,
    }
}

/// Many outputs are at the edge of their range from the start, or almost all were driven there by
/// training.
fn saturated(line: &Metrics, first: &Metrics) -> Finding {
    let share = |layer: &LayerMetrics| layer.saturated_fraction;
    let began = by_layer(&first.layers, share, |share| share >= SATURATED);
    let now = by_layer(&line.layers, share, |share| share >= SATURATED);
    let is_fault = |(name, share): &(String, f64)| began.contains_key(name) || *share >= DRIVEN;
    Finding::of(now.into_iter().filter(is_fault).collect())
}

/// The gradient fades between the last hidden layer and the first. The output layer is left out:
/// where it is near zero it lets little through, whatever is below it.
fn vanishing(line: &Metrics, first: &Metrics) -> Finding {
    let one_answer = line.prediction_spread.is_some_and(|spread| spread < SAME_ANSWER);
    let held = line.step > 0 && one_answer && stuck(line, first, STUCK) && !collapsed(line, first);
    let limit = if held { FADES } else { VANISHED };
    let norms = || hidden(line).filter_map(|layer| layer.grad_norm);
    let longest = norms().fold(0.0, f64::max);
    let vanished = |norm: f64| 0.0 < norm && norm < limit * longest;
    if is_good(line.train_accuracy) || !norms().next().is_some_and(vanished) {
        return Finding::No;
    }
    let share = |layer: &LayerMetrics| layer.grad_norm.map(|norm| norm / longest);
    Finding::of(by_layer(hidden(line), share, |share| share < limit))
}

/// A layer that was alive before training lets nothing through any more.
fn killed(line: &Metrics, first: &Metrics) -> Finding {
    if !line.prediction_spread.is_some_and(|spread| spread < SAME_ANSWER) || collapsed(line, first)
    {
        return Finding::No;
    }
    let is_silent = |layer: &LayerMetrics| {
        let silent = layer.silent_fraction.is_some_and(|share| share >= KILLED.0);
        silent || layer.active_fraction.is_some_and(|share| share <= KILLED.1)
    };
    let alive = |layer: &LayerMetrics| layer.silent_fraction.is_some_and(|share| share < DEAD);
    let layers = hidden(line).zip(hidden(first));
    let killed = layers.filter(|(now, then)| is_silent(now) && alive(then) && !is_silent(then));
    let share = |layer: &LayerMetrics| Some((layer.name.clone(), layer.active_fraction?));
    let mut found: Evidence = killed.filter_map(|(now, _)| share(now)).collect();
    if !found.is_empty() {
        found.extend(evidence(&[("loss_now", line.train_eval_loss.unwrap_or(f64::NAN))]));
    }
    Finding::of(found)
}

/// True when the training loss is above this share of what it was before training.
fn stuck(line: &Metrics, first: &Metrics, share: f64) -> bool {
    let losses = line.train_eval_loss.zip(first.train_eval_loss);
    losses.is_some_and(|(now, then)| now > share * then)
}

/// A hidden layer has hardly any weights left.
fn collapsed(line: &Metrics, first: &Metrics) -> bool {
    hidden(line)
        .zip(hidden(first))
        .any(|(now, then)| now.weight_norm < COLLAPSED * then.weight_norm)
}

/// All layers but the output.
fn hidden(line: &Metrics) -> impl Iterator<Item = &LayerMetrics> + Clone {
    line.layers.split_last().map_or(&[][..], |(_, hidden)| hidden).iter()
}

/// The figures that are wrong, by the names of their layers.
fn by_layer<'a>(
    layers: impl IntoIterator<Item = &'a LayerMetrics>,
    figure: impl Fn(&LayerMetrics) -> Option<f64>,
    wrong: impl Fn(f64) -> bool,
) -> Evidence {
    let figures = layers.into_iter().filter_map(|layer| Some((layer.name.clone(), figure(layer)?)));
    figures.filter(|&(_, figure)| figure.is_finite() && wrong(figure)).collect()
}

fn with_limit(mut evidence: Evidence, limit: f64) -> Evidence {
    evidence.insert("limit".to_owned(), limit);
    evidence
}
