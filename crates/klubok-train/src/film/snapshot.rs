//! A snapshot: what the film keeps of a training at a step, and its file.
//!
//! The file is safetensors with a seal, and one metadata key, `snapshot`. Its tensors:
//!
//! | name | type | shape | content |
//! |---|---|---|---|
//! | `tiles` | i8 | units, height, width, channels | change of the first layer since the start |
//! | `start` | i8 | the same | its weights at the start, in the snapshot of step 0 only |
//! | `outputs` | f32 | samples, outputs | logits, or numbers in the network's units |
//! | `hidden` | i8 | samples, axes | last hidden layer, on fixed axes |
//! | `activations.LAYER` | f32 | pictures, units | outputs of the film's units of a hidden layer |
//! | `edges.LAYER` | f32 | units, inputs | weights between the film's units of two layers |
//! | `grid` | f32 | points, outputs | outputs over the plane of two inputs |
//! | `params.N`, `running.N` | f32 | values | all weights of a small network, by number |
//!
//! In a tensor of i8, 127 stands for the value that `scales` in the metadata has under its name.

use std::{collections::BTreeMap, path::Path};

use klubok_model::tensors::{self, Tensor};
use klubok_nn::state::{Numbers, Weights};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::{Result, RunError, metrics::LayerMetrics};

const KEY: &str = "snapshot";
const VERSION: u32 = 1;

/// What the film keeps of a training at a step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// Updates done.
    pub step: u64,
    /// Epochs done, with the fraction of the current one.
    pub epoch: f64,
    /// Each layer's activity on the film's samples, its gradient in this step, the norm of its
    /// weights and their distance from the start.
    pub layers: Vec<LayerMetrics>,
    /// Change of the first layer's weights since the start; none without pictures.
    pub tiles: Option<Bytes>,
    /// The first layer's weights at the start; in the snapshot of step 0 only.
    pub start: Option<Bytes>,
    /// Last hidden layer on the film's samples, along fixed axes; none without a hidden layer.
    pub hidden: Option<Bytes>,
    /// Outputs for the film's first samples.
    pub outputs: Matrix,
    /// Outputs of the film's units of each hidden layer, for its pictures.
    pub activations: BTreeMap<String, Matrix>,
    /// Weights between the film's units, by the layer that they lead to.
    pub edges: BTreeMap<String, Matrix>,
    /// Outputs over the plane of two inputs; none for other networks.
    pub grid: Option<Matrix>,
    /// All weights; none of a large network.
    pub weights: Option<Weights>,
}

/// Numbers as signed bytes; 127 stands for `scale`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bytes {
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// The bytes.
    pub bytes: Vec<i8>,
    /// The largest absolute value.
    pub scale: f32,
}

/// A matrix, row by row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matrix {
    /// Values in a row.
    pub width: usize,
    /// The values.
    pub values: Vec<f32>,
}

impl Bytes {
    /// Quantises values; a value that is not finite becomes 0.
    pub fn of(shape: Vec<usize>, values: &[f32]) -> Self {
        let finite = values.iter().filter(|value| value.is_finite());
        let scale = finite.fold(0.0f32, |max, value| max.max(value.abs()));
        let factor = if scale > 0.0 { 127.0 / scale } else { 0.0 };
        // The conversion saturates, and takes NaN to 0.
        let bytes = values.iter().map(|value| (value * factor).round() as i8).collect();
        Self { shape, bytes, scale }
    }

    /// Returns the values.
    pub fn values(&self) -> impl Iterator<Item = f32> {
        self.bytes.iter().map(|&byte| f32::from(byte) * self.scale / 127.0)
    }
}

impl Matrix {
    /// Returns the rows.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.width.max(1))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    version: u32,
    step: u64,
    epoch: f64,
    layers: Vec<LayerMetrics>,
    scales: BTreeMap<String, f32>,
    params: usize,
    running: usize,
}

