//! Predictions as JSON, as CSV and as a table for people, by what the outputs mean.

use std::path::Path;

use klubok::{
    model::Model,
    nn::{loss::predicted_class as largest, network::OutputKind},
};
use klubok_text::{
    numbers::{percent, significant},
    text, trust,
};
use serde_json::{Map, Value, json};

use super::{Outcome, Prediction};
use crate::{
    failure::{Failure, Result},
    terminal::{Column, bar, numbers, table, words},
};

/// A label is predicted from this confidence on.
const LABEL_CONFIDENCE: f64 = 0.5;

/// File format of a table of predictions.
#[derive(Clone, Copy)]
pub(super) enum Format {
    Csv,
    Json,
}

impl Format {
    pub(super) fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Ok(Format::Csv),
            "json" => Ok(Format::Json),
            _ => Err(Failure::usage(format!("`{}` is neither .csv nor .json", path.display()))
                .hint(text!("hint.format"))),
        }
    }

    pub(super) fn render(self, predictions: &[Prediction], model: &Model) -> Result<Vec<u8>> {
        match self {
            Format::Csv => to_csv(predictions, model).map_err(Failure::failed),
            Format::Json => Ok(format!("{:#}\n", to_json(predictions, model)).into_bytes()),
        }
    }
}

pub(super) fn to_json(predictions: &[Prediction], model: &Model) -> Value {
    let entry = |p: &Prediction| match &p.outcome {
        Ok(Outcome { outputs, far }) => {
            let mut entry = json!({ "input": p.input });
            if let (Some(entry), Value::Object(more)) =
                (entry.as_object_mut(), prediction_json(outputs, model))
            {
                entry.extend(more);
            }
            if let Some(far) = far {
                entry["far"] = json!(far);
            }
            entry
        }
        Err(reason) => json!({ "input": p.input, "error": reason }),
    };
    let trust = trust::to_json(model);
    json!({ "predictions": predictions.iter().map(entry).collect::<Vec<_>>(), "trust": trust })
}

/// Describes one prediction: a class, the labels, or a value (values by name for several).
fn prediction_json(outputs: &[f64], model: &Model) -> Value {
    let names = &model.outputs;
    let by_name = || names.iter().zip(outputs).map(|(name, &p)| (name.clone(), json!(p)));
    match model.network.answer {
        OutputKind::Classes => {
            let best = largest(outputs);
            json!({
                "class": names[best],
                "confidence": outputs[best],
                "probabilities": by_name().collect::<Map<_, _>>(),
            })
        }
        OutputKind::Labels => json!({
            "labels": labels(outputs, names),
            "probabilities": by_name().collect::<Map<_, _>>(),
        }),
        OutputKind::Numbers => match outputs {
            [value] => json!({ "value": value }),
            _ => json!({ "values": by_name().collect::<Map<_, _>>() }),
        },
    }
}

fn labels<'a>(outputs: &[f64], names: &'a [String]) -> Vec<&'a str> {
    let own = names.iter().zip(outputs).filter(|(_, p)| **p >= LABEL_CONFIDENCE);
    own.map(|(name, _)| name.as_str()).collect()
}

