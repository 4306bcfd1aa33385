//! Phases and verdicts for made-up learning curves with known truth.

use klubok::{
    config::{ConfigBuilder, DataKind, Machine, Preset},
    diagnose::{history::Row, observer::DiagnosisObserver, setup::Setup, tracker::Tracker},
    train::event::{Event, Metrics, Notice, Observer, Phase, PhaseName, VerdictName},
};

/// A fixed pseudo-random sequence in [-1, 1].
struct Jitter(u32);

impl Jitter {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.0 >> 8) / f64::from(1 << 23) - 1.0
    }
}

fn row(epoch: usize, train: f64, val: f64) -> Row {
    let (train_loss, val_loss) = (Some(train), Some(val));
    Row { epoch: epoch as f64, train_loss, val_loss, ..Row::default() }
}

/// Tracks `epochs` epochs, counted from 1, with these training and validation losses.
fn tracker_of(epochs: usize, losses: impl Fn(f64) -> (f64, f64)) -> Tracker {
    let mut tracker = Tracker::new(Some(2000));
    for epoch in 1..=epochs {
        let (train, val) = losses(epoch as f64);
        tracker.epoch(&row(epoch, train, val));
    }
    tracker
}

fn names(tracker: &Tracker) -> Vec<PhaseName> {
    tracker.phases().iter().map(|phase| phase.name).collect()
}

fn verdicts(tracker: &Tracker) -> Vec<VerdictName> {
    tracker.verdicts(true).iter().map(|verdict| verdict.name).collect()
}

fn phase(tracker: &Tracker, name: PhaseName) -> Option<Phase> {
    tracker.phases().into_iter().find(|phase| phase.name == name)
}

#[test]
fn three_phases_follow_each_other_without_a_gap() {
    let tracker = tracker_of(40, |e| {
        let train = 2.0 * (-e / 2.0).exp() + 0.6 * (-e / 20.0).exp();
        (train, train + 0.3 + 0.02 * (e - 12.0).max(0.0))
    });
    let three = [PhaseName::FastLearning, PhaseName::FineTuning, PhaseName::Specialisation];
    assert_eq!(names(&tracker), three);
    let phases = tracker.phases();
    assert_eq!((phases[0].start, phases[2].end), (1.0, 40.0));
    assert!(phases.windows(2).all(|pair| pair[1].start == pair[0].end + 1.0), "{phases:?}");
    // At the minimum, the decrease of 0.03 exp(-e/20) per epoch equals the increase of 0.02.
    assert!((12.0..=15.0).contains(&phases[2].start), "{phases:?}");
    assert!(phases[2].certainty > 0.9 && phases[2].evidence["rise"] > 0.2, "{phases:?}");
    assert_eq!(verdicts(&tracker), [VerdictName::OverFitting]);
}

#[test]
fn a_fast_phase_within_the_first_epoch_ends_at_a_fraction() {
    let mut tracker = Tracker::new(None);
    tracker.epoch(&Row { untrained: true, ..row(0, 2.3, 2.3) });
    for epoch in [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64] {
        let loss = 0.4 + 1.9 * f64::exp(-epoch / 0.05);
        tracker.step(&Row { epoch, ..row(0, loss, loss) });
    }
    (1..=5).for_each(|e| tracker.epoch(&row(e, 0.4 - 0.01 * e as f64, 0.45 - 0.01 * e as f64)));
    let phases = tracker.phases();
    assert_eq!(names(&tracker)[..2], [PhaseName::FastLearning, PhaseName::FineTuning]);
    assert!(phases[0].start == 0.0 && (0.02..0.5).contains(&phases[0].end), "{phases:?}");
    assert_eq!(phases[1].start, phases[0].end);
}

#[test]
fn jittery_first_steps_do_not_end_the_fast_phase() {
    // Cats and dogs with the article's network: the first step removes the initial overconfidence.
    let mut tracker = Tracker::new(None);
    tracker.epoch(&Row { untrained: true, ..row(0, 1.0, 1.01) });
    let losses = [0.858, 0.890, 0.899, 0.747, 0.782, 0.701, 0.640];
    for (i, loss) in losses.into_iter().enumerate() {
        tracker.step(&Row { epoch: 0.008 * f64::from(1 << i), ..row(0, loss, loss) });
        assert_eq!(phase(&tracker, PhaseName::FineTuning), None, "{loss}");
    }
    for (epoch, loss) in [(1, 0.612), (2, 0.539), (3, 0.529), (4, 0.420)] {
        tracker.epoch(&row(epoch, loss, loss + 0.05));
    }
    let fast = phase(&tracker, PhaseName::FastLearning).unwrap();
    assert!((0.1..1.0).contains(&fast.end), "{fast:?}");
}

