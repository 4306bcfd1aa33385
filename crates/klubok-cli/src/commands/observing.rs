//! `klubok bench --observing`: the cost of observing a training.
//!
//! Windows of unobserved steps alternate with windows of steps as `train` takes them: some steps
//! are observed, their figures read and summed, and the diagnosis receives the metrics of each
//! epoch. Evaluation between epochs (losses, accuracy, dead units) is left out: its cost depends on
//! the size of the data.

use std::time::{Duration, Instant};

use klubok::{
    backend::{DataId, Figures, Program, Step},
    diagnose::observer::DiagnosisObserver,
    plan::Plan,
    train::{
        cadence::{READ_EVERY, is_observed},
        event::{Event, Metrics, Observer},
        meter::Meter,
        progress::non_finite_quantity,
    },
};
use klubok_text::{numbers::decimal, text};
use serde::Serialize;

use crate::{
    failure::{Failure, Result},
    terminal::{print_stdout, print_wrapped},
};

/// Steps before the first window.
const WARM_UP: u64 = 4 * READ_EVERY;

/// Cost of observation, in milliseconds a step and as a share of an unobserved step.
#[derive(Debug, Serialize)]
pub(super) struct ObservationCost {
    pairs: usize,
    steps: u64,
    observed_share: f64,
    plain_ms: f64,
    observed_ms: f64,
    cost: f64,
    cost_lowest: f64,
    cost_highest: f64,
}

/// Plan of the measurement: pairs of windows, each without and with observation.
pub(super) struct PairedWindows<'a> {
    pub(super) plan: &'a Plan,
    /// Rows of all batches.
    pub(super) order: &'a [u32],
    /// Rows of a batch.
    pub(super) batch: usize,
    pub(super) learning_rate: f64,
    /// Steps of an epoch.
    pub(super) per_epoch: u64,
    /// Shortest duration of a window.
    pub(super) window: Duration,
}

impl PairedWindows<'_> {
    /// Measures `pairs` pairs of windows; the order within a pair alternates.
    pub(super) fn measure(
        &self,
        program: &mut dyn Program,
        pairs: usize,
    ) -> Result<ObservationCost> {
        let mut training = ObservedTraining::new(self.plan, self.per_epoch);
        // Warm up caches and threads.
        while training.index < WARM_UP {
            self.step(program, &mut training, true)?;
        }
        let first = training.index;
        let mut times: Vec<[f64; 2]> = Vec::new();
        for pair in 0..pairs {
            let mut ms = [0.0; 2];
            for observing in [pair % 2 == 1, pair % 2 == 0] {
                ms[usize::from(observing)] = self.time_window(program, &mut training, observing)?;
            }
            times.push(ms);
        }
        let column = |of: fn(&[f64; 2]) -> f64| sorted(times.iter().map(of).collect());
        let costs = column(|[plain, observed]| observed / plain - 1.0);
        let later = 3 * self.per_epoch..4 * self.per_epoch;
        let share = later.filter(|&index| is_observed(index, self.per_epoch)).count();
        Ok(ObservationCost {
            pairs,
            steps: training.index - first,
            observed_share: share as f64 / self.per_epoch as f64,
            plain_ms: column(|[plain, _]| *plain)[pairs / 2],
            observed_ms: column(|[_, observed]| *observed)[pairs / 2],
            cost: costs[pairs / 2],
            cost_lowest: costs[0],
            cost_highest: costs[pairs - 1],
        })
    }

    /// Milliseconds a step in one window, a multiple of [`READ_EVERY`] steps.
    fn time_window(
        &self,
        program: &mut dyn Program,
        training: &mut ObservedTraining<'_>,
        observing: bool,
    ) -> Result<f64> {
        let (begun, first) = (Instant::now(), training.index);
        while training.index == first || begun.elapsed() < self.window {
            for _ in 0..READ_EVERY {
                self.step(program, training, observing)?;
            }
        }
        let milliseconds = 1000.0 * begun.elapsed().as_secs_f64();
        program.read(&mut training.figures);
        Ok(milliseconds / (training.index - first) as f64)
    }

    fn step(
        &self,
        program: &mut dyn Program,
        training: &mut ObservedTraining<'_>,
        observing: bool,
    ) -> Result<()> {
        let index = training.index;
        let batches = self.order.len() / self.batch;
        let rows = &self.order[self.batch * (index as usize % batches)..][..self.batch];
        let observe = observing && is_observed(index, self.per_epoch);
        let (weight_sum, learning_rate) = (self.batch as f64, self.learning_rate);
        let step = Step { index, rows, first: 0, weight_sum, learning_rate, observe };
        program.train(DataId(0), &step)?;
        training.index += 1;
        if observing {
            training.after_step(program)?;
        }
        Ok(())
    }
}

