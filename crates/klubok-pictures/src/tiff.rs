//! TIFF: the first picture of the file.

use std::io::Cursor;

use image::{ImageDecoder, codecs::tiff::TiffDecoder};
use tiff::{decoder::Decoder, tags::Tag};

use crate::{
    Decoded, Orientation, PictureError, check_size, damaged, flat, flat::Alpha, jpeg, room,
};

pub(crate) fn decode(bytes: &[u8], channels: usize) -> Result<Decoded, PictureError> {
    let mut decoder = TiffDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(width.into(), height.into())?;
    let (color, width, height) = (decoder.color_type(), width as usize, height as usize);
    let (stored, flat) = flat::bytes(width * height, color, channels);
    // The decoder keeps the pixels as the file has them: four values where there are three later.
    let bits = usize::from(decoder.original_color_type().bits_per_pixel());
    let kept = stored.max((width * height).saturating_mul(bits.div_ceil(8)));
    let tags = Tags::of(bytes).unwrap_or_default();
    let share = room(width, height, stored + flat.max(kept + tags.strip + bytes.len()))?;
    let mut limits = image::Limits::default();
    limits.max_alloc = Some((kept + bytes.len()) as u64 + (1 << 20));
    decoder.set_limits(limits).map_err(damaged)?;

    let mut pixels = vec![0; stored];
    decoder.read_image(&mut pixels).map_err(damaged)?;
    Ok(Decoded {
        width,
        height,
        pixels: flat::flat(pixels, color, tags.alpha.unwrap_or(Alpha::OverWhite), channels),
        orientation: tags.orientation.unwrap_or(Orientation::NoTransforms),
        share: Some(share),
    })
}

/// What the tags say beside size and colour.
#[derive(Default)]
struct Tags {
    orientation: Option<Orientation>,
    alpha: Option<Alpha>,
    /// Bytes that the decoder of a strip takes, at most.
    strip: usize,
}

impl Tags {
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut decoder = Decoder::new(Cursor::new(bytes)).ok()?;
        let orientation = decoder.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten();
        let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten();
        let alpha = extra.and_then(|kinds| kinds.first().copied()).map(|kind| match kind {
            1 => Alpha::Multiplied,
            2 => Alpha::OverWhite,
            _ => Alpha::Ignored,
        });
        let list = |decoder: &mut Decoder<_>, tags: [Tag; 2]| {
            let find = |tag| decoder.find_tag_unsigned_vec::<u64>(tag).ok().flatten();
            tags.into_iter().find_map(find).unwrap_or_default()
        };
        let starts = list(&mut decoder, [Tag::StripOffsets, Tag::TileOffsets]);
        let lengths = list(&mut decoder, [Tag::StripByteCounts, Tag::TileByteCounts]);
        let strip = starts.iter().zip(&lengths).filter_map(|(&start, &length)| {
            let strip = bytes.get(start as usize..)?;
            jpeg::bytes_needed(&strip[..strip.len().min(length as usize)])
        });
        // Tables that all strips share come before each of them.
        let tables = decoder.find_tag(Tag::JPEGTables).ok().flatten();
        let tables = tables.and_then(|tables| tables.into_u8_vec().ok());
        let strip = strip.chain(tables.and_then(|tables| jpeg::bytes_needed(&tables)));
        let strip = strip.max().unwrap_or(0);
        Some(Self { orientation: orientation.and_then(Orientation::from_exif), alpha, strip })
    }
}
