//! `klubok export`: writes a model for programs without klubok.

use std::{io::Read as _, path::Path};

use klubok::{
    Model, Predictor, bounded,
    data::{self, Dataset},
    files::atomic::stream_atomically,
};
use klubok_export::{
    Folded, WeightFormat, c, int8,
    onnx::{InputForm, OnnxError, OnnxFile, OnnxOptions},
    rust, samples,
};
use klubok_text::{clean, numbers::thousands, text};

use super::eval::{rows_of_split, scores};
use crate::{
    args::{self, ExportFormat, Split},
    failure::{Failure, Result},
    flags::ColumnFlags,
    loaded_model::LoadedModel,
    loading,
    terminal::{Screen, print_stdout},
};

/// What every written file says of itself.
const MARK: &str = "Written by klubok.";

/// Writes the model in the format that was asked for.
pub(crate) fn run(args: &args::Export) -> Result<()> {
    let screen = Screen::new(args.quiet);
    let ExportFormat { c: as_c, rust: as_rust, onnx: as_onnx } = &args.format;
    let path = as_c.as_ref().or(as_rust.as_ref()).or(as_onnx.as_ref());
    let Some(path) = path else { return Ok(()) };
    if path.exists() && !is_export(path) {
        let sentence = format!("`{}` exists and was not exported by klubok", path.display());
        return Err(Failure::failed(sentence).hint(text!("hint.overwrite")));
    }
    let loaded = LoadedModel::open(&args.model, 0)?;
    let (model, weights) = match args.weights {
        args::WeightFormat::F32 => (loaded.model(), WeightFormat::F32),
        args::WeightFormat::Int8 => (&int8(loaded.model()), WeightFormat::Int8),
    };
    if weights == WeightFormat::Int8 {
        compare(&loaded, model, args, screen)?;
    }
    if as_onnx.is_some() {
        let file = OnnxFile::new(model, onnx_options(args, weights)).map_err(refused)?;
        stream_atomically(path, |out| file.write(out)).map_err(klubok::Error::from)?;
        return print_stdout(clean(path.display()));
    }
    let (network, samples) = (Folded::new(model), samples(model).map_err(klubok::Error::from)?);
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    stream_atomically(path, |file| match as_c {
        Some(_) => c::write(file, &network, &samples, weights, &name),
        None => rust::write(file, &network, &samples, weights),
    })
    .map_err(klubok::Error::from)?;
    print_stdout(clean(path.display()))
}

fn onnx_options(args: &args::Export, weights: WeightFormat) -> OnnxOptions {
    let input = args.input.map(|input| match input {
        args::InputForm::Bytes => InputForm::Bytes,
        args::InputForm::Numbers => InputForm::Numbers,
    });
    OnnxOptions { input, weights, label: args.label }
}

/// Why an ONNX file cannot be written, and the way out.
fn refused(error: OnnxError) -> Failure {
    let hint = match error {
        OnnxError::BytesOfColumns => text!("export.no_bytes"),
        OnnxError::NoClasses => text!("export.no_label"),
        OnnxError::TooLarge { .. } => text!("export.too_large"),
    };
    Failure::failed(error).hint(hint)
}

/// Whether a file was exported by klubok: such a file may be overwritten.
fn is_export(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = bounded::open(path).and_then(|file| file.take(4096).read_to_end(&mut head));
    read.is_ok() && String::from_utf8_lossy(&head).contains(MARK)
}

/// Evaluates the model and its copy with fewer bits on the same samples: on the data that was
/// named, else on the validation part of the run.
fn compare(loaded: &LoadedModel, copy: &Model, args: &args::Export, screen: Screen) -> Result<()> {
    let (data, source, split) = match &args.data {
        Some(source) => {
            let options = loaded.data_options(false, &ColumnFlags::default())?;
            (loading::open(source, &options, screen)?, source.as_str(), None)
        }
        None => match data_of_run(loaded, screen) {
            Some(data) if !data.parts.val.is_empty() => (data, "", Some(Split::Val)),
            _ => {
                screen.message(text!("export.not_compared"));
                return Ok(());
            }
        },
    };
    let rows = rows_of_split(&data, split, source)?.1;
    let before = loaded.predictor().evaluate(&data, &rows)?;
    let after = Predictor::new(copy.clone(), loaded.threads()).evaluate(&data, &rows)?;
    let n = thousands(rows.len());
    screen.message(text!("export.before", n = n, scores = scores(&before)));
    screen.message(text!("export.after", n = n, scores = scores(&after)));
    Ok(())
}

/// Opens the data of the run that the model lies in; none where it is missing or has changed.
fn data_of_run(loaded: &LoadedModel, screen: Screen) -> Option<Dataset> {
    let (config, info) = loaded.run()?.settings().ok()?;
    let (options, None) = info.reopen(&config).ok()? else { return None };
    loading::with_bar(screen, |progress| data::open(&info.data, &options, progress)).ok()
}
