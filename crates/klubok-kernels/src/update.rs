//! Update rules in one pass over a parameter: weight decay, rule and measurements.
//!
//! `w ← shrink · w`, then with `g` scaled by `clip`:
//!
//! - Plain: `w ← w - step_size · g`.
//! - Momentum: `v ← momentum · v + g`, `w ← w - step_size · v`, or with Nesterov
//!   `w ← w - step_size (g + momentum · v)`.
//! - RMSProp: `s ← decay · s + (1 - decay) g²`, `u = g / (√s + ε)`, `w ← w - step_size · u`, or
//!   with momentum `v ← momentum · v + u`, `w ← w - step_size · v`.
//! - Adam: `m ← β₁ m + (1 - β₁) g`, `s ← β₂ s + (1 - β₂) g²`,
//!   `w ← w - step_size · m / (root_correction · √s + ε)`. With bias correction in step `t`,
//!   `step_size = learning_rate / (1 - β₁ᵗ)` and `root_correction = 1 / √(1 - β₂ᵗ)`.

use crate::{isa::kernel, reduce::sum_of};

/// Values whose sum is in f32; the sum of these sums is in f64.
const BLOCK: usize = 256;
/// Partial sums.
const LANES: usize = 16;

/// The update of a parameter in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpdateStep {
    /// The rule.
    pub rule: Rule,
    /// Learning rate, with Adam's bias correction of the mean.
    pub step_size: f32,
    /// Factor of the parameter before the rule; 1 without decoupled weight decay.
    pub shrink: f32,
    /// Factor of the gradient; 1 without clipping.
    pub clip: f32,
}

/// An update rule with its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Plain gradient descent.
    Plain,
    /// Gradient descent with momentum.
    Momentum {
        /// Decay of the velocity.
        momentum: f32,
        /// Nesterov's variant.
        nesterov: bool,
    },
    /// RMSProp.
    RmsProp {
        /// Decay of the mean square.
        decay: f32,
        /// `1 - decay`, rounded once.
        one_minus_decay: f32,
        /// Added to the root.
        epsilon: f32,
        /// Decay of the velocity, if there is one.
        momentum: Option<f32>,
    },
    /// Adam.
    Adam {
        /// Decay of mean and mean square.
        beta: [f32; 2],
        /// `1 - beta`, rounded once.
        one_minus_beta: [f32; 2],
        /// Added to the root.
        epsilon: f32,
        /// Bias correction of the root: `1 / √(1 - β₂ᵗ)`.
        root_correction: f32,
    },
}

kernel! {
    /// Returns the penalty `l1 Σ|w| + l2/2 Σw²` and adds its gradient to `dw`; `|w|` has slope 0 at
    /// 0.
    pub fn penalise(dw: &mut [f32], w: &[f32], l1: f32, l2: f32) -> f64 {
        for (dw, w) in dw.iter_mut().zip(w) {
            let sign = if *w > 0.0 { l1 } else if *w < 0.0 { -l1 } else { 0.0 };
            *dw = *dw + sign + l2 * *w;
        }
        let (l1, l2) = (f64::from(l1), f64::from(l2));
        sum_of(w, w, |w, _| l1 * w.abs() + l2 / 2.0 * w * w)
    }
}

kernel! {
    /// Updates `w` by the gradient `g`. `first` and `second` are the moments of the rule, in its
    /// order; those it lacks are empty. Returns `Σ (w_new - w)²` and `Σ w_new²` if `measure`, else
    /// zeros.
    ///
    /// # Panics
    /// When the slices differ in length or are not a multiple of 16.
    pub fn update(
        step: UpdateStep,
        w: &mut [f32],
        g: &[f32],
        first: &mut [f32],
        second: &mut [f32],
        measure: bool,
    ) -> (f64, f64) {
        let UpdateStep { rule, step_size, shrink, clip } = step;
        match rule {
            // A plain loop: in `each`, compilers unroll so short a rule into scalar code, which is
            // several times slower.
            Rule::Plain if !measure => {
                assert_eq!(w.len(), g.len(), "a gradient for each value");
                w.iter_mut().zip(g).for_each(|(w, g)| *w = *w * shrink - step_size * (*g * clip));
                (0.0, 0.0)
            }
            Rule::Plain => each(measure, w, g, [], |w, g, []| {
                (w * shrink - step_size * (g * clip), [])
            }),
            Rule::Momentum { momentum, nesterov: false } => each(measure, w, g, [first], |w, g, [v]| {
                let v = momentum * v + g * clip;
                (w * shrink - step_size * v, [v])
            }),
            Rule::Momentum { momentum, nesterov: true } => each(measure, w, g, [first], |w, g, [v]| {
                let g = g * clip;
                let v = momentum * v + g;
                (w * shrink - step_size * (g + momentum * v), [v])
            }),
            Rule::RmsProp { decay, one_minus_decay, epsilon, momentum: None } => each(measure, w, g, [first], |w, g, [s]| {
                let g = g * clip;
                let s = decay * s + one_minus_decay * g * g;
                (w * shrink - step_size * (g / (s.sqrt() + epsilon)), [s])
            }),
            Rule::RmsProp { decay, one_minus_decay, epsilon, momentum: Some(momentum) } => {
                each(measure, w, g, [first, second], |w, g, [s, v]| {
                    let g = g * clip;
                    let s = decay * s + one_minus_decay * g * g;
                    let v = momentum * v + g / (s.sqrt() + epsilon);
                    (w * shrink - step_size * v, [s, v])
                })
            }
            Rule::Adam { beta, one_minus_beta, epsilon, root_correction } => each(measure, w, g, [first, second], |w, g, [m, s]| {
                let g = g * clip;
                let m = beta[0] * m + one_minus_beta[0] * g;
                let s = beta[1] * s + one_minus_beta[1] * g * g;
                (w * shrink - step_size * (m / (root_correction * s.sqrt() + epsilon)), [m, s])
            }),
        }
    }
}

