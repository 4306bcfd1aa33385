//! What can be wrong with a model file.

use klubok_data::DataError;
use klubok_nn::{PlanError, network::MAX_HIDDEN_LAYERS};

use super::FORMAT;

/// Result of this crate.
pub type Result<T, E = ModelError> = std::result::Result<T, E>;

/// A model file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// It is something else.
    #[error("`{path}` is not a klubok model: it is {what}")]
    NotAModel {
        /// The file.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// It was written by a later klubok.
    #[error(
        "`{path}` has model format {version}, this klubok reads up to {FORMAT}: use a later one"
    )]
    LaterVersion {
        /// The file.
        path: String,
        /// Its version.
        version: u64,
    },
    /// It is a model, but not as it was written.
    #[error("`{path}` is damaged: {flaw}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// The model itself is not whole, so it was not written.
    #[error("the model cannot be saved: {flaw}")]
    Unfit {
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// Inputs that it is given cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Weights do not fit its network.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// What is wrong with a model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The file is shorter or longer than its header says.
    #[error("its size is not what its header says, it was probably cut short")]
    Size,
    /// The header cannot be understood.
    #[error("its header cannot be read: {reason}")]
    Header {
        /// Why.
        reason: String,
    },
    /// The description of the model cannot be understood.
    #[error("its description cannot be read: {reason}")]
    Description {
        /// Why.
        reason: String,
    },
    /// A tensor that the network needs is not there.
    #[error("tensor `{tensor}` is missing")]
    Missing {
        /// Its name.
        tensor: String,
    },
    /// There is a tensor that the network does not have.
    #[error("tensor `{tensor}` is not part of the network")]
    Extra {
        /// Its name.
        tensor: String,
    },
    /// A tensor is not of the type or shape that the network needs.
    #[error("tensor `{tensor}` is {got} where the network expects {expected}")]
    Shape {
        /// Its name.
        tensor: String,
        /// Type and shape that the network needs.
        expected: String,
        /// Type and shape found.
        got: String,
    },
    /// A weight is infinite or not a number.
    #[error("tensor `{tensor}` holds a value that is not a finite number")]
    NotFinite {
        /// Its name.
        tensor: String,
    },
    /// A layer has no units, or there is no input or output.
    #[error("its network has a layer of size 0")]
    Empty,
    /// More layers than a network is trained with.
    #[error("its network has {layers} hidden layers, {MAX_HIDDEN_LAYERS} are the most")]
    Deep {
        /// How many.
        layers: usize,
    },
    /// Layers were computed by other formulas.
    #[error("its layers have other constants than klubok's")]
    Constants,
    /// Confidences that cannot have been fitted.
    #[error(
        "its confidences have a temperature of {temperature} and {uniform} of all answers alike mixed in"
    )]
    Calibration {
        /// What logits are divided by.
        temperature: f64,
        /// Share of all answers alike.
        uniform: f64,
    },
    /// Labels and outputs do not match.
    #[error("it has {classes} class names for {outputs} outputs")]
    Classes {
        /// How many names there are.
        classes: usize,
        /// How many outputs the network has.
        outputs: usize,
    },
    /// Two classes have one name.
    #[error("two of its classes are called `{class}`")]
    SameName {
        /// The name.
        class: String,
    },
    /// There is nothing to tell apart.
    #[error("it tells classes apart and has one output")]
    OneClass,
    /// A chance to drop that is none.
    #[error("a layer drops units with a chance of {chance}, which must be at least 0 and below 1")]
    Dropout {
        /// The chance.
        chance: f32,
    },
    /// A variance below 0.
    #[error("tensor `{tensor}` holds a variance below 0")]
    Variance {
        /// Its name.
        tensor: String,
    },
    /// Pictures that no network here takes.
    #[error("its pictures have {channels} channels: grey ones have 1, others 3")]
    Channels {
        /// Their channels.
        channels: usize,
    },
    /// The preprocessing does not fit the network's input.
    #[error("its preprocessing does not fit a network with {inputs} inputs")]
    Preprocessing {
        /// Inputs of the network.
        inputs: usize,
    },
    /// Figures that no training gives.
    #[error("what it says of its training contradicts itself or the network")]
    Card,
    /// The content is not what was written.
    #[error("its content does not match its checksum")]
    Checksum,
}
