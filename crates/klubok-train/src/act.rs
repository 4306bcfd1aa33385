//! What a person does to a training under way, as it stands in the run's log.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// What a person does to a training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Rest before the next step.
    Pause,
    /// Go on.
    GoOn,
    /// Take one step, then rest.
    OneStep,
    /// Go on to the end of the epoch, then rest.
    OneEpoch,
    /// Let the learning rate be this in the next step, and follow its schedule from there.
    LearningRate {
        /// The rate, above 0; training takes it as an f32, which must be so, too.
        #[serde(deserialize_with = "usable_rate")]
        rate: f64,
    },
    /// End the run here; the best weights are kept.
    Stop,
    /// Let there be so many epochs in all: a run that has ended goes on. Early stopping counts
    /// anew.
    Epochs {
        /// How many.
        #[serde(deserialize_with = "usable_epochs")]
        epochs: u64,
        /// The learning rate of the next step, as in [`Act::LearningRate`]; without one its
        /// schedule goes on, and after its end stays at its last rate.
        #[serde(
            deserialize_with = "usable_rate_or_none",
            skip_serializing_if = "Option::is_none",
            default
        )]
        rate: Option<f64>,
    },
}

/// The most epochs that a run can have, as in the settings.
pub const MOST_EPOCHS: u64 = 1_000_000;

/// Whether training can take this for a learning rate: above 0 and finite, in f32.
pub fn is_rate(rate: f64) -> bool {
    let rate = rate as f32;
    rate > 0.0 && rate.is_finite()
}

fn usable_rate<'de, D: Deserializer<'de>>(rate: D) -> Result<f64, D::Error> {
    let rate = f64::deserialize(rate)?;
    let wrong = || D::Error::custom(format!("a learning rate of {rate:e} cannot be used"));
    is_rate(rate).then_some(rate).ok_or_else(wrong)
}

fn usable_rate_or_none<'de, D: Deserializer<'de>>(rate: D) -> Result<Option<f64>, D::Error> {
    usable_rate(rate).map(Some)
}

fn usable_epochs<'de, D: Deserializer<'de>>(epochs: D) -> Result<u64, D::Error> {
    let epochs = u64::deserialize(epochs)?;
    let wrong = || D::Error::custom(format!("there cannot be {epochs} epochs"));
    (1..=MOST_EPOCHS).contains(&epochs).then_some(epochs).ok_or_else(wrong)
}

impl Act {
    /// Whether it changes what is computed, and not only when.
    pub fn changes_weights(self) -> bool {
        matches!(self, Act::LearningRate { .. } | Act::Stop | Act::Epochs { .. })
    }
}

/// What a person did, and when.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Updates done before.
    pub step: u64,
    /// What.
    #[serde(flatten)]
    pub act: Act,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_training_cannot_hold_is_refused() {
        let read = |rate: &str| {
            let json = format!(r#"{{"act":"learning_rate","rate":{rate}}}"#);
            serde_json::from_str::<Act>(&json)
        };
        assert_eq!(read("0.01").unwrap(), Act::LearningRate { rate: 0.01 });
        for rate in ["0", "-0.1", "1e-46", "1e39", "null"] {
            assert!(read(rate).is_err(), "{rate}");
        }
    }

    #[test]
    fn epochs_that_no_run_can_have_are_refused() {
        let read = |rest: &str| {
            serde_json::from_str::<Act>(&format!(r#"{{"act":"epochs","epochs":{rest}}}"#))
        };
        assert_eq!(read("9").unwrap(), Act::Epochs { epochs: 9, rate: None });
        assert_eq!(read(r#"9,"rate":0.1"#).unwrap(), Act::Epochs { epochs: 9, rate: Some(0.1) });
        for rest in ["0", "-1", "1000001", "1.5", r#"9,"rate":0"#, r#"9,"rate":null"#] {
            assert!(read(rest).is_err(), "{rest}");
        }
    }

    #[test]
    fn acts_are_flat_objects() {
        let json = |act| serde_json::to_string(&act).unwrap();
        assert_eq!(json(Act::Epochs { epochs: 9, rate: None }), r#"{"act":"epochs","epochs":9}"#);
        assert_eq!(json(Act::OneStep), r#"{"act":"one_step"}"#);
        assert_eq!(
            json(Act::LearningRate { rate: 0.01 }),
            r#"{"act":"learning_rate","rate":0.01}"#
        );
    }
}
