//! A grid over a rectangle of the plane, for decision maps of networks with two inputs.

/// Margin around the points, as a share of their range.
const MARGIN: f64 = 0.12;

/// A rectangle of the plane with a square grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plane {
    /// The smallest value of each input.
    pub low: [f64; 2],
    /// The largest value of each input.
    pub high: [f64; 2],
    /// Number of columns, and of rows.
    pub side: usize,
}

impl Plane {
    /// Returns the bounding rectangle of points `[points, 2]` with a margin.
    pub fn around(points: &[f64], side: usize) -> Self {
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for point in points.as_chunks::<2>().0 {
            for axis in 0..2 {
                low[axis] = low[axis].min(point[axis]);
                high[axis] = high[axis].max(point[axis]);
            }
        }
        for axis in 0..2 {
            let range = high[axis] - low[axis];
            // A single value, or no points.
            let margin = if range > 0.0 { MARGIN * range } else { 1.0 };
            if !range.is_finite() {
                (low[axis], high[axis]) = (0.0, 0.0);
            }
            (low[axis], high[axis]) = (low[axis] - margin, high[axis] + margin);
        }
        Self { low, high, side }
    }

    /// Returns the cells' centres, `[side², 2]`: from left to right, and from the top, where the
    /// second input is largest, down.
    pub fn centres(&self) -> Vec<f32> {
        let Self { low, high, side } = *self;
        let at = |axis: usize, square: usize| {
            let share = (square as f64 + 0.5) / side as f64;
            (low[axis] + share * (high[axis] - low[axis])) as f32
        };
        (0..side * side).flat_map(|i| [at(0, i % side), at(1, side - 1 - i / side)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_start_at_the_top_left_and_cover_all_points() {
        let plane = Plane::around(&[0.0, 10.0, 2.0, 30.0], 2);
        assert_eq!((plane.low, plane.high), ([-0.24, 7.6], [2.24, 32.4]));
        let centres = plane.centres();
        assert_eq!(centres.len(), 8);
        let near = |a: f32, b: f64| (f64::from(a) - b).abs() < 1e-6;
        assert!(near(centres[0], 0.38) && near(centres[1], 26.2), "{centres:?}");
        assert!(near(centres[6], 1.62) && near(centres[7], 13.8), "{centres:?}");
    }

    #[test]
    fn a_single_value_has_a_margin() {
        let plane = Plane::around(&[5.0, 1.0, 5.0, 2.0], 4);
        assert_eq!((plane.low[0], plane.high[0]), (4.0, 6.0));
        assert!(Plane::around(&[], 4).low.iter().all(|low| low.is_finite()));
    }
}
