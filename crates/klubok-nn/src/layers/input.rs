//! Input layer: `x = stored · factor + offset`, the stored rows of a batch as network input.
//!
//! In training it may first augment pictures: mirror and shift them. The random numbers of a sample
//! come from the counter (step, position in the global batch). Where a shift leaves a gap, the edge
//! pixels repeat.
//!
//! Shapes: `stored` and `x` `[batch, features]`. Factor and offset repeat along the features: one
//! pair per channel of a picture, one per column of a table. There is no backward pass.

use klubok_kernels::philox::{Key, philox};

use crate::plan::{Augment, InputSpec, Op, Picture, Plan, Value};

/// The augmentation of one picture in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Transform {
    /// Mirror left and right before the shift.
    pub flip: bool,
    /// Shift to the right, in pixels.
    pub right: i32,
    /// Shift down, in pixels.
    pub down: i32,
}

/// Draws the transform of the sample at `position` in the global batch of `step`.
pub fn draw_transform(augment: Augment, key: Key, step: u64, position: u32) -> Transform {
    let words = philox(key, [step as u32, (step >> 32) as u32, position, 0]);
    let max_shift = augment.shift as i32;
    let shift = |word: u32| (word % (2 * augment.shift + 1)) as i32 - max_shift;
    Transform {
        flip: augment.flip && words[0] & 1 == 1,
        right: shift(words[1]),
        down: shift(words[2]),
    }
}

/// Mirrors and shifts one picture: `out(x, y) = stored(x - right, y - down)`, coordinates clamped
/// to the picture.
pub fn move_pixels<T: Copy>(out: &mut [T], stored: &[T], picture: Picture, transform: Transform) {
    let Picture { width, height, channels } = picture;
    let row_len = width * channels;
    // Values of a row that stay in the picture, and of the gap on its left or right.
    let gap = (transform.right.unsigned_abs() as usize).min(width);
    let (kept, gap) = ((width - gap) * channels, gap * channels);
    for (y, out) in out.chunks_exact_mut(row_len).take(height).enumerate() {
        let from = (y as i32 - transform.down).clamp(0, height as i32 - 1) as usize;
        let stored = &stored[from * row_len..][..row_len];
        let rightwards = transform.right > 0;
        let (hole, to) = if rightwards {
            out.split_at_mut(gap)
        } else {
            let (to, hole) = out.split_at_mut(kept);
            (hole, to)
        };
        // The shift pushes pixels out at one side; the pixels at the other side stay.
        let from_end = rightwards == transform.flip;
        let stay = if from_end { &stored[row_len - kept..] } else { &stored[..kept] };
        if transform.flip {
            reverse(to, stay, channels);
        } else {
            to.copy_from_slice(stay);
        }
        let edge = if from_end { &stored[row_len - channels..] } else { &stored[..channels] };
        hole.chunks_exact_mut(channels).for_each(|pixel| pixel.copy_from_slice(edge));
    }
}

/// Reverses the order of pixels; the channels of a pixel keep their order.
fn reverse<T: Copy>(to: &mut [T], from: &[T], channels: usize) {
    if channels == 1 {
        to.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from);
    } else {
        let pixels = to.chunks_exact_mut(channels).zip(from.chunks_exact(channels).rev());
        pixels.for_each(|(to, from)| to.copy_from_slice(from));
    }
}

/// Writes `x = stored · factor + offset` for one row.
pub fn forward(x: &mut [f64], stored: &[f64], spec: &InputSpec) {
    let period = spec.factor.len();
    for (f, (x, stored)) in x.iter_mut().zip(stored).enumerate() {
        *x = stored * f64::from(spec.factor[f % period]) + f64::from(spec.offset[f % period]);
    }
}

/// Starts a plan with its input.
pub fn lower(plan: &mut Plan, inputs: usize, prepare: InputSpec) -> Value {
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

    fn transformed(transform: Transform) -> [u8; 4] {
        let mut out = [0; 4];
        move_pixels(&mut out, &[1, 2, 3, 4], ROW, transform);
        out
    }

    #[test]
    fn pixels_shift_and_the_edge_repeats() {
        assert_eq!(transformed(Transform::default()), [1, 2, 3, 4]);
        assert_eq!(transformed(Transform { right: 1, ..Transform::default() }), [1, 1, 2, 3]);
        assert_eq!(transformed(Transform { right: -2, ..Transform::default() }), [3, 4, 4, 4]);
        assert_eq!(transformed(Transform { flip: true, right: 1, down: 9 }), [4, 4, 3, 2]);
    }

    proptest! {
        #[test]
        fn every_pixel_follows_the_formula(
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
            move_pixels(&mut out, &stored, picture, Transform { flip, right, down });
            let clamped = |position: usize, by: i32, size: usize| {
                (position as i32 - by).clamp(0, size as i32 - 1) as usize
            };
            for (i, pixel) in out.iter().enumerate() {
                let (x, y, c) = (i / channels % width, i / channels / width, i % channels);
                let shifted = clamped(x, right, width);
                let column = if flip { width - 1 - shifted } else { shifted };
                let from = (clamped(y, down, height) * width + column) * channels + c;
                prop_assert_eq!(*pixel, stored[from]);
            }
        }
    }

    #[test]
    fn a_flip_keeps_the_channels_of_a_pixel_together() {
        let picture = Picture { width: 2, height: 1, channels: 3 };
        let mut out = [0; 6];
        let flip = Transform { flip: true, ..Transform::default() };
        move_pixels(&mut out, &[1, 2, 3, 4, 5, 6], picture, flip);
        assert_eq!(out, [4, 5, 6, 1, 2, 3]);
    }

    #[test]
    fn transforms_cover_their_range_evenly() {
        let augment = Augment { flip: true, shift: 2 };
        let key = key(5, Purpose::Augment, 0);
        let drawn: Vec<Transform> =
            (0..5000).map(|position| draw_transform(augment, key, 9, position)).collect();
        let flips = drawn.iter().filter(|c| c.flip).count();
        assert!((2300..2700).contains(&flips), "{flips}");
        for shift in -2..=2 {
            let right = drawn.iter().filter(|c| c.right == shift).count();
            let down = drawn.iter().filter(|c| c.down == shift).count();
            assert!((850..1150).contains(&right) && (850..1150).contains(&down), "{right} {down}");
        }
    }
}
