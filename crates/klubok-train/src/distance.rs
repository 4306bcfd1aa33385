//! Distance of each layer's weights from their initial values: `|W - W₀| / |W₀|`.
//!
//! The settings determine the initial weights, so a checkpoint does not hold them. Those of a small
//! network stay in memory; for a large one, whose epochs are long, they are drawn again layer by
//! layer.

use std::borrow::Cow;

use klubok_nn::{
    network::{Network, Start},
    plan::ParamKind,
    state::Numbers,
};

use crate::task::Task;

/// Largest number of initial weights kept in memory: 32 MB.
const MAX_KEPT_WEIGHTS: usize = 8 << 20;

/// Measures the distance from the initial weights.
#[derive(Debug)]
pub struct Distance {
    network: Network,
    start: Start,
    seed: u64,
    /// The initial weights of each layer, unless there are too many.
    kept: Vec<Vec<f32>>,
}

impl Distance {
    /// Measures from the initial weights of this task, drawn with this seed.
    pub fn of(task: &Task, seed: u64) -> Self {
        let (network, start) = (task.network.clone(), task.init.clone());
        let mut kept = Vec::new();
        if network.parameters() <= MAX_KEPT_WEIGHTS {
            let params = task.plan.params.iter().zip(&task.initial_state.params);
            let weights = params.filter(|(spec, _)| spec.kind == ParamKind::Weight);
            kept.extend(weights.map(|(_, weights)| weights.to_f32()));
        }
        Self { network, start, seed, kept }
    }

    fn origin(&self, layer: usize) -> Cow<'_, [f32]> {
        match self.kept.get(layer) {
            Some(kept) => Cow::Borrowed(kept),
            None => Cow::Owned(self.network.start_weights(layer, &self.start, self.seed)),
        }
    }

    /// Returns the distance of a layer's weight matrix, `None` where it started at zero, and the
    /// norm of the matrix.
    pub fn of_layer(&self, layer: usize, now: &Numbers) -> (Option<f64>, f64) {
        let [moved_sq, start_sq, now_sq] = squares(&self.origin(layer), now);
        ((start_sq > 0.0).then(|| (moved_sq / start_sq).sqrt()), now_sq.sqrt())
    }
}

/// Returns `Σ (w - w₀)²`, `Σ w₀²` and `Σ w²`.
fn squares(start: &[f32], now: &Numbers) -> [f64; 3] {
    match now {
        Numbers::F32(now) => sums(start, now),
        Numbers::F64(now) => sums(start, now),
    }
}

/// Sums in eight lanes, in a fixed order that the compiler can vectorise.
fn sums<T: Copy + Into<f64>>(start: &[f32], now: &[T]) -> [f64; 3] {
    let mut lanes = [[0.0; 8]; 3];
    let mut add = |i: usize, start: f32, now: T| {
        let (start, now): (f64, f64) = (f64::from(start), now.into());
        lanes[0][i] += (now - start) * (now - start);
        lanes[1][i] += start * start;
        lanes[2][i] += now * now;
    };
    let (eights, rest) = start.as_chunks::<8>();
    for (start, now) in eights.iter().zip(now.chunks_exact(8)) {
        for i in 0..8 {
            add(i, start[i], now[i]);
        }
    }
    let from = 8 * eights.len();
    for (i, (&start, &now)) in rest.iter().zip(&now[from..]).enumerate() {
        add(i, start, now);
    }
    lanes.map(|lanes| lanes.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_by_hand() {
        let start = [1.0f32, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0];
        let mut now = start;
        (now[1], now[8]) = (5.0, 0.0);
        let in_f32 = Numbers::F32(now.to_vec());
        let expected = [9.0 + 16.0, 1.0 + 4.0 + 4.0 + 16.0, 1.0 + 25.0 + 4.0];
        assert_eq!(squares(&start, &in_f32), expected);
        let in_f64 = Numbers::F64(now.map(f64::from).to_vec());
        assert_eq!(squares(&start, &in_f64), expected);
    }
}
