//! Checks a backend against the reference. The tests of every device call [`check_backend`].
//!
//! Both backends start from the same f32 weights and train on the same rows. Their results agree
//! if, for every tensor, the norm of the difference is small relative to the norm of the tensor.
//! The check compares
//!
//! - the gradient before the first step,
//! - parameters, moments, running statistics and outputs in evaluation mode after 10 steps,
//! - the losses and other measurements of 50 steps.

use std::sync::Arc;

use crate::{
    backend::{Backend, DataId, Figures, Outputs, ParamFigures, Program, Step},
    error::PlanError,
    init::Init,
    network::{Hidden, Network, OutputKind, Start},
    optim::{Rule, UpdateSpec},
    plan::{
        Activation, Augment, InputSpec, LossKind, LossSpec, Op, Picture, Plan, Precision, Value,
    },
    reference::ReferenceBackend,
    rng::{Purpose, Stream},
    rows::{MemoryRows, Rows},
    state::{Numbers, State, Weights},
};

/// Limit of the relative difference of a tensor.
const fn tolerance(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 1e-4,
        // Two f32 that differ in the last bit may round to neighbouring bf16, which differ by 2⁻⁸.
        Precision::Bf16 => 2e-3,
    }
}

/// A network with its loss and update rule, and the random rows to train it on.
#[derive(Debug, Clone)]
pub struct Case {
    /// The network.
    pub network: Network,
    /// The loss. The targets of the rows suit it.
    pub loss: LossSpec,
    /// The update rule with penalties and limits.
    pub update: UpdateSpec,
    /// Rows per step.
    pub batch: usize,
    /// Shape and augmentation if rows are pictures; otherwise they are numbers.
    pub picture: Option<(Picture, Augment)>,
    /// True if every row has a weight of its own.
    pub weighted: bool,
    /// Precision of matrix products. The reference rounds its operands to it.
    pub precision: Precision,
    /// Learning rate of every step.
    pub learning_rate: f64,
    /// Number of training steps. Losses are compared after every step, the state after the 10th.
    pub steps: usize,
    /// Seed of rows, initial weights and dropout.
    pub seed: u64,
}

/// How a backend disagrees with the reference.
#[derive(Debug, thiserror::Error)]
pub enum Disagreement {
    /// A plan with a parameter of impossible dimensions was compiled.
    #[error("`{parameter}` may have any number of dimensions")]
    Dimensions {
        /// Name of the parameter.
        parameter: String,
    },
    /// A result differs.
    #[error("{what} differs from the reference by {difference:.2e} of its norm")]
    Differs {
        /// The tensor or measurement.
        what: String,
        /// Norm of the difference over the norm in the reference.
        difference: f64,
    },
    /// The backend cannot run the case.
    #[error(transparent)]
    Failed(#[from] crate::PlanError),
}

impl Case {
    /// A minimal case: ReLU, cross-entropy, plain gradient descent.
    pub fn plain(inputs: usize, hidden: &[usize], outputs: usize, batch: usize) -> Self {
        let layer = |&units: &usize| Hidden {
            units,
            activation: Activation::Relu,
            batch_norm: false,
            dropout: 0.0,
        };
        Self {
            network: Network {
                inputs,
                input_dropout: 0.0,
                hidden: hidden.iter().map(layer).collect(),
                outputs,
                answer: OutputKind::Classes,
            },
            loss: LossSpec::CROSS_ENTROPY,
            update: UpdateSpec::SGD,
            batch,
            picture: None,
            weighted: false,
            precision: Precision::F32,
            learning_rate: 0.01,
            steps: 50,
            seed: 1,
        }
    }

    /// Lowers the network to a plan.
    pub fn plan(&self) -> Plan {
        let (picture, augment) = self.picture.unzip();
        let scale = if picture.is_some() { 1.0 / 64.0 } else { 1.0 };
        let prepare = InputSpec {
            factor: vec![scale],
            offset: vec![if picture.is_some() { -2.0 } else { 0.0 }],
            picture,
            augment: augment.unwrap_or_default(),
        };
        let plan = self.network.lower(prepare, self.loss.clone(), self.update, self.seed);
        Plan { precision: self.precision, ..plan }
    }

