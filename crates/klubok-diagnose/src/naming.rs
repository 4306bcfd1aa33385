//! Which name a rise of the validation loss gets: over-fitting, or over-confidence where the
//! answers get better all the while.
//!
//! Where both hold in turn, the name would change with the epochs. So a name is said only when it
//! has held for a while, and it stays until the other one has held for clearly longer. All follows
//! from the epochs told, in their order: a training that was interrupted says the same.

use klubok_train::event::VerdictName;

use super::rise::Rise;

/// Epochs in a row that a name must hold before it is said; where neither does within [`TURN`]
/// epochs, the one that holds then is.
const HOLD: usize = 3;
/// Epochs in a row that the other name must hold to take its place...
const TURN: usize = 2 * HOLD;
/// ... and this share of those since the rise was noticed.
const SHARE: f64 = 0.25;

/// The name of a rise that stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Naming {
    /// What holds now, and for how many epochs in a row.
    now: VerdictName,
    row: usize,
    /// Epochs since the rise was noticed.
    told: usize,
    said: Option<VerdictName>,
}

impl Naming {
    /// After an epoch with this rise; `before` is the naming up to then, none where the rise was
    /// just noticed.
    pub(super) fn next(before: Option<Self>, rise: &Rise) -> Self {
        let now =
            if rise.improves { VerdictName::OverConfidence } else { VerdictName::OverFitting };
        let Some(before) = before else {
            return Self { now, row: 1, told: 1, said: None };
        };
        let row = if now == before.now { before.row + 1 } else { 1 };
        let told = before.told + 1;
        let enough = match before.said {
            None if told < TURN => HOLD,
            None => 1,
            Some(_) => TURN.max((SHARE * told as f64).ceil() as usize),
        };
        let said = if row >= enough { Some(now) } else { before.said };
        Self { now, row, told, said }
    }

    /// The name to say; of a training that has `ended` the last one that held, where none held for
    /// long.
    pub(super) fn name(self, ended: bool) -> Option<VerdictName> {
        self.said.or(ended.then_some(self.now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rise(improves: bool) -> Rise {
        let (train, accuracy, calibrated) = (None, None, None);
        Rise { at: 0, base: 1.0, now: 2.0, errors: 3.0, train, accuracy, calibrated, improves }
    }

    /// Names said after each epoch, `f` where over-fitting holds and `c` where over-confidence
    /// does; `-` is none.
    fn said(holds: &str) -> String {
        let mut naming = None;
        let mut letter = |hold: char| {
            naming = Some(Naming::next(naming, &rise(hold == 'c')));
            match naming.and_then(|naming| naming.name(false)) {
                Some(VerdictName::OverFitting) => 'f',
                Some(_) => 'c',
                None => '-',
            }
        };
        holds.chars().map(&mut letter).collect()
    }

    #[test]
    fn a_name_is_said_when_it_has_held_for_three_epochs() {
        assert_eq!(said("fff"), "--f");
        assert_eq!(said("fcfccc"), "-----c");
        assert_eq!(said("fcfcfcfc"), "-----ccc", "neither does");
    }

    #[test]
    fn a_name_stays_until_the_other_has_held_for_longer() {
        assert_eq!(said("fffcfcfccccc"), "--ffffffffff");
        assert_eq!(said("ffffcccccc"), "--fffffffc");
        assert_eq!(said("fffcccccfccccc"), "--ffffffffffff");
        let long = "f".repeat(36);
        assert!(said(&format!("{long}{}", "c".repeat(11))).ends_with('f'), "11 of 47");
        assert!(said(&format!("{long}{}", "c".repeat(12))).ends_with('c'), "12 of 48");
    }

    #[test]
    fn a_training_that_has_ended_gets_a_name_at_once() {
        let naming = Naming::next(None, &rise(true));
        assert_eq!(naming.name(false), None);
        assert_eq!(naming.name(true), Some(VerdictName::OverConfidence));
    }
}
