//! The command as a person or a script sees it: an empty directory, the real binary, real files.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod bad_input;
mod bench;
mod check;
mod diagnose;
mod eval;
mod folders;
mod help;
#[cfg(target_os = "linux")]
mod limits;
mod page;
mod page_door;
mod predict;
mod resume;
mod runs;
mod served;
mod train;
mod untrusted;
mod util;
