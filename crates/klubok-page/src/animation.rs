//! The first layer's weights over the film, from noise on, as an animated GIF.

use gif::{Encoder, EncodingError, Frame, Repeat};
use klubok::{plan::Picture, train::film::Bytes};

use super::{encoding::max_abs, hub::Hub};

/// Units in a line, at most.
const MAX_COLUMNS: usize = 6;
/// Height and width of a unit in pixels, at least.
const MIN_UNIT_SIDE: usize = 72;
/// Pixels between two units, and around all.
const GAP: usize = 4;
/// Duration of the animation, without the last frame, in hundredths of a second.
const DURATION: u16 = 600;
/// Duration of the last frame, in hundredths of a second.
const LAST_DELAY: u16 = 200;
/// Speed of the colour quantiser: 1 is the most careful, 30 the fastest.
const SPEED: i32 = 10;
/// The page's colours of a negative, a zero and a positive weight.
const COLOURS: [[f64; 3]; 3] = [[0.0, 90.0, 156.0], [250.0, 249.0, 246.0], [201.0, 79.0, 0.0]];

impl Hub {
    /// Animates all snapshots.
    pub(super) fn animation(&self) -> Result<Vec<u8>, String> {
        self.run.shape().ok_or("this network does not look at pictures")?;
        let start = self.snapshot(Some(0))?;
        let first = start.start.as_ref().ok_or("this film does not begin at the start")?;
        let [_, height, width, channels] = first.shape[..] else {
            return Err("this run has no film".to_owned());
        };
        let shape = Picture { width, height, channels };
        let start: Vec<f64> = first.values().map(f64::from).collect();
        // A film of one network has tiles of one shape.
        let weights = |step| -> Result<Vec<Vec<f64>>, String> {
            let snapshot = self.snapshot(Some(step))?;
            let moved = snapshot.tiles.iter().flat_map(Bytes::values).map(f64::from);
            let now: Vec<f64> =
                start.iter().zip(moved).map(|(start, moved)| start + moved).collect();
            Ok(now.chunks_exact(shape.values()).map(<[f64]>::to_vec).collect())
        };
        let snapshots: Result<Vec<_>, String> =
            self.film_steps().into_iter().map(weights).collect();
        let snapshots = snapshots?;
        let all = snapshots.iter().flatten();
        let scale = all.fold(0.0f64, |max, unit| max.max(max_abs(unit)));
        let units = snapshots.iter().map(Vec::len).max().unwrap_or(0);
        let grid = Grid::new(units, shape).ok_or("these pictures are too wide for an animation")?;
        grid.animate(&snapshots, scale).map_err(|error| error.to_string())
    }
}

/// A frame: the weights of units side by side, and a progress bar below them.
struct Grid {
    shape: Picture,
    /// Side of a weight in pixels.
    zoom: usize,
    columns: usize,
    /// Width in pixels.
    width: u16,
    /// Height in pixels, without the progress bar.
    height: u16,
}

impl Grid {
    /// A grid for this many units; none where it exceeds the dimensions of a GIF.
    fn new(units: usize, shape: Picture) -> Option<Self> {
        let zoom = MIN_UNIT_SIDE.div_ceil(shape.width.min(shape.height)).max(1);
        let columns = MAX_COLUMNS.min(units.max(1));
        let lines = units.div_ceil(columns);
        let side = |count: usize, pixels: usize| {
            let side = count * (pixels * zoom + GAP) + GAP;
            u16::try_from(side).ok().filter(|side| side.checked_add(GAP as u16).is_some())
        };
        let (width, height) = (side(columns, shape.width)?, side(lines, shape.height)?);
        Some(Self { shape, zoom, columns, width, height })
    }

