//! A thread pool. A run splits its work into tiles, which the workers and the caller share.
//!
//! Each thread starts with its own share of the tiles, the same share in every run with equally
//! many tiles: the data of a tile is then most likely still in the cache of its core. Idle threads
//! steal tiles from the shares of others. So timing decides which thread computes a tile, but not
//! what the tile computes.
//!
//! Between runs a worker spins for a few microseconds, then sleeps. A run does not wait for workers
//! that wake too late.

use std::{
    any::Any,
    cell::UnsafeCell,
    error::Error,
    fmt,
    hint::spin_loop,
    io, mem,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Barrier, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use memmap2::MmapMut;

use crate::{
    buffer::{Buffer, NoMemory},
    parts::Parts,
};

/// Time that a worker spins before it sleeps.
const SPIN_TIME: Duration = Duration::from_micros(20);

/// Work per tile that makes the pool share any run of at least two tiles.
pub const ALWAYS_SHARED: usize = MIN_SHARED_WORK;
/// Work of a run, in multiply-adds, below which the caller computes it alone: handing over tiles
/// takes about a microsecond.
const MIN_SHARED_WORK: usize = 60_000;

/// Limit of threads: more than any system allows a process, and far less than [`INSIDE`] counts.
const MAX_THREADS: usize = 1 << 16;
/// Memory that must be available before a thread starts, for its stack and its own setup. A thread
/// that cannot allocate them aborts the process.
const MIN_THREAD_MEMORY: usize = 4 << 20;

// Fields of `Shared::state`, from the lowest bit: number of threads inside the run, whether the run
// is open, index of the run.
const OPEN: u64 = 1 << 31;
const INSIDE: u64 = OPEN - 1;
const RUN: u64 = 1 << 32;

/// The pool cannot start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolError {
    /// The system gives too few threads.
    Threads {
        /// Threads available, the caller included. They have ended.
        got: usize,
        /// Threads requested.
        wanted: usize,
    },
    /// The scratch memory of the threads does not fit.
    Memory(NoMemory),
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads { got, wanted } => write!(f, "{got} of {wanted} threads can be had"),
            Self::Memory(none) => none.fmt(f),
        }
    }
}

impl Error for PoolError {}

impl From<NoMemory> for PoolError {
    fn from(none: NoMemory) -> Self {
        Self::Memory(none)
    }
}

/// A fixed set of worker threads.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: AtomicU64,
    /// Next tile of each share, one per thread, the caller first.
    next: Vec<Next>,
    job: UnsafeCell<Job>,
    /// One per worker: it sleeps or is about to.
    asleep: Vec<AtomicBool>,
    /// One per thread, the caller first.
    scratch: Vec<UnsafeCell<Buffer>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    stop: AtomicBool,
    /// True with more threads than cores: spinning would only slow down other threads.
    oversubscribed: bool,
}

/// Alone on two cache lines, because processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Next(AtomicUsize);

#[derive(Debug, Clone, Copy)]
struct Job {
    task: *const (dyn Fn(usize, usize) + Sync),
    tiles: usize,
}

