//! ONNX: the network as a graph of operators, for the runtimes of other languages.
//!
//! The graph has one input and computes the whole prediction, preprocessing and temperature
//! included. A picture is `[batch, height, width, channels]` in bytes, as libraries load it, or in
//! both cases a row is `[batch, inputs]` of numbers as they are stored. Outputs are `class` and
//! `probabilities` of classes, `probabilities` of labels, or `values` in their own units.
//!
//! Version 7 of the format and version 13 of the operators are of 2020. ONNX Runtime has read them
//! since 1.7, and every later version reads them.
//!
//! Source: the specification of ONNX, `IR.md`, `Operators.md` and `onnx.proto`.

mod graph;
pub mod messages;
mod metadata;

use std::io::{self, Write};

use klubok_model::{Input, Model};
use prost::Message;

pub use self::graph::{CLASS, INPUT, LABEL, PROBABILITIES, VALUES};
use self::{
    graph::{graph, layer_tensors},
    messages::{Graph, Head, Opset, Tail, Tensor},
};
use crate::{Answer, Folded, WeightFormat};

/// Version of the format of a file.
const IR_VERSION: i64 = 7;
/// Version of ONNX's operators.
const OPSET: i64 = 13;
/// The program that wrote the file.
const PRODUCER: &str = "klubok";
/// Key of `ModelProto.graph`, field 7: a message.
const GRAPH: u8 = 7 << 3 | 2;
/// Key of `GraphProto.initializer`, field 5: a message.
const INITIALIZER: u8 = 5 << 3 | 2;
/// Largest file that readers take: protocol buffers count bytes in `i32`.
const MAX_BYTES: usize = i32::MAX as usize;

/// What the input of the graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputForm {
    /// Pixels: `[batch, height, width, channels]` of `u8`.
    Bytes,
    /// A row as it is stored: `[batch, inputs]` of `f32`. Pixels from 0 to 255, row by row with the
    /// channels of a pixel side by side.
    Numbers,
}

/// What can be chosen about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OnnxOptions {
    /// The input; none for bytes of pictures and numbers of tables.
    pub input: Option<InputForm>,
    /// How weights are stored.
    pub weights: WeightFormat,
    /// True for one more output, `label`, with the class by name. Some runtimes read no texts.
    pub label: bool,
}

/// Why a model cannot be written as ONNX.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OnnxError {
    /// Columns are no pixels.
    #[error("the input of a model of columns is numbers, not bytes")]
    BytesOfColumns,
    /// There are no classes.
    #[error("only a model of classes can have an output with the class by name")]
    NoClasses,
    /// The file would be too large for its readers.
    #[error("the file would have {bytes} bytes, and an ONNX file holds at most {MAX_BYTES}")]
    TooLarge {
        /// Size of the file.
        bytes: usize,
    },
}

/// An ONNX file to be written.
#[derive(Debug)]
pub struct OnnxFile {
    network: Folded,
    weights: WeightFormat,
    head: Head,
    graph: Graph,
    tail: Tail,
}

impl OnnxFile {
    /// Prepares the file of a model that was loaded or trained, whose fields fit each other.
    ///
    /// # Errors
    /// When the model does not have what the options ask for, or the file would exceed 2 GiB.
    pub fn new(model: &Model, options: OnnxOptions) -> Result<Self, OnnxError> {
        let OnnxOptions { input, weights, label } = options;
        let network = Folded::new(model);
        let form = match (&network.input, input) {
            (Input::Columns(_), Some(InputForm::Bytes)) => return Err(OnnxError::BytesOfColumns),
            (Input::Columns(_), _) => InputForm::Numbers,
            (Input::Pictures(_), form) => form.unwrap_or(InputForm::Bytes),
        };
        if label && !matches!(network.answer, Answer::Classes { .. }) {
            return Err(OnnxError::NoClasses);
        }
        let head = Head {
            ir_version: Some(IR_VERSION),
            producer_name: PRODUCER.into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            doc_string: metadata::description(&network),
        };
        let tail = Tail {
            opset_import: vec![Opset { domain: Some(String::new()), version: OPSET }],
            metadata_props: metadata::properties(model, &network),
        };
        let graph = graph(&network, form, weights, label);
        let file = Self { network, weights, head, graph, tail };
        check_size(file.len())?;
        Ok(file)
    }

    /// The weights of the layers, made one by one: together they are most of the file.
    fn tensors(&self) -> impl Iterator<Item = Tensor> {
        let layers = 0..self.network.layers.len();
        layers.flat_map(|i| layer_tensors(&self.network, i, self.weights))
    }

    /// Number of bytes of the graph with the weights.
    fn graph_len(&self) -> usize {
        let tensors = self.tensors().map(|tensor| field_len(tensor.encoded_len()));
        self.graph.encoded_len() + tensors.sum::<usize>()
    }

    /// Number of bytes of the file.
    fn len(&self) -> usize {
        self.head.encoded_len() + field_len(self.graph_len()) + self.tail.encoded_len()
    }

    /// Writes the file. The same model and options give the same bytes.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.head.encode_to_vec())?;
        let mut length = Vec::new();
        prost::encode_length_delimiter(self.graph_len(), &mut length)?;
        out.write_all(&[GRAPH])?;
        out.write_all(&length)?;
        out.write_all(&self.graph.encode_to_vec())?;
        for tensor in self.tensors() {
            out.write_all(&[INITIALIZER])?;
            out.write_all(&tensor.encode_length_delimited_to_vec())?;
        }
        out.write_all(&self.tail.encode_to_vec())
    }
}

fn check_size(bytes: usize) -> Result<(), OnnxError> {
    if bytes > MAX_BYTES { Err(OnnxError::TooLarge { bytes }) } else { Ok(()) }
}

/// Number of bytes of a field that is a message of `len` bytes: key, length and message.
fn field_len(len: usize) -> usize {
    1 + prost::length_delimiter_len(len) + len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_readers_cannot_take_is_refused() {
        assert_eq!(check_size(2_147_483_647), Ok(()));
        let bytes = 2_147_483_648;
        assert_eq!(check_size(bytes), Err(OnnxError::TooLarge { bytes }));
    }
}
