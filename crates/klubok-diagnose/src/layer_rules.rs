//! Rules on the figures of the layers, one record of metrics at a time.
//!
//! Each rule inspects one record and holds, does not hold, or is undecided. A rule that holds for
//! enough epochs in a row raises its verdict, dated to the first of them; a rule that no longer
//! holds clears it. The state is a few numbers, however long the training.
//!
//! Thresholds come from the literature where it has one. They were tested on healthy trainings of
//! every activation, update rule and depth that klubok has, and must raise no verdict there. So
//! most rules also check whether the network learns: batch normalisation makes gradients large, an
//! output layer that starts at zero passes no gradient at first and then grows by large shares of
//! itself, and a decaying learning rate makes updates small.

use std::collections::BTreeMap;

use klubok_train::event::{Evidence, LayerMetrics, Metrics, VerdictName};

use super::{
    evidence::{Finding, evidence},
    plateau::is_good,
    row::MIN_STEPS,
    shuffled_labels::ChanceLevel,
};

/// A layer with at least this share of dead units is at fault (`TheDeepChecker`; `AutoTrainer` has
/// 0.7).
const DEAD_SHARE: f64 = 0.5;
/// A layer with at least this share of saturated outputs is at fault if it began so
/// (`TheDeepChecker`).
const SATURATED_SHARE: f64 = 0.5;
/// Saturated share at which training has driven a layer into saturation. Healthy tanh layers on
/// pictures reach 0.6 and more.
const DRIVEN_SHARE: f64 = 0.9;
/// The gradient has vanished if the first hidden layer's norm is below this share of the largest
/// hidden one (`AutoTrainer`).
const VANISHED_SHARE: f64 = 1e-3;
/// The same threshold for a network with one output for all samples, which the fading gradient
/// keeps stuck. Each sigmoid layer scales the gradient by a quarter or less.
const FADING_SHARE: f64 = 0.05;
/// The weights of a layer have collapsed under a penalty if their norm is below this share of the
/// initial one.
const COLLAPSED_SHARE: f64 = 0.05;
/// The gradient has exploded at this multiple of its first norm (`AutoTrainer`).
const EXPLODED_GRADIENT: f64 = 70.0;
/// The same multiple within an epoch, for a training that diverges before the epoch ends.
const EXPLODED_GRADIENT_WITHIN_EPOCH: f64 = 7.0;
/// |dW| / |W| of a healthy step (Karpathy).
const HEALTHY_UPDATE: f64 = 1e-3;
/// A larger update ratio is a fault. Planted faults change 6 to 8 % of a layer per step
/// (`cargo xtask bench diagnosis`).
const MAX_UPDATE: f64 = 0.05;
/// A smaller update ratio is a fault: two orders of magnitude below [`HEALTHY_UPDATE`].
const MIN_UPDATE: f64 = 1e-5;
/// A prediction spread `√(Σ var p)` below this means the same output for all samples: probabilities
/// that differ by less than a percentage point.
const MIN_SPREAD: f64 = 0.01;
/// A spread that grows by this factor per epoch belongs to a network that begins to learn, unless
/// it is below [`ROUNDING_SPREAD`].
const SPREAD_GROWTH: f64 = 1.05;
/// A smaller spread is rounding error.
const ROUNDING_SPREAD: f64 = 1e-5;
/// A layer is dead if at least this share of its units is silent, or at most the second share of
/// its outputs is above 0.
const KILLED_SHARES: (f64, f64) = (0.99, 0.01);
/// The loss has exploded at this multiple of the loss before training, if it hardly returns below
/// its start. Half of fastai's multiple for a loss that need not return (Howard and Gugger 2020):
/// `klubok-studies rates` has trainings that a high learning rate killed after 2.2 times.
const EXPLODED_LOSS: f64 = 2.0;
/// The network is not learning while the loss is above this share of the loss before training.
const STUCK_SHARE: f64 = 0.9;
/// A training accuracy this far above chance level rules out one output for all samples.
const MIN_ACCURACY_GAIN: f64 = 0.1;

