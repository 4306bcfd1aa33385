//! In which phase is the learning? Told one epoch at a time, it can say so at any moment, and never
//! looks ahead.
//!
//! What it knows of the past is a course of at most 1024 points; a longer history is thinned by
//! averaging neighbours, so an epoch costs the same however many went before. From the course up to
//! now it finds
//!
//! - the **knee** of the training loss (`knee.rs`): after it, the loss falls at less than a quarter
//!   of the pace before it. That ends fast learning; once found it stays;
//! - a **rise** of the validation loss that chance does not explain (`rise.rs`): specialisation
//!   since its minimum;
//! - a **flat** end: converged, or under-fitting where the loss is hardly lower than it began; an
//!   **even fall** is neither, however slow (`fall.rs`);
//! - an **explosion**: the loss is no number, or far above where it began.
//!
//! A loss that is no number tells of an explosion unless the network shows that it is still one: by
//! a validation loss in the same epoch, or by any loss later. A loss that alone is no number says
//! that something is wrong with what is measured (`blind.rs`).
//!
//! Where running statistics of batch normalisation lag behind the network, the first points are
//! left out, and an explosion shows in the loss of the batches. A network that does not even learn
//! its own samples does not memorise them.
//!
//! A rise or a flat end that the course takes back (a new minimum after a warm restart, a fall
//! after a step of the learning rate) was none, and its phase is taken back too.

use klubok_train::{
    best::{BestEpoch, RecentLosses},
    config::Monitor,
    event::{Evidence, Metrics, Phase, PhaseName, Verdict},
};

use super::{
    before,
    blind::Blind,
    evidence::evidence,
    fall::{EvenFall, even_fall},
    flat::{Flat, flat, is_good},
    history::History,
    knee::{Knee, LEARNING, knee, of_one_kind},
    labels::Chance,
    layers::Layers,
    naming::Naming,
    rise::{Course, Rise, rise},
    row::{FOLLOW, Row},
    series::mean,
    setup::Setup,
};

/// Points that are kept; past this, two neighbours become one.
const LONGEST: usize = 1024;
/// So much more of the training samples than of others is known by heart.
const BY_HEART: f64 = 0.15;
/// A rise of so many standard errors is one, however the loss has wandered before.
const CLEAR: f64 = 6.0;
/// A validation loss above the training loss by this factor is not held back by what the network
/// cannot learn.
const APART: f64 = 1.5;
/// What is above the first loss by this factor is not as it began.
const ABOVE: f64 = 1.2;

/// Follows a training and tells its phases.
#[derive(Debug, Clone)]
pub struct Tracker {
    pub(super) samples: Option<u64>,
    /// Moments within the first epochs, and epochs, until the knee is found.
    pub(super) early: Vec<Row>,
    pub(super) points: Vec<Row>,
    /// Epochs that a point stands for, and those that are not yet one.
    pub(super) stride: usize,
    pending: Vec<Row>,
    pub(super) course: Course,
    pub(super) first: Option<Row>,
    pub(super) last: f64,
    pub(super) count: usize,
    knee: Option<Knee>,
    pub(super) rise: Option<Rise>,
    /// How high, as a share of it, and how long the validation loss has risen at most, whether or
    /// not that was taken back.
    risen: (f64, f64),
    pub(super) naming: Option<Naming>,
    pub(super) flat: Option<Flat>,
    pub(super) even_fall: Option<EvenFall>,
    pub(super) explosion: Option<Explosion>,
    /// The best epoch so far, and its figures.
    best: Option<(f64, BestEpoch)>,
    recent: RecentLosses,
    pub(super) blind: Blind,
    pub(super) layers: Layers,
    /// What is wrong with the data; nothing that is measured says it.
    pub(super) found_before: Vec<Verdict>,
    /// What it was set up with, where that is known.
    pub(super) setup: Option<Setup>,
}

/// A loss that grows without end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Explosion {
    /// From where it grew.
    pub(super) since: f64,
    /// The lowest loss before, and the last one; NaN and infinity as they are.
    pub(super) loss: (f64, f64),
    /// True when the loss was seen to grow before it was no number.
    pub(super) grew: bool,
    /// It is no number, and will not be one again.
    last: bool,
}

