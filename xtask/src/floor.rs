//! `xtask floor`: the least time that a training step can take on this machine with the kernels
//! that klubok has.
//!
//! `floor = operations / matrix rate + update time`: the step's matrix products at the rate of the
//! inner kernel on operands that are in a cache, and one sweep of Adam over weights and moments of
//! the network's size. Neither waits for data, activations or other threads. Run it as a release
//! build: its loops are the measurement.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Args, ValueEnum};
use klubok_kernels::{
    buffer::Buffer,
    isa::Isa,
    parts::Chunks,
    pool::{ALWAYS_SHARED, Pool},
    product::{GROUP, Lanes, Operand, Prefetch, Scalars, Size, product},
    update::{Rule, UpdateStep, update},
};
use serde::{Deserialize, Serialize};

use crate::bench::{probe::Probe, workload::Layers};

/// Shapes that suit the kernels: the floor takes the fastest. Depth and groups leave the lanes in
/// the first cache.
const TILES: [Size; 4] = [
    Size { rows: 64, groups: 3, depth: 128 },
    Size { rows: 64, groups: 3, depth: 256 },
    Size { rows: 64, groups: 6, depth: 256 },
    Size { rows: 120, groups: 8, depth: 256 },
];
/// Operations of a thread between two looks at the clock: some milliseconds.
const BURST: f64 = 2e8;
/// Values of a tile of the update: its gradient stays in the first cache, as a gradient just made
/// would.
const TILE: usize = 2048;
/// Bytes that an update moves for a parameter: weight and two moments, read and written.
const MOVED: f64 = 24.0;

/// What to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The network, such as 784-256-10
    #[arg(long)]
    layers: Layers,
    /// Samples of a step
    #[arg(long)]
    batch_size: usize,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// How long to measure, in all
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Numbers that the matrix products multiply
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
}

/// Numbers that matrix products multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Precision {
    /// 24 bits of precision.
    F32,
    /// 8 bits of precision, sums in f32.
    Bf16,
}

impl Precision {
    /// As it is written everywhere.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

/// What was measured; rates are of all threads together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Floor {
    /// Of the products.
    pub(crate) precision: Precision,
    /// Kernel path.
    pub(crate) kernel: String,
    /// Rows, groups of 16 lanes and depth of the fastest tile.
    pub(crate) tile: String,
    /// Of multiply-adds that stay in registers.
    pub(crate) register_gflops: f64,
    /// Of the inner kernel.
    pub(crate) matrix_gflops: f64,
    /// The step's products at that rate.
    pub(crate) matrix_ms: f64,
    /// Of the update rule.
    pub(crate) update_gb_per_second: f64,
    /// Its sweep.
    pub(crate) update_ms: f64,
    /// Both.
    #[serde(rename = "floor_ms")]
    pub(crate) step_ms: f64,
}

/// Measures and prints a line of JSON.
///
/// # Errors
/// When there is no kernel for the precision.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { layers, batch_size, threads, seconds, precision } = arguments;
    let isa = Isa::best();
    let register_gflops = Probe::new(*threads)?.best();
    let mut pool = Pool::new(*threads, 0)?;
    let window = Duration::from_secs_f64(seconds / 2.0);
    let (mut rate, mut tile) = (0.0, TILES[0]);
    for candidate in TILES {
        let found = matrix_rate(&mut pool, isa, *precision, candidate, window / 4)?;
        if found > rate {
            (rate, tile) = (found, candidate);
        }
    }
    let parameters = layers.parameters();
    let update_seconds = update_sweep(&mut pool, isa, parameters, window)?;
    let matrix_ms = 1e3 * layers.operations(*batch_size) / rate;
    let floor = Floor {
        precision: *precision,
        kernel: match precision {
            Precision::F32 => isa.name(),
            Precision::Bf16 => isa.name_bf16(),
        }
        .to_owned(),
        tile: format!("{}x{}x{}", tile.rows, tile.groups * GROUP, tile.depth),
        register_gflops,
        matrix_gflops: rate / 1e9,
        matrix_ms,
        update_gb_per_second: MOVED * parameters as f64 / update_seconds / 1e9,
        update_ms: 1e3 * update_seconds,
        step_ms: matrix_ms + 1e3 * update_seconds,
    };
    println!("{}", serde_json::to_string(&floor)?);
    Ok(())
}

