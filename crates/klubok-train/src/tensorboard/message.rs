//! The messages of an event file, as far as klubok writes or reads them.
//!
//! Fields of other messages are boxed: a value of a few bytes in a file takes little memory.
//!
//! Sources: TensorFlow's `event.proto`, `summary.proto`, `histogram.proto`, `tensor.proto`,
//! TensorBoard's `plugin_data.proto` of its hyper-parameters, and `struct.proto`.

use std::collections::BTreeMap;

use prost::Message;

/// What stands in a file at a step. Of the last three fields, one is set.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// When it was written, in seconds since 1970.
    #[prost(double, tag = "1")]
    pub seconds: f64,
    /// Updates done.
    #[prost(int64, tag = "2")]
    pub step: i64,
    /// Version of the format, in the first event of a file.
    #[prost(string, optional, tag = "3")]
    pub file_version: Option<String>,
    /// Figures, pictures and texts.
    #[prost(message, optional, tag = "5")]
    pub summary: Option<Summary>,
    /// A restart.
    #[prost(message, optional, tag = "7")]
    pub session_log: Option<SessionLog>,
}

/// The values of a step.
#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Value>,
}

/// A value with its name. Of the fields for its content, at most one is set.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    /// The name; TensorBoard groups by the part before its last slash.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// A figure.
    #[prost(float, optional, tag = "2")]
    pub number: Option<f32>,
    /// A picture.
    #[prost(message, optional, boxed, tag = "4")]
    pub image: Option<Box<Image>>,
    /// A histogram.
    #[prost(message, optional, boxed, tag = "5")]
    pub histogram: Option<Box<HistogramProto>>,
    /// A text, or a figure of newer writers.
    #[prost(message, optional, boxed, tag = "8")]
    pub tensor: Option<Box<Tensor>>,
    /// Which part of TensorBoard shows the value.
    #[prost(message, optional, boxed, tag = "9")]
    pub metadata: Option<Box<Metadata>>,
}

/// A picture in a file format.
#[derive(Clone, PartialEq, Message)]
pub struct Image {
    /// Height in pixels.
    #[prost(int32, tag = "1")]
    pub height: i32,
    /// Width in pixels.
    #[prost(int32, tag = "2")]
    pub width: i32,
    /// Values of a pixel: 1 is grey, 3 is RGB.
    #[prost(int32, tag = "3")]
    pub channels: i32,
    /// The file.
    #[prost(bytes = "vec", tag = "4")]
    pub file: Vec<u8>,
}

/// A histogram.
#[derive(Clone, PartialEq, Message)]
pub struct HistogramProto {
    /// Smallest value.
    #[prost(double, tag = "1")]
    pub min: f64,
    /// Largest value.
    #[prost(double, tag = "2")]
    pub max: f64,
    /// Number of values.
    #[prost(double, tag = "3")]
    pub count: f64,
    /// Sum of the values.
    #[prost(double, tag = "4")]
    pub sum: f64,
    /// Sum of their squares.
    #[prost(double, tag = "5")]
    pub sum_squares: f64,
    /// Right edge of each bucket.
    #[prost(double, repeated, tag = "6")]
    pub edges: Vec<f64>,
    /// Number of values in each bucket.
    #[prost(double, repeated, tag = "7")]
    pub counts: Vec<f64>,
}

/// A tensor of numbers or strings.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// 1 is f32, 2 is f64, 7 is a string.
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    /// The dimensions; none of a scalar.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
    /// The numbers, little-endian.
    #[prost(bytes = "vec", tag = "4")]
    pub content: Vec<u8>,
    /// Numbers of f32, one by one.
    #[prost(float, repeated, tag = "5")]
    pub floats: Vec<f32>,
    /// Numbers of f64, one by one.
    #[prost(double, repeated, tag = "6")]
    pub doubles: Vec<f64>,
    /// Strings, one by one.
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub strings: Vec<Vec<u8>>,
}

/// The dimensions of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct Shape {
    /// One entry per dimension.
    #[prost(message, repeated, tag = "2")]
    pub dimensions: Vec<Dimension>,
}

/// A dimension of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    /// Its size.
    #[prost(int64, tag = "1")]
    pub size: i64,
}

/// Which part of TensorBoard shows a value.
#[derive(Clone, PartialEq, Message)]
pub struct Metadata {
    /// The part.
    #[prost(message, optional, tag = "1")]
    pub plugin: Option<Plugin>,
    /// 2 is a tensor.
    #[prost(int32, tag = "4")]
    pub class: i32,
}

/// A part of TensorBoard.
#[derive(Clone, PartialEq, Message)]
pub struct Plugin {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A message of its own.
    #[prost(bytes = "vec", tag = "2")]
    pub content: Vec<u8>,
}

/// A restart of the program that writes.
#[derive(Clone, PartialEq, Message)]
pub struct SessionLog {
    /// 1 is a start: what earlier files hold from its step on no longer counts.
    #[prost(int32, tag = "1")]
    pub status: i32,
}

/// What the table of hyper-parameters holds of a run.
#[derive(Clone, PartialEq, Message)]
pub struct HyperParameters {
    /// The start of the run.
    #[prost(message, optional, tag = "3")]
    pub start: Option<SessionStart>,
}

/// The settings of a run for the table of hyper-parameters.
#[derive(Clone, PartialEq, Message)]
pub struct SessionStart {
    /// The settings by name.
    #[prost(btree_map = "string, message", tag = "1")]
    pub settings: BTreeMap<String, Setting>,
    /// When the run began, in seconds since 1970.
    #[prost(double, tag = "5")]
    pub seconds: f64,
}

/// A setting. One field is set.
#[derive(Clone, PartialEq, Message)]
pub struct Setting {
    /// A number.
    #[prost(double, optional, tag = "2")]
    pub number: Option<f64>,
    /// A text.
    #[prost(string, optional, tag = "3")]
    pub text: Option<String>,
    /// A switch.
    #[prost(bool, optional, tag = "4")]
    pub switch: Option<bool>,
}
