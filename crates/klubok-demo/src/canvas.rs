//! A small canvas that paints signed distance functions with soft edges.
//!
//! A shape gives a point's distance from its border, negative inside. It covers a pixel by
//! `1/2 - distance / edge`, clipped to [0, 1], which antialiases an edge of one pixel. Formulas
//! after Quilez, "2D distance functions", <https://iquilezles.org/articles/distfunctions2d/>. Only
//! `+ - * /`, roots and comparisons are used: IEEE 754 gives the same bits on every machine.

use std::ops::{Add, Mul, Sub};

/// Pixels on each side.
pub(super) const SIDE: usize = 64;

/// A point or direction: x to the right, y down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct V(pub f32, pub f32);

impl Add for V {
    type Output = V;
    fn add(self, o: V) -> V {
        V(self.0 + o.0, self.1 + o.1)
    }
}

impl Sub for V {
    type Output = V;
    fn sub(self, o: V) -> V {
        V(self.0 - o.0, self.1 - o.1)
    }
}

impl Mul<f32> for V {
    type Output = V;
    fn mul(self, k: f32) -> V {
        V(self.0 * k, self.1 * k)
    }
}

impl V {
    pub(super) fn dot(self, o: V) -> f32 {
        self.0 * o.0 + self.1 * o.1
    }

    pub(super) fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// Rotates by the angle of the unit vector `by`, as complex multiplication.
    pub(super) fn rotated(self, by: V) -> V {
        V(self.0 * by.0 - self.1 * by.1, self.0 * by.1 + self.1 * by.0)
    }

    /// Rotates back by the angle of `by`.
    pub(super) fn rotated_back(self, by: V) -> V {
        self.rotated(V(by.0, -by.1))
    }
}

/// Red, green and blue, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rgb(pub [f32; 3]);

impl Rgb {
    pub(super) fn scaled(self, k: f32) -> Rgb {
        Rgb(self.0.map(|c| c * k))
    }

    /// Interpolates: `self` for `share` 0, `other` for 1.
    pub(super) fn mixed(self, other: Rgb, share: f32) -> Rgb {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Rgb([a + (x - a) * share, b + (y - b) * share, c + (z - c) * share])
    }

    /// Returns the brightness by Rec. 601.
    pub(super) fn luma(self) -> f32 {
        0.299 * self.0[0] + 0.587 * self.0[1] + 0.114 * self.0[2]
    }
}

/// Returns 0 below `from`, 1 above `to`, smooth between (`3t² - 2t³`).
pub(super) fn smoothstep(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A shape in pixels.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// An ellipse with its first axis along `turn`.
    Ellipse { centre: V, radii: V, turn: V },
    /// A stroke with radius `radii.0` at `from` and `radii.1` at `to`.
    Limb { from: V, to: V, radii: V },
    /// A polygon grown by `round`, with rounded corners.
    Polygon { corners: Vec<V>, round: f32 },
    /// Two arcs from `left` to `right` that bulge by `upper` and `lower`: an eye or a leaf.
    Almond { left: V, right: V, upper: f32, lower: f32 },
    /// The smooth union of all parts, blended within the distance `melt`.
    Union { parts: Vec<Shape>, melt: f32 },
}

impl Shape {
    /// Creates a circle.
    pub(super) fn disc(centre: V, radius: f32) -> Shape {
        Shape::Ellipse { centre, radii: V(radius, radius), turn: V(1.0, 0.0) }
    }

    /// Creates a stroke through all points, from radius `radii.0` to `radii.1`.
    pub(super) fn stroke(points: &[V], radii: V) -> Shape {
        let thickness =
            |i: usize| radii.0 + (radii.1 - radii.0) * i as f32 / (points.len() - 1).max(1) as f32;
        let limb = |(i, ends): (usize, &[V])| Shape::Limb {
            from: ends[0],
            to: ends[1],
            radii: V(thickness(i), thickness(i + 1)),
        };
        Shape::Union { parts: points.windows(2).enumerate().map(limb).collect(), melt: 0.5 }
    }

