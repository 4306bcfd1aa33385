//! What stands in a file beside the graph: the meaning of its input and outputs, and how far to
//! trust it.
//!
//! | key | value |
//! | --- | --- |
//! | `format` | version of these keys |
//! | `task` | `class`, `label` or `number` |
//! | `names` | the outputs in their order, a list in JSON |
//! | `columns` | the columns of a row in their order, a list in JSON |
//! | `target` | the columns of the data that hold the answers, a list in JSON |
//! | `width`, `height`, `color` | a picture; `color` is `grey` or `rgb` |
//! | `fit`, `resize` | how a picture of another shape becomes one of this shape |
//! | `temperature`, `uniform` | the calibration of the confidences, which are calibrated already |
//! | `quality` | a sentence: how good the network is, on data that it has not seen |
//! | `card` | the model card, an object in JSON |
//!
//! A key that does not apply is absent.

use klubok_model::{Fit, Input, Model};
use serde_json::{Value, json};

use super::messages::Property;
use crate::{Answer, Folded, source::sizes};

/// Version of the keys.
const FORMAT: u32 = 1;

/// One sentence about the model.
pub(super) fn description(network: &Folded) -> String {
    let (sizes, input) = (sizes(network), network.input.describe());
    format!("A multilayer perceptron, {sizes}, for {input}. Written by klubok.")
}

/// The entries, sorted by key.
pub(super) fn properties(model: &Model, network: &Folded) -> Vec<Property> {
    let text = |key: &str, value: String| Property { key: key.into(), value };
    let list = |key: &str, names: &[String]| text(key, json!(names).to_string());
    let task = match network.answer {
        Answer::Classes { .. } => "class",
        Answer::Labels => "label",
        Answer::Numbers => "number",
    };
    let mut all = vec![
        text("format", FORMAT.to_string()),
        text("task", task.into()),
        list("names", &network.outputs),
    ];
    match &network.input {
        Input::Columns(columns) => all.push(list("columns", columns)),
        Input::Pictures(shape) => all.extend([
            text("width", shape.width.to_string()),
            text("height", shape.height.to_string()),
            text("color", if shape.channels == 1 { "grey" } else { "rgb" }.into()),
            text("fit", fit(network.fit).into()),
            text("resize", resize(network.fit).into()),
        ]),
    }
    if let Some(target) = &model.preprocessing.target {
        all.push(list("target", &target.columns));
    }
    if let Answer::Classes { .. } = network.answer {
        all.push(text("temperature", model.calibration.temperature.to_string()));
        all.push(text("uniform", model.calibration.uniform.to_string()));
    }
    if let Some(quality) = &network.quality {
        all.push(text("quality", quality.clone()));
    }
    if let Some(card) = card(model) {
        all.push(text("card", card.to_string()));
    }
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

fn fit(fit: Fit) -> &'static str {
    match fit {
        Fit::Squash => "squash",
        Fit::Crop => "crop",
        Fit::Pad => "pad",
    }
}

fn resize(fit: Fit) -> &'static str {
    match fit {
        Fit::Squash => "turn upright by EXIF, then stretch; bilinear with antialiasing",
        Fit::Crop => {
            "turn upright by EXIF, cut the largest part of this shape out of the centre, then \
             resize it; bilinear with antialiasing"
        }
        Fit::Pad => {
            "turn upright by EXIF, resize to the largest size that fits in, then fill up with grey \
             of 128 on both sides; bilinear with antialiasing"
        }
    }
}

/// The card, with sorted keys and without what only klubok can use.
fn card(model: &Model) -> Option<Value> {
    let card = model.card.as_ref()?;
    let mut value = json!({ "training": card.training });
    if let Some(validation) = card.validation {
        value["validation"] = json!(validation);
    }
    if let Some(errors) = card.errors {
        value["errors"] = json!(errors);
    }
    value.sort_all_objects();
    Some(value)
}
