//! Tracks a training epoch by epoch and reports its phases and verdicts at any point. Never looks
//! ahead.
//!
//! Keeps at most 1024 points of the past and averages neighbours in a longer history, so every
//! epoch costs the same. In these points it finds
//!
//! - the **knee** of the training loss (`knee.rs`), after which the slope is at most a quarter of
//!   the slope before. It ends fast learning; once found it stays;
//! - an **increase of the validation loss** that chance does not explain
//!   (`val_loss_increase.rs`): specialisation since its minimum;
//! - a **plateau** at the end (`plateau.rs`): converged, or underfitting where the loss is hardly
//!   below its start; a **steady decrease** is neither, however slow (`steady_decrease.rs`);
//! - an **explosion**: the loss is not finite, or far above its start.
//!
//! A loss that is not finite means an explosion, unless a validation loss in the same epoch or any
//! later loss is finite. If only one of the losses is not finite, the measurement is wrong
//! (`non_finite.rs`).
//!
//! While the running statistics of batch normalisation lag behind the network, the tracker skips
//! the first points and looks for an explosion in the loss of the batches. A network that does not
//! learn its training samples does not memorise them either.
//!
//! An increase or a plateau can be temporary (a new minimum after a warm restart, a decrease after
//! a step of the learning rate). The tracker then withdraws its phase.

use klubok_train::{
    best::{BestEpoch, RecentLosses},
    config::Monitor,
    event::{Evidence, Metrics, Phase, PhaseName, Verdict},
};

use super::{
    data_quality,
    evidence::evidence,
    history::History,
    knee::{Knee, MIN_LEARNING_DECREASE, find_knee, rows_with_loss},
    layer_rules::LayerRules,
    non_finite::NonFiniteLosses,
    plateau::{Plateau, find_plateau, is_good},
    row::{MIN_STEPS, Row},
    series::mean,
    setup::Setup,
    shuffled_labels::ChanceLevel,
    steady_decrease::{SteadyDecrease, find_steady_decrease},
    val_loss_increase::{LossCurves, ValLossIncrease, find_val_loss_increase},
    verdict_choice::VerdictChoice,
};

/// Points that the tracker keeps; at this number it averages them in pairs.
const MAX_POINTS: usize = 1024;
/// Gap between training and validation accuracy from which on the network memorises.
const MEMORISING_GAP: f64 = 0.15;
/// An increase of this number of standard errors counts, whatever fluctuations came before.
const CLEAR_STANDARD_ERRORS: f64 = 6.0;
/// A validation loss above the training loss by this factor is no sign of underfitting.
const MAX_LOSS_RATIO: f64 = 1.5;
/// A loss above the first one by this factor has exploded.
const EXPLODED_FACTOR: f64 = 1.2;

/// Tracks a training and reports its phases and verdicts.
#[derive(Debug, Clone)]
pub struct Tracker {
    pub(super) samples: Option<u64>,
    /// Steps and epochs until the knee is found.
    pub(super) early: Vec<Row>,
    pub(super) points: Vec<Row>,
    /// Epochs per point.
    pub(super) stride: usize,
    /// Epochs of the next point.
    pending: Vec<Row>,
    pub(super) curves: LossCurves,
    pub(super) first: Option<Row>,
    pub(super) last: f64,
    pub(super) count: usize,
    knee: Option<Knee>,
    pub(super) increase: Option<ValLossIncrease>,
    /// The largest relative increase of the validation loss and the longest one in epochs, whether
    /// or not it was temporary.
    largest_increase: (f64, f64),
    pub(super) choice: Option<VerdictChoice>,
    pub(super) plateau: Option<Plateau>,
    pub(super) steady_decrease: Option<SteadyDecrease>,
    pub(super) explosion: Option<Explosion>,
    /// The best epoch so far, and its figures.
    best: Option<(f64, BestEpoch)>,
    recent: RecentLosses,
    pub(super) non_finite: NonFiniteLosses,
    pub(super) layers: LayerRules,
    /// Verdicts on the data, which do not follow from metrics.
    pub(super) data_verdicts: Vec<Verdict>,
    /// The setup of the training, where known.
    pub(super) setup: Option<Setup>,
}

