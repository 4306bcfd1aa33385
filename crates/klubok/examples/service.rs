//! Predicts inside a service: one model for all threads, memory of its own for each.
//!
//! A real service takes `Model::from_bytes(include_bytes!("model.safetensors"))`, and depends on
//! klubok with `default-features = false`.

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::{sync::Arc, thread};

use klubok::{Model, model::Scratch};

fn main() -> klubok::Result<()> {
    let model = Arc::new(Model::from_bytes(&trained()?)?);
    let workers: Vec<_> = (0..4)
        .map(|worker| (model.clone(), worker))
        .map(|(model, worker)| thread::spawn(move || serve(&model, worker)))
        .collect();
    for worker in workers {
        println!("{} requests answered", worker.join().expect("a worker does not panic")?);
    }
    Ok(())
}

/// Answers requests without allocating.
fn serve(model: &Model, worker: usize) -> klubok::Result<usize> {
    let (mut scratch, mut confidences) = (Scratch::default(), [0.0; 2]);
    for request in 0..1000 {
        let point = [(request % 100) as f32 / 10.0 - 5.0, worker as f32];
        model.predict_into(&point, &mut confidences, &mut scratch)?;
        assert!((confidences.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
    Ok(1000)
}

/// Stands in for the model file.
fn trained() -> klubok::Result<Vec<u8>> {
    let settings = klubok::Settings::new().hidden(&[32, 32]).epochs(10).batch_size(32);
    let data = klubok::open("demo:spirals", &settings)?;
    Ok(klubok::train(&data, &settings)?.model.to_bytes()?)
}
