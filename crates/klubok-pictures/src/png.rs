//! PNG: colour profiles and texts are passed over, not unpacked.

use std::io::Cursor;

use image::ColorType;
use png::{BitDepth, Decoder, DecodingError, Limits, Transformations};

use crate::{Decoded, Orientation, PictureError, check_size, flat, flat::Alpha, room};

pub(crate) fn decode(bytes: &[u8], channels: usize) -> Result<Decoded, PictureError> {
    let mut decoder = open(bytes);
    let info = decoder.read_header_info().map_err(damaged)?;
    check_size(info.width.into(), info.height.into())?;
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let color = color(reader.output_color_type());
    let (stored, flat) = flat::bytes(width * height, color, channels);
    let share = room(width, height, stored + flat + bytes.len())?;

    let mut pixels = vec![0; stored];
    reader.next_frame(&mut pixels).map_err(damaged)?;
    if color.bytes_per_pixel() > color.channel_count() {
        // The file has the larger byte of a value first.
        pixels.as_chunks_mut().0.iter_mut().for_each(|v| *v = u16::from_be_bytes(*v).to_ne_bytes());
    }
    let exif = reader.info().exif_metadata.as_deref();
    let orientation = exif.and_then(Orientation::from_exif_chunk);
    Ok(Decoded {
        width,
        height,
        pixels: flat::flat(pixels, color, Alpha::OverWhite, channels),
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        share: Some(share),
    })
}

fn open(bytes: &[u8]) -> Decoder<Cursor<&[u8]>> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: 16 << 20 });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    decoder
}

/// The same kind of pixels in other words. Tables and fewer than 8 bits are expanded.
fn color((color, depth): (png::ColorType, BitDepth)) -> ColorType {
    use png::ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
    match (color, depth) {
        (Grayscale, BitDepth::Sixteen) => ColorType::L16,
        (GrayscaleAlpha, BitDepth::Sixteen) => ColorType::La16,
        (Rgb, BitDepth::Sixteen) => ColorType::Rgb16,
        (Rgba, BitDepth::Sixteen) => ColorType::Rgba16,
        (Grayscale | Indexed, _) => ColorType::L8,
        (GrayscaleAlpha, _) => ColorType::La8,
        (Rgb, _) => ColorType::Rgb8,
        (Rgba, _) => ColorType::Rgba8,
    }
}

fn damaged(error: DecodingError) -> PictureError {
    match error {
        DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Truncated
        }
        e => PictureError::Damaged(e.to_string()),
    }
}
