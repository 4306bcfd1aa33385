//! What excites a unit most: training pictures, and the picture within their components that would
//! do it more than they do.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::{
    components::Components,
    inspect::maximise::{top_samples, units_by_variance},
};
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, extend, sizes},
    fixed_sample::spread,
    hub::Hub,
    neuron::place_of,
};

/// Training pictures among which the most exciting ones are looked for,
const SAMPLE: usize = 2000;
/// and from which the components are taken.
const FOR_COMPONENTS: usize = 300;
/// Components.
const COMPONENTS: usize = 100;
/// Units of a layer that are shown, and pictures of each.
const UNITS: usize = 6;
const PICTURES: usize = 8;

impl Hub {
    /// What excites the most telling units of a layer, or the classes.
    pub(super) fn look_at_excites(&self, layer: &str, moment: Option<u64>) -> Answer {
        let shape = self.about.shape().ok_or("this network does not look at pictures")?;
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        self.said(&self.expensive, moment, &format!("excites {layer}"), |single| {
            let view = single.in_f64();
            let layers = view.layers();
            let at = place_of(&view, layer)?;
            let own = &layers[at];
            let units = view.units(own);
            let rows = spread(&data.parts.train, SAMPLE);
            let values = single.infer(&data.rows, &rows, &[single.layer_output(at)]);
            let values = values.map_err(|error| error.to_string())?.swap_remove(0);
            let space = self.components()?;
            let within = view.on_components(space);
            let mut chosen = units_by_variance(&values, units);
            if at + 1 == layers.len() {
                // Classes are shown in their own order.
                chosen = (0..units).collect();
            }
            chosen.truncate(UNITS);
            let mut pictures = Map::new();
            let mut told: Vec<Value> = Vec::new();
            for unit in chosen {
                let best = top_samples(&values, units, unit, PICTURES);
                let exciting = within.maximise(own, unit);
                // As a picture is stored: a pixel that would be brighter than white is white.
                let pixels: Vec<u8> =
                    exciting.stored.iter().map(|x| x.round().clamp(0.0, 255.0) as u8).collect();
                for &sample in &best {
                    let row = rows[sample];
                    let pixels = self.stored(&[row])?.into_iter().map(|x| x as u8);
                    let pixels = STANDARD.encode(pixels.collect::<Vec<u8>>());
                    let class = data.targets[row as usize];
                    pictures.insert(row.to_string(), json!({ "pixels": pixels, "label": class }));
                }
                told.push(json!({
                    "unit": unit,
                    "pixels": STANDARD.encode(pixels),
                    "value": exciting.value,
                    "rows": best.iter().map(|&sample| rows[sample]).collect::<Vec<_>>(),
                    "values": best.iter().map(|s| values[s * units + unit]).collect::<Vec<_>>(),
                }));
            }
            let mut answer = sizes(shape);
            let more = json!({
                "layer": layer,
                "of": units,
                "samples": rows.len(),
                "components": space.axes.len(),
                "units": told,
                "pictures": pictures,
            });
            extend(&mut answer, more);
            Ok(Value::Object(answer))
        })
    }

    /// The components of the training pictures. They do not change while a run is shown.
    fn components(&self) -> Result<&Components, String> {
        if let Some(components) = self.components.get() {
            return Ok(components);
        }
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        let pictures = self.stored(&spread(&data.parts.train, FOR_COMPONENTS))?;
        let width = data.rows.fields()[klubok::rows::Field::X.0].width;
        Ok(self.components.get_or_init(|| Components::of(&pictures, width, COMPONENTS)))
    }
}