kernel! {
    /// `Σ g²`, summed as in [`update`]: in f32 lanes over 256 values, then in f64.
    ///
    /// # Panics
    /// When the length is not a multiple of 16.
    pub fn squares(g: &[f32]) -> f64 {
        let mut total = 0.0;
        for g in g.chunks(BLOCK) {
            let mut sums = [0.0; LANES];
            for g in chunks(g) {
                for i in 0..LANES {
                    sums[i] += g[i] * g[i];
                }
            }
            total += f64::from(pairwise(sums));
        }
        total
    }
}

/// Applies `rule` to every value of a parameter and its moments.
#[inline(always)]
fn each<const M: usize>(
    measure: bool,
    w: &mut [f32],
    g: &[f32],
    moments: [&mut [f32]; M],
    rule: impl Fn(f32, f32, [f32; M]) -> (f32, [f32; M]),
) -> (f64, f64) {
    if measure {
        each_measured::<M, true>(w, g, moments, rule)
    } else {
        each_measured::<M, false>(w, g, moments, rule)
    }
}

#[inline(always)]
fn each_measured<const M: usize, const MEASURE: bool>(
    w: &mut [f32],
    g: &[f32],
    mut moments: [&mut [f32]; M],
    rule: impl Fn(f32, f32, [f32; M]) -> (f32, [f32; M]),
) -> (f64, f64) {
    assert_eq!(w.len(), g.len(), "a gradient for each value");
    assert!(moments.iter().all(|m| m.len() == w.len()), "a moment for each value");
    let (mut update_sq, mut value_sq) = (0.0, 0.0);
    for (block, (w, g)) in w.chunks_mut(BLOCK).zip(g.chunks(BLOCK)).enumerate() {
        let (mut update_lanes, mut value_lanes) = ([0.0; LANES], [0.0; LANES]);
        for (chunk, (w, g)) in chunks_mut(w).iter_mut().zip(chunks(g)).enumerate() {
            let from = block * BLOCK + chunk * LANES;
            let mut old = [[0.0; LANES]; M];
            for (old, moment) in old.iter_mut().zip(&moments) {
                old.copy_from_slice(&moment[from..from + LANES]);
            }
            let mut new = [[0.0; LANES]; M];
            for i in 0..LANES {
                let (value, moment) = rule(w[i], g[i], std::array::from_fn(|m| old[m][i]));
                for m in 0..M {
                    new[m][i] = moment[m];
                }
                let change = value - w[i];
                w[i] = value;
                if MEASURE {
                    update_lanes[i] += change * change;
                    value_lanes[i] += value * value;
                }
            }
            for (new, moment) in new.iter().zip(&mut moments) {
                moment[from..from + LANES].copy_from_slice(new);
            }
        }
        update_sq += f64::from(pairwise(update_lanes));
        value_sq += f64::from(pairwise(value_lanes));
    }
    (update_sq, value_sq)
}

#[inline(always)]
fn chunks(x: &[f32]) -> &[[f32; LANES]] {
    let (chunks, rest) = x.as_chunks();
    assert!(rest.is_empty(), "a multiple of 16");
    chunks
}

#[inline(always)]
fn chunks_mut(x: &mut [f32]) -> &mut [[f32; LANES]] {
    let (chunks, rest) = x.as_chunks_mut();
    assert!(rest.is_empty(), "a multiple of 16");
    chunks
}

