//! The setup of a training.

use klubok_train::config::Config;

/// The setup of a training, from which advice starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// The settings.
    pub config: Config,
    /// Training samples of each class, or of other targets all in one; empty where unknown.
    pub train_classes: Vec<u64>,
}
