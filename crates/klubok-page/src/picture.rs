//! The picture panel: predictions for an uploaded picture, and how far to trust them.

use klubok::{
    config::{Monitor, TargetKind},
    data::{picture_from_bytes, typical},
    model::Validation,
    rows::Kind,
    train::evaluate::wilson,
};
use klubok_text::{Bilingual, bilingual, trust};
use serde_json::{Value, json};

use super::{
    encoding::extend,
    hub::{CopiedNetwork, Hub},
    inspection::InspectionResult,
    timeline::Mode,
};

impl Hub {
    /// Returns the network's confidences before the first step.
    pub(super) fn start_confidences(&self, stored: &[f64]) -> Option<Vec<f64>> {
        let start = self.initial_network().ok()?;
        Some(start.confidences(&start.forward(stored)))
    }

    /// Decodes an uploaded picture at the network's input size, keeps it in memory, and predicts
    /// its class.
    pub(super) fn inspect_picture(&self, bytes: &[u8]) -> InspectionResult {
        let shape = self.run.shape().ok_or("this network does not look at pictures")?;
        let fit = self.run.config.data.fit;
        let pixels = picture_from_bytes("the picture", bytes, shape, fit)
            .map_err(|error| error.to_string())?;
        let stored: Vec<f64> = pixels.iter().map(|&byte| f64::from(byte)).collect();
        let CopiedNetwork { step, view, .. } = self.current_network(true)?;
        let start = self.start_confidences(&stored);
        let (mut json, pass) = (self.sample_json(&stored), view.forward(&stored));
        let more = json!({
            "step": step,
            "trust": self.trust(step),
            "far": self.is_far(&pixels),
            "picture": self.keep_picture(pixels),
            "probabilities": pass.probabilities,
            "confidences": view.confidences(&pass),
            "start_confidences": start,
        });
        extend(&mut json, more);
        Ok(Value::Object(json))
    }

    /// Describes in words how far to trust the network of this step; none for numbers, which have
    /// no accuracy.
    pub(super) fn trust(&self, step: u64) -> Option<Bilingual> {
        if self.run.target() == TargetKind::Number {
            return None;
        }
        let learned = self.run.train_samples;
        let is_model = !self.is_live() || self.status().mode == Mode::Ended;
        let is_model = is_model && self.best_step() == Some(step);
        let validated = self.timeline().last_validation(step);
        let measured = |accuracy| {
            let samples = self.run.val_samples;
            Validation {
                accuracy,
                accuracy_interval: wilson(accuracy, samples as usize),
                chance: self.run.chance,
                chose_epoch: self.run.config.train.monitor != Monitor::Last,
                samples,
            }
        };
        Some(bilingual(|| match validated {
            Some((epoch, accuracy)) if !is_model => {
                trust::in_training(learned, epoch, measured(accuracy))
            }
            _ => trust::of_model(learned, validated.map(|(_, accuracy)| measured(accuracy))),
        }))
    }

    /// Whether a picture is out of distribution, unlike all training pictures; none where their
    /// statistics are unknown.
    pub(super) fn is_far(&self, pixels: &[u8]) -> Option<bool> {
        let start = self.initial_network().ok()?;
        let preprocessing = &start.model.preprocessing;
        let typical = self.typical.get_or_init(|| {
            // The run's model holds the statistics, once there is one.
            let kept = self.load_model().ok().and_then(|model| model.card?.typical);
            let measure = || {
                let data = self.data.as_ref()?;
                typical::measure(&*data.rows, preprocessing, &data.parts.train).ok()?
            };
            kept.or_else(measure)
        });
        Some(typical.as_ref()?.is_far(&preprocessing.apply(Kind::Pixels, pixels)))
    }
}