/// A loss that grows without bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Explosion {
    /// The epoch in which it began to grow.
    pub(super) since: f64,
    /// The lowest loss before, and the last one, which may be NaN or infinite.
    pub(super) loss: (f64, f64),
    /// True when finite losses grew before.
    pub(super) grew: bool,
    /// True when the loss is no longer finite.
    is_final: bool,
}

impl Tracker {
    /// Tracks a training with this number of validation samples, where known.
    pub fn new(val_samples: Option<u64>) -> Self {
        Self {
            samples: val_samples.filter(|&samples| samples > 0),
            early: Vec::new(),
            points: Vec::new(),
            stride: 1,
            pending: Vec::new(),
            curves: LossCurves::default(),
            first: None,
            last: 0.0,
            count: 0,
            knee: None,
            increase: None,
            largest_increase: (0.0, 0.0),
            choice: None,
            plateau: None,
            steady_decrease: None,
            explosion: None,
            best: None,
            recent: RecentLosses::default(),
            non_finite: NonFiniteLosses::default(),
            layers: LayerRules::default(),
            data_verdicts: Vec::new(),
            setup: None,
        }
    }

    /// Sets the validation samples of each class, from which chance level follows.
    #[must_use]
    pub fn with_classes(mut self, classes: &[u64]) -> Self {
        self.layers.chance = ChanceLevel::new(classes);
        self
    }

    /// Sets the setup of the training, from which advice starts.
    #[must_use]
    pub fn with_setup(self, setup: Setup) -> Self {
        Self { setup: Some(setup), ..self }
    }

    /// Tracks a whole history.
    pub fn from_history(history: &History) -> Self {
        let mut tracker = Self::new(history.val_samples).with_classes(&history.val_classes);
        tracker.setup.clone_from(&history.setup);
        tracker.add_data_verdicts(history.verdicts.iter().cloned());
        history.layers.iter().for_each(|record| tracker.layers(record));
        let mut steps = history.steps.iter().peekable();
        for row in &history.epochs {
            while let Some(step) = steps.next_if(|step| step.epoch < row.epoch) {
                tracker.step(step);
            }
            tracker.epoch(row);
        }
        steps.for_each(|step| tracker.step(step));
        if let Some(epoch) = history.diverged {
            tracker.diverged(epoch);
        }
        tracker
    }

    /// Adds verdicts from before the training or from its log. Keeps those on the data, the last of
    /// each name; all others follow from metrics.
    pub fn add_data_verdicts(&mut self, verdicts: impl IntoIterator<Item = Verdict>) {
        for verdict in verdicts {
            if data_quality::NAMES.contains(&verdict.name) {
                self.data_verdicts.retain(|known| known.name != verdict.name);
                self.data_verdicts.push(verdict);
            }
        }
    }

    /// Records a step within an epoch.
    pub fn step(&mut self, row: &Row) {
        self.record_first(row);
        self.update_knee(*row);
    }

    /// Records an epoch.
    pub fn epoch(&mut self, row: &Row) {
        self.record_first(row);
        self.count += 1;
        self.non_finite.epoch(row);
        let finite = |loss: Option<f64>| loss.filter(|loss| loss.is_finite());
        let known = Row {
            train_loss: finite(row.train_loss),
            batch_loss: finite(row.batch_loss),
            val_loss: finite(row.val_loss),
            ..*row
        };
        if known.val_loss.is_some() {
            self.update_best(&known);
        }
        let mut losses = [row.train_loss, row.val_loss].into_iter().flatten();
        let broken = losses.rfind(|loss| !loss.is_finite());
        if known.train_loss.or(known.val_loss).is_some() {
            // With weights that are not finite no later loss would be finite.
            self.explosion = self.explosion.filter(|explosion| !explosion.is_final);
        } else if let Some(value) = broken {
            self.explode(row.epoch, value);
            return;
        }
        self.update_knee(known);
        self.pending.push(known);
        if self.pending.len() >= self.stride {
            self.points.push(average(&std::mem::take(&mut self.pending)));
            if self.points.len() >= MAX_POINTS {
                self.points = self.points.chunks(2).map(average).collect();
                self.stride *= 2;
            }
            self.update_findings();
        }
    }

