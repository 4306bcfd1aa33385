//! C: one C99 file with the weights and a function, without allocation, state or dependencies.
//! Several threads may predict at the same time.

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

/// Writes the file. Its names begin with `name`, of which anything but letters, digits and `_` is
/// replaced.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(
    out: &mut dyn Write,
    network: &Folded,
    samples: &Samples,
    weights: WeightFormat,
    name: &str,
) -> io::Result<()> {
    let name = identifier(name);
    head(out, network, &name)?;
    array(out, "mean", &network.mean)?;
    array(out, "deviation", &network.std)?;
    for (i, layer) in network.layers.iter().enumerate() {
        layer_arrays(out, i + 1, layer, weights)?;
    }
    functions(out, network, weights)?;
    predict(out, network, weights, &name)?;
    test(out, network, samples, &name)
}

/// Comment, constants and names.
fn head(out: &mut dyn Write, network: &Folded, name: &str) -> io::Result<()> {
    let (inputs, outputs) = (network.inputs(), network.outputs.len());
    let upper = name.to_uppercase();
    writeln!(out, "/* A multilayer perceptron, {}. Written by klubok.\n", sizes(network))?;
    writeln!(out, "   {name}_predict(row, prediction)")?;
    writeln!(out, "   row: {inputs} values: {};", describe_input(network))?;
    writeln!(out, "   prediction: {outputs} values: {}.\n", describe_answer(network))?;
    if let Some(quality) = &network.quality {
        writeln!(out, "   {quality}\n")?;
    }
    writeln!(out, "   C99. No allocation, no state, no library. To test it:")?;
    writeln!(out, "   cc -std=c99 -O2 -D{upper}_TEST FILE.c && ./a.out */\n")?;
    writeln!(out, "#include <stdint.h>\n")?;
    writeln!(out, "#define {upper}_INPUTS {inputs}\n#define {upper}_OUTPUTS {outputs}\n")?;
    writeln!(
        out,
        "/* Names of the outputs{}. */",
        match network.input {
            Input::Pictures(_) => "",
            Input::Columns(_) => ", and of the columns of a row",
        }
    )?;
    names(out, &format!("{name}_names"), &network.outputs)?;
    if let Input::Columns(columns) = &network.input {
        names(out, &format!("{name}_columns"), columns)?;
    }
    writeln!(out, "void {name}_predict(const {} *row, float *prediction);", stored(network))
}

/// The type of a stored value.
fn stored(network: &Folded) -> &'static str {
    match network.input {
        Input::Pictures(_) => "unsigned char",
        Input::Columns(_) => "float",
    }
}

fn names(out: &mut dyn Write, name: &str, names: &[String]) -> io::Result<()> {
    let size = names.len();
    writeln!(out, "extern const char *const {name}[{size}];")?;
    writeln!(out, "const char *const {name}[{size}] = {{")?;
    for name in names {
        writeln!(out, "  {},", literal(name))?;
    }
    writeln!(out, "}};\n")
}

/// The arrays of a layer: weights, their scales where they are in 8 bits, biases.
fn layer_arrays(
    out: &mut dyn Write,
    n: usize,
    layer: &Dense,
    weights: WeightFormat,
) -> io::Result<()> {
    match weights {
        WeightFormat::F32 => array(out, &format!("w{n}"), &layer.weights)?,
        WeightFormat::Int8 => {
            let (scales, weights) = layer.to_int8();
            writeln!(out, "\nstatic const int8_t w{n}[{}] = {{", weights.len())?;
            numbers(out, "  ", &weights, i8::to_string)?;
            writeln!(out, "}};")?;
            array(out, &format!("s{n}"), &scales)?;
        }
    }
    array(out, &format!("b{n}"), &layer.bias)
}

fn array(out: &mut dyn Write, name: &str, values: &[f32]) -> io::Result<()> {
    writeln!(out, "\nstatic const float {name}[{}] = {{", values.len())?;
    numbers(out, "  ", values, |value| format!("{value:e}f"))?;
    writeln!(out, "}};")
}

/// A layer's sums. Sixteen at a time are as fast as the processor's vectors, and keep the rounding
/// error small.
const DOT: &str = "
static float dot(const WEIGHT *w, const float *x, int size) {
  float part[16] = {0};
  int i = 0;
  for (; i + 16 <= size; i += 16)
    for (int k = 0; k < 16; k++) part[k] += (float)w[i + k] * x[i + k];
  for (int k = 0; i + k < size; k++) part[k] += (float)w[i + k] * x[i + k];
  for (int half = 8; half > 0; half /= 2)
    for (int k = 0; k < half; k++) part[k] += part[k + half];
  return part[0];
}
";

