//! Running figures of training: sums over steps, in the order of the steps, for a line of metrics.
//! Neither the time of a reading nor resuming from a checkpoint changes a bit.

use klubok_nn::{
    backend::{ParamFigures, StepFigures},
    plan::{ParamKind, ParamSpec, Plan},
};
use serde::{Deserialize, Serialize};

use crate::{activity::Activity, event::LayerMetrics};

/// Sums over the steps since the last line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// Number of observed steps.
    steps: u64,
    samples: u64,
    loss_sum: f64,
    weight_sum: f64,
    grad_norm_sum: f64,
    layer_grad_norm_sums: Vec<f64>,
    /// Σ w² of each layer's weight matrix after the last step.
    weight_sq: Vec<f64>,
    /// |dW| / |W| of each layer at each observed step; too many to serialize with the other
    /// figures.
    #[serde(skip)]
    pub(super) update_ratios: Vec<Vec<f32>>,
}

impl Meter {
    /// Starts a meter for the layers of a plan.
    pub fn new(plan: &Plan) -> Self {
        let layers = plan.layers.len();
        Self {
            layer_grad_norm_sums: vec![0.0; layers],
            weight_sq: vec![0.0; layers],
            update_ratios: vec![Vec::new(); layers],
            ..Self::default()
        }
    }

    /// Whether the meter has this many layers.
    pub fn fits(&self, layers: usize) -> bool {
        let lists = [&self.layer_grad_norm_sums, &self.weight_sq].map(Vec::len);
        lists == [layers; 2] && self.update_ratios.len() == layers
    }

    /// Reserves memory for this many steps.
    pub fn reserve(&mut self, steps: usize) {
        for ratios in &mut self.update_ratios {
            ratios.reserve(steps.saturating_sub(ratios.len()));
        }
    }

    /// Resets the sums, and keeps the reserved memory.
    pub fn clear(&mut self) {
        (self.steps, self.samples) = (0, 0);
        (self.loss_sum, self.weight_sum, self.grad_norm_sum) = (0.0, 0.0, 0.0);
        self.layer_grad_norm_sums.fill(0.0);
        self.update_ratios.iter_mut().for_each(Vec::clear);
    }

    /// Adds one step: its overall figures and, for an observed step, those of each parameter.
    pub fn add(&mut self, step: &StepFigures, params: &[ParamFigures], specs: &[ParamSpec]) {
        self.samples += u64::from(step.samples);
        self.loss_sum += step.loss_sum + step.penalty * step.weight_sum;
        self.weight_sum += step.weight_sum;
        if !step.observed {
            return;
        }
        self.steps += 1;
        self.grad_norm_sum += params.iter().map(|p| p.gradient_sq).sum::<f64>().sqrt();
        for layer in 0..self.weight_sq.len() {
            let layer_params = || specs.iter().zip(params).filter(|(spec, _)| spec.layer == layer);
            let gradient_sq: f64 = layer_params().map(|(_, p)| p.gradient_sq).sum();
            self.layer_grad_norm_sums[layer] += gradient_sq.sqrt();
            if let Some((_, w)) = layer_params().find(|(spec, _)| spec.kind == ParamKind::Weight) {
                self.weight_sq[layer] = w.value_sq;
                if w.value_sq > 0.0 {
                    self.update_ratios[layer].push((w.update_sq / w.value_sq).sqrt() as f32);
                }
            }
        }
    }

    /// Sets Σ w² of a layer's weight matrix before the first step.
    pub fn set_weight_sq(&mut self, layer: usize, weight_sq: f64) {
        self.weight_sq[layer] = weight_sq;
    }

    /// Returns the number of samples in the steps.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Returns the weighted mean loss with penalties; `None` before the first step.
    pub fn train_loss(&self) -> Option<f64> {
        (self.weight_sum > 0.0).then(|| self.loss_sum / self.weight_sum)
    }

    /// Returns the mean global norm of the gradient before clipping, over the observed steps.
    pub fn grad_norm(&self) -> Option<f64> {
        (self.steps > 0).then(|| self.grad_norm_sum / self.steps as f64)
    }

