//! A network as a plan: a closed list of operations on numbered values.
//!
//! `nn` lowers a network to a plan, the reference interprets it, every other backend compiles it.
//! Values are `[batch, features]`, weights `[out, in]`. The list is closed on purpose: serialising,
//! counting, folding and fusing are matches that the compiler checks for completeness.

use crate::optim::UpdateSpec;

/// Number of a value (an activation matrix) of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value(pub usize);

/// Number of a trained parameter of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Param(pub usize);

/// Number of a statistic that is kept but not trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Running(pub usize);

/// One operation. `y` is the value it writes, `x` the value it reads.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The rows of a batch, normalised and, in training, augmented.
    Input {
        /// Written.
        y: Value,
        /// How a stored row becomes the network's input.
        prepare: Prepare,
    },
    /// `y = x Wᵀ + b`.
    Linear {
        /// Written, `[batch, out]`.
        y: Value,
        /// Read, `[batch, in]`.
        x: Value,
        /// Weights, `[out, in]`.
        w: Param,
        /// Biases, `[out]`.
        b: Option<Param>,
    },
    /// Batch normalisation.
    Norm {
        /// Written.
        y: Value,
        /// Read.
        x: Value,
        /// Factor per feature, `[features]`.
        gain: Param,
        /// Summand per feature, `[features]`.
        shift: Param,
        /// Running mean, `[features]`.
        mean: Running,
        /// Running variance (unbiased), `[features]`.
        variance: Running,
    },
    /// `y = f(x)`, element by element.
    Activate {
        /// Written.
        y: Value,
        /// Read.
        x: Value,
        /// The function.
        f: Activation,
    },
    /// Inverted dropout in training, nothing in evaluation.
    Dropout {
        /// Written.
        y: Value,
        /// Read.
        x: Value,
        /// Chance that an element is set to 0.
        p: f32,
        /// Which stream of random numbers: 0 for the input, then the number of the layer.
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
    /// Element-wise functions of a hidden layer.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Activation {
        /// `max(0, x)`.
        Relu,
        /// `x` where positive, `0.01 x` elsewhere.
        LeakyRelu,
        /// `x Φ(x)` with the exact normal distribution function.
        Gelu,
        /// `x σ(x)`.
        Silu,
        /// Scaled exponential linear unit.
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

/// How a stored row becomes the network's input.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepare {
    /// Factor for feature `f`: `factor[f % factor.len()]` (one a channel for pictures, one a column
    /// else).
    pub factor: Vec<f32>,
    /// Summand, in the same order: `x = stored * factor + offset`.
    pub offset: Vec<f32>,
    /// Shape of the picture, if the row is one.
    pub picture: Option<Picture>,
    /// What training does to pictures beside.
    pub augment: Augment,
}

/// Size of a picture; pixels are stored row by row, channels together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Picture {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// 1 for grey, 3 for red, green, blue.
    pub channels: usize,
}

impl Picture {
    /// Values of one picture.
    pub fn values(&self) -> usize {
        self.width * self.height * self.channels
    }
}

/// Random changes to pictures in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Augment {
    /// Mirror left and right, half of the time.
    pub flip: bool,
    /// Shift by up to this many pixels in each direction; the edge is repeated.
    pub shift: u32,
}

/// A trained parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSpec {
    /// Name in files, such as `hidden1.weight`.
    pub name: String,
    /// `[out, in]` for weights, `[n]` for the rest.
    pub shape: Vec<usize>,
    /// What it is for; penalties, decay and max-norm act on weights only.
    pub kind: ParamKind,
    /// The layer it belongs to: index into [`Plan::layers`].
    pub layer: usize,
}

impl ParamSpec {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True when there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a parameter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// Weights of a linear layer.
    Weight,
    /// Biases of a linear layer.
    Bias,
    /// Factor of a normalisation.
    Gain,
    /// Summand of a normalisation.
    Shift,
}

/// A statistic that is kept but not trained.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningSpec {
    /// Name in files, such as `hidden1.norm.running_mean`.
    pub name: String,
    /// Number of values.
    pub len: usize,
    /// What every value is before training: 0 for means, 1 for variances.
    pub start: f32,
}

/// What is minimised, without penalties.
#[derive(Debug, Clone, PartialEq)]
pub struct LossSpec {
    /// The function.
    pub kind: LossKind,
    /// A factor per class for each sample's weight, or empty.
    pub class_weights: Vec<f64>,
    /// Share of the target that is spread over all classes evenly.
    pub label_smoothing: f64,
}

impl LossSpec {
    /// Cross-entropy in which all samples and classes count alike.
    pub const CROSS_ENTROPY: Self =
        Self { kind: LossKind::CrossEntropy, class_weights: Vec::new(), label_smoothing: 0.0 };
}

/// Loss functions, from the network's last linear values ("logits").
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// Softmax and cross-entropy over classes.
    CrossEntropy,
    /// Sigmoid and cross-entropy for each output by itself.
    BinaryCrossEntropy,
    /// Mean of `(z - y)²`.
    MeanSquared,
    /// Quadratic within `delta` of the target, linear beyond.
    Huber {
        /// Where it turns linear.
        delta: f64,
    },
}

/// A network ready to be compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Features of each value.
    pub widths: Vec<usize>,
    /// The operations, in the order of the forward pass.
    pub ops: Vec<Op>,
    /// The trained parameters.
    pub params: Vec<ParamSpec>,
    /// Statistics that are kept.
    pub running: Vec<RunningSpec>,
    /// Names of the layers, input excluded: `hidden1`, ..., `output`.
    pub layers: Vec<String>,
    /// The value that the loss is computed from.
    pub output: Value,
    /// What is minimised.
    pub loss: LossSpec,
    /// How parameters change.
    pub update: UpdateSpec,
    /// Key of all random numbers drawn in training.
    pub seed: u64,
    /// Precision of the products.
    pub precision: Precision,
}

/// Precision of the products; parameters, moments, sums and everything else are in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// Both operands are rounded to bf16 (8 bits of mantissa), the sums are in f32.
    Bf16,
}

impl Precision {
    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }
}

impl Plan {
    /// A plan in f32 without operations yet; `nn` appends them.
    pub(crate) fn new(loss: LossSpec, update: UpdateSpec, seed: u64) -> Self {
        let (widths, ops, params, running, layers) = (vec![], vec![], vec![], vec![], vec![]);
        let (output, precision) = (Value(0), Precision::F32);
        Self { widths, ops, params, running, layers, output, loss, update, seed, precision }
    }

    /// A new value.
    pub(crate) fn add_value(&mut self, width: usize) -> Value {
        self.widths.push(width);
        Value(self.widths.len() - 1)
    }

    /// A new parameter of the layer that was begun last.
    pub(crate) fn add_param(&mut self, name: &str, shape: &[usize], kind: ParamKind) -> Param {
        let (name, layer) = (self.name(name), self.layers.len() - 1);
        self.params.push(ParamSpec { name, shape: shape.to_vec(), kind, layer });
        Param(self.params.len() - 1)
    }

    /// A new statistic of the layer that was begun last.
    pub(crate) fn add_running(&mut self, name: &str, len: usize, start: f32) -> Running {
        self.running.push(RunningSpec { name: self.name(name), len, start });
        Running(self.running.len() - 1)
    }

    /// Number of trained values.
    pub fn parameters(&self) -> usize {
        self.params.iter().map(ParamSpec::len).sum()
    }

    fn name(&self, name: &str) -> String {
        self.layers.last().map_or_else(|| name.into(), |layer| format!("{layer}.{name}"))
    }
}
