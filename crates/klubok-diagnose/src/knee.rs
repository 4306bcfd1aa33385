//! The knee of the training loss: where fast learning ends.

use klubok_train::event::Evidence;

use super::{
    evidence::evidence,
    row::Row,
    series::{mean, median, noise},
};

/// After the knee the loss falls at less than this share of the pace before it.
const SLOWER: f64 = 0.25;
/// A fall of less than this share of the loss is not yet learning.
pub(super) const LEARNING: f64 = 0.02;

/// The end of fast learning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Knee {
    pub(super) epoch: f64,
    /// Fall of the loss in an epoch, before and after.
    pace: (f64, f64),
    /// Norm of the gradient, before and after.
    grad_norm: Option<(f64, f64)>,
    pub(super) certainty: f64,
}

impl Knee {
    pub(super) fn evidence(&self) -> Evidence {
        let mut evidence = evidence(&[
            ("loss_fall_per_epoch_before", self.pace.0),
            ("loss_fall_per_epoch_after", self.pace.1),
        ]);
        if let Some((before, after)) = self.grad_norm {
            evidence.insert("grad_norm_before".to_owned(), before);
            evidence.insert("grad_norm_after".to_owned(), after);
        }
        evidence
    }
}

/// Rows with their training losses; where there is none, with their validation losses.
pub(super) fn of_one_kind(rows: &[Row]) -> Vec<(Row, f64)> {
    let of = |loss: fn(&Row) -> Option<f64>| -> Vec<(Row, f64)> {
        rows.iter().filter_map(|row| Some((*row, loss(row)?))).collect()
    };
    let train = of(|row| row.train_loss);
    if train.is_empty() { of(|row| row.val_loss) } else { train }
}

/// Each value between its neighbours, as the median of the three.
fn without_spikes(values: &[f64]) -> Vec<f64> {
    let mut calm = values.to_vec();
    for (calm, three) in calm.iter_mut().skip(1).zip(values.windows(3)) {
        *calm = median(&mut three.to_vec());
    }
    calm
}

/// The knee of a course: the point farthest below the line from its beginning to its end, once the
/// pace after it is at most [`SLOWER`] of the pace before it, for at least as long. The first steps
/// jump about: a whole epoch must have been seen, and a single low value is no knee.
pub(super) fn knee(rows: &[Row]) -> Option<Knee> {
    let (rows, losses): (Vec<Row>, Vec<f64>) = of_one_kind(rows).into_iter().unzip();
    let epochs: Vec<f64> = rows.iter().map(|row| row.epoch).collect();
    let (n, first) = (losses.len(), *losses.first()?);
    if n < 4 || epochs[n - 1] - epochs[0] < 1.0 {
        return None;
    }
    let jitter = noise(&losses, 0.0);
    let losses = without_spikes(&losses);
    let (begin, end, last) = (epochs[0], epochs[n - 1], losses[n - 1]);
    let chord = |i: usize| first - (first - last) * (epochs[i] - begin) / (end - begin);
    let at =
        (1..n - 2).max_by(|&a, &b| (chord(a) - losses[a]).total_cmp(&(chord(b) - losses[b])))?;
    let before = (first - losses[at]) / (epochs[at] - begin);
    let after = (losses[at] - last) / (end - epochs[at]);
    let long = end - epochs[at] >= epochs[at] - begin;
    let fell = first - losses[at] > (LEARNING * first.abs()).max(3.0 * jitter);
    if !(long && fell && after <= SLOWER * before) {
        return None;
    }
    let norms = |rows: &[Row]| {
        let known: Vec<f64> = rows.iter().filter_map(|row| row.grad_norm).collect();
        (!known.is_empty()).then(|| mean(&known))
    };
    let grad_norm = norms(&rows[..=at]).zip(norms(&rows[at + 1..]));
    let certainty = (1.0 - after.max(0.0) / before).clamp(0.0, 0.99);
    Some(Knee { epoch: epochs[at], pace: (before, after), grad_norm, certainty })
}
