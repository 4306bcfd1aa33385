//! Memory that all threads share: who needs some of it says how much before, and waits until it is
//! free.

use std::sync::{Condvar, Mutex, PoisonError};

/// Most bytes of files that are being decoded, over all threads.
pub static FILES: Budget = Budget::new(256 << 20);
/// Most bytes of pixels and of what decoders need beside them, over all threads.
pub static DECODING: Budget = Budget::new(448 << 20);
/// Most bytes between the two passes of a change of size, over all threads.
pub(crate) static RESIZING: Budget = Budget::new(64 << 20);

/// A number of bytes that threads share.
///
/// A thread may hold shares of several budgets only in the order in which they stand above: so none
/// waits for another that waits for it.
#[derive(Debug)]
pub struct Budget {
    total: u64,
    taken: Mutex<u64>,
    given_back: Condvar,
}

/// Bytes of a budget, given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: &'static Budget,
    bytes: u64,
}

impl Budget {
    const fn new(total: u64) -> Self {
        Self { total, taken: Mutex::new(0), given_back: Condvar::new() }
    }

    /// All bytes there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Waits for `bytes` of the budget; none when that is more than all of it.
    pub fn take(&'static self, bytes: u64) -> Option<Share> {
        if bytes > self.total {
            return None;
        }
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |taken: &mut u64| *taken > self.total - bytes;
        let taken = self.given_back.wait_while(taken, full);
        *taken.unwrap_or_else(PoisonError::into_inner) += bytes;
        Some(Share { budget: self, bytes })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *self.budget.taken.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.budget.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        thread,
    };

    use super::*;

    #[test]
    fn no_more_than_the_budget_is_held_at_once_and_everyone_gets_a_share() {
        static BUDGET: Budget = Budget::new(10);
        let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let work = &|bytes| {
            for _ in 0..200 {
                let share = BUDGET.take(bytes).unwrap();
                let now = held.fetch_add(bytes, Ordering::SeqCst) + bytes;
                most.fetch_max(now, Ordering::SeqCst);
                thread::yield_now();
                held.fetch_sub(bytes, Ordering::SeqCst);
                drop(share);
            }
        };
        thread::scope(|scope| {
            for bytes in [1, 3, 4, 7, 10] {
                scope.spawn(move || work(bytes));
            }
        });
        assert!((7..=10).contains(&most.into_inner()));
        assert!(BUDGET.take(11).is_none());
        assert!(BUDGET.take(10).is_some());
    }
}