const LAYER_F32: &str = "
static void layer(float *y, const float *x, const float *w, const float *b, int inputs, int units) {
  for (int unit = 0; unit < units; unit++) y[unit] = dot(w + unit * inputs, x, inputs) + b[unit];
}
";

const LAYER_INT8: &str = "
static void layer(float *y, const float *x, const int8_t *w, const float *s, const float *b, int inputs,
                  int units) {
  for (int unit = 0; unit < units; unit++)
    y[unit] = s[unit] * dot(w + unit * inputs, x, inputs) + b[unit];
}
";

/// The exponential of `klubok-kernels`, without its trick of rounding by an addition, which
/// `-ffast-math` would break.
const EXP: &str = "
/* e^x - less, where `less` is 0 or 1: exact near x = 0 in both cases. */
static float exp_less(float x, float less) {
  const float at = x > -87 ? (x < 88 ? x : 88) : -87;
  const int n = (int)(at * 1.44269504f + (at < 0 ? -0.5f : 0.5f));
  const float r = at - (float)n * 0.693359375f - (float)n * -2.1219444e-4f;
  float p = 1.9875691e-4f;
  union {
    uint32_t bits;
    float value;
  } power;
  p = p * r + 1.3982e-3f;
  p = p * r + 8.333452e-3f;
  p = p * r + 4.1665796e-2f;
  p = p * r + 1.6666665e-1f;
  p = p * r + 0.5f;
  power.bits = (uint32_t)(n + 127) << 23;
  return x != x ? x : (power.value - less) + power.value * (p * (r * r) + r);
}
";

/// Functions that the prediction uses.
fn functions(out: &mut dyn Write, network: &Folded, weights: WeightFormat) -> io::Result<()> {
    let (kind, layer) = match weights {
        WeightFormat::F32 => ("float", LAYER_F32),
        WeightFormat::Int8 => ("int8_t", LAYER_INT8),
    };
    write!(out, "{}{layer}", DOT.replace("WEIGHT", kind))?;
    if network.needs_exponential() {
        write!(out, "{EXP}")?;
    }
    for f in network.activations() {
        let Some((name, body)) = activation(f) else { continue };
        write!(
            out,
            "\nstatic void {name}(float *y, int units) {{\n  for (int i = 0; i < units; i++) {{\n    \
             const float x = y[i];\n{body}  }}\n}}\n"
        )?;
    }
    Ok(())
}

/// The name of an activation, and its statements, which set `y[i]` to the value of `x`; none for
/// the identity. The formulas are those of `klubok-kernels`.
fn activation(f: Activation) -> Option<(&'static str, String)> {
    Some(match f {
        Activation::Relu => ("relu", "    y[i] = x <= 0 ? 0 : x;\n".into()),
        Activation::LeakyRelu => ("leaky_relu", format!("    y[i] = x > 0 ? x : {LEAK:e}f * x;\n")),
        Activation::Gelu => ("gelu", GELU.into()),
        Activation::Silu => ("silu", "    y[i] = x / (1 + exp_less(-x, 0));\n".into()),
        Activation::Selu => {
            let (scale, alpha) = (SELU_SCALE as f32, (SELU_SCALE * SELU_ALPHA) as f32);
            ("selu", format!("    y[i] = x > 0 ? {scale:e}f * x : {alpha:e}f * exp_less(x, 1);\n"))
        }
        Activation::Mish => ("mish", MISH.into()),
        Activation::Tanh => ("hyperbolic_tangent", TANH.into()),
        Activation::Sigmoid => ("sigmoid", "    y[i] = 1 / (1 + exp_less(-x, 0));\n".into()),
        Activation::Identity => return None,
    })
}

const GELU: &str = "    const float a = x < 0 ? -x : x, t = 1 / (1 + 0.3f * a);
    float h = -0.02062347f;
    h = h * t + 0.11243562f;
    h = h * t - 0.22821361f;
    h = h * t + 0.19178455f;
    h = h * t - 0.079423495f;
    h = h * t + 0.096156836f;
    h = h * t + 0.07838965f;
    h = h * t + 0.11023542f;
    h = h * t + 0.11957181f;
    h = h * t + 0.11968669f;
    h = h * t * exp_less(-0.5f * a * a, 0);
    y[i] = x * (x < 0 ? h : 1 - h);
";

const MISH: &str = "    const float e = exp_less(x > 20 ? 20 : x, 0), n = e * (e + 2);
    y[i] = x * (n / (n + 2));
";

const TANH: &str = "    const float e = exp_less(x < 0 ? 2 * x : -2 * x, 1), size = -e / (2 + e);
    y[i] = x < 0 ? -size : size;
";

