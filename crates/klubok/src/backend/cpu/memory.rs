//! How much memory the machine has to give.

use crate::error::{PlanError, Result};

const GIB: f64 = (1u64 << 30) as f64;

/// Refuses a program of `values` f32 that does not fit into what is available.
pub(crate) fn check(values: f64) -> Result<()> {
    match available_bytes() {
        Some(available) if values * 4.0 > available => Err(PlanError::Memory {
            needed_gib: values * 4.0 / GIB,
            available_gib: available / GIB,
        }
        .into()),
        _ => Ok(()),
    }
}

/// Linux says what programs may still take; elsewhere nothing is known.
fn available_bytes() -> Option<f64> {
    let text = fs_err::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_larger_than_any_machine_is_refused() {
        check(1000.0).unwrap();
        if available_bytes().is_some() {
            let error = check(1e18).unwrap_err().to_string();
            assert!(error.starts_with("the network needs about"), "{error}");
        }
    }
}
