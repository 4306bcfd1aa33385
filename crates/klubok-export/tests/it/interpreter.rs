//! Computes an ONNX graph, plainly and in `f64`.

use std::collections::BTreeMap;

use klubok_export::onnx::messages::{DataType, Graph, Node, Tensor};
use klubok_nn::{layers::activation, plan::Activation};

/// Values in the order of their dimensions.
#[derive(Clone)]
pub(crate) struct Values {
    /// The last dimension.
    pub(crate) width: usize,
    /// The product of all dimensions but the first.
    pub(crate) row: usize,
    pub(crate) numbers: Vec<f64>,
}

/// Returns every value of the graph by name; `input` is that of the one input.
pub(crate) fn run(graph: &Graph, input: Values) -> BTreeMap<String, Values> {
    let tensors = graph.initializer.iter().map(|tensor| (tensor.name.clone(), constant(tensor)));
    let mut all: BTreeMap<String, Values> = tensors.collect();
    assert_eq!(graph.input.len(), 1);
    all.insert(graph.input[0].name.clone(), input);
    for node in &graph.node {
        let of = |name: &String| all.get(name).unwrap_or_else(|| panic!("no {name}"));
        let operands: Vec<&Values> = node.input.iter().map(of).collect();
        let result = operation(node, &operands);
        assert!(all.insert(node.output[0].clone(), result).is_none(), "{} twice", node.output[0]);
    }
    all
}

fn constant(tensor: &Tensor) -> Values {
    let width = tensor.dims.last().map_or(1, |&n| n as usize);
    let row = tensor.dims.iter().skip(1).product::<i64>() as usize;
    let raw = tensor.raw_data.as_deref().unwrap_or_default();
    let numbers: Vec<f64> = if tensor.data_type == DataType::Float as i32 {
        raw.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()
    } else if tensor.data_type == DataType::Int8 as i32 {
        raw.iter().map(|byte| f64::from(byte.cast_signed())).collect()
    } else {
        // Texts are not computed with.
        (0..tensor.string_data.len()).map(|i| i as f64).collect()
    };
    assert_eq!(numbers.len() as i64, tensor.dims.iter().product::<i64>(), "{}", tensor.name);
    Values { width, row, numbers }
}

fn operation(node: &Node, operands: &[&Values]) -> Values {
    let x = operands[0];
    let attribute = |name: &str| node.attribute.iter().find(|a| a.name == name).unwrap();
    let whole = |name: &str| attribute(name).i.unwrap();
    let each = |f: &dyn Fn(f64) -> f64| Values {
        numbers: x.numbers.iter().map(|&x| f(x)).collect(),
        ..*x
    };
    let unit = |f: Activation| each(&move |x| activation::value(f, x));
    // The second operand repeats over the first.
    let pairs = |f: &dyn Fn(f64, f64) -> f64| {
        let b = operands[1];
        assert!(b.width == x.width || b.numbers.len() == 1, "{}", node.name);
        let numbers = x.numbers.iter().zip(b.numbers.iter().cycle()).map(|(&x, &b)| f(x, b));
        Values { numbers: numbers.collect(), ..*x }
    };
    let rows = |f: &dyn Fn(&[f64]) -> Vec<f64>| {
        let numbers: Vec<f64> = x.numbers.chunks_exact(x.width).flat_map(f).collect();
        let width = numbers.len() * x.width / x.numbers.len();
        Values { width, row: width, numbers }
    };
    match node.op_type.as_str() {
        "Cast" => (*x).clone(),
        "Sub" => pairs(&|x, b| x - b),
        "Div" => pairs(&|x, b| x / b),
        "Add" => pairs(&|x, b| x + b),
        "Mul" => pairs(&|x, b| x * b),
        "Relu" => unit(Activation::Relu),
        "Tanh" => unit(Activation::Tanh),
        "Sigmoid" => unit(Activation::Sigmoid),
        "Erf" => each(&libm::erf),
        "Softplus" => each(&activation::softplus),
        "LeakyRelu" | "Elu" => {
            let alpha = f64::from(attribute("alpha").f.unwrap());
            let is_elu = node.op_type == "Elu";
            each(&move |x| match x > 0.0 {
                true => x,
                false if is_elu => alpha * x.exp_m1(),
                false => alpha * x,
            })
        }
        "Gemm" => {
            assert_eq!(whole("transB"), 1);
            let (w, b) = (operands[1], operands[2]);
            assert_eq!(w.width, x.width, "{}", node.name);
            rows(&|x| {
                let sums = w.numbers.chunks_exact(w.width).zip(&b.numbers);
                sums.map(|(w, b)| b + w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()).collect()
            })
        }
        "DequantizeLinear" => {
            assert_eq!(whole("axis"), 0);
            let scales = operands[1].numbers.iter();
            let rows = x.numbers.chunks_exact(x.width).zip(scales);
            let numbers = rows.flat_map(|(q, scale)| q.iter().map(move |q| q * scale)).collect();
            Values { numbers, ..*x }
        }
        "Softmax" => {
            assert_eq!(whole("axis"), -1);
            rows(&|z| {
                let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = z.iter().map(|z| (z - most).exp()).sum();
                z.iter().map(|z| (z - most).exp() / total).collect()
            })
        }
        "ArgMax" => {
            assert_eq!((whole("axis"), whole("keepdims")), (1, 0));
            let first_largest = |z: &[f64]| {
                let largest = (1..z.len()).fold(0, |best, k| if z[k] > z[best] { k } else { best });
                vec![largest as f64]
            };
            rows(&first_largest)
        }
        "Gather" => {
            assert_eq!(whole("axis"), 0);
            let chosen = operands[1];
            let numbers = chosen.numbers.iter().map(|&i| x.numbers[i as usize]).collect();
            Values { numbers, ..*chosen }
        }
        "Flatten" => {
            assert_eq!(whole("axis"), 1);
            Values { width: x.row, ..(*x).clone() }
        }
        other => panic!("unknown operator {other}"),
    }
}