#[test]
fn warm_restarts_are_not_overfitting() {
    // Every ten epochs the learning rate jumps up: both losses jump, then decrease below their
    // previous values.
    let mut tracker = Tracker::new(Some(2000));
    for epoch in 1..=40 {
        let jump = 0.25 * f64::exp(((epoch - 1) % 10) as f64 / -2.0);
        let base = 0.3 + 0.5 * f64::exp(-(epoch as f64) / 12.0);
        tracker.epoch(&row(epoch, base + jump, base + 0.1 + jump));
        let over = phase(&tracker, PhaseName::Specialisation);
        assert!(over.is_none(), "epoch {epoch}: {over:?}");
    }
}

#[test]
fn after_a_withdrawn_overfitting_onset_the_next_increase_must_be_clearer() {
    // From epoch 4 on, three waves of 10 epochs each on a slow decrease. Returns the waves with a
    // detected onset.
    let onsets = |samples, heights: [f64; 3]| {
        let mut onsets = Vec::new();
        let mut tracker = Tracker::new(Some(samples));
        for epoch in 1..=33 {
            let e = epoch as f64;
            let wave = (1.0 - (std::f64::consts::TAU * (e - 4.0) / 10.0).cos()) / 2.0;
            let height = if epoch < 4 { 0.1 } else { heights[(epoch - 4) / 10] };
            tracker.epoch(&row(epoch, 0.7 / e.sqrt(), 0.6 - 0.001 * e + height * wave));
            let phase = phase(&tracker, PhaseName::Specialisation);
            onsets.extend(phase.map(|phase| (phase.start / 10.0).floor()));
        }
        onsets.dedup();
        onsets
    };
    assert_eq!(onsets(30, [0.08, 0.07, 0.06]), [0.0], "the first wave raises the bar");
    assert_eq!(onsets(30, [0.08, 0.07, 0.16]), [0.0, 2.0], "a higher wave");
    assert_eq!(onsets(5000, [0.08, 0.07, 0.06]), [0.0, 1.0, 2.0], "too large for chance");
}

/// Returns a tracker of a training with these settings.
fn set_up(sets: &[&str]) -> Tracker {
    let mut builder = ConfigBuilder::new(Preset::Balanced, DataKind::Pictures);
    sets.iter().for_each(|set| builder.assign(set).unwrap());
    let config = builder.resolve(&Machine::plain(1)).unwrap().config;
    Tracker::new(Some(1000)).with_setup(Setup { config, train_classes: Vec::new() })
}

#[test]
fn waits_for_lagging_running_statistics() {
    // In epochs of two steps, the evaluation losses increase until step 24 and decrease until step
    // 40; from step 60 on they increase for good.
    let verdicts_early_and_late = |sets: &[&str], steps: u64| {
        let mut tracker = set_up(sets);
        let mut epochs = Vec::new();
        for epoch in 1..=40 {
            let e = epoch as f64;
            let bump = 0.01 * (8.0 - (e - 12.0).abs()).max(0.0);
            let increase = 0.01 * (e - 30.0).max(0.0);
            let row = row(epoch, 0.7 - 0.01 * e, 0.68 - 0.004 * e + bump + increase);
            tracker.epoch(&Row { step: Some(steps * epoch as u64), ..row });
            if !tracker.verdicts(true).is_empty() {
                epochs.push(epoch);
            }
        }
        [epochs.first().is_some_and(|&first| first < 20), epochs.last() == Some(&40)]
    };
    let with_batch_norm = verdicts_early_and_late(&[], 2);
    assert_eq!(with_batch_norm, [false, true], "the preset has batch normalisation");
    assert_eq!(verdicts_early_and_late(&[], 200), [true, true]);
    for without in ["model.batch_norm=false", "model.hidden=[]"] {
        assert_eq!(verdicts_early_and_late(&[without], 2), [true, true], "{without}");
    }
}

