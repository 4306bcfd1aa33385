//! What the article says of its network, on every kernel path and the reference.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod article;
