//! A block, `Linear [Norm] [Activate] [Dropout]`, with its memory.

use klubok_kernels::{
    activation::Function,
    buffer::{Buffer, NoMemory},
    dropout::Draw,
    pack::Pair,
    philox::Key,
};
use klubok_nn::{
    backend::Numbers,
    error::{PlanError, Result},
    layers::dropout,
    plan::Precision,
    rng::{Purpose, key},
};

use super::{
    Mode,
    parameter::Parameter,
    tile::{Packed, padded},
    values::{GROUP, Values},
};

/// Features of a tile: enough tiles to share, each large enough to keep what it reads in use. In
/// large batches what it reads is not in a cache, and half as many tiles read it half as often.
pub(super) fn tile_features(width: usize, max_batch: usize) -> usize {
    if max_batch < 1024 {
        GROUP * (width / 256).clamp(1, 4)
    } else {
        GROUP * (width / 128).clamp(1, 8)
    }
}

/// Dropout of a block or the input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dropout {
    key: Key,
    threshold: u32,
    pub(super) scale: f32,
}

impl Dropout {
    pub(super) fn new(seed: u64, stream: u32, chance: f32) -> Self {
        let threshold = dropout::threshold(chance);
        let scale = (65536.0 / (65536.0 - f64::from(threshold))) as f32;
        Self { key: key(seed, Purpose::Dropout, stream), threshold, scale }
    }

    /// The numbers to draw in this pass: none in evaluation.
    pub(super) fn draw(&self, mode: Mode) -> Option<Draw> {
        let Mode::Train { step, first, .. } = mode else { return None };
        let Self { key, threshold, scale } = *self;
        Some(Draw { key, step, place: first, threshold, scale })
    }
}

/// How the gradient at a block's values becomes that before its activation and dropout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Gate {
    /// It already is.
    Open,
    /// Times this where the value is positive, 0 elsewhere.
    Positive(f32),
    /// Times the slopes that the forward pass stored.
    Stored,
}

impl Gate {
    fn new(f: Function, dropout: Option<Dropout>) -> Self {
        match (f, dropout) {
            (Function::Identity, None) => Gate::Open,
            (Function::Relu, dropout) => {
                Gate::Positive(dropout.map_or(1.0, |dropout| dropout.scale))
            }
            _ => Gate::Stored,
        }
    }
}

/// Batch normalisation of a block.
pub(super) struct Norm {
    pub(super) gain: Parameter,
    pub(super) shift: Parameter,
    /// Numbers of the running statistics in the plan, mean and variance.
    pub(super) index: [usize; 2],
    /// Their names.
    pub(super) names: [String; 2],
    /// One a feature.
    pub(super) features: Vec<Feature>,
    /// x̂, `[features][samples]`.
    pub(super) normalised: Buffer,
}

/// Statistics of one feature.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Feature {
    /// Running mean.
    pub(super) mean: f32,
    /// Running variance.
    pub(super) variance: f32,
    /// √(variance + ε) of the last batch.
    pub(super) deviation: f32,
}

/// A block with its memory.
pub(super) struct FusedLayer {
    pub(super) weight: Parameter,
    pub(super) bias: Option<Parameter>,
    pub(super) norm: Option<Norm>,
    pub(super) f: Function,
    pub(super) dropout: Option<Dropout>,
    pub(super) gate: Gate,
    pub(super) y: Values,
    /// What it reads of a sample that is predicted alone.
    pub(super) alone: Buffer,
    /// f'(z) times the factor of dropout, `[features][samples]`, if the gate wants it stored.
    pub(super) slope: Buffer,
    pub(super) delta: Delta,
}

/// The gradient at a block's values, then at the result of its product.
pub(super) struct Delta {
    /// From one feature to the next.
    pub(super) stride: usize,
    /// `[features][samples]`.
    pub(super) rows: Buffer,
    /// `[features][samples / 2]` in bf16, half as far apart: for the gradient of the weight.
    pub(super) sample_pairs: Buffer<Pair>,
    /// `[features / 2][samples]` in bf16, where the gradient at the input is wanted.
    pub(super) pairs: Buffer<Pair>,
}

impl FusedLayer {
    /// A block for up to `max_batch` samples; the gradient at its input is wanted unless it is the
    /// `first`, and a product reads its values unless it is the `last`.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(super) fn new(
        mut weight: Parameter,
        bias: Option<Parameter>,
        norm: Option<Norm>,
        f: Function,
        dropout: Option<Dropout>,
        max_batch: usize,
        precision: Precision,
        first: bool,
        last: bool,
    ) -> std::result::Result<Self, NoMemory> {
        let (width, stride) = (weight.rows, padded(max_batch));
        let gate = Gate::new(f, dropout);
        let slope = if gate == Gate::Stored { width * stride } else { 0 };
        let bf16 = precision == Precision::Bf16;
        if bf16 {
            weight.packed = Packed::new(width, weight.columns, !first)?;
        }
        let pairs =
            |wanted, rows: usize, stride| Buffer::new(if wanted { rows * stride } else { 0 });
        let delta = Delta {
            stride,
            rows: Buffer::new(width * stride)?,
            sample_pairs: pairs(bf16, width, stride / 2)?,
            pairs: pairs(bf16 && !first, width.div_ceil(2), stride)?,
        };
        let (slope, y) =
            (Buffer::new(slope)?, Values::new(width, stride, (!last).then_some(precision))?);
        let alone = Buffer::new(weight.columns)?;
        Ok(Self { weight, bias, norm, f, dropout, gate, y, alone, slope, delta })
    }

    pub(super) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        let norm = self.norm.iter().flat_map(|norm| [&norm.gain, &norm.shift]);
        [&self.weight].into_iter().chain(&self.bias).chain(norm)
    }

    pub(super) fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        let norm = self.norm.iter_mut().flat_map(|norm| [&mut norm.gain, &mut norm.shift]);
        [&mut self.weight].into_iter().chain(&mut self.bias).chain(norm)
    }

    /// Everything but the weights.
    pub(super) fn vectors_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        self.parameters_mut().skip(1)
    }

    pub(super) fn load_running(&mut self, running: &[Numbers]) -> Result<()> {
        let Some(norm) = &mut self.norm else { return Ok(()) };
        let (expected, names) = (norm.features.len(), &norm.names);
        for (index, name) in norm.index.iter().zip(names) {
            let got = running[*index].len();
            if got != expected {
                return Err(PlanError::ShapeMismatch { what: name.clone(), expected, got });
            }
        }
        let [mean, variance] = norm.index.map(|index| running[index].to_f32());
        for (feature, (mean, variance)) in norm.features.iter_mut().zip(mean.iter().zip(&variance))
        {
            *feature = Feature { mean: *mean, variance: *variance, ..*feature };
        }
        Ok(())
    }

    pub(super) fn store_running(&self, running: &mut [Numbers]) {
        let Some(norm) = &self.norm else { return };
        let of = |f: fn(&Feature) -> f32| Numbers::F32(norm.features.iter().map(f).collect());
        running[norm.index[0]] = of(|feature| feature.mean);
        running[norm.index[1]] = of(|feature| feature.variance);
    }
}
