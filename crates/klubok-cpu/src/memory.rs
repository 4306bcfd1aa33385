//! Checks that the memory of a program is available.

use klubok_kernels::buffer::NoMemory;
use klubok_nn::error::{PlanError, Result};

/// Bytes to leave free for small allocations: without them, the next one aborts the process.
const RESERVE: u64 = 4 << 20;

/// Limits of the process, as functions, because they change with the load of the system.
///
/// The backend does no input or output, so its caller supplies the functions. Each returns `None`
/// if its limit is unknown.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of memory that the process may still allocate.
    pub available_memory: fn() -> Option<u64>,
    /// Bytes of memory that the machine has left, without the limits of the process itself, which
    /// the system enforces.
    pub machine_memory: fn() -> Option<u64>,
    /// Threads that the process may still start.
    pub available_threads: fn() -> Option<u64>,
}

impl Limits {
    /// No known limits.
    pub const UNKNOWN: Self = {
        const fn unknown() -> Option<u64> {
            None
        }
        Self { available_memory: unknown, machine_memory: unknown, available_threads: unknown }
    };
}

/// Checks that a program of `values` f32 fits into the available memory.
pub(crate) fn check(values: f64, limits: Limits) -> Result<()> {
    let fits = |available| bytes(values).saturating_add(RESERVE) <= available;
    let fits =
        (limits.available_memory)().is_none_or(fits) && isize::try_from(bytes(values)).is_ok();
    if fits { Ok(()) } else { Err(out_of_memory(values, limits)) }
}

/// Checks a program of `values` f32 against the memory of the machine, before allocating it. The
/// allocation itself fails beyond the limits of the process.
pub(super) fn check_machine(values: f64, limits: Limits) -> Result<()> {
    let needed = bytes(values);
    let fits = (limits.machine_memory)().is_none_or(|available| needed <= available);
    if fits && isize::try_from(needed).is_ok() {
        Ok(())
    } else {
        Err(out_of_memory(values, limits))
    }
}

/// The error for a program of `values` f32 that does not fit.
pub(super) fn out_of_memory(values: f64, limits: Limits) -> PlanError {
    let needed = bytes(values).saturating_add(RESERVE);
    PlanError::Memory { needed, available: (limits.available_memory)() }
}

fn bytes(values: f64) -> u64 {
    (4.0 * values) as u64
}

/// Allocates `len` copies of a value.
pub(super) fn filled<T: Clone>(len: usize, value: T) -> std::result::Result<Vec<T>, NoMemory> {
    let mut values = Vec::new();
    let no_memory = |_| NoMemory { bytes: len.saturating_mul(size_of::<T>()) };
    values.try_reserve_exact(len).map_err(no_memory)?;
    values.resize(len, value);
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_larger_than_any_machine_is_an_error() {
        check(1000.0, Limits::UNKNOWN).unwrap();
        for values in [1e19, 1e30, f64::INFINITY] {
            let error = check(values, Limits::UNKNOWN).unwrap_err().to_string();
            assert!(error.starts_with("the network needs about"), "{error}");
        }
        assert!(filled(usize::MAX, 1u32).is_err());
    }

    #[test]
    fn a_program_larger_than_the_free_memory_is_an_error() {
        let limits = Limits { available_memory: || Some(8 << 20), ..Limits::UNKNOWN };
        check(1e6, limits).unwrap();
        let error = check(1.1e6, limits).unwrap_err().to_string();
        assert!(error.contains("8 MiB can be had"), "{error}");
        let machine = Limits { machine_memory: || Some(8 << 20), ..Limits::UNKNOWN };
        check_machine(2e6, machine).unwrap();
        assert!(check_machine(2.2e6, machine).is_err());
    }
}
