//! The one place that builds a backend. Nothing else knows which there are: what training,
//! inspection and settings must know of a device, they ask its `info`.

use std::{num::NonZero, thread};

use klubok_cpu::{CpuBackend, Isa, Limits};
use klubok_data::limits;
use klubok_nn::{backend::Backend, plan::Precision};
use klubok_train::config::{ConfigError, Device, Kernel, Machine};

/// What the system lets this process have.
const LIMITS: Limits = Limits {
    available_memory: limits::available_memory,
    machine_memory: limits::machine_memory,
    available_threads: limits::available_threads,
};

/// The device with this many threads and this kernel.
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

/// The fastest kernel that the machine has for a precision.
pub fn fastest(precision: Precision) -> Kernel {
    kernels(precision).first().copied().unwrap_or_default()
}

/// What `auto` means here.
pub fn machine() -> Machine {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    Machine { cores, kernels: kernels(Precision::Bf16) }
}

/// Kernels that the machine has for a precision, the fastest first.
fn kernels(precision: Precision) -> Vec<Kernel> {
    let found = match precision {
        Precision::F32 => Isa::available().into_iter().map(Isa::name).collect::<Vec<_>>(),
        Precision::Bf16 => Isa::available_bf16().into_iter().map(Isa::name_bf16).collect(),
    };
    found.into_iter().filter_map(Kernel::from_name).collect()
}

fn names(precision: Precision) -> String {
    kernels(precision).into_iter().map(Kernel::name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_that_the_machine_has_can_be_opened_and_says_its_name() {
        for precision in [Precision::F32, Precision::Bf16] {
            for kernel in kernels(precision) {
                let backend = open(Device::Cpu, kernel, 2, precision).unwrap();
                let info = backend.info(precision);
                assert_eq!((info.kernel.as_str(), info.threads), (kernel.name(), 2));
            }
        }
        // No kernel has a name that settings do not know.
        assert_eq!(machine().kernels.len(), Isa::available_bf16().len());
        assert_eq!(machine().kernels.last(), Some(&Kernel::Portable));
    }

    #[test]
    fn what_the_machine_lacks_is_refused_by_name() {
        let error = open(Device::Cpu, Kernel::Amx, 1, Precision::F32).err().unwrap().to_string();
        let expected = format!(
            "`train.kernel` is `amx`, but in f32 this machine has {}",
            names(Precision::F32)
        );
        assert_eq!(error, expected);
    }
}
