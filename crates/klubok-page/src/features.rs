//! What the panel of features asks: what training has added to the first layer.

use serde_json::Value;

use super::{
    answer::{Answer, extend, sizes},
    hub::Hub,
    lock::lock,
};

/// Units that are shown, those to which most was added.
const UNITS: usize = 24;

impl Hub {
    /// What the first layer has learnt, at the moment of a snapshot or now.
    pub(super) fn look_at_features(&self, layer: &str, moment: Option<u64>) -> Answer {
        let shape = self.about.shape().ok_or("this network does not look at pictures")?;
        let start = self.start()?;
        if start.layers().first().is_none_or(|first| first.name != layer) {
            return Err("only the first layer reads pixels".to_owned());
        }
        self.of_moments(moment, "features", || {
            let mut answer = sizes(shape);
            extend(&mut answer, lock(&self.snapshots).told(moment, &start, UNITS));
            Ok(Value::Object(answer))
        })
    }
}
