//! Files and the limits of this process: reads within budgets, atomic writes, available memory.

pub mod atomic;
pub mod bounded;
pub mod limits;

pub use atomic::write_atomically;
