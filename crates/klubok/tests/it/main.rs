//! Tests of the library through its public interface.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod article;
mod blobs;
mod checks;
mod film;
mod front_door;
mod histories;
mod layers;
mod loading;
mod measured;
mod phases;
mod resume;
mod tensorboard;
mod training;