/// Tracks the figures of the layers and applies the rules.
#[derive(Debug, Clone, Default)]
pub(super) struct LayerRules {
    pub(super) chance: Option<ChanceLevel>,
    /// The first record; from before any update in a complete history.
    first: Option<Metrics>,
    first_grad_norm: Option<f64>,
    /// The first training loss, penalties included.
    first_loss: Option<f64>,
    /// The highest training loss so far, penalties included.
    highest_loss: f64,
    last: Option<Metrics>,
    /// The largest update ratio of each layer so far.
    largest_updates: Vec<f64>,
    epochs: u64,
    held: BTreeMap<VerdictName, Held>,
}

/// The state of a rule that holds or is undecided.
#[derive(Debug, Clone)]
struct Held {
    since: f64,
    /// Epochs in which the rule held.
    epochs: u64,
    evidence: Evidence,
}

impl LayerRules {
    /// Applies the rules to the record of an epoch, or of a step within one.
    pub(super) fn record(&mut self, metrics: &Metrics) {
        let is_epoch = metrics.epoch.fract() == 0.0;
        let first = self.first.get_or_insert_with(|| metrics.clone()).clone();
        self.first_grad_norm = self.first_grad_norm.or(metrics.grad_norm);
        if is_epoch && metrics.step > 0 {
            self.epochs += 1;
            self.largest_updates.resize(metrics.layers.len(), 0.0);
            for (largest, layer) in self.largest_updates.iter_mut().zip(&metrics.layers) {
                *largest = largest.max(layer.update_ratio.unwrap_or(0.0));
            }
        }
        if let Some(chance) = &mut self.chance {
            chance.record(metrics);
        }
        self.first_loss = self.first_loss.or(metrics.train_loss);
        self.highest_loss =
            metrics.train_loss.map_or(self.highest_loss, |x| x.max(self.highest_loss));
        let findings = [
            (VerdictName::LearningRateTooHigh, self.exploded_loss(metrics, &first)),
            (VerdictName::DeadUnits, dead(metrics)),
            (VerdictName::SaturatedUnits, saturated(metrics, &first)),
            (VerdictName::VanishingGradients, vanishing(metrics, &first)),
            (VerdictName::ExplodingGradients, self.exploding(metrics, &first)),
            (VerdictName::UpdateRatio, self.updates(metrics, &first)),
            (VerdictName::LearningRateKillsNetwork, killed(metrics, &first)),
            (VerdictName::PredictionsIgnoreInput, self.same_outputs(metrics)),
            (
                VerdictName::LabelsLookShuffled,
                self.chance.as_ref().map_or(Finding::No, |chance| chance.shuffled(metrics)),
            ),
        ];
        for (name, finding) in findings {
            self.update(name, finding, metrics, is_epoch);
        }
        self.last = Some(metrics.clone());
    }

    fn update(&mut self, name: VerdictName, finding: Finding, metrics: &Metrics, is_epoch: bool) {
        let evidence = match finding {
            Finding::No => {
                self.held.remove(&name);
                return;
            }
            Finding::Undecided => None,
            Finding::Holds(evidence) => Some(evidence),
        };
        // A finding from before any update is dated to the first epoch.
        let since = if metrics.step == 0 { 1.0 } else { metrics.epoch };
        let new = || Held { since, epochs: 0, evidence: Evidence::new() };
        let held = self.held.entry(name).or_insert_with(new);
        if let Some(evidence) = evidence {
            held.evidence = evidence;
            held.epochs += u64::from(is_epoch && metrics.step > 0);
        }
    }

    /// The raised verdicts with their first epoch and evidence. A training whose loss `exploded`
    /// has no later epoch to confirm exploding gradients; one whose loss `decreases` steadily
    /// learns, if slowly.
    pub(super) fn findings(
        &self,
        exploded: bool,
        decreases: bool,
    ) -> Vec<(VerdictName, f64, Evidence)> {
        let raised = |name: VerdictName| {
            let held = self.held.get(&name)?;
            let needs_no_epoch = exploded && name == VerdictName::ExplodingGradients;
            let enough = held.epochs >= patience(name) || needs_no_epoch;
            (enough && !held.evidence.is_empty()).then_some(held)
        };
        let explained = |name: VerdictName| match name {
            // A dead network, or one that has barely started, has the same output for all samples.
            // Report the cause only.
            VerdictName::PredictionsIgnoreInput => {
                exploded
                    || decreases
                    || raised(VerdictName::LearningRateKillsNetwork).is_some()
                    || self.held.contains_key(&VerdictName::UpdateRatio)
            }
            VerdictName::LearningRateTooHigh
            | VerdictName::LearningRateKillsNetwork
            | VerdictName::LabelsLookShuffled => exploded,
            _ => false,
        };
        let names = self.held.keys().copied().filter(|&name| !explained(name));
        names
            .filter_map(|name| raised(name).map(|held| (name, held.since, held.evidence.clone())))
            .collect()
    }

