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
        let all = moments.len();
        let far = |i: usize| (i + 1) as f64 / all as f64;
        let drawn = moments.iter().enumerate().map(|(i, units)| draw(units, shape, scale, far(i)));
        let drawn: Vec<Drawn> = drawn.collect();
        let Some(first) = drawn.first() else { return Err("no moment was kept".to_owned()) };
        animated(&drawn, [first.width, first.height]).map_err(|error| error.to_string())
    }
}

/// The pictures one after the other, as a GIF that begins again.
fn animated(drawn: &[Drawn], [width, height]: [u16; 2]) -> Result<Vec<u8>, EncodingError> {
    let mut encoder = Encoder::new(Vec::new(), width, height, &[])?;
    encoder.set_repeat(Repeat::Infinite)?;
    for (i, picture) in drawn.iter().enumerate() {
        let mut frame = Frame::from_rgb_speed(width, height, picture.pixels.as_flattened(), SPEED);
        let last = i + 1 == drawn.len();
        frame.delay = if last { LAST } else { WHOLE / drawn.len().min(WHOLE.into()) as u16 };
        encoder.write_frame(&frame)?;
    }
    encoder.into_inner()
}

/// A picture of the animation.
struct Drawn {
    width: u16,
    height: u16,
    /// Row by row, red, green and blue.
    pixels: Vec<[u8; 3]>,
}

/// Weights of units side by side, and below them how far the training is.
fn draw(units: &[Vec<f64>], shape: Picture, scale: f64, far: f64) -> Drawn {
    let zoom = LEAST.div_ceil(shape.width.min(shape.height)).max(1);
    let (width, height) = (shape.width * zoom + GAP, shape.height * zoom + GAP);
    let columns = COLUMNS.min(units.len().max(1));
    let lines = units.len().div_ceil(columns);
    let (across, down) = (columns * width + GAP, lines * height + GAP);
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
    let pixels = (0..across * (down + GAP)).map(pixel).collect();
    Drawn { width: across as u16, height: (down + GAP) as u16, pixels }
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
        let drawn = draw(&units, shape, 1.0, 0.5);
        // Seven units of 144 x 72 pixels in lines of six.
        assert_eq!((drawn.width, drawn.height), (6 * 148 + 4, 2 * 76 + 4 + 4));
        let pixel = |x: usize, y: usize| drawn.pixels[y * usize::from(drawn.width) + x];
        let orange = [201, 79, 0];
        assert_eq!(pixel(4, 4), orange);
        assert_eq!(pixel(4 + 72, 4), [0, 90, 156]);
        assert_eq!(pixel(4, 80), orange);
        // The second line has one unit.
        assert_eq!(pixel(148 + 4, 80), [255; 3]);
        let last = usize::from(drawn.height) - 1;
        assert_ne!(pixel(0, last), pixel(usize::from(drawn.width) - 1, last));
    }
}
