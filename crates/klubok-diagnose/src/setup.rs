//! What a training was set up with.

use klubok_train::config::Config;

/// What a training was set up with: advice starts from there.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// Its settings.
    pub config: Config,
    /// Training samples of each class; empty where they are not known.
    pub train_classes: Vec<u64>,
}
