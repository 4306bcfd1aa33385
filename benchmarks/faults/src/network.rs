//! An independent inspection of a trained network: reads the weights from the run's last checkpoint
//! and measures the activity of units on training pictures, without the logs.

use std::path::Path;

use anyhow::{Context, Result, bail};
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::draw::Part;

/// Number of training pictures at most.
const MAX_PICTURES: usize = 300;
/// An output of tanh or the sigmoid is saturated within this share of the range from its bounds.
const SATURATION_MARGIN: f64 = 0.01;
/// A unit is saturated if its output is for this share of the pictures.
const SATURATED_SHARE: f64 = 0.9;

/// Activity of the units of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Activity {
    /// Activity of each hidden layer.
    pub(crate) layers: Vec<LayerActivity>,
    /// Share of the pictures with the most frequent prediction.
    #[serde(rename = "one_answer")]
    pub(crate) largest_prediction: f64,
    /// Standard deviation over the pictures of the class probability that varies most.
    pub(crate) spread: f64,
}

/// Activity of the units of a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerActivity {
    /// Share of units with the same output for all pictures (for ReLU: 0).
    pub(crate) dead: f64,
    /// Share of outputs above 0, over all units and pictures.
    pub(crate) active: f64,
    /// Share of units near a bound of their range for most pictures.
    pub(crate) saturated: f64,
}

/// A layer: weights `[out, in]` and biases.
struct Linear {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Inspects the network of a run; `None` with batch normalisation.
///
/// # Errors
/// When the run has no readable checkpoint.
pub(crate) fn inspect(run: &Path, activation: &str, part: &Part) -> Result<Option<Activity>> {
    let checkpoint = fs_err::read(run.join("checkpoint/state.safetensors"))?;
    let model = fs_err::read(run.join("model.safetensors"))?;
    let (_, model) = SafeTensors::read_metadata(&model)?;
    let card = model.metadata().as_ref().and_then(|card| card.get("klubok"));
    let card: Value = serde_json::from_str(card.context("no model card")?)?;
    let number = |name: &str| card["preprocessing"][name][0].as_f64().context("no preprocessing");
    let (mean, std) = (number("mean")?, number("std")?);
    let Some(layers) = layers(&SafeTensors::deserialize(&checkpoint)?)? else { return Ok(None) };
    let inputs = part.pictures.iter().take(MAX_PICTURES).map(|picture| {
        picture.iter().map(|&pixel| (f64::from(pixel) - mean) / std).collect::<Vec<f64>>()
    });
    Ok(Some(activity(&layers, activation, &inputs.collect::<Vec<_>>())))
}

/// Values of the tensor with this name, if there is one.
///
/// # Errors
/// When the tensor is not of f32.
fn tensor(file: &SafeTensors<'_>, name: &str) -> Result<Option<Vec<f32>>> {
    let Ok(tensor) = file.tensor(name) else { return Ok(None) };
    if tensor.dtype() != Dtype::F32 {
        bail!("`{name}` is not of f32");
    }
    let words = tensor.data().as_chunks().0.iter();
    Ok(Some(words.map(|&word| f32::from_le_bytes(word)).collect()))
}

/// The linear layers of a checkpoint from input to output; `None` if one has no bias, which means
/// batch normalisation.
fn layers(file: &SafeTensors<'_>) -> Result<Option<Vec<Linear>>> {
    let mut layers = Vec::new();
    for number in 1.. {
        let hidden = format!("params.hidden{number}");
        let last = file.tensor(&format!("{hidden}.weight")).is_err();
        let name = if last { "params.output".to_owned() } else { hidden };
        let weight = tensor(file, &format!("{name}.weight"))?.context("a layer without weights")?;
        let Some(bias) = tensor(file, &format!("{name}.bias"))? else { return Ok(None) };
        layers.push(Linear { weight, bias });
        if last {
            break;
        }
    }
    Ok(Some(layers))
}

/// Measures the activity of a network on some inputs.
fn activity(layers: &[Linear], activation: &str, inputs: &[Vec<f64>]) -> Activity {
    let mut values = inputs.to_vec();
    let mut hidden = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        values = values.iter().map(|x| layer.forward(x)).collect();
        if number + 1 < layers.len() {
            values.iter_mut().flatten().for_each(|z| *z = activate(activation, *z));
            hidden.push(layer_activity(activation, &values));
        }
    }
    let predictions: Vec<u8> = values.iter().map(|logits| argmax(logits) as u8).collect();
    let probabilities: Vec<Vec<f64>> = values.iter().map(|logits| softmax(logits)).collect();
    let classes = probabilities.first().map_or(0, Vec::len);
    let spread = (0..classes).map(|class| deviation(probabilities.iter().map(|p| p[class])));
    Activity {
        layers: hidden,
        largest_prediction: super::facts::largest_class(&predictions),
        spread: spread.fold(0.0, f64::max),
    }
}

