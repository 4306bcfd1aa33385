//! What a film shows: chosen before step 0 from the network and the data alone, and the same at
//! every step.

use std::{collections::BTreeMap, sync::Arc};

use klubok_data::{Dataset, Parts, Targets, grid::Grid, subsample};
use klubok_model::Input;
use klubok_nn::{
    network::Network,
    plan::Picture,
    rng::{Purpose, Stream},
    rows::{Field, MemoryRows, Rows},
};

use crate::{Result, samples::Samples};

/// Bytes of a film, at most: beyond that, tiles shrink.
pub(super) const MAX_FILM_BYTES: usize = 10_000_000;
/// Units of a layer in the film, at most.
const MAX_UNITS: usize = 24;
/// Samples in the film, at most.
const MAX_SAMPLES: usize = 200;
/// The first samples are its pictures: what the network says of them is in every snapshot.
const MAX_PICTURES: usize = 8;
/// Outputs of all samples together, at most.
const MAX_OUTPUTS: usize = 12_800;
/// Axes of the last hidden layer, at most: one for each bit of a random number.
const MAX_AXES: usize = 32;
/// Points of the training and of the validation set that a grid covers, at most.
const MAX_POINTS: usize = 300;
/// Outputs on a grid, all points together, at most.
const MAX_GRID_OUTPUTS: usize = 16_384;
/// Cells on each side of a grid of two inputs, at most, and on a line of one.
const MAX_SIDES: [usize; 2] = [256, 72];
/// Networks of at most this many parameters are in the film as a whole.
const MAX_PARAMETERS: usize = 16_384;
/// Snapshots beside those of the series: of the best epoch, the last state, and the start.
const MORE_SNAPSHOTS: usize = 3;
/// Bytes of a snapshot's description: some for itself, and for each layer.
const DESCRIPTION_BYTES: [usize; 2] = [1000, 600];

/// What a film shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Rows of the samples; the pictures are the first of them.
    pub rows: Vec<u32>,
    /// Number of pictures.
    pub pictures: usize,
    /// Number of samples, the pictures included, whose outputs are in the film.
    pub answered: usize,
    /// Units of each layer in the film, by index; the output layer is the last.
    pub units: Vec<Vec<usize>>,
    /// Axes of the last hidden layer.
    pub axes: usize,
    /// The picture that a unit's tile is: one pixel for `shrink` times `shrink` weights.
    pub tile: Option<Picture>,
    /// Weights on each side of a tile's pixel.
    pub shrink: usize,
    /// The plane or line of the inputs; none for more than two.
    pub grid: Option<Grid>,
    /// Whether the network is small enough to be in the film as a whole.
    pub is_whole: bool,
}

