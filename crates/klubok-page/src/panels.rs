//! The panels of a run: what it predicts, and from what, decides which of the page's panels apply.

use klubok::config::TargetKind;

use super::run_description::RunDescription;

/// Every panel of the page by its name, with the runs to which it applies.
const PANELS: [(&str, fn(&RunDescription) -> bool); 19] = [
    ("status", |_| true),
    ("sentence", |_| true),
    ("curves", |_| true),
    ("picture", |_| true),
    ("map", |run| has_classes(run) && !has_pictures(run) && run.inputs() == 2),
    ("network", |_| true),
    // Weights of columns are no pictures.
    ("features", has_pictures),
    ("excites", has_pictures),
    // Measured by accuracy, or coloured by class.
    ("layers", has_classes),
    ("cloud", has_classes),
    ("neuron", |_| true),
    ("motion", |_| true),
    ("terrain", |_| true),
    ("answers", |_| true),
    ("data", |_| true),
    ("lesions", has_classes),
    ("suspects", has_classes),
    ("runs", |_| true),
    ("repeat", |_| true),
];

/// Returns the names of the panels that apply to a run.
pub(super) fn of(run: &RunDescription) -> Vec<&'static str> {
    let applying = PANELS.iter().filter(|(_, applies)| applies(run));
    applying.map(|(name, _)| *name).collect()
}

fn has_classes(run: &RunDescription) -> bool {
    run.target() == TargetKind::Class
}

fn has_pictures(run: &RunDescription) -> bool {
    run.shape().is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::assets;

    #[test]
    fn the_page_has_exactly_these_panels() {
        let there: BTreeSet<&str> = assets::page()
            .split("id=\"panel-")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert_eq!(there, PANELS.iter().map(|(name, _)| *name).collect());
    }
}
