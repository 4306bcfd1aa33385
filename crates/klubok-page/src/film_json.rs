//! The film of a run, for the page's stage: its scene, and what the network said, saw and weighed
//! at each snapshot. Comes from the run's folder; a live training also sends its present state.

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::{
    data::{Dataset, subsample},
    model::Model,
    nn::{loss::softmax, network::OutputKind},
    plan::Picture,
    state::{Numbers, Weights},
    train::film::{Bytes, FilmDir, Matrix, Scene, Snapshot},
};
use serde_json::{Map, Value, json};

use super::{
    encoding::{base64_f32, shape_json},
    hub::Hub,
    inspection::InspectionResult,
    lock::lock,
    logits::to_f64,
    timeline::{Mode, Status},
};

/// Time between two requests for a snapshot of the present state, at least.
const REQUEST_INTERVAL: Duration = Duration::from_millis(400);
/// How long to wait for a requested snapshot, at most.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// How long to wait for the first snapshot of a training, at most.
const MAX_START_WAIT: Duration = Duration::from_secs(10);
/// Time between two looks whether it is there.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Points of the training set, and of the validation set, on a grid, at most.
const MAX_POINTS: usize = 300;

impl Hub {
    /// Packs tiles for a report from now on: at most this many pixels on each side.
    pub(super) fn pack_tiles(&self, max_side: usize) {
        let last = self.snapshot(None).ok().and_then(|last| last.tiles.clone());
        self.film.pack(max_side, last.as_ref());
    }

    /// Requests a snapshot of this process' training, if the newest one is old: a browser shows the
    /// present state. The training answers between two steps, within its time for inspections.
    pub(super) fn refresh_snapshot(&self) {
        let (Some(control), status) = (self.control(), self.status()) else { return };
        let is_running = matches!(status.mode, Mode::Training | Mode::Resting);
        if !is_running || status.snapshot == Some(status.step) {
            return;
        }
        let mut requested = lock(&self.film.requested);
        if requested.is_none_or(|at| at.elapsed() >= REQUEST_INTERVAL) {
            *requested = Some(Instant::now());
            control.request_snapshot();
        }
    }

