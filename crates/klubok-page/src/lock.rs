//! A lock that stays usable after a panic of its holder.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, and ignores poisoning: an inspection that panicked has left the value whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
