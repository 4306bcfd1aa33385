//! A lock that goes on after a panic of whoever held it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is behind a lock: a look that failed has left it whole.
pub(super) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