impl Scene {
    /// Chooses what a film of `count` snapshots shows.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn new(network: &Network, data: &Dataset, count: usize) -> Result<Self> {
        let (rows, pictures) = samples(&data.parts, &data.targets);
        let layers = network.hidden.len() + 1;
        let budget = MAX_FILM_BYTES / (count + MORE_SNAPSHOTS);
        let outputs = network.outputs;
        let answered = rows.len().min((MAX_OUTPUTS / outputs).max(pictures));
        let axes = network.hidden.last().map_or(0, |layer| layer.units.min(MAX_AXES));
        let is_whole = Self::holds(network);
        let grid = grid(network, data)?;
        let grid_bytes =
            grid.as_ref().map_or(0, |grid| 4 * grid.side.pow(network.inputs as u32) * outputs);
        let fixed = DESCRIPTION_BYTES[0]
            + DESCRIPTION_BYTES[1] * layers
            + 4 * answered * outputs
            + rows.len() * axes
            + grid_bytes
            + if is_whole { 8 * network.parameters() } else { 0 };
        // A film of many layers shows fewer units of each.
        let bytes_of = |units: usize| layers * 4 * (pictures * units + units * units);
        let mut most = MAX_UNITS;
        while most > 1 && fixed + bytes_of(most) > budget / 2 {
            most /= 2;
        }
        let of_layer = |units: usize| Scene::evenly(units, most);
        let hidden = network.hidden.iter().map(|layer| layer.units);
        let units: Vec<Vec<usize>> = hidden.chain([outputs]).map(of_layer).collect();
        let room = budget.saturating_sub(fixed + bytes_of(most)) / units[0].len();
        let (tile, shrink) = match &data.input {
            Input::Pictures(shape) => {
                let (tile, shrink) = tile(*shape, room);
                (Some(tile), shrink)
            }
            Input::Columns(_) => (None, 1),
        };
        Ok(Self { rows, pictures, answered, units, axes, tile, shrink, grid, is_whole })
    }

    /// Whether films of this network hold all of it.
    pub fn holds(network: &Network) -> bool {
        network.parameters() <= MAX_PARAMETERS
    }

    /// Returns at most `most` of the first `count` numbers, evenly spaced.
    pub fn evenly(count: usize, most: usize) -> Vec<usize> {
        let most = most.min(count);
        (0..most).map(|i| i * count / most).collect()
    }

    /// Returns the points of the grid as rows with targets like those of these samples.
    pub fn grid_rows(&self, samples: &Samples) -> Option<Arc<dyn Rows>> {
        let grid = self.grid.as_ref()?;
        let (points, inputs) = (grid.centres(), grid.low.len());
        let count = points.len() / inputs;
        let rows = match &*samples.targets {
            Targets::Classes(_) => MemoryRows::numbers(&points, inputs, &vec![0; count]),
            Targets::Labels(_) | Targets::Numbers(_) => {
                let targets = vec![0.0; count * samples.outputs];
                MemoryRows::regression(&points, inputs, &targets, samples.outputs)
            }
        };
        Some(Arc::new(if samples.weights.is_some() {
            rows.weighted(&vec![1.0; count])
        } else {
            rows
        }))
    }

    /// Projects activations of the last hidden layer `[samples, units]` on its axes: random ones
    /// that nearly keep distances (Achlioptas 2003), or the units themselves where they are few.
    pub fn project(&self, activations: &[f32], units: usize) -> Vec<f32> {
        if units <= self.axes {
            return activations.to_vec();
        }
        let signs = |unit: usize| Stream::new(0, Purpose::Inspect, 1, unit as u64).bits();
        let signs: Vec<u32> = (0..units).map(signs).collect();
        let scale = 1.0 / (self.axes as f32).sqrt();
        let mut projected = Vec::with_capacity(activations.len() / units * self.axes);
        for sample in activations.chunks_exact(units) {
            let mut sums = [0.0f32; MAX_AXES];
            for (y, signs) in sample.iter().zip(&signs).filter(|(y, _)| **y != 0.0) {
                for (axis, sum) in sums.iter_mut().enumerate() {
                    *sum += if signs >> axis & 1 == 0 { *y } else { -y };
                }
            }
            projected.extend(sums[..self.axes].iter().map(|sum| sum * scale));
        }
        projected
    }

    /// Averages the weights of a unit over the pixels of its tile.
    pub fn tile_of(&self, weights: &[f32], shape: Picture) -> Vec<f32> {
        let Some(tile) = self.tile.filter(|_| self.shrink > 1) else { return weights.to_vec() };
        let (channels, shrink) = (shape.channels, self.shrink);
        let mut means = vec![0.0; tile.values()];
        for y in 0..tile.height {
            for x in 0..tile.width {
                let columns = x * shrink..((x + 1) * shrink).min(shape.width);
                let lines = y * shrink..((y + 1) * shrink).min(shape.height);
                let share = 1.0 / (columns.len() * lines.len()) as f32;
                for line in lines {
                    for column in columns.clone() {
                        let from = &weights[(line * shape.width + column) * channels..][..channels];
                        let to = &mut means[(y * tile.width + x) * channels..][..channels];
                        to.iter_mut().zip(from).for_each(|(mean, w)| *mean += share * w);
                    }
                }
            }
        }
        means
    }
}

