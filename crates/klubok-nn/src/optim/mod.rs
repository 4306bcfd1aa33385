//! How parameters change: update rules, penalties, clipping and the learning rate over time.
//!
//! One file a rule, each with its published formula, written plainly in f64.

pub mod adam;
pub mod clip;
pub mod penalty;
pub mod rmsprop;
pub mod schedule;
pub mod sgd;

/// How parameters change in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpdateSpec {
    /// The rule.
    pub rule: Rule,
    /// Penalty `l1 Σ|w|` in the loss, on weights.
    pub l1: f64,
    /// Penalty `l2/2 Σw²` in the loss, on weights.
    pub l2: f64,
    /// Decoupled decay: `w ← w (1 - learning_rate * weight_decay)` before the rule, on weights
    /// (Loshchilov and Hutter 2019, as PyTorch's `AdamW`).
    pub weight_decay: f64,
    /// Largest norm of a unit's incoming weights, if any (Srivastava et al. 2014).
    pub max_norm: Option<f64>,
    /// Largest norm of the whole gradient, if any (Pascanu et al. 2013).
    pub clip_norm: Option<f64>,
}

impl UpdateSpec {
    /// Plain gradient descent, and nothing besides.
    pub const SGD: Self = Self {
        rule: Rule::Sgd { momentum: 0.0, nesterov: false },
        l1: 0.0,
        l2: 0.0,
        weight_decay: 0.0,
        max_norm: None,
        clip_norm: None,
    };
}

/// An update rule with its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Gradient descent, with momentum if `momentum` is not 0.
    Sgd {
        /// Share of the last velocity that is kept.
        momentum: f64,
        /// Look ahead (Nesterov).
        nesterov: bool,
    },
    /// Gradient over the root of its running mean square (Tieleman and Hinton 2012, as PyTorch's).
    RmsProp {
        /// Share of the old mean square that is kept.
        decay: f64,
        /// Added to the root.
        epsilon: f64,
        /// Share of the last velocity that is kept.
        momentum: f64,
    },
    /// Adam (Kingma and Ba 2015) with bias correction.
    Adam {
        /// Share of the old mean gradient that is kept.
        beta1: f64,
        /// Share of the old mean square that is kept.
        beta2: f64,
        /// Added to the root.
        epsilon: f64,
    },
}

impl Rule {
    /// Names of the moments that the rule keeps for each parameter, in their order in a state.
    pub fn moments(&self) -> &'static [&'static str] {
        match self {
            Rule::Sgd { momentum: 0.0, .. } => &[],
            Rule::Sgd { .. } => &["velocity"],
            Rule::RmsProp { momentum: 0.0, .. } => &["mean_square"],
            Rule::RmsProp { .. } => &["mean_square", "velocity"],
            Rule::Adam { .. } => &["mean", "mean_square"],
        }
    }
}
