//! The only place that builds a backend. Training, inspection and settings learn about a device
//! from its `info` alone.
//!
//! ```
//! use klubok::{device, plan::Precision};
//!
//! let backend = device::cpu(2);
//! assert_eq!(backend.info(Precision::F32).threads, 2);
//! ```

use std::{num::NonZero, thread};

use klubok_cpu::{CpuBackend, Isa, Limits};
use klubok_files::limits;
use klubok_nn::{backend::Backend, plan::Precision};
use klubok_train::config::{Config, ConfigError, Device, Kernel, Machine};

/// Functions that report the system's limits for this process.
const LIMITS: Limits = Limits {
    available_memory: limits::available_memory,
    machine_memory: limits::machine_memory,
    available_threads: limits::available_threads,
};

/// Opens the device with this many threads and this kernel.
///
/// # Errors
/// When the machine lacks the kernel, or the kernel does not compute in the precision.
pub fn open(
    device: Device,
    kernel: Kernel,
    threads: usize,
    precision: Precision,
) -> Result<Box<dyn Backend>, ConfigError> {
    match device {
        Device::Cpu => match CpuBackend::named(threads, precision, kernel.name()) {
            Some(backend) => Ok(Box::new(backend.within(LIMITS))),
            None => Err(ConfigError::Conflict {
                key: "train.kernel",
                value: kernel.name().to_owned(),
                why: format!("in {} this machine has {}", precision.name(), names(precision)),
            }),
        },
    }
}

/// Opens the device of some settings.
///
/// # Errors
/// As [`open`].
pub fn of(config: &Config) -> Result<Box<dyn Backend>, ConfigError> {
    let train = &config.train;
    open(train.device, train.kernel, train.threads, train.precision)
}

/// Opens the CPU with its fastest f32 kernel, for predictions and inspection.
///
/// # Panics
/// If no kernel is available; the portable one always is.
pub fn cpu(threads: usize) -> Box<dyn Backend> {
    let kernel = fastest(Precision::F32);
    open(Device::Cpu, kernel, threads, Precision::F32).expect("the machine has its fastest kernel")
}

/// Returns the machine's fastest kernel for a precision.
pub fn fastest(precision: Precision) -> Kernel {
    kernels(precision).first().copied().unwrap_or_default()
}

/// Describes this machine, to resolve `auto`.
pub fn machine() -> Machine {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    Machine { cores, kernels: kernels(Precision::Bf16) }
}

/// Lists the machine's kernels for a precision, the fastest first.
fn kernels(precision: Precision) -> Vec<Kernel> {
    let names = match precision {
        Precision::F32 => Isa::available().into_iter().map(Isa::name).collect::<Vec<_>>(),
        Precision::Bf16 => Isa::available_bf16().into_iter().map(Isa::name_bf16).collect(),
    };
    names.into_iter().filter_map(Kernel::from_name).collect()
}

fn names(precision: Precision) -> String {
    kernels(precision).into_iter().map(Kernel::name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_every_available_kernel_and_reports_its_name() {
        for precision in [Precision::F32, Precision::Bf16] {
            for kernel in kernels(precision) {
                let backend = open(Device::Cpu, kernel, 2, precision).unwrap();
                let info = backend.info(precision);
                assert_eq!((info.kernel.as_str(), info.threads), (kernel.name(), 2));
            }
        }
        // The settings know the name of every kernel.
        assert_eq!(machine().kernels.len(), Isa::available_bf16().len());
        assert_eq!(machine().kernels.last(), Some(&Kernel::Portable));
    }

    #[test]
    fn the_error_names_a_kernel_that_the_machine_lacks() {
        let error = open(Device::Cpu, Kernel::Amx, 1, Precision::F32).err().unwrap().to_string();
        let expected = format!(
            "`train.kernel` is `amx`, but in f32 this machine has {}",
            names(Precision::F32)
        );
        assert_eq!(error, expected);
    }
}
