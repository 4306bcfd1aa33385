//! Gradient checks for the tests of this crate.

/// Compares `analytic` with central differences of `loss` at the point `at`.
///
/// With `a` the analytic and `n` the numeric derivative, each element must satisfy
/// `|a - n| ≤ 1e-6 max(|a|, |n|, 1e-3)`. With step `h`,
/// `n = (8 (L(x + h) - L(x - h)) - (L(x + 2h) - L(x - 2h))) / 12h`: its error is of fourth order in
/// `h`.
///
/// # Panics
/// At the first element that differs.
#[track_caller]
pub(crate) fn check_gradient(
    name: &str,
    at: &[f64],
    analytic: &[f64],
    mut loss: impl FnMut(&[f64]) -> f64,
) {
    assert_eq!(at.len(), analytic.len(), "d{name}: shape");
    let mut point = at.to_vec();
    for i in 0..at.len() {
        let step = 1e-5 * at[i].abs().max(1.0);
        let mut at_offset = |offset: f64| {
            point[i] = at[i] + offset;
            let value = loss(&point);
            point[i] = at[i];
            value
        };
        let (inner, outer) =
            (at_offset(step) - at_offset(-step), at_offset(2.0 * step) - at_offset(-2.0 * step));
        let numeric = (8.0 * inner - outer) / (12.0 * step);
        let scale = analytic[i].abs().max(numeric.abs()).max(1e-3);
        assert!(
            (analytic[i] - numeric).abs() <= 1e-6 * scale,
            "d{name}[{i}]: analytic {}, numeric {numeric}",
            analytic[i]
        );
    }
}

/// `len` random numbers in [-1, 1); the same seed gives the same numbers.
pub(crate) fn numbers(seed: u64, len: usize) -> Vec<f64> {
    let mut stream = crate::rng::Stream::new(seed, crate::rng::Purpose::Init, 0, 0);
    (0..len).map(|_| 2.0 * stream.uniform() - 1.0).collect()
}

/// `Σ weight · value`: a loss of a layer's output whose gradient is `weight`.
pub(crate) fn weighted_sum(weight: &[f64], value: &[f64]) -> f64 {
    weight.iter().zip(value).map(|(w, v)| w * v).sum()
}