    /// The initial state.
    pub fn start(&self) -> State {
        let start = Start { hidden: Init::He, output: Init::Glorot, output_bias: vec![] };
        self.network.start(&start, self.seed)
    }

    /// Random rows for the network, four batches.
    pub fn rows(&self) -> MemoryRows {
        let (count, inputs, outputs) = (4 * self.batch, self.network.inputs, self.network.outputs);
        let mut stream = Stream::new(self.seed, Purpose::Demo, 0, 0);
        let mut normal =
            |count: usize| (0..count).map(|_| stream.normal() as f32).collect::<Vec<_>>();
        let (x, y, weights) = (normal(count * inputs), normal(count * outputs), normal(count));
        let classes: Vec<u32> = y
            .chunks_exact(outputs)
            .map(|y| ((y[0].abs() * 1e3) as usize % outputs) as u32)
            .collect();
        let rows = match (self.loss.kind, self.picture) {
            (LossKind::CrossEntropy, Some(_)) => {
                let pixels = x.iter().map(|x| (x * 60.0 + 128.0) as u8).collect();
                MemoryRows::pictures(pixels, inputs, &classes)
            }
            (LossKind::CrossEntropy, None) => MemoryRows::numbers(&x, inputs, &classes),
            (LossKind::BinaryCrossEntropy, _) => {
                let labels: Vec<f32> = y.iter().map(|y| f32::from(u8::from(*y > 0.0))).collect();
                MemoryRows::regression(&x, inputs, &labels, outputs)
            }
            _ => MemoryRows::regression(&x, inputs, &y, outputs),
        };
        let weights: Vec<f32> = weights.iter().map(|w| 0.1 + w.abs()).collect();
        if self.weighted { rows.weighted(&weights) } else { rows }
    }

