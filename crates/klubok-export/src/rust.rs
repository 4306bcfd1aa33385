//! Rust: one module with the weights and a function, of `core` alone: for programs with `no_std`,
//! without allocation, unsafe code or dependencies.

use std::io::{self, Write};

use klubok_model::Input;
use klubok_nn::{
    layers::activation::{LEAK, SELU_ALPHA, SELU_SCALE},
    plan::Activation,
};

use super::{
    Answer, Dense, Folded, Samples, WeightFormat,
    source::{describe_answer, describe_input, numbers, sizes},
};

/// Writes the file.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(
    out: &mut dyn Write,
    network: &Folded,
    samples: &Samples,
    weights: WeightFormat,
) -> io::Result<()> {
    head(out, network)?;
    array(out, "MEAN", &network.mean)?;
    array(out, "DEVIATION", &network.std)?;
    for (i, layer) in network.layers.iter().enumerate() {
        layer_arrays(out, i + 1, layer, weights)?;
    }
    predict(out, network, weights)?;
    functions(out, network, weights)?;
    test(out, network, samples)
}

/// Documentation, constants and names.
fn head(out: &mut dyn Write, network: &Folded) -> io::Result<()> {
    let (inputs, outputs) = (network.inputs(), network.outputs.len());
    writeln!(out, "//! A multilayer perceptron, {}. Written by klubok.", sizes(network))?;
    if let Some(quality) = &network.quality {
        writeln!(out, "//!\n//! {quality}")?;
    }
    writeln!(
        out,
        "//!\n//! `no_std`, without allocation. `cargo test` compares it with klubok.\n"
    )?;
    writeln!(out, "/// Number of values in a row.\npub const INPUTS: usize = {inputs};")?;
    writeln!(out, "/// Number of outputs.\npub const OUTPUTS: usize = {outputs};")?;
    names(out, "Names of the outputs", "NAMES", &network.outputs)?;
    if let Input::Columns(columns) = &network.input {
        names(out, "Names of the columns of a row", "COLUMNS", columns)?;
    }
    Ok(())
}

/// The type of a stored value.
fn stored(network: &Folded) -> &'static str {
    match network.input {
        Input::Pictures(_) => "u8",
        Input::Columns(_) => "f32",
    }
}

fn names(out: &mut dyn Write, what: &str, name: &str, names: &[String]) -> io::Result<()> {
    writeln!(out, "/// {what}.\npub const {name}: [&str; {}] = [", names.len())?;
    for name in names {
        writeln!(out, "    {},", literal(name))?;
    }
    writeln!(out, "];")
}

/// The arrays of a layer: weights, their scales where they are in 8 bits, biases.
fn layer_arrays(
    out: &mut dyn Write,
    n: usize,
    layer: &Dense,
    weights: WeightFormat,
) -> io::Result<()> {
    match weights {
        WeightFormat::F32 => array(out, &format!("W{n}"), &layer.weights)?,
        WeightFormat::Int8 => {
            let (scales, weights) = layer.to_int8();
            writeln!(out, "\n{FORMATTED}\nstatic W{n}: [i8; {}] = [", weights.len())?;
            numbers(out, "    ", &weights, i8::to_string)?;
            writeln!(out, "];")?;
            array(out, &format!("S{n}"), &scales)?;
        }
    }
    array(out, &format!("B{n}"), &layer.bias)
}

/// Neither rustfmt nor Clippy has anything to say about the digits.
const FORMATTED: &str = "#[rustfmt::skip]\n#[allow(clippy::all, clippy::pedantic)]";

fn array(out: &mut dyn Write, name: &str, values: &[f32]) -> io::Result<()> {
    writeln!(out, "\n{FORMATTED}\nstatic {name}: [f32; {}] = [", values.len())?;
    numbers(out, "    ", values, |value| format!("{value:e}"))?;
    writeln!(out, "];")
}

/// A layer's sums. Sixteen at a time are as fast as the processor's vectors, and keep the rounding
/// error small.
const DOT: &str = "
fn dot(w: &[WEIGHT], x: &[f32]) -> f32 {
    let mut part = [0.0; 16];
    let whole = x.len() - x.len() % 16;
    for (w, x) in w[..whole].chunks_exact(16).zip(x.chunks_exact(16)) {
        for ((part, w), x) in part.iter_mut().zip(w).zip(x) {
            *part += CONVERTED * x;
        }
    }
    for ((part, w), x) in part.iter_mut().zip(&w[whole..]).zip(&x[whole..]) {
        *part += CONVERTED * x;
    }
    let mut half = 8;
    while half > 0 {
        for k in 0..half {
            part[k] += part[k + half];
        }
        half /= 2;
    }
    part[0]
}
";

