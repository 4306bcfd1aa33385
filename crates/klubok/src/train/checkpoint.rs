//! Checkpoints: `checkpoint/state.safetensors`, everything needed to go on, in one file.
//!
//! Tensors: `params.NAME`, `moments.MOMENT.NAME`, `running.NAME`, `best.NAME` (parameters and running
//! statistics of the best epoch), each in the precision of the backend that trained, so that going on
//! is exact; `epoch_ratios.LAYER` and `step_ratios.LAYER`, the update ratios behind the medians. One
//! metadata key, `checkpoint`: a JSON string with the version, the progress and the lengths of the logs.

use std::{borrow::Cow, path::Path};

use safetensors::{Dtype, SafeTensors, View, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    error::PlanError,
    plan::Plan,
    state::{Numbers, State, Weights},
    train::{RunError, logs::LogLengths, progress::Progress, trainer::Snapshot},
};

const KEY: &str = "checkpoint";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    version: u32,
    progress: Progress,
    logs: LogLengths,
}

/// The bytes of a checkpoint of a training of `plan`.
///
/// # Errors
/// When the metadata is larger than the format allows (100 MB).
pub fn to_bytes(snapshot: &Snapshot, logs: LogLengths, plan: &Plan) -> Result<Vec<u8>> {
    let metadata = Metadata { version: VERSION, progress: snapshot.progress.clone(), logs };
    let metadata = serde_json::to_string(&metadata).map_err(std::io::Error::other)?;
    let names = layout(plan).into_iter().map(|(name, _)| name);
    let bytes = safetensors::serialize(
        names.zip(blocks(snapshot).into_iter().map(Tensor::new)),
        Some([(KEY.to_owned(), metadata)].into_iter().collect()),
    );
    Ok(bytes.map_err(std::io::Error::other)?)
}

/// What a checkpoint holds; `path` is for messages.
///
/// # Errors
/// When `bytes` are no checkpoint, a damaged one, one of a later version, or of another network.
pub fn from_bytes(path: &Path, bytes: &[u8], plan: &Plan) -> Result<(Snapshot, LogLengths)> {
    let Metadata { progress, logs, .. } = metadata(path, bytes)?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| damaged(path, &e))?;
    let mut blocks = Vec::new();
    for (name, expected) in layout(plan) {
        let tensor = file.tensor(&name).map_err(|e| damaged(path, &e))?;
        let block = numbers(&tensor)
            .ok_or_else(|| damaged(path, &format!("`{name}` holds {}", tensor.dtype())))?;
        match expected {
            Some(expected) if expected != block.len() => {
                let (what, got) = (name, block.len());
                return Err(PlanError::ShapeMismatch { what, expected, got }.into());
            }
            _ => blocks.push(block),
        }
    }
    Ok((snapshot(plan, progress, blocks), logs))
}

/// How far a training has come, from the bytes of its checkpoint; `path` is for messages.
///
/// # Errors
/// When `bytes` are no checkpoint, a damaged one, or one of a later version.
pub fn progress(path: &Path, bytes: &[u8]) -> Result<Progress> {
    metadata(path, bytes).map(|metadata| metadata.progress)
}

fn metadata(path: &Path, bytes: &[u8]) -> Result<Metadata> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    // Checks the sizes of all tensors too: a file that was cut short is found here.
    SafeTensors::deserialize(bytes).map_err(|e| damaged(path, &e))?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(path, &e))?;
    let json = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let json = json.ok_or_else(|| damaged(path, &format!("it has no `{KEY}` in its metadata")))?;
    let Version { version } = serde_json::from_str(json).map_err(|e| damaged(path, &e))?;
    if version != VERSION {
        let reason = format!("it is of version {version}, this klubok knows version {VERSION}");
        return Err(damaged(path, &reason));
    }
    serde_json::from_str(json).map_err(|e| damaged(path, &e))
}

fn damaged(path: &Path, reason: &impl ToString) -> crate::Error {
    let (path, reason) = (path.display().to_string(), reason.to_string());
    RunError::Checkpoint { path, reason }.into()
}

