//! `xtask floor`: the minimal time of a training step on this machine with klubok's kernels.
//!
//! `floor = operations / matrix rate + update time`: the step's matrix products at the rate of the
//! inner kernel on cached operands, and one Adam sweep over weights and moments of the network's
//! size. Neither term waits for data, activations or other threads. Needs a release build, since it
//! times its own loops.

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

use super::{probe::Probe, workload::Layers};

/// Tile shapes that suit the kernels; the floor uses the fastest. The lanes fit into the L1 cache.
const TILES: [Size; 4] = [
    Size { rows: 64, groups: 3, depth: 128 },
    Size { rows: 64, groups: 3, depth: 256 },
    Size { rows: 64, groups: 6, depth: 256 },
    Size { rows: 120, groups: 8, depth: 256 },
];
/// Operations per thread between two readings of the clock: a few milliseconds.
const BURST: f64 = 2e8;
/// Values in a tile of the update. Its gradient stays in the L1 cache, as a gradient just computed
/// would.
const UPDATE_TILE: usize = 2048;
/// Bytes that an update moves per parameter: weight and two moments, read and written.
const BYTES_PER_PARAMETER: f64 = 24.0;

/// Flags of `xtask floor`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The network, such as 784-256-10
    #[arg(long)]
    layers: Layers,
    /// Samples in a step
    #[arg(long)]
    batch_size: usize,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Total measuring time
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Precision of the operands of matrix products
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
}

/// Precision of the operands of matrix products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Precision {
    /// 24 bits of precision.
    F32,
    /// 8 bits of precision, sums in f32.
    Bf16,
}

impl Precision {
    /// Name in flags and tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

/// The measured floor. Rates are those of all threads together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Floor {
    /// Precision of the products.
    pub(crate) precision: Precision,
    /// Kernel path.
    pub(crate) kernel: String,
    /// Rows, groups of 16 lanes and depth of the fastest tile.
    pub(crate) tile: String,
    /// Rate of multiply-adds in registers.
    pub(crate) register_gflops: f64,
    /// Rate of the inner kernel.
    pub(crate) matrix_gflops: f64,
    /// Time of the step's products at that rate.
    pub(crate) matrix_ms: f64,
    /// Memory rate of the update rule.
    pub(crate) update_gb_per_second: f64,
    /// Time of its sweep.
    pub(crate) update_ms: f64,
    /// Time of both.
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
        update_gb_per_second: BYTES_PER_PARAMETER * parameters as f64 / update_seconds / 1e9,
        update_ms: 1e3 * update_seconds,
        step_ms: matrix_ms + 1e3 * update_seconds,
    };
    println!("{}", serde_json::to_string(&floor)?);
    Ok(())
}

/// Operations per second of the inner kernel, with a tile per thread.
fn matrix_rate(
    pool: &mut Pool,
    isa: Isa,
    precision: Precision,
    tile: Size,
    window: Duration,
) -> Result<f64> {
    Ok(match precision {
        Precision::F32 => product_rate(pool, isa, tile, 1.0, window)?,
        // A pair of ones in bf16; a multiply-add of pairs is two of numbers.
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
    let repeats = (BURST / operations).ceil();
    let seconds = median_time(window, || {
        pool.run(threads, ALWAYS_SHARED, Chunks::new(&mut out, tile.rows * stride), |_, out, _| {
            for _ in 0..repeats as usize {
                product(isa, out, stride, tile, lanes, scalars, Prefetch::default(), false);
            }
        });
    });
    Ok(operations * repeats * threads as f64 / seconds)
}

/// Seconds of an update of all parameters, tile by tile on all threads.
fn update_sweep(pool: &mut Pool, isa: Isa, parameters: usize, window: Duration) -> Result<f64> {
    let len = parameters.next_multiple_of(GROUP);
    let (mut w, mut first, mut second) = (Buffer::new(len)?, Buffer::new(len)?, Buffer::new(len)?);
    let mut gradient = Buffer::new(UPDATE_TILE)?;
    gradient.fill(1e-3);
    let rule = Rule::Adam {
        beta: [0.9, 0.999],
        one_minus_beta: [0.1, 0.001],
        epsilon: 1e-8,
        root_correction: 1.0,
    };
    let change = UpdateStep { rule, step_size: 1e-3, shrink: 1.0, clip: 1.0 };
    let seconds = median_time(window, || {
        let chunks = |values| Chunks::new(values, UPDATE_TILE);
        let parts = (chunks(&mut w), chunks(&mut first), chunks(&mut second));
        pool.run(len.div_ceil(UPDATE_TILE), ALWAYS_SHARED, parts, |_, (w, first, second), _| {
            let g = &gradient[..w.len()];
            update(isa, change, w, g, first, second, false);
        });
    });
    Ok(seconds)
}

/// Median time of the calls within a window, at least three, after one warm-up call.
fn median_time(window: Duration, mut call: impl FnMut()) -> f64 {
    call();
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || begin.elapsed() < window {
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
    fn rates_and_update_times_are_positive_for_all_sizes() {
        let mut pool = Pool::new(2, 0).unwrap();
        let isa = Isa::best();
        for tile in TILES {
            for precision in [Precision::F32, Precision::Bf16] {
                assert!(
                    matrix_rate(&mut pool, isa, precision, tile, Duration::ZERO).unwrap() > 0.0
                );
            }
        }
        for parameters in [1, 16, UPDATE_TILE + 1] {
            assert!(update_sweep(&mut pool, isa, parameters, Duration::ZERO).unwrap() > 0.0);
        }
    }
}
