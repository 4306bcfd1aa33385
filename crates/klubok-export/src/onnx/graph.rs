//! The graph: the input's scale, the layers, the answer.
//!
//! Operators and forms are those that runtimes recognise. GELU, which these operators lack, is
//! written as PyTorch writes it; SELU is ELU times λ, since not every runtime has SELU.

use std::collections::BTreeSet;

use klubok_model::Input;
use klubok_nn::{
    layers::activation::{LEAK, SELU_ALPHA, SELU_SCALE},
    plan::{Activation, Picture},
};

use super::{
    InputForm,
    messages::{
        Attribute, DataType, Dimension, Graph, Node, Shape, Tensor, TensorType, Type, Value,
    },
};
use crate::{
    Answer, Dense, Folded, WeightFormat,
    source::{describe_answer, describe_input},
};

/// Name of the input.
pub const INPUT: &str = "input";
/// Name of the number of a class.
pub const CLASS: &str = "class";
/// Name of the name of a class.
pub const LABEL: &str = "label";
/// Name of the confidences in classes or labels.
pub const PROBABILITIES: &str = "probabilities";
/// Name of predicted numbers.
pub const VALUES: &str = "values";

/// Name of the first dimension of inputs and outputs: the number of samples of a call.
const BATCH: &str = "batch";

/// A graph that grows, without the weights of its layers.
struct Builder {
    graph: Graph,
    /// Names of constants that several operations share.
    constants: BTreeSet<&'static str>,
}

/// Returns the graph without the tensors of [`layer_tensors`].
pub(super) fn graph(
    network: &Folded,
    form: InputForm,
    weights: WeightFormat,
    label: bool,
) -> Graph {
    let graph = Graph { name: "klubok".into(), ..Graph::default() };
    let mut to = Builder { graph, constants: BTreeSet::new() };
    let mut x = to.input(network, form);
    for (i, layer) in network.layers.iter().enumerate() {
        x = to.layer(&x, &layer_name(network, i), layer.activation, weights);
    }
    to.answer(network, &x, label);
    to.graph
}

/// The tensors of layer `i`, in the order of their names' use.
pub(super) fn layer_tensors(network: &Folded, i: usize, weights: WeightFormat) -> Vec<Tensor> {
    let (layer, name) = (&network.layers[i], layer_name(network, i));
    let Dense { inputs, weights: values, bias, .. } = layer;
    let matrix = [bias.len(), *inputs];
    let bias = floats(format!("{name}.bias"), &[bias.len()], bias);
    match weights {
        WeightFormat::F32 => vec![floats(format!("{name}.weight"), &matrix, values), bias],
        WeightFormat::Int8 => {
            let (scales, q) = layer.to_int8();
            let raw = q.iter().map(|q| q.cast_unsigned()).collect();
            vec![
                tensor(format!("{name}.weight.int8"), DataType::Int8, &matrix, Some(raw)),
                floats(format!("{name}.weight.scale"), &[scales.len()], &scales),
                bias,
            ]
        }
    }
}

/// The name of a layer, as in the model's own file.
fn layer_name(network: &Folded, i: usize) -> String {
    if i + 1 == network.layers.len() { "output".into() } else { format!("hidden{}", i + 1) }
}

impl Builder {
    /// Adds an operation and returns the name of its result.
    fn add(
        &mut self,
        operator: &str,
        operands: &[&str],
        result: impl Into<String>,
        attributes: Vec<Attribute>,
    ) -> String {
        let result = result.into();
        self.graph.node.push(Node {
            input: operands.iter().map(|&name| name.into()).collect(),
            output: vec![result.clone()],
            name: result.clone(),
            op_type: operator.into(),
            attribute: attributes,
        });
        result
    }

