//! A fixed set of threads that share the tiles of a run; the caller is one of them.
//!
//! Each thread has a share of the tiles, the same one in every run with so many: what it wrote of a
//! tile is most likely still in its own cache, and that of another core may be far away. Who is
//! done takes tiles from the shares of others, so who computes a tile depends on timing; what a
//! tile computes does not. Between runs a thread watches for the next one for a few microseconds
//! and then sleeps. A thread that wakes too late for a run is not waited for.

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
        Arc, Mutex, PoisonError,
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

/// How long a thread watches for the next run before it sleeps.
const WATCH: Duration = Duration::from_micros(20);

/// Work of a tile that is shared, however few there are.
pub const ALWAYS_SHARED: usize = ALONE;
/// A run of fewer multiply-adds than this is done by its caller alone: handing tiles over takes
/// about a microsecond.
const ALONE: usize = 60_000;

/// No system gives a process more threads; and of those inside a run, many more can be counted.
const MOST: usize = 1 << 16;
/// What there must be room for before a thread is started: its stack and what it sets up for
/// itself. A thread that finds less ends the process before anybody can help.
const ROOM: usize = 4 << 20;

/// State of the pool in one number: the run's number above, then whether it is open, then how many
/// threads are inside.
const OPEN: u64 = 1 << 31;
const INSIDE: u64 = OPEN - 1;
const NUMBER: u64 = 1 << 32;

/// Why there is no pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolError {
    /// The system gives no more threads.
    Threads {
        /// So many there were, the caller included; they have ended.
        got: usize,
        /// So many were wanted.
        wanted: usize,
    },
    /// There is no memory for what threads have of their own.
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

/// Threads that wait for work.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: AtomicU64,
    /// One a thread, the caller first: the next tile of its share.
    next: Vec<Next>,
    job: UnsafeCell<Job>,
    /// One a worker: it sleeps, or is about to.
    asleep: Vec<AtomicBool>,
    /// One a thread, the caller first.
    scratch: Vec<UnsafeCell<Buffer>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    stop: AtomicBool,
    /// Without a core for every thread, watching only keeps others from working.
    crowded: bool,
}

/// On lines of its own, as processors fetch them: in twos.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Next(AtomicUsize);

#[derive(Debug, Clone, Copy)]
struct Job {
    task: *const (dyn Fn(usize, usize) + Sync),
    tiles: usize,
}

// SAFETY: `job` is written by the caller of `run` while no thread is inside, and read by threads
// that entered; the task is `Sync` and outlives the run, because `run` returns only when no thread
// is inside. Each `scratch` is used by the thread of its number alone.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Pool {
    /// A pool of `threads` threads in all (at least 1), each with `scratch` numbers of its own.
    ///
    /// # Errors
    /// When the system has not so many threads or not the memory to give. None of the threads is
    /// left then.
    pub fn new(threads: usize, scratch: usize) -> Result<Self, PoolError> {
        let wanted = threads.max(1);
        if wanted > MOST {
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
            crowded: thread::available_parallelism().is_ok_and(|cores| workers >= cores.get()),
        });
        // Whoever leaves with an error drops the pool, and so stops the threads that it has.
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
    /// A tile takes about as long as `work` multiply-adds of a product; little work is not shared.
    ///
    /// `scratch` belongs to the thread: what a tile finds in it is left over from others.
    ///
    /// # Panics
    /// When a task does; the run is over by then, and of several panics one arrives here. When
    /// there are more tiles than can be counted.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "who gives parts away cannot give them twice"
    )]
    pub fn run<P: Parts>(
        &mut self,
        tiles: usize,
        work: usize,
        parts: P,
        task: impl Fn(usize, P::Part, &mut [f32]) + Sync,
    ) {
        // Threads count past the last tile before they notice.
        assert!(tiles <= usize::MAX - MOST, "more tiles than can be counted");
        let shared = &*self.shared;
        let task = |tile: usize, thread: usize| {
            // SAFETY: the counters hand out each tile once, and only thread number `thread` uses
            // its scratch.
            let (part, scratch) = unsafe { (parts.part(tile), shared.scratch(thread)) };
            task(tile, part, scratch);
        };
        if tiles <= 1 || self.workers.is_empty() || tiles.saturating_mul(work) < ALONE {
            (0..tiles).for_each(|tile| task(tile, 0));
            return;
        }
        self.open(&task, tiles);
        let result = catch_unwind(AssertUnwindSafe(|| shared.take_tiles(&task, tiles, 0)));
        shared.close();
        // Of this run nothing may be left for the next one.
        let of_worker = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (result.err(), of_worker) {
            (None, None) => {}
            (Some(panic), None) | (None, Some(panic)) => resume_unwind(panic),
            (Some(panic), Some(other)) => {
                forget(other);
                resume_unwind(panic);
            }
        }
    }

    fn open(&self, task: &(dyn Fn(usize, usize) + Sync), tiles: usize) {
        let shared = &self.shared;
        // SAFETY: only the lifetime is forgotten; `run` closes the run before the task ends.
        let task = unsafe {
            std::mem::transmute::<
                &(dyn Fn(usize, usize) + Sync),
                &'static (dyn Fn(usize, usize) + Sync),
            >(task)
        };
        // SAFETY: no run is open and no thread inside, so nobody reads the job.
        unsafe { *shared.job.get() = Job { task, tiles } };
        for (share, next) in shared.next.iter().enumerate().take(tiles) {
            next.0.store(shared.share(share, tiles).start, Ordering::Relaxed);
        }
        let number = shared.state.load(Ordering::Relaxed) / NUMBER;
        shared.state.store(number.wrapping_add(1).wrapping_mul(NUMBER) | OPEN, Ordering::SeqCst);
        for (asleep, worker) in shared.asleep.iter().zip(&self.workers).take(tiles - 1) {
            if asleep.load(Ordering::SeqCst) && asleep.swap(false, Ordering::SeqCst) {
                worker.thread().unpark();
            }
        }
    }
}