#[test]
fn batch_losses_show_an_explosion_before_the_running_statistics_follow() {
    // In epochs of five steps; the running statistics lag in the first five epochs.
    let diverges_at = |batches: [f64; 7], evaluated: [f64; 7]| {
        let mut tracker = set_up(&[]);
        for (epoch, (batch, loss)) in batches.into_iter().zip(evaluated).enumerate() {
            let batch_loss = (epoch > 0).then_some(batch);
            let step = Some(5 * epoch as u64);
            let row = Row { untrained: epoch == 0, step, batch_loss, ..row(epoch, loss, loss) };
            tracker.epoch(&row);
            if tracker.verdicts(false).iter().any(|found| found.name == VerdictName::Diverging) {
                return Some(epoch);
            }
        }
        None
    };
    let learns = [f64::NAN, 0.68, 0.66, 0.64, 0.62, 0.60, 0.58];
    let grows = [f64::NAN, 1.2, 3.0, 7.0, 9.0, 15.0, 40.0];
    let wild = [0.7, 1.5, 6.0, 3.0, 1.8, 0.7, 0.6];
    assert_eq!(diverges_at(learns, wild), None);
    assert_eq!(diverges_at(grows, wild.map(|_| 0.7)), Some(2));
    // The evaluation losses grow as well.
    let evaluated = grows.map(|loss| if loss.is_nan() { 0.7 } else { loss });
    assert_eq!(diverges_at(grows, evaluated), Some(2));
}

#[test]
fn a_network_that_has_not_learnt_its_training_samples_is_not_overfitting() {
    let of = |decrease: f64, increase: f64| {
        tracker_of(24, |e| (0.68 + decrease * (-e / 4.0).exp(), 0.68 + increase * (e - 4.0).abs()))
    };
    let tracker = of(0.02, 0.01);
    assert_eq!(verdicts(&tracker), [VerdictName::UnderFitting]);
    assert!(!names(&tracker).contains(&PhaseName::Specialisation), "{:?}", names(&tracker));
    assert_eq!(verdicts(&of(0.6, 0.01)), [VerdictName::OverFitting]);
    // The training loss does not explain a validation loss far above it.
    assert_eq!(verdicts(&of(0.02, 0.02)), [VerdictName::OverFitting]);
}

#[test]
fn early_stopping_without_improvement_is_not_slow_convergence() {
    // The loss still decreases; the monitored accuracy has not increased since epoch 3.
    let of = |early_stopping: &str| {
        let early = format!("train.early_stopping={early_stopping}");
        let mut tracker = set_up(&["train.monitor=val_accuracy", "train.patience=10", &early]);
        for epoch in 1..=13 {
            let e = epoch as f64;
            let accuracy = Some(0.6 + 0.02 * e.min(3.0));
            let row = row(epoch, 0.1 + (-e / 6.0).exp(), 0.2 + (-e / 6.0).exp());
            tracker.epoch(&Row { val_accuracy: accuracy, ..row });
        }
        verdicts(&tracker)
    };
    assert_eq!(of("false"), [VerdictName::SlowConvergence]);
    assert_eq!(of("true"), []);
}

#[test]
fn jitter_alone_seldom_raises_an_alarm() {
    let (mut any, mut last) = (0, 0);
    for seed in 0..200 {
        let (mut tracker, mut jitter) = (Tracker::new(Some(2000)), Jitter(seed));
        let (mut alarm, mut present) = (false, false);
        for epoch in 1..=40 {
            let train = 0.2 + f64::exp(f64::from(epoch) / -8.0);
            let val = 0.5 + 0.5 * f64::exp(f64::from(epoch) / -8.0);
            // 1.2 % of the loss, as in networks with batch normalisation.
            let (a, b) = (0.01 * jitter.next(), 0.01 * jitter.next());
            tracker.epoch(&row(epoch as usize, train + a, val + b));
            present = phase(&tracker, PhaseName::Specialisation).is_some();
            alarm |= present;
        }
        any += usize::from(alarm);
        last += usize::from(present);
    }
    assert!(last <= 10 && any <= 30, "alarms in 200 curves: {last} in the end, {any} at all");
}

