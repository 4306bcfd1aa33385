//! The input: rows are gathered, changed (pictures, in training), scaled, and turned into both layouts.

use std::sync::{Mutex, PoisonError};

use klubok_kernels::{
    buffer::Buffer,
    dropout::Draw,
    input::{from_bytes, from_numbers},
    isa::Isa,
    parts::Chunks,
    philox::Key,
    pool::Pool,
    transpose::transpose,
};

use super::{
    Pass,
    block::Noise,
    check_field,
    forward::drop_some,
    parameter::padded,
    values::{GROUP, PER_VALUE, Samples, Values, spread_square},
};
use crate::{
    error::Result,
    nn::input::{change, move_pixels},
    plan::{Augment, Picture, Precision, Prepare},
    rng::{Purpose, key},
    rows::{Field, Kind, Rows},
};

/// The input of a network with its memory.
pub(super) struct Input {
    factor: Vec<f32>,
    offset: Vec<f32>,
    moves: Option<Moves>,
    noise: Option<Noise>,
    /// Rows as they are stored, and after the pictures moved.
    stored: Vec<u8>,
    moved: Vec<u8>,
    /// `[samples][features]`, from one sample to the next `apart`.
    scaled: Buffer,
    apart: usize,
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
    /// When the rows do not have the width of the network.
    pub(super) fn new(
        prepare: &Prepare,
        width: usize,
        noise: Option<Noise>,
        seed: u64,
        max_batch: usize,
        precision: Precision,
        data: &[std::sync::Arc<dyn Rows>],
    ) -> Result<Self> {
        for data in data {
            let stored = |kind| matches!(kind, Kind::Pixels | Kind::Numbers);
            check_field(&**data, Field::X, "values of a row", width, stored)?;
        }
        let bytes = data.iter().map(|data| data.fields()[Field::X.0].bytes()).max().unwrap_or(0);
        let key = key(seed, Purpose::Augment, 0);
        let augment = prepare.augment;
        let picture = prepare.picture.filter(|_| augment.flip || augment.shift > 0);
        let moves = picture.map(|picture| Moves { picture, augment, key });
        let repeat = |of: &[f32]| of.iter().copied().cycle().take(width).collect();
        let apart = padded(width);
        Ok(Self {
            factor: repeat(&prepare.factor),
            offset: repeat(&prepare.offset),
            moves,
            noise,
            stored: vec![0; max_batch * bytes],
            moved: vec![0; if moves.is_some() { max_batch * bytes } else { 0 }],
            scaled: Buffer::new(max_batch * apart),
            apart,
            y: Values::new(width, padded(max_batch), precision),
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
        pass: Pass,
    ) -> Result<()> {
        let spec = &data.fields()[Field::X.0];
        let (bytes, apart) = (spec.bytes(), self.apart);
        let reader = Reader {
            isa,
            kind: spec.kind,
            factor: &self.factor,
            offset: &self.offset,
            moves: self.moves,
            noise: self.noise,
            pass,
        };
        let failure = Mutex::new(None);
        let memory = (
            Chunks::new(&mut self.stored, GROUP * bytes),
            Chunks::new(&mut self.moved, GROUP * bytes),
            Chunks::new(&mut self.scaled, GROUP * apart),
        );
        let parts = (memory, self.y.by_samples());
        let work = GROUP * self.factor.len() * PER_VALUE;
        pool.run(rows.len().div_ceil(GROUP), work, parts, |i, (memory, samples), scratch| {
            let first = i * GROUP;
            let rows = &rows[first..rows.len().min(first + GROUP)];
            let (stored, moved, scaled) = memory;
            let stored = &mut stored[..rows.len() * bytes];
            if let Err(error) = data.gather(Field::X, rows, stored) {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return;
            }
            reader.scale(scaled, apart, stored, moved, bytes, first);
            reader.spread(samples, scaled, apart, rows.len(), first, scratch);
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

/// What turns rows as they are stored into values.
struct Reader<'a> {
    isa: Isa,
    kind: Kind,
    factor: &'a [f32],
    offset: &'a [f32],
    moves: Option<Moves>,
    noise: Option<Noise>,
    pass: Pass,
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
        if let (Some(moves), Pass::Train { step, first: place, .. }) = (self.moves, self.pass) {
            let samples = stored.chunks_exact(bytes).zip(moved.chunks_exact_mut(bytes));
            for (place, (stored, moved)) in (place + first as u32..).zip(samples) {
                moves.apply(moved, stored, self.kind, step, place);
            }
            ready = &moved[..stored.len()];
        }
        let scale = if self.kind == Kind::Pixels { from_bytes } else { from_numbers };
        for (x, stored) in scaled.chunks_exact_mut(apart).zip(ready.chunks_exact(bytes)) {
            scale(self.isa, x, stored, self.factor, self.offset);
        }
    }

    /// From `[samples][features]` to the layouts of values, with noise.
    fn spread(
        &self,
        mut samples: Samples<'_>,
        scaled: &[f32],
        apart: usize,
        many: usize,
        place: usize,
        scratch: &mut [f32],
    ) {
        let (isa, width) = (self.isa, self.factor.len());
        let training = matches!(self.pass, Pass::Train { .. });
        let draw = self.noise.and_then(|noise| noise.draw(self.pass));
        let draw = draw.map(|draw| Draw { place: draw.place + place as u32, ..draw });
        for first in (0..width).step_by(GROUP) {
            let features = GROUP.min(width - first);
            let mut square = [0.0; GROUP * GROUP];
            transpose(isa, &mut square, GROUP, &scaled[first..], apart, many, features);
            if let Some(draw) = draw {
                drop_some(isa, draw, first, &mut square, &mut [], GROUP, GROUP, scratch);
            }
            spread_square(isa, &mut samples, &square, first, features, many, training);
        }
    }
}

impl Moves {
    fn apply(&self, moved: &mut [u8], stored: &[u8], kind: Kind, step: u64, place: u32) {
        let change = change(self.augment, self.key, step, place);
        if kind == Kind::Pixels {
            move_pixels(moved, stored, self.picture, change);
        } else {
            let (moved, stored) = (moved.as_chunks_mut::<4>().0, stored.as_chunks::<4>().0);
            move_pixels(moved, stored, self.picture, change);
        }
    }
}
