//! Tests of the library as a user sees it.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod blobs;
mod checks;

mod histories;
mod layers;
mod loading;
mod measured;
mod phases;
mod resume;
mod training;
