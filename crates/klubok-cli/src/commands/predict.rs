//! `klubok predict`: class and confidences of pictures.
//!
//! An unreadable picture gets an entry with the reason and does not stop the others.

use std::path::Path;

use klubok::{files::write_atomically, nn::loss::predicted_class as largest};
use klubok_text::{clean, numbers::percent, text, translated, trust};
use serde_json::{Map, Value, json};

use crate::{
    args,
    classifier::Classifier,
    failure::{Failure, Result},
    files,
    terminal::{Screen, bar, numbers, print_stdout, print_wrapped, table, words},
};

/// The entry of one input.
struct Prediction {
    input: String,
    /// The prediction, or why there is none.
    outcome: std::result::Result<Outcome, String>,
}

/// The network's prediction for a picture.
struct Outcome {
    /// Confidences in the order of the classes.
    confidences: Vec<f64>,
    /// Whether the picture is unlike all training pictures, if the model can tell.
    far: Option<bool>,
}

/// Predicts every input.
pub(crate) fn run(args: &args::Predict) -> Result<()> {
    let screen = Screen::new(args.flags.quiet);
    let format = args.output.as_deref().map(Format::of).transpose()?;
    if let Some(path) = args.output.as_deref().filter(|path| path.exists()) {
        let sentence = format!("`{}` exists and will not be overwritten", path.display());
        return Err(Failure::failed(sentence).hint(text!("hint.overwrite")));
    }
    let classifier = Classifier::open(&args.model, args.compute.threads)?;
    let inputs = files::pictures(&args.inputs);
    if inputs.is_empty() {
        let folders: Vec<String> =
            args.inputs.iter().map(|path| format!("`{}`", path.display())).collect();
        let sentence = format!("there are no pictures in {}", folders.join(", "));
        return Err(Failure::failed(sentence).hint(text!("hint.no_pictures")));
    }
    let bar = screen.bar(text!("load.reading"), inputs.len() as u64);
    let mut predictions = Vec::with_capacity(inputs.len());
    for block in inputs.chunks(classifier.pictures_per_batch()?) {
        predictions.extend(predict(&classifier, block)?);
        bar.inc(block.len() as u64);
    }
    bar.finish_and_clear();

    if let (Some(path), Some(format)) = (&args.output, format) {
        write_atomically(path, &format.render(&predictions, &classifier)?)?;
        screen.message(text!("predict.written", path = path.display()));
    }
    let failed = predictions.iter().filter(|p| p.outcome.is_err()).count();
    // Without any prediction there is nothing to trust.
    let trust = (failed < inputs.len()).then(|| trust::sentence(classifier.card()));
    if args.flags.json {
        print_stdout(to_json(&predictions, &classifier))?;
    } else if args.output.is_none() {
        let table = trust.as_ref().map(|_| to_table(&predictions, classifier.classes()));
        let lines = table.into_iter().chain(unreadable(&predictions));
        lines.chain(far(&predictions)).chain(trust).try_for_each(print_wrapped)?;
    } else {
        far(&predictions).into_iter().chain(trust).for_each(|line| screen.message(line));
    }
    if failed > 0 {
        return Err(Failure::failed(text!("predict.some_failed", n = failed, all = inputs.len())));
    }
    Ok(())
}

fn predict(classifier: &Classifier, block: &[files::InputPicture]) -> Result<Vec<Prediction>> {
    let pixels = classifier.read(block)?;
    let read: Vec<&[u8]> = pixels.iter().filter_map(|p| p.as_deref().ok()).collect();
    let (logits, calibration) = (classifier.picture_logits(&read)?, classifier.calibration());
    let mut rows = logits.chunks_exact(classifier.classes().len());
    let outcome = |pixels: std::result::Result<Vec<u8>, String>| {
        pixels.and_then(|pixels| {
            let row = rows.next().unwrap_or_default();
            let mut confidences: Vec<f64> = row.iter().map(|&z| z.into()).collect();
            calibration.confidences(&mut confidences);
            let is_answer = confidences.iter().all(|p| p.is_finite());
            let outcome = Outcome { confidences, far: classifier.is_far(&pixels) };
            is_answer.then_some(outcome).ok_or_else(|| text!("predict.no_number"))
        })
    };
    let outcomes: Vec<_> = pixels.into_iter().map(outcome).collect();
    let name = |found: &files::InputPicture| found.name.clone();
    let pairs = block.iter().map(name).zip(outcomes);
    Ok(pairs.map(|(input, outcome)| Prediction { input, outcome }).collect())
}

/// Reports the number of pictures unlike all training pictures, if any.
fn far(predictions: &[Prediction]) -> Option<String> {
    let outcomes = predictions.iter().filter_map(|p| p.outcome.as_ref().ok());
    let far = outcomes.filter(|outcome| outcome.far == Some(true)).count();
    (far > 0).then(|| text!("predict.some_far", n = far, all = predictions.len()))
}

/// File format of a table of predictions.
#[derive(Clone, Copy)]
enum Format {
    Csv,
    Json,
}

