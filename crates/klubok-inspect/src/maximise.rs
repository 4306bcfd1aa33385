//! Activation maximisation: the samples that activate a unit most, and a picture that activates it
//! even more.
//!
//! Unconstrained pixels converge to noise that activates a unit and shows nothing. So the search
//! only covers pictures that differ from the mean picture as training pictures do: along their
//! first principal components, at the average distance of a training picture from the mean.

use klubok_data::{components::Components, symmetric};
use klubok_nn::{network::OutputKind, plan::Augment, state::Numbers};

use super::{Layer, ModelView};

/// Steps of gradient ascent.
const STEPS: usize = 30;
/// Length of the first step relative to the distance from the mean. Later steps shrink towards 0.
const FIRST_STEP_SHARE: f64 = 0.5;

/// A picture that maximises a unit.
#[derive(Debug, Clone)]
pub struct MaximisedPicture {
    /// The picture in stored units. Pixels may lie slightly outside 0 to 255.
    pub stored: Vec<f64>,
    /// The unit's value before the activation. For a class, its logit minus the mean logit.
    pub value: f64,
}

/// A network on the coordinates of pictures in a component space. Its inputs are the coordinates,
/// and 1: about a hundred instead of thousands of pixels.
pub struct ComponentView<'a> {
    view: ModelView,
    space: &'a Components,
}

impl ModelView {
    /// Returns the network on pictures within `space` (components of stored pictures). With
    /// `x = (m + A c) f + o`, the first layer is `W x = (W f A) c + W (m f + o)`: a matrix on
    /// coordinates.
    ///
    /// # Panics
    /// When the components do not have the network's input size.
    pub fn on_components<'a>(&self, space: &'a Components) -> ComponentView<'a> {
        let prepare = self.model.preprocessing.prepare(Augment::default());
        let (inputs, count) = (self.model.network.inputs, space.axes.len());
        let channel = |i: usize| i % prepare.factor.len();
        let factor = |i: usize| f64::from(prepare.factor[channel(i)]);
        // One row per coordinate, and one for the mean.
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
        model.network.inputs = count + 1;
        model.preprocessing = model.preprocessing.identity_columns(count + 1);
        model.weights.params[first.w.0] = Numbers::F64(weights);
        ComponentView { view: ModelView::new(model, self.backend.clone()), space }
    }

    /// Returns the objective as weights of a layer's values: one unit. Logits of classes matter
    /// only up to a constant, so there it is one logit minus their mean.
    fn objective(&self, layer: &Layer, unit: usize) -> Vec<f64> {
        let units = self.units(layer);
        assert!(unit < units, "unit {unit} of {units}");
        let is_class =
            layer.y == self.plan.output && self.model.network.answer == OutputKind::Classes;
        let mean = if is_class { 1.0 / units as f64 } else { 0.0 };
        (0..units).map(|other| if other == unit { 1.0 - mean } else { -mean }).collect()
    }
}

impl ComponentView<'_> {
    /// Finds the picture that maximises a unit, by gradient ascent from the mean picture on a
    /// sphere.
    ///
    /// # Panics
    /// When the layer has no such unit.
    pub fn maximise(&self, layer: &Layer, unit: usize) -> MaximisedPicture {
        let Self { view, space } = self;
        let objective = view.objective(layer, unit);
        let evaluate = |coordinates: &[f64]| {
            let pass = view.forward(&[coordinates, &[1.0]].concat());
            let back = view.backward_from(&pass, layer.z, &objective);
            let gradient = back.gradient(view.layers[0].x)[..coordinates.len()].to_vec();
            (product(pass.value(layer.z), &objective), gradient)
        };
        // A training picture's coordinates, in standard deviations, have a mean square of 1.
        let radius = (space.axes.len() as f64).sqrt();
        let mean = vec![0.0; space.axes.len()];
        let (value, gradient) = evaluate(&mean);
        let Some(mut at) = with_length(gradient, radius) else {
            return MaximisedPicture { stored: space.sample(&mean), value };
        };
        let mut best = (f64::NEG_INFINITY, at.clone());
        for step in 0..=STEPS {
            let (value, mut along) = evaluate(&at);
            if value > best.0 {
                best = (value, at.clone());
            }
            // Removes the radial component.
            let outward = product(&along, &at) / (radius * radius);
            along.iter_mut().zip(&at).for_each(|(along, at)| *along -= outward * at);
            let length = radius * FIRST_STEP_SHARE * (1.0 - step as f64 / STEPS as f64);
            let Some(along) = with_length(along, length) else { break };
            at.iter_mut().zip(&along).for_each(|(at, along)| *at += along);
            at = with_length(at, radius).unwrap_or_else(|| best.1.clone());
        }
        MaximisedPicture { stored: space.sample(&best.1), value: best.0 }
    }
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Rescales a vector to another length. None for a zero vector.
fn with_length(mut vector: Vec<f64>, length: f64) -> Option<Vec<f64>> {
    let own = product(&vector, &vector).sqrt();
    vector.iter_mut().for_each(|x| *x *= length / own);
    (own > 0.0).then_some(vector)
}

