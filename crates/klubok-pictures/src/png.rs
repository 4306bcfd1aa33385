//! PNG: colour profiles and texts are passed over, not unpacked.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Transformations};

use crate::{
    Decoded, Orientation, PictureError, check_size,
    flat::{self, Alpha, Layout},
    room,
};

pub(crate) fn decode(bytes: &[u8], channels: usize) -> Result<Decoded, PictureError> {
    let mut decoder = open(bytes);
    let info = decoder.read_header_info().map_err(damaged)?;
    check_size(info.width.into(), info.height.into())?;
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let layout = layout(reader.output_color_type());
    let (stored, flat) = flat::bytes(width * height, layout, channels);
    let share = room(width, height, stored + flat + bytes.len())?;

    let mut pixels = vec![0; stored];
    reader.next_frame(&mut pixels).map_err(damaged)?;
    if layout.bytes == 2 {
        // The file has the larger byte of a value first.
        pixels.as_chunks_mut().0.iter_mut().for_each(|v| *v = u16::from_be_bytes(*v).to_ne_bytes());
    }
    let exif = reader.info().exif_metadata.as_deref();
    let orientation = exif.and_then(Orientation::from_exif_block);
    Ok(Decoded {
        width,
        height,
        pixels: flat::flat(pixels, layout, Alpha::OverWhite, channels),
        orientation: orientation.unwrap_or_default(),
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

/// What the decoder gives: tables and fewer than 8 bits are expanded.
fn layout((color, depth): (ColorType, BitDepth)) -> Layout {
    let samples = match color {
        ColorType::Grayscale | ColorType::Indexed => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => 3,
        ColorType::Rgba => 4,
    };
    Layout { samples, bytes: if depth == BitDepth::Sixteen { 2 } else { 1 } }
}

fn damaged(error: DecodingError) -> PictureError {
    match error {
        DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Truncated
        }
        e => PictureError::Damaged(e.to_string()),
    }
}
