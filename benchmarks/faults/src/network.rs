//! A second, plain look at a trained network: its weights are read from the run's last checkpoint,
//! and its units are watched on the training pictures. Nothing here knows what the logs say.

use std::path::Path;

use anyhow::{Context, Result, bail};
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::draw::Part;

/// Pictures that the network is shown.
const SHOWN: usize = 300;
/// An output so close to an end of tanh's or the sigmoid's range, as a share of it, is saturated.
const END: f64 = 0.01;
/// A unit is saturated when its output is in so many pictures.
const MOSTLY: f64 = 0.9;

/// What the units of a network do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Activity {
    /// Of each hidden layer.
    pub(crate) layers: Vec<Units>,
    /// Share of the pictures that get the most frequent answer.
    pub(crate) one_answer: f64,
    /// The largest deviation, over the pictures, of the probability of a class.
    pub(crate) spread: f64,
}

/// What the units of a layer do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Units {
    /// Share of the units whose output is the same for all pictures (for ReLU: 0).
    pub(crate) dead: f64,
    /// Share of units x pictures above 0.
    pub(crate) active: f64,
    /// Share of the units that are near an end of their range for most pictures.
    pub(crate) saturated: f64,
}

/// A layer's weights, `[out, in]`, and biases.
struct Linear {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Looks at the network of a run, where it is a plain one: `None` with batch normalisation.
///
/// # Errors
/// When the run has no checkpoint, or it cannot be read.
pub(crate) fn look(run: &Path, activation: &str, part: &Part) -> Result<Option<Activity>> {
    let checkpoint = fs_err::read(run.join("checkpoint/state.safetensors"))?;
    let model = fs_err::read(run.join("model.safetensors"))?;
    let (_, model) = SafeTensors::read_metadata(&model)?;
    let card = model.metadata().as_ref().and_then(|card| card.get("klubok"));
    let card: Value = serde_json::from_str(card.context("no model card")?)?;
    let number = |name: &str| card["preprocessing"][name][0].as_f64().context("no preprocessing");
    let (mean, std) = (number("mean")?, number("std")?);
    let Some(layers) = layers(&SafeTensors::deserialize(&checkpoint)?)? else { return Ok(None) };
    let inputs = part.pictures.iter().take(SHOWN).map(|picture| {
        picture.iter().map(|&pixel| (f64::from(pixel) - mean) / std).collect::<Vec<f64>>()
    });
    Ok(Some(activity(&layers, activation, &inputs.collect::<Vec<_>>())))
}

/// Numbers of a tensor, where there is one of this name.
///
/// # Errors
/// When they are no f32.
fn tensor(file: &SafeTensors<'_>, name: &str) -> Result<Option<Vec<f32>>> {
    let Ok(tensor) = file.tensor(name) else { return Ok(None) };
    if tensor.dtype() != Dtype::F32 {
        bail!("`{name}` is not of f32");
    }
    let words = tensor.data().as_chunks().0.iter();
    Ok(Some(words.map(|&word| f32::from_le_bytes(word)).collect()))
}

/// The linear layers of a checkpoint from the input on, or `None` where one has no bias: it is
/// normalised then.
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

/// Shows the inputs to a network, and counts what its units do.
fn activity(layers: &[Linear], activation: &str, inputs: &[Vec<f64>]) -> Activity {
    let mut values = inputs.to_vec();
    let mut hidden = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        values = values.iter().map(|x| layer.forward(x)).collect();
        if number + 1 < layers.len() {
            values.iter_mut().flatten().for_each(|z| *z = activate(activation, *z));
            hidden.push(units(activation, &values));
        }
    }
    let answers: Vec<u8> = values.iter().map(|logits| largest(logits) as u8).collect();
    let probabilities: Vec<Vec<f64>> = values.iter().map(|logits| softmax(logits)).collect();
    let classes = probabilities.first().map_or(0, Vec::len);
    let spread = (0..classes).map(|class| deviation(probabilities.iter().map(|p| p[class])));
    Activity {
        layers: hidden,
        one_answer: super::facts::largest_class(&answers),
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

/// The activations that can die or saturate; for the others the look is not used.
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

fn units(activation: &str, values: &[Vec<f64>]) -> Units {
    let width = values.first().map_or(0, Vec::len);
    let pictures = values.len().max(1) as f64;
    let ends = match activation {
        "tanh" => Some((-1.0 + 2.0 * END, 1.0 - 2.0 * END)),
        "sigmoid" => Some((END, 1.0 - END)),
        _ => None,
    };
    let near_end = |x: f64| ends.is_some_and(|(low, high)| x < low || x > high);
    let of = |unit: usize| values.iter().map(move |row| row[unit]);
    let share = |is: &dyn Fn(usize) -> bool| {
        (0..width).filter(|&unit| is(unit)).count() as f64 / width.max(1) as f64
    };
    let above = values.iter().flatten().filter(|x| **x > 0.0).count();
    Units {
        dead: share(&|unit| deviation(of(unit)) < 1e-9),
        active: above as f64 / (pictures * width.max(1) as f64),
        saturated: share(&|unit| {
            of(unit).filter(|x| near_end(*x)).count() as f64 >= MOSTLY * pictures
        }),
    }
}

fn deviation(numbers: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = numbers.clone().count().max(1) as f64;
    let mean = numbers.clone().sum::<f64>() / n;
    (numbers.map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
}

fn largest(logits: &[f64]) -> usize {
    (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0)
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|z| (z - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three units, of which the second is never above 0, and two classes.
    fn layers() -> Vec<Linear> {
        vec![
            Linear { weight: vec![1.0, 1.0, -1.0], bias: vec![0.0, -9.0, 0.0] },
            Linear { weight: vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0], bias: vec![0.0, 0.0] },
        ]
    }

    #[test]
    fn units_are_watched_by_hand() {
        let inputs = [-2.0, 1.0, 2.0, 3.0].map(|x| vec![x]);
        let found = activity(&layers(), "relu", &inputs);
        let expected = Units { dead: 1.0 / 3.0, active: 4.0 / 12.0, saturated: 0.0 };
        assert_eq!(found.layers, [expected]);
        assert_eq!(found.one_answer, 0.75);
        let found = activity(&layers(), "tanh", &[vec![4.0], vec![-4.0]]);
        assert_eq!(found.layers[0].saturated, 1.0);
        assert_eq!(found.layers[0].active, 2.0 / 6.0);
    }

    #[test]
    fn a_file_of_tensors_is_read() {
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
