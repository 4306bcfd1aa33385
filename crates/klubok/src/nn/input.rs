//! The input layer computes nothing: it turns stored rows into values, `x = stored · factor + offset`.
//!
//! In training pictures may be mirrored and shifted first: drawn per sample, counted by (step, place in the
//! global batch); the edge is repeated where the shifted picture leaves a gap.

use klubok_kernels::philox::{Key, philox};

use crate::plan::{Augment, Op, Picture, Plan, Prepare, Value};

/// What happens to one picture in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// Mirror left and right, before the shift.
    pub flip: bool,
    /// Pixels to the right.
    pub right: i32,
    /// Pixels down.
    pub down: i32,
}

/// Draws the change of the sample at `place` in the global batch of `step`.
pub fn change(augment: Augment, key: Key, step: u64, place: u32) -> Change {
    let words = philox(key, [step as u32, (step >> 32) as u32, place, 0]);
    let reach = augment.shift as i32;
    let shift = |word: u32| (word % (2 * augment.shift + 1)) as i32 - reach;
    Change {
        flip: augment.flip && words[0] & 1 == 1,
        right: shift(words[1]),
        down: shift(words[2]),
    }
}

/// Moves the pixels of one picture: `out(x, y) = stored(x - right, y - down)`, held at the edge.
pub fn move_pixels<T: Copy>(out: &mut [T], stored: &[T], picture: Picture, change: Change) {
    let Picture { width, height, channels } = picture;
    let held =
        |at: usize, by: i32, size: usize| (at as i32 - by).clamp(0, size as i32 - 1) as usize;
    for y in 0..height {
        let row = held(y, change.down, height) * width;
        for x in 0..width {
            let shifted = held(x, change.right, width);
            let column = if change.flip { width - 1 - shifted } else { shifted };
            let (to, from) = ((y * width + x) * channels, (row + column) * channels);
            out[to..to + channels].copy_from_slice(&stored[from..from + channels]);
        }
    }
}

/// Writes `x = stored · factor + offset` for one row; factors repeat over the features.
pub fn forward(x: &mut [f64], stored: &[f64], prepare: &Prepare) {
    let period = prepare.factor.len();
    for (f, (x, stored)) in x.iter_mut().zip(stored).enumerate() {
        *x = stored * f64::from(prepare.factor[f % period]) + f64::from(prepare.offset[f % period]);
    }
}

/// Begins the plan with its input.
pub fn lower(plan: &mut Plan, inputs: usize, prepare: Prepare) -> Value {
    let y = plan.add_value(inputs);
    plan.ops.push(Op::Input { y, prepare });
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, key};

    const ROW: Picture = Picture { width: 4, height: 1, channels: 1 };

    fn moved(change: Change) -> [u8; 4] {
        let mut out = [0; 4];
        move_pixels(&mut out, &[1, 2, 3, 4], ROW, change);
        out
    }

    #[test]
    fn pixels_move_and_the_edge_is_held() {
        assert_eq!(moved(Change::default()), [1, 2, 3, 4]);
        assert_eq!(moved(Change { right: 1, ..Change::default() }), [1, 1, 2, 3]);
        assert_eq!(moved(Change { right: -2, ..Change::default() }), [3, 4, 4, 4]);
        assert_eq!(moved(Change { flip: true, right: 1, down: 9 }), [4, 4, 3, 2]);
    }

    #[test]
    fn colours_stay_together() {
        let picture = Picture { width: 2, height: 1, channels: 3 };
        let mut out = [0; 6];
        let flip = Change { flip: true, ..Change::default() };
        move_pixels(&mut out, &[1, 2, 3, 4, 5, 6], picture, flip);
        assert_eq!(out, [4, 5, 6, 1, 2, 3]);
    }

    #[test]
    fn changes_cover_their_range_evenly() {
        let augment = Augment { flip: true, shift: 2 };
        let key = key(5, Purpose::Augment, 0);
        let drawn: Vec<Change> = (0..5000).map(|place| change(augment, key, 9, place)).collect();
        let flips = drawn.iter().filter(|c| c.flip).count();
        assert!((2300..2700).contains(&flips), "{flips}");
        for shift in -2..=2 {
            let right = drawn.iter().filter(|c| c.right == shift).count();
            let down = drawn.iter().filter(|c| c.down == shift).count();
            assert!((850..1150).contains(&right) && (850..1150).contains(&down), "{right} {down}");
        }
    }
}
