//! Checks gradients on a small copy of the network: the reference in f64 against central
//! differences of the loss, and the training device, in its own precision, against the f64
//! gradient.
//!
//! Uses differences of fourth order at two step sizes and takes the better one: beside the kink of
//! a ReLU one of them may be wrong, never both.

use std::sync::Arc;

use klubok_nn::{
    backend::{Backend, DataId, Figures, Program, Step},
    network::Start,
    plan::{Plan, Precision},
    reference::ReferenceBackend,
    rows::Rows,
    state::{Numbers, State, Weights},
};
use klubok_train::{
    Result,
    batches::sample,
    config::{Config, Init},
    samples::weight_sum,
};
use serde::Serialize;

use super::Lab;

/// Maximum units of a hidden layer in the copy.
const MAX_UNITS: usize = 6;
/// Samples in the batch.
const SAMPLES: usize = 8;
/// Elements to check in every parameter: with the largest gradient, and evenly spaced.
const ELEMENTS: (usize, usize) = (4, 4);
/// Step sizes of the differences.
const STEP_SIZES: [f64; 2] = [1e-5, 1e-6];
/// Largest error relative to the larger of both gradients, or to 1e-3 if both are smaller.
const TOLERANCE: f64 = 1e-5;
/// Largest norm of the device's error over the norm of the gradient, per tensor, in f32 and in
/// bf16.
const DEVICE_TOLERANCE: [f64; 2] = [1e-3, 5e-2];

/// Errors of the gradients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GradientCheck {
    /// True when both errors are within their tolerances.
    pub passed: bool,
    /// Elements compared with finite differences.
    pub elements: usize,
    /// The largest relative error of these elements.
    pub worst: f64,
    /// The largest relative error of the device's gradient over all parameters.
    pub device_worst: f64,
}

impl GradientCheck {
    /// Checks a small copy of the lab's network on its own data.
    ///
    /// # Errors
    /// When the device fails.
    pub fn run(lab: &Lab<'_>) -> Result<Self> {
        let copy = SmallCopy::new(lab);
        let gradient = copy.gradient(&ReferenceBackend, &copy.plan)?;
        let (elements, worst) = copy.compare(&gradient)?;
        let precision = lab.config.train.precision;
        let device_worst = copy.device_error(lab.backend, precision, &gradient)?;
        let tolerance = DEVICE_TOLERANCE[usize::from(precision == Precision::Bf16)];
        let passed = worst <= TOLERANCE && device_worst <= tolerance;
        Ok(Self { passed, elements, worst, device_worst })
    }
}

/// The network with few units in each hidden layer, and a batch for it.
struct SmallCopy {
    plan: Plan,
    start: State,
    rows: Vec<u32>,
    weight_sum: f64,
    data: Arc<dyn Rows>,
}

impl SmallCopy {
    fn new(lab: &Lab<'_>) -> Self {
        let mut config: Config = lab.config.clone();
        config.model.hidden.iter_mut().for_each(|units| *units = (*units).min(MAX_UNITS));
        let network = config.network(lab.task.network.inputs, lab.task.network.outputs);
        let prepare = lab.normalised.prepare(config.augment());
        let loss = lab.task.plan.loss.clone();
        let seed = config.train.seed;
        let plan = network.lower(prepare, loss, config.update_spec(), seed);
        // An output layer of zeros would make the gradients of all layers before it zero.
        let start = Start { hidden: Init::He, output: Init::Glorot, output_bias: vec![] };
        let mut start = network.start(&start, seed);
        for params in &mut start.params {
            *params = Numbers::F64(params.to_f64());
        }
        let rows = sample(&lab.data.parts.train, SAMPLES, seed);
        let samples = &lab.task.samples;
        let weight_sum = weight_sum(samples.train_weights.as_deref(), &rows);
        Self { plan, start, rows, weight_sum, data: samples.rows.clone() }
    }

