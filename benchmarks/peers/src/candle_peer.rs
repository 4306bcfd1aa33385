//! Candle on the CPU. Its AdamW without weight decay is Adam.

use anyhow::Result;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, loss::cross_entropy};

use crate::{settings::Settings, timing};

/// Measures training steps.
pub fn run(settings: &Settings) -> Result<()> {
    let device = Device::Cpu;
    let mut layers = Vec::new();
    for (inputs, outputs) in settings.sizes() {
        let deviation = (2.0 / inputs as f32).sqrt();
        let w = Var::randn(0f32, deviation, (outputs, inputs), &device)?;
        let b = Var::zeros(outputs, DType::F32, &device)?;
        layers.push((w, b));
    }
    let parameters = layers.iter().flat_map(|(w, b)| [w.clone(), b.clone()]).collect();
    let rule = ParamsAdamW { lr: 1e-3, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(parameters, rule)?;
    let batches = settings
        .batches()
        .into_iter()
        .map(|(x, y)| {
            let x = Tensor::from_vec(x, (settings.batch, settings.inputs()), &device)?;
            Ok((x, Tensor::from_vec(y, settings.batch, &device)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut step = |index: usize| -> Result<Tensor> {
        let (x, y) = &batches[index];
        let loss = cross_entropy(&forward(&layers, x)?, y)?;
        optimizer.backward_step(&loss)?;
        Ok(loss)
    };
    // Errors depend on shapes alone, so later steps cannot fail if the first succeeds.
    step(0)?;
    let step = |index| step(index).expect("the first step succeeded");
    timing::measure(settings, step, |loss| loss.to_scalar::<f32>().map_or(f64::NAN, f64::from));
    Ok(())
}

/// Logits of a batch.
fn forward(layers: &[(Var, Var)], x: &Tensor) -> Result<Tensor> {
    let mut x = x.clone();
    for (index, (w, b)) in layers.iter().enumerate() {
        if index > 0 {
            x = x.relu()?;
        }
        x = x.matmul(&w.t()?)?.broadcast_add(b)?;
    }
    Ok(x)
}
