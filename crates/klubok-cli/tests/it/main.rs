//! Tests of the command as people and scripts use it: in an empty directory, with the real binary
//! and real files.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod bad_input;
mod bench;
mod check;
mod diagnose;
mod documents;
mod eval;
mod export;
mod folders;
mod help;
#[cfg(target_os = "linux")]
mod limits;
mod page;
mod page_door;
mod predict;
mod race;
mod resume;
mod runs;
mod served;
mod train;
mod untrusted;
mod util;
mod values;
