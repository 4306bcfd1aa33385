//! A training task: settings applied to data.

use klubok_data::{Dataset, identity, preprocess, typical};
use klubok_files::limits;
use klubok_model::{Card, Model, Preprocessing, Training};
use klubok_nn::{
    calibration::Calibration,
    network::{Network, OutputKind, Start},
    plan::Plan,
    rows::Field,
    state::{State, Weights},
};

use crate::{Result, RunError, config::Config, samples::Samples};

/// A network for some data, ready for training.
#[derive(Clone)]
pub struct Task {
    /// The network.
    pub network: Network,
    /// From stored rows to the network's input.
    pub preprocessing: Preprocessing,
    /// Names of the outputs: classes, labels or numbers.
    pub outputs: Vec<String>,
    /// The samples, with numbers to predict in the network's units.
    pub samples: Samples,
    /// The network as a plan.
    pub plan: Plan,
    /// Initialisation of the network.
    pub init: Start,
    /// State before the first step.
    pub initial_state: State,
}

impl Task {
    /// Builds the network of the settings for this data; reads the training set once.
    ///
    /// # Errors
    /// When the settings are for other targets, a value of the training set is not finite, rows
    /// cannot be read, or the weights do not fit into memory.
    pub fn new(config: &Config, data: &Dataset) -> Result<Self> {
        let (target, got) = (config.data.task, data.targets.kind().into());
        if target != got {
            return Err(RunError::Target { expected: target.name(), got: got.name() });
        }
        let counts = data.class_counts(&data.parts.train);
        let measured = preprocess::measure(data, config.data.fit)?;
        let preprocessing = if config.data.normalize { measured } else { measured.as_stored() };
        let network = config.network(data.rows.fields()[Field::X.0].width, data.outputs.len());
        // Memory for the initial weights, then the best ones, besides that of the backend.
        limits::check_network(8 * network.parameters() as u64)?;
        let seed = config.train.seed;
        let prepare = preprocessing.prepare(config.augment());
        let (loss, update) = (config.loss_spec(&counts), config.update_spec());
        let plan = network.lower(prepare, loss, update, seed);
        let init =
            config.start(&data.output_counts(&data.parts.train), data.parts.train.len() as u64);
        let samples = Samples::new(data, &preprocessing, &plan.loss.class_weights);
        Ok(Self {
            plan: Plan { precision: config.train.precision, ..plan },
            initial_state: network.start(&init, seed),
            init,
            outputs: data.outputs.clone(),
            samples,
            preprocessing,
            network,
        })
    }

    /// Builds the card of a model of this task, still without validation; reads the training set.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn card(&self, config: &Config, data: &Dataset) -> Result<Card> {
        let train = &data.parts.train;
        let training = Training {
            identity: identity(train.iter().map(|&row| data.hashes[row as usize])),
            samples: match data.targets.kind() {
                OutputKind::Classes => data.class_counts(train),
                OutputKind::Labels | OutputKind::Numbers => {
                    vec![train.len() as u64; data.outputs.len()]
                }
            },
            split_seed: config.data.split_seed,
            val_fraction: config.data.val_fraction,
        };
        let typical = typical::measure(&*data.rows, &self.preprocessing, train)?;
        Ok(Card { training, validation: None, errors: None, typical })
    }

    /// Builds the model with these weights, without card or calibration.
    pub fn model(&self, weights: Weights) -> Model {
        Model {
            network: self.network.clone(),
            preprocessing: self.preprocessing.clone(),
            outputs: self.outputs.clone(),
            calibration: Calibration::NONE,
            card: None,
            weights,
        }
    }
}