    /// True when hidden layers have a bounded activation.
    pub(super) fn can_saturate(&self) -> bool {
        let mut layers = self.last.iter().flat_map(|metrics| &metrics.layers);
        layers.any(|layer| layer.saturated_fraction.is_some())
    }

    /// True when a penalty has collapsed the weights of a hidden layer.
    pub(super) fn weights_collapsed(&self) -> bool {
        self.last.iter().zip(&self.first).any(|(last, first)| collapsed(last, first))
    }

    /// True when a hidden layer began with all weights at zero.
    pub(super) fn began_at_zero(&self) -> bool {
        self.first.iter().flat_map(hidden).any(|layer| layer.weight_norm == 0.0)
    }

    /// True when the update ratios are known.
    pub(super) fn has_update_ratios(&self) -> bool {
        !self.largest_updates.is_empty()
    }

    /// Evidence that the weights have barely moved: the loss is stuck, every update was below the
    /// healthy ratio, and no other rule explains it.
    pub(super) fn barely_moved(&self) -> Option<Evidence> {
        let (first, last) = (self.first.as_ref()?, self.last.as_ref()?);
        let largest = self.largest_updates.split_last()?.1.iter().copied().fold(0.0, f64::max);
        let small = 0.0 < largest && largest < HEALTHY_UPDATE;
        let explained = [
            VerdictName::DeadUnits,
            VerdictName::SaturatedUnits,
            VerdictName::VanishingGradients,
            VerdictName::LearningRateKillsNetwork,
        ];
        let explained = explained.iter().any(|name| self.held.contains_key(name));
        let explained = explained || self.began_at_zero() || collapsed(last, first);
        let enough_steps = last.step >= MIN_STEPS;
        if !enough_steps || !small || explained || !stuck(last, first, STUCK_SHARE) {
            return None;
        }
        Some(evidence(&[
            ("loss_first", first.train_eval_loss?),
            ("loss_now", last.train_eval_loss?),
            ("update_ratio", largest),
        ]))
    }

    /// True when the verdict on the update ratio is raised.
    pub(super) fn has_update_verdict(&self) -> bool {
        let held = self.held.get(&VerdictName::UpdateRatio);
        held.is_some_and(|held| held.epochs >= patience(VerdictName::UpdateRatio))
    }

    /// The power of ten by which to multiply the learning rate for healthy update ratios.
    pub(super) fn rate_factor(&self) -> f64 {
        let evidence = self.held.get(&VerdictName::UpdateRatio).map(|held| &held.evidence);
        let ratios = evidence.into_iter().flatten().filter(|(name, _)| *name != "limit");
        let largest = ratios.map(|(_, ratio)| *ratio).fold(f64::MIN_POSITIVE, f64::max);
        power_of_ten(HEALTHY_UPDATE / largest)
    }

    /// That power of ten for a network that has barely moved; none for any other network.
    pub(super) fn rate_factor_if_barely_moved(&self) -> Option<f64> {
        let largest = *self.barely_moved()?.get("update_ratio")?;
        Some(power_of_ten(HEALTHY_UPDATE / largest))
    }

    /// The loss has exploded and returned, but hardly below its start: the steps are too large.
    fn exploded_loss(&self, metrics: &Metrics, first: &Metrics) -> Finding {
        let (Some(then), highest) = (self.first_loss, self.highest_loss) else {
            return Finding::No;
        };
        if highest < EXPLODED_LOSS * then || !stuck(metrics, first, STUCK_SHARE) {
            return Finding::No;
        }
        Finding::from_evidence(evidence(&[
            ("loss_first", then),
            ("loss_highest", highest),
            ("loss_now", metrics.train_eval_loss.unwrap_or(f64::NAN)),
        ]))
    }

