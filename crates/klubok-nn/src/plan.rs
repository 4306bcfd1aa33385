//! A plan: a network as a list of operations on numbered values.
//!
//! [`crate::network`] lowers a network to a plan, [`mod@crate::reference`] interprets it, every
//! other backend compiles it.
//!
//! Values are `[batch, features]`, weights `[out, in]`. The set of operations is closed on purpose:
//! code that counts, stores, folds or fuses them is a `match` that the compiler checks for
//! completeness.

use crate::{
    error::{PlanError, Result},
    optim::UpdateSpec,
};

/// Index of a value, an activation matrix of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value(pub usize);

/// Index of a trained parameter of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Param(pub usize);

/// Index of a running statistic of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Running(pub usize);

/// One operation: reads the value `x` and writes the value `y`.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The rows of a batch, normalised, and augmented in training.
    Input {
        /// Output.
        y: Value,
        /// Preprocessing of the rows.
        prepare: InputSpec,
    },
    /// Linear layer: `y = x Wᵀ + b`.
    Linear {
        /// Output, `[batch, out]`.
        y: Value,
        /// Input, `[batch, in]`.
        x: Value,
        /// Weights, `[out, in]`.
        w: Param,
        /// Biases, `[out]`.
        b: Option<Param>,
    },
    /// Batch normalisation.
    Norm {
        /// Output.
        y: Value,
        /// Input.
        x: Value,
        /// Factor per feature, `[features]`.
        gain: Param,
        /// Offset per feature, `[features]`.
        shift: Param,
        /// Running mean, `[features]`.
        mean: Running,
        /// Running variance (unbiased), `[features]`.
        variance: Running,
    },
    /// Activation: `y = f(x)` for each element.
    Activate {
        /// Output.
        y: Value,
        /// Input.
        x: Value,
        /// The function.
        f: Activation,
    },
    /// Inverted dropout in training, the identity in evaluation.
    Dropout {
        /// Output.
        y: Value,
        /// Input.
        x: Value,
        /// Probability of setting an element to 0.
        p: f32,
        /// Stream of random numbers: 0 for the input, then the number of the layer from 1.
        stream: u32,
    },
}

impl Op {
    /// The value that the operation writes.
    pub fn writes(&self) -> Value {
        match self {
            Op::Input { y, .. }
            | Op::Linear { y, .. }
            | Op::Norm { y, .. }
            | Op::Activate { y, .. }
            | Op::Dropout { y, .. } => *y,
        }
    }
}

crate::listed! {
    /// Activation functions. [`crate::layers::activation`] has their formulas.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Activation {
        /// `max(0, x)`.
        Relu,
        /// `x` if positive, else `0.01 x`.
        LeakyRelu,
        /// `x Φ(x)`, the exact form with the normal distribution function.
        Gelu,
        /// `x σ(x)`, also called swish.
        Silu,
        /// `λ x` if positive, else `λ α (eˣ - 1)`.
        Selu,
        /// `x tanh(ln(1 + eˣ))`.
        Mish,
        /// Hyperbolic tangent.
        Tanh,
        /// `1 / (1 + e⁻ˣ)`.
        Sigmoid,
        /// `x`.
        Identity,
    }
}

/// Preprocessing of stored rows: `x = stored · factor + offset`, and augmentation.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSpec {
    /// Feature `f` has factor `factor[f % factor.len()]`: one factor per channel of a picture, or
    /// one per column.
    pub factor: Vec<f32>,
    /// Offsets, in the same order.
    pub offset: Vec<f32>,
    /// Shape of the picture, if rows are pictures.
    pub picture: Option<Picture>,
    /// Random changes to pictures in training.
    pub augment: Augment,
}

/// Shape of a picture. Pixels are stored row by row, the channels of a pixel side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Picture {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// 1 for grey, 3 for red, green, blue.
    pub channels: usize,
}

impl Picture {
    /// Number of values of one picture.
    pub fn values(&self) -> usize {
        self.width * self.height * self.channels
    }
}

/// Random changes to pictures in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Augment {
    /// Mirror left and right with probability 1/2.
    pub flip: bool,
    /// Shift by up to this many pixels in each direction; edge pixels fill the gap.
    pub shift: u32,
}

/// A trained parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSpec {
    /// Name in files, such as `hidden1.weight`.
    pub name: String,
    /// `[out, in]` for weights, `[n]` for all else.
    pub shape: Vec<usize>,
    /// Role of the parameter. Penalties, weight decay and max-norm act on weights only.
    pub kind: ParamKind,
    /// Its layer: index into [`Plan::layers`].
    pub layer: usize,
}

