//! How far few samples may move a temperature: every pair of a prior and of a share of all answers
//! alike, over many parts of every size, on trained networks.

use std::fmt::Write;

use anyhow::Result;
use klubok::{
    config::Preset,
    nn::calibration::Calibration,
    rng::{Purpose, Stream},
};

use crate::{
    course::{self, Logits, SIZES},
    set::Set,
    statistics::mean,
};

/// Samples that the prior weighs as much as; none expects nothing.
const PRIORS: [f64; 6] = [16.0, 4.0, 2.0, 1.0, 0.5, 0.0];
/// Samples that a share of all answers alike counts for: of `n` samples it is `this / (n + 1)`.
const UNIFORMS: [f64; 4] = [0.0, 0.1, 0.3, 1.0];
/// Parts of each size that a network is judged with.
const PARTS: u32 = 12;

/// Cross-entropy above that of the best temperature, by size, prior and share.
type Gains = [[[Vec<f64>; 4]; 6]; 4];

/// Trains, and prints a table a size.
pub(crate) fn run(
    folder: &std::path::Path,
    sets: &[Set],
    seeds: u64,
    out: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let mut all = Gains::default();
    for &set in sets {
        let (config, _) = course::settings(set, Preset::Plain, 0)?;
        let data = set.open(folder, &config)?;
        for preset in [Preset::Article, Preset::Balanced] {
            let mut own = Gains::default();
            for seed in 0..seeds {
                course::visit_epochs(
                    &data,
                    set,
                    preset,
                    2000,
                    seed,
                    &mut |epoch, [pool, judges]| {
                        if epoch > 0 && epoch % 10 == 0 {
                            judge(pool, judges, epoch ^ (seed << 8), &mut own);
                        }
                        Ok(())
                    },
                )?;
            }
            out(&table(&format!("{set:?}, {}", preset.name()), &own))?;
            for (all, own) in flat(&mut all).zip(flat(&mut own)) {
                all.append(own);
            }
        }
    }
    out(&table("All", &all))
}

fn flat(gains: &mut Gains) -> impl Iterator<Item = &mut Vec<f64>> {
    gains.iter_mut().flatten().flatten()
}

fn judge(pool: &Logits, judges: &Logits, draw: u64, gains: &mut Gains) {
    let best = lowest(judges, 0.0);
    let best = judges.loss(Calibration { temperature: best.exp(), uniform: 0.0 });
    let mut rows: Vec<u32> = (0..pool.classes.len() as u32).collect();
    for (size, gains) in SIZES.into_iter().zip(gains) {
        let parts = if size == rows.len() { 1 } else { PARTS };
        for part in 0..parts {
            Stream::new(draw, Purpose::Inspect, part, size as u64).shuffle(&mut rows);
            let part = pool.of(&rows[..size]);
            for (prior, gains) in PRIORS.into_iter().zip(gains.iter_mut()) {
                let temperature = lowest(&part, prior).exp();
                for (share, gains) in UNIFORMS.into_iter().zip(gains) {
                    let uniform = share / (size as f64 + 1.0);
                    gains.push(judges.loss(Calibration { temperature, uniform }) - best);
                }
            }
        }
    }
}

/// `ln T` with the lowest cross-entropy and prior, by golden section: the plain way.
fn lowest(part: &Logits, prior: f64) -> f64 {
    let n = part.classes.len() as f64;
    let at = |ln_t: f64| {
        let beta = (-ln_t).exp();
        let loss = part.loss(Calibration { temperature: ln_t.exp(), uniform: 0.0 });
        loss + prior / n * (beta - 1.0 - beta.ln())
    };
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (-16.0, 16.0);
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut of_a, mut of_b) = (at(a), at(b));
    while high - low > 1e-3 {
        if of_a <= of_b {
            (high, b, of_b) = (b, a, of_a);
            a = high - ratio * (high - low);
            of_a = at(a);
        } else {
            (low, a, of_a) = (a, b, of_b);
            b = low + ratio * (high - low);
            of_b = at(b);
        }
    }
    f64::midpoint(low, high)
}

fn table(title: &str, gains: &Gains) -> String {
    let mut text =
        format!("{title}: cross-entropy above the best temperature's, by samples of the prior\n\n");
    let names: Vec<String> = PRIORS.iter().map(f64::to_string).collect();
    let _ = writeln!(text, "| samples | share | {} |", names.join(" | "));
    let _ = writeln!(text, "| --- | --- |{}", " --- |".repeat(PRIORS.len()));
    for (size, gains) in SIZES.into_iter().zip(gains) {
        for (i, share) in UNIFORMS.into_iter().enumerate() {
            let row: Vec<String> =
                gains.iter().map(|gains| format!("{:.4}", mean(&gains[i]))).collect();
            let _ = writeln!(text, "| {size} | {share} | {} |", row.join(" | "));
        }
    }
    text
}