    /// Adds a constant that is a single number, once, and returns its name.
    fn number(&mut self, name: &'static str, value: f32) -> &'static str {
        if self.constants.insert(name) {
            self.graph.initializer.push(floats(name.into(), &[], &[value]));
        }
        name
    }

    /// Declares the input and adds `(stored - mean) / std`.
    fn input(&mut self, network: &Folded, form: InputForm) -> String {
        let (inputs, channels) = (network.inputs(), network.mean.len());
        let picture = match network.input {
            Input::Pictures(shape) if form == InputForm::Bytes => Some(shape),
            _ => None,
        };
        let (mut x, meaning) = (INPUT.to_owned(), describe_input(network));
        if let Some(Picture { width, height, channels }) = picture {
            let shape = [height, width, channels];
            self.graph.input.push(value(INPUT, DataType::Uint8, &shape, &meaning));
            let to = whole("to", DataType::Float as i64);
            x = self.add("Cast", &[&x], "pixels", vec![to]);
        } else {
            self.graph.input.push(value(INPUT, DataType::Float, &[inputs], &meaning));
        }
        if network.mean.iter().any(|mean| *mean != 0.0) || network.std.iter().any(|s| *s != 1.0) {
            // Without the channels as a dimension of their own, they repeat over the row. One alone
            // stands for all.
            let times = if picture.is_some() || channels == 1 { 1 } else { inputs / channels };
            for (name, values) in [("mean", &network.mean), ("std", &network.std)] {
                let values = values.repeat(times);
                self.graph.initializer.push(floats(name.into(), &[values.len()], &values));
            }
            x = self.add("Sub", &[&x, "mean"], "centred", vec![]);
            x = self.add("Div", &[&x, "std"], "scaled", vec![]);
        }
        if picture.is_some() {
            x = self.add("Flatten", &[&x], "row", vec![whole("axis", 1)]);
        }
        x
    }

    /// Adds `f(Wx + b)`.
    fn layer(&mut self, x: &str, name: &str, f: Activation, weights: WeightFormat) -> String {
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        if weights == WeightFormat::Int8 {
            let operands = [&format!("{weight}.int8"), &format!("{weight}.scale")];
            let axis = whole("axis", 0);
            self.add("DequantizeLinear", &operands.map(String::as_str), &weight, vec![axis]);
        }
        let sums = format!("{name}.sums");
        let z = self.add("Gemm", &[x, &weight, &bias], sums, vec![whole("transB", 1)]);
        let at = |part: &str| format!("{name}.{part}");
        match f {
            Activation::Identity => z,
            Activation::Relu => self.add("Relu", &[&z], name, vec![]),
            Activation::Tanh => self.add("Tanh", &[&z], name, vec![]),
            Activation::Sigmoid => self.add("Sigmoid", &[&z], name, vec![]),
            Activation::LeakyRelu => {
                self.add("LeakyRelu", &[&z], name, vec![number("alpha", LEAK as f32)])
            }
            Activation::Selu => {
                let alpha = number("alpha", SELU_ALPHA as f32);
                let y = self.add("Elu", &[&z], at("elu"), vec![alpha]);
                let scale = self.number("selu_scale", SELU_SCALE as f32);
                self.add("Mul", &[&y, scale], name, vec![])
            }
            Activation::Silu => {
                let gate = self.add("Sigmoid", &[&z], at("gate"), vec![]);
                self.add("Mul", &[&z, &gate], name, vec![])
            }
            Activation::Mish => {
                let y = self.add("Softplus", &[&z], at("softplus"), vec![]);
                let gate = self.add("Tanh", &[&y], at("gate"), vec![]);
                self.add("Mul", &[&z, &gate], name, vec![])
            }
            Activation::Gelu => {
                let root = self.number("root_of_two", std::f32::consts::SQRT_2);
                let (one, half) = (self.number("one", 1.0), self.number("half", 0.5));
                let y = self.add("Div", &[&z, root], at("scaled"), vec![]);
                let y = self.add("Erf", &[&y], at("erf"), vec![]);
                let y = self.add("Add", &[&y, one], at("gate"), vec![]);
                let y = self.add("Mul", &[&z, &y], at("doubled"), vec![]);
                self.add("Mul", &[&y, half], name, vec![])
            }
        }
    }

    /// Adds the last step and declares the outputs.
    fn answer(&mut self, network: &Folded, z: &str, label: bool) {
        let (outputs, meaning) = (network.outputs.len(), describe_answer(network));
        match network.answer {
            Answer::Numbers => {
                // Only the last operation can have the name of the output: it is the last layer's.
                if let Some(node) = self.graph.node.last_mut() {
                    (node.name, node.output) = (VALUES.into(), vec![VALUES.into()]);
                }
                self.graph.output.push(value(VALUES, DataType::Float, &[outputs], meaning));
            }
            Answer::Labels => {
                self.add("Sigmoid", &[z], PROBABILITIES, vec![]);
                self.graph.output.push(value(PROBABILITIES, DataType::Float, &[outputs], meaning));
            }
            Answer::Classes { uniform } => {
                let last = whole("axis", -1);
                if uniform > 0.0 {
                    let rest = self.number("rest", 1.0 - uniform);
                    let each = self.number("each", uniform / outputs as f32);
                    let p = self.add("Softmax", &[z], "softmax", vec![last]);
                    let p = self.add("Mul", &[&p, rest], "mixed", vec![]);
                    self.add("Add", &[&p, each], PROBABILITIES, vec![]);
                } else {
                    self.add("Softmax", &[z], PROBABILITIES, vec![last]);
                }
                let how = vec![whole("axis", 1), whole("keepdims", 0)];
                self.add("ArgMax", &[PROBABILITIES], CLASS, how);
                if label {
                    self.graph.initializer.push(texts("names".into(), &network.outputs));
                    self.add("Gather", &["names", CLASS], LABEL, vec![whole("axis", 0)]);
                    self.graph.output.push(value(
                        LABEL,
                        DataType::String,
                        &[],
                        "the likeliest class",
                    ));
                }
                self.graph.output.push(value(CLASS, DataType::Int64, &[], "its number, from 0"));
                self.graph.output.push(value(PROBABILITIES, DataType::Float, &[outputs], meaning));
            }
        }
    }
}

/// An input or output `[batch, sizes...]`, and what it is.
fn value(name: &str, of: DataType, sizes: &[usize], meaning: &str) -> Value {
    let batch = Dimension { dim_param: Some(BATCH.into()), dim_value: None };
    let sizes = sizes.iter().map(|&n| Dimension { dim_value: Some(n as i64), dim_param: None });
    let shape = Some(Shape { dim: std::iter::once(batch).chain(sizes).collect() });
    let tensor = Some(TensorType { elem_type: of as i32, shape });
    Value { name: name.into(), kind: Some(Type { tensor }), doc_string: meaning.into() }
}

fn tensor(name: String, of: DataType, shape: &[usize], raw: Option<Vec<u8>>) -> Tensor {
    let dims = shape.iter().map(|&n| n as i64).collect();
    Tensor { dims, data_type: of as i32, string_data: vec![], name, raw_data: raw }
}

fn floats(name: String, shape: &[usize], values: &[f32]) -> Tensor {
    let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, DataType::Float, shape, Some(raw))
}

fn texts(name: String, texts: &[String]) -> Tensor {
    let string_data = texts.iter().map(|text| text.clone().into_bytes()).collect();
    Tensor { string_data, ..tensor(name, DataType::String, &[texts.len()], None) }
}

fn whole(name: &str, value: i64) -> Attribute {
    Attribute { name: name.into(), f: None, i: Some(value), kind: Attribute::INT }
}

fn number(name: &str, value: f32) -> Attribute {
    Attribute { name: name.into(), f: Some(value), i: None, kind: Attribute::FLOAT }
}