#[test]
fn convergence_is_withdrawn_when_a_lower_learning_rate_ends_the_plateau() {
    let loss =
        |e: f64| if e <= 20.0 { 0.5 + (-e / 2.0).exp() } else { 0.3 + 0.2 * (20.0 - e).exp() };
    let before = tracker_of(20, |e| (loss(e), loss(e) + 0.1));
    assert_eq!(names(&before).last(), Some(&PhaseName::Converged));
    let decreasing = tracker_of(22, |e| (loss(e), loss(e) + 0.1));
    assert_eq!(names(&decreasing).last(), Some(&PhaseName::FineTuning));
    let after = tracker_of(40, |e| (loss(e), loss(e) + 0.1));
    let converged = phase(&after, PhaseName::Converged).unwrap();
    assert!((21.0..=27.0).contains(&converged.start), "{converged:?}");
    assert!(verdicts(&after).is_empty());
}

#[test]
fn a_high_flat_loss_is_underfitting_unless_most_predictions_are_right() {
    let flat = |accuracy: Option<f64>| {
        let mut tracker = Tracker::new(Some(2000));
        for epoch in 1..=20 {
            let losses = row(epoch, 0.69 + 0.01 / epoch as f64, 0.7);
            tracker.epoch(&Row { train_accuracy: accuracy, ..losses });
        }
        tracker
    };
    assert_eq!(names(&flat(Some(0.52))).last(), Some(&PhaseName::Underfitting));
    assert_eq!(verdicts(&flat(None)), [VerdictName::UnderFitting]);
    assert_eq!(names(&flat(Some(0.95))).last(), Some(&PhaseName::Converged));
    // The network learns its training samples, and does not generalise.
    let mut memorising = Tracker::new(Some(2000));
    for epoch in 1..=20 {
        let (train, val) = (Some(0.79), Some(0.55));
        let losses = row(epoch, 0.6 + 0.01 / epoch as f64, 0.69);
        memorising.epoch(&Row { train_accuracy: train, val_accuracy: val, ..losses });
    }
    assert_eq!(verdicts(&memorising), []);
}

#[test]
fn a_nan_loss_is_dated_to_the_start_of_its_growth() {
    let losses = [1.0, 0.8, 0.7, 0.9, 2.0, 9.0, f64::NAN, f64::NAN];
    let tracker = tracker_of(8, |e| (losses[e as usize - 1], 1.0));
    let diverging = phase(&tracker, PhaseName::Diverging).unwrap();
    assert_eq!((diverging.start, diverging.end), (4.0, 8.0));
    assert_eq!(verdicts(&tracker), [VerdictName::Diverging, VerdictName::LearningRateTooHigh]);
    assert_eq!(tracker.best_epoch(), Some(1.0), "the earlier epoch wins ties");
    // An exploded loss may decrease now and then.
    let losses = [1.0, 0.8, 0.7, 9.0, 2.0, 5.0, 3.0, 4.0];
    let tracker = tracker_of(8, |e| (losses[e as usize - 1], 1.0));
    assert_eq!(phase(&tracker, PhaseName::Diverging).map(|phase| phase.start), Some(4.0));
}

#[test]
fn an_explosion_needs_no_nan_and_a_spike_is_not_one() {
    let losses = [1.0, 0.5, 0.4, 3.0, 8.0, 20.0];
    let tracker = tracker_of(6, |e| (losses[e as usize - 1], 1.0));
    assert_eq!(names(&tracker).last(), Some(&PhaseName::Diverging));
    let losses = [1.0, 0.5, 0.4, 3.0, 0.45, 0.4, 0.39, 0.38];
    let tracker = tracker_of(8, |e| (losses[e as usize - 1], losses[e as usize - 1]));
    assert_eq!(phase(&tracker, PhaseName::Diverging), None, "one spike");
}

#[test]
fn slow_and_oscillating_trainings_get_verdicts() {
    let even = tracker_of(20, |e| (1.0 - 0.01 * e, 1.0 - 0.01 * e));
    assert_eq!(verdicts(&even), [VerdictName::LearningRateTooLow]);
    assert!(even.verdicts(false).is_empty(), "raised only at the end");
    let unfinished = tracker_of(20, |e| ((-e / 8.0).exp(), 0.1 + (-e / 8.0).exp()));
    assert_eq!(verdicts(&unfinished), [VerdictName::SlowConvergence]);
    assert_eq!(unfinished.verdicts(true)[0].try_, "--set train.epochs=40");
    let jumping = tracker_of(20, |e| (1.0 + 0.5 * (2.4 * e).sin(), 1.0 + 0.4 * (2.4 * e).sin()));
    assert!(verdicts(&jumping).contains(&VerdictName::OscillatingLoss), "{:?}", verdicts(&jumping));
}

