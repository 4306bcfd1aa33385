//! Classes, numbers or labels? The rule where nobody chose.

/// Maximum different whole numbers that are taken for classes.
const MAX_DISTINCT: usize = 20;
/// Minimum rows of such a class, on average.
const MIN_ROWS: usize = 3;

/// Why a task was taken. Where nobody chose, the values of the target decide:
///
/// | one column | task |
/// | --- | --- |
/// | text, unless most are numbers that would be numbers by this table | classes |
/// | a number with a fraction | numbers |
/// | two different whole numbers | classes |
/// | 3 to 20 different whole numbers, in at least 3 rows each on average | classes |
/// | other whole numbers | numbers |
///
/// Digits and ratings of one to five stars become classes, house prices in whole dollars numbers.
/// Several columns are labels if all their values are 0 or 1, and numbers otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// There is no target.
    NoTarget,
    /// The options choose the task.
    Asked,
    /// A trained model has this task.
    Model,
    /// Classes: the target has text.
    Text,
    /// Classes: few different whole numbers.
    FewNumbers {
        /// How many.
        distinct: usize,
    },
    /// Numbers: more different whole numbers than are taken for classes.
    ManyNumbers,
    /// Numbers: few different whole numbers, but hardly any of them occurs again.
    RareNumbers {
        /// How many.
        distinct: usize,
    },
    /// Numbers: some have a fraction.
    Fractions,
    /// Labels: several columns of 0 and 1.
    ZerosAndOnes,
    /// Numbers: several columns with other values than 0 and 1.
    SeveralNumbers,
}

impl Reason {
    /// Applies the rule to one column of numbers.
    pub(super) fn of_numbers(has_fractions: bool, distinct: usize, rows: usize) -> Self {
        if has_fractions {
            Self::Fractions
        } else if distinct > MAX_DISTINCT {
            Self::ManyNumbers
        } else if distinct <= 2 || rows >= MIN_ROWS * distinct {
            Self::FewNumbers { distinct }
        } else {
            Self::RareNumbers { distinct }
        }
    }

    /// Returns true if text among such numbers is more likely a flaw than a class: there are too
    /// many different numbers for classes, or fractions.
    pub(super) fn forbids_text(has_fractions: bool, distinct: usize) -> bool {
        has_fractions || distinct > MAX_DISTINCT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_classes_if_few_and_repeated() {
        let reason = |distinct, rows| Reason::of_numbers(false, distinct, rows);
        assert_eq!(reason(2, 4), Reason::FewNumbers { distinct: 2 });
        assert_eq!(reason(10, 1797), Reason::FewNumbers { distinct: 10 });
        assert_eq!(reason(20, 60), Reason::FewNumbers { distinct: 20 });
        assert_eq!(reason(20, 59), Reason::RareNumbers { distinct: 20 });
        assert_eq!(reason(15, 15), Reason::RareNumbers { distinct: 15 });
        assert_eq!(reason(21, 1_000_000), Reason::ManyNumbers);
        assert_eq!(Reason::of_numbers(true, 2, 100), Reason::Fractions);
    }
}