const LAYER_F32: &str = "
fn layer(y: &mut [f32], x: &[f32], w: &[f32], b: &[f32]) {
    for ((y, w), b) in y.iter_mut().zip(w.chunks_exact(x.len())).zip(b) {
        *y = dot(w, x) + b;
    }
}
";

const LAYER_INT8: &str = "
fn layer(y: &mut [f32], x: &[f32], w: &[i8], s: &[f32], b: &[f32]) {
    for (((y, w), s), b) in y.iter_mut().zip(w.chunks_exact(x.len())).zip(s).zip(b) {
        *y = s * dot(w, x) + b;
    }
}
";

/// The exponential of `klubok-kernels`.
const EXP: &str = "
/// e^x - less, where `less` is 0 or 1: exact near x = 0 in both cases.
fn exp_less(x: f32, less: f32) -> f32 {
    let at = x.clamp(-87.0, 88.0);
    let n = (at * core::f32::consts::LOG2_E + if at < 0.0 { -0.5 } else { 0.5 }) as i32;
    let r = at - n as f32 * 0.693_359_4 - n as f32 * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let power = f32::from_bits(((n + 127) as u32) << 23);
    (power - less) + power * (p * (r * r) + r)
}
";

/// Functions that the prediction uses.
fn functions(out: &mut dyn Write, network: &Folded, weights: WeightFormat) -> io::Result<()> {
    let (kind, converted, layer) = match weights {
        WeightFormat::F32 => ("f32", "w", LAYER_F32),
        WeightFormat::Int8 => ("i8", "f32::from(*w)", LAYER_INT8),
    };
    write!(out, "{}{layer}", DOT.replace("WEIGHT", kind).replace("CONVERTED", converted))?;
    if network.needs_exponential() {
        write!(out, "{EXP}")?;
    }
    for f in network.activations() {
        let Some((name, body)) = activation(f) else { continue };
        write!(out, "\nfn {name}(x: f32) -> f32 {{\n{body}}}\n")?;
    }
    Ok(())
}

/// The name of an activation, and its body; none for the identity. The formulas are those of
/// `klubok-kernels`.
fn activation(f: Activation) -> Option<(&'static str, String)> {
    Some(match f {
        Activation::Relu => ("relu", "    if x <= 0.0 { 0.0 } else { x }\n".into()),
        Activation::LeakyRelu => {
            ("leaky_relu", format!("    if x > 0.0 {{ x }} else {{ {LEAK:e} * x }}\n"))
        }
        Activation::Gelu => ("gelu", GELU.into()),
        Activation::Silu => ("silu", "    x / (1.0 + exp_less(-x, 0.0))\n".into()),
        Activation::Selu => {
            let (scale, alpha) = (SELU_SCALE as f32, (SELU_SCALE * SELU_ALPHA) as f32);
            let body = format!(
                "    if x > 0.0 {{ {scale:e} * x }} else {{ {alpha:e} * exp_less(x, 1.0) }}\n"
            );
            ("selu", body)
        }
        Activation::Mish => ("mish", MISH.into()),
        Activation::Tanh => ("hyperbolic_tangent", TANH.into()),
        Activation::Sigmoid => ("sigmoid", "    1.0 / (1.0 + exp_less(-x, 0.0))\n".into()),
        Activation::Identity => return None,
    })
}

const GELU: &str = "    let a = if x < 0.0 { -x } else { x };
    let t = 1.0 / (1.0 + 0.3 * a);
    let mut h = -0.020_623_47;
    h = h * t + 0.112_435_62;
    h = h * t - 0.228_213_61;
    h = h * t + 0.191_784_55;
    h = h * t - 0.079_423_495;
    h = h * t + 0.096_156_836;
    h = h * t + 0.078_389_65;
    h = h * t + 0.110_235_42;
    h = h * t + 0.119_571_81;
    h = h * t + 0.119_686_69;
    h = h * t * exp_less(-0.5 * a * a, 0.0);
    x * if x < 0.0 { h } else { 1.0 - h }
";

const MISH: &str = "    let e = exp_less(if x > 20.0 { 20.0 } else { x }, 0.0);
    let n = e * (e + 2.0);
    x * (n / (n + 2.0))
";

const TANH: &str = "    let e = exp_less(if x < 0.0 { 2.0 * x } else { -2.0 * x }, 1.0);
    let size = -e / (2.0 + e);
    if x < 0.0 { -size } else { size }
";

