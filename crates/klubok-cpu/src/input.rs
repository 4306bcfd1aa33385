//! The input: rows are gathered, changed (pictures, in training), scaled, and turned into both
//! layouts.

use std::sync::{Arc, Mutex, PoisonError};

use klubok_kernels::{
    activation::multiply,
    buffer::NoMemory,
    dropout::{self, Draw, FEATURES},
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
    values::{GROUP, PER_VALUE, Values, spread_samples},
};

/// The input of a network with its memory.
pub(super) struct Input {
    factor: Vec<f32>,
    offset: Vec<f32>,
    moves: Option<Moves>,
    dropout: Option<Dropout>,
    /// Rows as they are stored, and after the pictures moved.
    stored: Vec<u8>,
    moved: Vec<u8>,
    pub(super) y: Values,
}

/// What training does to pictures.
#[derive(Debug, Clone, Copy)]
struct Moves {
    picture: Picture,
    augment: Augment,
    key: Key,
}

impl Input {
    /// The input for up to `max_batch` samples of any of `data`.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(super) fn new(
        prepare: &InputSpec,
        width: usize,
        dropout: Option<Dropout>,
        seed: u64,
        max_batch: usize,
        precision: Precision,
        data: &[Arc<dyn Rows>],
    ) -> std::result::Result<Self, NoMemory> {
        let bytes = bytes(data);
        let key = key(seed, Purpose::Augment, 0);
        let augment = prepare.augment;
        let picture = prepare.picture.filter(|_| augment.flip || augment.shift > 0);
        let moves = picture.map(|picture| Moves { picture, augment, key });
        let repeat = |of: &[f32]| of.iter().copied().cycle().take(width).collect();
        Ok(Self {
            factor: repeat(&prepare.factor),
            offset: repeat(&prepare.offset),
            moves,
            dropout,
            stored: filled(max_batch * bytes, 0)?,
            moved: filled(if moves.is_some() { max_batch * bytes } else { 0 }, 0)?,
            y: Values::new(width, padded(max_batch), Some(precision))?,
        })
    }

    /// Writes the values of some rows, 16 samples a tile.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn forward(
        &mut self,
        isa: Isa,
        pool: &mut Pool,
        data: &dyn Rows,
        rows: &[u32],
        mode: Mode,
    ) -> Result<()> {
        let spec = &data.fields()[Field::X.0];
        let (bytes, apart) = (spec.bytes(), padded(self.factor.len()));
        let training = matches!(mode, Mode::Train { .. });
        let reader = Reader {
            isa,
            kind: spec.kind,
            factor: &self.factor,
            offset: &self.offset,
            moves: self.moves,
            dropout: self.dropout,
            mode,
        };
        let failure = Mutex::new(None);
        let memory = (
            Chunks::new(&mut self.stored, GROUP * bytes),
            Chunks::new(&mut self.moved, GROUP * bytes),
        );
        let parts = (memory, self.y.by_samples());
        let work = GROUP * self.factor.len() * PER_VALUE;
        pool.run(rows.len().div_ceil(GROUP), work, parts, |i, (memory, samples), scratch| {
            let first = i * GROUP;
            let rows = &rows[first..rows.len().min(first + GROUP)];
            let (stored, moved) = memory;
            let stored = &mut stored[..rows.len() * bytes];
            if let Err(error) = data.gather(Field::X, rows, stored) {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return;
            }
            let (scaled, scratch) = scratch.split_at_mut(GROUP * apart);
            scaled.fill(0.0);
            reader.scale(scaled, apart, stored, moved, bytes, first);
            reader.drop_some(scaled, apart, first);
            spread_samples(isa, samples, scaled, apart, reader.factor.len(), training, scratch);
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

/// Checks that rows of each of `data` have the width of the network.
///
/// # Errors
/// When they do not.
pub(super) fn check(data: &[Arc<dyn Rows>], width: usize) -> Result<()> {
    let stored = |kind| matches!(kind, Kind::Pixels | Kind::Numbers);
    let check =
        |data: &Arc<dyn Rows>| check_field(&**data, Field::X, "values of a row", width, stored);
    data.iter().try_for_each(check)
}

/// Bytes of a row as it is stored, of the widest of `data`.
pub(super) fn bytes(data: &[Arc<dyn Rows>]) -> usize {
    data.iter().map(|data| data.fields()[Field::X.0].bytes()).max().unwrap_or(0)
}

/// Numbers of scratch that [`Input::forward`] takes for rows of this width.
pub(super) fn scratch(width: usize) -> usize {
    GROUP * padded(width) * 3 / 2
}

/// What turns rows as they are stored into values.
struct Reader<'a> {
    isa: Isa,
    kind: Kind,
    factor: &'a [f32],
    offset: &'a [f32],
    moves: Option<Moves>,
    dropout: Option<Dropout>,
    mode: Mode,
}

impl Reader<'_> {
    /// From stored rows, the first at this place in the batch, to numbers: `[samples][features]`.
    fn scale(
        &self,
        scaled: &mut [f32],
        apart: usize,
        stored: &[u8],
        moved: &mut [u8],
        bytes: usize,
        first: usize,
    ) {
        let mut ready = stored;
        if let (Some(moves), Mode::Train { step, first: place, .. }) = (self.moves, self.mode) {
            let samples = stored.chunks_exact(bytes).zip(moved.chunks_exact_mut(bytes));
            for (place, (stored, moved)) in (place + first as u32..).zip(samples) {
                moves.apply(moved, stored, self.kind, step, place);
            }
            ready = &moved[..stored.len()];
        }
        let scale = if self.kind == Kind::Pixels { from_bytes } else { from_numbers };
        scale(self.isa, scaled, apart, ready, self.factor, self.offset);
    }

    /// Multiplies `[samples][features]`, the first of them at this place in the batch, by the
    /// factors of dropout.
    fn drop_some(&self, scaled: &mut [f32], apart: usize, place: usize) {
        let Some(draw) = self.dropout.and_then(|dropout| dropout.draw(self.mode)) else { return };
        let draw = Draw { place: draw.place + place as u32, ..draw };
        for first in (0..self.factor.len()).step_by(FEATURES) {
            let (mut factors, mut turned) = ([0.0; FEATURES * GROUP], [0.0; FEATURES * GROUP]);
            dropout::factors(self.isa, &mut factors, GROUP, draw, (first / FEATURES) as u32);
            transpose(self.isa, &mut turned, FEATURES, &factors, GROUP, FEATURES, GROUP);
            let rows = scaled.chunks_exact_mut(apart);
            for (row, factors) in rows.zip(turned.chunks_exact(FEATURES)) {
                multiply(self.isa, &mut row[first..][..FEATURES], factors);
            }
        }
    }
}

impl Moves {
    fn apply(&self, moved: &mut [u8], stored: &[u8], kind: Kind, step: u64, place: u32) {
        let transform = draw_transform(self.augment, self.key, step, place);
        if kind == Kind::Pixels {
            move_pixels(moved, stored, self.picture, transform);
        } else {
            let (moved, stored) = (moved.as_chunks_mut::<4>().0, stored.as_chunks::<4>().0);
            move_pixels(moved, stored, self.picture, transform);
        }
    }
}
