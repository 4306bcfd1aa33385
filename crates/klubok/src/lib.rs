//! klubok trains multilayer perceptrons and shows how they learn.
//!
//! # A tour
//!
//! **Data.** [`Arrays`] takes samples from a program's memory, with classes, numbers or several
//! labels as targets, and weights. [`Dataset::split`] cuts a validation set off,
//! [`Dataset::with_validation`] takes one of your own. [`open()`] reads a folder of pictures, IDX files,
//! a table or a built-in set.
//!
//! **Training.** [`Settings`] are typed, and what is not set follows from the rest. [`train()`]
//! returns a [`Trained`] network with its history, phases and verdicts, all in memory. A [`Trainer`]
//! is a training that can be watched by an [`Observer`], interrupted from another thread, turned into
//! bytes, and continued on other data or from other weights.
//!
//! ```
//! use klubok::{Settings, config::TargetKind};
//!
//! let settings = Settings::new().hidden(&[32]).epochs(30).learning_rate(0.01).batch_size(16);
//! let data = klubok::open("demo:curve", &settings)?;
//! let trained = klubok::train(&data, &settings)?;
//! assert!(trained.best().val_r2 > Some(0.8));
//! # Ok::<(), klubok::Error>(())
//! ```
//!
//! **Prediction.** A [`Model`] is all that prediction needs: [`Model::predict`] for one sample,
//! [`Model::predict_into`](model::Model::predict_into) without allocation, [`Model::to_bytes`] and
//! [`Model::from_bytes`] for `include_bytes!`, [`Model::save`] and [`Model::load`] for files. A
//! [`Predictor`] predicts and evaluates many rows on a device. A program that only predicts sets
//! `default-features = false`: then there is nothing but [`Model`] and [`nn`].
//!
//! **Insight.** [`check`] examines data and network before a training, [`diagnose`] a history after
//! it, also one that another framework wrote. [`inspect`] looks into a network.
//!
//! **Run folders.** [`mod@train`] has what `klubok train` does on disk: checkpoints, logs, resuming.

#[cfg(feature = "train")]
pub mod device;
mod error;
#[cfg(feature = "train")]
pub mod evaluation;
#[cfg(feature = "train")]
pub mod predictor;
#[cfg(feature = "train")]
mod settings;
#[cfg(feature = "train")]
mod training;

#[cfg(feature = "train")]
pub use klubok_cpu as cpu;
#[cfg(feature = "train")]
pub use klubok_data::{self as data, Arrays, Dataset, components};
#[cfg(feature = "train")]
pub use klubok_diagnose::{self as diagnose, check};
pub use klubok_files::{self as files, bounded, limits};
#[cfg(feature = "train")]
pub use klubok_inspect as inspect;
pub use klubok_model::{self as model, Model};
pub use klubok_nn::{self as nn, agreement, backend, optim, plan, reference, rng, rows, state};
#[cfg(feature = "train")]
pub use klubok_train::{self as train, config, event::Observer};

pub use error::{Error, Result};
#[cfg(feature = "train")]
pub use predictor::Predictor;
#[cfg(feature = "train")]
pub use settings::Settings;
#[cfg(feature = "train")]
pub use training::{Trained, Trainer, open, train};