    /// Encodes the snapshots as a GIF that repeats.
    fn animate(&self, snapshots: &[Vec<Vec<f64>>], scale: f64) -> Result<Vec<u8>, EncodingError> {
        let (width, height) = (self.width, self.height + GAP as u16);
        let mut encoder = Encoder::new(Vec::new(), width, height, &[])?;
        encoder.set_repeat(Repeat::Infinite)?;
        let count = snapshots.len();
        let delay = DURATION / count.clamp(1, DURATION.into()) as u16;
        for (i, units) in snapshots.iter().enumerate() {
            let pixels = self.draw(units, scale, (i + 1) as f64 / count as f64);
            let mut frame = Frame::from_rgb_speed(width, height, pixels.as_flattened(), SPEED);
            frame.delay = if i + 1 == count { LAST_DELAY } else { delay };
            encoder.write_frame(&frame)?;
        }
        encoder.into_inner()
    }

    /// Draws a snapshot, `progress` of the animation, as rows of RGB pixels.
    fn draw(&self, units: &[Vec<f64>], scale: f64, progress: f64) -> Vec<[u8; 3]> {
        let Self { shape, zoom, columns, .. } = *self;
        let (unit_width, unit_height) = (shape.width * zoom + GAP, shape.height * zoom + GAP);
        let (width, height) = (usize::from(self.width), usize::from(self.height));
        let pixel = |i: usize| {
            let (x, y) = (i % width, i / width);
            if y >= height {
                let done = (x as f64) < progress * width as f64;
                return colour(if done { -1.0 } else { 0.0 });
            }
            let (column, left) = (x / unit_width, x % unit_width);
            let (line, top) = (y / unit_height, y % unit_height);
            let unit = if column < columns { units.get(line * columns + column) } else { None };
            let (Some(unit), Some(left), Some(top)) =
                (unit, left.checked_sub(GAP), top.checked_sub(GAP))
            else {
                return [255; 3];
            };
            let at = (top / zoom * shape.width + left / zoom) * shape.channels;
            let mean = unit[at..at + shape.channels].iter().sum::<f64>() / shape.channels as f64;
            colour(if scale > 0.0 { mean / scale } else { 0.0 })
        };
        (0..width * (height + GAP)).map(pixel).collect()
    }
}

/// Returns the colour of a weight, as a share of the scale from -1 to 1.
fn colour(share: f64) -> [u8; 3] {
    let [negative, zero, positive] = COLOURS;
    let end = if share < 0.0 { negative } else { positive };
    let mix = |c: usize| zero[c] + (end[c] - zero[c]) * share.abs().min(1.0);
    [0, 1, 2].map(|c| mix(c) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_units_in_lines_with_weights_as_colours() {
        let shape = Picture { width: 2, height: 1, channels: 1 };
        let units = vec![vec![1.0, -1.0]; 7];
        let grid = Grid::new(units.len(), shape).unwrap();
        let drawn = grid.draw(&units, 1.0, 0.5);
        // Seven units of 144 x 72 pixels in lines of six.
        assert_eq!((grid.width, grid.height), (6 * 148 + 4, 2 * 76 + 4));
        let pixel = |x: usize, y: usize| drawn[y * usize::from(grid.width) + x];
        let orange = [201, 79, 0];
        assert_eq!(pixel(4, 4), orange);
        assert_eq!(pixel(4 + 72, 4), [0, 90, 156]);
        assert_eq!(pixel(4, 80), orange);
        // The second line has one unit.
        assert_eq!(pixel(148 + 4, 80), [255; 3]);
        let last = usize::from(grid.height) + GAP - 1;
        assert_ne!(pixel(0, last), pixel(usize::from(grid.width) - 1, last));
    }

    #[test]
    fn encodes_a_frame_per_snapshot_and_refuses_wide_grids() {
        let shape = Picture { width: 2, height: 1, channels: 1 };
        let snapshots = vec![vec![vec![0.0, 0.0]], vec![vec![1.0, -1.0]]];
        let file = Grid::new(1, shape).unwrap().animate(&snapshots, 1.0).unwrap();
        let mut read = gif::DecodeOptions::new().read_info(&file[..]).unwrap();
        let mut delays = Vec::new();
        while let Some(frame) = read.read_next_frame().unwrap() {
            delays.push(frame.delay);
        }
        assert_eq!((read.width(), read.height(), delays), (152, 84, vec![300, 200]));
        assert!(Grid::new(24, Picture { width: 784, height: 1, channels: 1 }).is_none());
    }
}
