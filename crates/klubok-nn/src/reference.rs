//! The reference backend: interprets a plan in f64 with the functions of [`crate::layers`],
//! [`crate::loss`] and [`crate::optim`]. It is slow and simple, and every other backend must agree
//! with it.
//!
//! With precision bf16 it rounds the operands of matrix products and nothing else.

use std::{borrow::Cow, sync::Arc};

use klubok_kernels::pack;

use crate::{
    backend::{
        Backend, DataId, DeviceInfo, Figures, Outputs, ParamFigures, Program, Step, StepFigures,
    },
    error::{PlanError, Result},
    layers::{
        activation,
        batch_norm::{self, Statistics},
        dropout, input, linear,
    },
    loss,
    optim::{Rule, adam, clip, penalty, rmsprop, sgd},
    plan::{InputSpec, LossKind, Op, ParamKind, Plan, Precision, Value},
    rng::{Purpose, key},
    rows::{Field, Rows},
    state::{Numbers, State, StateTensor, Weights},
};

/// Interprets plans in f64, on one thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReferenceBackend;

impl Backend for ReferenceBackend {
    fn info(&self, _: Precision) -> DeviceInfo {
        DeviceInfo { device: "reference".into(), kernel: "f64".into(), threads: 1 }
    }

    fn compile(
        &self,
        plan: &Plan,
        _max_batch: usize,
        data: &[Arc<dyn Rows>],
    ) -> Result<Box<dyn Program>> {
        plan.check_dimensions()?;
        let zeros = || plan.params.iter().map(|p| vec![0.0; p.len()]).collect::<Vec<_>>();
        Ok(Box::new(Reference {
            params: zeros(),
            moments: plan.update.rule.moments().iter().map(|_| zeros()).collect(),
            running: plan.running.iter().map(|r| vec![f64::from(r.start); r.len]).collect(),
            figures: Figures::default(),
            data: data.to_vec(),
            plan: plan.clone(),
        }))
    }
}

/// A plan with its state.
struct Reference {
    plan: Plan,
    data: Vec<Arc<dyn Rows>>,
    /// `params[p]` are the values of parameter `p`.
    params: Vec<Vec<f64>>,
    /// `moments[m][p]` is moment `m` of the rule for parameter `p`.
    moments: Vec<Vec<Vec<f64>>>,
    running: Vec<Vec<f64>>,
    figures: Figures,
}

/// Values that the forward pass saves for the backward pass.
struct Saved {
    /// Every value of the plan, `[batch, width]`.
    values: Vec<Vec<f64>>,
    /// Statistics of each operation; empty unless it normalises.
    statistics: Vec<Statistics>,
    /// Dropout mask of each operation; empty unless it drops.
    masks: Vec<Vec<f64>>,
}

impl Program for Reference {
    fn load(&mut self, state: &State) -> Result<()> {
        let names = || self.plan.params.iter().map(|p| p.name.as_str());
        set(&mut self.params, &state.params, names())?;
        set(&mut self.running, &state.running, self.plan.running.iter().map(|r| r.name.as_str()))?;
        for moment in &mut self.moments {
            moment.iter_mut().for_each(|m| m.fill(0.0));
        }
        for (moment, from) in self.moments.iter_mut().zip(&state.moments) {
            set(moment, from, names())?;
        }
        Ok(())
    }

    fn store(&self, state: &mut State) -> Result<()> {
        state.params = get(&self.params);
        state.running = get(&self.running);
        state.moments = self.moments.iter().map(|m| get(m)).collect();
        Ok(())
    }

    fn store_tensor(&self, tensor: StateTensor) -> Result<Numbers> {
        let values = match tensor {
            StateTensor::Param(p) => &self.params[p],
            StateTensor::Moment(m, p) => &self.moments[m][p],
            StateTensor::Running(r) => &self.running[r],
        };
        Ok(Numbers::F64(values.clone()))
    }

    fn store_weights(&self, weights: &mut Weights) -> Result<()> {
        weights.params = get(&self.params);
        weights.running = get(&self.running);
        Ok(())
    }

    fn train(&mut self, data: DataId, step: &Step<'_>) -> Result<()> {
        let saved = self.forward(data, step.rows, Some(step))?;
        let (figures, gradients) = self.differentiate(data, step, &saved)?;
        self.update_running(&saved, step.rows.len());
        self.figures.steps.push(StepFigures { observed: step.observe, ..figures });
        self.update(gradients, step);
        Ok(())
    }

    fn gradients(&mut self, data: DataId, step: &Step<'_>, out: &mut Weights) -> Result<()> {
        let saved = self.forward(data, step.rows, Some(step))?;
        let (_, gradients) = self.differentiate(data, step, &saved)?;
        out.params = get(&gradients);
        out.running.clear();
        Ok(())
    }