    /// Chooses the best epoch by the training's own monitor, or by the validation loss if the
    /// settings are unknown.
    fn update_best(&mut self, row: &Row) {
        let monitor = self.setup.as_ref().map_or(Monitor::ValLoss, |s| s.config.train.monitor);
        let now = BestEpoch {
            epoch: row.epoch as u64,
            train_loss: row.train_loss,
            train_accuracy: row.train_accuracy,
            val_loss: row.val_loss,
            val_loss_calibrated: row.val_loss_calibrated,
            mean_loss_calibrated: self.recent.mean_with(row.val_loss_calibrated.or(row.val_loss)),
            val_accuracy: row.val_accuracy,
            temperature: None,
            val_rmse: None,
            val_r2: None,
        };
        let samples = self.samples.unwrap_or(0);
        if self.best.is_none_or(|(_, best)| now.beats(&best, monitor, samples)) {
            self.best = Some((row.epoch, now));
        }
    }

    /// Keeps the first figures. The first training loss may come after the first validation.
    fn record_first(&mut self, row: &Row) {
        let first = self.first.get_or_insert(*row);
        if first.train_loss.is_none() && row.train_loss.is_some_and(f64::is_finite) {
            first.train_loss = row.train_loss;
            first.untrained &= first.epoch == row.epoch;
        }
        self.last = self.last.max(row.epoch);
    }

    /// Records the layers' figures of an epoch or of a step within one, in order.
    pub fn layers(&mut self, metrics: &Metrics) {
        self.layers.record(metrics);
    }

    /// Records that the loss or the gradient was no longer finite at this point, in epochs.
    pub fn diverged(&mut self, epoch: f64) {
        self.last = self.last.max(epoch);
        self.explode(epoch, f64::NAN);
    }

    /// The best epoch, the earlier on ties; none without validation.
    pub fn best_epoch(&self) -> Option<f64> {
        self.best.map(|(epoch, _)| epoch)
    }

    /// Updates all findings after a new point.
    fn update_findings(&mut self) {
        self.curves = loss_curves(self.settled());
        self.increase = self.next_increase();
        self.choice =
            self.increase.as_ref().map(|increase| VerdictChoice::next(self.choice, increase));
        let (epochs, losses) = self.losses();
        self.steady_decrease =
            find_steady_decrease(&epochs, &losses).filter(|_| !self.rate_decayed());
        let has_enough_steps = |row: &Row| row.step.is_none_or(|step| step >= MIN_STEPS);
        self.plateau = match (self.steady_decrease, self.increase) {
            (Some(_), _) => None,
            _ if !self.points.last().is_some_and(has_enough_steps) => None,
            (None, None) => self.next_plateau(),
            // A training loss on a plateau at its start stays underfitting while the validation
            // loss increases.
            (None, Some(increase)) => {
                find_plateau(&epochs, &losses, None, self.first, self.plateau)
                    .filter(|plateau| plateau.high && increase.now < MAX_LOSS_RATIO * plateau.loss)
                    .filter(|_| !self.has_learned())
            }
        };
        if self.explosion.is_none_or(|explosion| !explosion.is_final) {
            self.explosion = self.find_growth();
        }
    }

    /// The increase after the last epoch. After a temporary one the next must be clear, larger or
    /// longer: the loss of a small validation set fluctuates.
    fn next_increase(&mut self) -> Option<ValLossIncrease> {
        let stands = self.increase.is_some();
        let increase = find_val_loss_increase(&self.curves, self.samples, stands)?;
        let (height, length) = (increase.relative(), self.last - self.curves.epochs[increase.at]);
        let (highest, longest) = self.largest_increase;
        let fluctuates =
            increase.errors < CLEAR_STANDARD_ERRORS && height <= highest && length <= longest;
        if fluctuates && !stands {
            return None;
        }
        self.largest_increase = (highest.max(height), longest.max(length));
        Some(increase)
    }

