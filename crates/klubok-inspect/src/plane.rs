//! A part of the plane of two inputs, cut into squares: where a network of two inputs changes its
//! mind.

/// Room around the points, as a share of how far they reach.
const MARGIN: f64 = 0.12;

/// A rectangle of the plane, cut into as many columns as rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plane {
    /// The smallest value of each input.
    pub low: [f64; 2],
    /// The largest value of each input.
    pub high: [f64; 2],
    /// Columns, and rows.
    pub side: usize,
}

impl Plane {
    /// The rectangle around points, `[points, 2]`, with some room.
    pub fn around(points: &[f64], side: usize) -> Self {
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for point in points.as_chunks::<2>().0 {
            for axis in 0..2 {
                low[axis] = low[axis].min(point[axis]);
                high[axis] = high[axis].max(point[axis]);
            }
        }
        for axis in 0..2 {
            let reach = high[axis] - low[axis];
            // One value only, or no point at all.
            let room = if reach > 0.0 { MARGIN * reach } else { 1.0 };
            if !reach.is_finite() {
                (low[axis], high[axis]) = (0.0, 0.0);
            }
            (low[axis], high[axis]) = (low[axis] - room, high[axis] + room);
        }
        Self { low, high, side }
    }

    /// The middles of the squares, `[side², 2]`: from left to right, and from the top, where the
    /// second input is largest, down.
    pub fn middles(&self) -> Vec<f32> {
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
    fn squares_go_from_the_top_left_and_hold_all_points() {
        let plane = Plane::around(&[0.0, 10.0, 2.0, 30.0], 2);
        assert_eq!((plane.low, plane.high), ([-0.24, 7.6], [2.24, 32.4]));
        let middles = plane.middles();
        assert_eq!(middles.len(), 8);
        let near = |a: f32, b: f64| (f64::from(a) - b).abs() < 1e-6;
        assert!(near(middles[0], 0.38) && near(middles[1], 26.2), "{middles:?}");
        assert!(near(middles[6], 1.62) && near(middles[7], 13.8), "{middles:?}");
    }

    #[test]
    fn a_single_value_has_room_around_it_too() {
        let plane = Plane::around(&[5.0, 1.0, 5.0, 2.0], 4);
        assert_eq!((plane.low[0], plane.high[0]), (4.0, 6.0));
        assert!(Plane::around(&[], 4).low.iter().all(|low| low.is_finite()));
    }
}
