//! What excites a unit: which samples do it most, and which picture would do it more than any of
//! them.
//!
//! Pixels that are free to move find a pattern of noise that excites a unit and shows nothing. So a
//! picture is looked for only among those that differ from the mean picture as training pictures
//! do: along their first principal components, and as far from the mean as a training picture is on
//! average.

use klubok_data::{components::Components, symmetric};
use klubok_nn::{plan::Augment, state::Numbers};

use super::{Layer, ModelView};

/// Steps uphill.
const STEPS: usize = 30;
/// Length of the first step by the distance from the mean; the last one is nearly 0.
const FIRST: f64 = 0.5;

/// A picture that excites a unit as much as one can.
#[derive(Debug, Clone)]
pub struct Exciting {
    /// The picture as it would be stored; pixels may be a little outside of 0 to 255.
    pub stored: Vec<f64>,
    /// What the unit makes of it, before its activation; for a class, by how much its logit is
    /// above the mean logit.
    pub value: f64,
}

/// A network that is asked only about pictures within some components: its inputs are their
/// coordinates, and 1. There are some hundred of them instead of thousands of pixels.
pub struct Within<'a> {
    view: ModelView,
    space: &'a Components,
}

impl ModelView {
    /// The network on pictures within `space` (components of stored pictures). With
    /// `x = (m + A c) f + o`, the first layer has `W x = (W f A) c + W (m f + o)`: a matrix of
    /// coordinates.
    ///
    /// # Panics
    /// When the components are not those of the network's inputs.
    pub fn within<'a>(&self, space: &'a Components) -> Within<'a> {
        let prepare = self.model.preprocessing.prepare(Augment::default());
        let (inputs, many) = (self.model.network.inputs, space.axes.len());
        let channel = |i: usize| i % prepare.factor.len();
        let factor = |i: usize| f64::from(prepare.factor[channel(i)]);
        // A row a coordinate, and one for the mean.
        let axes = space.axes.iter().zip(&space.spread).flat_map(|(axis, spread)| {
            axis.iter().enumerate().map(move |(i, x)| x * spread * factor(i))
        });
        let offset = |i: usize| f64::from(prepare.offset[channel(i)]);
        let mean = space.mean.iter().enumerate().map(|(i, mean)| mean * factor(i) + offset(i));
        let columns: Vec<f64> = axes.chain(mean).collect();
        let first = &self.layers[0];
        let weights = self.model.weights.params[first.w.0].to_f64();
        let weights = symmetric::product(&weights, &columns, inputs);
        let mut model = self.model.clone();
        model.network.inputs = many + 1;
        model.preprocessing = model.preprocessing.of_columns(many + 1);
        model.weights.params[first.w.0] = Numbers::F64(weights);
        Within { view: ModelView::new(model, self.backend.clone()), space }
    }

    /// What is to become large, as weights of a layer's values: one of them. Of logits only
    /// differences count, so there it is one of them against their mean.
    fn wanted(&self, layer: &Layer, unit: usize) -> Vec<f64> {
        let units = self.units(layer);
        assert!(unit < units, "unit {unit} of {units}");
        let mean = if layer.y == self.plan.output { 1.0 / units as f64 } else { 0.0 };
        (0..units).map(|other| if other == unit { 1.0 - mean } else { -mean }).collect()
    }
}

impl Within<'_> {
    /// The picture that excites a unit most, by gradient ascent from the mean picture on a sphere.
    ///
    /// # Panics
    /// When the layer has no such unit.
    pub fn excite(&self, layer: &Layer, unit: usize) -> Exciting {
        let Self { view, space } = self;
        let wanted = view.wanted(layer, unit);
        let look = |coordinates: &[f64]| {
            let pass = view.pass(&[coordinates, &[1.0]].concat());
            let back = view.back_from(&pass, layer.z, &wanted);
            let uphill = back.gradient(view.layers[0].x)[..coordinates.len()].to_vec();
            (product(pass.value(layer.z), &wanted), uphill)
        };
        // In standard deviations, the mean square of a coordinate of a training picture is 1.
        let far = (space.axes.len() as f64).sqrt();
        let middle = vec![0.0; space.axes.len()];
        let (value, uphill) = look(&middle);
        let Some(mut at) = of_length(uphill, far) else {
            return Exciting { stored: space.sample(&middle), value };
        };
        let mut best = (f64::NEG_INFINITY, at.clone());
        for step in 0..=STEPS {
            let (value, mut along) = look(&at);
            if value > best.0 {
                best = (value, at.clone());
            }
            // What leads away from the sphere is left out.
            let away = product(&along, &at) / (far * far);
            along.iter_mut().zip(&at).for_each(|(along, at)| *along -= away * at);
            let length = far * FIRST * (1.0 - step as f64 / STEPS as f64);
            let Some(along) = of_length(along, length) else { break };
            at.iter_mut().zip(&along).for_each(|(at, along)| *at += along);
            at = of_length(at, far).unwrap_or_else(|| best.1.clone());
        }
        Exciting { stored: space.sample(&best.1), value: best.0 }
    }
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A vector with another length; none for one without direction.
fn of_length(mut vector: Vec<f64>, length: f64) -> Option<Vec<f64>> {
    let own = product(&vector, &vector).sqrt();
    vector.iter_mut().for_each(|x| *x *= length / own);
    (own > 0.0).then_some(vector)
}