    /// The points after batch normalisation's running statistics have settled. Before, in epochs of
    /// a few steps, losses in evaluation mode fluctuate with them.
    fn settled(&self) -> &[Row] {
        let model = self.setup.as_ref().map(|setup| &setup.config.model);
        let normalises = model.is_some_and(|model| model.batch_norm && !model.hidden.is_empty());
        let lags = |row: &Row| normalises && row.step.is_some_and(|step| step < MIN_STEPS);
        &self.points[self.points.partition_point(lags)..]
    }

    /// The increase that is overfitting or over-confidence: none for a network on a plateau, which
    /// has not learned its training samples.
    pub(super) fn memorising(&self) -> Option<ValLossIncrease> {
        self.increase.filter(|_| self.plateau.is_none())
    }

    /// True when early stopping ran out of patience: the training was long enough.
    pub(super) fn patience_ran_out(&self) -> bool {
        let train = self.setup.as_ref().map(|setup| &setup.config.train);
        let better = self.best_epoch().zip(train.filter(|train| train.early_stopping));
        better.is_some_and(|(best, train)| self.last - best >= train.patience as f64)
    }

    fn next_plateau(&self) -> Option<Plateau> {
        let LossCurves { epochs, train, val, .. } = &self.curves;
        let mut plateau = if epochs.is_empty() {
            let (epochs, losses) = self.losses();
            find_plateau(&epochs, &losses, None, self.first, self.plateau)
        } else {
            find_plateau(epochs, val, Some(train), self.first, self.plateau)
        };
        if let Some(plateau) = plateau.as_mut().filter(|_| self.has_learned()) {
            plateau.high = false;
        }
        plateau
    }

    /// True if the accuracy is good, or much better on training samples than on validation samples.
    fn has_learned(&self) -> bool {
        let Some(row) = self.points.last() else { return false };
        // The training accuracy is measured on as many samples.
        let samples = self.samples.map_or(f64::INFINITY, |n| n as f64);
        let memorises = |(train, val): (f64, f64)| {
            let chance = 2.0 * (2.0 * val * (1.0 - val) / samples).max(0.0).sqrt();
            train - val > chance.max(MEMORISING_GAP)
        };
        is_good(row.train_accuracy.or(row.val_accuracy))
            || row.train_accuracy.zip(row.val_accuracy).is_some_and(memorises)
    }

    /// Epochs and training losses; validation losses if there are no training losses.
    pub(super) fn losses(&self) -> (Vec<f64>, Vec<f64>) {
        let with = |loss: fn(&Row) -> Option<f64>| -> (Vec<f64>, Vec<f64>) {
            self.settled().iter().filter_map(|row| Some((row.epoch, loss(row)?))).unzip()
        };
        let train = with(|row| row.train_loss);
        if train.0.is_empty() { with(|row| row.val_loss) } else { train }
    }

    /// Losses from the start, to find an explosion there too. While running statistics lag, these
    /// are the losses of the batches, which use none.
    fn losses_from_start(&self) -> (Vec<f64>, Vec<f64>) {
        let lagging = &self.points[..self.points.len() - self.settled().len()];
        let loss = |row: &Row| if row.untrained { row.train_loss } else { row.batch_loss };
        let (mut epochs, mut losses): (Vec<_>, Vec<_>) =
            lagging.iter().filter_map(|row| Some((row.epoch, loss(row)?))).unzip();
        let (later, known) = self.losses();
        epochs.extend(later);
        losses.extend(known);
        (epochs, losses)
    }

    fn update_knee(&mut self, row: Row) {
        if self.knee.is_some() || self.early.len() >= MAX_POINTS {
            return;
        }
        let known = row.train_loss.or(row.val_loss);
        // A logged step may be the last of its epoch.
        let later = self.early.last().is_none_or(|last| last.epoch < row.epoch);
        if later && known.is_some_and(f64::is_finite) {
            self.early.push(row);
            self.knee = find_knee(&self.early);
        }
    }