impl Linear {
    fn forward(&self, x: &[f64]) -> Vec<f64> {
        let rows = self.weight.chunks_exact(x.len().max(1)).zip(&self.bias);
        let dot = |w: &[f32]| w.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>();
        rows.map(|(w, b)| dot(w) + f64::from(*b)).collect()
    }
}

/// Activations that can die or saturate; no fault relies on the inspection of others.
fn activate(name: &str, z: f64) -> f64 {
    match name {
        "relu" => z.max(0.0),
        "leaky_relu" => z.max(0.01 * z),
        "tanh" => z.tanh(),
        "sigmoid" => 1.0 / (1.0 + (-z).exp()),
        "silu" => z / (1.0 + (-z).exp()),
        "mish" => z * z.exp().ln_1p().tanh(),
        _ => z,
    }
}

fn layer_activity(activation: &str, values: &[Vec<f64>]) -> LayerActivity {
    let width = values.first().map_or(0, Vec::len);
    let pictures = values.len().max(1) as f64;
    let bounds = match activation {
        "tanh" => Some((-1.0 + 2.0 * SATURATION_MARGIN, 1.0 - 2.0 * SATURATION_MARGIN)),
        "sigmoid" => Some((SATURATION_MARGIN, 1.0 - SATURATION_MARGIN)),
        _ => None,
    };
    let near_bound = |x: f64| bounds.is_some_and(|(low, high)| x < low || x > high);
    let of = |unit: usize| values.iter().map(move |row| row[unit]);
    let share = |is: &dyn Fn(usize) -> bool| {
        (0..width).filter(|&unit| is(unit)).count() as f64 / width.max(1) as f64
    };
    let above = values.iter().flatten().filter(|x| **x > 0.0).count();
    LayerActivity {
        dead: share(&|unit| deviation(of(unit)) < 1e-9),
        active: above as f64 / (pictures * width.max(1) as f64),
        saturated: share(&|unit| {
            of(unit).filter(|x| near_bound(*x)).count() as f64 >= SATURATED_SHARE * pictures
        }),
    }
}

fn deviation(numbers: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = numbers.clone().count().max(1) as f64;
    let mean = numbers.clone().sum::<f64>() / n;
    (numbers.map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
}

fn argmax(logits: &[f64]) -> usize {
    (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0)
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = logits.iter().map(|z| (z - largest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|x| x / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three units, the second never above 0, and two classes.
    fn layers() -> Vec<Linear> {
        vec![
            Linear { weight: vec![1.0, 1.0, -1.0], bias: vec![0.0, -9.0, 0.0] },
            Linear { weight: vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0], bias: vec![0.0, 0.0] },
        ]
    }

    #[test]
    fn activity_matches_a_hand_calculation() {
        let inputs = [-2.0, 1.0, 2.0, 3.0].map(|x| vec![x]);
        let found = activity(&layers(), "relu", &inputs);
        let expected = LayerActivity { dead: 1.0 / 3.0, active: 4.0 / 12.0, saturated: 0.0 };
        assert_eq!(found.layers, [expected]);
        assert_eq!(found.largest_prediction, 0.75);
        let found = activity(&layers(), "tanh", &[vec![4.0], vec![-4.0]]);
        assert_eq!(found.layers[0].saturated, 1.0);
        assert_eq!(found.layers[0].active, 2.0 / 6.0);
    }

    #[test]
    fn layers_are_read_from_a_safetensors_file() {
        let header = r#"{"params.output.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},
            "params.output.bias":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#;
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.bytes());
        file.extend([1.0f32, -2.0, 0.5].iter().flat_map(|x| x.to_le_bytes()));
        let layers = super::layers(&SafeTensors::deserialize(&file).unwrap()).unwrap().unwrap();
        assert_eq!(
            (layers[0].weight.clone(), layers[0].bias.clone()),
            (vec![1.0, -2.0], vec![0.5])
        );
        assert!(SafeTensors::deserialize(&file[..9]).is_err());
    }
}
