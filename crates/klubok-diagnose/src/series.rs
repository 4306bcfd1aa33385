//! Statistics of noisy series: smoothing, jitter, median, slope.

/// Centred moving average over `2 half + 1` values; the window shrinks symmetrically at the ends.
pub(super) fn smooth(values: &[f64], half: usize) -> Vec<f64> {
    let mut sums = Vec::with_capacity(values.len() + 1);
    let mut sum = 0.0;
    sums.push(sum);
    for value in values {
        sum += value;
        sums.push(sum);
    }
    let mean = |i: usize| {
        let reach = half.min(i).min(values.len() - 1 - i);
        (sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1) as f64
    };
    (0..values.len()).map(mean).collect()
}

/// Standard deviation of the jitter about a smooth curve, from the second differences of the last
/// 22 values. Ignores values that are not finite.
///
/// `1.4826 median |x[i-1] - 2 x[i] + x[i+1]| / sqrt(6)`: a straight line adds nothing, one jump
/// little. With few values it shrinks towards `prior`, which weighs as much as four of them.
pub(super) fn robust_jitter(values: &[f64], prior: f64) -> f64 {
    let last = &values[values.len().saturating_sub(22)..];
    let second_differences = last.windows(3).map(|x| (x[0] - 2.0 * x[1] + x[2]).abs());
    let mut second_differences: Vec<f64> =
        second_differences.filter(|difference| difference.is_finite()).collect();
    if second_differences.is_empty() {
        return 2.0 * prior;
    }
    let sd = 1.4826 * median(&mut second_differences) / 6f64.sqrt();
    let count = second_differences.len() as f64;
    ((sd * sd * count + prior * prior * 4.0) / (count + 4.0)).sqrt()
}

/// Jitter of all values from the mean instead of the median,
/// `sqrt(pi / 12) mean |x[i-1] - 2 x[i] + x[i+1]|`: every jump counts. NaN with fewer than three.
pub(super) fn mean_jitter(values: &[f64]) -> f64 {
    let second_differences = values.windows(3).map(|x| (x[0] - 2.0 * x[1] + x[2]).abs());
    mean(&second_differences.collect::<Vec<_>>()) * (std::f64::consts::PI / 12.0).sqrt()
}

/// Mean; NaN if empty.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Median; NaN if empty. Sorts `values`.
pub(super) fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

/// Index of the smallest value, the earlier on ties; none if empty.
pub(super) fn argmin(values: &[f64]) -> Option<usize> {
    (0..values.len()).min_by(|&a, &b| values[a].total_cmp(&values[b]))
}

/// Slope of the least-squares line through `(x, y)`.
pub(super) fn slope(x: &[f64], y: &[f64]) -> f64 {
    let (mx, my) = (mean(x), mean(y));
    let square: f64 = x.iter().map(|x| (x - mx).powi(2)).sum();
    x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>() / square
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_windows_shrink_at_the_ends() {
        assert_eq!(smooth(&[3.0, 0.0, 3.0, 6.0], 1), [3.0, 2.0, 3.0, 6.0]);
        assert_eq!(smooth(&[1.0, 2.0, 6.0], 5), [1.0, 3.0, 6.0]);
        assert!(smooth(&[], 2).is_empty());
    }

    #[test]
    fn a_straight_line_and_one_jump_have_no_robust_jitter() {
        let line: Vec<f64> = (0..20).map(|i| 5.0 - 0.1 * f64::from(i)).collect();
        assert!(robust_jitter(&line, 0.0) < 1e-12);
        let jump: Vec<f64> = (0..20).map(|i| f64::from(i / 10)).collect();
        assert!(robust_jitter(&jump, 0.0) < 1e-12);
        // Two of the 18 second differences are 1.
        let (found, expected) = (mean_jitter(&jump), (std::f64::consts::PI / 12.0).sqrt() / 9.0);
        assert!(mean_jitter(&line) < 1e-12 && (found - expected).abs() < 1e-12, "{found}");
    }

    #[test]
    fn jitter_estimates_the_standard_deviation_of_uniform_noise() {
        // A fixed sequence of a linear congruential generator, uniform on [-1, 1]: deviation
        // 1/sqrt(3).
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 23) - 1.0
        };
        let runs: Vec<f64> = (0..200)
            .map(|_| robust_jitter(&(0..22).map(|_| next()).collect::<Vec<_>>(), 0.577))
            .collect();
        assert!((mean(&runs) / 0.577 - 1.0).abs() < 0.15, "{}", mean(&runs));
        let all = mean_jitter(&(0..2000).map(|_| next()).collect::<Vec<_>>());
        assert!((all / 0.577 - 1.0).abs() < 0.1, "{all}");
    }

    #[test]
    fn median_argmin_and_slope_by_hand() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0]), 2.5);
        assert_eq!(argmin(&[2.0, 1.0, 1.0]), Some(1));
        assert_eq!(slope(&[0.0, 1.0, 2.0], &[1.0, 3.0, 5.0]), 2.0);
    }
}