    /// Returns the metrics of the layers; `activity` has that of each layer, where known.
    pub fn layers(&self, plan: &Plan, activity: &[Option<Activity>]) -> Vec<LayerMetrics> {
        let metrics = |(layer, name): (usize, &String)| LayerMetrics {
            name: name.clone(),
            grad_norm: (self.steps > 0)
                .then(|| self.layer_grad_norm_sums[layer] / self.steps as f64),
            weight_norm: self.weight_sq[layer].sqrt(),
            update_ratio: median(&self.update_ratios[layer]),
            active_fraction: activity[layer].map(|a| a.active_fraction),
            silent_fraction: activity[layer].map(|a| a.silent_fraction),
            // A unit that is not silent on the fixed sample is not silent on the training set.
            dead_fraction: activity[layer].map(|a| a.silent_fraction).filter(|&share| share == 0.0),
            saturated_fraction: activity[layer].and_then(|a| a.saturated_fraction),
            distance_from_start: None,
            histogram: None,
        };
        plan.layers.iter().enumerate().map(metrics).collect()
    }
}

/// Returns the median; `None` without values.
fn median(values: &[f32]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(f64::from(sorted[middle])),
        _ => Some(f64::midpoint(f64::from(sorted[middle - 1]), f64::from(sorted[middle]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs() -> Vec<ParamSpec> {
        let spec =
            |name: &str, kind, layer| ParamSpec { name: name.into(), shape: vec![1], kind, layer };
        vec![
            spec("hidden1.weight", ParamKind::Weight, 0),
            spec("hidden1.bias", ParamKind::Bias, 0),
            spec("output.weight", ParamKind::Weight, 1),
        ]
    }

    fn meter() -> Meter {
        Meter {
            layer_grad_norm_sums: vec![0.0; 2],
            weight_sq: vec![0.0; 2],
            update_ratios: vec![Vec::new(); 2],
            ..Meter::default()
        }
    }

    fn param(gradient_sq: f64, update_sq: f64, value_sq: f64) -> ParamFigures {
        ParamFigures { gradient_sq, update_sq, value_sq }
    }

    #[test]
    fn figures_by_hand() {
        let mut meter = meter();
        assert_eq!((meter.train_loss(), meter.grad_norm()), (None, None));
        let step = |loss_sum, penalty, weight_sum| StepFigures {
            loss_sum,
            penalty,
            weight_sum,
            correct: 0,
            samples: 2,
            observed: true,
        };
        let first = [param(9.0, 1.0, 100.0), param(16.0, 5.0, 5.0), param(0.0, 0.0, 0.0)];
        let second = [param(0.0, 4.0, 100.0), param(0.0, 5.0, 5.0), param(1.0, 1.0, 4.0)];
        meter.add(&step(6.0, 0.5, 4.0), &first, &specs());
        meter.add(&step(2.0, 0.0, 1.0), &second, &specs());
        assert_eq!(meter.train_loss(), Some((6.0 + 0.5 * 4.0 + 2.0) / 5.0));
        assert_eq!(meter.grad_norm(), Some(f64::midpoint(5.0, 1.0)));
        assert_eq!(meter.samples(), 4);
        assert_eq!(meter.layer_grad_norm_sums, [5.0, 1.0]);
        assert_eq!(meter.weight_sq, [100.0, 4.0]);
        assert_eq!(meter.update_ratios, [vec![0.1, 0.2], vec![0.5]]);
        meter.add(&StepFigures { observed: false, ..step(7.0, 0.0, 5.0) }, &[], &specs());
        assert_eq!((meter.train_loss(), meter.samples()), (Some(17.0 / 10.0), 6));
        assert_eq!(meter.grad_norm(), Some(3.0), "of the steps that were observed");
        meter.clear();
        assert_eq!((meter.train_loss(), meter.samples()), (None, 0));
    }

    #[test]
    fn median_of_odd_and_even() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
