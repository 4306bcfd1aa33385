//! What the source files of all languages share.

use std::io::{self, Write};

use klubok_model::{Fit, Input};

use super::{Answer, Folded};

/// Numbers in a line of an array.
const IN_LINE: usize = 8;

/// What a row is, in words.
pub(crate) fn describe_input(network: &Folded) -> String {
    match network.input {
        Input::Pictures(shape) => {
            let channels = if shape.channels == 1 {
                ""
            } else {
                ", red, green and blue of a pixel side by side"
            };
            let fit = match network.fit {
                Fit::Squash => "stretched to this size",
                Fit::Crop => "cropped to this shape at the centre, then resized",
                Fit::Pad => "padded with grey to this shape, then resized",
            };
            format!(
                "{}, 0 to 255, row by row{channels}; other pictures are {fit}",
                network.input.describe()
            )
        }
        Input::Columns(_) => format!("{}, in their own units", network.input.describe()),
    }
}

/// What a prediction is, in words.
pub(crate) fn describe_answer(network: &Folded) -> &'static str {
    match network.answer {
        Answer::Classes { .. } => "the confidence in each class; their sum is 1",
        Answer::Labels => "the confidence in each label",
        Answer::Numbers => "the predicted numbers",
    }
}

/// The sizes of the layers, from the input on: `4-16-3`.
pub(crate) fn sizes(network: &Folded) -> String {
    let units = network.layers.iter().map(|layer| layer.bias.len());
    let sizes = std::iter::once(network.inputs()).chain(units);
    sizes.map(|size| size.to_string()).collect::<Vec<_>>().join("-")
}

/// Writes the numbers of an array, in lines.
pub(crate) fn numbers<T>(
    out: &mut dyn Write,
    indent: &str,
    values: &[T],
    number: impl Fn(&T) -> String,
) -> io::Result<()> {
    for line in values.chunks(IN_LINE) {
        write!(out, "{indent}")?;
        for (i, value) in line.iter().enumerate() {
            write!(out, "{}{},", if i > 0 { " " } else { "" }, number(value))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
