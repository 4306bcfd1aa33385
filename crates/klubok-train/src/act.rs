//! Acts of people on a running training, as recorded in the run's log.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// An act of a person on a training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Pause before the next step.
    Pause,
    /// Continue.
    GoOn,
    /// Take one step, then pause.
    OneStep,
    /// Train to the end of the epoch, then pause.
    OneEpoch,
    /// Use this learning rate in the next step, and follow the schedule from there.
    LearningRate {
        /// The rate: positive and finite, as the f32 that training uses too.
        #[serde(deserialize_with = "usable_rate")]
        rate: f64,
    },
    /// End the run here and keep the best weights.
    Stop,
    /// Set the total number of epochs. A run that has ended continues, and early stopping counts
    /// from there.
    Epochs {
        /// Total number of epochs.
        #[serde(deserialize_with = "usable_epochs")]
        epochs: u64,
        /// The learning rate of the next step, as in [`Act::LearningRate`]. Without one the
        /// schedule continues, and keeps its last rate after its end.
        #[serde(
            deserialize_with = "usable_rate_or_none",
            skip_serializing_if = "Option::is_none",
            default
        )]
        rate: Option<f64>,
    },
}

/// Limit of the number of epochs, as in the settings.
pub const MAX_EPOCHS: u64 = 1_000_000;

/// Whether training can use this learning rate: positive and finite in f32.
pub fn is_valid_rate(rate: f64) -> bool {
    let rate = rate as f32;
    rate > 0.0 && rate.is_finite()
}

fn usable_rate<'de, D: Deserializer<'de>>(rate: D) -> Result<f64, D::Error> {
    let rate = f64::deserialize(rate)?;
    let wrong = || D::Error::custom(format!("a learning rate of {rate:e} cannot be used"));
    is_valid_rate(rate).then_some(rate).ok_or_else(wrong)
}

fn usable_rate_or_none<'de, D: Deserializer<'de>>(rate: D) -> Result<Option<f64>, D::Error> {
    usable_rate(rate).map(Some)
}

fn usable_epochs<'de, D: Deserializer<'de>>(epochs: D) -> Result<u64, D::Error> {
    let epochs = u64::deserialize(epochs)?;
    let wrong = || D::Error::custom(format!("there cannot be {epochs} epochs"));
    (1..=MAX_EPOCHS).contains(&epochs).then_some(epochs).ok_or_else(wrong)
}

impl Act {
    /// Whether the act changes the weights, and not only the time at which they are computed.
    pub fn changes_weights(self) -> bool {
        matches!(self, Act::LearningRate { .. } | Act::Stop | Act::Epochs { .. })
    }
}

/// An act and the step at which a person took it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RecordedAct {
    /// Updates before the act.
    pub step: u64,
    /// The act.
    #[serde(flatten)]
    pub act: Act,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_learning_rate_that_f32_cannot_hold() {
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
    fn refuses_a_number_of_epochs_out_of_range() {
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
    fn acts_serialize_as_flat_objects() {
        let json = |act| serde_json::to_string(&act).unwrap();
        assert_eq!(json(Act::Epochs { epochs: 9, rate: None }), r#"{"act":"epochs","epochs":9}"#);
        assert_eq!(json(Act::OneStep), r#"{"act":"one_step"}"#);
        assert_eq!(
            json(Act::LearningRate { rate: 0.01 }),
            r#"{"act":"learning_rate","rate":0.01}"#
        );
    }
}