// SAFETY: the caller of `run` writes `job` while no thread is inside, and threads read it only
// after they entered. The task is `Sync` and outlives the run, because `run` returns only when no
// thread is inside. Only thread `i` uses `scratch[i]`.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Pool {
    /// Starts a pool of `threads` threads (at least 1), the caller included, each with `scratch`
    /// numbers of scratch memory.
    ///
    /// # Errors
    /// When the system gives too few threads or too little memory. All started threads have ended
    /// then.
    pub fn new(threads: usize, scratch: usize) -> Result<Self, PoolError> {
        let wanted = threads.max(1);
        if wanted > MAX_THREADS {
            return Err(PoolError::Threads { got: 1, wanted });
        }
        let scratch: Result<Vec<_>, NoMemory> =
            (0..wanted).map(|_| Buffer::new(scratch).map(UnsafeCell::new)).collect();
        let workers = wanted - 1;
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            next: (0..wanted).map(|_| Next::default()).collect(),
            job: UnsafeCell::new(Job { task: &|_, _| (), tiles: 0 }),
            asleep: (0..workers).map(|_| AtomicBool::new(false)).collect(),
            scratch: scratch?,
            panic: Mutex::new(None),
            stop: AtomicBool::new(false),
            oversubscribed: thread::available_parallelism()
                .is_ok_and(|cores| workers >= cores.get()),
        });
        // Returning an error drops the pool, which stops its threads.
        let mut pool = Self { shared, workers: Vec::with_capacity(workers) };
        for worker in 0..workers {
            let refused = PoolError::Threads { got: pool.threads(), wanted };
            pool.workers.push(start(&pool.shared, worker).map_err(|_| refused)?);
        }
        Ok(pool)
    }

    /// Number of threads, the caller included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `task(tile, part, scratch)` once for each of `tiles`, with the tile's part of `parts`.
    ///
    /// `work` estimates the cost of a tile in multiply-adds of a product. If the whole run is
    /// small, the caller computes it alone. `scratch` belongs to the thread and holds whatever
    /// other tiles left in it.
    ///
    /// # Panics
    /// When a task panics, after the end of the run; of several panics, one propagates. When
    /// `tiles` is so large that the counters could overflow.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a caller that moves its parts cannot pass them twice"
    )]
    pub fn run<P: Parts>(
        &mut self,
        tiles: usize,
        work: usize,
        parts: P,
        task: impl Fn(usize, P::Part, &mut [f32]) + Sync,
    ) {
        // Each thread may count once past the last tile.
        assert!(tiles <= usize::MAX - MAX_THREADS, "more tiles than can be counted");
        let shared = &*self.shared;
        let task = |tile: usize, thread: usize| {
            // SAFETY: the counters hand out each tile once, and only thread `thread` uses its
            // scratch.
            let (part, scratch) = unsafe { (parts.part(tile), shared.scratch(thread)) };
            task(tile, part, scratch);
        };
        if tiles <= 1 || self.workers.is_empty() || tiles.saturating_mul(work) < MIN_SHARED_WORK {
            (0..tiles).for_each(|tile| task(tile, 0));
            return;
        }
        self.open(&task, tiles);
        let result = catch_unwind(AssertUnwindSafe(|| shared.take_tiles(&task, tiles, 0)));
        shared.close();
        // Take the panic, so that the next run does not find it.
        let from_worker = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (result.err(), from_worker) {
            (None, None) => {}
            (Some(panic), None) | (None, Some(panic)) => resume_unwind(panic),
            (Some(panic), Some(other)) => {
                forget(other);
                resume_unwind(panic);
            }
        }
    }

    /// Opens a run and wakes sleeping workers, as many as it can use.
    fn open(&self, task: &(dyn Fn(usize, usize) + Sync), tiles: usize) {
        let shared = &self.shared;
        // SAFETY: this changes only the lifetime, and `run` closes the run before the task ends.
        let task = unsafe {
            std::mem::transmute::<
                &(dyn Fn(usize, usize) + Sync),
                &'static (dyn Fn(usize, usize) + Sync),
            >(task)
        };
        // SAFETY: no run is open and no thread is inside, so no thread reads the job.
        unsafe { *shared.job.get() = Job { task, tiles } };
        for (share, next) in shared.next.iter().enumerate().take(tiles) {
            next.0.store(shared.share(share, tiles).start, Ordering::Relaxed);
        }
        let run = shared.state.load(Ordering::Relaxed) / RUN;
        shared.state.store(run.wrapping_add(1).wrapping_mul(RUN) | OPEN, Ordering::SeqCst);
        for (asleep, worker) in shared.asleep.iter().zip(&self.workers).take(tiles - 1) {
            if asleep.load(Ordering::SeqCst) && asleep.swap(false, Ordering::SeqCst) {
                worker.thread().unpark();
            }
        }
    }
}

