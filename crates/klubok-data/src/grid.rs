//! A grid over the range of one or two numbers: the points at which a network of so few inputs is
//! drawn.

/// Margin around the points, as a share of their range.
const MARGIN: f64 = 0.12;

/// A range of one number, or a rectangle of two, with a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// The smallest value on each axis.
    pub low: Vec<f64>,
    /// The largest value on each axis.
    pub high: Vec<f64>,
    /// Number of cells on each axis.
    pub side: usize,
}

impl Grid {
    /// Returns the bounding box of points `[points, axes]` with a margin.
    ///
    /// # Panics
    /// When there are other than one or two axes.
    pub fn around(points: &[f64], axes: usize, side: usize) -> Self {
        assert!((1..=2).contains(&axes), "a grid of {axes} axes");
        let range = |axis: usize| {
            let values = || points.iter().skip(axis).step_by(axes);
            let low = values().copied().fold(f64::INFINITY, f64::min);
            let high = values().copied().fold(f64::NEG_INFINITY, f64::max);
            let range = high - low;
            // A single value, or no points.
            let margin = if range > 0.0 { MARGIN * range } else { 1.0 };
            if range.is_finite() { (low - margin, high + margin) } else { (-margin, margin) }
        };
        let (low, high) = (0..axes).map(range).unzip();
        Self { low, high, side }
    }

    /// Returns the cells' centres, `[cells, axes]`: from left to right, and from the top, where the
    /// second number is largest, down.
    pub fn centres(&self) -> Vec<f32> {
        let Self { low, high, side } = self;
        let at = |axis: usize, cell: usize| {
            let share = (cell as f64 + 0.5) / *side as f64;
            (low[axis] + share * (high[axis] - low[axis])) as f32
        };
        if low.len() == 1 {
            return (0..*side).map(|i| at(0, i)).collect();
        }
        let cell = |i: usize| [at(0, i % side), at(1, side - 1 - i / side)];
        (0..side * side).flat_map(cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_start_at_the_top_left_and_cover_all_points() {
        let grid = Grid::around(&[0.0, 10.0, 2.0, 30.0], 2, 2);
        assert_eq!((grid.low.clone(), grid.high.clone()), (vec![-0.24, 7.6], vec![2.24, 32.4]));
        let centres = grid.centres();
        assert_eq!(centres.len(), 8);
        let near = |a: f32, b: f64| (f64::from(a) - b).abs() < 1e-6;
        assert!(near(centres[0], 0.38) && near(centres[1], 26.2), "{centres:?}");
        assert!(near(centres[6], 1.62) && near(centres[7], 13.8), "{centres:?}");
    }

    #[test]
    fn one_number_has_a_line_of_cells() {
        let grid = Grid::around(&[1.0, 0.0, 0.5], 1, 4);
        assert_eq!((grid.low.clone(), grid.high.clone()), (vec![-0.12], vec![1.12]));
        let centres = grid.centres();
        assert_eq!(centres.len(), 4);
        assert!((centres[0] - 0.035).abs() < 1e-6, "{centres:?}");
    }

    #[test]
    fn a_single_value_has_a_margin() {
        let grid = Grid::around(&[5.0, 1.0, 5.0, 2.0], 2, 4);
        assert_eq!((grid.low[0], grid.high[0]), (4.0, 6.0));
        assert!(Grid::around(&[], 2, 4).low.iter().all(|low| low.is_finite()));
    }
}
