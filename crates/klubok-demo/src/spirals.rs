//! Two interleaved spirals with noise: `demo:spirals`, the hardest set of TensorFlow Playground.
//!
//! With `u` uniform in [0, 1) and class `c`: `r = 5 u`, `t = 1.75 · 2π u + c π`, and the point is
//! `(r sin t, r cos t)` plus [`NOISE`] times uniform numbers in [-1, 1). Source:
//! `classifySpiralData` in <https://github.com/tensorflow/playground/blob/master/src/dataset.ts>,
//! with evenly spaced `u`. Here `u` is random, so a point does not depend on the number of points.

use std::f64::consts::TAU;

use klubok_nn::rng::{Purpose, Stream};

/// Names of the classes.
pub const CLASSES: [&str; 2] = ["first", "second"];
/// Names of the columns.
pub const COLUMNS: [&str; 2] = ["x", "y"];
/// Radius of the spirals.
pub const RADIUS: f64 = 5.0;
/// Maximum shift of a point along each axis; neighbouring arms are about 1.4 apart.
pub const NOISE: f64 = 0.3;

const TURNS: f64 = 1.75;

/// Returns the first `count` points of `seed`, `[count, 2]`, and their classes 0 and 1.
///
/// Every pair of consecutive points, counted from 0, has one point of each class.
pub fn points(count: usize, seed: u64) -> (Vec<f32>, Vec<u32>) {
    let classes: Vec<u32> = (0..count as u32).map(|i| i % 2).collect();
    let x = classes.iter().enumerate().flat_map(|(i, &class)| {
        // Layer 2; the drawn pictures use 0 and 1.
        let mut stream = Stream::new(seed, Purpose::Demo, 2, i as u64);
        let u = stream.uniform();
        let (sin, cos) = sin_cos(TAU * (TURNS * u + 0.5 * f64::from(class)));
        let mut noise = || NOISE * (2.0 * stream.uniform() - 1.0);
        let (dx, dy) = (noise(), noise());
        [(RADIUS * u * sin + dx) as f32, (RADIUS * u * cos + dy) as f32]
    });
    (x.collect(), classes)
}

/// Computes sine and cosine by their series at `angle / 64` and six doublings. `f64::sin` may
/// differ in its last bit between systems; products and sums do not. Accurate to 1e-13 for angles
/// up to 15.
pub(crate) fn sin_cos(angle: f64) -> (f64, f64) {
    let x = angle / 64.0;
    let square = -x * x;
    let series = |first: u32| {
        let (mut term, mut sum) = (1.0, 1.0);
        for i in 0..8 {
            let k = f64::from(first + 2 * i);
            term *= square / (k * (k + 1.0));
            sum += term;
        }
        sum
    };
    let (mut sin, mut cos) = (x * series(2), series(1));
    for _ in 0..6 {
        (sin, cos) = (2.0 * sin * cos, cos * cos - sin * sin);
    }
    (sin, cos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_and_cosine_agree_with_the_system() {
        for i in 0..=1500 {
            let angle = f64::from(i) * 0.01;
            let (sin, cos) = sin_cos(angle);
            assert!((sin - angle.sin()).abs() < 1e-13 && (cos - angle.cos()).abs() < 1e-13);
        }
    }

    #[test]
    fn every_point_is_near_its_own_spiral_only() {
        let (x, classes) = points(1000, 1);
        let distance = |p: &[f32], class: u32| {
            let on = |i: i32| {
                let u = f64::from(i) / 2000.0;
                let t = TAU * (TURNS * u + 0.5 * f64::from(class));
                let (dx, dy) =
                    (f64::from(p[0]) - 5.0 * u * t.sin(), f64::from(p[1]) - 5.0 * u * t.cos());
                (dx * dx + dy * dy).sqrt()
            };
            (0..=2000).map(on).fold(f64::INFINITY, f64::min)
        };
        let mut nearer = 0;
        for (p, &class) in x.chunks_exact(2).zip(&classes) {
            let own = distance(p, class);
            assert!(own <= NOISE * 2f64.sqrt() + 0.01, "{own}");
            nearer += u32::from(own < distance(p, 1 - class));
        }
        // Noise can move a point across only near the centre, where both spirals start.
        assert!(nearer > 960, "{nearer}");
    }

    #[test]
    fn points_have_noise() {
        let (x, _) = points(1000, 1);
        let beyond = x.chunks_exact(2).filter(|p| p[0].hypot(p[1]) > 5.0).count();
        assert!(beyond > 5, "{beyond}");
    }

    #[test]
    fn a_point_does_not_depend_on_the_count() {
        let (x, classes) = points(100, 7);
        let (few, few_classes) = points(31, 7);
        assert_eq!((&x[..62], &classes[..31]), (&few[..], &few_classes[..]));
        assert_ne!(points(100, 8).0, x);
        assert_eq!(classes.iter().sum::<u32>(), 50);
    }
}