    /// Sum of the weights of a batch.
    pub fn weight_sum(&self, rows: &MemoryRows, batch: &[u32]) -> f64 {
        let class_weight = |row: u32| {
            let class = rows.class(row) as usize;
            self.loss.class_weights.get(class).copied().unwrap_or(1.0)
        };
        batch.iter().map(|&row| f64::from(rows.weight(row)) * class_weight(row)).sum()
    }
}

/// Checks `backend` against the reference on every operation, activation, loss and update rule.
///
/// # Errors
/// The first disagreement, with its case.
pub fn check_backend(backend: &dyn Backend) -> Result<(), Box<(Case, Disagreement)>> {
    for case in cases() {
        let checked = check_case(backend, &case);
        checked
            .and_then(|()| check_dimensions(backend, &case))
            .map_err(|found| Box::new((case, found)))?;
    }
    Ok(())
}

/// Checks that `backend` refuses a plan in which one parameter of the case has a dimension too many
/// or none, and names the parameter.
fn check_dimensions(backend: &dyn Backend, case: &Case) -> Result<(), Disagreement> {
    let plan = case.plan();
    for (p, spec) in plan.params.iter().enumerate() {
        for shape in [[&[1], &spec.shape[..]].concat(), Vec::new()] {
            let mut wrong = plan.clone();
            wrong.params[p].shape = shape;
            let refused = backend.compile(&wrong, case.batch, &[]).err();
            if !matches!(refused, Some(PlanError::Dimensions { parameter, .. }) if parameter == spec.name)
            {
                return Err(Disagreement::Dimensions { parameter: spec.name.clone() });
            }
        }
    }
    Ok(())
}

/// Checks `backend` against the reference on one case.
///
/// # Errors
/// The first disagreement.
pub fn check_case(backend: &dyn Backend, case: &Case) -> Result<(), Disagreement> {
    let rows = case.rows();
    let data: Vec<Arc<dyn Rows>> = vec![Arc::new(rows.clone())];
    let plan = case.plan();
    let comparison = Comparison(&plan);
    let mut reference = ReferenceBackend.compile(&plan, case.batch, &data)?;
    let mut program = backend.compile(&plan, case.batch, &data)?;
    reference.load(&case.start())?;
    program.load(&case.start())?;

    let order: Vec<u32> = (0..4 * case.batch as u32).rev().collect();
    let step = |index: usize| {
        let batch = &order[index % 4 * case.batch..][..case.batch];
        let weight_sum = case.weight_sum(&rows, batch);
        let learning_rate = case.learning_rate;
        let (index, observe) = (index as u64, index.is_multiple_of(2));
        Step { index, rows: batch, first: 3, weight_sum, learning_rate, observe }
    };
    let taps: Vec<Value> = [plan.output].into_iter().chain(layer_inputs(&plan)).collect();

    let mut gradients = [Weights::default(), Weights::default()];
    reference.gradients(DATA, &step(0), &mut gradients[0])?;
    program.gradients(DATA, &step(0), &mut gradients[1])?;
    let [expected, got] = &gradients;
    comparison.tensors("gradient", &expected.params, &got.params)?;

    let mut figures = [Figures::default(), Figures::default()];
    for index in 0..case.steps {
        reference.train(DATA, &step(index))?;
        program.train(DATA, &step(index))?;
        reference.read(&mut figures[0]);
        program.read(&mut figures[1]);
        comparison.figures(index, &figures)?;
        if index == 9 {
            comparison.states(&*reference, &*program)?;
            comparison.outputs(&mut *reference, &mut *program, &order, &taps)?;
        }
    }
    Ok(())
}

const DATA: DataId = DataId(0);

/// The input of every linear layer: the input of the network and the output of each hidden layer.
fn layer_inputs(plan: &Plan) -> Vec<Value> {
    let input = |op: &Op| if let Op::Linear { x, .. } = op { Some(*x) } else { None };
    plan.ops.iter().filter_map(input).collect()
}

/// Compares the results of two programs of a plan.
struct Comparison<'a>(&'a Plan);

