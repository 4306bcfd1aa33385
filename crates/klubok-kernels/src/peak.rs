//! Peak rate of multiply-adds of a core, by a loop that keeps all numbers in registers.
//!
//! Benchmarks compare their rates with it, and use it to probe how much of the machine is
//! available.

use crate::isa::{Isa, Set};

/// Independent sums: enough to fill the pipelines, few enough for 16 registers.
const SUMS: usize = 12;

/// Multiplies and adds for `rounds` rounds. Returns the number of floating-point operations, two
/// per multiply-add, and a result that depends on all of them.
pub fn multiply_adds(isa: Isa, rounds: usize) -> (f64, f32) {
    let (lanes, sum) = match isa.set() {
        // SAFETY: an `Isa` exists only on machines with these instructions.
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => (16, unsafe { avx512(rounds) }),
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Set::Avx2 => (8, unsafe { avx2(rounds) }),
        Set::Portable => (4, portable(rounds)),
    };
    (2.0 * (lanes * SUMS) as f64 * rounds as f64, sum)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512(rounds: usize) -> f32 {
    use std::arch::x86_64::{
        _mm512_add_ps, _mm512_fmadd_ps, _mm512_reduce_add_ps, _mm512_set1_ps, _mm512_setzero_ps,
    };
    let (half, one) = (_mm512_set1_ps(0.5), _mm512_set1_ps(1.0));
    let mut sums = [_mm512_setzero_ps(); SUMS];
    for _ in 0..rounds {
        for i in 0..SUMS {
            sums[i] = _mm512_fmadd_ps(sums[i], half, one);
        }
    }
    let zero = _mm512_setzero_ps();
    _mm512_reduce_add_ps(sums.iter().fold(zero, |total, sum| _mm512_add_ps(total, *sum)))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(rounds: usize) -> f32 {
    use std::arch::x86_64::{
        _mm_add_ss, _mm_cvtss_f32, _mm256_add_ps, _mm256_castps256_ps128, _mm256_extractf128_ps,
        _mm256_fmadd_ps, _mm256_hadd_ps, _mm256_set1_ps, _mm256_setzero_ps,
    };
    let (half, one) = (_mm256_set1_ps(0.5), _mm256_set1_ps(1.0));
    let mut sums = [_mm256_setzero_ps(); SUMS];
    for _ in 0..rounds {
        for i in 0..SUMS {
            sums[i] = _mm256_fmadd_ps(sums[i], half, one);
        }
    }
    let zero = _mm256_setzero_ps();
    let total = sums.iter().fold(zero, |total, sum| _mm256_add_ps(total, *sum));
    let pairs = _mm256_hadd_ps(total, total);
    let halves = _mm256_hadd_ps(pairs, pairs);
    let upper = _mm256_extractf128_ps::<1>(halves);
    _mm_cvtss_f32(_mm_add_ss(_mm256_castps256_ps128(halves), upper))
}

fn portable(rounds: usize) -> f32 {
    let mut sums = [[0.0f32; 4]; SUMS];
    for _ in 0..rounds {
        for i in 0..SUMS {
            sums[i] = sums[i].map(|sum| sum * 0.5 + 1.0);
        }
    }
    sums.as_flattened().iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_runs() {
        for isa in Isa::available() {
            let lanes = match isa.name() {
                "avx512" => 16,
                "avx2" => 8,
                _ => 4,
            };
            let numbers = (lanes * SUMS) as f32;
            // x ← x / 2 + 1 from 0: 1, 1.5, ... converges to 2.
            for (rounds, value) in [(0, 0.0), (1, 1.0), (2, 1.5), (200, 2.0)] {
                let (operations, sum) = multiply_adds(isa, rounds);
                assert_eq!(operations, 2.0 * rounds as f64 * f64::from(numbers));
                assert_eq!(sum, value * numbers, "{} after {rounds} rounds", isa.name());
            }
        }
    }
}
