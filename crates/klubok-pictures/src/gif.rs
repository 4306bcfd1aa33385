//! GIF: the first picture, laid on its canvas; what it does not cover is white.

use std::io::Cursor;

use gif::{ColorOutput, DecodeOptions, DecodingError};

use crate::{Decoded, Orientation, PictureError, check_size, luma, room};

pub(crate) fn decode(bytes: &[u8], channels: usize) -> Result<Decoded, PictureError> {
    let mut options = DecodeOptions::new();
    // A number a pixel, and a table once: a quarter of what colours and transparency for each take.
    options.set_color_output(ColorOutput::Indexed);
    let mut decoder = options.read_info(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    check_size(width as u64, height as u64)?;
    let Some(frame) = decoder.next_frame_info().map_err(damaged)? else {
        return Err(PictureError::Truncated);
    };
    let size = [frame.width, frame.height].map(usize::from);
    let (place, transparent) = ([frame.left, frame.top].map(usize::from), frame.transparent);
    let colours = colours(decoder.palette().map_err(damaged)?, transparent);
    let share = room(width, height, width * height * channels + size[0] * size[1] + bytes.len())?;
    let mut indices = vec![0; size[0] * size[1]];
    decoder.read_into_buffer(&mut indices).map_err(damaged)?;

    let mut pixels = vec![255; width * height * channels];
    let visible = size[0].min(width.saturating_sub(place[0]));
    for (row, y) in indices.chunks_exact(size[0].max(1)).zip(place[1]..height) {
        let start = (y * width + place[0]) * channels;
        // A picture that lies beside its canvas shows nothing of itself.
        let to = pixels.get_mut(start..).unwrap_or_default().chunks_exact_mut(channels);
        for (pixel, &index) in to.take(visible).zip(row) {
            let [r, g, b] = colours[usize::from(index)];
            match pixel {
                [grey] => *grey = luma(r, g, b),
                pixel => pixel.copy_from_slice(&[r, g, b]),
            }
        }
    }
    let orientation = Orientation::UPRIGHT;
    Ok(Decoded { width, height, pixels, orientation, share: Some(share) })
}

/// The colour of each number; white for what is transparent or missing.
fn colours(palette: &[u8], transparent: Option<u8>) -> [[u8; 3]; 256] {
    let mut colours = [[255; 3]; 256];
    for (to, from) in colours.iter_mut().zip(palette.chunks_exact(3)) {
        to.copy_from_slice(from);
    }
    if let Some(index) = transparent {
        colours[usize::from(index)] = [255; 3];
    }
    colours
}

fn damaged(error: DecodingError) -> PictureError {
    match error {
        DecodingError::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Truncated
        }
        e => PictureError::Damaged(e.to_string()),
    }
}
