//! C: one C99 file with the weights and a function, without allocation, state or dependencies but
//! `<math.h>`. Several threads may predict at the same time.

use std::fmt::Write as _;

use klubok_model::Input;
use klubok_nn::{
    layers::activation::{LEAK, SELU_ALPHA, SELU_SCALE},
    plan::Activation,
};

use super::{Answer, Folded};

/// Numbers in a line of an array.
const IN_LINE: usize = 8;

/// Returns the file. Its names begin with `prefix`, of which anything but letters, digits and `_`
/// is replaced.
pub fn source(network: &Folded, prefix: &str) -> String {
    let name = identifier(prefix);
    let mut c = head(network, &name);
    arrays(&mut c, network);
    c += LAYER;
    let mut used: Vec<Activation> = network.layers.iter().map(|layer| layer.activation).collect();
    used.sort_unstable_by_key(|f| *f as u8);
    used.dedup();
    for f in used {
        if let Some((function, value)) = formula(f) {
            let _ = write!(
                c,
                "\nstatic void {function}(float *y, int units) {{\n  for (int i = 0; i < units; i++) \
                 {{\n    const float x = y[i];\n    y[i] = {value};\n  }}\n}}\n"
            );
        }
    }
    predict(&mut c, network, &name);
    c
}

/// Comment, constants and names.
fn head(network: &Folded, name: &str) -> String {
    let outputs = network.outputs.len();
    let sizes: Vec<String> = std::iter::once(network.inputs())
        .chain(network.layers.iter().map(|layer| layer.bias.len()))
        .map(|size| size.to_string())
        .collect();
    let names: Vec<String> = network.outputs.iter().map(|name| literal(name)).collect();
    let what = match network.answer {
        Answer::Classes { .. } => "the confidence in each class; their sum is 1",
        Answer::Labels => "the confidence in each label",
        Answer::Numbers => "the predicted numbers",
    };
    let input = match network.input {
        Input::Pictures(_) => format!("{}, 0 to 255, row by row", network.input.describe()),
        Input::Columns(_) => network.input.describe(),
    };
    format!(
        "/* A multilayer perceptron, {sizes}. Written by klubok.\n\n   \
         {name}_predict(row, prediction): `row` has {inputs} values as they are stored ({input}),\n   \
         `prediction` gets {what}. C99; no allocation, no state. */\n\
         #include <math.h>\n\n\
         #define {upper}_INPUTS {inputs}\n#define {upper}_OUTPUTS {outputs}\n\n\
         const char *const {name}_names[{outputs}] = {{{names}}};\n",
        sizes = sizes.join("-"),
        inputs = network.inputs(),
        upper = name.to_uppercase(),
        names = names.join(", "),
    )
}

/// The weights, and the scale of the input.
fn arrays(c: &mut String, network: &Folded) {
    array(c, "factor", &network.factor);
    array(c, "offset", &network.offset);
    for (i, layer) in network.layers.iter().enumerate() {
        array(c, &format!("w{}", i + 1), &layer.weights);
        array(c, &format!("b{}", i + 1), &layer.bias);
    }
}

fn array(c: &mut String, name: &str, values: &[f32]) {
    let _ = writeln!(c, "\nstatic const float {name}[{}] = {{", values.len());
    for line in values.chunks(IN_LINE) {
        let numbers: Vec<String> = line.iter().map(|value| format!("{value:e}f")).collect();
        let _ = writeln!(c, "  {},", numbers.join(", "));
    }
    *c += "};\n";
}

/// A layer's sums. Of parts of 64 the error stays small, however many inputs there are.
const LAYER: &str = "
static void sums(float *y, const float *x, const float *w, const float *b, int inputs, int units) {
  for (int unit = 0; unit < units; unit++, w += inputs) {
    float sum = b[unit];
    for (int from = 0; from < inputs; from += 64) {
      const int to = inputs - from < 64 ? inputs : from + 64;
      float part = 0;
      for (int i = from; i < to; i++) part += w[i] * x[i];
      sum += part;
    }
    y[unit] = sum;
  }
}
";