    /// The gradient norm is far above its first value, and the loss is no lower.
    fn exploding(&self, metrics: &Metrics, first: &Metrics) -> Finding {
        let (Some(now), Some(then)) = (metrics.grad_norm, self.first_grad_norm) else {
            return Finding::No;
        };
        let is_epoch = metrics.epoch.fract() == 0.0;
        let limit = if is_epoch { EXPLODED_GRADIENT } else { EXPLODED_GRADIENT_WITHIN_EPOCH };
        if !(now >= limit * then && stuck(metrics, first, 1.0)) {
            return Finding::No;
        }
        let mut found = evidence(&[
            ("grad_norm_first", then),
            ("grad_norm_now", now),
            ("times_first", now / then),
        ]);
        found.extend(by_layer(&metrics.layers, |layer| layer.grad_norm, |_| true));
        Finding::from_evidence(found)
    }

    /// The update ratio of a hidden layer is too large, or all are too small. Leaves out the output
    /// layer: if it starts at zero and learns nothing, its weights stay small beside its updates.
    fn updates(&self, metrics: &Metrics, first: &Metrics) -> Finding {
        // Any update of collapsed weights is a large share of them.
        if collapsed(metrics, first) {
            return Finding::No;
        }
        let large =
            by_layer(hidden(metrics), |layer| layer.update_ratio, |ratio| ratio > MAX_UPDATE);
        if !large.is_empty() {
            return Finding::Holds(with_limit(large, MAX_UPDATE));
        }
        let blocked =
            hidden(metrics).any(|layer| layer.silent_fraction.is_some_and(|s| s >= DEAD_SHARE));
        let largest = hidden(metrics).zip(&self.largest_updates);
        let small = |&ratio: &f64| 0.0 < ratio && ratio < MIN_UPDATE;
        let all = largest.clone().next().is_some() && largest.clone().all(|(_, l)| small(l));
        if !all || blocked || !stuck(metrics, first, STUCK_SHARE) {
            return Finding::No;
        }
        let small = largest.map(|(layer, ratio)| (layer.name.clone(), *ratio)).collect();
        // Warm-up from a learning rate of 0 makes small updates at first.
        if self.epochs < 3 {
            Finding::Undecided
        } else {
            Finding::Holds(with_limit(small, MIN_UPDATE))
        }
    }

    /// All samples get the same output, and the spread does not begin to grow.
    fn same_outputs(&self, metrics: &Metrics) -> Finding {
        let Some(spread) = metrics.prediction_spread.filter(|&spread| spread < MIN_SPREAD) else {
            return Finding::No;
        };
        let chance = self.chance.as_ref().map(|chance| chance.accuracy);
        let accuracy = chance.zip(metrics.train_accuracy);
        if accuracy.is_some_and(|(chance, accuracy)| accuracy > chance + MIN_ACCURACY_GAIN) {
            return Finding::No;
        }
        // An output layer that starts at zero has one output before any update.
        if metrics.step == 0 {
            return Finding::Undecided;
        }
        let before = self.last.as_ref().and_then(|last| last.prediction_spread);
        let grows = |before| spread > SPREAD_GROWTH * before && spread > ROUNDING_SPREAD;
        if before.is_some_and(grows) {
            return Finding::Undecided;
        }
        let loss = metrics.train_eval_loss.unwrap_or(f64::NAN);
        Finding::from_evidence(evidence(&[("prediction_spread", spread), ("loss_now", loss)]))
    }
}

fn power_of_ten(factor: f64) -> f64 {
    10f64.powf(factor.log10().round().clamp(-3.0, 3.0))
}

