//! Activation maximisation: the training pictures that activate a unit most, and the picture within
//! their principal components that maximises its activation.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::{
    components::Components,
    data::subsample,
    inspect::maximise::{top_samples, units_by_variance},
};
use serde_json::{Map, Value, json};

use super::{
    encoding::{extend, shape_json},
    hub::Hub,
    inspection::InspectionResult,
    moment::At,
    neuron::layer_index,
};

/// Training pictures in the search for the most activating ones, at most.
const MAX_SEARCHED: usize = 2000;
/// Training pictures from which the principal components are computed, at most.
const MAX_COMPONENT_SAMPLES: usize = 300;
/// Principal components.
const COMPONENTS: usize = 100;
/// Units of a layer in the panel.
const MAX_UNITS: usize = 6;
/// Pictures of a unit in the panel.
const PICTURES: usize = 8;

impl Hub {
    /// Maximises the activations of the most selective units of a layer, or of the classes.
    pub(super) fn inspect_activation_maxima(&self, layer: &str, at: At) -> InspectionResult {
        let shape = self.run.shape().ok_or("this network does not look at pictures")?;
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        self.get_or_compute(&self.expensive, at, &format!("excites {layer}"), |view_f32| {
            let view = view_f32.in_f64();
            let layers = view.layers();
            let index = layer_index(&view, layer)?;
            let own = &layers[index];
            let units = view.units(own);
            let rows = subsample(&data.parts.train, MAX_SEARCHED);
            let values = view_f32.infer(&data.rows, &rows, &[view_f32.layer_output(index)]);
            let values = values.map_err(|error| error.to_string())?.swap_remove(0);
            let space = self.components()?;
            let within = view.on_components(space);
            let mut chosen = units_by_variance(&values, units);
            if index + 1 == layers.len() {
                // Classes keep their own order.
                chosen = (0..units).collect();
            }
            chosen.truncate(MAX_UNITS);
            let mut pictures = Map::new();
            let mut shown: Vec<Value> = Vec::new();
            for unit in chosen {
                let best = top_samples(&values, units, unit, PICTURES);
                let maximum = within.maximise(own, unit);
                // Stored as a picture: pixels saturate at black and white.
                let pixels: Vec<u8> =
                    maximum.stored.iter().map(|x| x.round().clamp(0.0, 255.0) as u8).collect();
                for &sample in &best {
                    let row = rows[sample];
                    let pixels = self.stored(&[row])?.into_iter().map(|x| x as u8);
                    let pixels = STANDARD.encode(pixels.collect::<Vec<u8>>());
                    let truth = data.target_text(row);
                    pictures.insert(row.to_string(), json!({ "pixels": pixels, "truth": truth }));
                }
                shown.push(json!({
                    "unit": unit,
                    "pixels": STANDARD.encode(pixels),
                    "value": maximum.value,
                    "rows": best.iter().map(|&sample| rows[sample]).collect::<Vec<_>>(),
                    "values": best.iter().map(|s| values[s * units + unit]).collect::<Vec<_>>(),
                }));
            }
            let mut json = shape_json(shape);
            let more = json!({
                "layer": layer,
                "of": units,
                "samples": rows.len(),
                "components": space.axes.len(),
                "units": shown,
                "pictures": pictures,
            });
            extend(&mut json, more);
            Ok(Value::Object(json))
        })
    }

    /// Returns the principal components of the training pictures. They stay the same while the hub
    /// shows a run.
    fn components(&self) -> Result<&Components, String> {
        if let Some(components) = self.components.get() {
            return Ok(components);
        }
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        let pictures = self.stored(&subsample(&data.parts.train, MAX_COMPONENT_SAMPLES))?;
        let width = data.rows.fields()[klubok::rows::Field::X.0].width;
        Ok(self.components.get_or_init(|| Components::of(&pictures, width, COMPONENTS)))
    }
}
