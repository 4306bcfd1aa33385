//! The messages of an ONNX file that are written here, with their fields.
//!
//! Fields stand in the order of their numbers, as they are encoded. Source: ONNX's `onnx.proto`.

use prost::Message;

/// `ModelProto` up to its graph.
#[derive(Clone, PartialEq, Message)]
pub struct Head {
    /// Version of the format of the file.
    #[prost(int64, optional, tag = "1")]
    pub ir_version: Option<i64>,
    /// Program that wrote the file.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// Its version.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// One sentence about the model.
    #[prost(string, tag = "6")]
    pub doc_string: String,
}

/// `ModelProto` after its graph.
#[derive(Clone, PartialEq, Message)]
pub struct Tail {
    /// Operators that the graph uses.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<Opset>,
    /// What stands in the file besides.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<Property>,
}

/// `OperatorSetIdProto`: the operators of ONNX itself.
#[derive(Clone, PartialEq, Message)]
pub struct Opset {
    /// Empty for those of ONNX itself. Must be present.
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    /// Version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// `StringStringEntryProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Property {
    /// Key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `GraphProto`, without its tensors where they are written one by one.
#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    /// Operations, each after those whose results it needs.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    /// Name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Constants.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<Tensor>,
    /// Inputs.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<Value>,
    /// Outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<Value>,
}

/// `NodeProto`: an operation.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// Names of its operands.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of its results.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Name.
    #[prost(string, tag = "3")]
    pub name: String,
    /// Operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// Parameters.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
}

/// `AttributeProto`: a number. A zero must be present as well.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A number of [`Attribute::FLOAT`].
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// A number of [`Attribute::INT`].
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// Which of them.
    #[prost(int32, tag = "20")]
    pub kind: i32,
}

impl Attribute {
    /// `AttributeType.FLOAT`.
    pub const FLOAT: i32 = 1;
    /// `AttributeType.INT`.
    pub const INT: i32 = 2;
}

/// `TensorProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// Shape; none for a single number.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// Type of the values.
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Texts, in UTF-8.
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub string_data: Vec<Vec<u8>>,
    /// Name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Numbers, little-endian. Absent with texts.
    #[prost(bytes = "vec", optional, tag = "9")]
    pub raw_data: Option<Vec<u8>>,
}

/// `TensorProto.DataType`, of which these are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    /// `f32`.
    Float = 1,
    /// `u8`.
    Uint8 = 2,
    /// `i8`.
    Int8 = 3,
    /// `i64`.
    Int64 = 7,
    /// Text.
    String = 8,
}

/// `ValueInfoProto`: an input or output.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Type and shape.
    #[prost(message, optional, tag = "2")]
    pub kind: Option<Type>,
    /// What it is.
    #[prost(string, tag = "3")]
    pub doc_string: String,
}

/// `TypeProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Type {
    /// The type of a tensor.
    #[prost(message, optional, tag = "1")]
    pub tensor: Option<TensorType>,
}

/// `TypeProto.Tensor`.
#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    /// Type of the values.
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Shape.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
}

/// `TensorShapeProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Shape {
    /// Its dimensions.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// `TensorShapeProto.Dimension`: a size, or the name of one that every call chooses.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    /// Size.
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    /// Name.
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
}
