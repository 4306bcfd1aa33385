//! Drawings of up to four marks: `demo:marks`, several labels.
//!
//! A grey picture of 32x32 shows any of a ring, a cross, a bar and a spot, each with a chance of
//! 1/2 and independent of the others. Their places overlap, and background, strength, size and
//! noise vary. As in the other drawings, only operations that IEEE 754 fixes to the last bit are
//! used, so the bytes do not depend on the machine.

use klubok_nn::rng::{Purpose, Stream};

/// Pixels on each side.
pub const SIDE: usize = 32;
/// Names of the labels.
pub const LABELS: [&str; 4] = ["ring", "cross", "bar", "spot"];

/// Largest shift of a mark from its usual place, in pixels along each axis.
const SHIFT: f64 = 3.5;
/// Usual places of the marks, in the order of [`LABELS`].
const PLACES: [[f64; 2]; 4] = [[10.5, 10.5], [20.5, 10.5], [10.5, 20.5], [20.5, 20.5]];

/// Draws picture `index` of a seed: `[SIDE, SIDE]` pixels, and 1 or 0 for each label.
pub fn draw(seed: u64, index: u64) -> (Vec<u8>, [f32; 4]) {
    // Layer 4; the other sets use 0 to 3.
    let mut stream = Stream::new(seed, Purpose::Demo, 4, index);
    let mut range = |low: f64, high: f64| low + (high - low) * stream.uniform();
    let base = range(60.0, 195.0);
    let slope = [range(-1.5, 1.5), range(-1.5, 1.5)];
    let sign = if base > 127.5 { -1.0 } else { 1.0 };
    let present = [0; 4].map(|_| f32::from(range(0.0, 1.0) < 0.5));
    let marks = PLACES.map(|[x, y]| Mark {
        x: x + range(-SHIFT, SHIFT),
        y: y + range(-SHIFT, SHIFT),
        size: range(4.0, 5.5),
        strength: sign * range(40.0, 90.0),
    });
    let pixel = |i: usize, noise: f64| {
        let (x, y) = ((i % SIDE) as f64, (i / SIDE) as f64);
        let mut value = base + slope[0] * (x - 15.5) + slope[1] * (y - 15.5) + noise;
        for (label, mark) in marks.iter().enumerate() {
            value += f64::from(present[label]) * mark.strength * mark.cover(label, x, y);
        }
        value.clamp(0.0, 255.0) as u8
    };
    let pixels = (0..SIDE * SIDE).map(|i| pixel(i, range(-30.0, 30.0))).collect();
    (pixels, present)
}

/// Place, size in pixels and strength in grey values of a mark.
struct Mark {
    x: f64,
    y: f64,
    size: f64,
    strength: f64,
}

impl Mark {
    /// Returns how much of a pixel the mark of a label covers, 0 to 1.
    fn cover(&self, label: usize, x: f64, y: f64) -> f64 {
        let (dx, dy) = (x - self.x, y - self.y);
        let far = (dx * dx + dy * dy).sqrt();
        // Distance from the middle of a stroke, and half its width.
        let (distance, half) = match label {
            0 => ((far - self.size).abs(), 1.0),
            1 if far > self.size + 1.0 => return 0.0,
            1 => ((dx - dy).abs().min((dx + dy).abs()) * std::f64::consts::FRAC_1_SQRT_2, 1.0),
            2 if dx.abs() > self.size + 1.0 => return 0.0,
            2 => (dy.abs(), 1.3),
            _ => (far, 0.6 * self.size),
        };
        (half + 0.5 - distance).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_the_same_on_every_machine() {
        let pixels: Vec<u8> = (0..64).flat_map(|i| draw(1, i).0).collect();
        let hash = twox_hash::XxHash3_128::oneshot(&pixels);
        assert_eq!(hash, 0x705b_93f3_8dd1_f97a_bf38_9df4_746b_b81f, "{hash:#034x}");
    }

    #[test]
    fn labels_are_even_and_independent() {
        let labels: Vec<[f32; 4]> = (0..4000).map(|i| draw(1, i).1).collect();
        let share = |of: &dyn Fn(&[f32; 4]) -> bool| {
            labels.iter().filter(|labels| of(labels)).count() as f64 / 4000.0
        };
        for a in 0..4 {
            assert!((share(&|labels| labels[a] > 0.5) - 0.5).abs() < 0.03);
            for b in 0..a {
                assert!((share(&|labels| labels[a] + labels[b] > 1.5) - 0.25).abs() < 0.03);
            }
        }
    }

    #[test]
    fn a_mark_changes_the_picture_where_it_lies() {
        let mark = Mark { x: 10.0, y: 10.0, size: 4.0, strength: 1.0 };
        assert_eq!([0, 1, 2, 3].map(|label| mark.cover(label, 10.0, 10.0)), [0.0, 1.0, 1.0, 1.0]);
        assert_eq!([0, 1, 2, 3].map(|label| mark.cover(label, 14.0, 10.0)), [1.0, 0.0, 1.0, 0.0]);
        assert_eq!([0, 1, 2, 3].map(|label| mark.cover(label, 25.0, 25.0)), [0.0; 4]);
    }
}