impl Snapshot {
    /// Returns the file of a snapshot.
    ///
    /// # Errors
    /// When its description is longer than the format allows.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut tensors: Vec<(Tensor, Vec<u8>)> = Vec::new();
        let mut scales = BTreeMap::new();
        let mut add = |name: String, shape: Vec<usize>, dtype, bytes| {
            tensors.push((Tensor { name, shape, dtype }, bytes));
        };
        for (name, bytes) in self.quantised() {
            scales.insert(name.to_owned(), bytes.scale);
            let raw = bytes.bytes.iter().map(|&byte| byte as u8).collect();
            add(name.to_owned(), bytes.shape.clone(), Dtype::I8, raw);
        }
        for (name, Matrix { width, values }) in self.matrices() {
            add(name, vec![values.len() / width.max(&1), *width], Dtype::F32, little(values));
        }
        let empty = Weights::default();
        let weights = self.weights.as_ref().unwrap_or(&empty);
        for (prefix, all) in [("params", &weights.params), ("running", &weights.running)] {
            for (i, numbers) in all.iter().enumerate() {
                let values = numbers.to_f32();
                add(format!("{prefix}.{i}"), vec![values.len()], Dtype::F32, little(&values));
            }
        }
        let metadata = Metadata {
            version: VERSION,
            step: self.step,
            epoch: self.epoch,
            layers: self.layers.clone(),
            scales,
            params: weights.params.len(),
            running: weights.running.len(),
        };
        let metadata = serde_json::to_string(&metadata).map_err(std::io::Error::other)?;
        Ok(tensors::sealed((KEY, metadata), &tensors)?)
    }

    /// Parses the file of a snapshot; `path` is for messages.
    ///
    /// # Errors
    /// When it is damaged, or of another version.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = |reason: &dyn ToString| RunError::Film {
            path: path.display().to_string(),
            reason: reason.to_string(),
        };
        tensors::check_header(bytes).map_err(|e| damaged(&e))?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| damaged(&e))?;
        if !tensors::is_sealed(bytes) {
            return Err(damaged(&"its content does not match its checksum"));
        }
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(&e))?;
        let json = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let json = json.ok_or_else(|| damaged(&format!("it has no `{KEY}` in its metadata")))?;
        let metadata: Metadata = serde_json::from_str(json).map_err(|e| damaged(&e))?;
        if metadata.version != VERSION {
            let reason = format!(
                "it is of version {}, this klubok knows version {VERSION}",
                metadata.version
            );
            return Err(damaged(&reason));
        }
        let reader = Reader { file, metadata };
        reader.snapshot().map_err(|reason| damaged(&reason))
    }

    fn quantised(&self) -> impl Iterator<Item = (&'static str, &Bytes)> {
        let all = [("tiles", &self.tiles), ("start", &self.start), ("hidden", &self.hidden)];
        all.into_iter().filter_map(|(name, bytes)| Some((name, bytes.as_ref()?)))
    }

    fn matrices(&self) -> Vec<(String, &Matrix)> {
        let mut all = vec![("outputs".to_owned(), &self.outputs)];
        all.extend(self.grid.iter().map(|grid| ("grid".to_owned(), grid)));
        for (prefix, of) in [("activations", &self.activations), ("edges", &self.edges)] {
            all.extend(of.iter().map(|(name, matrix)| (format!("{prefix}.{name}"), matrix)));
        }
        all
    }
}

fn little(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The parts of a file.
struct Reader<'a> {
    file: SafeTensors<'a>,
    metadata: Metadata,
}

