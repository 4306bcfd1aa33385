//! How the optimiser moves the weights: two steps in a row, layer by layer.

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

use super::{answer::Answer, hub::Hub, lock::lock, snapshots::most_crowded, story::Mode};

/// Copies of the weights that make two steps.
const COPIES: usize = 3;
/// Moments of which motion is kept; past this, the one that is closest to its neighbours is
/// forgotten.
const MOTIONS: usize = 48;

/// Why there is no motion to see.
const NO_STEPS: &str = "the training takes no steps now";
const NO_TIME: &str = "there was no time to look at three steps in a row";

/// The weights after an update.
type Taken = (u64, Weights);

impl Hub {
    /// Two steps in a row of the training of this process, or why there are none to see. That is an
    /// answer, too: a training may come to rest while somebody asks. Of a moment, what was seen
    /// last by then; nothing, if nobody had looked.
    pub(super) fn look_at_motion(&self, moment: Option<u64>) -> Answer {
        if let Some(step) = moment {
            let seen = lock(&self.motions).range(..=step).next_back().map(|(_, told)| told.clone());
            let mut told = seen.unwrap_or_else(|| json!({}));
            told["wholes"] = self.wholes().into();
            return Ok(told);
        }
        self.motion().or_else(|sentence| Ok(json!({ "error": sentence })))
    }

    fn motion(&self) -> Answer {
        let control =
            self.control().ok_or("steps can be seen while klubok trains, not afterwards")?;
        let told = self.said(&self.expensive, None, "motion", |view| {
            // It may have come to rest while others were answered.
            if self.now().mode == Mode::Resting {
                return Err(NO_STEPS.to_owned());
            }
            let (sender, receiver) = channel();
            let waits = Arc::new(());
            follow(control, 0, Vec::new(), sender, Arc::downgrade(&waits));
            let taken = receiver.recv_timeout(self.patience());
            let taken = taken.map_err(|_| if self.goes_on() { NO_TIME } else { NO_STEPS })?;
            let [first, second, third] = &taken[..] else {
                return Err(NO_STEPS.to_owned());
            };
            if (first.0 + 1, second.0 + 1) != (second.0, third.0) {
                return Err(NO_TIME.to_owned());
            }
            let mut told = told(view, [&first.1, &second.1, &third.1]);
            told["learning_rate"] = self.story().learning_rate().into();
            told["step"] = third.0.into();
            Ok(told)
        })?;
        let mut motions = lock(&self.motions);
        motions.extend(told["step"].as_u64().map(|step| (step, told.clone())));
        if motions.len() > MOTIONS {
            let steps: Vec<u64> = motions.keys().copied().collect();
            motions.remove(&steps[most_crowded(&steps)]);
        }
        Ok(told)
    }
}

/// Copies the weights after one update and the next, as long as copies are wanted and waited for.
fn follow(
    control: &'static Control,
    from: u64,
    mut taken: Vec<Taken>,
    sender: Sender<Vec<Taken>>,
    waiting: Weak<()>,
) {
    control.inspect_from(
        from,
        Box::new(move |program, progress| {
            let mut weights = Weights::default();
            // Who does not get what he waits for is told so when the sender is gone.
            if waiting.strong_count() == 0 || program.store_weights(&mut weights).is_err() {
                return;
            }
            taken.push((progress.step, weights));
            if taken.len() == COPIES {
                let _ = sender.send(taken);
            } else {
                follow(control, progress.step + 1, taken, sender, waiting);
            }
        }),
    );
}

/// The motion of every layer's weights and of all parameters together.
fn told(view: &ModelView, copies: [&Weights; COPIES]) -> Value {
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