/// Starts a worker, if there is room for it.
fn start(shared: &Arc<Shared>, worker: usize) -> io::Result<JoinHandle<()>> {
    drop(MmapMut::map_anon(ROOM)?);
    let shared = Arc::clone(shared);
    thread::Builder::new().name(format!("klubok-{}", worker + 1)).spawn(move || shared.work(worker))
}

/// Leaves a panic that nobody will hear of where it is: what it carries may panic again when it is
/// dropped.
fn forget(panic: Box<dyn Any + Send>) {
    mem::forget(panic);
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches the panics of its tasks and has none of its own.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn work(&self, worker: usize) {
        let mut last = 0;
        while self.enter(worker, &mut last) {
            // SAFETY: the run is open and this thread inside, so the job stays as it is and its
            // task alive.
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

    /// # Safety
    /// Only the thread of this number calls it, and keeps the result no longer than one tile.
    #[expect(clippy::mut_from_ref, reason = "each thread has a buffer of its own")]
    unsafe fn scratch(&self, thread: usize) -> &mut [f32] {
        // SAFETY: by the contract.
        unsafe { &mut *self.scratch[thread].get() }
    }

    /// Tiles of a share: there are as many shares as threads, or else as tiles.
    fn share(&self, share: usize, tiles: usize) -> Range<usize> {
        let shares = self.next.len().min(tiles);
        // `share * tiles / shares`, where the product would wrap, too.
        let begin = |share| tiles / shares * share + tiles % shares * share / shares;
        begin(share)..begin(share + 1)
    }

    /// Takes the tiles of this thread's own share, then what is left of others.
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

    /// Waits for a run after the one numbered `last` and enters it; false when the pool stops.
    fn enter(&self, worker: usize, last: &mut u64) -> bool {
        let mut since: Option<Instant> = None;
        loop {
            let state = self.state.load(Ordering::Acquire);
            if state & OPEN != 0 && state / NUMBER != *last {
                let entered = self.state.compare_exchange_weak(
                    state,
                    state + 1,
                    Ordering::Acquire,
                    Ordering::Relaxed,
                );
                if entered.is_ok() {
                    *last = state / NUMBER;
                    return true;
                }
            } else if self.stop.load(Ordering::SeqCst) {
                return false;
            } else if since.get_or_insert_with(Instant::now).elapsed() < WATCH && !self.crowded {
                spin_loop();
            } else {
                self.sleep(worker, *last);
                since = None;
            }
        }
    }

    fn sleep(&self, worker: usize, last: u64) {
        self.asleep[worker].store(true, Ordering::SeqCst);
        // A run opened before the store may not have seen it: look once more. One opened later
        // wakes this thread.
        let state = self.state.load(Ordering::SeqCst);
        let open = state & OPEN != 0 && state / NUMBER != last;
        if !open && !self.stop.load(Ordering::SeqCst) {
            thread::park();
        }
        self.asleep[worker].store(false, Ordering::SeqCst);
    }

    /// Ends the run: no thread enters any more, and those inside are waited for.
    fn close(&self) {
        let mut state = self.state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut since: Option<Instant> = None;
        while state & INSIDE != 0 {
            if since.get_or_insert_with(Instant::now).elapsed() < WATCH && !self.crowded {
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
    fn every_tile_is_run_once() {
        for threads in [1, 2, 3, 8] {
            let mut pool = Pool::new(threads, 0).unwrap();
            assert_eq!(pool.threads(), threads);
            let mut counts = vec![0u32; 100];
            for tiles in (0..100).cycle().take(2000) {
                counts.fill(0);
                pool.run(tiles, ALWAYS_SHARED, Chunks::new(&mut counts, 1), |_, count, _| {
                    count[0] += 1
                });
                assert!(counts[..tiles].iter().all(|&c| c == 1), "{counts:?}");
                assert!(counts[tiles..].iter().all(|&c| c == 0), "{counts:?}");
            }
        }
    }

    #[test]
    fn a_run_after_a_pause_wakes_the_workers() {
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
    fn a_thread_begins_with_its_own_share() {
        let mut pool = Pool::new(2, 0).unwrap();
        let caller = thread::current().id();
        let mut who = vec![None; 6];
        for _ in 0..100 {
            let met = std::sync::Barrier::new(2);
            pool.run(6, ALWAYS_SHARED, Chunks::new(&mut who, 1), |tile, who, _| {
                if tile % 3 == 0 {
                    met.wait();
                }
                who[0] = Some(thread::current().id());
            });
            assert_eq!(who[0], Some(caller));
            assert_ne!(who[3], Some(caller));
        }
    }

    #[test]
    fn little_work_stays_with_the_caller() {
        let mut pool = Pool::new(3, 0).unwrap();
        let here = thread::current().id();
        for _ in 0..50 {
            pool.run(9, ALONE / 10, (), |_, (), _| assert_eq!(thread::current().id(), here));
        }
    }

    #[test]
    fn parts_are_the_tile_s_own() {
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
    fn scratch_is_the_thread_s_own() {
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
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        for threads in [1, 2, 8] {
            let mut pool = Pool::new(threads, 0).unwrap();
            for bad in 0..20 {
                let result = catch_unwind(AssertUnwindSafe(|| {
                    pool.run(20, ALWAYS_SHARED, (), |tile, (), _| {
                        assert!(tile != bad, "tile {tile}")
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
    fn no_panic_is_left_for_the_next_run() {
        let mut pool = Pool::new(4, 0).unwrap();
        for _ in 0..50 {
            // Each thread has a tile before any of them panics.
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
    fn a_panic_that_panics_when_dropped_ends_no_thread() {
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
            // All three are still there to meet.
            let met = std::sync::Barrier::new(3);
            pool.run(3, ALWAYS_SHARED, (), |_, (), _| {
                met.wait();
            });
        }
    }

    #[test]
    fn shares_follow_each_other_however_many_tiles_there_are() {
        for threads in [2, 3, 5, 8] {
            let pool = Pool::new(threads, 0).unwrap();
            for tiles in [2, 3, 7, 100, usize::MAX / 4 + 1, usize::MAX / 2 + 2, usize::MAX - MOST] {
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
    fn no_tile_is_taken_twice_however_many_there_are() {
        // As many tiles as made the last share begin where the first one does.
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
        let words = panic.downcast_ref::<&str>().copied();
        assert_eq!(words, Some("enough"), "{:?}", panic.downcast_ref::<String>());
    }

    #[test]
    #[should_panic(expected = "more tiles than can be counted")]
    fn more_tiles_than_can_be_counted_are_refused() {
        Pool::new(2, 0).unwrap().run(usize::MAX, ALWAYS_SHARED, (), |_, (), _| ());
    }

    #[test]
    fn what_no_system_gives_is_refused() {
        for wanted in [MOST + 1, usize::MAX] {
            let refused = Pool::new(wanted, 0).err();
            assert_eq!(refused, Some(PoolError::Threads { got: 1, wanted }));
        }
        let refused = Pool::new(2, usize::MAX).err();
        assert_eq!(refused, Some(PoolError::Memory(NoMemory { bytes: usize::MAX })));
    }
}
