//! Update rules in one pass over a parameter: decay, rule, and what the update measured.
//!
//! `w ← shrink · w`, then with `g` scaled by `clip`:
//! - plain: `w ← w - rate · g`;
//! - momentum: `v ← keep · v + g`, `w ← w - rate · v`, or with Nesterov `w ← w - rate (g + keep ·
//!   v)`;
//! - RMSProp: `s ← keep · s + take · g²`, `u = g / (√s + ε)`, `w ← w - rate · u`, with momentum
//!   through a velocity;
//! - Adam: `m ← keep₁ m + take₁ g`, `s ← keep₂ s + take₂ g²`, `w ← w - rate · m / (root · √s + ε)`,
//!   where `rate` and `root` hold the bias corrections of the step.

use crate::{isa::kernel, reduce::sum_of};

/// Sums are kept in f32 over this many values, then in f64.
const BLOCK: usize = 256;
const LANES: usize = 16;

/// How a parameter moves in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpdateStep {
    /// The rule, with the settings of this step.
    pub rule: Rule,
    /// Length of the step.
    pub rate: f32,
    /// Factor of the parameter before the rule: 1 without decoupled decay.
    pub shrink: f32,
    /// Factor of the gradient: 1 without clipping.
    pub clip: f32,
}

/// An update rule. `keep` is the share of a moment that stays, `take` that of what is new.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Gradient descent.
    Plain,
    /// With a velocity.
    Momentum {
        /// Share of the velocity that stays.
        keep: f32,
        /// Look ahead.
        nesterov: bool,
    },
    /// Over the root of the mean square.
    RmsProp {
        /// Share of the mean square that stays.
        keep: f32,
        /// Share of the new square.
        take: f32,
        /// Added to the root.
        epsilon: f32,
        /// Share of the velocity that stays, if there is one.
        momentum: Option<f32>,
    },
    /// Mean over the root of the mean square.
    Adam {
        /// Shares of mean and mean square that stay.
        keep: [f32; 2],
        /// Shares of the new gradient and square.
        take: [f32; 2],
        /// Added to the root.
        epsilon: f32,
        /// Corrects the root for the start at zero: `1 / √(1 - β₂ᵗ)`.
        root: f32,
    },
}

kernel! {
    /// Adds the slope of `l1 Σ|w| + l2/2 Σw²` to the gradient, 0 for `|w|` at 0. Returns this
    /// penalty.
    pub fn penalise(g: &mut [f32], w: &[f32], l1: f32, l2: f32) -> f64 {
        for (g, w) in g.iter_mut().zip(w) {
            let sign = if *w > 0.0 { l1 } else if *w < 0.0 { -l1 } else { 0.0 };
            *g = *g + sign + l2 * *w;
        }
        let (l1, l2) = (f64::from(l1), f64::from(l2));
        sum_of(w, w, |w, _| l1 * w.abs() + l2 / 2.0 * w * w)
    }
}

kernel! {
    /// Moves `w` along `g`; `first` and `second` are the rule's moments, in its order, empty where
    /// it has fewer. Returns `Σ (w_new - w)²` and `Σ w_new²`, zeros unless it is to `measure`.
    ///
    /// # Panics
    /// When the slices differ in length or are not a multiple of 16.
    pub fn update(
        change: UpdateStep,
        w: &mut [f32],
        g: &[f32],
        first: &mut [f32],
        second: &mut [f32],
        measure: bool,
    ) -> (f64, f64) {
        let UpdateStep { rule, rate, shrink, clip } = change;
        match rule {
            // Of so short a rule compilers unroll the 16 lanes of a chunk into single numbers,
            // which takes several times as long.
            Rule::Plain if !measure => {
                assert_eq!(w.len(), g.len(), "a gradient for each value");
                w.iter_mut().zip(g).for_each(|(w, g)| *w = *w * shrink - rate * (*g * clip));
                (0.0, 0.0)
            }
            Rule::Plain => each(measure, w, g, [], |w, g, []| {
                (w * shrink - rate * (g * clip), [])
            }),
            Rule::Momentum { keep, nesterov: false } => each(measure, w, g, [first], |w, g, [v]| {
                let v = keep * v + g * clip;
                (w * shrink - rate * v, [v])
            }),
            Rule::Momentum { keep, nesterov: true } => each(measure, w, g, [first], |w, g, [v]| {
                let g = g * clip;
                let v = keep * v + g;
                (w * shrink - rate * (g + keep * v), [v])
            }),
            Rule::RmsProp { keep, take, epsilon, momentum: None } => each(measure, w, g, [first], |w, g, [s]| {
                let g = g * clip;
                let s = keep * s + take * g * g;
                (w * shrink - rate * (g / (s.sqrt() + epsilon)), [s])
            }),
            Rule::RmsProp { keep, take, epsilon, momentum: Some(momentum) } => {
                each(measure, w, g, [first, second], |w, g, [s, v]| {
                    let g = g * clip;
                    let s = keep * s + take * g * g;
                    let v = momentum * v + g / (s.sqrt() + epsilon);
                    (w * shrink - rate * v, [s, v])
                })
            }
            Rule::Adam { keep, take, epsilon, root } => each(measure, w, g, [first, second], |w, g, [m, s]| {
                let g = g * clip;
                let m = keep[0] * m + take[0] * g;
                let s = keep[1] * s + take[1] * g * g;
                (w * shrink - rate * (m / (root * s.sqrt() + epsilon)), [m, s])
            }),
        }
    }
}