/// Returns the samples that activate a unit most, in descending order. `values` is
/// `[samples, units]`.
pub fn top_samples(values: &[f32], units: usize, unit: usize, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len() / units).collect();
    let of = |sample: usize| values[sample * units + unit];
    order.sort_by(|&a, &b| of(b).total_cmp(&of(a)));
    order.truncate(count);
    order
}

/// Returns the units in order of decreasing variance over the samples. `values` is
/// `[samples, units]`. Leaves out constant units.
pub fn units_by_variance(values: &[f32], units: usize) -> Vec<usize> {
    let samples = (values.len() / units).max(1) as f64;
    let variance = |unit: usize| {
        let of = || values.iter().skip(unit).step_by(units).map(|&value| f64::from(value));
        let mean = of().sum::<f64>() / samples;
        of().map(|value| (value - mean) * (value - mean)).sum::<f64>() / samples
    };
    let mut varying: Vec<(usize, f64)> = (0..units).map(|unit| (unit, variance(unit))).collect();
    varying.retain(|&(_, variance)| variance > 0.0);
    varying.sort_by(|a, b| b.1.total_cmp(&a.1));
    varying.into_iter().map(|(unit, _)| unit).collect()
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
    fn finds_a_local_maximum_on_the_sphere() {
        let view = view();
        let space = Components::of(&pictures(), 3, 2);
        let component_view = view.on_components(&space);
        for layer in view.layers() {
            for unit in 0..view.units(layer) {
                let found = component_view.maximise(layer, unit);
                let objective = view.objective(layer, unit);
                let on_circle = |turn: f64| {
                    let radius = 2.0f64.sqrt();
                    let pass =
                        view.forward(&space.sample(&[radius * turn.cos(), radius * turn.sin()]));
                    let z = pass.value(layer.z).iter();
                    z.zip(&objective).map(|(z, objective)| z * objective).sum::<f64>()
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
                // The first layer has a single maximum. Later layers may have local ones.
                let is_top = found.value >= high - between;
                assert!(is_top || name != "hidden1", "{name} {unit}: {found:?} {high}");
            }
        }
    }

    #[test]
    fn coordinates_and_their_pictures_give_the_same_values() {
        let view = view();
        let space = Components::of(&pictures(), 3, 2);
        let component_view = view.on_components(&space);
        for at in [[0.0, 0.0], [1.0, -0.5], [-2.0, 0.3]] {
            let full = view.forward(&space.sample(&at));
            let reduced = component_view.view.forward(&[at[0], at[1], 1.0]);
            for layer in view.layers() {
                let values = full.value(layer.z).iter().zip(reduced.value(layer.z));
                let difference = values.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(difference < 1e-5, "{}: {difference}", layer.name);
            }
        }
    }

    #[test]
    fn orders_samples_and_units() {
        let values = [0.0, 5.0, 1.0, 3.0, 5.0, 1.0, 2.0, 5.0, 2.0];
        assert_eq!(top_samples(&values, 3, 0, 2), [1, 2]);
        assert_eq!(units_by_variance(&values, 3), [0, 2]);
    }
}