/// The name of an activation, and its value of `x`; none for the identity.
fn formula(f: Activation) -> Option<(&'static str, String)> {
    let softplus = "(fmaxf(x, 0) + log1pf(expf(-fabsf(x))))";
    Some(match f {
        Activation::Relu => ("relu", "x > 0 ? x : 0".into()),
        Activation::LeakyRelu => ("leaky_relu", format!("x > 0 ? x : {LEAK:e}f * x")),
        Activation::Gelu => ("gelu", "0.5f * x * erfcf(-x * 0.70710678118654752f)".into()),
        Activation::Silu => ("silu", "x / (1 + expf(-x))".into()),
        Activation::Selu => {
            let (scale, negative) = (SELU_SCALE, SELU_SCALE * SELU_ALPHA);
            ("selu", format!("x > 0 ? {scale:e}f * x : {negative:e}f * expm1f(x)"))
        }
        Activation::Mish => ("mish", format!("x * tanhf({softplus})")),
        Activation::Tanh => ("hyperbolic_tangent", "tanhf(x)".into()),
        Activation::Sigmoid => ("sigmoid", "1 / (1 + expf(-x))".into()),
        Activation::Identity => return None,
    })
}

/// The function that predicts.
fn predict(c: &mut String, network: &Folded, name: &str) {
    let widest = |from: usize| {
        let widths = network.layers.iter().skip(from).step_by(2).map(|layer| layer.bias.len());
        widths.max().unwrap_or(1)
    };
    let (inputs, scales) = (network.inputs(), network.factor.len());
    let (odd, even) = (widest(0), inputs.max(widest(1)));
    let _ = write!(
        c,
        "\nvoid {name}_predict(const float *row, float *prediction) {{\n  \
         float a[{even}], b[{odd}];\n  \
         for (int i = 0; i < {inputs}; i++) a[i] = row[i] * factor[i % {scales}] + \
         offset[i % {scales}];\n"
    );
    for (i, layer) in network.layers.iter().enumerate() {
        let (x, y) = if i % 2 == 0 { ("a", "b") } else { ("b", "a") };
        let (n, units) = (i + 1, layer.bias.len());
        let _ = writeln!(c, "  sums({y}, {x}, w{n}, b{n}, {}, {units});", layer.inputs);
        if let Some((function, _)) = formula(layer.activation) {
            let _ = writeln!(c, "  {function}({y}, {units});");
        }
    }
    let z = if network.layers.len() % 2 == 1 { "b" } else { "a" };
    let outputs = network.outputs.len();
    let end = match network.answer {
        Answer::Classes { uniform } => format!(
            "  float most = {z}[0], sum = 0;\n  \
             for (int k = 1; k < {outputs}; k++) most = fmaxf(most, {z}[k]);\n  \
             for (int k = 0; k < {outputs}; k++) sum += {z}[k] = expf({z}[k] - most);\n  \
             for (int k = 0; k < {outputs}; k++) prediction[k] = {rest:e}f * {z}[k] / sum + \
             {each:e}f;\n}}\n",
            rest = 1.0 - uniform,
            each = uniform / outputs as f32,
        ),
        Answer::Labels => format!(
            "  for (int k = 0; k < {outputs}; k++) prediction[k] = 1 / (1 + expf(-{z}[k]));\n}}\n"
        ),
        Answer::Numbers => {
            format!("  for (int k = 0; k < {outputs}; k++) prediction[k] = {z}[k];\n}}\n")
        }
    };
    *c += &end;
}

/// An identifier of C.
fn identifier(name: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = name.chars().map(kept).collect();
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if begins { name } else { format!("model_{name}") }
}

/// A string of C: bytes that may mean something to a compiler in octal.
fn literal(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'_' | b'-' | b'.' => {
            char::from(byte).to_string()
        }
        other => format!("\\{other:03o}"),
    };
    format!("\"{}\"", text.bytes().map(byte).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_c() {
        assert_eq!(identifier("Cats & dogs 1"), "cats___dogs_1");
        assert_eq!(identifier("3x"), "model_3x");
        assert_eq!(literal("a\"b\n??/é"), "\"a\\042b\\012\\077\\077\\057\\303\\251\"");
    }
}
