//! Learning curves in braille: eight dots a character, so that a few lines show the course of a
//! training.

/// One line of a drawing: text segments, each with the index of its series (none where two meet).
pub(crate) type DrawnLine = Vec<(String, Option<usize>)>;

/// Draws series of points `(x, y)` on one scale, in `width` by `height` characters.
///
/// Joins points by straight lines and leaves out values that are not finite. Draws nothing for
/// fewer than two points.
pub(crate) fn draw(series: &[&[(f64, f64)]], width: usize, height: usize) -> Vec<DrawnLine> {
    let points = || series.iter().flat_map(|s| s.iter()).filter(|p| p.1.is_finite());
    let (mut x, mut y) = ([f64::MAX, f64::MIN], [f64::MAX, f64::MIN]);
    for p in points() {
        x = [x[0].min(p.0), x[1].max(p.0)];
        y = [y[0].min(p.1), y[1].max(p.1)];
    }
    if points().count() < 2 || x[0] >= x[1] {
        return Vec::new();
    }
    let mut cells = vec![vec![(0u8, Vec::<usize>::new()); width]; height];
    let (columns, rows) = (2 * width, 4 * height);
    for (number, points) in series.iter().enumerate() {
        let mut last: Option<usize> = None;
        for column in 0..columns {
            let at = x[0] + (x[1] - x[0]) * column as f64 / (columns - 1) as f64;
            let Some(value) = interpolate(points, at) else { continue };
            let level = if y[1] > y[0] { (value - y[0]) / (y[1] - y[0]) } else { 0.5 };
            let row = ((1.0 - level) * (rows - 1) as f64).round() as usize;
            // Fill the rows in between, or a steep line would fall apart into dots.
            let (from, to) = match last {
                Some(last) if last < row => (last + 1, row),
                Some(last) if last > row => (row, last - 1),
                _ => (row, row),
            };
            for row in from..=to {
                let cell = &mut cells[row / 4][column / 2];
                cell.0 |= dot(column % 2, row % 4);
                if !cell.1.contains(&number) {
                    cell.1.push(number);
                }
            }
            last = Some(row);
        }
    }
    cells.iter().map(|row| segments(row)).collect()
}

/// Interpolates linearly at `x`; none outside the points.
fn interpolate(points: &[(f64, f64)], x: f64) -> Option<f64> {
    let mut finite = points.iter().filter(|p| p.1.is_finite());
    let mut before = finite.next().filter(|p| p.0 <= x)?;
    for after in finite {
        if after.0 >= x {
            let span = after.0 - before.0;
            let share = if span > 0.0 { (x - before.0) / span } else { 1.0 };
            return Some(before.1 + share * (after.1 - before.1));
        }
        before = after;
    }
    (before.0 >= x).then_some(before.1)
}

/// Returns the bit of a dot in a braille character (Unicode 28xx: 1 2 3 7 down the left, 4 5 6 8
/// down the right).
fn dot(column: usize, row: usize) -> u8 {
    [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]][column][row]
}

/// Groups the characters of a row by series.
fn segments(row: &[(u8, Vec<usize>)]) -> DrawnLine {
    let mut line: DrawnLine = Vec::new();
    for (dots, series) in row {
        let owner = (series.len() == 1).then(|| series[0]);
        let character = char::from_u32(0x2800 + u32::from(*dots)).unwrap_or(' ');
        match line.last_mut() {
            Some((text, last)) if *last == owner => text.push(character),
            _ => line.push((character.to_string(), owner)),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(lines: &[DrawnLine]) -> Vec<String> {
        lines.iter().map(|line| line.iter().map(|(text, _)| text.as_str()).collect()).collect()
    }

    #[test]
    fn draws_a_diagonal() {
        let lines = draw(&[&[(0.0, 1.0), (3.0, 0.0)]], 2, 1);
        // Four columns, four rows: the diagonal.
        assert_eq!(plain(&lines), ["⠑⢄"]);
    }

    #[test]
    fn a_steep_line_has_no_gaps() {
        let lines = draw(&[&[(0.0, 1.0), (0.1, 0.0), (1.0, 0.0)]], 2, 2);
        let dots: u32 =
            plain(&lines).concat().chars().map(|c| (c as u32 - 0x2800).count_ones()).sum();
        assert!(dots >= 8, "{:?} has {dots} dots, a column has 8 rows", plain(&lines));
    }

    #[test]
    fn fewer_than_two_finite_points_draw_nothing() {
        assert!(draw(&[&[(0.0, 1.0)]], 4, 2).is_empty());
        assert!(draw(&[&[(0.0, f64::NAN), (1.0, 1.0)]], 4, 2).is_empty());
        assert_eq!(draw(&[&[(0.0, 1.0), (1.0, 1.0)]], 4, 2).len(), 2);
    }

    #[test]
    fn cells_of_two_series_belong_to_neither() {
        let line = [(0.0, 1.0), (1.0, 0.0)];
        assert!(draw(&[&line, &line], 3, 1)[0].iter().all(|(_, owner)| owner.is_none()));
    }
}
