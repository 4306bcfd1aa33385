//! What the panel of the cloud asks: where validation samples lie before the last layer.

use klubok::{components::Components, data::Dataset};
use serde_json::json;

use super::{answer::Answer, fixed_sample::placed, hub::Hub, lock::lock, logits::wide};

impl Hub {
    /// Validation samples as the last layer gets them, on the two components of the last moment, at
    /// the moment of a snapshot.
    pub(super) fn look_at_cloud(&self, moment: Option<u64>) -> Answer {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        self.of_moments(moment, "cloud", || self.cloud(data, moment))
    }

    fn cloud(&self, data: &Dataset, moment: Option<u64>) -> Answer {
        let seen = lock(&self.snapshots).seen();
        let (last, _) = seen.last().ok_or("this network has no hidden layer")?;
        let rows = placed(data);
        let width = last.hidden.len() / rows.len().max(1);
        if width == 0 {
            return Err("this run has no validation part".to_owned());
        }
        let space = Components::of(&wide(&last.hidden), width, 2);
        let after = moment.map_or(seen.len(), |step| seen.partition_point(|(_, of)| *of <= step));
        let (shown, step) = &seen[after.saturating_sub(1)];
        let point = |(i, &row): (usize, &u32)| {
            let mut at = space.coordinates(&wide(&shown.hidden[i * width..][..width]));
            at.resize(2, 0.0);
            json!([at[0], at[1], data.targets[row as usize], shown.said[i]])
        };
        Ok(json!({
            "step": step,
            "moments": seen.iter().map(|(_, step)| step).collect::<Vec<_>>(),
            "width": width,
            "points": rows.iter().enumerate().map(point).collect::<Vec<_>>(),
        }))
    }
}
