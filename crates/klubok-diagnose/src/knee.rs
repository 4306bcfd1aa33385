//! Finds the knee of the training loss, where fast learning ends.

use klubok_train::event::Evidence;

use super::{
    evidence::evidence,
    row::Row,
    series::{mean, median, robust_jitter},
};

/// The slope after the knee is at most this share of the slope before it.
const MAX_SLOPE_RATIO: f64 = 0.25;
/// A smaller relative decrease of the loss is not learning yet.
pub(super) const MIN_LEARNING_DECREASE: f64 = 0.02;

/// The end of fast learning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Knee {
    pub(super) epoch: f64,
    /// Decrease of the loss per epoch, before and after.
    slope: (f64, f64),
    /// Mean gradient norm, before and after.
    grad_norm: Option<(f64, f64)>,
    pub(super) certainty: f64,
}

impl Knee {
    pub(super) fn evidence(&self) -> Evidence {
        let mut evidence = evidence(&[
            ("loss_fall_per_epoch_before", self.slope.0),
            ("loss_fall_per_epoch_after", self.slope.1),
        ]);
        if let Some((before, after)) = self.grad_norm {
            evidence.insert("grad_norm_before".to_owned(), before);
            evidence.insert("grad_norm_after".to_owned(), after);
        }
        evidence
    }
}

/// Rows with their training losses, or with their validation losses if no row has a training loss.
pub(super) fn rows_with_loss(rows: &[Row]) -> Vec<(Row, f64)> {
    let with = |loss: fn(&Row) -> Option<f64>| -> Vec<(Row, f64)> {
        rows.iter().filter_map(|row| Some((*row, loss(row)?))).collect()
    };
    let train = with(|row| row.train_loss);
    if train.is_empty() { with(|row| row.val_loss) } else { train }
}

/// Median filter of width three; keeps both ends.
fn median_filter(values: &[f64]) -> Vec<f64> {
    let mut filtered = values.to_vec();
    for (filtered, three) in filtered.iter_mut().skip(1).zip(values.windows(3)) {
        *filtered = median(&mut three.to_vec());
    }
    filtered
}

/// Finds the knee: the point farthest below the chord from the first to the last loss. The slope
/// after it must be at most [`MAX_SLOPE_RATIO`] of the slope before it, for at least as long. The
/// first steps are noisy, so this needs a whole epoch and filters out single low values.
pub(super) fn find_knee(rows: &[Row]) -> Option<Knee> {
    let (rows, losses): (Vec<Row>, Vec<f64>) = rows_with_loss(rows).into_iter().unzip();
    let epochs: Vec<f64> = rows.iter().map(|row| row.epoch).collect();
    let (n, first) = (losses.len(), *losses.first()?);
    if n < 4 || epochs[n - 1] - epochs[0] < 1.0 {
        return None;
    }
    let jitter = robust_jitter(&losses, 0.0);
    let losses = median_filter(&losses);
    let (begin, end, last) = (epochs[0], epochs[n - 1], losses[n - 1]);
    let chord = |i: usize| first - (first - last) * (epochs[i] - begin) / (end - begin);
    let at =
        (1..n - 2).max_by(|&a, &b| (chord(a) - losses[a]).total_cmp(&(chord(b) - losses[b])))?;
    let before = (first - losses[at]) / (epochs[at] - begin);
    let after = (losses[at] - last) / (end - epochs[at]);
    let long_enough = end - epochs[at] >= epochs[at] - begin;
    let learned = first - losses[at] > (MIN_LEARNING_DECREASE * first.abs()).max(3.0 * jitter);
    if !(long_enough && learned && after <= MAX_SLOPE_RATIO * before) {
        return None;
    }
    let norms = |rows: &[Row]| {
        let known: Vec<f64> = rows.iter().filter_map(|row| row.grad_norm).collect();
        (!known.is_empty()).then(|| mean(&known))
    };
    let grad_norm = norms(&rows[..=at]).zip(norms(&rows[at + 1..]));
    let certainty = (1.0 - after.max(0.0) / before).clamp(0.0, 0.99);
    Some(Knee { epoch: epochs[at], slope: (before, after), grad_norm, certainty })
}
