//! The input: gathers rows, augments pictures in training, scales the values and writes them in
//! both layouts.

use std::sync::{Arc, Mutex, PoisonError};

use klubok_kernels::{
    activation::multiply,
    buffer::NoMemory,
    dropout::{self, FEATURES, MaskSpec},
    input::{from_bytes, from_numbers},
    isa::Isa,
    parts::Chunks,
    philox::Key,
    pool::Pool,
    transpose::transpose,
};
use klubok_nn::{
    error::Result,
    layers::input::{draw_transform, move_pixels},
    plan::{Augment, InputSpec, Picture, Precision},
    rng::{Purpose, key},
    rows::{Field, Kind, Rows},
};

use super::{
    Mode, check_field,
    fused::Dropout,
    memory::filled,
    tile::padded,
    values::{GROUP, PER_VALUE, Values, lay_out_samples},
};

/// The input of a network with its memory.
pub(super) struct Input {
    factor: Vec<f32>,
    offset: Vec<f32>,
    augmentation: Option<Augmentation>,
    dropout: Option<Dropout>,
    /// Rows as they are stored.
    stored: Vec<u8>,
    /// Rows after augmentation.
    augmented: Vec<u8>,
    pub(super) y: Values,
}

/// Random changes to pictures in training.
#[derive(Debug, Clone, Copy)]
struct Augmentation {
    picture: Picture,
    augment: Augment,
    key: Key,
}

impl Input {
    /// Allocates the input for up to `max_batch` samples of any of `data`.
    ///
    /// # Errors
    /// When the memory does not suffice.
    pub(super) fn new(
        spec: &InputSpec,
        width: usize,
        dropout: Option<Dropout>,
        seed: u64,
        max_batch: usize,
        precision: Precision,
        data: &[Arc<dyn Rows>],
    ) -> std::result::Result<Self, NoMemory> {
        let bytes = bytes(data);
        let key = key(seed, Purpose::Augment, 0);
        let augment = spec.augment;
        let picture = spec.picture.filter(|_| augment.flip || augment.shift > 0);
        let augmentation = picture.map(|picture| Augmentation { picture, augment, key });
        let per_feature = |values: &[f32]| values.iter().copied().cycle().take(width).collect();
        Ok(Self {
            factor: per_feature(&spec.factor),
            offset: per_feature(&spec.offset),
            augmentation,
            dropout,
            stored: filled(max_batch * bytes, 0)?,
            augmented: filled(if augmentation.is_some() { max_batch * bytes } else { 0 }, 0)?,
            y: Values::new(width, padded(max_batch), Some(precision))?,
        })
    }

