//! Trains from a folder of class folders, saves the model, and reads it back.
//!
//! `cargo run --release --example folder -- pets/`; without a folder, and as a test, it takes the
//! built-in drawings.

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::path::Path;

use klubok::{Model, Predictor, Settings, config::Preset};

fn main() -> klubok::Result<()> {
    let folder = std::env::args().nth(1).filter(|_| !cfg!(test));
    let source = folder.unwrap_or("demo:cats-dogs-small".to_owned());
    let settings = Settings::preset(Preset::Balanced).hidden(&[128]).epochs(5).size(32);
    let data = klubok::open(&source, &settings)?;
    for class in data.counts() {
        println!("{}: {} for training, {} for validation", class.class, class.train, class.val);
    }

    let trained = klubok::train(&data, &settings)?;
    for verdict in &trained.verdicts {
        println!("{} {:?}", verdict.meaning, verdict.changes);
    }
    let path = std::env::temp_dir().join("klubok-example.safetensors");
    trained.model.save(Path::new(&path))?;

    let model = Model::load(&path)?;
    let rows = if data.parts.test.is_empty() { &data.parts.val } else { &data.parts.test };
    let evaluation = Predictor::new(model, 2).evaluate(&data, rows)?;
    println!("accuracy {:.3} on {} pictures", evaluation.accuracy().unwrap_or(0.0), rows.len());
    Ok(())
}