/// Observes steps as the training loop does.
struct ObservedTraining<'a> {
    plan: &'a Plan,
    per_epoch: u64,
    index: u64,
    figures: Figures,
    meter: Meter,
    diagnosis: DiagnosisObserver,
}

impl<'a> ObservedTraining<'a> {
    fn new(plan: &'a Plan, per_epoch: u64) -> Self {
        let mut meter = Meter::new(plan);
        meter.reserve(per_epoch as usize);
        let (figures, diagnosis) = (Figures::default(), DiagnosisObserver::new(1000));
        Self { plan, per_epoch, index: 0, figures, meter, diagnosis }
    }

    fn after_step(&mut self, program: &mut dyn Program) -> Result<()> {
        let epoch_ends = self.index.is_multiple_of(self.per_epoch);
        if epoch_ends || self.index.is_multiple_of(READ_EVERY) {
            self.read(program)?;
        }
        if epoch_ends {
            self.end_epoch()?;
        }
        Ok(())
    }

    fn read(&mut self, program: &mut dyn Program) -> Result<()> {
        program.read(&mut self.figures);
        let mut of_steps = self.figures.params.chunks_exact(self.plan.params.len());
        for step in &self.figures.steps {
            let params = step.observed.then(|| of_steps.next()).flatten().unwrap_or_default();
            if non_finite_quantity(step, params).is_some() {
                return Err(Failure::failed("the training diverged: try a smaller network"));
            }
            self.meter.add(step, params, &self.plan.params);
        }
        let (step, samples) = (self.index, self.meter.samples());
        let train_loss = self.meter.train_loss().unwrap_or_default();
        Ok(self.diagnosis.observe(&Event::Progress { step, samples, train_loss })?)
    }

    fn end_epoch(&mut self) -> Result<()> {
        let train_loss = self.meter.train_loss();
        let metrics = Metrics {
            epoch: (self.index / self.per_epoch) as f64,
            step: self.index,
            train_loss,
            train_eval_loss: train_loss,
            val_loss: train_loss,
            grad_norm: self.meter.grad_norm(),
            layers: self.meter.layers(self.plan, &vec![None; self.plan.layers.len()]),
            ..Metrics::default()
        };
        self.meter.clear();
        self.diagnosis.observe(&Event::Epoch { metrics: &metrics, best: false })?;
        drop(self.diagnosis.noticed());
        Ok(())
    }
}

/// Prints the cost.
pub(super) fn print(cost: &ObservationCost, json: bool) -> Result<()> {
    if json {
        return print_stdout(serde_json::to_string(cost).map_err(Failure::failed)?);
    }
    let percent = |share: f64| decimal(format_args!("{:.2}", 100.0 * share));
    print_wrapped(text!(
        "bench.observing",
        cost = percent(cost.cost),
        lowest = percent(cost.cost_lowest),
        highest = percent(cost.cost_highest),
        plain = decimal(format_args!("{:.4}", cost.plain_ms)),
        pairs = cost.pairs,
        share = percent(cost.observed_share)
    ))
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}