    /// Writes the values of some rows, 16 samples per tile.
    ///
    /// # Errors
    /// When reading the rows fails.
    pub(super) fn forward(
        &mut self,
        isa: Isa,
        pool: &mut Pool,
        data: &dyn Rows,
        rows: &[u32],
        mode: Mode,
    ) -> Result<()> {
        let spec = &data.fields()[Field::X.0];
        let (bytes, stride) = (spec.bytes(), padded(self.factor.len()));
        let training = matches!(mode, Mode::Train { .. });
        let reader = Reader {
            isa,
            kind: spec.kind,
            factor: &self.factor,
            offset: &self.offset,
            augmentation: self.augmentation,
            dropout: self.dropout,
            mode,
        };
        let failure = Mutex::new(None);
        let memory = (
            Chunks::new(&mut self.stored, GROUP * bytes),
            Chunks::new(&mut self.augmented, GROUP * bytes),
        );
        let parts = (memory, self.y.by_samples());
        let work = GROUP * self.factor.len() * PER_VALUE;
        pool.run(rows.len().div_ceil(GROUP), work, parts, |i, (memory, samples), scratch| {
            let first = i * GROUP;
            let rows = &rows[first..rows.len().min(first + GROUP)];
            let (stored, augmented) = memory;
            let stored = &mut stored[..rows.len() * bytes];
            if let Err(error) = data.gather(Field::X, rows, stored) {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return;
            }
            let (scaled, scratch) = scratch.split_at_mut(GROUP * stride);
            scaled.fill(0.0);
            reader.scale(scaled, stride, stored, augmented, bytes, first);
            reader.apply_dropout(scaled, stride, first);
            lay_out_samples(isa, samples, scaled, stride, reader.factor.len(), training, scratch);
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

/// Checks that the rows of all `data` have the width of the network.
///
/// # Errors
/// When some do not.
pub(super) fn check(data: &[Arc<dyn Rows>], width: usize) -> Result<()> {
    let stored = |kind| matches!(kind, Kind::Pixels | Kind::Numbers);
    let check =
        |data: &Arc<dyn Rows>| check_field(&**data, Field::X, "values of a row", width, stored);
    data.iter().try_for_each(check)
}

/// Bytes per stored row, the maximum over all `data`.
pub(super) fn bytes(data: &[Arc<dyn Rows>]) -> usize {
    data.iter().map(|data| data.fields()[Field::X.0].bytes()).max().unwrap_or(0)
}

/// Numbers of scratch memory that [`Input::forward`] needs for rows of this width.
pub(super) fn scratch(width: usize) -> usize {
    GROUP * padded(width) * 3 / 2
}

/// Converts stored rows to values.
struct Reader<'a> {
    isa: Isa,
    kind: Kind,
    factor: &'a [f32],
    offset: &'a [f32],
    augmentation: Option<Augmentation>,
    dropout: Option<Dropout>,
    mode: Mode,
}

impl Reader<'_> {
    /// Augments and scales stored rows into `[samples][features]`. The first one is row `first` of
    /// the batch.
    fn scale(
        &self,
        scaled: &mut [f32],
        stride: usize,
        stored: &[u8],
        augmented: &mut [u8],
        bytes: usize,
        first: usize,
    ) {
        let mut source = stored;
        if let (Some(augmentation), Mode::Train { step, first: first_position, .. }) =
            (self.augmentation, self.mode)
        {
            let samples = stored.chunks_exact(bytes).zip(augmented.chunks_exact_mut(bytes));
            for (position, (stored, augmented)) in (first_position + first as u32..).zip(samples) {
                augmentation.apply(augmented, stored, self.kind, step, position);
            }
            source = &augmented[..stored.len()];
        }
        let scale = if self.kind == Kind::Pixels { from_bytes } else { from_numbers };
        scale(self.isa, scaled, stride, source, self.factor, self.offset);
    }

    /// Multiplies `[samples][features]` by the dropout mask. The first sample is row `first` of the
    /// batch.
    fn apply_dropout(&self, scaled: &mut [f32], stride: usize, first: usize) {
        let Some(spec) = self.dropout.and_then(|dropout| dropout.mask(self.mode)) else { return };
        let spec = MaskSpec { position: spec.position + first as u32, ..spec };
        for feature in (0..self.factor.len()).step_by(FEATURES) {
            let (mut mask, mut transposed) = ([0.0; FEATURES * GROUP], [0.0; FEATURES * GROUP]);
            dropout::mask(self.isa, &mut mask, GROUP, spec, (feature / FEATURES) as u32);
            transpose(self.isa, &mut transposed, FEATURES, &mask, GROUP, FEATURES, GROUP);
            let rows = scaled.chunks_exact_mut(stride);
            for (row, mask) in rows.zip(transposed.chunks_exact(FEATURES)) {
                multiply(self.isa, &mut row[feature..][..FEATURES], mask);
            }
        }
    }
}

impl Augmentation {
    /// Augments one stored row.
    fn apply(&self, augmented: &mut [u8], stored: &[u8], kind: Kind, step: u64, position: u32) {
        let transform = draw_transform(self.augment, self.key, step, position);
        if kind == Kind::Pixels {
            move_pixels(augmented, stored, self.picture, transform);
        } else {
            let (augmented, stored) = (augmented.as_chunks_mut::<4>().0, stored.as_chunks::<4>().0);
            move_pixels(augmented, stored, self.picture, transform);
        }
    }
}
