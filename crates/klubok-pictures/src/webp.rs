//! WebP: the first picture of an animation counts; colour profiles are passed over.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use crate::{
    Decoded, Orientation, PictureError, check_size,
    flat::{self, Alpha, Layout},
    room,
};

pub(crate) fn decode(bytes: &[u8], channels: usize) -> Result<Decoded, PictureError> {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(width.into(), height.into())?;
    let head = Head::of(bytes);
    // The decoder makes room for what a lossy picture says of itself before it compares the two.
    if head.lossy.is_some_and(|[w, h]| u32::from(w) > width || u32::from(h) > height) {
        return Err(PictureError::Damaged("its picture is larger than its canvas".into()));
    }
    let layout = Layout { samples: if decoder.has_alpha() { 4 } else { 3 }, bytes: 1 };
    let (width, height) = (width as usize, height as usize);
    let count = width * height;
    // Lossy brightness and colour, in blocks of 16 x 16.
    let planes = (width + 16) * (height + 16) * 3 / 2;
    let beside = match (head.lossy.is_some(), decoder.has_alpha()) {
        (true, false) => planes,
        (true, true) => planes + 5 * count,
        (false, false) => 4 * count,
        (false, true) => 0,
    };
    // An animation is laid on a canvas, picture by picture.
    let canvas = if decoder.is_animated() { 8 * count } else { 0 };
    let (stored, flat) = flat::bytes(count, layout, channels);
    let share = room(width, height, stored + flat + beside + canvas + bytes.len())?;

    let mut pixels = vec![0; stored];
    decoder.read_image(&mut pixels).map_err(damaged)?;
    let orientation = head.exif.and_then(Orientation::from_exif_block);
    Ok(Decoded {
        width,
        height,
        pixels: flat::flat(pixels, layout, Alpha::OverWhite, channels),
        orientation: orientation.unwrap_or_default(),
        share: Some(share),
    })
}

fn damaged(error: DecodingError) -> PictureError {
    match error {
        DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Truncated
        }
        e => PictureError::Damaged(e.to_string()),
    }
}

/// What the chunks of a file say.
#[derive(Default)]
struct Head<'a> {
    /// Pixels across and down by the first lossy picture itself.
    lossy: Option<[u16; 2]>,
    exif: Option<&'a [u8]>,
}

impl<'a> Head<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let mut head = Self::default();
        head.walk(bytes.get(12..).unwrap_or_default());
        head
    }

    fn walk(&mut self, mut bytes: &'a [u8]) {
        while let Some((name, length)) = bytes.split_first_chunk().and_then(|(name, rest)| {
            Some((name, u32::from_le_bytes(*rest.first_chunk()?) as usize))
        }) {
            let content = &bytes[8..];
            let chunk = &content[..length.min(content.len())];
            match name {
                b"VP8 " if self.lossy.is_none() => {
                    let side = |at: usize| {
                        Some(u16::from_le_bytes(*chunk.get(at..)?.first_chunk()?) & 0x3FFF)
                    };
                    self.lossy = side(6).zip(side(8)).map(|(w, h)| [w, h]);
                }
                b"EXIF" if self.exif.is_none() => self.exif = Some(chunk),
                // A picture of an animation: chunks after its place, size and time.
                b"ANMF" if self.lossy.is_none() => self.walk(chunk.get(16..).unwrap_or_default()),
                _ => {}
            }
            bytes = content.get(length.next_multiple_of(2)..).unwrap_or_default();
        }
    }
}
