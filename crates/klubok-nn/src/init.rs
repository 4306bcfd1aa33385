//! Weight initialisation: random weights whose variance keeps activations and gradients from
//! vanishing or exploding.
//!
//! For weights `[outputs, inputs]`:
//!
//! | name | variance | source |
//! | --- | --- | --- |
//! | He | 2 / inputs | He et al. 2015 |
//! | Glorot | 2 / (inputs + outputs) | Glorot and Bengio 2010 |
//! | LeCun | 1 / inputs | LeCun et al. 1998 |
//! | orthogonal | rows (or columns) of length 1, at right angles | Saxe et al. 2014 |
//!
//! Uniform variants draw from ±√(3 variance). All draws are in f64 and rounded to f32 once.

use serde::{Deserialize, Serialize};

use crate::rng::{Purpose, Stream};

/// Distribution of a layer's initial weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Normal, variance 2 / inputs (He et al. 2015).
    He,
    /// Uniform, variance 2 / inputs.
    HeUniform,
    /// Normal, variance 2 / (inputs + outputs) (Glorot and Bengio 2010).
    Glorot,
    /// Uniform, variance 2 / (inputs + outputs).
    GlorotUniform,
    /// Normal, variance 1 / inputs (LeCun et al. 1998).
    Lecun,
    /// Uniform, variance 1 / inputs.
    LecunUniform,
    /// Random orthogonal rows or columns (Saxe et al. 2014).
    Orthogonal,
    /// All zero.
    Zeros,
}

/// Initial weights `[outputs, inputs]` of layer number `layer`.
pub fn weights(init: Init, outputs: usize, inputs: usize, seed: u64, layer: u32) -> Vec<f32> {
    let mut stream = Stream::new(seed, Purpose::Init, layer, 0);
    let (fan_in, fan_out) = (inputs as f64, outputs as f64);
    let variance = match init {
        Init::He | Init::HeUniform => 2.0 / fan_in,
        Init::Glorot | Init::GlorotUniform => 2.0 / (fan_in + fan_out),
        Init::Lecun | Init::LecunUniform => 1.0 / fan_in,
        Init::Orthogonal => return orthogonal(outputs, inputs, &mut stream),
        Init::Zeros => return vec![0.0; outputs * inputs],
    };
    let draw = |stream: &mut Stream| match init {
        Init::HeUniform | Init::GlorotUniform | Init::LecunUniform => {
            (3.0 * variance).sqrt() * (2.0 * stream.uniform() - 1.0)
        }
        _ => variance.sqrt() * stream.normal(),
    };
    (0..outputs * inputs).map(|_| draw(&mut stream) as f32).collect()
}

/// Orthonormal vectors along the shorter side, by Gram-Schmidt.
///
/// Each vector is orthogonalised twice, which is enough in floating point (Giraud et al. 2005).
fn orthogonal(outputs: usize, inputs: usize, stream: &mut Stream) -> Vec<f32> {
    let (count, length) = (outputs.min(inputs), outputs.max(inputs));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut new: Vec<f64> = (0..length).map(|_| stream.normal()).collect();
        for _ in 0..2 {
            for old in &vectors {
                let projection: f64 = old.iter().zip(&new).map(|(a, b)| a * b).sum();
                new.iter_mut().zip(old).for_each(|(n, o)| *n -= projection * o);
            }
            let norm = new.iter().map(|n| n * n).sum::<f64>().sqrt();
            new.iter_mut().for_each(|n| *n /= norm);
        }
        vectors.push(new);
    }
    let at = |o: usize, i: usize| if outputs <= inputs { vectors[o][i] } else { vectors[i][o] };
    (0..outputs * inputs).map(|n| at(n / inputs, n % inputs) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_match_the_publications() {
        let cases = [
            (Init::He, 2.0 / 300.0),
            (Init::HeUniform, 2.0 / 300.0),
            (Init::Glorot, 2.0 / 500.0),
            (Init::GlorotUniform, 2.0 / 500.0),
            (Init::Lecun, 1.0 / 300.0),
            (Init::LecunUniform, 1.0 / 300.0),
        ];
        for (init, expected) in cases {
            let w = weights(init, 200, 300, 4, 1);
            let variance = w.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / w.len() as f64;
            assert!((variance / expected - 1.0).abs() < 0.03, "{init:?}: {variance} {expected}");
        }
    }

    #[test]
    fn uniform_stays_within_bounds() {
        let bound = (6.0f32 / 300.0).sqrt();
        assert!(weights(Init::HeUniform, 200, 300, 4, 1).iter().all(|w| w.abs() <= bound));
    }

    #[test]
    fn orthogonal_vectors_are_orthonormal() {
        for (outputs, inputs) in [(5, 9), (9, 5), (6, 6)] {
            let w = weights(Init::Orthogonal, outputs, inputs, 4, 1);
            let vector = |v: usize| -> Vec<f32> {
                let range = 0..outputs.max(inputs);
                range
                    .map(|i| if outputs <= inputs { w[v * inputs + i] } else { w[i * inputs + v] })
                    .collect()
            };
            for a in 0..outputs.min(inputs) {
                for b in 0..=a {
                    let dot: f32 = vector(a).iter().zip(vector(b)).map(|(a, b)| a * b).sum();
                    assert!((dot - f32::from(u8::from(a == b))).abs() < 1e-6, "{a}·{b} = {dot}");
                }
            }
        }
    }

    #[test]
    fn seeds_and_layers_give_different_weights() {
        assert_ne!(weights(Init::He, 4, 4, 0, 1), weights(Init::He, 4, 4, 1, 1));
        assert_ne!(weights(Init::He, 4, 4, 0, 1), weights(Init::He, 4, 4, 0, 2));
        assert_eq!(weights(Init::He, 4, 4, 0, 1), weights(Init::He, 4, 4, 0, 1));
    }
}