impl Comparison<'_> {
    /// Compares parameters, moments and running statistics.
    fn states(&self, reference: &dyn Program, program: &dyn Program) -> Result<(), Disagreement> {
        let (mut expected, mut got) = (State::default(), State::default());
        reference.store(&mut expected)?;
        program.store(&mut got)?;
        self.tensors("weights", &expected.params, &got.params)?;
        for (m, (expected, got)) in expected.moments.iter().zip(&got.moments).enumerate() {
            self.tensors(self.0.update.rule.moments()[m], expected, got)?;
        }
        for (i, (expected, got)) in expected.running.iter().zip(&got.running).enumerate() {
            self.numbers(&self.0.running[i].name, &expected.to_f64(), &got.to_f64())?;
        }
        Ok(())
    }

    /// Compares the values `taps` in evaluation mode.
    fn outputs(
        &self,
        reference: &mut dyn Program,
        program: &mut dyn Program,
        rows: &[u32],
        taps: &[Value],
    ) -> Result<(), Disagreement> {
        let (mut expected, mut got) = (Outputs::default(), Outputs::default());
        // First one row more than a batch, then all rows: results must not depend on how a backend
        // splits the rows.
        for rows in [&rows[..=rows.len() / 4], rows] {
            reference.infer(DATA, rows, taps, &mut expected)?;
            program.infer(DATA, rows, taps, &mut got)?;
            for (i, (expected, got)) in expected.values.iter().zip(&got.values).enumerate() {
                let wide = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
                self.numbers(&format!("value {}", taps[i].0), &wide(expected), &wide(got))?;
            }
        }
        Ok(())
    }

    /// Compares the measurements of step `index`.
    fn figures(&self, index: usize, [expected, got]: &[Figures; 2]) -> Result<(), Disagreement> {
        let [a, b] =
            [&expected.steps, &got.steps].map(|steps| steps.first().copied().unwrap_or_default());
        let name = |what: &str| format!("{what} of step {index}");
        self.numbers(&name("loss"), &[a.loss_sum, a.weight_sum], &[b.loss_sum, b.weight_sum])?;
        self.numbers(&name("penalty"), &[a.penalty], &[b.penalty])?;
        self.numbers(&name("samples"), &[f64::from(a.samples)], &[f64::from(b.samples)])?;
        // Rounding may swap two logits that are almost equal.
        if a.correct.abs_diff(b.correct) > 1 + a.samples / 50 {
            self.numbers(&name("right answers"), &[f64::from(a.correct)], &[f64::from(b.correct)])?;
        }
        if index == 0 {
            for (p, (a, b)) in expected.params.iter().zip(&got.params).enumerate() {
                let norms =
                    |p: &ParamFigures| [p.gradient_sq, p.update_sq, p.value_sq].map(f64::sqrt);
                let ([gradient, update, weight], got) = (norms(a), norms(b));
                self.numbers(&format!("gradient norm of parameter {p}"), &[gradient], &[got[0]])?;
                self.numbers(&format!("weight norm of parameter {p}"), &[weight], &[got[2]])?;
                // An update is a difference of rounded weights: its rounding error is relative to
                // the weights.
                if (got[1] - update).abs() > f64::from(f32::EPSILON) * weight {
                    self.numbers(&format!("update norm of parameter {p}"), &[update], &[got[1]])?;
                }
            }
        }
        self.numbers(
            "number of figures",
            &[expected.params.len() as f64],
            &[got.params.len() as f64],
        )
    }

    /// Compares one tensor per parameter.
    fn tensors(
        &self,
        what: &str,
        expected: &[Numbers],
        got: &[Numbers],
    ) -> Result<(), Disagreement> {
        for ((spec, expected), got) in self.0.params.iter().zip(expected).zip(got) {
            self.numbers(&format!("{what} of {}", spec.name), &expected.to_f64(), &got.to_f64())?;
        }
        self.numbers("number of parameters", &[expected.len() as f64], &[got.len() as f64])
    }

    /// Compares two tensors by the norm of their difference.
    fn numbers(&self, what: &str, expected: &[f64], got: &[f64]) -> Result<(), Disagreement> {
        let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
        let size = norm(&mut expected.iter().copied());
        let difference = norm(&mut expected.iter().zip(got).map(|(a, b)| a - b));
        // The norm of n elements counts as at least 1e-3 √n: 1e-4 of that is the rounding error of
        // f32 in sums of numbers around 1. Some gradients cancel exactly except for rounding, such
        // as that of a shift before another normalisation.
        let difference = difference / size.max(1e-3 * (expected.len() as f64).sqrt());
        if expected.len() == got.len() && difference <= tolerance(self.0.precision) {
            return Ok(());
        }
        Err(Disagreement::Differs { what: what.into(), difference })
    }
}

/// The cases of [`check_backend`]: every activation with every loss, with and without normalisation
/// and dropout; every update rule; pictures.
pub fn cases() -> Vec<Case> {
    let base = Case::plain(13, &[17, 9], 5, 24);
    let mut cases = vec![base.clone(), Case::plain(1, &[1], 2, 1), Case::plain(40, &[], 3, 7)];
    for activation in Activation::ALL {
        for (batch_norm, dropout) in [(false, 0.0), (true, 0.0), (false, 0.3), (true, 0.3)] {
            let mut case = base.clone();
            for layer in &mut case.network.hidden {
                *layer = Hidden { activation, batch_norm, dropout, ..layer.clone() };
            }
            case.network.input_dropout = dropout / 2.0;
            cases.push(case);
        }
    }
    for (loss, activation) in losses().flat_map(|loss| Activation::ALL.map(|f| (loss.clone(), f))) {
        let mut case = Case { loss, weighted: true, ..base.clone() };
        case.network.hidden.iter_mut().for_each(|layer| layer.activation = activation);
        cases.push(case);
    }
    for update in updates() {
        let mut case = Case { update, ..base.clone() };
        case.network.hidden[0].batch_norm = true;
        cases.push(case);
    }
    for channels in [1, 3] {
        let picture = Picture { width: 9, height: 7, channels };
        let mut case = Case::plain(picture.values(), &[33], 4, 10);
        case.picture = Some((picture, Augment { flip: true, shift: 2 }));
        cases.push(case);
    }
    cases
}

