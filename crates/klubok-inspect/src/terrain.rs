//! The plane through three moments of a training, in the space that has an axis for every weight:
//! where its loss is shown, it is the terrain that the training walked.
//!
//! After Li, Xu, Taylor, Studer and Goldstein, *Visualizing the loss landscape of neural nets*
//! (2018), but with moments of the training itself instead of random directions.

use klubok_nn::state::{Numbers, Weights};

/// Moments that lie this close to a line, as a share of its length, span no plane.
const FLAT: f64 = 1e-3;
/// Numbers that are read at a time.
const PART: usize = 4096;

/// A plane through three moments. The first is its origin, the second lies on the first axis;
/// lengths are those of weights.
pub struct Terrain<'a> {
    start: &'a Weights,
    last: &'a Weights,
    third: &'a Weights,
    /// How far the second moment is from the first.
    along: f64,
    /// Where the third moment is.
    corner: [f64; 2],
}

/// Where weights lie, seen from a plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// The nearest point of the plane.
    pub at: [f64; 2],
    /// How far the plane is.
    pub off: f64,
}

impl<'a> Terrain<'a> {
    /// The plane through three moments of one network; none where they lie on a line.
    ///
    /// # Panics
    /// When they are not of one network.
    pub fn through(start: &'a Weights, last: &'a Weights, third: &'a Weights) -> Option<Self> {
        let along = products(start, last, last)[1].sqrt();
        let [across, length] = products(start, third, last);
        let x = across / along;
        let y = (length - x * x).max(0.0).sqrt();
        // Where nothing moved, nothing is a number.
        (y > FLAT * along).then_some(Self { start, last, third, along, corner: [x, y] })
    }

    /// The point of the plane that is nearest to some weights.
    ///
    /// # Panics
    /// When they are not of this network.
    pub fn spot(&self, weights: &Weights) -> Spot {
        let [to_last, length] = products(self.start, weights, self.last);
        let [to_third, _] = products(self.start, weights, self.third);
        let x = to_last / self.along;
        let y = (to_third - x * self.corner[0]) / self.corner[1];
        Spot { at: [x, y], off: (length - x * x - y * y).max(0.0).sqrt() }
    }

    /// The weights at a point of the plane. Running statistics are carried along.
    pub fn weights(&self, [x, y]: [f64; 2]) -> Weights {
        // As a sum of the ways from the start to the other two moments.
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
                    for ((a, b), c) in a.chunks(PART).zip(b.chunks(PART)).zip(c.chunks(PART)) {
                        mixed.extend(a.iter().zip(&*b).zip(&*c).map(at));
                    }
                    Numbers::F32(mixed)
                })
                .collect()
        };
        Weights { params: mix(|of| &of.params), running: mix(|of| &of.running) }
    }
}

/// The scalar product of the ways from `start` to `a` and to `b`, and of that to `a` with itself.
fn products(start: &Weights, a: &Weights, b: &Weights) -> [f64; 2] {
    assert!(
        start.params.len() == a.params.len() && a.params.len() == b.params.len(),
        "one network"
    );
    let (mut both, mut own) = (0.0, 0.0);
    for ((start, a), b) in start.params.iter().zip(&a.params).zip(&b.params) {
        assert!(start.len() == a.len() && a.len() == b.len(), "one network");
        for ((start, a), b) in start.chunks(PART).zip(a.chunks(PART)).zip(b.chunks(PART)) {
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
    fn three_moments_lie_on_their_plane_and_others_beside_it() {
        let [start, last, third] = [[1.0, 1.0, 1.0], [4.0, 1.0, 1.0], [2.0, 3.0, 1.0]].map(weights);
        let terrain = Terrain::through(&start, &last, &third).unwrap();
        for (of, at) in [(&start, [0.0, 0.0]), (&last, [3.0, 0.0]), (&third, [1.0, 2.0])] {
            assert_eq!(terrain.spot(of), Spot { at, off: 0.0 });
            let back = terrain.weights(at);
            let numbers = |of: &Weights| [&of.params[..], &of.running].concat();
            for (back, of) in numbers(&back).iter().zip(numbers(of)) {
                assert_eq!(back.to_f64(), of.to_f64());
            }
        }
        let beside = terrain.spot(&weights([3.0, 2.0, 6.0]));
        assert_eq!(beside, Spot { at: [2.0, 1.0], off: 5.0 });
    }

    #[test]
    fn moments_on_a_line_span_no_plane() {
        let [start, last, between] =
            [[0.0, 0.0, 0.0], [4.0, 2.0, 0.0], [2.0, 1.0, 0.0]].map(weights);
        assert!(Terrain::through(&start, &last, &between).is_none());
        assert!(Terrain::through(&start, &start, &between).is_none(), "nothing moved");
    }
}
