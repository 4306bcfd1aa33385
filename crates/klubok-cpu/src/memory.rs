//! Whether the memory that a program takes can be had.

use klubok_kernels::buffer::NoMemory;
use klubok_nn::error::{PlanError, Result};

/// What stays free for everything small: where nothing is left, the next small thing ends the
/// process without a word.
const SPARE: u64 = 4 << 20;

/// What the system lets this process have, as far as it is known. Others take from the same, so it
/// is asked anew each time. The backend does no input or output: its maker says whom to ask.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of memory that the process may still take.
    pub available_memory: fn() -> Option<u64>,
    /// The same without the limits of the process itself: the system lets nobody go beyond those.
    pub machine_memory: fn() -> Option<u64>,
    /// Threads that the process may still start.
    pub available_threads: fn() -> Option<u64>,
}

impl Limits {
    /// Nothing is known.
    pub const UNKNOWN: Self = {
        const fn unknown() -> Option<u64> {
            None
        }
        Self { available_memory: unknown, machine_memory: unknown, available_threads: unknown }
    };
}

/// Refuses a program of `values` f32 that does not fit into what is available.
pub(crate) fn check(values: f64, limits: Limits) -> Result<()> {
    let fits = |available| bytes(values).saturating_add(SPARE) <= available;
    let fits =
        (limits.available_memory)().is_none_or(fits) && isize::try_from(bytes(values)).is_ok();
    if fits { Ok(()) } else { Err(refused(values, limits)) }
}

/// The same before memory is taken that the system refuses by itself where it is beyond the limits
/// of the process.
pub(super) fn check_machine(values: f64, limits: Limits) -> Result<()> {
    let needed = bytes(values);
    let fits = (limits.machine_memory)().is_none_or(|available| needed <= available);
    if fits && isize::try_from(needed).is_ok() { Ok(()) } else { Err(refused(values, limits)) }
}

/// What is said of a program of `values` f32 for which there is no memory.
pub(super) fn refused(values: f64, limits: Limits) -> PlanError {
    let needed = bytes(values).saturating_add(SPARE);
    PlanError::Memory { needed, available: (limits.available_memory)() }
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
        check(1000.0, Limits::UNKNOWN).unwrap();
        for values in [1e19, 1e30, f64::INFINITY] {
            let error = check(values, Limits::UNKNOWN).unwrap_err().to_string();
            assert!(error.starts_with("the network needs about"), "{error}");
        }
        assert!(filled(usize::MAX, 1u32).is_err());
    }

    #[test]
    fn a_program_larger_than_what_is_left_is_refused() {
        let limits = Limits { available_memory: || Some(8 << 20), ..Limits::UNKNOWN };
        check(1e6, limits).unwrap();
        let error = check(1.1e6, limits).unwrap_err().to_string();
        assert!(error.contains("8 MiB can be had"), "{error}");
        let machine = Limits { machine_memory: || Some(8 << 20), ..Limits::UNKNOWN };
        check_machine(2e6, machine).unwrap();
        assert!(check_machine(2.2e6, machine).is_err());
    }
}
