//! From chaos to order, as a file: what training added to the first layer, moment by moment, as an
//! animated GIF.

use image::{
    Delay, Frame, Rgba, RgbaImage,
    codecs::gif::{GifEncoder, Repeat},
};
use klubok::plan::Picture;

use super::{answer::largest, hub::Hub, lock::lock};

/// Units that are shown, and columns of them.
const UNITS: usize = 24;
const COLUMNS: usize = 6;
/// The least pixels that a unit is high or wide, and those between two units.
const LEAST: usize = 72;
const GAP: usize = 4;
/// How long it takes, and how long the last moment stays, in milliseconds.
const WHOLE: u32 = 6000;
const LAST: u32 = 2000;
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
        let length = WHOLE / moments.len().max(1) as u32;
        let mut file = Vec::new();
        let mut encoder = GifEncoder::new_with_speed(&mut file, 10);
        let wrong = |error: image::ImageError| error.to_string();
        encoder.set_repeat(Repeat::Infinite).map_err(wrong)?;
        for (i, units) in moments.iter().enumerate() {
            let far = (i + 1) as f64 / moments.len() as f64;
            let stays = if i + 1 == moments.len() { LAST } else { length };
            let delay = Delay::from_numer_denom_ms(stays, 1);
            let drawn = draw(units, shape, scale, far);
            encoder.encode_frame(Frame::from_parts(drawn, 0, 0, delay)).map_err(wrong)?;
        }
        drop(encoder);
        Ok(file)
    }
}

/// Weights of units side by side, and below them how far the training is.
fn draw(units: &[Vec<f64>], shape: Picture, scale: f64, far: f64) -> RgbaImage {
    let zoom = LEAST.div_ceil(shape.width.min(shape.height)).max(1);
    let (width, height) = (shape.width * zoom + GAP, shape.height * zoom + GAP);
    let columns = COLUMNS.min(units.len().max(1));
    let lines = units.len().div_ceil(columns);
    let (across, down) = (columns * width + GAP, lines * height + GAP);
    RgbaImage::from_fn(across as u32, (down + GAP) as u32, |x, y| {
        let (x, y) = (x as usize, y as usize);
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
            return Rgba([255; 4]);
        };
        let at = (top / zoom * shape.width + left / zoom) * shape.channels;
        let mean = unit[at..at + shape.channels].iter().sum::<f64>() / shape.channels as f64;
        colour(if scale > 0.0 { mean / scale } else { 0.0 })
    })
}

/// The colour of a share of the scale, from -1 to 1.
fn colour(share: f64) -> Rgba<u8> {
    let [against, nothing, towards] = COLOURS;
    let end = if share < 0.0 { against } else { towards };
    let mix = |c: usize| nothing[c] + (end[c] - nothing[c]) * share.abs().min(1.0);
    Rgba([mix(0) as u8, mix(1) as u8, mix(2) as u8, 255])
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
        assert_eq!(drawn.dimensions(), (6 * 148 + 4, 2 * 76 + 4 + 4));
        let orange = Rgba([201, 79, 0, 255]);
        assert_eq!(*drawn.get_pixel(4, 4), orange);
        assert_eq!(*drawn.get_pixel(4 + 72, 4), Rgba([0, 90, 156, 255]));
        assert_eq!(*drawn.get_pixel(4, 80), orange);
        // The second line has one unit.
        assert_eq!(*drawn.get_pixel(148 + 4, 80), Rgba([255; 4]));
        let last = drawn.height() - 1;
        assert_ne!(drawn.get_pixel(0, last), drawn.get_pixel(drawn.width() - 1, last));
    }
}
