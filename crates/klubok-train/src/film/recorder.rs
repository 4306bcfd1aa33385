//! Records snapshots of a running training. It only reads: no weight changes by a bit.

use std::sync::Arc;

use klubok_data::Dataset;
use klubok_model::Input;
use klubok_nn::{
    backend::{DataId, Outputs, ParamFigures, Program, StateTensor, Weights},
    plan::{Op, ParamKind, Picture, Plan, Value},
    rows::Rows,
    state::Numbers,
};

use super::{Bytes, Matrix, Scene, Snapshot, is_due};
use crate::{
    Result, activity::ActivityCount, config::TrainConfig, distance::Distance, histogram::Histogram,
    metrics::LayerMetrics, progress::Progress, task::Task,
};

/// The data set of the grid in the program of a training.
const GRID: DataId = DataId(1);

/// Records snapshots of a training.
pub struct Recorder {
    scene: Scene,
    grid: Option<Arc<dyn Rows>>,
    /// The first layer's weights at the start, of the units in the film.
    start: Vec<f32>,
    shape: Option<Picture>,
    distance: Arc<Distance>,
    /// Whether snapshots have histograms of the weights.
    has_histograms: bool,
    hidden: Vec<HiddenLayer>,
    /// The network's output, then those of the hidden layers.
    taps: Vec<Value>,
    outputs: Outputs,
    /// The last recorded step.
    last: Option<u64>,
}

/// A hidden layer on the film's samples.
struct HiddenLayer {
    layer: usize,
    units: usize,
    activity: ActivityCount,
}

