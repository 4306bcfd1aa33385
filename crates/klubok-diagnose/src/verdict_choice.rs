//! Chooses the verdict on an increase of the validation loss: overfitting, or over-confidence while
//! the predictions still improve.
//!
//! The two can alternate from epoch to epoch. So a verdict must hold for a few epochs before it is
//! chosen, and the other one must hold for clearly longer to replace it. The choice depends only on
//! the sequence of epochs: an interrupted training gets the same verdict.

use klubok_train::event::VerdictName;

use super::val_loss_increase::ValLossIncrease;

/// A verdict is chosen once it has held for this number of epochs in a row. If neither verdict has
/// after [`SWITCH_EPOCHS`] epochs, the current one is chosen.
const HOLD_EPOCHS: usize = 3;
/// The other verdict must hold for this number of epochs in a row to replace the chosen one.
const SWITCH_EPOCHS: usize = 2 * HOLD_EPOCHS;
/// The other verdict must also hold for this share of the epochs since the increase was found.
const SWITCH_SHARE: f64 = 0.25;

/// The verdict on a standing increase.
#[derive(Debug, Clone, Copy)]
pub(super) struct VerdictChoice {
    /// The verdict that holds now.
    current: VerdictName,
    /// Epochs in a row in which it has held.
    streak: usize,
    /// Epochs since the increase was found.
    epochs: usize,
    chosen: Option<VerdictName>,
}

impl VerdictChoice {
    /// Updates the choice with one epoch of the increase; `before` is none in the first epoch.
    pub(super) fn next(before: Option<Self>, increase: &ValLossIncrease) -> Self {
        let current =
            if increase.improves { VerdictName::OverConfidence } else { VerdictName::OverFitting };
        let Some(before) = before else {
            return Self { current, streak: 1, epochs: 1, chosen: None };
        };
        let streak = if current == before.current { before.streak + 1 } else { 1 };
        let epochs = before.epochs + 1;
        let min_streak = match before.chosen {
            None if epochs < SWITCH_EPOCHS => HOLD_EPOCHS,
            None => 1,
            Some(_) => SWITCH_EPOCHS.max((SWITCH_SHARE * epochs as f64).ceil() as usize),
        };
        let chosen = if streak >= min_streak { Some(current) } else { before.chosen };
        Self { current, streak, epochs, chosen }
    }

    /// The chosen verdict. If there is none, a training that has `ended` gets the current one.
    pub(super) fn name(self, ended: bool) -> Option<VerdictName> {
        self.chosen.or(ended.then_some(self.current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn increase(improves: bool) -> ValLossIncrease {
        let (train, accuracy, calibrated) = (None, None, None);
        let (at, base, now, errors) = (0, 1.0, 2.0, 3.0);
        ValLossIncrease { at, base, now, errors, train, accuracy, calibrated, improves }
    }

    /// Maps the verdict that holds in each epoch to the chosen one: `f` is overfitting, `c`
    /// over-confidence, `-` none.
    fn chosen(holds: &str) -> String {
        let mut choice = None;
        let mut letter = |hold: char| {
            choice = Some(VerdictChoice::next(choice, &increase(hold == 'c')));
            match choice.and_then(|choice| choice.name(false)) {
                Some(VerdictName::OverFitting) => 'f',
                Some(_) => 'c',
                None => '-',
            }
        };
        holds.chars().map(&mut letter).collect()
    }

    #[test]
    fn chooses_a_verdict_after_three_epochs_in_a_row() {
        assert_eq!(chosen("fff"), "--f");
        assert_eq!(chosen("fcfccc"), "-----c");
        assert_eq!(chosen("fcfcfcfc"), "-----ccc", "neither holds for three");
    }

    #[test]
    fn switches_only_after_a_longer_streak() {
        assert_eq!(chosen("fffcfcfccccc"), "--ffffffffff");
        assert_eq!(chosen("ffffcccccc"), "--fffffffc");
        assert_eq!(chosen("fffcccccfccccc"), "--ffffffffffff");
        let long = "f".repeat(36);
        assert!(chosen(&format!("{long}{}", "c".repeat(11))).ends_with('f'), "11 of 47");
        assert!(chosen(&format!("{long}{}", "c".repeat(12))).ends_with('c'), "12 of 48");
    }

    #[test]
    fn an_ended_training_gets_the_current_verdict_at_once() {
        let choice = VerdictChoice::next(None, &increase(true));
        assert_eq!(choice.name(false), None);
        assert_eq!(choice.name(true), Some(VerdictName::OverConfidence));
    }
}
