//! `klubok export`: writes a model for programs without klubok.

use std::{io::Read as _, path::Path};

use klubok::{bounded, files::write_atomically};
use klubok_export::{Folded, c};
use klubok_text::{clean, text};

use crate::{
    args,
    failure::{Failure, Result},
    loaded_model::LoadedModel,
    terminal::print_stdout,
};

/// What every written file says of itself.
const MARK: &str = "Written by klubok.";

/// Writes the model in the format that was asked for.
pub(crate) fn run(args: &args::Export) -> Result<()> {
    let Some(path) = &args.c else { return Ok(()) };
    if path.exists() && !is_export(path) {
        let sentence = format!("`{}` exists and was not exported by klubok", path.display());
        return Err(Failure::failed(sentence).hint(text!("hint.taken")));
    }
    let loaded = LoadedModel::open(&args.model, 1)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let source = c::source(&Folded::new(loaded.model()), &name);
    write_atomically(path, source.as_bytes()).map_err(klubok::Error::from)?;
    print_stdout(clean(path.display()))
}

/// Whether a file was exported by klubok: such a file may be overwritten.
fn is_export(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = bounded::open(path).and_then(|file| file.take(4096).read_to_end(&mut head));
    read.is_ok() && String::from_utf8_lossy(&head).contains(MARK)
}