/// Name of every block, and its length where the plan fixes it.
fn layout(plan: &Plan) -> Vec<(String, Option<usize>)> {
    let params = |prefix: &str| {
        let name =
            move |p: &crate::plan::ParamSpec| (format!("{prefix}.{}", p.name), Some(p.len()));
        plan.params.iter().map(name).collect::<Vec<_>>()
    };
    let running = |prefix: &str| {
        let name =
            move |r: &crate::plan::RunningSpec| (format!("{prefix}.{}", r.name), Some(r.len));
        plan.running.iter().map(name).collect::<Vec<_>>()
    };
    let ratios = |prefix: &str| {
        plan.layers.iter().map(|layer| (format!("{prefix}.{layer}"), None)).collect::<Vec<_>>()
    };
    let moments = plan.update.rule.moments().iter();
    [
        params("params"),
        moments.flat_map(|moment| params(&format!("moments.{moment}"))).collect(),
        running("running"),
        params("best"),
        running("best"),
        ratios("epoch_ratios"),
        ratios("step_ratios"),
    ]
    .concat()
}

/// Every block of a snapshot, in the order of [`layout`].
fn blocks(snapshot: &Snapshot) -> Vec<Cow<'_, Numbers>> {
    let Snapshot { progress, state, best } = snapshot;
    let ratios = [&progress.epoch_meter, &progress.step_meter];
    state
        .params
        .iter()
        .chain(state.moments.iter().flatten())
        .chain(&state.running)
        .chain(&best.params)
        .chain(&best.running)
        .map(Cow::Borrowed)
        .chain(
            ratios
                .into_iter()
                .flat_map(|meter| &meter.update_ratios)
                .map(|ratios| Cow::Owned(Numbers::F32(ratios.clone()))),
        )
        .collect()
}

/// The reverse of [`blocks`].
fn snapshot(plan: &Plan, mut progress: Progress, blocks: Vec<Numbers>) -> Snapshot {
    let mut blocks = blocks.into_iter();
    let mut take = |count: usize| blocks.by_ref().take(count).collect::<Vec<_>>();
    let (params, running) = (plan.params.len(), plan.running.len());
    let state = State {
        params: take(params),
        moments: plan.update.rule.moments().iter().map(|_| take(params)).collect(),
        running: take(running),
    };
    let best = Weights { params: take(params), running: take(running) };
    for meter in [&mut progress.epoch_meter, &mut progress.step_meter] {
        meter.update_ratios = take(plan.layers.len()).iter().map(Numbers::to_f32).collect();
    }
    Snapshot { progress, state, best }
}

/// A block as it stands in the file: little-endian, one dimension. Its bytes are made when they are
/// written, so that only one block is in memory twice.
struct Tensor<'a> {
    numbers: Cow<'a, Numbers>,
    shape: [usize; 1],
}

impl<'a> Tensor<'a> {
    fn new(numbers: Cow<'a, Numbers>) -> Self {
        Self { shape: [numbers.len()], numbers }
    }
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        match *self.numbers {
            Numbers::F32(_) => Dtype::F32,
            Numbers::F64(_) => Dtype::F64,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = vec![0; self.data_len()];
        match &*self.numbers {
            Numbers::F32(values) => {
                let words = bytes.as_chunks_mut().0.iter_mut();
                words.zip(values).for_each(|(word, value)| *word = value.to_le_bytes());
            }
            Numbers::F64(values) => {
                let words = bytes.as_chunks_mut().0.iter_mut();
                words.zip(values).for_each(|(word, value)| *word = value.to_le_bytes());
            }
        }
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        self.numbers.len() * self.dtype().bitsize() / 8
    }
}

fn numbers(tensor: &TensorView<'_>) -> Option<Numbers> {
    let bytes = tensor.data();
    match tensor.dtype() {
        Dtype::F32 => {
            let words = bytes.as_chunks().0.iter();
            Some(Numbers::F32(words.map(|&word| f32::from_le_bytes(word)).collect()))
        }
        Dtype::F64 => {
            let words = bytes.as_chunks().0.iter();
            Some(Numbers::F64(words.map(|&word| f64::from_le_bytes(word)).collect()))
        }
        _ => None,
    }
}