impl Reader<'_> {
    fn snapshot(self) -> Result<Snapshot, String> {
        let under = |prefix: &str| -> Result<BTreeMap<String, Matrix>, String> {
            let names = self.file.names().into_iter();
            let names = names.filter_map(|name| Some((name, name.strip_prefix(prefix)?)));
            names.map(|(name, short)| Ok((short.to_owned(), self.matrix(name)?))).collect()
        };
        let numbers = |prefix: &str, count: usize| -> Result<Vec<Numbers>, String> {
            let one = |i| Ok(Numbers::F32(self.floats(&format!("{prefix}.{i}"))?.1));
            (0..count).map(one).collect()
        };
        let Metadata { step, epoch, ref layers, params, running, .. } = self.metadata;
        let there = |name: &str| self.file.tensor(name).is_ok();
        let bytes = |name: &str| there(name).then(|| self.bytes(name)).transpose();
        let weights = (params > 0).then(|| {
            Ok::<_, String>(Weights {
                params: numbers("params", params)?,
                running: numbers("running", running)?,
            })
        });
        Ok(Snapshot {
            step,
            epoch,
            layers: layers.clone(),
            tiles: bytes("tiles")?,
            start: bytes("start")?,
            hidden: bytes("hidden")?,
            outputs: self.matrix("outputs")?,
            activations: under("activations.")?,
            edges: under("edges.")?,
            grid: there("grid").then(|| self.matrix("grid")).transpose()?,
            weights: weights.transpose()?,
        })
    }

    fn tensor(&self, name: &str, dtype: Dtype) -> Result<TensorView<'_>, String> {
        let tensor = self.file.tensor(name).map_err(|error| error.to_string())?;
        let holds = tensor.dtype();
        if holds == dtype { Ok(tensor) } else { Err(format!("`{name}` holds {holds}")) }
    }

    fn bytes(&self, name: &str) -> Result<Bytes, String> {
        let tensor = self.tensor(name, Dtype::I8)?;
        let scale = self.metadata.scales.get(name).copied().filter(|scale| *scale >= 0.0);
        let scale = scale.ok_or_else(|| format!("`{name}` has no scale"))?;
        let bytes = tensor.data().iter().map(|&byte| byte as i8).collect();
        Ok(Bytes { shape: tensor.shape().to_vec(), bytes, scale })
    }

    fn floats(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
        let tensor = self.tensor(name, Dtype::F32)?;
        let words = tensor.data().as_chunks().0.iter();
        let values = words.map(|&word| f32::from_le_bytes(word)).collect();
        Ok((tensor.shape().to_vec(), values))
    }

    fn matrix(&self, name: &str) -> Result<Matrix, String> {
        let (shape, values) = self.floats(name)?;
        let [_, width] = shape[..] else { return Err(format!("`{name}` is no matrix")) };
        Ok(Matrix { width, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let matrix = |width, values: &[f32]| Matrix { width, values: values.to_vec() };
        let named = |matrix: Matrix| BTreeMap::from([("hidden1".to_owned(), matrix)]);
        let numbers = |values: &[f32]| Numbers::F32(values.to_vec());
        Snapshot {
            step: 12,
            epoch: 0.5,
            layers: vec![LayerMetrics { name: "hidden1".into(), ..LayerMetrics::default() }],
            tiles: Some(Bytes::of(vec![2, 1, 2, 1], &[0.5, -1.0, 0.0, 0.25])),
            start: None,
            hidden: Some(Bytes::of(vec![1, 2], &[0.0, 0.0])),
            outputs: matrix(2, &[1.0, -1.0]),
            activations: named(matrix(3, &[0.0, 0.5, 1.0])),
            edges: named(matrix(1, &[2.0, 3.0])),
            grid: Some(matrix(2, &[0.0, 1.0])),
            weights: Some(Weights { params: vec![numbers(&[1.0, 2.0])], running: vec![] }),
        }
    }

    #[test]
    fn a_snapshot_survives_its_file() {
        let (path, snapshot) = (Path::new("film/12"), snapshot());
        let bytes = snapshot.to_bytes().unwrap();
        assert_eq!(Snapshot::from_bytes(path, &bytes).unwrap(), snapshot);
        assert_eq!(bytes, snapshot.to_bytes().unwrap(), "the same bytes each time");
        let large = Snapshot { weights: None, grid: None, tiles: None, ..snapshot };
        let bytes = large.to_bytes().unwrap();
        assert_eq!(Snapshot::from_bytes(path, &bytes).unwrap(), large);
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let bytes = snapshot().to_bytes().unwrap();
        for at in [0, 9, bytes.len() / 2, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            let error = Snapshot::from_bytes(Path::new("film/12"), &damaged).unwrap_err();
            assert!(matches!(error, RunError::Film { .. }), "byte {at}: {error}");
        }
        assert!(Snapshot::from_bytes(Path::new(""), &bytes[..bytes.len() - 3]).is_err());
    }

    #[test]
    fn bytes_keep_the_largest_value_and_no_nan() {
        let bytes = Bytes::of(vec![4], &[2.0, -1.0, f32::NAN, f32::INFINITY]);
        assert_eq!((&bytes.bytes[..3], bytes.scale), (&[127, -64, 0][..], 2.0));
        let values: Vec<f32> = bytes.values().collect();
        assert!((values[1] + 1.0).abs() < 0.01 && values[0] == 2.0, "{values:?}");
    }
}
