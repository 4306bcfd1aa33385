//! The input layer computes nothing: it turns stored rows into values, `x = stored · factor +
//! offset`.
//!
//! In training pictures may be mirrored and shifted first: drawn per sample, counted by (step,
//! place in the global batch); the edge is repeated where the shifted picture leaves a gap.

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
    let line = width * channels;
    // What stays in the picture, and the gap on its left or right.
    let gap = (change.right.unsigned_abs() as usize).min(width);
    let (kept, gap) = ((width - gap) * channels, gap * channels);
    for (y, out) in out.chunks_exact_mut(line).take(height).enumerate() {
        let from = (y as i32 - change.down).clamp(0, height as i32 - 1) as usize;
        let stored = &stored[from * line..][..line];
        let rightwards = change.right > 0;
        let (hole, to) = if rightwards {
            out.split_at_mut(gap)
        } else {
            let (to, hole) = out.split_at_mut(kept);
            (hole, to)
        };
        // The pixels that stay are those farthest from where the picture moves to.
        let from_end = rightwards == change.flip;
        let stay = if from_end { &stored[line - kept..] } else { &stored[..kept] };
        if change.flip {
            reverse(to, stay, channels);
        } else {
            to.copy_from_slice(stay);
        }
        let edge = if from_end { &stored[line - channels..] } else { &stored[..channels] };
        hole.chunks_exact_mut(channels).for_each(|pixel| pixel.copy_from_slice(edge));
    }
}

/// Writes pixels in reverse order, the colours of each in theirs.
fn reverse<T: Copy>(to: &mut [T], from: &[T], channels: usize) {
    if channels == 1 {
        to.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from);
    } else {
        let pixels = to.chunks_exact_mut(channels).zip(from.chunks_exact(channels).rev());
        pixels.for_each(|(to, from)| to.copy_from_slice(from));
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
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn every_pixel_comes_from_where_the_formula_says(
            width in 1usize..9,
            height in 1usize..5,
            channels in 1usize..4,
            flip: bool,
            right in -10i32..10,
            down in -6i32..6,
        ) {
            let picture = Picture { width, height, channels };
            let stored: Vec<u16> = (0..picture.values() as u16).collect();
            let mut out = vec![u16::MAX; stored.len()];
            move_pixels(&mut out, &stored, picture, Change { flip, right, down });
            let held = |at: usize, by: i32, size: usize| {
                (at as i32 - by).clamp(0, size as i32 - 1) as usize
            };
            for (i, pixel) in out.iter().enumerate() {
                let (x, y, c) = (i / channels % width, i / channels / width, i % channels);
                let shifted = held(x, right, width);
                let column = if flip { width - 1 - shifted } else { shifted };
                let from = (held(y, down, height) * width + column) * channels + c;
                prop_assert_eq!(*pixel, stored[from]);
            }
        }
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