/// Writes a row for each input: `input`, the prediction, `error`, and `far`: whether the picture
/// is unlike all training pictures, empty if the model cannot tell. A class is `class,confidence`,
/// labels are joined by `+`; then a column `p_NAME` has the confidence in each. Numbers have a
/// column each.
fn to_csv(predictions: &[Prediction], model: &Model) -> std::result::Result<Vec<u8>, csv::Error> {
    let names = &model.outputs;
    let shares: Vec<String> = names.iter().map(|name| format!("p_{name}")).collect();
    let (answer, rest): (Vec<String>, Vec<String>) = match model.network.answer {
        OutputKind::Classes => (vec!["class".into(), "confidence".into()], shares),
        OutputKind::Labels => (vec!["labels".into()], shares),
        OutputKind::Numbers if model.network.outputs == 1 => (vec!["value".into()], Vec::new()),
        OutputKind::Numbers => (names.clone(), Vec::new()),
    };
    let mut bytes = Vec::new();
    let mut writer = csv::Writer::from_writer(&mut bytes);
    let one = |text: &str| vec![text.to_owned()];
    writer.write_record([one("input"), answer.clone(), one("error"), rest, one("far")].concat())?;
    for p in predictions {
        let (answer, error, rest, far) = match &p.outcome {
            Ok(Outcome { outputs, far }) => {
                let numbers: Vec<String> = outputs.iter().map(f64::to_string).collect();
                let far = far.map_or_else(String::new, |far| far.to_string());
                let best = largest(outputs);
                let (answer, rest) = match model.network.answer {
                    OutputKind::Classes => {
                        (vec![names[best].clone(), numbers[best].clone()], numbers)
                    }
                    OutputKind::Labels => (vec![labels(outputs, names).join("+")], numbers),
                    OutputKind::Numbers => (numbers, Vec::new()),
                };
                (answer, String::new(), rest, far)
            }
            Err(reason) => {
                let empty = |n: usize| vec![String::new(); n];
                let rest =
                    if model.network.answer == OutputKind::Numbers { 0 } else { names.len() };
                (empty(answer.len()), reason.clone(), empty(rest), String::new())
            }
        };
        writer
            .write_record([vec![p.input.clone()], answer, vec![error], rest, vec![far]].concat())?;
    }
    writer.flush()?;
    drop(writer);
    Ok(bytes)
}

/// Writes a row for each readable input: its name, the prediction, and whether it is unlike all
/// training pictures.
pub(super) fn to_table(predictions: &[Prediction], model: &Model) -> String {
    let head: Vec<Column> = match model.network.answer {
        OutputKind::Classes => vec![
            words(text!("predict.class")),
            numbers(text!("predict.confidence")),
            words(""),
            words(""),
        ],
        OutputKind::Labels => vec![words(text!("predict.labels")), words("")],
        OutputKind::Numbers if model.network.outputs == 1 => vec![numbers(text!("predict.value"))],
        OutputKind::Numbers => model.outputs.iter().map(|name| numbers(name.as_str())).collect(),
    };
    let first = match model.preprocessing.input {
        klubok::model::Input::Pictures(_) => text!("predict.file"),
        klubok::model::Input::Columns(_) => text!("predict.row"),
    };
    let head: Vec<Column> = [words(first)].into_iter().chain(head).chain([words("")]).collect();
    let row = |(input, Outcome { outputs, far }): (&String, &Outcome)| {
        let far = if *far == Some(true) { text!("predict.far") } else { String::new() };
        [vec![input.clone()], cells(outputs, model), vec![far]].concat()
    };
    let read = predictions.iter().filter_map(|p| Some((&p.input, p.outcome.as_ref().ok()?)));
    table(&head, &read.map(row).collect::<Vec<_>>())
}