impl Format {
    fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Ok(Format::Csv),
            "json" => Ok(Format::Json),
            _ => Err(Failure::usage(format!("`{}` is neither .csv nor .json", path.display()))
                .hint(text!("hint.format"))),
        }
    }

    fn render(self, predictions: &[Prediction], classifier: &Classifier) -> Result<Vec<u8>> {
        match self {
            Format::Csv => to_csv(predictions, classifier.classes()).map_err(Failure::failed),
            Format::Json => Ok(format!("{:#}\n", to_json(predictions, classifier)).into_bytes()),
        }
    }
}

fn to_json(predictions: &[Prediction], classifier: &Classifier) -> Value {
    let classes = classifier.classes();
    let entry = |p: &Prediction| match &p.outcome {
        Ok(Outcome { confidences, far }) => {
            let best = largest(confidences);
            let pairs = classes.iter().zip(confidences).map(|(c, &p)| (c.clone(), json!(p)));
            let mut entry = json!({
                "input": p.input,
                "class": classes[best],
                "confidence": confidences[best],
                "probabilities": pairs.collect::<Map<_, _>>(),
            });
            if let Some(far) = far {
                entry["far"] = json!(far);
            }
            entry
        }
        Err(reason) => json!({ "input": p.input, "error": reason }),
    };
    let trust = trust::to_json(classifier.card());
    json!({ "predictions": predictions.iter().map(entry).collect::<Vec<_>>(), "trust": trust })
}

/// Writes a row for each input: `input,class,confidence,error`, a column `p_CLASS` for each class,
/// and `far`: whether the picture is unlike all training pictures, empty if the model cannot tell.
fn to_csv(
    predictions: &[Prediction],
    classes: &[String],
) -> std::result::Result<Vec<u8>, csv::Error> {
    let mut bytes = Vec::new();
    let mut writer = csv::Writer::from_writer(&mut bytes);
    let columns = classes.iter().map(|class| format!("p_{class}"));
    let head = ["input", "class", "confidence", "error"].map(str::to_owned);
    writer.write_record(head.into_iter().chain(columns).chain(["far".to_owned()]))?;
    for p in predictions {
        let mut line = vec![p.input.clone()];
        match &p.outcome {
            Ok(Outcome { confidences, far }) => {
                let best = largest(confidences);
                line.extend([classes[best].clone(), confidences[best].to_string(), String::new()]);
                line.extend(confidences.iter().map(f64::to_string));
                line.push(far.map_or_else(String::new, |far| far.to_string()));
            }
            Err(reason) => {
                line.extend([String::new(), String::new(), reason.clone()]);
                line.extend(classes.iter().map(|_| String::new()).chain([String::new()]));
            }
        }
        writer.write_record(line)?;
    }
    writer.flush()?;
    drop(writer);
    Ok(bytes)
}

/// Writes a row for each readable picture: file, class, confidence with a bar, runner-up, and
/// whether it is unlike all training pictures.
fn to_table(predictions: &[Prediction], classes: &[String]) -> String {
    let head = [
        words(text!("predict.file")),
        words(text!("predict.class")),
        numbers(text!("predict.confidence")),
        words(""),
        words(""),
        words(""),
    ];
    let row = |(input, Outcome { confidences, far }): (&String, &Outcome)| {
        let best = largest(confidences);
        let share = confidences[best];
        vec![
            input.clone(),
            classes[best].clone(),
            percent(share),
            bar(share, 10),
            second(confidences, best, classes),
            if *far == Some(true) { text!("predict.far") } else { String::new() },
        ]
    };
    let read = predictions.iter().filter_map(|p| Some((&p.input, p.outcome.as_ref().ok()?)));
    table(&head, &read.map(row).collect::<Vec<_>>())
}

/// Writes why inputs could not be read, a line for each.
fn unreadable(predictions: &[Prediction]) -> Vec<String> {
    let line = |p: &Prediction| {
        let reason = translated(p.outcome.as_ref().err()?);
        let exists = Path::new(&p.input).symlink_metadata().is_ok();
        let line = match p.input.contains(['*', '?', '[']) {
            _ if exists => format!("{}: {}", p.input, text!("predict.unreadable", reason = reason)),
            true => text!("predict.no_match", pattern = p.input),
            false => format!("{}: {}", p.input, text!("predict.no_file")),
        };
        Some(clean(format!("  {line}")))
    };
    predictions.iter().filter_map(line).collect()
}

/// The second class with its confidence, if that is at least 1 %.
fn second(confidences: &[f64], best: usize, classes: &[String]) -> String {
    let others = (0..confidences.len()).filter(|&i| i != best);
    let next = others.max_by(|&a, &b| confidences[a].total_cmp(&confidences[b]));
    match next {
        Some(i) if confidences[i] >= 0.01 => format!("{} {}", classes[i], percent(confidences[i])),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_has_a_column_for_each_class_and_quotes_commas() {
        let predictions = [
            Prediction {
                input: "a,b.png".into(),
                outcome: Ok(Outcome { confidences: vec![0.25, 0.75], far: Some(true) }),
            },
            Prediction { input: "c.png".into(), outcome: Err("the file is empty".into()) },
        ];
        let csv = to_csv(&predictions, &["cat".into(), "dog".into()]).unwrap();
        assert_eq!(
            String::from_utf8(csv).unwrap(),
            "input,class,confidence,error,p_cat,p_dog,far\n\
             \"a,b.png\",dog,0.75,,0.25,0.75,true\n\
             c.png,,,the file is empty,,,\n"
        );
    }
}
