//! The update rule of a plan, as the kernels take it.

use klubok_kernels::{
    isa::Isa,
    update::{self, Rule as Kernel, UpdateStep, penalise},
};
use klubok_nn::{
    backend::ParamFigures,
    optim::{Rule, UpdateSpec},
    plan::ParamKind,
};

/// What the update of a tile measured.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) figures: ParamFigures,
    pub(super) penalty: f64,
}

/// How parameters change, in f32.
#[derive(Debug, Clone, Copy)]
pub(super) struct Update {
    pub(super) rule: Rule,
    pub(super) l1: f32,
    pub(super) l2: f32,
    pub(super) weight_decay: f64,
    pub(super) max_norm: Option<f32>,
    /// What a step does to the parameters is measured.
    pub(super) measure: bool,
}

impl Update {
    pub(super) fn new(spec: &UpdateSpec) -> Self {
        Self {
            rule: spec.rule,
            l1: spec.l1 as f32,
            l2: spec.l2 as f32,
            weight_decay: spec.weight_decay,
            max_norm: spec.max_norm.map(|largest| largest as f32),
            measure: true,
        }
    }

    /// Adds penalties to a part of a gradient and measures it where that is wanted.
    pub(super) fn finish(
        &self,
        isa: Isa,
        g: &mut [f32],
        w: &[f32],
        kind: ParamKind,
        sums: &mut Sums,
    ) {
        if kind == ParamKind::Weight && (self.l1 != 0.0 || self.l2 != 0.0) {
            sums.penalty += penalise(isa, g, w, self.l1, self.l2);
        }
        if self.measure {
            sums.figures.gradient_sq += update::squares(isa, g);
        }
    }

    /// The change of weights in one step, gradients scaled by `clip`; everything else changes
    /// without decay.
    pub(super) fn change(&self, learning_rate: f64, step: u64, clip: f64) -> UpdateStep {
        let mut rate = learning_rate;
        let rule = match self.rule {
            Rule::Sgd { momentum: 0.0, .. } => Kernel::Plain,
            Rule::Sgd { momentum, nesterov } => {
                Kernel::Momentum { keep: momentum as f32, nesterov }
            }
            Rule::RmsProp { decay, epsilon, momentum } => Kernel::RmsProp {
                keep: decay as f32,
                take: (1.0 - decay) as f32,
                epsilon: epsilon as f32,
                momentum: (momentum != 0.0).then_some(momentum as f32),
            },
            Rule::Adam { beta1, beta2, epsilon } => {
                let start = |beta: f64| 1.0 - beta.powf((step + 1) as f64);
                rate /= start(beta1);
                Kernel::Adam {
                    keep: [beta1 as f32, beta2 as f32],
                    take: [(1.0 - beta1) as f32, (1.0 - beta2) as f32],
                    epsilon: epsilon as f32,
                    root: (1.0 / start(beta2).sqrt()) as f32,
                }
            }
        };
        let shrink = (1.0 - learning_rate * self.weight_decay) as f32;
        UpdateStep { rule, rate: rate as f32, shrink, clip: clip as f32 }
    }
}
