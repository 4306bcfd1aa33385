//! The update rule of a plan, converted for the kernels.

use klubok_kernels::{
    isa::Isa,
    update::{self, Rule as Kernel, UpdateStep, penalise},
};
use klubok_nn::{
    backend::ParamFigures,
    optim::{Rule, UpdateSpec},
    plan::ParamKind,
};

/// Measurements and penalty of a tile.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) figures: ParamFigures,
    pub(super) penalty: f64,
}

/// The update of parameters, in f32.
#[derive(Debug, Clone, Copy)]
pub(super) struct Update {
    pub(super) rule: Rule,
    pub(super) l1: f32,
    pub(super) l2: f32,
    pub(super) weight_decay: f64,
    pub(super) max_norm: Option<f32>,
    /// True if the step measures gradients and updates.
    pub(super) measure: bool,
}

impl Update {
    pub(super) fn new(spec: &UpdateSpec) -> Self {
        Self {
            rule: spec.rule,
            l1: spec.l1 as f32,
            l2: spec.l2 as f32,
            weight_decay: spec.weight_decay,
            max_norm: spec.max_norm.map(|max_norm| max_norm as f32),
            measure: true,
        }
    }

    /// Adds penalties to part of a gradient, and measures it if required.
    pub(super) fn finish(
        &self,
        isa: Isa,
        gradient: &mut [f32],
        w: &[f32],
        kind: ParamKind,
        sums: &mut Sums,
    ) {
        if kind == ParamKind::Weight && (self.l1 != 0.0 || self.l2 != 0.0) {
            sums.penalty += penalise(isa, gradient, w, self.l1, self.l2);
        }
        if self.measure {
            sums.figures.gradient_sq += update::squares(isa, gradient);
        }
    }

    /// The update of weights in step `step`, with gradients scaled by `clip`. Other parameters have
    /// no weight decay.
    pub(super) fn step(&self, learning_rate: f64, step: u64, clip: f64) -> UpdateStep {
        let mut step_size = learning_rate;
        let rule = match self.rule {
            Rule::Sgd { momentum: 0.0, .. } => Kernel::Plain,
            Rule::Sgd { momentum, nesterov } => {
                Kernel::Momentum { momentum: momentum as f32, nesterov }
            }
            Rule::RmsProp { decay, epsilon, momentum } => Kernel::RmsProp {
                decay: decay as f32,
                one_minus_decay: (1.0 - decay) as f32,
                epsilon: epsilon as f32,
                momentum: (momentum != 0.0).then_some(momentum as f32),
            },
            Rule::Adam { beta1, beta2, epsilon } => {
                let correction = |beta: f64| 1.0 - beta.powf((step + 1) as f64);
                step_size /= correction(beta1);
                Kernel::Adam {
                    beta: [beta1 as f32, beta2 as f32],
                    one_minus_beta: [(1.0 - beta1) as f32, (1.0 - beta2) as f32],
                    epsilon: epsilon as f32,
                    root_correction: (1.0 / correction(beta2).sqrt()) as f32,
                }
            }
        };
        let shrink = (1.0 - learning_rate * self.weight_decay) as f32;
        UpdateStep { rule, step_size: step_size as f32, shrink, clip: clip as f32 }
    }
}
