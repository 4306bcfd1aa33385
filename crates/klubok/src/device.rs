//! The one place that builds a backend. Nothing else knows which there are: what training,
//! inspection and settings must know of a device, they ask its `info`.

use std::{num::NonZero, thread};

use klubok_cpu::{CpuBackend, Limits};
use klubok_data::limits;
use klubok_nn::{backend::Backend, plan::Precision};
use klubok_train::config::{Device, Machine};

/// What the system lets this process have.
const LIMITS: Limits = Limits {
    available_memory: limits::available_memory,
    machine_memory: limits::machine_memory,
    available_threads: limits::available_threads,
};

/// The device with this many threads and the kernel of this name, or the best that the machine has;
/// none where it lacks that kernel.
pub fn open(
    device: Device,
    kernel: Option<&str>,
    threads: usize,
    precision: Precision,
) -> Option<Box<dyn Backend>> {
    match device {
        Device::Cpu => {
            let backend = match kernel {
                Some(kernel) => CpuBackend::named(threads, precision, kernel)?,
                None => CpuBackend::new(threads),
            };
            Some(Box::new(backend.within(LIMITS)))
        }
    }
}

/// What `auto` means here.
pub fn machine() -> Machine {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    Machine { cores, precision: CpuBackend::fastest_precision() }
}