/// Starts a worker after checking that its memory is available, and waits until it runs: so what
/// its start allocates is taken before the memory of the next one is checked.
fn start(shared: &Arc<Shared>, worker: usize) -> io::Result<JoinHandle<()>> {
    drop(MmapMut::map_anon(MIN_THREAD_MEMORY)?);
    let (shared, runs) = (Arc::clone(shared), Arc::new(Barrier::new(2)));
    let begun = Arc::clone(&runs);
    let handle =
        thread::Builder::new().name(format!("klubok-{}", worker + 1)).spawn(move || {
            begun.wait();
            shared.work(worker);
        })?;
    runs.wait();
    Ok(handle)
}

/// Leaks the payload of a panic, because dropping it could panic again.
fn forget(panic: Box<dyn Any + Send>) {
    mem::forget(panic);
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches the panics of its tasks, so `join` does not fail.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// Main loop of a worker.
    fn work(&self, worker: usize) {
        let mut last = 0;
        while self.enter(worker, &mut last) {
            // SAFETY: this thread is inside the run, so the job does not change and its task lives.
            let (task, tiles) = unsafe {
                let Job { task, tiles } = *self.job.get();
                (&*task, tiles)
            };
            if let Err(panic) =
                catch_unwind(AssertUnwindSafe(|| self.take_tiles(task, tiles, worker + 1)))
            {
                let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
                match &*first {
                    None => *first = Some(panic),
                    Some(_) => forget(panic),
                }
            }
            self.state.fetch_sub(1, Ordering::Release);
        }
    }

    /// Scratch memory of a thread.
    ///
    /// # Safety
    /// Only thread `thread` calls it, and keeps the result no longer than one tile.
    #[expect(clippy::mut_from_ref, reason = "each thread has its own buffer")]
    unsafe fn scratch(&self, thread: usize) -> &mut [f32] {
        // SAFETY: by the contract.
        unsafe { &mut *self.scratch[thread].get() }
    }

    /// Tiles of a share. The number of shares is the smaller one of threads and tiles.
    fn share(&self, share: usize, tiles: usize) -> Range<usize> {
        let shares = self.next.len().min(tiles);
        // `share * tiles / shares` without overflow.
        let begin = |share| tiles / shares * share + tiles % shares * share / shares;
        begin(share)..begin(share + 1)
    }

    /// Computes the tiles of the thread's own share, then steals from other shares.
    fn take_tiles(&self, task: &(dyn Fn(usize, usize) + Sync), tiles: usize, thread: usize) {
        let shares = self.next.len().min(tiles);
        for share in (thread..thread + shares).map(|share| share % shares) {
            let end = self.share(share, tiles).end;
            loop {
                let tile = self.next[share].0.fetch_add(1, Ordering::Relaxed);
                if tile >= end {
                    break;
                }
                task(tile, thread);
            }
        }
    }

    /// Waits for a run other than `last` and enters it. Returns false when the pool stops.
    fn enter(&self, worker: usize, last: &mut u64) -> bool {
        let mut since: Option<Instant> = None;
        loop {
            let state = self.state.load(Ordering::Acquire);
            if state & OPEN != 0 && state / RUN != *last {
                let entered = self.state.compare_exchange_weak(
                    state,
                    state + 1,
                    Ordering::Acquire,
                    Ordering::Relaxed,
                );
                if entered.is_ok() {
                    *last = state / RUN;
                    return true;
                }
            } else if self.stop.load(Ordering::SeqCst) {
                return false;
            } else if since.get_or_insert_with(Instant::now).elapsed() < SPIN_TIME
                && !self.oversubscribed
            {
                spin_loop();
            } else {
                self.sleep(worker, *last);
                since = None;
            }
        }
    }

    /// Sleeps until a run after `last` opens or the pool stops.
    fn sleep(&self, worker: usize, last: u64) {
        self.asleep[worker].store(true, Ordering::SeqCst);
        // A run that opened before this store does not wake this thread, so check the state again.
        // A run that opens later wakes it.
        let state = self.state.load(Ordering::SeqCst);
        let open = state & OPEN != 0 && state / RUN != last;
        if !open && !self.stop.load(Ordering::SeqCst) {
            thread::park();
        }
        self.asleep[worker].store(false, Ordering::SeqCst);
    }

    /// Closes the run to further threads and waits for those inside.
    fn close(&self) {
        let mut state = self.state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut since: Option<Instant> = None;
        while state & INSIDE != 0 {
            if since.get_or_insert_with(Instant::now).elapsed() < SPIN_TIME && !self.oversubscribed
            {
                spin_loop();
            } else {
                thread::yield_now();
            }
            state = self.state.load(Ordering::Acquire);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::{Chunks, Columns};

    #[test]
    fn every_tile_runs_once() {
        for threads in [1, 2, 3, 8] {
            let mut pool = Pool::new(threads, 0).unwrap();
            assert_eq!(pool.threads(), threads);
            let mut counts = vec![0u32; 100];
            for tiles in (0..100).cycle().take(2000) {
                counts.fill(0);
                pool.run(tiles, ALWAYS_SHARED, Chunks::new(&mut counts, 1), |_, count, _| {
                    count[0] += 1;
                });
                assert!(counts[..tiles].iter().all(|&c| c == 1), "{counts:?}");
                assert!(counts[tiles..].iter().all(|&c| c == 0), "{counts:?}");
            }
        }
    }

    #[test]
    fn a_run_wakes_sleeping_workers() {
        let mut pool = Pool::new(3, 0).unwrap();
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(1));
            let met = std::sync::Barrier::new(3);
            pool.run(3, ALWAYS_SHARED, (), |_, (), _| {
                met.wait();
            });
        }
    }

    #[test]
    fn a_thread_starts_with_its_own_share() {
        let mut pool = Pool::new(2, 0).unwrap();
        let caller = thread::current().id();
        let mut owners = vec![None; 6];
        for _ in 0..100 {
            let met = std::sync::Barrier::new(2);
            pool.run(6, ALWAYS_SHARED, Chunks::new(&mut owners, 1), |tile, owner, _| {
                if tile % 3 == 0 {
                    met.wait();
                }
                owner[0] = Some(thread::current().id());
            });
            assert_eq!(owners[0], Some(caller));
            assert_ne!(owners[3], Some(caller));
        }
    }

    #[test]
    fn the_caller_computes_small_runs_alone() {
        let mut pool = Pool::new(3, 0).unwrap();
        let here = thread::current().id();
        for _ in 0..50 {
            pool.run(9, MIN_SHARED_WORK / 10, (), |_, (), _| {
                assert_eq!(thread::current().id(), here);
            });
        }
    }

    #[test]
    fn each_tile_gets_its_own_parts() {
        let mut pool = Pool::new(2, 0).unwrap();
        let mut matrix = vec![0.0; 5 * 10];
        let mut rows = vec![0; 7];
        let parts = (Columns::new(&mut matrix, 10, 4), Chunks::new(&mut rows, 3));
        pool.run(3, ALWAYS_SHARED, parts, |tile, (mut columns, rows), _| {
            for row in 0..5 {
                columns.row(row).fill(tile as f32);
            }
            rows.fill(tile);
        });
        for row in matrix.chunks_exact(10) {
            assert_eq!(row, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0]);
        }
        assert_eq!(rows, [0, 0, 0, 1, 1, 1, 2]);
    }

    #[test]
    fn each_thread_has_its_own_scratch() {
        let mut pool = Pool::new(4, 1000).unwrap();
        let mut sums = vec![0.0; 64];
        pool.run(64, ALWAYS_SHARED, Chunks::new(&mut sums, 1), |tile, sum, scratch| {
            scratch.fill(tile as f32);
            thread::yield_now();
            sum[0] = scratch.iter().sum();
        });
        assert!(sums.iter().enumerate().all(|(tile, &s)| s == 1000.0 * tile as f32), "{sums:?}");
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_survives() {
        for threads in [1, 2, 8] {
            let mut pool = Pool::new(threads, 0).unwrap();
            for bad in 0..20 {
                let result = catch_unwind(AssertUnwindSafe(|| {
                    pool.run(20, ALWAYS_SHARED, (), |tile, (), _| {
                        assert!(tile != bad, "tile {tile}");
                    });
                }));
                let panic = result.expect_err("the panic was lost");
                assert_eq!(*panic.downcast::<String>().unwrap(), format!("tile {bad}"));
            }
            let mut done = vec![false; 20];
            pool.run(20, ALWAYS_SHARED, Chunks::new(&mut done, 1), |_, done, _| done[0] = true);
            assert!(done.iter().all(|&d| d));
        }
    }

    #[test]
    fn a_panic_does_not_reach_the_next_run() {
        let mut pool = Pool::new(4, 0).unwrap();
        for _ in 0..50 {
            // Each thread takes a tile before any thread panics.
            let met = std::sync::Barrier::new(4);
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.run(4, ALWAYS_SHARED, (), |tile, (), _| {
                    met.wait();
                    panic!("tile {tile}");
                });
            }));
            let panic = result.expect_err("the panic was lost").downcast::<String>().unwrap();
            assert_eq!(*panic, "tile 0", "the caller's own comes first");
            let mut done = [0; 64];
            pool.run(64, ALWAYS_SHARED, Chunks::new(&mut done, 1), |_, done, _| done[0] += 1);
            assert_eq!(done, [1; 64]);
        }
    }

    #[test]
    fn a_panic_payload_that_panics_on_drop_kills_no_thread() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let mut pool = Pool::new(3, 0).unwrap();
        for _ in 0..20 {
            let met = std::sync::Barrier::new(3);
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.run(3, ALWAYS_SHARED, (), |_, (), _| {
                    met.wait();
                    std::panic::panic_any(Bomb);
                });
            }));
            forget(result.expect_err("the panic was lost"));
            // All three threads are alive: they meet at the barrier.
            let met = std::sync::Barrier::new(3);
            pool.run(3, ALWAYS_SHARED, (), |_, (), _| {
                met.wait();
            });
        }
    }

    #[test]
    fn shares_are_adjacent_for_any_number_of_tiles() {
        for threads in [2, 3, 5, 8] {
            let pool = Pool::new(threads, 0).unwrap();
            for tiles in
                [2, 3, 7, 100, usize::MAX / 4 + 1, usize::MAX / 2 + 2, usize::MAX - MAX_THREADS]
            {
                let mut end = 0;
                for share in 0..threads.min(tiles) {
                    let share = pool.shared.share(share, tiles);
                    assert_eq!(share.start, end);
                    assert!(share.end > share.start && share.end - share.start <= tiles / 2 + 1);
                    end = share.end;
                }
                assert_eq!(end, tiles, "{threads} threads");
            }
        }
    }

    #[test]
    fn a_huge_run_hands_out_no_tile_twice() {
        // With a naive `share * tiles / shares`, this count wraps: the last share starts at tile 0.
        let mut pool = Pool::new(5, 0).unwrap();
        let taken = Mutex::new(std::collections::BTreeSet::new());
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool.run(usize::MAX / 4 + 1, 1, (), |tile, (), _| {
                let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
                assert!(taken.insert(tile), "tile {tile} twice");
                assert!(taken.len() < 1000, "enough");
            });
        }));
        let panic = result.unwrap_err();
        let message = panic.downcast_ref::<&str>().copied();
        assert_eq!(message, Some("enough"), "{:?}", panic.downcast_ref::<String>());
    }

    #[test]
    #[should_panic(expected = "more tiles than can be counted")]
    fn too_many_tiles_panic() {
        Pool::new(2, 0).unwrap().run(usize::MAX, ALWAYS_SHARED, (), |_, (), _| ());
    }

    #[test]
    fn impossible_thread_counts_and_scratch_sizes_are_errors() {
        for wanted in [MAX_THREADS + 1, usize::MAX] {
            let refused = Pool::new(wanted, 0).err();
            assert_eq!(refused, Some(PoolError::Threads { got: 1, wanted }));
        }
        let refused = Pool::new(2, usize::MAX).err();
        assert_eq!(refused, Some(PoolError::Memory(NoMemory { bytes: usize::MAX })));
    }
}