/// Returns the film's samples of the validation set, or of the training set without one: pictures
/// of every class first, and how many these are.
fn samples(parts: &Parts, targets: &Targets) -> (Vec<u32>, usize) {
    let part = if parts.val.is_empty() { &parts.train } else { &parts.val };
    let mut rows = subsample(part, MAX_SAMPLES);
    if let Some(classes) = targets.classes() {
        // The first of each class, then the second of each, and so on.
        let mut seen = BTreeMap::new();
        let mut order: Vec<(usize, u32)> = Vec::new();
        for &row in &rows {
            let before = seen.entry(classes[row as usize]).or_insert(0);
            order.push((*before, row));
            *before += 1;
        }
        order.sort_by_key(|(before, row)| (*before, classes[*row as usize]));
        rows = order.into_iter().map(|(_, row)| row).collect();
    }
    let pictures = rows.len().min(MAX_PICTURES);
    (rows, pictures)
}

/// Returns the largest tile of a picture that fits into `room` bytes, and by how much it shrinks.
fn tile(shape: Picture, room: usize) -> (Picture, usize) {
    let Picture { width, height, channels } = shape;
    let shrunk = |by| Picture { width: width.div_ceil(by), height: height.div_ceil(by), channels };
    let longest = width.max(height);
    let by = (1..longest).find(|&by| shrunk(by).values() <= room).unwrap_or(longest);
    (shrunk(by), by)
}

/// Returns the grid over one or two inputs.
fn grid(network: &Network, data: &Dataset) -> Result<Option<Grid>> {
    let inputs = network.inputs;
    let has_columns = matches!(data.input, Input::Columns(_));
    if !has_columns || !(1..=2).contains(&inputs) || network.outputs > MAX_GRID_OUTPUTS {
        return Ok(None);
    }
    let cells = MAX_GRID_OUTPUTS / network.outputs;
    let side = if inputs == 1 { cells } else { cells.isqrt() }.min(MAX_SIDES[inputs - 1]);
    let field = &data.rows.fields()[Field::X.0];
    let mut points = Vec::new();
    for part in [&data.parts.train, &data.parts.val] {
        let rows = subsample(part, MAX_POINTS);
        let mut bytes = vec![0; rows.len() * field.bytes()];
        data.rows.gather(Field::X, &rows, &mut bytes)?;
        points.extend(bytes.chunks_exact(field.kind.bytes()).map(|value| field.kind.number(value)));
    }
    Ok(Some(Grid::around(&points, inputs, side)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_shrink_to_their_room() {
        let shape = Picture { width: 64, height: 48, channels: 3 };
        assert_eq!(tile(shape, 64 * 48 * 3), (shape, 1));
        let (small, by) = tile(shape, 4000);
        assert_eq!((small.width, small.height, by), (32, 24, 2));
        assert_eq!(tile(shape, 0).0.values(), 3, "one pixel is the least");
    }

    #[test]
    fn a_tile_averages_weights() {
        let scene = Scene {
            rows: vec![],
            pictures: 0,
            answered: 0,
            units: vec![vec![0]],
            axes: 2,
            tile: Some(Picture { width: 2, height: 1, channels: 1 }),
            shrink: 2,
            grid: None,
            is_whole: false,
        };
        let shape = Picture { width: 3, height: 2, channels: 1 };
        // The last column has a pixel of its own.
        let weights = [1.0, 2.0, 5.0, 3.0, 4.0, 7.0];
        assert_eq!(scene.tile_of(&weights, shape), [2.5, 6.0]);
        let few = scene.project(&[1.0, 2.0], 2);
        assert_eq!(few, [1.0, 2.0]);
        let many = scene.project(&[3.0, 0.0, 0.0, 0.0, 3.0, 0.0], 3);
        let length = |of: &[f32]| of.iter().map(|x| x * x).sum::<f32>().sqrt();
        // A single unit's length stays as it is.
        assert!((length(&many[..2]) - 3.0).abs() < 1e-5, "{many:?}");
    }

    #[test]
    fn the_pictures_are_of_all_classes() {
        let parts = Parts { train: vec![], val: (10..30).collect(), test: vec![] };
        let classes = (0..30).map(|row| u32::from(row >= 20)).collect();
        let (rows, pictures) = samples(&parts, &Targets::Classes(classes));
        assert_eq!((pictures, &rows[..4]), (8, &[10, 20, 11, 21][..]));
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, parts.val);
    }
}