impl Tracker {
    /// A tracker of a training that is validated on so many samples, where that is known.
    pub fn new(val_samples: Option<u64>) -> Self {
        Self {
            samples: val_samples.filter(|&samples| samples > 0),
            early: Vec::new(),
            points: Vec::new(),
            stride: 1,
            pending: Vec::new(),
            course: Course::default(),
            first: None,
            last: 0.0,
            count: 0,
            knee: None,
            rise: None,
            risen: (0.0, 0.0),
            naming: None,
            flat: None,
            even_fall: None,
            explosion: None,
            best: None,
            recent: RecentLosses::default(),
            blind: Blind::default(),
            layers: Layers::default(),
            found_before: Vec::new(),
            setup: None,
        }
    }

    /// Knows how many validation samples each class has, and so what guessing gives.
    #[must_use]
    pub fn with_classes(mut self, classes: &[u64]) -> Self {
        self.layers.chance = Chance::new(classes);
        self
    }

    /// Knows what the training was set up with: advice starts from there.
    #[must_use]
    pub fn with_setup(self, setup: Setup) -> Self {
        Self { setup: Some(setup), ..self }
    }

    /// A tracker that was told a whole history.
    pub fn of(history: &History) -> Self {
        let mut tracker = Self::new(history.val_samples).with_classes(&history.val_classes);
        tracker.setup.clone_from(&history.setup);
        tracker.found_before(history.verdicts.iter().cloned());
        history.layers.iter().for_each(|line| tracker.layers(line));
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

    /// Is told verdicts that were found before training or stand in a log. Those on the data are
    /// kept, the last of a name; all others follow from what is measured.
    pub fn found_before(&mut self, verdicts: impl IntoIterator<Item = Verdict>) {
        for verdict in verdicts {
            if before::NAMES.contains(&verdict.name) {
                self.found_before.retain(|known| known.name != verdict.name);
                self.found_before.push(verdict);
            }
        }
    }

    /// Is told a moment within an epoch.
    pub fn step(&mut self, row: &Row) {
        self.begin(row);
        self.look_for_knee(*row);
    }

    /// Is told an epoch.
    pub fn epoch(&mut self, row: &Row) {
        self.begin(row);
        self.count += 1;
        self.blind.epoch(row);
        let finite = |loss: Option<f64>| loss.filter(|loss| loss.is_finite());
        let known = Row {
            train_loss: finite(row.train_loss),
            batch_loss: finite(row.batch_loss),
            val_loss: finite(row.val_loss),
            ..*row
        };
        if known.val_loss.is_some() {
            self.compare(&known);
        }
        let mut losses = [row.train_loss, row.val_loss].into_iter().flatten();
        let broken = losses.rfind(|loss| !loss.is_finite());
        if known.train_loss.or(known.val_loss).is_some() {
            // A network whose weights are no numbers gives no number again.
            self.explosion = self.explosion.filter(|explosion| !explosion.last);
        } else if let Some(value) = broken {
            self.explode(row.epoch, value);
            return;
        }
        self.look_for_knee(known);
        self.pending.push(known);
        if self.pending.len() >= self.stride {
            self.points.push(average(&std::mem::take(&mut self.pending)));
            if self.points.len() >= LONGEST {
                self.points = self.points.chunks(2).map(average).collect();
                self.stride *= 2;
            }
            self.judge();
        }
    }

    /// Chooses the best epoch as the training does, where its settings are known; else by the
    /// validation loss.
    fn compare(&mut self, row: &Row) {
        let monitor = self.setup.as_ref().map_or(Monitor::ValLoss, |s| s.config.train.monitor);
        let now = BestEpoch {
            epoch: row.epoch as u64,
            train_loss: row.train_loss,
            train_accuracy: row.train_accuracy,
            val_loss: row.val_loss,
            val_loss_calibrated: row.val_loss_calibrated,
            mean_loss_calibrated: self.recent.mean_with(row.val_loss_calibrated),
            val_accuracy: row.val_accuracy,
            temperature: None,
        };
        let samples = self.samples.unwrap_or(0);
        if self.best.is_none_or(|(_, best)| now.beats(&best, monitor, samples)) {
            self.best = Some((row.epoch, now));
        }
    }

    /// Remembers where it began. A training loss is compared with the first training loss, even if
    /// only the validation was known before it.
    fn begin(&mut self, row: &Row) {
        let first = self.first.get_or_insert(*row);
        if first.train_loss.is_none() && row.train_loss.is_some_and(f64::is_finite) {
            first.train_loss = row.train_loss;
            first.untrained &= first.epoch == row.epoch;
        }
        self.last = self.last.max(row.epoch);
    }

    /// Is told what the layers did up to the end of an epoch or a moment within one, in order.
    pub fn layers(&mut self, line: &Metrics) {
        self.layers.line(line);
    }

    /// Is told that loss or gradient was no longer a number at this moment, in epochs.
    pub fn diverged(&mut self, epoch: f64) {
        self.last = self.last.max(epoch);
        self.explode(epoch, f64::NAN);
    }

    /// The best epoch, the earlier on ties; none of a training that was never validated.
    pub fn best_epoch(&self) -> Option<f64> {
        self.best.map(|(epoch, _)| epoch)
    }

    fn judge(&mut self) {
        self.course = course(self.settled());
        self.rise = self.next_rise();
        self.naming = self.rise.as_ref().map(|rise| Naming::next(self.naming, rise));
        let (epochs, losses) = self.losses();
        self.even_fall = even_fall(&epochs, &losses).filter(|_| !self.rate_decayed());
        let has_begun = |row: &Row| row.step.is_none_or(|step| step >= FOLLOW);
        self.flat = match (self.even_fall, self.rise) {
            (Some(_), _) => None,
            // So few steps come to rest nowhere.
            _ if !self.points.last().is_some_and(has_begun) => None,
            (None, None) => self.flat_end(),
            // A validation loss that rises does not make a training loss low that has come to rest
            // where it began.
            (None, Some(rise)) => flat(&epochs, &losses, None, self.first, self.flat)
                .filter(|flat| flat.high && rise.now < APART * flat.loss)
                .filter(|_| !self.knows_its_samples()),
        };
        if self.explosion.is_none_or(|explosion| !explosion.last) {
            self.explosion = self.growth();
        }
    }

    /// The rise after the last epoch. After one that was taken back the next must be clear, higher
    /// or longer: the loss of a few samples wanders by itself.
    fn next_rise(&mut self) -> Option<Rise> {
        let stands = self.rise.is_some();
        let rise = rise(&self.course, self.samples, stands)?;
        let (height, length) = (rise.share(), self.last - self.course.epochs[rise.at]);
        let (highest, longest) = self.risen;
        let wanders = rise.errors < CLEAR && height <= highest && length <= longest;
        if wanders && !stands {
            return None;
        }
        self.risen = (highest.max(height), longest.max(length));
        Some(rise)
    }

    /// The points from which on the running statistics of batch normalisation follow the network:
    /// in epochs of a few steps, losses in evaluation mode first go up and down with them.
    fn settled(&self) -> &[Row] {
        let model = self.setup.as_ref().map(|setup| &setup.config.model);
        let normalises = model.is_some_and(|model| model.batch_norm && !model.hidden.is_empty());
        let lags = |row: &Row| normalises && row.step.is_some_and(|step| step < FOLLOW);
        &self.points[self.points.partition_point(lags)..]
    }

    /// The rise that is over-fitting or over-confidence: a network that has not even learnt its
    /// own samples does not memorise them.
    pub(super) fn memorises(&self) -> Option<Rise> {
        self.rise.filter(|_| self.flat.is_none())
    }

    /// True when the training waited in vain for a better epoch: it has not been too short.
    pub(super) fn waited(&self) -> bool {
        let train = self.setup.as_ref().map(|setup| &setup.config.train);
        let better = self.best_epoch().zip(train.filter(|train| train.early_stopping));
        better.is_some_and(|(best, train)| self.last - best >= train.patience as f64)
    }

    fn flat_end(&self) -> Option<Flat> {
        let Course { epochs, train, val, .. } = &self.course;
        let mut flat = if epochs.is_empty() {
            let (epochs, losses) = self.losses();
            flat(&epochs, &losses, None, self.first, self.flat)
        } else {
            flat(epochs, val, Some(train), self.first, self.flat)
        };
        if let Some(flat) = flat.as_mut().filter(|_| self.knows_its_samples()) {
            flat.high = false;
        }
        flat
    }

    /// Answers that are right, or much more often on the training samples than on others: the
    /// network does learn.
    fn knows_its_samples(&self) -> bool {
        let Some(row) = self.points.last() else { return false };
        // The training accuracy is one of as many samples.
        let samples = self.samples.map_or(f64::INFINITY, |n| n as f64);
        let by_heart = |(train, val): (f64, f64)| {
            let chance = 2.0 * (2.0 * val * (1.0 - val) / samples).max(0.0).sqrt();
            train - val > chance.max(BY_HEART)
        };
        is_good(row.train_accuracy.or(row.val_accuracy))
            || row.train_accuracy.zip(row.val_accuracy).is_some_and(by_heart)
    }

    /// Training losses over epochs, without them validation losses.
    pub(super) fn losses(&self) -> (Vec<f64>, Vec<f64>) {
        let of = |loss: fn(&Row) -> Option<f64>| -> (Vec<f64>, Vec<f64>) {
            self.settled().iter().filter_map(|row| Some((row.epoch, loss(row)?))).unzip()
        };
        let train = of(|row| row.train_loss);
        if train.0.is_empty() { of(|row| row.val_loss) } else { train }
    }

    /// The same from the start, for an explosion shows there too: while running statistics lag, the
    /// losses of the batches, which use none.
    fn losses_from_the_start(&self) -> (Vec<f64>, Vec<f64>) {
        let lagging = &self.points[..self.points.len() - self.settled().len()];
        let loss = |row: &Row| if row.untrained { row.train_loss } else { row.batch_loss };
        let (mut epochs, mut losses): (Vec<_>, Vec<_>) =
            lagging.iter().filter_map(|row| Some((row.epoch, loss(row)?))).unzip();
        let (later, known) = self.losses();
        epochs.extend(later);
        losses.extend(known);
        (epochs, losses)
    }

    fn look_for_knee(&mut self, row: Row) {
        if self.knee.is_some() || self.early.len() >= LONGEST {
            return;
        }
        let known = row.train_loss.or(row.val_loss);
        // A chosen step may be the last of its epoch.
        let later = self.early.last().is_none_or(|last| last.epoch < row.epoch);
        if later && known.is_some_and(f64::is_finite) {
            self.early.push(row);
            self.knee = knee(&self.early);
        }
    }

    /// The loss is no number from here on: it grew from its last low point.
    fn explode(&mut self, epoch: f64, value: f64) {
        if self.explosion.is_some_and(|explosion| explosion.last) {
            return;
        }
        let (epochs, losses) = self.losses_from_the_start();
        let low = began_to_grow(&losses);
        let grows = low + 1 < losses.len();
        let since = if grows { epochs[low] } else { epoch };
        // What was a number before any update and is none after the first ones grew within them.
        let grew = grows || self.first.is_some_and(|first| first.untrained && first.epoch < epoch);
        let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
        self.explosion = Some(Explosion { since, loss: (lowest, value), grew, last: true });
    }

    /// The loss is a number, but far above where it was.
    fn growth(&self) -> Option<Explosion> {
        let (epochs, losses) = self.losses_from_the_start();
        let n = losses.len();
        let [.., a, b, c] = losses[..] else { return None };
        let (first, best) = (losses[0], losses.iter().copied().fold(f64::INFINITY, f64::min));
        if first <= 0.0 || best < 0.0 {
            return None;
        }
        let middle = a.max(b).min(c.max(a.min(b)));
        let above = middle > 1.5 * first && c > ABOVE * first;
        let grows = a < b && b < c && c > 4.0 * best && c > 0.5 * first;
        let since = epochs[began_to_grow(&losses).min(n - 1)];
        (above || grows).then_some(Explosion { since, loss: (best, c), grew: true, last: false })
    }

    /// The phases up to now, in order.
    pub fn phases(&self) -> Vec<Phase> {
        let Some(first) = self.first else { return Vec::new() };
        let explosion = self.explosion.map(|explosion| explosion.since);
        let memorises = self.memorises();
        let rise = memorises.map(|rise| self.course.epochs[rise.at]);
        let after = rise.or(self.flat.map(|flat| flat.since));
        let learnt = [explosion, after].into_iter().flatten().fold(self.last, f64::min);
        let mut spans: Vec<(f64, f64, PhaseName, f64, Evidence)> = Vec::new();
        let fast = self.knee.map_or(self.last, |knee| knee.epoch).min(learnt);
        if self.learns() {
            let (certainty, evidence) =
                self.knee.map_or((0.5, Evidence::new()), |knee| (knee.certainty, knee.evidence()));
            spans.push((first.epoch, fast, PhaseName::FastLearning, certainty, evidence.clone()));
            if self.knee.is_some() {
                spans.push((fast, learnt, PhaseName::FineTuning, certainty, evidence));
            }
        }
        let end = explosion.unwrap_or(self.last);
        if let (Some(since), Some(of)) = (rise, memorises) {
            let (name, certainty) = (PhaseName::Specialisation, of.certainty());
            spans.push((since, end, name, certainty, of.evidence()));
        } else if let Some(flat) = self.flat.filter(|_| self.crept().is_none()) {
            let name = if flat.high { PhaseName::Underfitting } else { PhaseName::Converged };
            spans.push((flat.since, end, name, flat.certainty, flat.evidence()));
        }
        if let Some(of) = self.explosion {
            let certainty = if of.last { 0.99 } else { 0.9 };
            spans.push((of.since, self.last, PhaseName::Diverging, certainty, of.evidence()));
        }
        in_epochs(spans, first, self.last)
    }

    /// True when the loss has fallen at all, and not by steps that are too small to call it
    /// learning.
    fn learns(&self) -> bool {
        if self.even_fall.is_some() || self.crept().is_some() {
            return false;
        }
        let first = of_one_kind(&self.early).first().map(|&(_, loss)| loss);
        let losses = of_one_kind(&self.points).into_iter().map(|(_, loss)| loss);
        let lowest = losses.fold(f64::INFINITY, f64::min);
        first.is_some_and(|first| first - lowest > LEARNING * first.abs())
    }
}

impl Rise {
    pub(super) fn evidence(&self) -> Evidence {
        let mut evidence = evidence(&[
            ("val_loss_lowest", self.base),
            ("val_loss_now", self.now),
            ("rise", self.share()),
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

/// Phases from moments: a phase that ends with a whole epoch is followed by the next one, a phase
/// that ends within an epoch by the moment of its end. Empty ones are left out.
fn in_epochs(
    spans: Vec<(f64, f64, PhaseName, f64, Evidence)>,
    first: Row,
    last: f64,
) -> Vec<Phase> {
    let mut phases: Vec<Phase> = Vec::new();
    for (from, to, name, certainty, evidence) in spans {
        let opening = phases.is_empty();
        let start = match (opening, from.fract() == 0.0) {
            // The first phase begins with the first epoch, or at the very start when it ends within
            // that.
            (true, _) if from == first.epoch && first.untrained => f64::from(u8::from(to >= 1.0)),
            (true, _) if from == first.epoch => from,
            (_, true) => (from + 1.0).min(last),
            (_, false) => from,
        };
        // What ends before the first update has not been.
        let was = to > from || (opening && !first.untrained) || name == PhaseName::Diverging;
        if to < start || !was {
            continue;
        }
        let certainty = (certainty * 100.0).round() / 100.0;
        phases.push(Phase { name, start, end: to, certainty, evidence });
    }
    phases
}

/// Where both losses stand, epoch by epoch; epochs without a validation loss are left out.
fn course(points: &[Row]) -> Course {
    let mut course = Course::default();
    for row in points {
        let Some(val) = row.val_loss else { continue };
        course.epochs.push(row.epoch);
        course.train.push(row.train_loss.unwrap_or(f64::NAN));
        course.val.push(val);
        course.calibrated.push(row.val_loss_calibrated.unwrap_or(f64::NAN));
        course.accuracy.push(row.val_accuracy.unwrap_or(f64::NAN));
    }
    course
}

/// One point for several: means, at the last one's epoch.
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

/// Place from which the losses grew: without a break to the end, or until they were above the first
/// one and stayed there. What has exploded may jump about, and falls now and then.
fn began_to_grow(losses: &[f64]) -> usize {
    let above = |loss: &f64| *loss > ABOVE * losses[0];
    let end = match losses.last() {
        Some(last) if above(last) => losses.iter().rposition(|loss| !above(loss)).unwrap_or(0) + 1,
        _ => losses.len(),
    };
    last_low(&losses[..end.min(losses.len())])
}

/// Place from which the losses grow without a break to the end.
fn last_low(losses: &[f64]) -> usize {
    let mut low = losses.len().saturating_sub(1);
    while low > 0 && losses[low - 1] < losses[low] {
        low -= 1;
    }
    low
}