/// Every loss, and cross-entropy with class weights and label smoothing.
pub fn losses() -> impl Iterator<Item = LossSpec> {
    let kinds = [
        LossKind::CrossEntropy,
        LossKind::BinaryCrossEntropy,
        LossKind::MeanSquared,
        LossKind::Huber { delta: 0.7 },
    ];
    let spec = |kind| LossSpec { kind, ..LossSpec::CROSS_ENTROPY };
    kinds.map(spec).into_iter().chain([LossSpec {
        kind: LossKind::CrossEntropy,
        class_weights: vec![1.0, 0.5, 2.0, 3.0, 0.1],
        label_smoothing: 0.1,
    }])
}

/// Every update rule: plain, with penalties and decay, and with max-norm and clipping.
pub fn updates() -> impl Iterator<Item = UpdateSpec> {
    let adam = Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    let rules = [
        Rule::Sgd { momentum: 0.0, nesterov: false },
        Rule::Sgd { momentum: 0.9, nesterov: false },
        Rule::Sgd { momentum: 0.9, nesterov: true },
        Rule::RmsProp { decay: 0.99, epsilon: 1e-8, momentum: 0.0 },
        Rule::RmsProp { decay: 0.9, epsilon: 1e-8, momentum: 0.9 },
        adam,
    ];
    let plain = Case::plain(1, &[], 1, 1).update;
    let penalised = UpdateSpec { l1: 1e-3, l2: 1e-2, weight_decay: 0.1, ..plain };
    let limited = UpdateSpec { max_norm: Some(1.0), clip_norm: Some(0.1), ..plain };
    rules.into_iter().flat_map(move |rule| {
        [plain, penalised, limited].map(|update| UpdateSpec { rule, ..update })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new rule or loss fails to compile here until a `match` names it.
    #[test]
    fn cases_cover_every_rule_and_loss() {
        let (mut rules, mut kinds) = ([false; 3], [false; 4]);
        for update in updates() {
            let which = match update.rule {
                Rule::Sgd { .. } => 0,
                Rule::RmsProp { .. } => 1,
                Rule::Adam { .. } => 2,
            };
            rules[which] = true;
        }
        for loss in losses() {
            let which = match loss.kind {
                LossKind::CrossEntropy => 0,
                LossKind::BinaryCrossEntropy => 1,
                LossKind::MeanSquared => 2,
                LossKind::Huber { .. } => 3,
            };
            kinds[which] = true;
        }
        assert_eq!((rules, kinds), ([true; 3], [true; 4]));
    }

    #[test]
    fn the_reference_agrees_with_itself() {
        check_backend(&ReferenceBackend).unwrap();
    }

    #[test]
    fn a_difference_is_detected() {
        let plan = Case::plain(1, &[], 1, 1).plan();
        let compare = |expected: &[f64], got: &[f64]| Comparison(&plan).numbers("x", expected, got);
        assert!(compare(&[1.0, 1.0], &[1.0, 1.001]).is_err());
        assert!(compare(&[1.0, 1.0], &[1.0, 1.00001]).is_ok());
        assert!(compare(&[1.0, 1.0], &[1.0, f64::NAN]).is_err());
        assert!(compare(&[1.0, 1.0], &[1.0]).is_err());
    }
}