/// The function that predicts.
fn predict(
    out: &mut dyn Write,
    network: &Folded,
    weights: WeightFormat,
    name: &str,
) -> io::Result<()> {
    let (inputs, outputs, scales) = (network.inputs(), network.outputs.len(), network.mean.len());
    let (even, odd) = network.buffers();
    let at = if scales == 1 {
        "0".into()
    } else if scales == inputs {
        "i".into()
    } else {
        format!("i % {scales}")
    };
    writeln!(out, "\nvoid {name}_predict(const {} *row, float *prediction) {{", stored(network))?;
    writeln!(out, "  float a[{even}], b[{odd}];")?;
    writeln!(
        out,
        "  for (int i = 0; i < {inputs}; i++) a[i] = ((float)row[i] - mean[{at}]) / deviation[{at}];"
    )?;
    for (i, layer) in network.layers.iter().enumerate() {
        let (x, y) = if i % 2 == 0 { ("a", "b") } else { ("b", "a") };
        let (n, inputs, units) = (i + 1, layer.inputs, layer.bias.len());
        let scale = if weights == WeightFormat::Int8 { format!("s{n}, ") } else { String::new() };
        writeln!(out, "  layer({y}, {x}, w{n}, {scale}b{n}, {inputs}, {units});")?;
        if let Some((function, _)) = activation(layer.activation) {
            writeln!(out, "  {function}({y}, {units});")?;
        }
    }
    let z = if network.layers.len() % 2 == 1 { "b" } else { "a" };
    let each = format!("for (int k = 0; k < {outputs}; k++)");
    match network.answer {
        Answer::Classes { uniform } => {
            let (rest, share) = (1.0 - uniform, uniform / outputs as f32);
            writeln!(out, "  float most = {z}[0], sum = 0;")?;
            writeln!(out, "  {each} most = {z}[k] > most ? {z}[k] : most;")?;
            writeln!(out, "  {each} sum += {z}[k] = exp_less({z}[k] - most, 0);")?;
            writeln!(out, "  {each} prediction[k] = {rest:e}f * ({z}[k] / sum) + {share:e}f;\n}}")
        }
        Answer::Labels => {
            writeln!(out, "  {each} prediction[k] = 1 / (1 + exp_less(-{z}[k], 0));\n}}")
        }
        Answer::Numbers => writeln!(out, "  {each} prediction[k] = {z}[k];\n}}"),
    }
}

/// A program that compares predictions with klubok's.
fn test(out: &mut dyn Write, network: &Folded, samples: &Samples, name: &str) -> io::Result<()> {
    let (inputs, outputs, count) = (network.inputs(), network.outputs.len(), samples.samples.len());
    writeln!(out, "\n#ifdef {}_TEST\n#include <stdio.h>\n", name.to_uppercase())?;
    if count == 0 {
        return writeln!(
            out,
            "int main(void) {{\n  puts(\"no samples: this network overflows on all\");\n  return 0;\n}}\n#endif"
        );
    }
    writeln!(out, "static const {} rows[{count}][{inputs}] = {{", stored(network))?;
    let is_byte = matches!(network.input, Input::Pictures(_));
    for sample in &samples.samples {
        writeln!(out, "  {{")?;
        let number = |v: &f32| if is_byte { v.to_string() } else { format!("{v:e}f") };
        numbers(out, "    ", &sample.row, number)?;
        writeln!(out, "  }},")?;
    }
    writeln!(out, "}};\n\nstatic const float expected[{count}][{outputs}] = {{")?;
    for sample in &samples.samples {
        writeln!(out, "  {{")?;
        numbers(out, "    ", &sample.prediction, |v| format!("{v:e}f"))?;
        writeln!(out, "  }},")?;
    }
    writeln!(out, "}};\n\nstatic const float tolerance[{outputs}] = {{")?;
    numbers(out, "  ", &samples.tolerance, |v| format!("{v:e}f"))?;
    writeln!(
        out,
        "}};

int main(void) {{
  int wrong = 0;
  float prediction[{outputs}];
  for (int sample = 0; sample < {count}; sample++) {{
    int good = 1;
    {name}_predict(rows[sample], prediction);
    for (int k = 0; k < {outputs}; k++) {{
      const float error = prediction[k] - expected[sample][k];
      if (!(error <= tolerance[k] && error >= -tolerance[k])) good = 0;
    }}
    wrong += !good;
  }}
  printf(\"%d of {count} predictions are klubok's\\n\", {count} - wrong);
  return wrong > 0;
}}
#endif"
    )
}

/// An identifier.
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
    fn strings_are_those_of_c() {
        assert_eq!(literal("a\"b\n??/é"), "\"a\\042b\\012\\077\\077\\057\\303\\251\"");
    }

    #[test]
    fn names_are_those_of_c() {
        assert_eq!(identifier("Cats & dogs 1"), "cats___dogs_1");
        assert_eq!(identifier("3x"), "model_3x");
        assert_eq!(identifier(""), "model_");
    }
}