    /// Returns the signed distance of `p` in pixels; for ellipses to first order.
    #[inline(never)]
    pub(super) fn distance(&self, p: V) -> f32 {
        match self {
            Shape::Ellipse { centre, radii, turn } => {
                let q = (p - *centre).rotated_back(*turn);
                let unit = V(q.0 / radii.0, q.1 / radii.1);
                let slope = V(unit.0 / radii.0, unit.1 / radii.1).length();
                let k = unit.length();
                if slope > 0.0 { k * (k - 1.0) / slope } else { -radii.0.min(radii.1) }
            }
            Shape::Limb { from, to, radii } => {
                let (along, q) = (*to - *from, p - *from);
                let h = (q.dot(along) / along.dot(along).max(1e-6)).clamp(0.0, 1.0);
                (q - along * h).length() - (radii.0 + (radii.1 - radii.0) * h)
            }
            Shape::Polygon { corners, round } => polygon(corners, p) - round,
            Shape::Almond { left, right, upper, lower } => {
                let axis = *right - *left;
                let half = axis.length().max(1e-3) / 2.0;
                let q = (p - (*left + *right) * 0.5).rotated_back(axis * (0.5 / half));
                let arc = |bulge: f32, y: f32| {
                    let radius = (half * half + bulge * bulge) / (2.0 * bulge);
                    V(q.0, y + radius - bulge).length() - radius
                };
                arc(*upper, -q.1).max(arc(*lower, q.1))
            }
            Shape::Union { parts, melt } => {
                parts.iter().map(|part| part.distance(p)).fold(f32::INFINITY, |a, b| {
                    if a - b > *melt || b - a > *melt {
                        return a.min(b);
                    }
                    let h = 0.5 + 0.5 * (b - a) / melt;
                    b + (a - b) * h - melt * h * (1.0 - h)
                })
            }
        }
    }

    /// Returns the bounding box of the shape.
    fn bounds(&self) -> (V, V) {
        match self {
            Shape::Ellipse { centre, radii, .. } => {
                let r = radii.0.max(radii.1);
                (*centre - V(r, r), *centre + V(r, r))
            }
            Shape::Limb { from, to, radii } => around(&[*from, *to], radii.0.max(radii.1)),
            Shape::Polygon { corners, round } => around(corners, *round),
            Shape::Almond { left, right, upper, lower } => {
                around(&[*left, *right], upper.max(*lower))
            }
            Shape::Union { parts, melt } => {
                let corners: Vec<V> =
                    parts.iter().map(Shape::bounds).flat_map(|(a, b)| [a, b]).collect();
                around(&corners, *melt)
            }
        }
    }
}

fn around(points: &[V], margin: f32) -> (V, V) {
    let (low, high) = points.iter().fold((points[0], points[0]), |(low, high), p| {
        (V(low.0.min(p.0), low.1.min(p.1)), V(high.0.max(p.0), high.1.max(p.1)))
    });
    (low - V(margin, margin), high + V(margin, margin))
}

fn polygon(corners: &[V], p: V) -> f32 {
    let mut nearest = f32::INFINITY;
    let mut inside = false;
    let mut previous = corners[corners.len() - 1];
    for &corner in corners {
        let (edge, q) = (previous - corner, p - corner);
        let h = (q.dot(edge) / edge.dot(edge).max(1e-6)).clamp(0.0, 1.0);
        let away = q - edge * h;
        nearest = nearest.min(away.dot(away));
        if (p.1 >= corner.1) != (p.1 >= previous.1) {
            let crossing = corner.0 + edge.0 * (p.1 - corner.1) / edge.1;
            inside ^= p.0 < crossing;
        }
        previous = corner;
    }
    if inside { -nearest.sqrt() } else { nearest.sqrt() }
}

/// The picture being painted, `[SIDE, SIDE]` row by row.
#[derive(Debug, Clone)]
pub(super) struct Canvas(pub Vec<Rgb>);

impl Canvas {
    /// Creates a canvas filled by `ink`, which receives each pixel's centre.
    pub(super) fn filled(ink: impl Fn(V) -> Rgb) -> Canvas {
        Canvas((0..SIDE * SIDE).map(|i| ink(middle(i % SIDE, i / SIDE))).collect())
    }

    /// Paints `shape` with a sharp edge. `ink` receives each point and its signed distance.
    pub(super) fn paint(&mut self, shape: &Shape, ink: impl Fn(V, f32) -> Rgb) {
        self.lay(shape, 1.0, 1.0, &ink);
    }

    /// Paints `shape` with an edge of `edge` pixels and opacity `alpha`.
    pub(super) fn glaze(
        &mut self,
        shape: &Shape,
        edge: f32,
        alpha: f32,
        ink: impl Fn(V, f32) -> Rgb,
    ) {
        self.lay(shape, edge, alpha, &ink);
    }

