//! WebP: the first picture of an animation counts; colour profiles are passed over.

use std::io::Cursor;

use image::{ColorType, ImageDecoder, codecs::webp::WebPDecoder};

use crate::{Decoded, Orientation, PictureError, check_size, damaged, flat, flat::Alpha, room};

pub(crate) fn decode(bytes: &[u8], channels: usize) -> Result<Decoded, PictureError> {
    let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(width.into(), height.into())?;
    let head = Head::of(bytes);
    // The decoder makes room for what a lossy picture says of itself before it compares the two.
    if head.lossy.is_some_and(|[w, h]| u32::from(w) > width || u32::from(h) > height) {
        return Err(PictureError::Damaged("its picture is larger than its canvas".into()));
    }
    let (color, width, height) = (decoder.color_type(), width as usize, height as usize);
    let count = width * height;
    // Lossy brightness and colour, in blocks of 16 x 16.
    let planes = (width + 16) * (height + 16) * 3 / 2;
    let beside = match (head.lossy.is_some(), color == ColorType::Rgba8) {
        (true, false) => planes,
        (true, true) => planes + 5 * count,
        (false, false) => 4 * count,
        (false, true) => 0,
    };
    // An animation is laid on a canvas, picture by picture.
    let canvas = if decoder.has_animation() { 8 * count } else { 0 };
    let (stored, flat) = flat::bytes(count, color, channels);
    let share = room(width, height, stored + flat + beside + canvas + bytes.len())?;

    let mut pixels = vec![0; stored];
    decoder.read_image(&mut pixels).map_err(damaged)?;
    let orientation = head.exif.and_then(Orientation::from_exif_chunk);
    Ok(Decoded {
        width,
        height,
        pixels: flat::flat(pixels, color, Alpha::OverWhite, channels),
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        share: Some(share),
    })
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
