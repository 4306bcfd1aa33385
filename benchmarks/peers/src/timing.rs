//! Times steps as `klubok bench` does.

use std::time::{Duration, Instant};

use crate::settings::{BATCHES, Settings};

/// Warm-up steps, not timed.
const WARM_UP: usize = 5;

/// Calls `step` with the index of a batch until the window is full, and prints the timing.
///
/// A step returns its loss in a form that `loss` can read; only the last loss is read.
pub fn measure<T>(settings: &Settings, mut step: impl FnMut(usize) -> T, loss: impl Fn(T) -> f64) {
    let mut last = None;
    for index in 0..WARM_UP {
        last = Some(step(index));
    }
    let mut times: Vec<Duration> = Vec::new();
    let begin = Instant::now();
    while times.is_empty() || begin.elapsed() < settings.window {
        let started = Instant::now();
        last = Some(step((WARM_UP + times.len()) % BATCHES));
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let median = times[times.len() / 2].as_secs_f64();
    println!(
        "{{\"samples_per_second\":{},\"ms_per_step\":{},\"steps\":{},\"loss\":{}}}",
        settings.batch as f64 / median,
        1000.0 * median,
        times.len(),
        last.map_or(f64::NAN, loss)
    );
}
