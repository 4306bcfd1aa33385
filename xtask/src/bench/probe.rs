//! The probe: how much of the machine is there at the moment.
//!
//! A build that runs beside a benchmark costs one contender half its speed and another nearly all
//! of it, so taking turns does not make a comparison fair. Each timing therefore stands between two
//! probes, 20 ms of multiply-adds in the registers of all threads, and counts only if both found
//! the machine nearly as fast as the best probe so far.

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

/// How long a probe lasts.
const WINDOW: Duration = Duration::from_millis(20);
/// Rounds of multiply-adds between two looks at the clock: some 30 microseconds, so that the looks
/// cost nothing.
const ROUNDS: usize = 10_000;
/// Share of the best rate that a probe must reach.
const QUIET: f64 = 0.95;
/// How often a timing is thrown away before it is kept all the same.
const REPEATS: usize = 10;
/// How long to wait when the machine is busy before a timing; once more as long each time.
const PAUSE: Duration = Duration::from_millis(100);
/// Windows of a probe: one that is fast shows that the machine is free.
const WINDOWS: usize = 3;

/// Measures the machine.
pub(crate) struct Probe {
    pool: Pool,
    isa: Isa,
    best: f64,
}

/// A result, and how it came about.
#[derive(Debug, PartialEq)]
pub(crate) struct Probed<T> {
    /// The result.
    pub(crate) value: T,
    /// How often it was thrown away before.
    pub(crate) repeats: usize,
    /// The machine was busy in the last repeat, too.
    pub(crate) noisy: bool,
}

impl Probe {
    /// A probe of so many threads, which knows the machine from a few looks at it.
    ///
    /// # Errors
    /// When there are not so many threads to be had.
    pub(crate) fn new(threads: usize) -> Result<Self> {
        let mut probe = Self { pool: Pool::new(threads, 0)?, isa: Isa::best(), best: 0.0 };
        for _ in 0..10 {
            probe.rate();
        }
        Ok(probe)
    }

    /// Floating-point operations a second in the registers of all threads, in 10⁹.
    ///
    /// A virtual machine that was idle may get its cores one after the other, and at a low clock: a
    /// window before the probe is not counted, and of those that count the best does.
    pub(crate) fn rate(&mut self) -> f64 {
        self.window();
        let mut rate: f64 = 0.0;
        for _ in 0..WINDOWS {
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
            let begun = Instant::now();
            while begun.elapsed() < WINDOW {
                black_box(multiply_adds(isa, ROUNDS));
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        });
        let seconds = started.elapsed().as_secs_f64();
        let (each, _) = multiply_adds(isa, ROUNDS);
        each * rounds.into_inner() as f64 / seconds / 1e9
    }

    /// The best rate so far, in 10⁹.
    pub(crate) fn best(&self) -> f64 {
        self.best
    }

    /// What `run` measures while the machine is quiet; repeated until it is, but not for ever.
    ///
    /// # Errors
    /// Those of `run`.
    pub(crate) fn guard<T>(&mut self, run: impl FnMut() -> Result<T>) -> Result<Probed<T>> {
        let look = || is_quiet(self.rate(), self.best);
        repeated(look, |repeats| thread::sleep(PAUSE * repeats), run)
    }
}

fn is_quiet(rate: f64, best: f64) -> bool {
    rate >= QUIET * best
}

/// Calls `run` between two looks until both are good; waits instead where the first is not.
fn repeated<T>(
    mut is_quiet: impl FnMut() -> bool,
    mut pause: impl FnMut(u32),
    mut run: impl FnMut() -> Result<T>,
) -> Result<Probed<T>> {
    for repeats in 0.. {
        let last = repeats == REPEATS;
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
    unreachable!("the last repeat is kept")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How it ended when the looks went like this, and how often it ran and waited.
    fn tried(looks: &[bool]) -> (Probed<usize>, usize) {
        let (mut looks, mut runs, mut pauses) = (looks.iter(), 0, 0);
        let look = || *looks.next().expect("too many looks");
        let run = || {
            runs += 1;
            Ok(runs)
        };
        (repeated(look, |_| pauses += 1, run).unwrap(), pauses)
    }

    #[test]
    fn a_quiet_machine_needs_one_run() {
        assert_eq!(tried(&[true, true]), (Probed { value: 1, repeats: 0, noisy: false }, 0));
    }

    #[test]
    fn a_disturbed_run_is_repeated_and_a_busy_machine_waited_for() {
        let looks = [true, false, false, true, true];
        assert_eq!(tried(&looks), (Probed { value: 2, repeats: 2, noisy: false }, 1));
    }

    #[test]
    fn a_machine_that_never_rests_is_said_to_be_noisy() {
        let (probed, pauses) = tried(&[false; REPEATS + 2]);
        assert_eq!(probed, Probed { value: 1, repeats: REPEATS, noisy: true });
        assert_eq!(pauses, REPEATS);
    }

    #[test]
    fn a_twentieth_may_be_missing() {
        assert!(is_quiet(95.0, 100.0));
        assert!(!is_quiet(94.9, 100.0));
    }

    #[test]
    fn the_machine_has_a_rate() {
        let mut probe = Probe::new(1).unwrap();
        assert!(probe.rate() > 0.0);
        assert!(probe.best() >= probe.rate() * QUIET);
    }
}
