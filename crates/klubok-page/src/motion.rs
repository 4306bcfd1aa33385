//! How the optimiser moves the weights: two successive updates, layer by layer.

use std::sync::{
    Arc, Weak,
    mpsc::{Sender, channel},
};

use klubok::{
    inspect::{
        ModelView,
        motion::{self, Motion},
    },
    state::Weights,
    train::control::Control,
};
use serde_json::{Value, json};

use super::{
    hub::Hub, inspection::InspectionResult, lock::lock, moment::At, refusal::reason, timeline::Mode,
};

/// Copies of the weights that make two updates.
const COPIES: usize = 3;
/// Motions in memory, at most. Past this, the hub drops the one closest to its neighbours.
const MAX_MOTIONS: usize = 48;

/// The error of a training at rest.
const NO_STEPS: &str = "the training takes no steps now";
/// The error where the inspection got no three copies in a row in time.
const NO_TIME: &str = "there was no time to look at three steps in a row";

/// A step, and the weights after its update.
type CopiedWeights = (u64, Weights);

impl Hub {
    /// Measures two successive updates of this process' training, or reports why it cannot. The
    /// report is a result, too: a training may come to rest during the request. For an earlier
    /// step, returns the last motion measured by then; none where no browser had requested one.
    pub(super) fn inspect_motion(&self, at: At) -> InspectionResult {
        if let Some(step) = at.step {
            let kept = lock(&self.motions).range(..=step).next_back().map(|(_, json)| json.clone());
            return Ok(kept.unwrap_or_else(|| json!({})));
        }
        self.motion(at).or_else(|sentence| Ok(reason(&sentence)))
    }

    fn motion(&self, at: At) -> InspectionResult {
        let control =
            self.control().ok_or("steps can be seen while klubok trains, not afterwards")?;
        let json = self.get_or_compute(&self.expensive, at, "motion", |view| {
            // The training may have come to rest while this request waited for others.
            if self.status().mode == Mode::Resting {
                return Err(NO_STEPS.to_owned());
            }
            let (sender, receiver) = channel();
            let alive = Arc::new(());
            copy_successive(control, at.asked, 0, Vec::new(), sender, Arc::downgrade(&alive));
            let copies = receiver.recv_timeout(self.max_wait());
            let copies = copies.map_err(|_| if self.is_training() { NO_TIME } else { NO_STEPS })?;
            let [first, second, third] = &copies[..] else {
                return Err(NO_STEPS.to_owned());
            };
            if (first.0 + 1, second.0 + 1) != (second.0, third.0) {
                return Err(NO_TIME.to_owned());
            }
            let mut json = motion_json(view, [&first.1, &second.1, &third.1]);
            json["learning_rate"] = self.timeline().learning_rate().into();
            json["step"] = third.0.into();
            Ok(json)
        })?;
        let mut motions = lock(&self.motions);
        motions.extend(json["step"].as_u64().map(|step| (step, json.clone())));
        if motions.len() > MAX_MOTIONS {
            let steps: Vec<u64> = motions.keys().copied().collect();
            motions.remove(&steps[most_crowded(&steps)]);
        }
        Ok(json)
    }
}

/// Copies the weights after successive updates until there are [`COPIES`] of them, or the requester
/// drops what `alive` points to.
fn copy_successive(
    control: &'static Control,
    asked: bool,
    from: u64,
    mut copies: Vec<CopiedWeights>,
    sender: Sender<Vec<CopiedWeights>>,
    alive: Weak<()>,
) {
    control.inspect(
        from,
        asked,
        Box::new(move |program, progress| {
            let mut weights = Weights::default();
            // Dropping the sender tells the requester that no copies will come.
            if alive.strong_count() == 0 || program.store_weights(&mut weights).is_err() {
                return;
            }
            copies.push((progress.step, weights));
            if copies.len() == COPIES {
                let _ = sender.send(copies);
            } else {
                copy_successive(control, asked, progress.step + 1, copies, sender, alive);
            }
        }),
    );
}

/// Describes the motion of every layer's weights, and of all parameters together.
fn motion_json(view: &ModelView, copies: [&Weights; COPIES]) -> Value {
    let layer = |name: &str, params: &[usize]| {
        let of = |weights: &Weights| -> Vec<f64> {
            params.iter().flat_map(|&param| weights.params[param].to_f64()).collect()
        };
        let [before, between, after] = copies.map(of);
        let motion = Motion::of(&before, &between, &after);
        json!({
            "name": name,
            "parameters": after.len(),
            "cosine": motion.cosine,
            "length": motion.length,
            "relative": motion.relative,
            "typical": motion.typical,
            "still": motion.still,
            "sizes": motion.sizes,
        })
    };
    let mut layers: Vec<Value> =
        view.layers().iter().map(|own| layer(&own.name, &[own.w.0])).collect();
    let all: Vec<usize> = (0..copies[0].params.len()).collect();
    layers.push(layer("all", &all));
    json!({
        "lowest_power": motion::POWERS.start,
        "bins_of_a_power": motion::BINS,
        "layers": layers,
    })
}

/// Returns the index of the inner step whose neighbours are closest to each other, relative to the
/// later one. Takes at least three steps in order.
fn most_crowded(steps: &[u64]) -> usize {
    let gap = |i: usize| (steps[i + 1] - steps[i - 1]) as f64 / steps[i + 1] as f64;
    (1..steps.len() - 1).min_by(|&a, &b| gap(a).total_cmp(&gap(b))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinned_steps_lie_ever_farther_apart() {
        let mut steps: Vec<u64> = vec![0];
        for step in 1..=10_000 {
            steps.push(step);
            if steps.len() > 14 {
                steps.remove(most_crowded(&steps));
            }
        }
        assert_eq!((steps[0], steps[13]), (0, 10_000));
        let early = steps.iter().filter(|&&step| step > 0 && step < 1000).count();
        assert!(early >= 3, "{steps:?}");
        let apart: Vec<u64> = steps.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(apart[12] < 4000, "{steps:?}");
    }
}
