//! Optimisation: update rules, penalties, gradient clipping and learning-rate schedules.
//!
//! One file per rule, with its published formula in plain f64. In a step with gradient `g`:
//!
//! 1. the penalties L1 and L2 add their gradient to `g` ([`penalty::gradient`]),
//! 2. clipping scales `g` ([`clip`]),
//! 3. decoupled weight decay shrinks the weights ([`penalty::decay`]),
//! 4. the rule moves every parameter ([`sgd`], [`rmsprop`], [`adam`]),
//! 5. max-norm limits the weights of each unit ([`penalty::max_norm`]).

pub mod adam;
pub mod clip;
pub mod penalty;
pub mod rmsprop;
pub mod schedule;
pub mod sgd;

/// The update of all parameters in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpdateSpec {
    /// The rule.
    pub rule: Rule,
    /// Factor of the penalty `l1 Σ|w|` on weights.
    pub l1: f64,
    /// Factor of the penalty `l2/2 Σw²` on weights.
    pub l2: f64,
    /// Decoupled weight decay before the rule: `w ← w (1 - learning_rate · weight_decay)`
    /// (Loshchilov and Hutter 2019, as PyTorch's `AdamW`).
    pub weight_decay: f64,
    /// Limit of the norm of a unit's incoming weights (Srivastava et al. 2014).
    pub max_norm: Option<f64>,
    /// Limit of the global norm of the gradient (Pascanu et al. 2013).
    pub clip_norm: Option<f64>,
}

impl UpdateSpec {
    /// Plain gradient descent: no momentum, penalty, decay or limit.
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
    /// Stochastic gradient descent, with momentum unless `momentum` is 0 ([`sgd`]).
    Sgd {
        /// Decay of the velocity.
        momentum: f64,
        /// Nesterov's variant.
        nesterov: bool,
    },
    /// RMSProp, with momentum unless `momentum` is 0 ([`rmsprop`]).
    RmsProp {
        /// Decay of the running mean square.
        decay: f64,
        /// Added to the root.
        epsilon: f64,
        /// Decay of the velocity.
        momentum: f64,
    },
    /// Adam ([`adam`]).
    Adam {
        /// Decay of the running mean of the gradient.
        beta1: f64,
        /// Decay of the running mean square.
        beta2: f64,
        /// Added to the root.
        epsilon: f64,
    },
}

impl Rule {
    /// Names of the moments that the rule keeps for each parameter, in the order of a state.
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