    fn infer(
        &mut self,
        data: DataId,
        rows: &[u32],
        taps: &[Value],
        out: &mut Outputs,
    ) -> Result<()> {
        let saved = self.forward(data, rows, None)?;
        out.values.clear();
        out.values
            .extend(taps.iter().map(|tap| saved.values[tap.0].iter().map(|&v| v as f32).collect()));
        Ok(())
    }

    fn read(&mut self, out: &mut Figures) {
        out.steps.clone_from(&self.figures.steps);
        out.params.clone_from(&self.figures.params);
        self.figures.steps.clear();
        self.figures.params.clear();
    }
}

impl Reference {
    /// Operand of a matrix product: rounded if the precision is bf16.
    fn operand<'a>(&self, values: &'a [f64]) -> Cow<'a, [f64]> {
        match self.plan.precision {
            Precision::F32 => Cow::Borrowed(values),
            Precision::Bf16 => values.iter().map(|&x| f64::from(pack::round(x as f32))).collect(),
        }
    }

    /// Forward pass: all values for these rows. A training `step` adds augmentation, dropout and
    /// the statistics of the batch.
    fn forward(&self, data: DataId, rows: &[u32], step: Option<&Step<'_>>) -> Result<Saved> {
        let batch = rows.len();
        let count = self.plan.ops.len();
        let mut saved = Saved {
            values: self.plan.widths.iter().map(|w| vec![0.0; w * batch]).collect(),
            statistics: vec![Statistics::default(); count],
            masks: vec![vec![]; count],
        };
        for (i, op) in self.plan.ops.iter().enumerate() {
            let mut y = std::mem::take(&mut saved.values[op.writes().0]);
            match op {
                Op::Input { prepare, .. } => {
                    let stored = self.stored(data, rows, prepare, step)?;
                    let width = y.len() / batch;
                    for (y, stored) in y.chunks_exact_mut(width).zip(stored.chunks_exact(width)) {
                        input::forward(y, stored, prepare);
                    }
                }
                Op::Linear { x, w, b, .. } => {
                    let b = b.map_or(&[][..], |b| &self.params[b.0]);
                    let (inputs, x) = (self.plan.widths[x.0], self.operand(&saved.values[x.0]));
                    linear::forward(&mut y, &x, &self.operand(&self.params[w.0]), b, inputs);
                }
                Op::Norm { x, gain, shift, mean, variance, .. } => {
                    let x = &saved.values[x.0];
                    let (gain, shift) = (&self.params[gain.0], &self.params[shift.0]);
                    saved.statistics[i] = if step.is_some() {
                        batch_norm::statistics(x, gain.len())
                    } else {
                        let running = |r: usize| self.running[r].clone();
                        Statistics { mean: running(mean.0), variance: running(variance.0) }
                    };
                    batch_norm::forward(&mut y, x, gain, shift, &saved.statistics[i]);
                }
                Op::Activate { x, f, .. } => activation::forward(&mut y, &saved.values[x.0], *f),
                Op::Dropout { x, p, stream, .. } => {
                    let mut mask = vec![1.0; y.len()];
                    if let Some(step) = step {
                        let key = key(self.plan.seed, Purpose::Dropout, *stream);
                        let width = y.len() / batch;
                        for (position, mask) in (step.first..).zip(mask.chunks_exact_mut(width)) {
                            dropout::mask(mask, *p, key, step.index, position);
                        }
                    }
                    dropout::forward(&mut y, &saved.values[x.0], &mask);
                    saved.masks[i] = mask;
                }
            }
            saved.values[op.writes().0] = y;
        }
        Ok(saved)
    }

    /// Stored values of the rows, `[rows, width]`. A training `step` augments pictures.
    fn stored(
        &self,
        data: DataId,
        rows: &[u32],
        prepare: &InputSpec,
        step: Option<&Step<'_>>,
    ) -> Result<Vec<f64>> {
        let mut stored = numbers(&*self.data[data.0], Field::X, rows)?;
        if let (Some(picture), Some(step)) = (prepare.picture, step) {
            let key = key(self.plan.seed, Purpose::Augment, 0);
            let samples = stored.chunks_exact_mut(picture.values());
            for (position, stored) in (step.first..).zip(samples) {
                let transform = input::draw_transform(prepare.augment, key, step.index, position);
                let original = stored.to_vec();
                input::move_pixels(stored, &original, picture, transform);
            }
        }
        Ok(stored)
    }

    /// Loss of the batch and the gradient of every parameter, penalties included.
    fn differentiate(
        &self,
        data: DataId,
        step: &Step<'_>,
        saved: &Saved,
    ) -> Result<(StepFigures, Vec<Vec<f64>>)> {
        let (mut figures, dz) = self.loss(data, step, &saved.values[self.plan.output.0])?;
        let mut gradients = self.backward(saved, dz);
        let update = &self.plan.update;
        for ((spec, w), g) in self.plan.params.iter().zip(&self.params).zip(&mut gradients) {
            if spec.kind == ParamKind::Weight {
                figures.penalty += penalty::value(w, update.l1, update.l2);
                penalty::gradient(g, w, update.l1, update.l2);
            }
        }
        Ok((figures, gradients))
    }

    /// Loss of the batch and its gradient with respect to the logits:
    /// `dz = weight / weight_sum · ∂L/∂z`.
    fn loss(
        &self,
        data: DataId,
        step: &Step<'_>,
        logits: &[f64],
    ) -> Result<(StepFigures, Vec<f64>)> {
        let rows = &*self.data[data.0];
        let (outputs, spec) = (self.plan.widths[self.plan.output.0], &self.plan.loss);
        let targets = numbers(rows, Field::Y, step.rows)?;
        let weights = if rows.fields().len() > Field::WEIGHT.0 {
            numbers(rows, Field::WEIGHT, step.rows)?
        } else {
            vec![1.0; step.rows.len()]
        };
        let mut figures = StepFigures { samples: step.rows.len() as u32, ..StepFigures::default() };
        let mut dz = vec![0.0; logits.len()];
        let samples = dz.chunks_exact_mut(outputs).zip(logits.chunks_exact(outputs));
        for (i, (dz, z)) in samples.enumerate() {
            let mut weight = weights[i];
            let target = if spec.kind == LossKind::CrossEntropy {
                let class = targets[i] as u32;
                if class as usize >= outputs {
                    let row = step.rows[i];
                    return Err(PlanError::Label { row, label: class, last: outputs - 1 });
                }
                weight *= spec.class_weights.get(class as usize).copied().unwrap_or(1.0);
                figures.correct += u32::from(loss::predicted_class(z) == class as usize);
                loss::Target::Class(class)
            } else {
                loss::Target::Values(&targets[i * outputs..][..outputs])
            };
            figures.loss_sum += weight * loss::sample(dz, z, target, spec);
            figures.weight_sum += weight;
            dz.iter_mut().for_each(|dz| *dz *= weight / step.weight_sum);
        }
        Ok((figures, dz))
    }

    /// Backward pass: from the gradient of the logits through all operations in reverse order.
    /// Returns the gradient of every parameter.
    fn backward(&self, saved: &Saved, dlogits: Vec<f64>) -> Vec<Vec<f64>> {
        let mut gradients: Vec<Vec<f64>> = self.params.iter().map(|p| vec![0.0; p.len()]).collect();
        let mut dvalues: Vec<Vec<f64>> = saved.values.iter().map(|v| vec![0.0; v.len()]).collect();
        dvalues[self.plan.output.0] = dlogits;
        for (i, op) in self.plan.ops.iter().enumerate().rev() {
            let dy = std::mem::take(&mut dvalues[op.writes().0]);
            match op {
                Op::Input { .. } => {}
                Op::Linear { x, w, b, .. } => {
                    let mut dw = std::mem::take(&mut gradients[w.0]);
                    let mut db = b.map(|b| std::mem::take(&mut gradients[b.0])).unwrap_or_default();
                    let (inputs, dx) = (self.plan.widths[x.0], &mut dvalues[x.0]);
                    let [dz, x, weights] = [&dy, &saved.values[x.0], &self.params[w.0]]
                        .map(|values| self.operand(values));
                    linear::backward(dx, &mut dw, &mut db, &dz, &x, &weights, inputs);
                    // The gradient of a bias is no product: undo the rounding of its terms.
                    for (i, (dy, dz)) in dy.iter().zip(&*dz).enumerate().filter(|_| b.is_some()) {
                        let unit = i % db.len();
                        db[unit] += dy - dz;
                    }
                    gradients[w.0] = dw;
                    if let Some(b) = b {
                        gradients[b.0] = db;
                    }
                }
                Op::Norm { x, gain, shift, .. } => {
                    let mut dgain = std::mem::take(&mut gradients[gain.0]);
                    let (dx, dshift) = (&mut dvalues[x.0], &mut gradients[shift.0]);
                    let (x, gain_values) = (&saved.values[x.0], &self.params[gain.0]);
                    let statistics = &saved.statistics[i];
                    batch_norm::backward(dx, &mut dgain, dshift, &dy, x, gain_values, statistics);
                    gradients[gain.0] = dgain;
                }
                Op::Activate { x, f, .. } => {
                    activation::backward(&mut dvalues[x.0], &dy, &saved.values[x.0], *f);
                }
                Op::Dropout { x, .. } => {
                    dropout::backward(&mut dvalues[x.0], &dy, &saved.masks[i]);
                }
            }
        }
        gradients
    }

    /// Moves the running statistics towards those of the batch.
    fn update_running(&mut self, saved: &Saved, batch: usize) {
        for (i, op) in self.plan.ops.iter().enumerate() {
            if let Op::Norm { mean, variance, .. } = op {
                let [mean, variance] = self
                    .running
                    .get_disjoint_mut([mean.0, variance.0])
                    .expect("mean and variance are different statistics");
                batch_norm::update_running(mean, variance, &saved.statistics[i], batch);
            }
        }
    }

    /// Clips the gradients and updates every parameter.
    fn update(&mut self, mut gradients: Vec<Vec<f64>>, step: &Step<'_>) {
        let sum_of_squares = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>();
        let gradient_sq: Vec<f64> = gradients.iter().map(|g| sum_of_squares(g)).collect();
        let spec = self.plan.update;
        if let Some(max_norm) = spec.clip_norm {
            let factor = clip::factor(gradient_sq.iter().sum::<f64>().sqrt(), max_norm);
            gradients.iter_mut().flatten().for_each(|g| *g *= factor);
        }
        for (p, gradient) in gradients.iter().enumerate() {
            let before = self.params[p].clone();
            let is_weight = self.plan.params[p].kind == ParamKind::Weight;
            if is_weight {
                penalty::decay(&mut self.params[p], step.learning_rate, spec.weight_decay);
            }
            self.apply_rule(p, gradient, step);
            if let (Some(max_norm), true) = (spec.max_norm, is_weight) {
                let inputs = self.plan.params[p].shape[1];
                penalty::max_norm(&mut self.params[p], inputs, max_norm);
            }
            if !step.observe {
                continue;
            }
            let w = &self.params[p];
            let change: Vec<f64> = w.iter().zip(&before).map(|(w, b)| w - b).collect();
            self.figures.params.push(ParamFigures {
                gradient_sq: gradient_sq[p],
                update_sq: sum_of_squares(&change),
                value_sq: sum_of_squares(w),
            });
        }
    }

    /// Updates parameter `p` by the rule, with gradient `g`.
    fn apply_rule(&mut self, p: usize, g: &[f64], step: &Step<'_>) {
        let (w, learning_rate) = (&mut self.params[p], step.learning_rate);
        let mut moments = self.moments.iter_mut().map(|m| &mut m[p][..]);
        let mut moment = || moments.next().unwrap_or_default();
        match self.plan.update.rule {
            Rule::Sgd { momentum: 0.0, .. } => sgd::plain(w, g, learning_rate),
            Rule::Sgd { momentum, nesterov } => {
                sgd::with_momentum(w, moment(), g, learning_rate, momentum, nesterov);
            }
            Rule::RmsProp { decay, epsilon, momentum } => {
                let (s, v) = (moment(), moment());
                rmsprop::update(w, s, v, g, learning_rate, decay, epsilon, momentum);
            }
            Rule::Adam { beta1, beta2, epsilon } => {
                let (m, s) = (moment(), moment());
                let t = step.index + 1;
                adam::update(w, m, s, g, learning_rate, (beta1, beta2), epsilon, t);
            }
        }
    }
}

/// A field of some rows, converted to f64.
fn numbers(data: &dyn Rows, field: Field, rows: &[u32]) -> Result<Vec<f64>> {
    let spec = &data.fields()[field.0];
    let mut bytes = vec![0; rows.len() * spec.bytes()];
    data.gather(field, rows, &mut bytes)?;
    Ok(bytes.chunks_exact(spec.kind.bytes()).map(|stored| spec.kind.number(stored)).collect())
}

/// Copies tensors into the form of a state.
fn get(tensors: &[Vec<f64>]) -> Vec<Numbers> {
    tensors.iter().map(|values| Numbers::F64(values.clone())).collect()
}

/// Copies tensors from a state, checking their sizes.
fn set<'a>(
    to: &mut [Vec<f64>],
    from: &[Numbers],
    names: impl Iterator<Item = &'a str>,
) -> Result<()> {
    for ((i, to), name) in to.iter_mut().enumerate().zip(names) {
        let got = from.get(i).map_or(0, Numbers::len);
        if got != to.len() {
            let what = name.to_owned();
            return Err(PlanError::ShapeMismatch { what, expected: to.len(), got });
        }
        *to = from[i].to_f64();
    }
    Ok(())
}