/// The function that predicts.
fn predict(out: &mut dyn Write, network: &Folded, weights: WeightFormat) -> io::Result<()> {
    let (even, odd) = network.buffers();
    let inputs = network.inputs();
    let converted = if stored(network) == "u8" { "f32::from(*row)" } else { "row" };
    write!(
        out,
        "
/// Predicts one row: {}.
///
/// Returns {}.
pub fn predict(row: &[{}; INPUTS]) -> [f32; OUTPUTS] {{
    let (mut a, mut b) = ([0.0; {even}], [0.0; {odd}]);
    let scales = MEAN.iter().zip(&DEVIATION).cycle();
    for ((x, row), (mean, deviation)) in a.iter_mut().zip(row).zip(scales) {{
        *x = ({converted} - mean) / deviation;
    }}
",
        describe_input(network),
        describe_answer(network),
        stored(network),
    )?;
    let mut width = inputs;
    for (i, layer) in network.layers.iter().enumerate() {
        let (x, y) = if i % 2 == 0 { ("a", "b") } else { ("b", "a") };
        let (n, units) = (i + 1, layer.bias.len());
        let scale = if weights == WeightFormat::Int8 { format!("&S{n}, ") } else { String::new() };
        writeln!(out, "    layer(&mut {y}[..{units}], &{x}[..{width}], &W{n}, {scale}&B{n});")?;
        if let Some((function, _)) = activation(layer.activation) {
            writeln!(out, "    {y}[..{units}].iter_mut().for_each(|y| *y = {function}(*y));")?;
        }
        width = units;
    }
    let z = if network.layers.len() % 2 == 1 { "b" } else { "a" };
    writeln!(out, "    let mut z = [0.0; OUTPUTS];\n    z.copy_from_slice(&{z}[..OUTPUTS]);")?;
    match network.answer {
        Answer::Classes { uniform } => write!(
            out,
            "    let most = z.iter().fold(z[0], |most: f32, z| most.max(*z));
    z.iter_mut().for_each(|z| *z = exp_less(*z - most, 0.0));
    let sum: f32 = z.iter().sum();
    z.map(|z| {:e} * (z / sum) + {:e})\n}}\n",
            1.0 - uniform,
            uniform / network.outputs.len() as f32
        ),
        Answer::Labels => writeln!(out, "    z.map(|z| 1.0 / (1.0 + exp_less(-z, 0.0)))\n}}"),
        Answer::Numbers => writeln!(out, "    z\n}}"),
    }
}

/// A test that compares predictions with klubok's.
fn test(out: &mut dyn Write, network: &Folded, samples: &Samples) -> io::Result<()> {
    let (kind, count) = (stored(network), samples.samples.len());
    writeln!(out, "\n#[cfg(test)]\nmod tests {{\n    use super::*;\n")?;
    writeln!(out, "    #[rustfmt::skip]\n    static ROWS: [[{kind}; INPUTS]; {count}] = [")?;
    for sample in &samples.samples {
        writeln!(out, "        [")?;
        let number = |v: &f32| if kind == "u8" { v.to_string() } else { format!("{v:e}") };
        numbers(out, "            ", &sample.row, number)?;
        writeln!(out, "        ],")?;
    }
    writeln!(out, "    ];\n")?;
    writeln!(out, "    #[rustfmt::skip]\n    static EXPECTED: [[f32; OUTPUTS]; {count}] = [")?;
    for sample in &samples.samples {
        writeln!(out, "        [")?;
        numbers(out, "            ", &sample.prediction, |v| format!("{v:e}"))?;
        writeln!(out, "        ],")?;
    }
    writeln!(out, "    ];\n\n    #[rustfmt::skip]\n    static TOLERANCE: [f32; OUTPUTS] = [")?;
    numbers(out, "        ", &samples.tolerance, |v| format!("{v:e}"))?;
    write!(
        out,
        "    ];

    #[test]
    fn predictions_are_those_of_klubok() {{
        for (row, expected) in ROWS.iter().zip(&EXPECTED) {{
            for ((p, expected), tolerance) in predict(row).iter().zip(expected).zip(&TOLERANCE) {{
                assert!((p - expected).abs() <= *tolerance, \"{{p}} instead of {{expected}}\");
            }}
        }}
    }}
}}
"
    )
}

/// A string of Rust: ASCII alone, since some characters change how the rest of a line looks.
fn literal(text: &str) -> String {
    let kept = |c: char| {
        if c.is_ascii_graphic() && !"\"\\".contains(c) || c == ' ' {
            c.to_string()
        } else {
            c.escape_unicode().to_string()
        }
    };
    format!("\"{}\"", text.chars().map(kept).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn strings_are_those_of_rust() {
        assert_eq!(literal("a\"b\n\\é"), r#""a\u{22}b\u{a}\u{5c}\u{e9}""#);
    }
}
