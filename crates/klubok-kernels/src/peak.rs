//! The most that a core can multiply and add: a loop whose numbers never leave the registers.
//!
//! It is what a benchmark holds rates against, and a probe of how much of the machine is there at the moment.

use crate::isa::{Isa, Set, kernel};

/// Sums beside each other: enough to fill the pipelines, few enough for 16 registers.
const SUMS: usize = 12;

/// Multiplies and adds for `rounds` rounds. Returns how many floating-point operations that were, two for each fused
/// pair, and a number that all of them went into.
pub fn multiply_adds(isa: Isa, rounds: usize) -> (f64, f32) {
    let (lanes, sum) = match isa.set() {
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => (16, wide(isa, rounds)),
        _ => (8, narrow(isa, rounds)),
    };
    (2.0 * (lanes * SUMS) as f64 * rounds as f64, sum)
}

#[inline(always)]
fn chains<const LANES: usize>(rounds: usize) -> f32 {
    let mut sums: [[f32; LANES]; SUMS] = std::array::from_fn(|i| [i as f32; LANES]);
    for _ in 0..rounds {
        for sums in &mut sums {
            for sum in sums {
                *sum = sum.mul_add(0.5, 1.0);
            }
        }
    }
    sums.as_flattened().iter().sum()
}

kernel! {
    /// The sum of all chains after so many rounds, in vectors of 16 lanes.
    pub fn wide(rounds: usize) -> f32 {
        chains::<16>(rounds)
    }
}

kernel! {
    /// The same in vectors of 8 lanes.
    pub fn narrow(rounds: usize) -> f32 {
        chains::<8>(rounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_done() {
        for isa in Isa::available() {
            let (operations, sum) = multiply_adds(isa, 200);
            let lanes = if isa.name() == "avx512" { 16.0 } else { 8.0 };
            assert_eq!(operations, 2.0 * 200.0 * lanes * SUMS as f64);
            // x ← x / 2 + 1 ends at 2, wherever it begins.
            assert_eq!(sum, 2.0 * (lanes as f32) * SUMS as f32, "{}", isa.name());
        }
    }
}