    /// Records a loss that is no longer finite; it grew from its last low point.
    fn explode(&mut self, epoch: f64, value: f64) {
        if self.explosion.is_some_and(|explosion| explosion.is_final) {
            return;
        }
        let (epochs, losses) = self.losses_from_start();
        let low = growth_start(&losses);
        let grows = low + 1 < losses.len();
        let since = if grows { epochs[low] } else { epoch };
        // A loss that was finite before any update grew within the first updates.
        let grew = grows || self.first.is_some_and(|first| first.untrained && first.epoch < epoch);
        let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
        self.explosion = Some(Explosion { since, loss: (lowest, value), grew, is_final: true });
    }

    /// Finds a loss that is finite, but far above its earlier values.
    fn find_growth(&self) -> Option<Explosion> {
        let (epochs, losses) = self.losses_from_start();
        let n = losses.len();
        let [.., a, b, c] = losses[..] else { return None };
        let (first, best) = (losses[0], losses.iter().copied().fold(f64::INFINITY, f64::min));
        if first <= 0.0 || best < 0.0 {
            return None;
        }
        let middle = a.max(b).min(c.max(a.min(b)));
        let above = middle > 1.5 * first && c > EXPLODED_FACTOR * first;
        let grows = a < b && b < c && c > 4.0 * best && c > 0.5 * first;
        let since = epochs[growth_start(&losses).min(n - 1)];
        let (loss, grew, is_final) = ((best, c), true, false);
        (above || grows).then_some(Explosion { since, loss, grew, is_final })
    }

    /// The phases up to now, in order.
    pub fn phases(&self) -> Vec<Phase> {
        let Some(first) = self.first else { return Vec::new() };
        let explosion = self.explosion.map(|explosion| explosion.since);
        let memorising = self.memorising();
        let overfits_since = memorising.map(|increase| self.curves.epochs[increase.at]);
        let after = overfits_since.or(self.plateau.map(|plateau| plateau.since));
        let learns_until = [explosion, after].into_iter().flatten().fold(self.last, f64::min);
        let mut spans: Vec<(f64, f64, PhaseName, f64, Evidence)> = Vec::new();
        let fast_until = self.knee.map_or(self.last, |knee| knee.epoch).min(learns_until);
        if self.learns() {
            let (certainty, evidence) =
                self.knee.map_or((0.5, Evidence::new()), |knee| (knee.certainty, knee.evidence()));
            let name = PhaseName::FastLearning;
            spans.push((first.epoch, fast_until, name, certainty, evidence.clone()));
            if self.knee.is_some() {
                let name = PhaseName::FineTuning;
                spans.push((fast_until, learns_until, name, certainty, evidence));
            }
        }
        let end = explosion.unwrap_or(self.last);
        if let (Some(since), Some(increase)) = (overfits_since, memorising) {
            let (name, certainty) = (PhaseName::Specialisation, increase.certainty());
            spans.push((since, end, name, certainty, increase.evidence()));
        } else if let Some(plateau) = self.plateau.filter(|_| self.barely_started().is_none()) {
            let name = if plateau.high { PhaseName::Underfitting } else { PhaseName::Converged };
            spans.push((plateau.since, end, name, plateau.certainty, plateau.evidence()));
        }
        if let Some(explosion) = self.explosion {
            let (name, evidence) = (PhaseName::Diverging, explosion.evidence());
            let certainty = if explosion.is_final { 0.99 } else { 0.9 };
            spans.push((explosion.since, self.last, name, certainty, evidence));
        }
        to_phases(spans, first, self.last)
    }

    /// True when the loss has decreased, and by steps large enough to call it learning.
    fn learns(&self) -> bool {
        if self.steady_decrease.is_some() || self.barely_started().is_some() {
            return false;
        }
        let first = rows_with_loss(&self.early).first().map(|&(_, loss)| loss);
        let losses = rows_with_loss(&self.points).into_iter().map(|(_, loss)| loss);
        let lowest = losses.fold(f64::INFINITY, f64::min);
        first.is_some_and(|first| first - lowest > MIN_LEARNING_DECREASE * first.abs())
    }
}

