//! The first layer's weights as a picture: a tile for each unit of the film.

use super::message::Image;
use crate::film::Bytes;

/// Standard deviations of the weights at the ends of the scale. Grey is 0.
const FULL: f32 = 3.0;
/// Pixels between two tiles.
const GAP: usize = 1;

/// Draws tiles as a near square: the weights at the start with their change since then. None if the
/// pixels are neither grey nor RGB.
pub(super) fn sheet(change: &Bytes, start: Option<&Bytes>) -> Option<Image> {
    let [units, height, width, channels] = change.shape[..] else { return None };
    let size = height * width * channels;
    if ![1, 3].contains(&channels) || units == 0 || size == 0 {
        return None;
    }
    let mut weights: Vec<f32> = change.values().collect();
    if let Some(start) = start.filter(|start| start.shape == change.shape) {
        weights.iter_mut().zip(start.values()).for_each(|(w, start)| *w += start);
    }
    let squares: f32 = weights.iter().map(|w| w * w).sum();
    let full = FULL * (squares / weights.len() as f32).sqrt();
    let scale = if full > 0.0 { 127.5 / full } else { 0.0 };
    let columns = units.isqrt() + usize::from(units.isqrt().pow(2) < units);
    let lines = units.div_ceil(columns);
    let across = columns * (width + GAP) - GAP;
    let down = lines * (height + GAP) - GAP;
    let mut pixels = vec![0; across * down * channels];
    for (unit, tile) in weights.chunks_exact(size).enumerate() {
        let (left, top) = (unit % columns * (width + GAP), unit / columns * (height + GAP));
        for (y, row) in tile.chunks_exact(width * channels).enumerate() {
            let from = ((top + y) * across + left) * channels;
            let to = &mut pixels[from..from + row.len()];
            // The conversion saturates.
            to.iter_mut().zip(row).for_each(|(to, w)| *to = (127.5 + w * scale).round() as u8);
        }
    }
    let file = encoded(&pixels, across, down, channels).ok()?;
    let [height, width, channels] = [down, across, channels].map(|value| value as i32);
    Some(Image { height, width, channels, file })
}

/// Encodes pixels as PNG.
fn encoded(
    pixels: &[u8],
    width: usize,
    height: usize,
    channels: usize,
) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(if channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(image: &Image) -> Vec<u8> {
        let decoder = png::Decoder::new(std::io::Cursor::new(&image.file));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (image.width as u32, image.height as u32));
        pixels
    }

    #[test]
    fn tiles_stand_in_a_square_with_lines_between_them() {
        // Three units of one pixel.
        let tiles = Bytes::of(vec![3, 1, 1, 1], &[1.0, 0.0, -1.0]);
        let image = sheet(&tiles, None).unwrap();
        assert_eq!((image.width, image.height, image.channels), (3, 3, 1));
        // A weight of 1 is 127.5 / 3 / sqrt(2/3) above the middle.
        assert_eq!(pixels(&image), [180, 0, 128, 0, 0, 0, 75, 0, 0]);
    }

    #[test]
    fn the_start_is_added_and_colours_are_kept() {
        let change = Bytes::of(vec![1, 1, 2, 3], &[0.0; 6]);
        let start = Bytes::of(vec![1, 1, 2, 3], &[1.0, 1.0, 1.0, -1.0, -1.0, -1.0]);
        assert_eq!(pixels(&sheet(&change, None).unwrap()), [128; 6]);
        let image = sheet(&change, Some(&start)).unwrap();
        assert_eq!((image.width, image.channels), (2, 3));
        assert_eq!(pixels(&image), [170, 170, 170, 85, 85, 85]);
        let of_other_size = Bytes::of(vec![1], &[1.0]);
        assert_eq!(pixels(&sheet(&change, Some(&of_other_size)).unwrap()), [128; 6]);
    }

    #[test]
    fn other_shapes_are_no_pictures() {
        for shape in [vec![6], vec![1, 3, 1, 2], vec![0, 2, 3, 1]] {
            let values = vec![0.0; shape.iter().product()];
            assert_eq!(sheet(&Bytes::of(shape, &values), None), None);
        }
    }
}
