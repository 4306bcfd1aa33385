//! From chaos to order, as a file: what training added to the first layer, moment by moment, as an
//! animated GIF.

use gif::{Encoder, EncodingError, Frame, Repeat};
use klubok::plan::Picture;

use super::{answer::largest, hub::Hub, lock::lock};

/// Units that are shown, and columns of them.
const UNITS: usize = 24;
const COLUMNS: usize = 6;
/// The least pixels that a unit is high or wide, and those between two units.
const LEAST: usize = 72;
const GAP: usize = 4;
/// How long it takes, and how long the last moment stays, in hundredths of a second.
const WHOLE: u16 = 600;
const LAST: u16 = 200;
/// How carefully 256 colours are chosen: 1 is the most, 30 the least.
const SPEED: i32 = 10;
/// Against, nothing, and for: the colours of the page.
const COLOURS: [[f64; 3]; 3] = [[0.0, 90.0, 156.0], [250.0, 249.0, 246.0], [201.0, 79.0, 0.0]];

impl Hub {
    /// The animation of all moments that are kept.
    pub(super) fn animation(&self) -> Result<Vec<u8>, String> {
        let shape = self.about.shape().ok_or("this network does not look at pictures")?;
        self.remember()?;
        let moments = lock(&self.snapshots).added(UNITS);
        let all = moments.iter().flatten();
        let scale = all.fold(0.0f64, |most, unit| most.max(largest(unit)));
        let units = moments.iter().map(Vec::len).max().unwrap_or(0);
        let grid = Grid::new(units, shape).ok_or("these pictures are too wide for an animation")?;
        grid.animated(&moments, scale).map_err(|error| error.to_string())
    }
}

/// Weights of units side by side, and below them how far the training is.
struct Grid {
    shape: Picture,
    /// Pixels a side of a weight.
    zoom: usize,
    columns: usize,
    /// Pixels across and down, without the line of how far it is.
    across: u16,
    down: u16,
}

impl Grid {
    /// Room for so many units; none where they are wider than a GIF can say.
    fn new(units: usize, shape: Picture) -> Option<Self> {
        let zoom = LEAST.div_ceil(shape.width.min(shape.height)).max(1);
        let columns = COLUMNS.min(units.max(1));
        let lines = units.div_ceil(columns);
        let side = |many: usize, pixels: usize| {
            let whole = many * (pixels * zoom + GAP) + GAP;
            u16::try_from(whole).ok().filter(|side| side.checked_add(GAP as u16).is_some())
        };
        let (across, down) = (side(columns, shape.width)?, side(lines, shape.height)?);
        Some(Self { shape, zoom, columns, across, down })
    }

    /// The moments one after the other, as a GIF that begins again.
    fn animated(&self, moments: &[Vec<Vec<f64>>], scale: f64) -> Result<Vec<u8>, EncodingError> {
        let (across, down) = (self.across, self.down + GAP as u16);
        let mut encoder = Encoder::new(Vec::new(), across, down, &[])?;
        encoder.set_repeat(Repeat::Infinite)?;
        let all = moments.len();
        for (i, units) in moments.iter().enumerate() {
            let pixels = self.draw(units, scale, (i + 1) as f64 / all as f64);
            let mut frame = Frame::from_rgb_speed(across, down, pixels.as_flattened(), SPEED);
            frame.delay = if i + 1 == all { LAST } else { WHOLE / all.min(WHOLE.into()) as u16 };
            encoder.write_frame(&frame)?;
        }
        encoder.into_inner()
    }

    /// A moment, row by row, red, green and blue.
    fn draw(&self, units: &[Vec<f64>], scale: f64, far: f64) -> Vec<[u8; 3]> {
        let Self { shape, zoom, columns, .. } = *self;
        let (width, height) = (shape.width * zoom + GAP, shape.height * zoom + GAP);
        let (across, down) = (usize::from(self.across), usize::from(self.down));
        let pixel = |i: usize| {
            let (x, y) = (i % across, i / across);
            if y >= down {
                let done = (x as f64) < far * across as f64;
                return colour(if done { -1.0 } else { 0.0 });
            }
            let (column, left) = (x / width, x % width);
            let (line, top) = (y / height, y % height);
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
        (0..across * (down + GAP)).map(pixel).collect()
    }
}

/// The colour of a share of the scale, from -1 to 1.
fn colour(share: f64) -> [u8; 3] {
    let [against, nothing, towards] = COLOURS;
    let end = if share < 0.0 { against } else { towards };
    let mix = |c: usize| nothing[c] + (end[c] - nothing[c]) * share.abs().min(1.0);
    [0, 1, 2].map(|c| mix(c) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_stand_in_lines_with_their_weights_as_colours() {
        let shape = Picture { width: 2, height: 1, channels: 1 };
        let units = vec![vec![1.0, -1.0]; 7];
        let grid = Grid::new(units.len(), shape).unwrap();
        let drawn = grid.draw(&units, 1.0, 0.5);
        // Seven units of 144 x 72 pixels in lines of six.
        assert_eq!((grid.across, grid.down), (6 * 148 + 4, 2 * 76 + 4));
        let pixel = |x: usize, y: usize| drawn[y * usize::from(grid.across) + x];
        let orange = [201, 79, 0];
        assert_eq!(pixel(4, 4), orange);
        assert_eq!(pixel(4 + 72, 4), [0, 90, 156]);
        assert_eq!(pixel(4, 80), orange);
        // The second line has one unit.
        assert_eq!(pixel(148 + 4, 80), [255; 3]);
        let last = usize::from(grid.down) + GAP - 1;
        assert_ne!(pixel(0, last), pixel(usize::from(grid.across) - 1, last));
    }

    #[test]
    fn the_file_has_a_frame_a_moment_and_what_is_too_wide_has_none() {
        let shape = Picture { width: 2, height: 1, channels: 1 };
        let moments = vec![vec![vec![0.0, 0.0]], vec![vec![1.0, -1.0]]];
        let file = Grid::new(1, shape).unwrap().animated(&moments, 1.0).unwrap();
        let mut read = gif::DecodeOptions::new().read_info(&file[..]).unwrap();
        let mut delays = Vec::new();
        while let Some(frame) = read.read_next_frame().unwrap() {
            delays.push(frame.delay);
        }
        assert_eq!((read.width(), read.height(), delays), (152, 84, vec![300, 200]));
        assert!(Grid::new(24, Picture { width: 784, height: 1, channels: 1 }).is_none());
    }
}
