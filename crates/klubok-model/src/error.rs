//! Errors about model files.

use klubok_nn::{PlanError, network::MAX_HIDDEN_LAYERS};

use super::FORMAT;

/// Result of this crate.
pub type Result<T, E = ModelError> = std::result::Result<T, E>;

/// An error of a model or its file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file is not a model.
    #[error("`{path}` is not a klubok model: it is {what}")]
    NotAModel {
        /// The file.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// A later klubok wrote the file.
    #[error(
        "`{path}` has model format {version}, this klubok reads up to {FORMAT}: use a later one"
    )]
    LaterVersion {
        /// The file.
        path: String,
        /// Its version.
        version: u64,
    },
    /// The model file is damaged.
    #[error("`{path}` is damaged: {flaw}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// The model is inconsistent and was not written.
    #[error("the model cannot be saved: {flaw}")]
    Unfit {
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// The model is inconsistent and cannot predict.
    #[error("the model cannot predict: {flaw}")]
    Unusable {
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A sample has the wrong number of values.
    #[error("the sample has {got} values, the model expects {expected}")]
    SampleSize {
        /// Inputs of the network.
        expected: usize,
        /// Values of the sample.
        got: usize,
    },
    /// There is too little or too much room for a prediction.
    #[error("there is room for {got} predicted values, the model predicts {expected}")]
    PredictionSize {
        /// Outputs of the network.
        expected: usize,
        /// Size of the caller's slice.
        got: usize,
    },
    /// A value of a sample is infinite or not a number.
    #[error("value {index} of the sample is {value}: every value must be a finite number")]
    NotFinite {
        /// Its index, from 0.
        index: usize,
        /// The value.
        value: f32,
    },
    /// The weights do not fit the network.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Reading or writing the file failed; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A defect of a model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The file is shorter or longer than its header says.
    #[error("its size is not what its header says, it was probably cut short")]
    Size,
    /// The header cannot be parsed.
    #[error("its header cannot be read: {reason}")]
    Header {
        /// Why.
        reason: String,
    },
    /// The model's description cannot be parsed.
    #[error("its description cannot be read: {reason}")]
    Description {
        /// Why.
        reason: String,
    },
    /// A tensor of the network is missing.
    #[error("tensor `{tensor}` is missing")]
    Missing {
        /// Its name.
        tensor: String,
    },
    /// The file has an extra tensor.
    #[error("tensor `{tensor}` is not part of the network")]
    Extra {
        /// Its name.
        tensor: String,
    },
    /// A tensor has the wrong type or shape.
    #[error("tensor `{tensor}` is {got} where the network expects {expected}")]
    Shape {
        /// Its name.
        tensor: String,
        /// Expected type and shape.
        expected: String,
        /// Actual type and shape.
        got: String,
    },
    /// A weight is infinite or not a number.
    #[error("tensor `{tensor}` holds a value that is not a finite number")]
    NotFinite {
        /// Its name.
        tensor: String,
    },
    /// A layer has no units, or the network has no input or output.
    #[error("its network has a layer of size 0")]
    Empty,
    /// Too many hidden layers.
    #[error("its network has {layers} hidden layers, {MAX_HIDDEN_LAYERS} are the most")]
    Deep {
        /// Number of hidden layers.
        layers: usize,
    },
    /// The layers use other constants.
    #[error("its layers have other constants than klubok's")]
    Constants,
    /// An impossible calibration.
    #[error(
        "its confidences have a temperature of {temperature} and {uniform} of all answers alike mixed in"
    )]
    Calibration {
        /// Divisor of the logits.
        temperature: f64,
        /// Share of the uniform distribution.
        uniform: f64,
    },
    /// The numbers of names and outputs differ.
    #[error("it has {classes} names for {outputs} outputs")]
    Classes {
        /// Number of names.
        classes: usize,
        /// Outputs of the network.
        outputs: usize,
    },
    /// Two classes share a name.
    #[error("two of its classes are called `{class}`")]
    SameName {
        /// The name.
        class: String,
    },
    /// A classifier with one output.
    #[error("it tells classes apart and has one output")]
    OneClass,
    /// An invalid dropout rate.
    #[error("a layer drops units with a chance of {chance}, which must be at least 0 and below 1")]
    Dropout {
        /// The rate.
        chance: f32,
    },
    /// A variance below 0.
    #[error("tensor `{tensor}` holds a variance below 0")]
    Variance {
        /// Its name.
        tensor: String,
    },
    /// An unsupported number of channels.
    #[error("its pictures have {channels} channels: grey ones have 1, others 3")]
    Channels {
        /// The channels.
        channels: usize,
    },
    /// The preprocessing does not fit the network's input.
    #[error("its preprocessing does not fit a network with {inputs} inputs")]
    Preprocessing {
        /// Inputs of the network.
        inputs: usize,
    },
    /// The target does not fit the network's outputs.
    #[error("its target does not fit a network with {outputs} outputs")]
    Target {
        /// Outputs of the network.
        outputs: usize,
    },
    /// The card is inconsistent.
    #[error("what it says of its training contradicts itself or the network")]
    Card,
    /// The content does not match the checksum.
    #[error("its content does not match its checksum")]
    Checksum,
}