kernel! {
    /// `Σ g²` with the sums of [`update`]: f32 in lanes within 256 values, f64 beyond.
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
    let (mut moved, mut size) = (0.0, 0.0);
    for (block, (w, g)) in w.chunks_mut(BLOCK).zip(g.chunks(BLOCK)).enumerate() {
        let (mut moved_lanes, mut size_lanes) = ([0.0; LANES], [0.0; LANES]);
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
                let step = value - w[i];
                w[i] = value;
                if MEASURE {
                    moved_lanes[i] += step * step;
                    size_lanes[i] += value * value;
                }
            }
            for (new, moment) in new.iter().zip(&mut moments) {
                moment[from..from + LANES].copy_from_slice(new);
            }
        }
        moved += f64::from(pairwise(moved_lanes));
        size += f64::from(pairwise(size_lanes));
    }
    (moved, size)
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
        [
            Rule::Plain,
            Rule::Momentum { keep: 0.9, nesterov: false },
            Rule::Momentum { keep: 0.9, nesterov: true },
            Rule::RmsProp { keep: 0.99, take: 0.01, epsilon: 1e-3, momentum: None },
            Rule::RmsProp { keep: 0.99, take: 0.01, epsilon: 1e-3, momentum: Some(0.5) },
            Rule::Adam { keep: [0.9, 0.99], take: [0.1, 0.01], epsilon: 1e-3, root: 1.25 },
        ]
    }

    /// One value in f64, from the formulas above.
    fn plain(change: UpdateStep, w: f64, g: f64, a: f64, b: f64) -> (f64, f64, f64) {
        let wide = f64::from;
        let (rate, g) = (wide(change.rate), g * wide(change.clip));
        let w = w * wide(change.shrink);
        match change.rule {
            Rule::Plain => (w - rate * g, a, b),
            Rule::Momentum { keep, nesterov } => {
                let v = wide(keep) * a + g;
                (w - rate * if nesterov { g + wide(keep) * v } else { v }, v, b)
            }
            Rule::RmsProp { keep, take, epsilon, momentum } => {
                let s = wide(keep) * a + wide(take) * g * g;
                let u = g / (s.sqrt() + wide(epsilon));
                match momentum {
                    None => (w - rate * u, s, b),
                    Some(momentum) => {
                        let v = wide(momentum) * b + u;
                        (w - rate * v, s, v)
                    }
                }
            }
            Rule::Adam { keep, take, epsilon, root } => {
                let m = wide(keep[0]) * a + wide(take[0]) * g;
                let s = wide(keep[1]) * b + wide(take[1]) * g * g;
                (w - rate * m / (wide(root) * s.sqrt() + wide(epsilon)), m, s)
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
                let change = UpdateStep { rule, rate: 0.1, shrink, clip };
                let (w, g) = (numbers(len, 0.7), numbers(len, 0.31));
                let a = numbers(len, 0.11).iter().map(|x| x.abs()).collect::<Vec<_>>();
                let b = numbers(len, 0.13).iter().map(|x| x.abs()).collect::<Vec<_>>();
                let mut results = vec![];
                for isa in Isa::available() {
                    let (mut w, mut a, mut b) = (w.clone(), a.clone(), b.clone());
                    let mut unseen = (w.clone(), a.clone(), b.clone());
                    let sums = update(isa, change, &mut w, &g, &mut a, &mut b, true);
                    let none = update(isa, change, &mut unseen.0, &g, &mut unseen.1, &mut unseen.2, false);
                    prop_assert_eq!((&unseen.0, &unseen.1, &unseen.2, none), (&w, &a, &b, (0.0, 0.0)));
                    results.push((w, a, b, sums, squares(isa, &g)));
                }
                prop_assert!(results.windows(2).all(|r| r[0] == r[1]), "{:?}", rule);
                let (new_w, new_a, new_b, (moved, size), gradient) = &results[0];
                let (mut sums, close) = ([0.0; 3], |got: f32, expected: f64| (f64::from(got) - expected).abs() < 1e-5);
                for i in 0..len {
                    let wide = |x: &[f32]| f64::from(x[i]);
                    let (value, first, second) = plain(change, wide(&w), wide(&g), wide(&a), wide(&b));
                    prop_assert!(close(new_w[i], value) && close(new_a[i], first) && close(new_b[i], second), "{:?}", rule);
                    sums[0] += (value - wide(&w)).powi(2);
                    sums[1] += value * value;
                    sums[2] += wide(&g).powi(2);
                }
                for (got, expected) in [*moved, *size, *gradient].into_iter().zip(sums) {
                    prop_assert!((got - expected).abs() <= 1e-4 * expected, "{:?}: {} {}", rule, got, expected);
                }
            }
        }
    }

    #[test]
    fn penalties_by_hand() {
        let mut g = [1.0, 1.0, 1.0];
        let penalty = penalise(Isa::best(), &mut g, &[2.0, -4.0, 0.0], 0.5, 0.25);
        assert_eq!(g, [2.0, -0.5, 1.0]);
        assert_eq!(penalty, 0.5 * 6.0 + 0.125 * 20.0);
    }
}