    /// Waits for the snapshot of a training at rest: only one of this very step will do.
    fn await_snapshot(&self) {
        let begun = Instant::now();
        let has_film = self.run.config.train.snapshots > 0;
        let is_old = |status: Status| {
            has_film && status.mode == Mode::Resting && status.snapshot != Some(status.step)
        };
        while is_old(self.status()) && begun.elapsed() < MAX_WAIT {
            self.refresh_snapshot();
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn film_dir(&self) -> FilmDir {
        FilmDir::of(self.run.dir.path())
    }

    /// Returns the steps of the film, in order.
    pub(super) fn film_steps(&self) -> Vec<u64> {
        self.film_dir().steps()
    }

    /// Returns the last snapshot of the film up to a step; without a step, the present state.
    ///
    /// # Errors
    /// When there is none, or its file is damaged; a sentence.
    pub(super) fn snapshot(&self, step: Option<u64>) -> Result<Arc<Snapshot>, String> {
        let newest = lock(&self.film.newest).clone();
        if let (None, Some(newest)) = (step, &newest) {
            return Ok(newest.clone());
        }
        let steps = self.first_steps();
        let up_to = step.map_or(steps.len(), |step| steps.partition_point(|own| *own <= step));
        let own = steps.get(up_to.saturating_sub(1)).ok_or("this run has no film")?;
        let snapshot = self.film_dir().read(*own).map_err(|error| error.to_string())?;
        if !self.fits(&snapshot) {
            return Err("the film in the run's folder is of another network".to_owned());
        }
        Ok(Arc::new(snapshot))
    }

    /// Returns the steps of the film; waits for the first one of a training that has just begun.
    fn first_steps(&self) -> Vec<u64> {
        let begun = Instant::now();
        let begins = |status: &Status| matches!(status.mode, Mode::Starting | Mode::Training);
        loop {
            let (steps, status) = (self.film_steps(), self.status());
            let comes = self.is_live() && self.run.config.train.snapshots > 0 && begins(&status);
            if !steps.is_empty() || !comes || begun.elapsed() >= MAX_START_WAIT {
                return steps;
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Whether a snapshot can be one of this run: its file is not trusted.
    fn fits(&self, snapshot: &Snapshot) -> bool {
        let network = &self.run.network;
        let is_tiled = |tiles: &Bytes| tiles.shape.len() == 4 && !tiles.bytes.is_empty();
        let tiles = [&snapshot.tiles, &snapshot.start];
        let lengths = |weights: &Weights| {
            weights.params.iter().chain(&weights.running).map(Numbers::len).collect::<Vec<_>>()
        };
        let start = snapshot.weights.as_ref().map(|weights| (weights, self.initial_network()));
        let has_weights = start.is_none_or(|(weights, start)| {
            start.is_ok_and(|start| lengths(weights) == lengths(&start.model.weights))
        });
        snapshot.outputs.width == network.outputs
            && snapshot.grid.as_ref().is_none_or(|grid| grid.width == network.outputs)
            && snapshot.layers.len() == network.hidden.len() + 1
            && tiles.into_iter().flatten().all(is_tiled)
            && self.scene().map_or(true, |of| snapshot.outputs.rows().len() <= of.rows.len())
            && has_weights
    }

    /// Returns what the film shows.
    ///
    /// # Errors
    /// When the data is not at hand; a sentence.
    pub(super) fn scene(&self) -> Result<&Scene, String> {
        let scene = self.film.scene.get_or_init(|| {
            let data = self.data.as_ref()?;
            Scene::new(&self.run.network, data, self.run.config.train.snapshots).ok()
        });
        scene.as_ref().ok_or_else(|| "the data of this run is not at hand".to_owned())
    }

    /// Describes what the film shows at every step: its pictures, samples, tiles and plane.
    pub(super) fn inspect_scene(&self) -> InspectionResult {
        let first = self.snapshot(Some(0))?;
        let mut json = Map::new();
        if let Some(tiles) = &first.tiles {
            json.insert("tiles".to_owned(), self.tiles_json(tiles, first.start.as_ref()));
        }
        json.insert("units".to_owned(), self.units_json(&first));
        if let (Ok(scene), Some(data)) = (self.scene(), &self.data) {
            let picture = |&row: &u32| -> Result<Value, String> {
                let mut json = self.sample_json(&self.stored(&[row])?);
                json.insert("row".to_owned(), row.into());
                json.insert("name".to_owned(), data.names[row as usize].clone().into());
                json.insert("truth".to_owned(), truth(data, row));
                Ok(json.into())
            };
            let pictures: Result<Vec<Value>, String> =
                scene.rows[..scene.pictures].iter().map(picture).collect();
            json.insert("pictures".to_owned(), pictures?.into());
            let answered = scene.rows[..scene.answered].iter();
            let truths: Vec<Value> = answered.map(|&row| truth(data, row)).collect();
            json.insert("truths".to_owned(), truths.into());
            if let Some(grid) = &scene.grid {
                let plane = json!({
                    "side": grid.side,
                    "low": grid.low,
                    "high": grid.high,
                    "train": self.points(data, &data.parts.train)?,
                    "val": self.points(data, &data.parts.val)?,
                });
                json.insert("grid".to_owned(), plane);
            }
        }
        Ok(json.into())
    }

    /// Describes a snapshot of the film, or the present state.
    pub(super) fn inspect_film(&self, step: Option<u64>) -> InspectionResult {
        if step.is_none() {
            self.await_snapshot();
        }
        let snapshot = self.snapshot(step)?;
        let matrices = |of: &BTreeMap<String, Matrix>| {
            let entry = |(name, matrix): (&String, &Matrix)| {
                let values = to_f64(&self.film.coarse(&matrix.values));
                (name.clone(), json!({ "width": matrix.width, "values": base64_f32(&values) }))
            };
            of.iter().map(entry).collect::<Map<String, Value>>()
        };
        let outputs = self.predictions_of(snapshot.step, &snapshot.outputs);
        let pictures = snapshot.activations.values().next().map(|of| of.rows().len());
        let pictures = pictures.or_else(|| Some(self.scene().ok()?.pictures)).unwrap_or(0);
        Ok(json!({
            "step": snapshot.step,
            "epoch": snapshot.epoch,
            "layers": snapshot.layers,
            "claimed": self.claimed(&snapshot.outputs),
            "tiles": snapshot.tiles.as_ref().map(|tiles| self.film.encoded(tiles)),
            "activations": matrices(&snapshot.activations),
            "edges": matrices(&snapshot.edges),
            "pictures": outputs.iter().take(pictures).collect::<Vec<_>>(),
            "samples": self.compact(&outputs),
            "grid": snapshot.grid.as_ref().map(|grid| {
                self.compact(&self.predictions_of(snapshot.step, grid))
            }),
        }))
    }

    /// Returns how sure the network is of its predictions on average, uncalibrated; none without
    /// classes.
    fn claimed(&self, logits: &Matrix) -> Option<f64> {
        if self.run.outputs_kind() != OutputKind::Classes || logits.values.is_empty() {
            return None;
        }
        let rows = logits.rows();
        let (count, sure) =
            (rows.len() as f64, |z: &[f32]| softmax(&to_f64(z)).into_iter().fold(0.0, f64::max));
        Some(rows.map(sure).sum::<f64>() / count)
    }

    /// Turns logits into predictions with the calibration of their step.
    pub(super) fn predictions_of(&self, step: u64, logits: &Matrix) -> Vec<Vec<f64>> {
        let Ok(model) = self.reader_at(step) else { return Vec::new() };
        let one = |z: &[f32]| {
            let mut z = to_f64(z);
            model.to_prediction(&mut z);
            z
        };
        logits.rows().map(one).collect()
    }

    /// Returns the network without weights, with the calibration of a step.
    pub(super) fn reader_at(&self, step: u64) -> Result<Model, String> {
        if self.film.reader.get().is_none() {
            let start = self.initial_network()?;
            let Model { network, preprocessing, outputs, calibration, .. } = &start.model;
            let _ = self.film.reader.set(Model {
                network: network.clone(),
                preprocessing: preprocessing.clone(),
                outputs: outputs.clone(),
                calibration: *calibration,
                card: None,
                weights: Weights::default(),
            });
        }
        let mut model = self.film.reader.get().cloned().ok_or("this run has no network")?;
        model.calibration = self.timeline().calibration(step);
        Ok(model)
    }

    /// Encodes predictions: shares as bytes, numbers as f32.
    fn compact(&self, predictions: &[Vec<f64>]) -> String {
        let values = predictions.iter().flatten();
        if self.run.outputs_kind() == OutputKind::Numbers {
            return base64_f32(&values.copied().collect::<Vec<_>>());
        }
        let bytes = values.map(|share| (255.0 * share).round() as u8);
        STANDARD.encode(bytes.collect::<Vec<u8>>())
    }

    fn tiles_json(&self, tiles: &Bytes, start: Option<&Bytes>) -> Value {
        let tiles = self.film.shrunk(tiles);
        let [_, height, width, channels] = tiles.shape[..] else { return Value::Null };
        let mut json = shape_json(Picture { width, height, channels });
        json.insert(
            "of".to_owned(),
            json!(self.run.shape().map(|shape| [shape.width, shape.height])),
        );
        json.insert(
            "start".to_owned(),
            start.map_or(Value::Null, |start| self.film.encoded(start)),
        );
        json.into()
    }

    /// Lists the units of each layer in the film, by index.
    fn units_json(&self, snapshot: &Snapshot) -> Value {
        let of_layer = |(layer, units): (&klubok::train::metrics::LayerMetrics, usize)| {
            // The film shows units of the output layer by the weights that lead to them.
            let hidden = snapshot.activations.get(&layer.name).map(|of| of.width);
            let output = || snapshot.edges.get(&layer.name).map(|of| of.rows().len());
            let shown = hidden.or_else(output).unwrap_or(units);
            (layer.name.clone(), json!(Scene::evenly(units, shown)))
        };
        let hidden = self.run.network.hidden.iter().map(|layer| layer.units);
        let units = hidden.chain([self.run.network.outputs]);
        snapshot.layers.iter().zip(units).map(of_layer).collect::<Map<String, Value>>().into()
    }

    /// Lists points of a part with their targets: `[[x, ...], target]`.
    fn points(&self, data: &Dataset, part: &[u32]) -> Result<Vec<Value>, String> {
        let rows = subsample(part, MAX_POINTS);
        let (stored, inputs) = (self.stored(&rows)?, self.run.network.inputs);
        let point = |(at, &row): (&[f64], &u32)| json!([at, truth(data, row)]);
        Ok(stored.chunks_exact(inputs).zip(&rows).map(point).collect())
    }
}

/// Returns the class of a row, or its labels or numbers.
fn truth(data: &Dataset, row: u32) -> Value {
    let outputs = data.outputs.len();
    match data.targets.classes() {
        Some(classes) => classes[row as usize].into(),
        None => json!(data.targets.values()[row as usize * outputs..][..outputs]),
    }
}
