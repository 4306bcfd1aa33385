//! Means and their confidence intervals.

/// 97.5 % quantiles of Student's t distribution with 1 to 20 degrees of freedom.
const T_QUANTILES: [f64; 20] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
];

/// The mean of some numbers; 0 of none.
pub(crate) fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

/// Half the width of the mean's 95 % interval by Student's t; infinite for fewer than two numbers.
pub(crate) fn half_interval(numbers: &[f64]) -> f64 {
    let n = numbers.len();
    if n < 2 {
        return f64::INFINITY;
    }
    let mean = mean(numbers);
    let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    let t = T_QUANTILES.get(n - 2).copied().unwrap_or(1.96 + 2.5 / n as f64);
    t * (variance / n as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_matches_a_hand_calculation() {
        // Standard deviation 1, three numbers: 4.303 / √3.
        assert!((half_interval(&[1.0, 2.0, 3.0]) - 2.484).abs() < 1e-3);
        assert_eq!(half_interval(&[1.0]), f64::INFINITY);
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
    }
}
