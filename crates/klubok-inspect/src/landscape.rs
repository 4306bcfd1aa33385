//! The plane through three snapshots of a training in weight space, for showing the loss landscape
//! around its path.
//!
//! After Li, Xu, Taylor, Studer and Goldstein, *Visualizing the loss landscape of neural nets*
//! (2018), but with snapshots of the training instead of random directions.

use klubok_nn::state::{Numbers, Weights};

/// Snapshots this close to a line, relative to its length, span no plane.
const FLATNESS: f64 = 1e-3;
/// Weights per block.
const BLOCK: usize = 4096;

/// A plane through three snapshots. The first is its origin, the second lies on the first axis.
/// Lengths are those of weights.
pub struct WeightPlane<'a> {
    start: &'a Weights,
    last: &'a Weights,
    third: &'a Weights,
    /// Distance of the second snapshot from the first.
    along: f64,
    /// Coordinates of the third snapshot.
    corner: [f64; 2],
}

/// The projection of weights onto a plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projection {
    /// Coordinates of the nearest point.
    pub at: [f64; 2],
    /// Distance from the plane.
    pub distance: f64,
}

impl<'a> WeightPlane<'a> {
    /// Returns the plane through three snapshots of one network. None if they lie on a line.
    ///
    /// # Panics
    /// When they have different shapes.
    pub fn through(start: &'a Weights, last: &'a Weights, third: &'a Weights) -> Option<Self> {
        let along = products(start, last, last)[1].sqrt();
        let [across, length] = products(start, third, last);
        let x = across / along;
        let y = (length - x * x).max(0.0).sqrt();
        // Without any change, `x` and `y` are NaN.
        (y > FLATNESS * along).then_some(Self { start, last, third, along, corner: [x, y] })
    }

    /// Projects weights onto the plane.
    ///
    /// # Panics
    /// When they have different shapes.
    pub fn project(&self, weights: &Weights) -> Projection {
        let [to_last, length] = products(self.start, weights, self.last);
        let [to_third, _] = products(self.start, weights, self.third);
        let x = to_last / self.along;
        let y = (to_third - x * self.corner[0]) / self.corner[1];
        Projection { at: [x, y], distance: (length - x * x - y * y).max(0.0).sqrt() }
    }

    /// Returns the weights at a point of the plane, and interpolates running statistics alike.
    pub fn weights_at(&self, [x, y]: [f64; 2]) -> Weights {
        // A sum of the differences between the other snapshots and the first.
        let third = y / self.corner[1];
        let last = (x - third * self.corner[0]) / self.along;
        let mix = |of: fn(&Weights) -> &Vec<Numbers>| {
            let blocks = of(self.start).iter().zip(of(self.last)).zip(of(self.third));
            blocks
                .map(|((a, b), c)| {
                    let at = |((a, b), c): ((&f64, &f64), &f64)| {
                        (a + last * (b - a) + third * (c - a)) as f32
                    };
                    let mut mixed = Vec::with_capacity(a.len());
                    for ((a, b), c) in a.chunks(BLOCK).zip(b.chunks(BLOCK)).zip(c.chunks(BLOCK)) {
                        mixed.extend(a.iter().zip(&*b).zip(&*c).map(at));
                    }
                    Numbers::F32(mixed)
                })
                .collect()
        };
        Weights { params: mix(|of| &of.params), running: mix(|of| &of.running) }
    }
}

/// Returns the dot products `(a - start)·(b - start)` and `|a - start|²`.
fn products(start: &Weights, a: &Weights, b: &Weights) -> [f64; 2] {
    assert!(
        start.params.len() == a.params.len() && a.params.len() == b.params.len(),
        "one network"
    );
    let (mut both, mut own) = (0.0, 0.0);
    for ((start, a), b) in start.params.iter().zip(&a.params).zip(&b.params) {
        assert!(start.len() == a.len() && a.len() == b.len(), "one network");
        for ((start, a), b) in start.chunks(BLOCK).zip(a.chunks(BLOCK)).zip(b.chunks(BLOCK)) {
            for ((start, a), b) in start.iter().zip(&*a).zip(&*b) {
                both += (a - start) * (b - start);
                own += (a - start) * (a - start);
            }
        }
    }
    [both, own]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(params: [f64; 3]) -> Weights {
        let [a, b, c] = params;
        Weights {
            params: vec![Numbers::F64(vec![a, b]), Numbers::F64(vec![c])],
            running: vec![Numbers::F64(vec![10.0 * a])],
        }
    }

    #[test]
    fn projects_snapshots_and_other_weights() {
        let [start, last, third] = [[1.0, 1.0, 1.0], [4.0, 1.0, 1.0], [2.0, 3.0, 1.0]].map(weights);
        let plane = WeightPlane::through(&start, &last, &third).unwrap();
        for (of, at) in [(&start, [0.0, 0.0]), (&last, [3.0, 0.0]), (&third, [1.0, 2.0])] {
            assert_eq!(plane.project(of), Projection { at, distance: 0.0 });
            let back = plane.weights_at(at);
            let numbers = |of: &Weights| [&of.params[..], &of.running].concat();
            for (back, of) in numbers(&back).iter().zip(numbers(of)) {
                assert_eq!(back.to_f64(), of.to_f64());
            }
        }
        let beside = plane.project(&weights([3.0, 2.0, 6.0]));
        assert_eq!(beside, Projection { at: [2.0, 1.0], distance: 5.0 });
    }

    #[test]
    fn snapshots_on_a_line_span_no_plane() {
        let [start, last, between] =
            [[0.0, 0.0, 0.0], [4.0, 2.0, 0.0], [2.0, 1.0, 0.0]].map(weights);
        assert!(WeightPlane::through(&start, &last, &between).is_none());
        assert!(WeightPlane::through(&start, &start, &between).is_none(), "nothing moved");
    }
}
