//! How far the weights of each layer are from where they began: `|W - W₀| / |W₀|`.
//!
//! The start is not kept in a checkpoint, as it follows from the settings; the one copy of the weights that this
//! costs is what they are now.

use crate::{
    backend::Program,
    error::Result,
    plan::{ParamKind, Plan},
    state::{Numbers, State, Weights},
};

/// Measures the distance from a start.
#[derive(Debug)]
pub struct Distance<'a> {
    start: &'a State,
    now: Weights,
}

impl<'a> Distance<'a> {
    /// From this state.
    pub fn new(start: &'a State) -> Self {
        Self { start, now: Weights::default() }
    }

    /// The distance of the weight matrix of each layer; none where it began at zero.
    ///
    /// # Errors
    /// When the device fails.
    pub fn measure(&mut self, program: &dyn Program, plan: &Plan) -> Result<Vec<Option<f64>>> {
        program.store_weights(&mut self.now)?;
        let mut distances = vec![None; plan.layers.len()];
        let values = self.start.params.iter().zip(&self.now.params);
        for (spec, (start, now)) in plan.params.iter().zip(values) {
            if spec.kind == ParamKind::Weight {
                let (moved_sq, start_sq) = squares(start, now);
                distances[spec.layer] = (start_sq > 0.0).then(|| (moved_sq / start_sq).sqrt());
            }
        }
        Ok(distances)
    }
}

/// `Σ (w - w₀)²` and `Σ w₀²`.
fn squares(start: &Numbers, now: &Numbers) -> (f64, f64) {
    match (start, now) {
        (Numbers::F32(start), Numbers::F32(now)) => sums(start, now),
        _ => sums(&start.to_f64(), &now.to_f64()),
    }
}

/// Sums in eight lanes, which the compiler turns into vectors; the order is fixed.
fn sums<T: Copy + Into<f64>>(start: &[T], now: &[T]) -> (f64, f64) {
    let mut lanes = [(0.0, 0.0); 8];
    let add = |(moved_sq, start_sq): &mut (f64, f64), start: T, now: T| {
        let (start, now): (f64, f64) = (start.into(), now.into());
        *moved_sq += (now - start) * (now - start);
        *start_sq += start * start;
    };
    for (start, now) in start.chunks(8).zip(now.chunks(8)) {
        for ((lane, &start), &now) in lanes.iter_mut().zip(start).zip(now) {
            add(lane, start, now);
        }
    }
    lanes.iter().fold((0.0, 0.0), |sum, lane| (sum.0 + lane.0, sum.1 + lane.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_by_hand() {
        let start = [1.0f32, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0];
        let mut now = start;
        (now[1], now[8]) = (5.0, 0.0);
        assert_eq!(
            squares(&Numbers::F32(start.to_vec()), &Numbers::F32(now.to_vec())),
            (9.0 + 16.0, 1.0 + 4.0 + 4.0 + 16.0)
        );
        let in_f64 = Numbers::F64(now.map(f64::from).to_vec());
        assert_eq!(squares(&Numbers::F32(start.to_vec()), &in_f64), (25.0, 25.0));
    }
}
