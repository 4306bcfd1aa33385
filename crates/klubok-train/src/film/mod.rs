//! The film of a training: snapshots from random weights on, recorded whether a page is open or
//! not, so that live, ended, resumed and reported runs show the same.
//!
//! [`is_due`] names the steps, a [`Scene`] what is shown, a [`Recorder`] reads it between two
//! steps, and a [`FilmDir`] keeps the files. Snapshots depend on the step number, the settings and
//! the data, never on the clock.

mod folder;
mod recorder;
mod scene;
mod series;
mod snapshot;

pub use folder::{FILM, FilmDir};
pub use recorder::Recorder;
pub use scene::Scene;
pub use series::{is_due, kept};
pub use snapshot::{Bytes, Matrix, Snapshot};
