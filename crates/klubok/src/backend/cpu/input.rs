//! The input: rows are gathered, changed (pictures, in training), scaled, and turned into both layouts.

use std::sync::{Mutex, PoisonError};

use klubok_kernels::{
    buffer::Buffer,
    input::{from_bytes, from_numbers},
    isa::Isa,
    parts::Chunks,
    philox::Key,
    pool::Pool,
    transpose::transpose,
};

use super::{
    Pass,
    block::{GROUP, Noise, Values},
    check_field,
    forward::drop_some,
    parameter::padded,
};
use crate::{
    error::Result,
    nn::input::{change, move_pixels},
    plan::{Augment, Picture, Prepare},
    rng::{Purpose, key},
    rows::{Field, Kind, Rows},
};

/// Samples that are gathered at once.
const SAMPLES: usize = 8;
/// Features that are turned at once.
const FEATURES: usize = 4 * GROUP;

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
            y: Values::new(width, padded(max_batch)),
        })
    }

    /// Writes the values of some rows.
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
        self.gather(isa, pool, data, rows, pass)?;
        self.turn(isa, pool, rows.len(), pass);
        Ok(())
    }

    fn gather(
        &mut self,
        isa: Isa,
        pool: &mut Pool,
        data: &dyn Rows,
        rows: &[u32],
        pass: Pass,
    ) -> Result<()> {
        let spec = &data.fields()[Field::X.0];
        let (bytes, kind, apart) = (spec.bytes(), spec.kind, self.apart);
        let (factor, offset) = (&self.factor, &self.offset);
        let moves = self.moves.filter(|_| matches!(pass, Pass::Train { .. }));
        let failure = Mutex::new(None);
        let parts = (
            Chunks::new(&mut self.stored, SAMPLES * bytes),
            Chunks::new(&mut self.moved, SAMPLES * bytes),
            Chunks::new(&mut self.scaled, SAMPLES * apart),
        );
        pool.run(rows.len().div_ceil(SAMPLES), parts, |i, (stored, moved, scaled), _| {
            let first = i * SAMPLES;
            let rows = &rows[first..rows.len().min(first + SAMPLES)];
            let stored = &mut stored[..rows.len() * bytes];
            if let Err(error) = data.gather(Field::X, rows, stored) {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return;
            }
            let mut ready = &*stored;
            if let (Some(moves), Pass::Train { step, first: place, .. }) = (moves, pass) {
                let samples = stored.chunks_exact(bytes).zip(moved.chunks_exact_mut(bytes));
                for (place, (stored, moved)) in (place + first as u32..).zip(samples) {
                    moves.apply(moved, stored, kind, step, place);
                }
                ready = moved;
            }
            let scale = if kind == Kind::Pixels { from_bytes } else { from_numbers };
            for (x, stored) in
                scaled.chunks_exact_mut(apart).zip(ready.chunks_exact(bytes)).take(rows.len())
            {
                scale(isa, x, stored, factor, offset);
            }
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// From samples to panels and rows, with noise.
    fn turn(&mut self, isa: Isa, pool: &mut Pool, batch: usize, pass: Pass) {
        let (stride, panel, apart) = (self.y.stride, self.y.panel(), self.apart);
        let draw = self.noise.and_then(|noise| noise.draw(pass));
        let scaled = &*self.scaled;
        let parts = (
            Chunks::new(&mut self.y.rows, FEATURES * stride),
            Chunks::new(&mut self.y.panels, FEATURES / GROUP * panel),
        );
        pool.run(self.y.width.div_ceil(FEATURES), parts, |i, (rows, panels), scratch| {
            let panels = panels.chunks_exact_mut(panel);
            for (p, (rows, panel)) in rows.chunks_mut(GROUP * stride).zip(panels).enumerate() {
                let first = i * FEATURES + p * GROUP;
                let samples = scaled.chunks_exact(apart).take(batch);
                for (panel, x) in panel.chunks_exact_mut(GROUP).zip(samples) {
                    panel.copy_from_slice(&x[first..first + GROUP]);
                }
                let features = rows.len() / stride;
                transpose(isa, rows, stride, &scaled[first..], apart, batch, features);
                if let Some(draw) = draw {
                    let samples = batch.next_multiple_of(GROUP);
                    drop_some(isa, draw, first, rows, &mut [], stride, samples, scratch);
                    transpose(isa, panel, GROUP, rows, stride, features, batch);
                }
            }
        });
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