impl Recorder {
    /// Prepares the recording of `train.snapshots`; none if that is 0. The task must still have its
    /// initial state.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn new(
        task: &Task,
        data: &Dataset,
        distance: Arc<Distance>,
        config: &TrainConfig,
    ) -> Result<Option<Self>> {
        let count = config.snapshots;
        if count == 0 {
            return Ok(None);
        }
        let (plan, scene) = (&task.plan, Scene::new(&task.network, data, count)?);
        let shape = match data.input {
            Input::Pictures(shape) => Some(shape),
            Input::Columns(_) => None,
        };
        let (mut hidden, mut taps, mut layer) = (Vec::new(), vec![plan.output], 0);
        for op in &plan.ops {
            match op {
                Op::Linear { w, .. } => layer = plan.params[w.0].layer,
                Op::Activate { y, f, .. } => {
                    let units = plan.widths[y.0];
                    taps.push(*y);
                    hidden.push(HiddenLayer {
                        layer,
                        units,
                        activity: ActivityCount::new(units, *f),
                    });
                }
                Op::Input { .. } | Op::Norm { .. } | Op::Dropout { .. } => {}
            }
        }
        let mut recorder = Self {
            grid: scene.grid_rows(&task.samples),
            scene,
            start: Vec::new(),
            shape,
            distance,
            has_histograms: config.tensorboard,
            hidden,
            taps,
            outputs: Outputs::default(),
            last: None,
        };
        if shape.is_some() {
            let first = &task.initial_state.params[0];
            recorder.start = recorder.first_layer(first, &plan.params[0].shape);
        }
        Ok(Some(recorder))
    }

    /// Returns the rows that the program of the training must have as its second data set.
    pub fn rows(&self) -> Option<Arc<dyn Rows>> {
        self.grid.clone()
    }

    /// Whether a step belongs to the film's series.
    pub fn is_due(&self, step: u64) -> bool {
        is_due(step) && !self.has(step)
    }

    /// Whether a step is recorded.
    pub fn has(&self, step: u64) -> bool {
        self.last == Some(step)
    }

    /// Notes that the film has this step.
    pub fn recorded(&mut self, step: u64) {
        self.last = Some(step);
    }

    /// Records the present state of a training; `gradients` are the figures of its last step, if
    /// there was one.
    ///
    /// # Errors
    /// When the device fails.
    pub fn record(
        &mut self,
        program: &mut dyn Program,
        plan: &Plan,
        at: &Progress,
        gradients: &[ParamFigures],
    ) -> Result<Snapshot> {
        let mut snapshot = Snapshot { step: at.step, epoch: at.epochs(), ..Snapshot::default() };
        snapshot.layers = plan
            .layers
            .iter()
            .enumerate()
            .map(|(layer, name)| {
                let own = plan.params.iter().zip(gradients).filter(|(spec, _)| spec.layer == layer);
                let gradient_sq: f64 = own.map(|(_, figures)| figures.gradient_sq).sum();
                LayerMetrics {
                    name: name.clone(),
                    grad_norm: (!gradients.is_empty()).then(|| gradient_sq.sqrt()),
                    ..LayerMetrics::default()
                }
            })
            .collect();
        self.record_outputs(program, plan, &mut snapshot)?;
        self.record_weights(program, plan, &mut snapshot)?;
        if self.grid.is_some() {
            let cells: Vec<u32> =
                (0..self.grid.as_ref().map_or(0, |rows| rows.len()) as u32).collect();
            program.infer(GRID, &cells, &[plan.output], &mut self.outputs)?;
            let values = self.outputs.values[0].clone();
            snapshot.grid = Some(Matrix { width: plan.widths[plan.output.0], values });
        }
        if self.scene.is_whole {
            let mut weights = Weights::default();
            program.store_weights(&mut weights)?;
            snapshot.weights = Some(weights);
        }
        Ok(snapshot)
    }

    /// Records outputs and activations on the film's samples.
    fn record_outputs(
        &mut self,
        program: &mut dyn Program,
        plan: &Plan,
        snapshot: &mut Snapshot,
    ) -> Result<()> {
        let Self { scene, hidden, taps, outputs, .. } = self;
        program.infer(DataId(0), &scene.rows, taps, outputs)?;
        let width = plan.widths[plan.output.0];
        let values = outputs.values[0][..scene.answered * width].to_vec();
        snapshot.outputs = Matrix { width, values };
        for (HiddenLayer { layer, units, activity }, values) in
            hidden.iter_mut().zip(&outputs.values[1..])
        {
            activity.clear();
            activity.add(values);
            let name = &plan.layers[*layer];
            let layer_metrics = &mut snapshot.layers[*layer];
            let measured = activity.activity();
            layer_metrics.active_fraction = measured.map(|of| of.active_fraction);
            layer_metrics.silent_fraction = measured.map(|of| of.silent_fraction);
            layer_metrics.saturated_fraction = measured.and_then(|of| of.saturated_fraction);
            let shown = &scene.units[*layer];
            let of_picture =
                |picture: &[f32]| shown.iter().map(|&unit| picture[unit]).collect::<Vec<_>>();
            let values = values.chunks_exact(*units).take(scene.pictures).flat_map(of_picture);
            let matrix = Matrix { width: shown.len(), values: values.collect() };
            snapshot.activations.insert(name.clone(), matrix);
        }
        snapshot.hidden = hidden.last().zip(outputs.values.last()).map(|(last, values)| {
            let projected = scene.project(values, last.units);
            Bytes::of(vec![scene.rows.len(), scene.axes], &projected)
        });
        Ok(())
    }

    /// Records norms and distances of the weights, tiles and edges.
    fn record_weights(
        &self,
        program: &dyn Program,
        plan: &Plan,
        snapshot: &mut Snapshot,
    ) -> Result<()> {
        for (p, spec) in plan.params.iter().enumerate() {
            if spec.kind != ParamKind::Weight {
                continue;
            }
            let now = program.store_tensor(StateTensor::Param(p))?;
            let layer = &mut snapshot.layers[spec.layer];
            let (distance, norm) = self.distance.of_layer(spec.layer, &now);
            (layer.distance_from_start, layer.weight_norm) = (distance, norm);
            let histogram = || Histogram::of(&now, spec.shape[1]).map(Box::new);
            layer.histogram = self.has_histograms.then(histogram).flatten();
            if spec.layer == 0 && self.shape.is_some() {
                let now = self.first_layer(&now, &spec.shape);
                let moved: Vec<f32> =
                    now.iter().zip(&self.start).map(|(w, start)| w - start).collect();
                snapshot.tiles = Some(self.tiles(&moved, spec.shape[1]));
                if snapshot.step == 0 {
                    snapshot.start = Some(self.tiles(&self.start, spec.shape[1]));
                }
            } else {
                let edges = self.edges(spec.layer, &now, spec.shape[1]);
                snapshot.edges.insert(plan.layers[spec.layer].clone(), edges);
            }
        }
        Ok(())
    }

    /// Returns the first layer's weights of the units in the film.
    fn first_layer(&self, weights: &Numbers, shape: &[usize]) -> Vec<f32> {
        let inputs = shape[1];
        let of_unit = |&unit: &usize| weights.range(unit * inputs..(unit + 1) * inputs);
        self.scene.units[0].iter().flat_map(of_unit).map(|w| w as f32).collect()
    }

    /// Returns weights of the units in the film as tiles.
    fn tiles(&self, weights: &[f32], inputs: usize) -> Bytes {
        let (Some(shape), Some(tile)) = (self.shape, self.scene.tile) else {
            return Bytes::default();
        };
        let pixels: Vec<f32> =
            weights.chunks_exact(inputs).flat_map(|unit| self.scene.tile_of(unit, shape)).collect();
        let units = self.scene.units[0].len();
        Bytes::of(vec![units, tile.height, tile.width, tile.channels], &pixels)
    }

    /// Returns the weights from the film's units of the layer before to those of this layer.
    fn edges(&self, layer: usize, weights: &Numbers, inputs: usize) -> Matrix {
        // The first layer of a table reads columns.
        let columns: Vec<usize> = (0..inputs.min(self.scene.units[0].len())).collect();
        let before = layer.checked_sub(1).map(|before| &self.scene.units[before]);
        let from = before.unwrap_or(&columns);
        let of_unit = |&unit: &usize| {
            let own = weights.range(unit * inputs..(unit + 1) * inputs);
            from.iter().map(|&input| own[input] as f32).collect::<Vec<_>>()
        };
        let values = self.scene.units[layer].iter().flat_map(of_unit).collect();
        Matrix { width: from.len(), values }
    }
}
