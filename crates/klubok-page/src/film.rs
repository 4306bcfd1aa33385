//! What the page knows of a run's film, and how it packs tiles.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Instant,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::{
    components::Components,
    model::Model,
    plan::Picture,
    train::film::{Bytes, Scene, Snapshot},
};
use serde_json::{Value, json};

use super::{
    encoding::{shrunk, shrunk_shape},
    lock::lock,
};

/// A run's film as the page knows it.
#[derive(Default)]
pub(super) struct Film {
    /// What the film shows; none where the data is not at hand.
    pub(super) scene: OnceLock<Option<Scene>>,
    /// The last snapshot that a training of this process sent, kept or not.
    pub(super) newest: Mutex<Option<Arc<Snapshot>>>,
    /// When a browser last had a snapshot requested.
    pub(super) requested: Mutex<Option<Instant>>,
    /// The axes of the samples' cloud, with the step that they are of.
    pub(super) axes: Mutex<Option<(u64, Arc<Components>)>>,
    /// The network's labels and scales, without weights.
    pub(super) reader: OnceLock<Model>,
    /// How tiles are packed for a report; none for the live page.
    packing: OnceLock<Packing>,
}

/// How a report packs tiles: small, and on one scale for the whole film, so that early ones, which
/// hardly differ from zero, take little room.
struct Packing {
    /// Pixels on each side of a tile, at most.
    max_side: usize,
    /// The value of [`LEVELS`].
    scale: f32,
}

/// The largest packed value.
const LEVELS: f32 = 15.0;
/// The character of a packed 0; those of the other values lie around it.
const ZERO: i16 = 64;
/// Standard deviations of the last tiles at the largest packed value; the page's colours are full
/// at fewer.
const PACKED_DEVIATIONS: f32 = 3.5;

impl Film {
    /// Takes a snapshot that the training sent.
    pub(super) fn take(&self, snapshot: &Snapshot) {
        *lock(&self.newest) = Some(Arc::new(snapshot.clone()));
    }

    /// Returns tiles at the size in which the page gets them.
    pub(super) fn shrunk(&self, tiles: &Bytes) -> Bytes {
        let max_side = self.packing.get().map_or(usize::MAX, |packing| packing.max_side);
        let [units, height, width, channels] = tiles.shape[..] else { return tiles.clone() };
        let by = height.max(width).div_ceil(max_side);
        if by <= 1 {
            return tiles.clone();
        }
        let shape = Picture { width, height, channels };
        let small = shrunk_shape(shape, by);
        let means = shrunk(tiles.values(), shape, by);
        Bytes::of(vec![units, small.height, small.width, channels], &means)
    }

    /// Packs tiles from now on; those of the last snapshot set the scale.
    pub(super) fn pack(&self, max_side: usize, last: Option<&Bytes>) {
        let squares: f32 =
            last.into_iter().flat_map(Bytes::values).map(|value| value * value).sum();
        let count = last.map_or(1, |tiles| tiles.bytes.len().max(1)) as f32;
        let scale = PACKED_DEVIATIONS * (squares / count).sqrt();
        let _ = self.packing.set(Packing { max_side, scale });
    }

    /// Returns values as the page gets them: in a report with the precision of a drawing, that of
    /// bf16, so that they can be compressed.
    pub(super) fn coarse(&self, values: &[f32]) -> Vec<f32> {
        let is_packed = self.packing.get().is_some();
        let coarse = |value: f32| f32::from_bits(value.to_bits() & 0xffff_0000);
        values.iter().map(|&value| if is_packed { coarse(value) } else { value }).collect()
    }

    /// Encodes tiles: as bytes or, packed, as a character for each value.
    pub(super) fn encoded(&self, tiles: &Bytes) -> Value {
        let tiles = self.shrunk(tiles);
        let Some(Packing { scale, .. }) = self.packing.get() else {
            return bytes_json(&tiles);
        };
        let level = |value: f32| (value / scale * LEVELS).round().clamp(-LEVELS, LEVELS) as i16;
        let text = tiles.values().map(|value| char::from((ZERO + level(value)) as u8));
        json!({ "text": text.collect::<String>(), "scale": scale })
    }
}

fn bytes_json(bytes: &Bytes) -> Value {
    let raw: Vec<u8> = bytes.bytes.iter().map(|&byte| byte as u8).collect();
    json!({ "bytes": STANDARD.encode(raw), "scale": bytes.scale })
}