    /// Not generic over the ink: the loop with all distance functions compiles slowly.
    fn lay(&mut self, shape: &Shape, edge: f32, alpha: f32, ink: &dyn Fn(V, f32) -> Rgb) {
        let (low, high) = shape.bounds();
        let clip = |v: f32| v.clamp(0.0, SIDE as f32) as usize;
        for y in clip(low.1 - edge)..clip(high.1 + edge + 1.0) {
            for x in clip(low.0 - edge)..clip(high.0 + edge + 1.0) {
                let p = middle(x, y);
                let distance = shape.distance(p);
                let cover = (0.5 - distance / edge).clamp(0.0, 1.0) * alpha;
                if cover > 0.0 {
                    let pixel = &mut self.0[y * SIDE + x];
                    *pixel = pixel.mixed(ink(p, distance), cover);
                }
            }
        }
    }

    /// Blurs once with the weights 1 2 1 across and down, and repeats border pixels.
    pub(super) fn blur(&mut self) {
        for (stride, lines) in [(1, SIDE), (SIDE, 1)] {
            for line in 0..SIDE {
                let at = |i: usize| line * lines + i * stride;
                let mut before = self.0[at(0)];
                for i in 0..SIDE {
                    let here = self.0[at(i)];
                    let after = self.0[at((i + 1).min(SIDE - 1))];
                    self.0[at(i)] = here.mixed(before.mixed(after, 0.5), 0.5);
                    before = here;
                }
            }
        }
    }
}

fn middle(x: usize, y: usize) -> V {
    V(x as f32 + 0.5, y as f32 + 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shape: &Shape, p: V, expected: f32) {
        let distance = shape.distance(p);
        assert!((distance - expected).abs() < 1e-3, "{distance} instead of {expected}");
    }

    #[test]
    fn computes_distances_by_hand() {
        check(&Shape::disc(V(1.0, 2.0), 3.0), V(1.0, 7.0), 2.0);
        check(&Shape::disc(V(1.0, 2.0), 3.0), V(1.0, 2.0), -3.0);
        let limb = Shape::Limb { from: V(0.0, 0.0), to: V(4.0, 0.0), radii: V(1.0, 3.0) };
        check(&limb, V(2.0, 5.0), 3.0);
        let square = [V(0.0, 0.0), V(4.0, 0.0), V(4.0, 4.0), V(0.0, 4.0)];
        let square = Shape::Polygon { corners: square.to_vec(), round: 0.5 };
        check(&square, V(2.0, 1.0), -1.5);
        check(&square, V(7.0, 8.0), 4.5);
        let almond =
            Shape::Almond { left: V(-2.0, 0.0), right: V(2.0, 0.0), upper: 1.0, lower: 0.5 };
        check(&almond, V(0.0, -3.0), 2.0);
        check(&almond, V(0.0, 1.5), 1.0);
        check(&almond, V(2.0, 0.0), 0.0);
    }

    #[test]
    fn a_quarter_turn_swaps_the_radii_of_an_ellipse() {
        let turned = Shape::Ellipse { centre: V(0.0, 0.0), radii: V(5.0, 2.0), turn: V(0.0, 1.0) };
        check(&turned, V(0.0, 5.0), 0.0);
        check(&turned, V(2.0, 0.0), 0.0);
    }

    #[test]
    fn the_painted_sum_equals_the_area() {
        let mut canvas = Canvas::filled(|_| Rgb([0.0; 3]));
        canvas.paint(&Shape::disc(V(30.3, 33.8), 10.0), |_, _| Rgb([1.0; 3]));
        let covered: f32 = canvas.0.iter().map(|c| c.0[0]).sum();
        assert!((covered - 314.16).abs() < 1.0, "{covered}");
    }

    #[test]
    fn blur_keeps_the_sum_and_spreads() {
        let mut canvas =
            Canvas::filled(|p| Rgb([if p == V(20.5, 30.5) { 16.0 } else { 0.0 }, 0.0, 0.0]));
        canvas.blur();
        let red = |x: usize, y: usize| canvas.0[y * SIDE + x].0[0];
        assert_eq!([red(20, 30), red(19, 30), red(21, 30), red(20, 31)], [4.0, 2.0, 2.0, 2.0]);
        assert_eq!([red(19, 29), red(21, 31), red(22, 30)], [1.0, 1.0, 0.0]);
    }
}