/// Epochs for which a rule must hold before it raises its verdict.
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
fn dead(metrics: &Metrics) -> Finding {
    let dead = |share: f64| share >= DEAD_SHARE;
    let silent = by_layer(&metrics.layers, |layer| layer.silent_fraction, dead);
    let known = hidden(metrics).all(|layer| layer.dead_fraction.is_some());
    match known {
        true => {
            Finding::from_evidence(by_layer(&metrics.layers, |layer| layer.dead_fraction, dead))
        }
        false if silent.is_empty() => Finding::No,
        false => Finding::Undecided,
    }
}

/// Many outputs are saturated from the start, or training has saturated nearly all.
fn saturated(metrics: &Metrics, first: &Metrics) -> Finding {
    let share = |layer: &LayerMetrics| layer.saturated_fraction;
    let initial = by_layer(&first.layers, share, |share| share >= SATURATED_SHARE);
    let now = by_layer(&metrics.layers, share, |share| share >= SATURATED_SHARE);
    let is_fault =
        |(name, share): &(String, f64)| initial.contains_key(name) || *share >= DRIVEN_SHARE;
    Finding::from_evidence(now.into_iter().filter(is_fault).collect())
}

/// The gradient vanishes between the last hidden layer and the first. Leaves out the output layer,
/// which passes little gradient while its weights are near zero.
fn vanishing(metrics: &Metrics, first: &Metrics) -> Finding {
    let same_output = metrics.prediction_spread.is_some_and(|spread| spread < MIN_SPREAD);
    let is_stuck = metrics.step > 0
        && same_output
        && stuck(metrics, first, STUCK_SHARE)
        && !collapsed(metrics, first);
    let limit = if is_stuck { FADING_SHARE } else { VANISHED_SHARE };
    let norms = || hidden(metrics).filter_map(|layer| layer.grad_norm);
    let largest = norms().fold(0.0, f64::max);
    let vanished = |norm: f64| 0.0 < norm && norm < limit * largest;
    if is_good(metrics.train_accuracy) || !norms().next().is_some_and(vanished) {
        return Finding::No;
    }
    let share = |layer: &LayerMetrics| layer.grad_norm.map(|norm| norm / largest);
    Finding::from_evidence(by_layer(hidden(metrics), share, |share| share < limit))
}

/// A layer that was alive before training passes no signal any more.
fn killed(metrics: &Metrics, first: &Metrics) -> Finding {
    let same_output = metrics.prediction_spread.is_some_and(|spread| spread < MIN_SPREAD);
    if !same_output || collapsed(metrics, first) {
        return Finding::No;
    }
    let is_silent = |layer: &LayerMetrics| {
        let silent = layer.silent_fraction.is_some_and(|share| share >= KILLED_SHARES.0);
        silent || layer.active_fraction.is_some_and(|share| share <= KILLED_SHARES.1)
    };
    let alive =
        |layer: &LayerMetrics| layer.silent_fraction.is_some_and(|share| share < DEAD_SHARE);
    let layers = hidden(metrics).zip(hidden(first));
    let killed = layers.filter(|(now, then)| is_silent(now) && alive(then) && !is_silent(then));
    let share = |layer: &LayerMetrics| Some((layer.name.clone(), layer.active_fraction?));
    let mut found: Evidence = killed.filter_map(|(now, _)| share(now)).collect();
    if !found.is_empty() {
        found.extend(evidence(&[("loss_now", metrics.train_eval_loss.unwrap_or(f64::NAN))]));
    }
    Finding::from_evidence(found)
}

/// True when the training loss is above this share of the loss before training.
fn stuck(metrics: &Metrics, first: &Metrics, share: f64) -> bool {
    let losses = metrics.train_eval_loss.zip(first.train_eval_loss);
    losses.is_some_and(|(now, then)| now > share * then)
}

/// True when the weights of a hidden layer have collapsed.
fn collapsed(metrics: &Metrics, first: &Metrics) -> bool {
    hidden(metrics)
        .zip(hidden(first))
        .any(|(now, then)| now.weight_norm < COLLAPSED_SHARE * then.weight_norm)
}

/// All layers but the output.
fn hidden(metrics: &Metrics) -> impl Iterator<Item = &LayerMetrics> + Clone {
    metrics.layers.split_last().map_or(&[][..], |(_, hidden)| hidden).iter()
}

/// Collects the figures of layers for which `wrong` holds, by layer name.
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
