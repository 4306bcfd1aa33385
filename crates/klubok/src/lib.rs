//! klubok trains multilayer perceptrons and shows how they learn.
//!
//! # A tour
//!
//! **Data.** [`Arrays`] takes samples from a program's memory, with classes, numbers or several
//! labels as targets, and weights. [`Dataset::split`] cuts a validation set off,
//! [`Dataset::with_validation`] takes one of your own. [`open()`] reads a folder of pictures, IDX
//! files, a table or a built-in set.
//!
//! **Training.** [`Settings`] are typed, and what is not set follows from the rest. [`train()`]
//! returns a [`Trained`] network with its history, phases and verdicts, all in memory. A
//! [`Trainer`] is a training that can be watched by an [`Observer`], interrupted from another
//! thread, turned into bytes, and continued on other data or from other weights.
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
//! **Run folders.** [`mod@train`] has what `klubok train` does on disk: checkpoints, logs,
//! resuming.

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
/// ```
/// use klubok::{Arrays, data::Targets};
///
/// let labels = Arrays::columns(&[0.5, 1.5, 2.5], 1)?.labels(&[1.0, 0.0, 0.0, 1.0, 1.0, 1.0], 2)?;
/// let data = klubok::Dataset::split(labels.outputs(&["low", "even"])?, 0.3, 7)?;
/// assert!(matches!(&data.targets, Targets::Labels(y) if y.len() == 6));
/// assert_eq!((data.parts.train.len(), data.parts.val.len()), (2, 1));
/// # Ok::<(), klubok::Error>(())
/// ```
#[cfg(feature = "train")]
pub use klubok_data as data;
#[cfg(feature = "train")]
pub use klubok_data::{Arrays, Dataset, components};
/// ```
/// use klubok::diagnose::{Diagnosis, history};
///
/// let csv = b"epoch,train_loss,val_loss\n1,0.9,0.9\n2,0.6,0.7\n3,0.4,0.6\n4,0.3,0.7\n";
/// let diagnosis = Diagnosis::from_history(&history::parse(csv, "losses.csv")?);
/// assert_eq!(diagnosis.best_epoch, Some(3.0));
/// # Ok::<(), klubok::Error>(())
/// ```
#[cfg(feature = "train")]
pub use klubok_diagnose as diagnose;
#[cfg(feature = "train")]
pub use klubok_diagnose::check;
pub use klubok_files::{self as files, bounded, limits};
/// ```
/// use klubok::{Settings, device, inspect::ModelView};
///
/// let settings = Settings::new().hidden(&[8]).epochs(2);
/// let data = klubok::open("demo:spirals", &settings)?;
/// let view = ModelView::new(klubok::train(&data, &settings)?.model, device::cpu(1).into());
/// let pass = view.forward(&[0.5, -0.5]);
/// let confidences = view.confidences(&pass);
/// assert!((confidences.iter().sum::<f64>() - 1.0).abs() < 1e-9);
/// // The gradient of the loss by the values of the first hidden layer.
/// assert_eq!(view.backward(&pass, 0).gradient(view.layer_output(0)).len(), 8);
/// # Ok::<(), klubok::Error>(())
/// ```
#[cfg(feature = "train")]
pub use klubok_inspect as inspect;
/// ```
/// use klubok::{Model, model::ModelError};
///
/// let damaged = Model::from_bytes(b"no model");
/// assert!(matches!(damaged, Err(ModelError::NotAModel { .. } | ModelError::Damaged { .. })));
/// ```
pub use klubok_model as model;
pub use klubok_model::Model;
/// ```
/// use klubok::nn::loss;
///
/// let p = loss::softmax(&[1.0, 0.153]);
/// assert!((p[0] - 0.7).abs() < 1e-3);
/// // Cross-entropy: -ln p of the right class.
/// assert!((loss::log_sum_exp(&[1.0, 0.153]) - 1.0 - 0.357).abs() < 1e-3);
/// ```
pub use klubok_nn as nn;
pub use klubok_nn::{agreement, backend, optim, plan, reference, rng, rows, state};
/// ```
/// use klubok::train::config::{ConfigBuilder, DataKind, Machine, Preset};
///
/// let mut settings = ConfigBuilder::new(Preset::Balanced, DataKind::Table);
/// settings.set("train.epochs", "7")?;
/// let config = settings.resolve(&Machine::plain(2))?.config;
/// assert_eq!((config.train.epochs, config.train.threads), (7, 2));
/// # Ok::<(), klubok::Error>(())
/// ```
#[cfg(feature = "train")]
pub use klubok_train as train;
#[cfg(feature = "train")]
pub use klubok_train::{config, event::Observer};

pub use error::{Error, Result};
#[cfg(feature = "train")]
pub use predictor::Predictor;
#[cfg(feature = "train")]
pub use settings::Settings;
#[cfg(feature = "train")]
pub use training::{Trained, Trainer, open, train};