    fn step(&self) -> Step<'_> {
        let (rows, weight_sum) = (&self.rows, self.weight_sum);
        Step { index: 0, rows, first: 0, weight_sum, learning_rate: 0.0, observe: false }
    }

    fn gradient(&self, backend: &dyn Backend, plan: &Plan) -> Result<Vec<Vec<f64>>> {
        let mut program = backend.compile(plan, SAMPLES, std::slice::from_ref(&self.data))?;
        program.load(&self.start)?;
        let mut gradient = Weights::default();
        program.gradients(DataId(0), &self.step(), &mut gradient)?;
        Ok(gradient.params.iter().map(Numbers::to_f64).collect())
    }

    /// Measures the loss with penalties in a step of learning rate 0.
    fn loss(&self, program: &mut dyn Program, state: &State) -> Result<f64> {
        let mut figures = Figures::default();
        program.load(state)?;
        program.train(DataId(0), &self.step())?;
        program.read(&mut figures);
        let step = figures.steps.last().copied().unwrap_or_default();
        Ok(step.loss_sum / step.weight_sum + step.penalty)
    }

    /// Compares with finite differences; returns the number of elements and the largest relative
    /// error.
    fn compare(&self, gradient: &[Vec<f64>]) -> Result<(usize, f64)> {
        // A max-norm constraint would change the weights even at learning rate 0.
        let mut plan = self.plan.clone();
        plan.update.max_norm = None;
        let data = std::slice::from_ref(&self.data);
        let mut program = ReferenceBackend.compile(&plan, SAMPLES, data)?;
        let mut state = self.start.clone();
        let (mut count, mut worst) = (0, 0.0f64);
        for (p, analytic) in gradient.iter().enumerate() {
            let at = self.start.params[p].to_f64();
            for i in elements(analytic) {
                let mut error = f64::INFINITY;
                for step_size in STEP_SIZES {
                    let mut loss_at = |steps: f64| {
                        let mut values = at.clone();
                        values[i] += steps * step_size;
                        state.params[p] = Numbers::F64(values);
                        self.loss(&mut *program, &state)
                    };
                    let inner = loss_at(1.0)? - loss_at(-1.0)?;
                    let outer = loss_at(2.0)? - loss_at(-2.0)?;
                    let numeric = (8.0 * inner - outer) / (12.0 * step_size);
                    let scale = analytic[i].abs().max(numeric.abs()).max(1e-3);
                    error = error.min((analytic[i] - numeric).abs() / scale);
                }
                (count, worst) = (count + 1, worst.max(error));
            }
            state.params[p] = Numbers::F64(at);
        }
        Ok((count, worst))
    }

    /// The largest error of the device's gradient, each relative to the norm of its tensor.
    fn device_error(
        &self,
        backend: &dyn Backend,
        precision: Precision,
        gradient: &[Vec<f64>],
    ) -> Result<f64> {
        let plan = Plan { precision, ..self.plan.clone() };
        // In bf16 the reference rounds the factors of products as the device does.
        let rounded;
        let expected = if precision == Precision::Bf16 {
            rounded = self.gradient(&ReferenceBackend, &plan)?;
            &rounded
        } else {
            gradient
        };
        let got = self.gradient(backend, &plan)?;
        let all = norm(expected.iter().flatten().copied());
        let error = |(a, b): (&Vec<f64>, &Vec<f64>)| {
            let difference = norm(a.iter().zip(b).map(|(a, b)| a - b));
            // For a parameter with a tiny gradient, relative to the whole gradient.
            difference / norm(a.iter().copied()).max(1e-3 * all).max(f64::MIN_POSITIVE)
        };
        Ok(expected.iter().zip(&got).map(error).fold(0.0, f64::max))
    }
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// Indices of the elements with the largest gradient and of evenly spaced ones, including the last.
fn elements(gradient: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..gradient.len()).collect();
    let largest = ELEMENTS.0.min(order.len());
    if largest < order.len() {
        let descending = |a: &usize, b: &usize| gradient[*b].abs().total_cmp(&gradient[*a].abs());
        order.select_nth_unstable_by(largest, descending);
    }
    order.truncate(largest);
    order.extend((0..gradient.len()).step_by(gradient.len() / ELEMENTS.1 + 1));
    order.extend(gradient.len().checked_sub(1));
    order.sort_unstable();
    order.dedup();
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_the_largest_and_evenly_spaced_elements() {
        let mut gradient = vec![0.0; 100];
        for (i, g) in [(7, -5.0), (33, 4.0), (34, 3.0), (90, 2.0)] {
            gradient[i] = g;
        }
        // Every 26th, and the last.
        assert_eq!(elements(&gradient), [0, 7, 26, 33, 34, 52, 78, 90, 99]);
        assert_eq!(elements(&[1.0, 2.0]), [0, 1]);
    }
}