/// The samples that excite a unit most, the most exciting first; `values` is `[samples, units]`.
pub fn most_exciting(values: &[f32], units: usize, unit: usize, many: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len() / units).collect();
    let of = |sample: usize| values[sample * units + unit];
    order.sort_by(|&a, &b| of(b).total_cmp(&of(a)));
    order.truncate(many);
    order
}

/// The units whose values differ most from sample to sample, those first; `values` is `[samples,
/// units]`. Constant ones are left out: nothing excites them.
pub fn most_telling(values: &[f32], units: usize) -> Vec<usize> {
    let samples = (values.len() / units).max(1) as f64;
    let variance = |unit: usize| {
        let of = || values.iter().skip(unit).step_by(units).map(|&value| f64::from(value));
        let mean = of().sum::<f64>() / samples;
        of().map(|value| (value - mean) * (value - mean)).sum::<f64>() / samples
    };
    let mut told: Vec<(usize, f64)> = (0..units).map(|unit| (unit, variance(unit))).collect();
    told.retain(|&(_, variance)| variance > 0.0);
    told.sort_by(|a, b| b.1.total_cmp(&a.1));
    told.into_iter().map(|(unit, _)| unit).collect()
}

#[cfg(test)]
mod tests {
    use klubok_nn::rng::Stream;

    use super::*;
    use crate::tests::view;

    fn pictures() -> Vec<f64> {
        let mut stream = Stream::new(1, klubok_nn::rng::Purpose::Demo, 0, 0);
        (0..60).map(|_| 255.0 * stream.uniform()).collect()
    }

    #[test]
    fn no_picture_nearby_at_that_distance_excites_a_unit_more() {
        let view = view();
        let space = Components::of(&pictures(), 3, 2);
        let within = view.within(&space);
        for layer in view.layers() {
            for unit in 0..view.units(layer) {
                let found = within.excite(layer, unit);
                let wanted = view.wanted(layer, unit);
                let on_circle = |turn: f64| {
                    let far = 2.0f64.sqrt();
                    let pass = view.pass(&space.sample(&[far * turn.cos(), far * turn.sin()]));
                    let z = pass.value(layer.z).iter();
                    z.zip(&wanted).map(|(z, wanted)| z * wanted).sum::<f64>()
                };
                let all: Vec<f64> =
                    (0..360).map(|turn| on_circle(f64::from(turn).to_radians())).collect();
                let (low, high) =
                    all.iter().fold((f64::MAX, f64::MIN), |(a, b), &z| (a.min(z), b.max(z)));
                let between = 1e-3 * (high - low) + 1e-9;
                let name = &layer.name;
                assert!(found.value <= high + between, "{name} {unit}: {} {high}", found.value);
                let at = space.coordinates(&found.stored);
                let turn = at[1].atan2(at[0]);
                for aside in [-0.1, 0.1] {
                    let other = on_circle(turn + aside);
                    assert!(other <= found.value + between, "{name} {unit}: {other} {found:?}");
                }
                // The first layer has one hill only; behind a layer there are lower ones too.
                let is_top = found.value >= high - between;
                assert!(is_top || name != "hidden1", "{name} {unit}: {found:?} {high}");
            }
        }
    }

    #[test]
    fn coordinates_get_the_answers_that_their_pictures_get() {
        let view = view();
        let space = Components::of(&pictures(), 3, 2);
        let within = view.within(&space);
        for at in [[0.0, 0.0], [1.0, -0.5], [-2.0, 0.3]] {
            let whole = view.pass(&space.sample(&at));
            let small = within.view.pass(&[at[0], at[1], 1.0]);
            for layer in view.layers() {
                let values = whole.value(layer.z).iter().zip(small.value(layer.z));
                let far = values.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(far < 1e-5, "{}: {far}", layer.name);
            }
        }
    }

    #[test]
    fn samples_and_units_come_in_order() {
        let values = [0.0, 5.0, 1.0, 3.0, 5.0, 1.0, 2.0, 5.0, 2.0];
        assert_eq!(most_exciting(&values, 3, 0, 2), [1, 2]);
        assert_eq!(most_telling(&values, 3), [0, 2]);
    }
}
