//! What is read from the events of a run.

pub mod metrics;