/// Operations a second of the inner kernel, each thread on a tile of its own.
fn matrix_rate(
    pool: &mut Pool,
    isa: Isa,
    precision: Precision,
    tile: Size,
    window: Duration,
) -> Result<f64> {
    Ok(match precision {
        Precision::F32 => product_rate(pool, isa, tile, 1.0, window)?,
        // A pair of ones in bf16; every multiply-add of pairs is two of numbers.
        Precision::Bf16 => 2.0 * product_rate(pool, isa, tile, 0x3F80_3F80_u32, window)?,
    })
}

fn product_rate<T: Operand>(
    pool: &mut Pool,
    isa: Isa,
    tile: Size,
    one: T,
    window: Duration,
) -> Result<f64> {
    let threads = pool.threads();
    let stride = tile.groups * GROUP;
    let mut out = Buffer::new(threads * tile.rows * stride)?;
    let (mut x, mut w) = (Buffer::new(tile.depth * stride)?, Buffer::new(tile.depth * tile.rows)?);
    x.fill(one);
    w.fill(one);
    let lanes = Lanes { values: &x[..], step: stride, group: GROUP };
    let scalars = Scalars { values: &w[..], step: 1, stride: tile.depth };
    let operations = 2.0 * (tile.rows * stride * tile.depth) as f64;
    let often = (BURST / operations).ceil();
    let seconds = median_time(window, || {
        pool.run(threads, ALWAYS_SHARED, Chunks::new(&mut out, tile.rows * stride), |_, out, _| {
            for _ in 0..often as usize {
                product(isa, out, stride, tile, lanes, scalars, Prefetch::default(), false);
            }
        });
    });
    Ok(operations * often * threads as f64 / seconds)
}

/// Seconds of an update of so many parameters, cut into tiles for the threads.
fn update_sweep(pool: &mut Pool, isa: Isa, parameters: usize, window: Duration) -> Result<f64> {
    let len = parameters.next_multiple_of(GROUP);
    let (mut w, mut first, mut second) = (Buffer::new(len)?, Buffer::new(len)?, Buffer::new(len)?);
    let mut gradient = Buffer::new(TILE)?;
    gradient.fill(1e-3);
    let rule = Rule::Adam {
        beta: [0.9, 0.999],
        one_minus_beta: [0.1, 0.001],
        epsilon: 1e-8,
        root_correction: 1.0,
    };
    let step = UpdateStep { rule, step_size: 1e-3, shrink: 1.0, clip: 1.0 };
    let seconds = median_time(window, || {
        let chunks = |values| Chunks::new(values, TILE);
        let parts = (chunks(&mut w), chunks(&mut first), chunks(&mut second));
        pool.run(len.div_ceil(TILE), ALWAYS_SHARED, parts, |_, (w, first, second), _| {
            let g = &gradient[..w.len()];
            update(isa, step, w, g, first, second, false);
        });
    });
    Ok(seconds)
}

/// The median time of a call within a window, of at least three; one before it is not counted.
fn median_time(window: Duration, mut call: impl FnMut()) -> f64 {
    call();
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || begun.elapsed() < window {
        let started = Instant::now();
        call();
        times.push(started.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_terms_are_measured_whatever_the_size() {
        let mut pool = Pool::new(2, 0).unwrap();
        let isa = Isa::best();
        for tile in TILES {
            for precision in [Precision::F32, Precision::Bf16] {
                assert!(
                    matrix_rate(&mut pool, isa, precision, tile, Duration::ZERO).unwrap() > 0.0
                );
            }
        }
        for parameters in [1, 16, TILE + 1] {
            assert!(update_sweep(&mut pool, isa, parameters, Duration::ZERO).unwrap() > 0.0);
        }
    }
}