#[test]
fn the_advice_depends_on_the_learning_rate() {
    let mut tracker = Tracker::new(None);
    for (epoch, loss) in [1.0, 4.0, 30.0, f64::INFINITY].into_iter().enumerate() {
        let learning_rate = Some(0.5);
        tracker.epoch(&Row { learning_rate, ..row(epoch + 1, loss, loss) });
    }
    let verdicts = tracker.verdicts(true);
    assert!(verdicts.iter().any(|verdict| verdict.try_ == "--set train.learning_rate=0.05"));
}

#[test]
fn a_long_history_is_dated_like_a_short_one() {
    let n = 200_000;
    let losses = |e: f64| {
        let t = e / n as f64;
        ((-8.0 * t).exp(), (-8.0 * t).exp() + 0.5 * t)
    };
    let tracker = tracker_of(n, losses);
    let over = phase(&tracker, PhaseName::Specialisation).unwrap();
    // 8 exp(-8 t) = 0.5 where t = ln(16) / 8.
    let at = 16f64.ln() / 8.0 * n as f64;
    assert!((over.start - at).abs() < 0.02 * n as f64, "{} is not {at}", over.start);
}

/// The article's network on cats and dogs: training loss, validation loss and accuracy before
/// training and after each epoch. From epoch 6 on the accuracy fluctuates by little more than
/// chance.
#[rustfmt::skip]
const ARTICLE: [(f64, f64, f64); 61] = [
    (1.000, 1.009, 0.493), (0.612, 0.640, 0.629), (0.539, 0.639, 0.634), (0.529, 0.685, 0.618),
    (0.420, 0.675, 0.634), (0.363, 0.709, 0.630), (0.349, 0.790, 0.621), (0.281, 0.821, 0.643),
    (0.288, 0.886, 0.631), (0.223, 0.981, 0.635), (0.219, 0.897, 0.639), (0.172, 1.036, 0.635),
    (0.128, 1.109, 0.635), (0.142, 1.145, 0.637), (0.125, 1.244, 0.629), (0.113, 1.204, 0.628),
    (0.115, 1.356, 0.628), (0.072, 1.290, 0.643), (0.166, 1.582, 0.631), (0.151, 1.585, 0.621),
    (0.076, 1.491, 0.638), (0.096, 1.566, 0.630), (0.038, 1.578, 0.639), (0.072, 1.708, 0.632),
    (0.035, 1.637, 0.638), (0.032, 1.683, 0.643), (0.019, 1.805, 0.644), (0.038, 1.880, 0.638),
    (0.066, 1.947, 0.637), (0.036, 1.880, 0.627), (0.013, 1.945, 0.640), (0.017, 2.081, 0.639),
    (0.008, 2.055, 0.642), (0.015, 2.042, 0.637), (0.006, 2.181, 0.639), (0.017, 2.141, 0.627),
    (0.041, 2.119, 0.637), (0.083, 2.176, 0.625), (0.057, 2.093, 0.626), (0.062, 1.957, 0.632),
    (0.041, 2.132, 0.629), (0.025, 2.063, 0.623), (0.018, 2.164, 0.635), (0.018, 2.090, 0.634),
    (0.008, 2.151, 0.643), (0.011, 2.324, 0.639), (0.001, 2.259, 0.643), (0.001, 2.281, 0.652),
    (0.001, 2.402, 0.646), (0.013, 2.378, 0.651), (0.003, 2.430, 0.645), (0.001, 2.394, 0.639),
    (0.001, 2.444, 0.643), (0.000, 2.447, 0.641), (0.000, 2.485, 0.640), (0.000, 2.531, 0.639),
    (0.000, 2.488, 0.643), (0.000, 2.516, 0.639), (0.002, 2.531, 0.640), (0.000, 2.567, 0.641),
    (0.000, 2.560, 0.646),
];

/// The metrics of its epochs.
fn article() -> Vec<Metrics> {
    let line = |(epoch, (train, val, accuracy)): (usize, (f64, f64, f64))| Metrics {
        epoch: epoch as f64,
        step: epoch as u64 * 125,
        train_eval_loss: Some(train),
        val_loss: Some(val),
        val_accuracy: Some(accuracy),
        ..Metrics::default()
    };
    ARTICLE.into_iter().enumerate().map(line).collect()
}