/// Writes a prediction: a class, its confidence with a bar, and the runner-up; labels with their
/// confidences, and the next likely one; or numbers.
fn cells(outputs: &[f64], model: &Model) -> Vec<String> {
    let names = &model.outputs;
    let share = |i: usize| format!("{} {}", names[i], percent(outputs[i]));
    match model.network.answer {
        OutputKind::Classes => {
            let best = largest(outputs);
            let others = (0..outputs.len()).filter(|&i| i != best);
            let next = others.max_by(|&a, &b| outputs[a].total_cmp(&outputs[b]));
            let next = next.filter(|&i| outputs[i] >= 0.01).map_or_else(String::new, share);
            vec![names[best].clone(), percent(outputs[best]), bar(outputs[best], 10), next]
        }
        OutputKind::Labels => {
            let is_there = |i: &usize| outputs[*i] >= LABEL_CONFIDENCE;
            let (there, others): (Vec<usize>, Vec<usize>) = (0..outputs.len()).partition(is_there);
            let next = others.into_iter().max_by(|&a, &b| outputs[a].total_cmp(&outputs[b]));
            let next = next.filter(|&i| outputs[i] >= 0.01).map(share);
            let next = next.map_or_else(String::new, |next| format!("({next})"));
            let there: Vec<String> = there.into_iter().map(share).collect();
            vec![if there.is_empty() { "-".to_owned() } else { there.join(", ") }, next]
        }
        OutputKind::Numbers => outputs.iter().map(|&value| significant(value)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use klubok::{
        model::{Fit, Input, Preprocessing},
        nn::{calibration::Calibration, network::Network},
        state::Weights,
    };

    use super::*;

    fn model(answer: OutputKind, outputs: &[&str]) -> Model {
        let network = Network {
            inputs: 1,
            input_dropout: 0.0,
            hidden: Vec::new(),
            outputs: outputs.len(),
            answer,
        };
        let input = Input::Columns(vec!["x".into()]);
        let (mean, std) = (vec![0.0], vec![1.0]);
        Model {
            network,
            preprocessing: Preprocessing { input, fit: Fit::Squash, mean, std, target: None },
            outputs: outputs.iter().map(|&name| name.to_owned()).collect(),
            calibration: Calibration::NONE,
            card: None,
            weights: Weights::default(),
        }
    }

    fn predictions(outputs: &[f64], far: Option<bool>) -> [Prediction; 2] {
        [
            Prediction {
                input: "a,b.png".into(),
                outcome: Ok(Outcome { outputs: outputs.to_vec(), far }),
            },
            Prediction { input: "c.png".into(), outcome: Err("the file is empty".into()) },
        ]
    }

    fn csv(model: &Model, outputs: &[f64], far: Option<bool>) -> String {
        String::from_utf8(to_csv(&predictions(outputs, far), model).unwrap()).unwrap()
    }

    #[test]
    fn csv_has_a_column_for_each_class_and_quotes_commas() {
        assert_eq!(
            csv(&model(OutputKind::Classes, &["cat", "dog"]), &[0.25, 0.75], Some(true)),
            "input,class,confidence,error,p_cat,p_dog,far\n\
             \"a,b.png\",dog,0.75,,0.25,0.75,true\n\
             c.png,,,the file is empty,,,\n"
        );
    }

    #[test]
    fn csv_joins_labels_and_writes_numbers() {
        assert_eq!(
            csv(&model(OutputKind::Labels, &["ring", "bar"]), &[0.5, 0.75], None),
            "input,labels,error,p_ring,p_bar,far\n\
             \"a,b.png\",ring+bar,,0.5,0.75,\n\
             c.png,,the file is empty,,,\n"
        );
        assert_eq!(
            csv(&model(OutputKind::Numbers, &["price"]), &[-2.5], None),
            "input,value,error,far\n\"a,b.png\",-2.5,,\nc.png,,the file is empty,\n"
        );
        assert_eq!(
            csv(&model(OutputKind::Numbers, &["x", "y"]), &[1.0, 2.0], None),
            "input,x,y,error,far\n\"a,b.png\",1,2,,\nc.png,,,the file is empty,\n"
        );
    }

    #[test]
    fn json_names_what_was_predicted() {
        let entry = |model: &Model, outputs: &[f64]| {
            to_json(&predictions(outputs, None), model)["predictions"][0].clone()
        };
        let classes = entry(&model(OutputKind::Classes, &["cat", "dog"]), &[0.75, 0.25]);
        assert_eq!((&classes["class"], &classes["confidence"]), (&json!("cat"), &json!(0.75)));
        let labels = entry(&model(OutputKind::Labels, &["ring", "bar"]), &[0.4, 0.9]);
        assert_eq!(labels["labels"], json!(["bar"]));
        assert_eq!(labels["probabilities"], json!({ "ring": 0.4, "bar": 0.9 }));
        let number = entry(&model(OutputKind::Numbers, &["price"]), &[3.5]);
        assert_eq!(number, json!({ "input": "a,b.png", "value": 3.5 }));
        let numbers = entry(&model(OutputKind::Numbers, &["x", "y"]), &[1.0, 2.0]);
        assert_eq!(numbers["values"], json!({ "x": 1.0, "y": 2.0 }));
    }
}
