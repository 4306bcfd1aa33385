//! How far a small validation set may move the temperature: every pair of prior and uniform share,
//! over many validation sets of every size, on trained networks.

use std::fmt::Write;

use anyhow::Result;
use klubok::{
    config::Preset,
    nn::calibration::Calibration,
    rng::{Purpose, Stream},
};

use crate::{
    data_set::DataSet,
    statistics::mean,
    training::{self, Logits, SIZES},
};

/// Weights of the prior in samples; 0 is no prior.
const PRIORS: [f64; 6] = [16.0, 4.0, 2.0, 1.0, 0.5, 0.0];
/// Weights of the uniform distribution in samples: with `n` samples its share is `weight / (n +
/// 1)`.
const UNIFORMS: [f64; 4] = [0.0, 0.1, 0.3, 1.0];
/// Validation sets of each size for every network.
const SUBSETS: u32 = 12;

/// Cross-entropy above that of the best temperature, by size, prior and uniform share.
type Excess = [[[Vec<f64>; 4]; 6]; 4];

/// Trains, and prints a table for each data set and preset, and one for all.
pub(crate) fn run(
    folder: &std::path::Path,
    data_sets: &[DataSet],
    seeds: u64,
    print: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let mut all = Excess::default();
    for &data_set in data_sets {
        let (config, _) = training::settings(data_set, Preset::Plain, 0)?;
        let data = data_set.open(folder, &config)?;
        for preset in [Preset::Article, Preset::Balanced] {
            let mut own = Excess::default();
            for seed in 0..seeds {
                let mut visit = |epoch, [validation, test]: &[Logits; 2]| {
                    if epoch > 0 && epoch % 10 == 0 {
                        measure(validation, test, epoch ^ (seed << 8), &mut own);
                    }
                    Ok(())
                };
                training::visit_epochs(&data, data_set, preset, 2000, seed, &mut visit)?;
            }
            print(&table(&format!("{data_set:?}, {}", preset.name()), &own))?;
            for (all, own) in flat(&mut all).zip(flat(&mut own)) {
                all.append(own);
            }
        }
    }
    print(&table("All", &all))
}

fn flat(excess: &mut Excess) -> impl Iterator<Item = &mut Vec<f64>> {
    excess.iter_mut().flatten().flatten()
}

/// Fits temperatures on random subsets of `validation`, and adds their excess on `test`.
fn measure(validation: &Logits, test: &Logits, draw: u64, excess: &mut Excess) {
    let best = fit_ln_temperature(test, 0.0);
    let best = test.loss(Calibration { temperature: best.exp(), uniform: 0.0 });
    let mut rows: Vec<u32> = (0..validation.classes.len() as u32).collect();
    for (size, excess) in SIZES.into_iter().zip(excess) {
        let subsets = if size == rows.len() { 1 } else { SUBSETS };
        for subset in 0..subsets {
            Stream::new(draw, Purpose::Inspect, subset, size as u64).shuffle(&mut rows);
            let subset = validation.select(&rows[..size]);
            for (prior, excess) in PRIORS.into_iter().zip(excess.iter_mut()) {
                let temperature = fit_ln_temperature(&subset, prior).exp();
                for (weight, excess) in UNIFORMS.into_iter().zip(excess) {
                    let uniform = weight / (size as f64 + 1.0);
                    excess.push(test.loss(Calibration { temperature, uniform }) - best);
                }
            }
        }
    }
}

/// Returns the `ln T` that minimises cross-entropy plus prior, by golden-section search: a plain
/// method, independent of the library's.
fn fit_ln_temperature(logits: &Logits, prior: f64) -> f64 {
    let n = logits.classes.len() as f64;
    let objective = |ln_t: f64| {
        let beta = (-ln_t).exp();
        let loss = logits.loss(Calibration { temperature: ln_t.exp(), uniform: 0.0 });
        loss + prior / n * (beta - 1.0 - beta.ln())
    };
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (-16.0, 16.0);
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut of_a, mut of_b) = (objective(a), objective(b));
    while high - low > 1e-3 {
        if of_a <= of_b {
            (high, b, of_b) = (b, a, of_a);
            a = high - ratio * (high - low);
            of_a = objective(a);
        } else {
            (low, a, of_a) = (a, b, of_b);
            b = low + ratio * (high - low);
            of_b = objective(b);
        }
    }
    f64::midpoint(low, high)
}

fn table(title: &str, excess: &Excess) -> String {
    let mut text =
        format!("{title}: cross-entropy above the best temperature's, by samples of the prior\n\n");
    let names: Vec<String> = PRIORS.iter().map(f64::to_string).collect();
    let _ = writeln!(text, "| samples | share | {} |", names.join(" | "));
    let _ = writeln!(text, "| --- | --- |{}", " --- |".repeat(PRIORS.len()));
    for (size, excess) in SIZES.into_iter().zip(excess) {
        for (i, share) in UNIFORMS.into_iter().enumerate() {
            let row: Vec<String> =
                excess.iter().map(|excess| format!("{:.4}", mean(&excess[i]))).collect();
            let _ = writeln!(text, "| {size} | {share} | {} |", row.join(" | "));
        }
    }
    text
}