/// Observes these epochs; returns the verdicts on memorising, each with its epoch.
fn noticed(diagnosis: &mut DiagnosisObserver, epochs: &[Metrics]) -> Vec<(f64, VerdictName)> {
    let mut all = Vec::new();
    for metrics in epochs {
        diagnosis.observe(&Event::Epoch { metrics, best: false }).unwrap();
        let names = diagnosis.noticed().into_iter().filter_map(|notice| match notice {
            Notice::Verdict(verdict) => Some(verdict.name),
            Notice::Phase(_) => None,
        });
        let memorising = [VerdictName::OverFitting, VerdictName::OverConfidence];
        all.extend(names.filter(|name| memorising.contains(name)).map(|n| (metrics.epoch, n)));
    }
    all
}

#[test]
fn a_verdict_does_not_alternate_between_two_names() {
    let epochs = article();
    let mut diagnosis = DiagnosisObserver::new(4000);
    assert_eq!(noticed(&mut diagnosis, &epochs), [(8.0, VerdictName::OverFitting)]);
    // The phase starts two epochs earlier.
    let mut diagnosis = DiagnosisObserver::new(4000);
    noticed(&mut diagnosis, &epochs[..7]);
    let phases = diagnosis.diagnosis().phases;
    assert_eq!(phases.last().unwrap().name, PhaseName::Specialisation);
}

#[test]
fn an_interruption_does_not_change_verdicts() {
    let epochs = article();
    for interrupted in 1..epochs.len() {
        let (past, rest) = epochs.split_at(interrupted);
        let (mut uninterrupted, mut resumed) =
            (DiagnosisObserver::new(4000), DiagnosisObserver::new(4000));
        noticed(&mut uninterrupted, past);
        resumed
            .observe(&Event::Past { steps: &[], epochs: past, events: &[], ahead: &[] })
            .unwrap();
        assert!(resumed.noticed().is_empty());
        assert_eq!(noticed(&mut uninterrupted, rest), noticed(&mut resumed, rest), "{interrupted}");
        assert_eq!(uninterrupted.diagnosis(), resumed.diagnosis());
    }
}

#[test]
fn phases_do_not_overlap() {
    for seed in 1..400 {
        let mut jitter = Jitter(seed);
        let mut next = || jitter.next();
        let mut tracker = Tracker::new(Some(500));
        let (knee, turn, slope) = (4.0 + 3.0 * next(), 6.0 + 5.0 * next(), 0.02 * next());
        for epoch in 1..=16 {
            let e = epoch as f64;
            let train = 0.2 + (-e / knee.abs().max(0.3)).exp() + 0.02 * next();
            let increase = (e - turn).max(0.0) * slope * 3.0;
            let val = if next() > 0.98 { f64::NAN } else { train + increase + 0.02 * next() };
            tracker.epoch(&row(epoch, train, val));
            let phases = tracker.phases();
            let ends = phases.iter().map(|phase| (phase.start, phase.end)).collect::<Vec<_>>();
            assert!(ends.iter().all(|(start, end)| start <= end && *end <= e), "{ends:?}");
            assert!(ends.windows(2).all(|two| two[0].1 <= two[1].0), "{ends:?}");
        }
    }
}

#[test]
fn the_best_epoch_is_the_one_that_training_picks() {
    let best = |setup: Option<&str>| {
        let monitored = |monitor| set_up(&[&format!("train.monitor={monitor}")]);
        let mut tracker = setup.map_or_else(|| Tracker::new(Some(1000)), monitored);
        for epoch in 1..=12 {
            // Overconfidence, which temperature scaling corrects, grows from epoch 4 on.
            let x = epoch as f64;
            let val = 0.6 - 0.02 * x.min(4.0) + 0.05 * (x - 4.0).max(0.0);
            let calibrated = Some(0.6 - 0.02 * x.min(9.0) + 0.01 * (x - 9.0).max(0.0));
            let row = row(epoch, 0.7 / x, val);
            tracker.epoch(&Row { val_loss_calibrated: calibrated, val_accuracy: Some(0.8), ..row });
        }
        tracker.best_epoch()
    };
    assert_eq!(best(None), Some(4.0));
    assert_eq!(best(Some("val_loss")), Some(4.0));
    assert_eq!(best(Some("val_loss_calibrated")), Some(9.0));
    // The mean of three epochs.
    assert_eq!(best(Some("auto")), Some(10.0));
    assert_eq!(best(Some("last")), Some(12.0));
}