impl ParamSpec {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True when the parameter has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Role of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// Weights of a linear layer.
    Weight,
    /// Biases of a linear layer.
    Bias,
    /// Factor of a normalisation.
    Gain,
    /// Offset of a normalisation.
    Shift,
}

/// A running statistic: training updates it, but not by its gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningSpec {
    /// Name in files, such as `hidden1.norm.running_mean`.
    pub name: String,
    /// Number of values.
    pub len: usize,
    /// Initial value: 0 for means, 1 for variances.
    pub start: f32,
}

/// The loss, without penalties.
#[derive(Debug, Clone, PartialEq)]
pub struct LossSpec {
    /// The function.
    pub kind: LossKind,
    /// Weight per class, a factor of each sample's weight; empty for equal weights.
    pub class_weights: Vec<f64>,
    /// Share of the target that is spread evenly over all classes.
    pub label_smoothing: f64,
}

impl LossSpec {
    /// Cross-entropy without class weights and label smoothing.
    pub const CROSS_ENTROPY: Self =
        Self { kind: LossKind::CrossEntropy, class_weights: Vec::new(), label_smoothing: 0.0 };
}

/// Loss functions of the logits. [`crate::loss`] has their formulas.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// Softmax and cross-entropy over mutually exclusive classes.
    CrossEntropy,
    /// Sigmoid and binary cross-entropy for each output, averaged.
    BinaryCrossEntropy,
    /// Mean of `(z - y)²`.
    MeanSquared,
    /// Quadratic within `delta` of the target, linear beyond.
    Huber {
        /// `δ`, where the loss becomes linear.
        delta: f64,
    },
}

/// A network with its loss and update rule, ready to compile.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Number of features of each value.
    pub widths: Vec<usize>,
    /// The operations, in the order of the forward pass.
    pub ops: Vec<Op>,
    /// The trained parameters.
    pub params: Vec<ParamSpec>,
    /// The running statistics.
    pub running: Vec<RunningSpec>,
    /// Names of the layers without the input: `hidden1`, ..., `output`.
    pub layers: Vec<String>,
    /// The logits, input of the loss.
    pub output: Value,
    /// The loss.
    pub loss: LossSpec,
    /// The update rule with penalties and limits.
    pub update: UpdateSpec,
    /// Seed of all random numbers in training.
    pub seed: u64,
    /// Precision of the products.
    pub precision: Precision,
}

/// Precision of matrix products. Parameters, moments, sums and all else are in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// Operands rounded to bf16 (8 significant bits), sums in f32.
    Bf16,
}

impl Precision {
    /// Name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }
}

impl Plan {
    /// An empty plan in f32.
    pub(crate) fn new(loss: LossSpec, update: UpdateSpec, seed: u64) -> Self {
        let (widths, ops, params, running, layers) = (vec![], vec![], vec![], vec![], vec![]);
        let (output, precision) = (Value(0), Precision::F32);
        Self { widths, ops, params, running, layers, output, loss, update, seed, precision }
    }

    /// Adds a value of `width` features.
    pub(crate) fn add_value(&mut self, width: usize) -> Value {
        self.widths.push(width);
        Value(self.widths.len() - 1)
    }

    /// Adds a parameter to the last layer.
    pub(crate) fn add_param(&mut self, name: &str, shape: &[usize], kind: ParamKind) -> Param {
        let (name, layer) = (self.name(name), self.layers.len() - 1);
        self.params.push(ParamSpec { name, shape: shape.to_vec(), kind, layer });
        Param(self.params.len() - 1)
    }

    /// Adds a running statistic to the last layer.
    pub(crate) fn add_running(&mut self, name: &str, len: usize, start: f32) -> Running {
        self.running.push(RunningSpec { name: self.name(name), len, start });
        Running(self.running.len() - 1)
    }

    /// Checks that the weights are matrices and all other parameters vectors. Every backend calls
    /// it before it compiles.
    ///
    /// # Errors
    /// [`PlanError::Dimensions`], which names the first other parameter.
    pub fn check_dimensions(&self) -> Result<()> {
        let is_wrong = |param: &&ParamSpec| {
            param.shape.len() != if param.kind == ParamKind::Weight { 2 } else { 1 }
        };
        match self.params.iter().find(is_wrong) {
            Some(ParamSpec { name, shape, .. }) => {
                Err(PlanError::Dimensions { parameter: name.clone(), shape: shape.clone() })
            }
            None => Ok(()),
        }
    }

    /// Number of trained values, all parameters together.
    pub fn parameters(&self) -> usize {
        self.params.iter().map(ParamSpec::len).sum()
    }

    /// Prefixes a name with that of the last layer.
    fn name(&self, name: &str) -> String {
        self.layers.last().map_or_else(|| name.into(), |layer| format!("{layer}.{name}"))
    }
}
