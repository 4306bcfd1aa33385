//! `klubok predict`: predictions for pictures, or for the rows of tables.
//!
//! An unreadable picture gets an entry with the reason and does not stop the others.

mod output;

use std::path::Path;

use klubok::{files::write_atomically, model::Input};
use klubok_text::{clean, text, translated, trust};

use self::output::Format;
use crate::{
    args,
    failure::{Failure, Result},
    files,
    loaded_model::LoadedModel,
    terminal::{Screen, print_stdout, print_wrapped},
};

/// The entry of one input.
struct Prediction {
    input: String,
    /// The prediction, or why there is none.
    outcome: std::result::Result<Outcome, String>,
}

/// The network's prediction for an input.
struct Outcome {
    /// Confidences in classes or labels, or numbers, in the order of the outputs.
    outputs: Vec<f64>,
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
    let loaded = LoadedModel::open(&args.model, args.compute.threads)?;
    let predictions = match &loaded.model().preprocessing.input {
        Input::Pictures(_) => of_pictures(&loaded, args, screen)?,
        Input::Columns(_) => of_tables(&loaded, args, screen)?,
    };
    if let (Some(path), Some(format)) = (&args.output, format) {
        write_atomically(path, &format.render(&predictions, loaded.model())?)?;
        screen.message(text!("predict.written", path = path.display()));
    }
    let is_table = matches!(loaded.model().preprocessing.input, Input::Columns(_));
    let failed = predictions.iter().filter(|p| p.outcome.is_err()).count();
    // Without any prediction there is nothing to trust.
    let trust = (failed < predictions.len()).then(|| trust::sentence(loaded.model()));
    if args.flags.json {
        print_stdout(output::to_json(&predictions, loaded.model()))?;
    } else if args.output.is_none() {
        let table = trust.as_ref().map(|_| output::to_table(&predictions, loaded.model()));
        let lines = table.into_iter().chain(unreadable(&predictions, is_table));
        lines.chain(far(&predictions)).chain(trust).try_for_each(print_wrapped)?;
    } else {
        far(&predictions).into_iter().chain(trust).for_each(|line| screen.message(line));
    }
    if failed > 0 {
        let all = predictions.len();
        return Err(Failure::failed(text!("predict.some_failed", n = failed, all = all)));
    }
    Ok(())
}

/// Predicts pictures, block by block.
fn of_pictures(
    loaded: &LoadedModel,
    args: &args::Predict,
    screen: Screen,
) -> Result<Vec<Prediction>> {
    let inputs = files::pictures(&args.inputs);
    if inputs.is_empty() {
        let folders: Vec<String> =
            args.inputs.iter().map(|path| format!("`{}`", path.display())).collect();
        let sentence = format!("there are no pictures in {}", folders.join(", "));
        return Err(Failure::failed(sentence).hint(text!("hint.no_pictures")));
    }
    let bar = screen.bar(text!("load.reading"), inputs.len() as u64);
    let mut predictions = Vec::with_capacity(inputs.len());
    for block in inputs.chunks(loaded.pictures_per_batch()?) {
        predictions.extend(of_block(loaded, block)?);
        bar.inc(block.len() as u64);
    }
    bar.finish_and_clear();
    Ok(predictions)
}

/// Predicts the rows of tables: each by its number from 0, with several tables after the file.
fn of_tables(
    loaded: &LoadedModel,
    args: &args::Predict,
    screen: Screen,
) -> Result<Vec<Prediction>> {
    let mut predictions = Vec::new();
    for path in &args.inputs {
        let outputs = loaded.model().network.outputs;
        let predicted = loaded.predict_table(path, screen)?;
        predictions.extend(predicted.chunks(outputs).enumerate().map(|(row, outputs)| {
            Prediction {
                input: match args.inputs.len() {
                    1 => row.to_string(),
                    _ => format!("{}:{row}", path.display()),
                },
                outcome: outcome(outputs.to_vec(), None),
            }
        }));
    }
    Ok(predictions)
}

fn of_block(loaded: &LoadedModel, block: &[files::InputPicture]) -> Result<Vec<Prediction>> {
    let pixels = loaded.read(block)?;
    let read: Vec<&[u8]> = pixels.iter().filter_map(|p| p.as_deref().ok()).collect();
    let predicted = loaded.predict_pictures(&read)?;
    let mut rows = predicted.chunks_exact(loaded.model().network.outputs);
    let outcome = |pixels: std::result::Result<Vec<u8>, String>| {
        pixels.and_then(|pixels| {
            let outputs = rows.next().unwrap_or_default().to_vec();
            outcome(outputs, loaded.is_far(&pixels))
        })
    };
    let outcomes: Vec<_> = pixels.into_iter().map(outcome).collect();
    let name = |found: &files::InputPicture| found.name.clone();
    let pairs = block.iter().map(name).zip(outcomes);
    Ok(pairs.map(|(input, outcome)| Prediction { input, outcome }).collect())
}

/// Refuses outputs that are not numbers.
fn outcome(outputs: Vec<f64>, far: Option<bool>) -> std::result::Result<Outcome, String> {
    let is_answer = outputs.iter().all(|p| p.is_finite());
    is_answer.then_some(Outcome { outputs, far }).ok_or_else(|| text!("predict.no_number"))
}

/// Reports the number of pictures unlike all training pictures, if any.
fn far(predictions: &[Prediction]) -> Option<String> {
    let outcomes = predictions.iter().filter_map(|p| p.outcome.as_ref().ok());
    let far = outcomes.filter(|outcome| outcome.far == Some(true)).count();
    (far > 0).then(|| text!("predict.some_far", n = far, all = predictions.len()))
}

/// Writes why inputs could not be read, a line for each; those of a table are rows.
fn unreadable(predictions: &[Prediction], is_table: bool) -> Vec<String> {
    let line = |p: &Prediction| {
        let reason = translated(p.outcome.as_ref().err()?);
        let exists = is_table || Path::new(&p.input).symlink_metadata().is_ok();
        let line = match p.input.contains(['*', '?', '[']) {
            _ if exists => format!("{}: {}", p.input, text!("predict.unreadable", reason = reason)),
            true => text!("predict.no_match", pattern = p.input),
            false => format!("{}: {}", p.input, text!("predict.no_file")),
        };
        Some(clean(format!("  {line}")))
    };
    predictions.iter().filter_map(line).collect()
}
