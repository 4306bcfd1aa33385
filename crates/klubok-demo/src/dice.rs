//! Random draws for a picture: numbers, directions, colours and textures.

use klubok_nn::rng::{Purpose, Stream};

use super::canvas::{Rgb, V};

/// The random numbers of one picture.
pub(super) struct Dice(Stream);

impl Dice {
    /// Returns the random numbers of picture `index`.
    pub(super) fn new(seed: u64, index: u64) -> Dice {
        Dice(Stream::new(seed, Purpose::Demo, 0, index))
    }

    /// Draws 32 random bits.
    pub(super) fn bits(&mut self) -> u32 {
        self.0.bits()
    }

    /// Draws uniformly between `low` and `high`.
    pub(super) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.bits() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// Draws uniformly from `0..n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0.below(n as u32) as usize
    }

    /// Draws true with this probability.
    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.range(0.0, 1.0) < probability
    }

    /// Draws -1 or 1.
    pub(super) fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    /// Draws one of `items`.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Draws a point of the square from `low` to `high`.
    pub(super) fn point(&mut self, low: f32, high: f32) -> V {
        V(self.range(low, high), self.range(low, high))
    }

    /// Draws a unit vector of uniform direction.
    pub(super) fn direction(&mut self) -> V {
        loop {
            let v = self.point(-1.0, 1.0);
            let length = v.length();
            if (0.1..1.0).contains(&length) {
                return v * (1.0 / length);
            }
        }
    }

    /// Draws a colour of any hue with a brightness between `low` and `high`.
    pub(super) fn colour(&mut self, low: f32, high: f32) -> Rgb {
        let luma = self.range(low, high);
        let vivid = self.range(0.0, 0.25);
        let hue = Rgb([self.range(-1.0, 1.0), self.range(-1.0, 1.0), self.range(-1.0, 1.0)]);
        let grey = hue.luma();
        Rgb(hue.0.map(|c| (luma + vivid * (c - grey)).clamp(0.0, 1.0)))
    }
}

/// Returns the unit vector at the angle `2 atan(angle / 2)`, which is `angle` to within 1 % up to a
/// third. This rotation avoids sine and cosine, whose last bits differ between machines.
pub(super) fn turn(angle: f32) -> V {
    let t = angle / 2.0;
    let k = 1.0 / (1.0 + t * t);
    V((1.0 - t * t) * k, 2.0 * t * k)
}

const LATTICE: usize = 16;

/// Smooth noise between 0 and 1 on the plane, with bumps about 1 wide and period 16.
pub(super) struct Grain([f32; LATTICE * LATTICE]);

impl Grain {
    pub(super) fn new(dice: &mut Dice) -> Grain {
        let mut values = [0.0; LATTICE * LATTICE];
        for values in values.chunks_exact_mut(4) {
            for (value, byte) in values.iter_mut().zip(dice.bits().to_le_bytes()) {
                *value = f32::from(byte) / 255.0;
            }
        }
        Grain(values)
    }

    pub(super) fn at(&self, p: V) -> f32 {
        let (x, y) = (floor(p.0), floor(p.1));
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (u, v) = (ease(p.0 - x as f32), ease(p.1 - y as f32));
        let wrap = |i: i32| i as usize % LATTICE;
        let value = |dx: i32, dy: i32| self.0[wrap(y + dy) * LATTICE + wrap(x + dx)];
        let top = value(0, 0) + (value(1, 0) - value(0, 0)) * u;
        let bottom = value(0, 1) + (value(1, 1) - value(0, 1)) * u;
        top + (bottom - top) * v
    }
}

/// Returns the largest integer not above `x`. `f32::floor` is a function call on old processors.
fn floor(x: f32) -> i32 {
    let whole = x as i32;
    whole - i32::from(whole as f32 > x)
}

/// Returns a triangle wave of period 1 between 0 and 1; 0 at integers.
pub(super) fn wave(x: f32) -> f32 {
    let t = x - floor(x) as f32;
    1.0 - (2.0 * t - 1.0).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turn_is_a_rotation_by_about_the_angle() {
        for angle in [-0.33f32, -0.1, 0.0, 0.2, 0.33] {
            let v = turn(angle);
            assert!((v.length() - 1.0).abs() < 1e-6);
            assert!((v.1.atan2(v.0) - angle).abs() <= 0.01 * angle.abs());
        }
    }

    #[test]
    fn grain_is_smooth_bounded_and_repeats() {
        let grain = Grain::new(&mut Dice::new(1, 0));
        let values: Vec<f32> = (-800..800).map(|i| grain.at(V(0.01 * i as f32, -3.3))).collect();
        assert!(values.iter().all(|v| (0.0..=1.0).contains(v)));
        assert!(values.windows(2).all(|w| (w[0] - w[1]).abs() < 0.02));
        assert!(values.iter().any(|v| *v < 0.3) && values.iter().any(|v| *v > 0.7));
        assert!((grain.at(V(1.3, 2.6)) - grain.at(V(1.3 - 32.0, 2.6 + 16.0))).abs() < 1e-4);
    }

    #[test]
    fn computes_waves_by_hand() {
        assert_eq!([0.0, 0.25, 0.5, 0.75, 1.0, -0.25].map(wave), [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]);
    }

    #[test]
    fn directions_have_length_1_and_no_bias() {
        let dice = &mut Dice::new(1, 0);
        let sum = (0..4000).map(|_| dice.direction()).fold(V(0.0, 0.0), |sum, v| {
            assert!((v.length() - 1.0).abs() < 1e-5);
            sum + v
        });
        assert!(sum.length() < 200.0, "{sum:?}");
    }
}
