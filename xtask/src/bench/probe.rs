//! The probe: measures how much of the machine is available.
//!
//! A build beside a benchmark costs one contender half its speed and another nearly all of it, so
//! taking turns does not make a comparison fair. Each timing therefore stands between two probes,
//! 20 ms of multiply-adds in the registers of all threads. It counts only if both probes find the
//! machine nearly as fast as the best probe so far.

use std::{
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use klubok_kernels::{
    isa::Isa,
    peak::multiply_adds,
    pool::{ALWAYS_SHARED, Pool},
};

/// Duration of a window.
const WINDOW: Duration = Duration::from_millis(20);
/// Rounds of multiply-adds between two readings of the clock: about 30 microseconds, so that the
/// readings cost nothing.
const ROUNDS: usize = 10_000;
/// On a quiet machine a probe reaches this share of the best rate.
const QUIET_SHARE: f64 = 0.95;
/// After this many repeats, a timing is kept even on a busy machine.
const MAX_REPEATS: usize = 10;
/// Wait before a timing on a busy machine; the wait grows by this much each time.
const PAUSE: Duration = Duration::from_millis(100);
/// Windows of a probe at most: a single fast one shows that the machine is quiet.
const MAX_WINDOWS: usize = 3;

/// Measures the machine's rate.
pub(crate) struct Probe {
    pool: Pool,
    isa: Isa,
    best: f64,
}

/// A result, and how quiet the machine was.
#[derive(Debug, PartialEq)]
pub(crate) struct Probed<T> {
    /// The result.
    pub(crate) value: T,
    /// Number of discarded attempts.
    pub(crate) repeats: usize,
    /// True if the machine was busy in the last attempt too.
    pub(crate) noisy: bool,
}

impl Probe {
    /// Creates a probe and measures the machine's best rate.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub(crate) fn new(threads: usize) -> Result<Self> {
        let mut probe = Self { pool: Pool::new(threads, 0)?, isa: Isa::best(), best: 0.0 };
        for _ in 0..10 {
            probe.rate();
        }
        Ok(probe)
    }

    /// Floating-point operations per second in the registers of all threads, in 10⁹.
    ///
    /// An idle virtual machine may get its cores one after the other, and at a low clock. So a
    /// warm-up window does not count, and the best of the others does.
    pub(crate) fn rate(&mut self) -> f64 {
        self.window();
        let mut rate: f64 = 0.0;
        for _ in 0..MAX_WINDOWS {
            rate = rate.max(self.window());
            if is_quiet(rate, self.best) {
                break;
            }
        }
        self.best = self.best.max(rate);
        rate
    }

    /// The rate in one window.
    fn window(&mut self) -> f64 {
        let (isa, rounds) = (self.isa, AtomicUsize::new(0));
        let started = Instant::now();
        self.pool.run(self.pool.threads(), ALWAYS_SHARED, (), |_, (), _| {
            let begin = Instant::now();
            while begin.elapsed() < WINDOW {
                black_box(multiply_adds(isa, ROUNDS));
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        });
        let seconds = started.elapsed().as_secs_f64();
        let (operations, _) = multiply_adds(isa, ROUNDS);
        operations * rounds.into_inner() as f64 / seconds / 1e9
    }

    /// The best rate so far, in 10⁹.
    pub(crate) fn best(&self) -> f64 {
        self.best
    }

    /// Repeats `run` until the machine is quiet, up to a limit, and returns its result.
    ///
    /// # Errors
    /// Those of `run`.
    pub(crate) fn guard<T>(&mut self, run: impl FnMut() -> Result<T>) -> Result<Probed<T>> {
        let is_quiet = || is_quiet(self.rate(), self.best);
        repeat(is_quiet, |repeats| thread::sleep(PAUSE * repeats), run)
    }
}

fn is_quiet(rate: f64, best: f64) -> bool {
    rate >= QUIET_SHARE * best
}

/// Calls `run` between two probes until both find the machine quiet; waits if the first does not.
fn repeat<T>(
    mut is_quiet: impl FnMut() -> bool,
    mut pause: impl FnMut(u32),
    mut run: impl FnMut() -> Result<T>,
) -> Result<Probed<T>> {
    for repeats in 0.. {
        let last = repeats == MAX_REPEATS;
        let before = is_quiet();
        if !before && !last {
            pause(repeats as u32 + 1);
            continue;
        }
        let value = run()?;
        let noisy = !(is_quiet() && before);
        if !noisy || last {
            return Ok(Probed { value, repeats, noisy });
        }
    }
    unreachable!("the last attempt is kept")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Repeats a count of runs with these results of probes; returns the last count and the number
    /// of pauses.
    fn repeat_with(probes: &[bool]) -> (Probed<usize>, usize) {
        let (mut probes, mut runs, mut pauses) = (probes.iter(), 0, 0);
        let is_quiet = || *probes.next().expect("too many probes");
        let run = || {
            runs += 1;
            Ok(runs)
        };
        (repeat(is_quiet, |_| pauses += 1, run).unwrap(), pauses)
    }

    #[test]
    fn a_quiet_machine_needs_one_run() {
        assert_eq!(repeat_with(&[true, true]), (Probed { value: 1, repeats: 0, noisy: false }, 0));
    }

    #[test]
    fn disturbed_runs_are_repeated_after_a_busy_machine_recovers() {
        let probes = [true, false, false, true, true];
        assert_eq!(repeat_with(&probes), (Probed { value: 2, repeats: 2, noisy: false }, 1));
    }

    #[test]
    fn a_permanently_busy_machine_gives_a_noisy_result() {
        let (probed, pauses) = repeat_with(&[false; MAX_REPEATS + 2]);
        assert_eq!(probed, Probed { value: 1, repeats: MAX_REPEATS, noisy: true });
        assert_eq!(pauses, MAX_REPEATS);
    }

    #[test]
    fn a_quiet_machine_reaches_95_percent_of_the_best_rate() {
        assert!(is_quiet(95.0, 100.0));
        assert!(!is_quiet(94.9, 100.0));
    }

    #[test]
    fn the_rate_is_positive_and_at_most_the_best() {
        let mut probe = Probe::new(1).unwrap();
        let rate = probe.rate();
        assert!(rate > 0.0);
        assert!(probe.best() >= rate);
    }
}
