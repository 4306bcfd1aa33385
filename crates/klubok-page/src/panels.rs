//! The panels of a run: what it predicts, and from what, decides which of the page's panels apply.

use klubok::config::TargetKind;

/// What a run predicts, and from what.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    pub(super) target: TargetKind,
    /// Whether the inputs are pixels, not columns.
    pub(super) has_pictures: bool,
}

impl Subject {
    fn has_classes(self) -> bool {
        self.target == TargetKind::Class
    }
}

/// Whether a panel applies.
type Applies = fn(Subject) -> bool;

/// Every panel of the page by its name, in order, with the runs to which it applies.
const PANELS: [(&str, Applies); 18] = [
    ("sentence", |_| true),
    ("curves", |_| true),
    ("status", |_| true),
    ("network", |_| true),
    // Weights of columns are no pictures.
    ("features", |of| of.has_pictures),
    ("excites", |of| of.has_pictures),
    // Measured by accuracy, or coloured by class.
    ("layers", Subject::has_classes),
    ("picture", |_| true),
    ("answers", |_| true),
    ("cloud", Subject::has_classes),
    ("suspects", Subject::has_classes),
    ("motion", |_| true),
    ("terrain", |_| true),
    ("lesions", Subject::has_classes),
    ("data", |_| true),
    ("runs", |_| true),
    ("repeat", |_| true),
    ("neuron", |_| true),
];

/// Returns the names of the panels that apply to a run.
pub(super) fn panels_of(subject: Subject) -> Vec<&'static str> {
    let applying = PANELS.iter().filter(|(_, applies)| applies(subject));
    applying.map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets;

    #[test]
    fn the_page_shows_exactly_these_panels_in_this_order() {
        let (_, list) = assets::script("main.js").split_once("const PANELS = {").unwrap();
        let (list, _) = list.split_once("};").unwrap();
        // Of each part of the page, the names in brackets.
        let parts = list.split('[').skip(1).filter_map(|part| part.split(']').next());
        let listed: Vec<&str> = parts.flat_map(|part| part.split(", ")).collect();
        assert_eq!(listed, PANELS.map(|(name, _)| name));
        for name in listed {
            let script = assets::script(&format!("panel-{name}.js"));
            assert!(script.contains(&format!("id: \"{name}\"")), "{name}");
        }
    }

    #[test]
    fn classes_of_columns_have_a_cloud_and_no_pictures() {
        let points = Subject { target: TargetKind::Class, has_pictures: false };
        let panels = panels_of(points);
        assert!(panels.contains(&"cloud"));
        assert!(!panels.contains(&"features") && !panels.contains(&"excites"));
        let pictures = panels_of(Subject { has_pictures: true, ..points });
        assert!(pictures.contains(&"features"));
    }
}
