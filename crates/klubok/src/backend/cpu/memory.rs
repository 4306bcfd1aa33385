//! Whether the memory that a program takes can be had.

use klubok_kernels::buffer::NoMemory;

use crate::{
    error::{Error, PlanError, Result},
    limits,
};

/// Refuses a program of `values` f32 that does not fit into what is available.
pub(crate) fn check(values: f64) -> Result<()> {
    if limits::fits(bytes(values)) { Ok(()) } else { Err(refused(values)) }
}

/// The same before memory is taken that the system refuses by itself where it is beyond the limits
/// of the process.
pub(super) fn check_machine(values: f64) -> Result<()> {
    let needed = bytes(values);
    let fits = limits::machine_memory().is_none_or(|available| needed <= available);
    if fits && isize::try_from(needed).is_ok() { Ok(()) } else { Err(refused(values)) }
}

/// What is said of a program of `values` f32 for which there is no memory.
pub(super) fn refused(values: f64) -> Error {
    let needed = bytes(values).saturating_add(limits::SPARE);
    PlanError::Memory { needed, available: limits::available_memory() }.into()
}

fn bytes(values: f64) -> u64 {
    (4.0 * values) as u64
}

/// So many values that are the same.
pub(super) fn filled<T: Clone>(len: usize, value: T) -> std::result::Result<Vec<T>, NoMemory> {
    let mut all = Vec::new();
    let none = |_| NoMemory { bytes: len.saturating_mul(size_of::<T>()) };
    all.try_reserve_exact(len).map_err(none)?;
    all.resize(len, value);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_larger_than_any_machine_is_refused() {
        check(1000.0).unwrap();
        for values in [1e18, 1e30, f64::INFINITY] {
            let error = check(values).unwrap_err().to_string();
            assert!(error.starts_with("the network needs about"), "{error}");
        }
        assert!(filled(usize::MAX, 1u32).is_err());
    }
}