impl ValLossIncrease {
    pub(super) fn evidence(&self) -> Evidence {
        let mut evidence = evidence(&[
            ("val_loss_lowest", self.base),
            ("val_loss_now", self.now),
            ("rise", self.relative()),
            ("standard_errors", self.errors),
        ]);
        let pairs = [
            ("train_loss", self.train),
            ("val_loss_calibrated", self.calibrated),
            ("val_accuracy", self.accuracy),
        ];
        for (figure, pair) in pairs {
            let Some((then, now)) = pair else { continue };
            evidence.insert(format!("{figure}_then"), then);
            evidence.insert(format!("{figure}_now"), now);
        }
        evidence
    }
}

impl Explosion {
    pub(super) fn evidence(&self) -> Evidence {
        evidence(&[("loss_lowest", self.loss.0), ("loss_now", self.loss.1)])
    }
}

/// Turns spans of time into phases and leaves out empty ones. After a phase that ends with a whole
/// epoch, the next begins an epoch later; after one that ends within an epoch, at the same point.
fn to_phases(
    spans: Vec<(f64, f64, PhaseName, f64, Evidence)>,
    first: Row,
    last: f64,
) -> Vec<Phase> {
    let mut phases: Vec<Phase> = Vec::new();
    for (from, to, name, certainty, evidence) in spans {
        let opening = phases.is_empty();
        let start = match (opening, from.fract() == 0.0) {
            // The first phase begins in epoch 1, or in epoch 0 if it ends before epoch 1 does.
            (true, _) if from == first.epoch && first.untrained => f64::from(u8::from(to >= 1.0)),
            (true, _) if from == first.epoch => from,
            (_, true) => (from + 1.0).min(last),
            (_, false) => from,
        };
        // A phase that ends before the first update does not count.
        let counts = to > from || (opening && !first.untrained) || name == PhaseName::Diverging;
        if to < start || !counts {
            continue;
        }
        let certainty = (certainty * 100.0).round() / 100.0;
        phases.push(Phase { name, start, end: to, certainty, evidence });
    }
    phases
}

/// The curves of all epochs with a validation loss.
fn loss_curves(points: &[Row]) -> LossCurves {
    let mut curves = LossCurves::default();
    for row in points {
        let Some(val) = row.val_loss else { continue };
        curves.epochs.push(row.epoch);
        curves.train.push(row.train_loss.unwrap_or(f64::NAN));
        curves.val.push(val);
        curves.calibrated.push(row.val_loss_calibrated.unwrap_or(f64::NAN));
        curves.accuracy.push(row.val_accuracy.unwrap_or(f64::NAN));
    }
    curves
}

/// Averages several rows into one point at the last row's epoch.
fn average(rows: &[Row]) -> Row {
    let mean = |figure: fn(&Row) -> Option<f64>| {
        let known: Vec<f64> = rows.iter().filter_map(figure).collect();
        (!known.is_empty()).then(|| mean(&known))
    };
    Row {
        epoch: rows.last().map_or(0.0, |row| row.epoch),
        untrained: rows.len() == 1 && rows[0].untrained,
        step: rows.last().and_then(|row| row.step),
        train_loss: mean(|row| row.train_loss),
        batch_loss: mean(|row| row.batch_loss),
        val_loss: mean(|row| row.val_loss),
        val_loss_calibrated: mean(|row| row.val_loss_calibrated),
        train_accuracy: mean(|row| row.train_accuracy),
        val_accuracy: mean(|row| row.val_accuracy),
        grad_norm: mean(|row| row.grad_norm),
        learning_rate: mean(|row| row.learning_rate),
    }
}

/// Index at which the losses began to grow: without a break to the end, or until they exceeded the
/// first loss and stayed there. Exploded losses jump and may decrease now and then.
fn growth_start(losses: &[f64]) -> usize {
    let above = |loss: &f64| *loss > EXPLODED_FACTOR * losses[0];
    let end = match losses.last() {
        Some(last) if above(last) => losses.iter().rposition(|loss| !above(loss)).unwrap_or(0) + 1,
        _ => losses.len(),
    };
    last_low(&losses[..end.min(losses.len())])
}

/// Index from which the losses grow without a break to the end.
fn last_low(losses: &[f64]) -> usize {
    let mut low = losses.len().saturating_sub(1);
    while low > 0 && losses[low - 1] < losses[low] {
        low -= 1;
    }
    low
}