/// Sum of the lanes, added pairwise.
#[inline(always)]
fn pairwise(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::isa::Isa;

    fn rules() -> [Rule; 6] {
        let rmsprop = |momentum| {
            let (decay, one_minus_decay, epsilon) = (0.99, 0.01, 1e-3);
            Rule::RmsProp { decay, one_minus_decay, epsilon, momentum }
        };
        [
            Rule::Plain,
            Rule::Momentum { momentum: 0.9, nesterov: false },
            Rule::Momentum { momentum: 0.9, nesterov: true },
            rmsprop(None),
            rmsprop(Some(0.5)),
            Rule::Adam {
                beta: [0.9, 0.99],
                one_minus_beta: [0.1, 0.01],
                epsilon: 1e-3,
                root_correction: 1.25,
            },
        ]
    }

    /// One value with moments `a` and `b` in f64, by the formulas above.
    fn reference(step: UpdateStep, w: f64, g: f64, a: f64, b: f64) -> (f64, f64, f64) {
        let wide = f64::from;
        let (step_size, g) = (wide(step.step_size), g * wide(step.clip));
        let w = w * wide(step.shrink);
        match step.rule {
            Rule::Plain => (w - step_size * g, a, b),
            Rule::Momentum { momentum, nesterov } => {
                let v = wide(momentum) * a + g;
                (w - step_size * if nesterov { g + wide(momentum) * v } else { v }, v, b)
            }
            Rule::RmsProp { decay, one_minus_decay, epsilon, momentum } => {
                let s = wide(decay) * a + wide(one_minus_decay) * g * g;
                let u = g / (s.sqrt() + wide(epsilon));
                match momentum {
                    None => (w - step_size * u, s, b),
                    Some(momentum) => {
                        let v = wide(momentum) * b + u;
                        (w - step_size * v, s, v)
                    }
                }
            }
            Rule::Adam { beta, one_minus_beta, epsilon, root_correction } => {
                let m = wide(beta[0]) * a + wide(one_minus_beta[0]) * g;
                let s = wide(beta[1]) * b + wide(one_minus_beta[1]) * g * g;
                (w - step_size * m / (wide(root_correction) * s.sqrt() + wide(epsilon)), m, s)
            }
        }
    }

    fn numbers(len: usize, speed: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * speed).sin()).collect()
    }

    proptest! {
        #[test]
        fn every_rule_agrees_with_f64(chunks in 0usize..40, clip in 0.1f32..1.0, shrink in 0.9f32..1.0) {
            let len = chunks * LANES;
            for rule in rules() {
                let step = UpdateStep { rule, step_size: 0.1, shrink, clip };
                let (w, g) = (numbers(len, 0.7), numbers(len, 0.31));
                let a = numbers(len, 0.11).iter().map(|x| x.abs()).collect::<Vec<_>>();
                let b = numbers(len, 0.13).iter().map(|x| x.abs()).collect::<Vec<_>>();
                let mut results = vec![];
                for isa in Isa::available() {
                    let (mut w, mut a, mut b) = (w.clone(), a.clone(), b.clone());
                    let mut unmeasured = (w.clone(), a.clone(), b.clone());
                    let sums = update(isa, step, &mut w, &g, &mut a, &mut b, true);
                    let none = update(isa, step, &mut unmeasured.0, &g, &mut unmeasured.1, &mut unmeasured.2, false);
                    prop_assert_eq!((&unmeasured.0, &unmeasured.1, &unmeasured.2, none), (&w, &a, &b, (0.0, 0.0)));
                    results.push((w, a, b, sums, squares(isa, &g)));
                }
                prop_assert!(results.windows(2).all(|r| r[0] == r[1]), "{:?}", rule);
                let (new_w, new_a, new_b, (update_sq, value_sq), gradient_sq) = &results[0];
                let (mut sums, close) = ([0.0; 3], |got: f32, expected: f64| (f64::from(got) - expected).abs() < 1e-5);
                for i in 0..len {
                    let wide = |x: &[f32]| f64::from(x[i]);
                    let (value, first, second) = reference(step, wide(&w), wide(&g), wide(&a), wide(&b));
                    prop_assert!(close(new_w[i], value) && close(new_a[i], first) && close(new_b[i], second), "{:?}", rule);
                    sums[0] += (value - wide(&w)).powi(2);
                    sums[1] += value * value;
                    sums[2] += wide(&g).powi(2);
                }
                for (got, expected) in [*update_sq, *value_sq, *gradient_sq].into_iter().zip(sums) {
                    prop_assert!((got - expected).abs() <= 1e-4 * expected, "{:?}: {} {}", rule, got, expected);
                }
            }
        }
    }

    #[test]
    fn penalties_by_hand() {
        let mut dw = [1.0, 1.0, 1.0];
        let penalty = penalise(Isa::best(), &mut dw, &[2.0, -4.0, 0.0], 0.5, 0.25);
        assert_eq!(dw, [2.0, -0.5, 1.0]);
        assert_eq!(penalty, 0.5 * 6.0 + 0.125 * 20.0);
    }
}
