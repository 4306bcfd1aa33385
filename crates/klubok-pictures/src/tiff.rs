//! TIFF: the first picture of the file, grey, RGB or CMYK.

use std::io::{Cursor, ErrorKind};

use tiff::{
    ColorType, TiffError,
    decoder::{BufferLayoutPreference, Decoder, DecodingResult, Limits},
    tags::{SampleFormat, Tag},
};

use crate::{
    Decoded, Orientation, PictureError, check_size,
    flat::{self, Alpha, Layout, from_float, from_short},
    jpeg, room,
};

/// Most bytes that the decoder makes of a tag, by its own limit; up to 32 per byte of the file.
const TAG_BYTES: usize = 256 << 20;
/// Largest side of a tile: the decoder allocates a row of one, however small the picture is.
const MAX_TILE: u64 = 65_535;

pub(crate) fn decode(bytes: &[u8], channels: usize) -> Result<Decoded, PictureError> {
    // Released before the picture takes its share: a thread never waits while it holds one.
    let tag_share = room(0, 0, TAG_BYTES.min(bytes.len().saturating_mul(32)))?;
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions().map_err(damaged)?;
    check_size(width.into(), height.into())?;
    let (width, height) = (width as usize, height as usize);
    let kind = Kind::of(&mut decoder)?;
    let tags = Tags::of(&mut decoder, bytes)?;
    drop(tag_share);
    let layout = Layout { samples: if kind.is_cmyk { 3 } else { kind.samples }, bytes: 1 };
    let (stored, flat) = flat::bytes(width * height, layout, channels);
    // The decoder keeps the pixels as the file has them, and a row of a tile beside them.
    let kept = (width * height).saturating_mul(kind.samples * kind.bits.div_ceil(8));
    let beside = kept.saturating_add(tags.strip + kind.tile_row + bytes.len());
    let share = room(width, height, stored.saturating_add(flat.max(beside)))?;
    let mut limits = Limits::default();
    limits.decoding_buffer_size = kept;
    limits.intermediate_buffer_size = bytes.len() + (1 << 20);
    limits.ifd_value_size = limits.intermediate_buffer_size;
    let mut decoder = decoder.with_limits(limits);

    let mut values = DecodingResult::U8(Vec::new());
    let form = decoder.read_image_to_buffer(&mut values).map_err(damaged)?;
    if values.as_buffer(0).byte_len() < form.complete_len {
        return Err(PictureError::Damaged("it is a damaged TIFF picture".into()));
    }
    let pixels = kind.pixels(values, &form, [width, height])?;
    Ok(Decoded {
        width,
        height,
        pixels: flat::flat(pixels, layout, tags.alpha.unwrap_or(Alpha::OverWhite), channels),
        orientation: tags.orientation.unwrap_or_default(),
        share: Some(share),
    })
}

/// How the file stores a pixel.
struct Kind {
    /// Values a pixel.
    samples: usize,
    /// Bits a value: 1, 8, 16, or 32 for floating point.
    bits: usize,
    is_cmyk: bool,
    /// Bytes of a row of a tile, all of its values together; 0 without tiles.
    tile_row: usize,
}

impl Kind {
    fn of(decoder: &mut Decoder<Cursor<&[u8]>>) -> Result<Self, PictureError> {
        let color = decoder.colortype().map_err(damaged)?;
        let (samples, bits) = match color {
            ColorType::Gray(bits @ (1 | 8 | 16)) => (1, bits),
            ColorType::GrayA(bits @ (8 | 16)) => (2, bits),
            ColorType::RGB(bits @ (8 | 16 | 32)) => (3, bits),
            ColorType::RGBA(bits @ (8 | 16 | 32)) | ColorType::CMYK(bits @ (8 | 16)) => (4, bits),
            _ => return Err(unsupported()),
        };
        let formats = decoder.find_tag_unsigned_vec::<u16>(Tag::SampleFormat).map_err(damaged)?;
        let expected = if bits == 32 { SampleFormat::IEEEFP } else { SampleFormat::Uint };
        if formats.into_iter().flatten().any(|format| format != expected.to_u16()) {
            return Err(unsupported());
        }
        let mut find = |tag| decoder.find_tag_unsigned::<u64>(tag).map_err(damaged);
        let [predictor, planes, stored] =
            [find(Tag::Predictor)?, find(Tag::PlanarConfiguration)?, find(Tag::SamplesPerPixel)?]
                .map(|value| value.unwrap_or(1));
        let [across, down] = [find(Tag::TileWidth)?, find(Tag::TileLength)?];
        // The decoder drops unknown samples before it undoes the predictor: wrong pixels.
        let drops = planes == 1 && stored != samples as u64;
        let is_cmyk = matches!(color, ColorType::CMYK(_));
        if (predictor != 1 && drops) || (is_cmyk && planes != 1) {
            return Err(unsupported());
        }
        if across.max(down).is_some_and(|side| side > MAX_TILE) {
            return Err(unsupported());
        }
        let row = across.unwrap_or(0).saturating_mul(stored) as usize;
        let tile_row = row.saturating_mul(usize::from(bits).div_ceil(8));
        Ok(Self { samples, bits: usize::from(bits), is_cmyk, tile_row })
    }

    /// Values of 8 bits, those of a pixel together.
    fn pixels(
        &self,
        values: DecodingResult,
        form: &BufferLayoutPreference,
        [width, height]: [usize; 2],
    ) -> Result<Vec<u8>, PictureError> {
        let values: Vec<u8> = match values {
            DecodingResult::U8(values) if self.bits == 1 => bits(&values, width),
            DecodingResult::U8(values) => values,
            DecodingResult::U16(values) if self.is_cmyk => return Ok(from_cmyk(&values, 65535.0)),
            DecodingResult::U16(values) => values.into_iter().map(from_short).collect(),
            DecodingResult::F32(values) => values.into_iter().map(from_float).collect(),
            _ => return Err(unsupported()),
        };
        if self.is_cmyk {
            return if form.planes > 1 {
                Err(unsupported())
            } else {
                Ok(from_cmyk(&values, 255.0))
            };
        }
        if form.planes < 2 {
            return Ok(values);
        }
        let count = width * height;
        let mut pixels = vec![0; count * self.samples];
        for (s, plane) in values.chunks_exact(count).take(self.samples).enumerate() {
            let to = pixels.iter_mut().skip(s).step_by(self.samples);
            to.zip(plane).for_each(|(to, from)| *to = *from);
        }
        Ok(pixels)
    }
}

/// Rows of bits, each in whole bytes, as black and white.
fn bits(rows: &[u8], width: usize) -> Vec<u8> {
    let row_bytes = width.div_ceil(8);
    let mut pixels = Vec::with_capacity(rows.len() / row_bytes * width);
    for row in rows.chunks_exact(row_bytes) {
        pixels.extend((0..width).map(|x| 255 * (row[x / 8] >> (7 - x % 8) & 1)));
    }
    pixels
}

/// From the inks to RGB; `most` is full ink.
fn from_cmyk<T: Copy + Into<f32>>(values: &[T], most: f32) -> Vec<u8> {
    let pixels = values.as_chunks::<4>().0.iter().map(|pixel| pixel.map(Into::into));
    let light = pixels
        .flat_map(|[c, m, y, k]: [f32; 4]| [c, m, y].map(|ink| (most - ink) * (1.0 - k / most)));
    if most > 255.0 {
        light.map(|light| from_short(light as u16)).collect()
    } else {
        light.map(|light| light as u8).collect()
    }
}

/// The compression of strips that are JPEG pictures.
const JPEG: u16 = 7;

/// What the tags say beside size and colour.
struct Tags {
    orientation: Option<Orientation>,
    alpha: Option<Alpha>,
    /// Bytes that the decoder of a strip takes, at most.
    strip: usize,
}

impl Tags {
    fn of(decoder: &mut Decoder<Cursor<&[u8]>>, bytes: &[u8]) -> Result<Self, PictureError> {
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
        let compression = decoder.find_tag_unsigned::<u16>(Tag::Compression).ok().flatten();
        if compression != Some(JPEG) {
            let orientation = orientation.and_then(Orientation::from_exif);
            return Ok(Self { orientation, alpha, strip: 0 });
        }
        let starts = list(decoder, [Tag::StripOffsets, Tag::TileOffsets]);
        let lengths = list(decoder, [Tag::StripByteCounts, Tag::TileByteCounts]);
        // Each strip is read to its end: overlapping strips would take hours.
        if lengths.iter().fold(0, |sum: u64, length| sum.saturating_add(*length))
            > bytes.len() as u64
        {
            return Err(PictureError::Damaged("it is a damaged TIFF picture".into()));
        }
        let strip = starts.iter().zip(&lengths).filter_map(|(&start, &length)| {
            let strip = bytes.get(start as usize..)?;
            jpeg::bytes_needed(&strip[..strip.len().min(length as usize)])
        });
        // Tables that all strips share come before each of them.
        let tables = decoder.find_tag(Tag::JPEGTables).ok().flatten();
        let tables = tables.and_then(|tables| tables.into_u8_vec().ok());
        let strip = strip.chain(tables.and_then(|tables| jpeg::bytes_needed(&tables)));
        let strip = strip.max().unwrap_or(0);
        Ok(Self { orientation: orientation.and_then(Orientation::from_exif), alpha, strip })
    }
}

fn damaged(error: TiffError) -> PictureError {
    match error {
        TiffError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => PictureError::Truncated,
        e => PictureError::Damaged(e.to_string()),
    }
}

fn unsupported() -> PictureError {
    PictureError::Damaged("it is a TIFF picture of a kind that is not read".into())
}

#[cfg(test)]
mod tests {
    use image::{ImageDecoder as _, codecs::tiff::TiffDecoder};
    use tiff::encoder::{Compression, DeflateLevel, TiffEncoder, TiffValue, colortype};

    use super::*;

    fn file<C: colortype::ColorType>(values: &[C::Inner]) -> Vec<u8>
    where
        [C::Inner]: TiffValue,
    {
        packed::<C>(values, Compression::Uncompressed)
    }

    fn packed<C: colortype::ColorType>(values: &[C::Inner], compression: Compression) -> Vec<u8>
    where
        [C::Inner]: TiffValue,
    {
        let mut bytes = Cursor::new(Vec::new());
        let encoder = TiffEncoder::new(&mut bytes).unwrap().with_compression(compression);
        { encoder }.write_image::<C>(7, 5, values).unwrap();
        bytes.into_inner()
    }

    /// RGB of 8 bits by another implementation, alpha laid over white by our own arithmetic.
    fn peer(file: &[u8]) -> Vec<u8> {
        let decoder = TiffDecoder::new(Cursor::new(file)).unwrap();
        let color = decoder.color_type();
        let mut bytes = vec![0; decoder.total_bytes() as usize];
        decoder.read_image(&mut bytes).unwrap();
        let samples = usize::from(color.channel_count());
        let pixels: Vec<u8> = match usize::from(color.bytes_per_pixel()) / samples {
            1 => bytes,
            2 => bytes.as_chunks().0.iter().map(|v| from_short(u16::from_ne_bytes(*v))).collect(),
            _ => bytes.as_chunks().0.iter().map(|v| from_float(f32::from_ne_bytes(*v))).collect(),
        };
        flat::flat(pixels, Layout { samples, bytes: 1 }, Alpha::OverWhite, 3)
    }

    #[test]
    fn every_kind_of_pixels_agrees_with_another_implementation() {
        let bytes = |n: usize| (0..35 * n).map(|i| (i * 37) as u8).collect::<Vec<_>>();
        let shorts = |n: usize| (0..35 * n).map(|i| (i * 9973) as u16).collect::<Vec<_>>();
        let floats: Vec<f32> = (0..35 * 3).map(|i| i as f32 / 90.0 - 0.05).collect();
        for bytes in [
            file::<colortype::Gray8>(&bytes(1)),
            file::<colortype::Gray16>(&shorts(1)),
            file::<colortype::RGB8>(&bytes(3)),
            file::<colortype::RGB16>(&shorts(3)),
            file::<colortype::RGB32Float>(&floats),
            file::<colortype::CMYK8>(&bytes(4)),
            file::<colortype::CMYK16>(&shorts(4)),
        ] {
            assert_eq!(decode(&bytes, 3).unwrap().pixels, peer(&bytes));
            assert!(decode(&bytes[..bytes.len() / 2], 3).is_err());
        }
    }

    #[test]
    fn every_compression_is_read() {
        let values: Vec<u8> = (0..35 * 3).map(|i| (i * 37) as u8).collect();
        for compression in
            [Compression::Lzw, Compression::Deflate(DeflateLevel::Balanced), Compression::Packbits]
        {
            let bytes = packed::<colortype::RGB8>(&values, compression);
            assert_eq!(decode(&bytes, 3).unwrap().pixels, values);
        }
    }

    /// A little-endian file of one strip; each tag is a short with its values.
    fn raw(tags: &[(u16, &[u16])], strips: &[&[u8]]) -> Vec<u8> {
        let mut file = b"II*\0\x08\0\0\0".to_vec();
        let mut beyond = 8 + 2 + 12 * (tags.len() + 2) + 4;
        let mut places = Vec::new();
        let mut more = Vec::new();
        for strip in strips {
            places.push(((beyond + more.len()) as u16, strip.len() as u16));
            more.extend_from_slice(strip);
        }
        let (starts, lengths): (Vec<u16>, Vec<u16>) = places.into_iter().unzip();
        let mut all = tags.to_vec();
        all.extend([(273, &starts[..]), (279, &lengths[..])]);
        all.sort_unstable();
        file.extend((all.len() as u16).to_le_bytes());
        beyond += more.len();
        for (tag, values) in all {
            file.extend([tag, 3].map(u16::to_le_bytes).concat());
            file.extend((values.len() as u32).to_le_bytes());
            let values = values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
            if values.len() > 4 {
                file.extend((beyond as u32).to_le_bytes());
                beyond += values.len();
                more.extend(values);
            } else {
                file.extend([&values[..], &[0; 4][values.len()..]].concat());
            }
        }
        file.extend([0; 4]);
        file.extend(more);
        file
    }

    #[test]
    fn bits_and_planes_agree_with_another_implementation() {
        // Width, height, bits, kind of colour, values a pixel, rows a strip, planes.
        let bits = raw(
            &[(256, &[11]), (257, &[2]), (258, &[1]), (262, &[1]), (277, &[1]), (278, &[2])],
            &[&[0b1010_1100, 0b0110_0000, 0b0101_0011, 0b1000_0000]],
        );
        assert_eq!(decode(&bits, 3).unwrap().pixels, peer(&bits));
        assert_eq!(decode(&bits, 1).unwrap().pixels[..3], [255, 0, 255]);
        let rgb = [(256, &[2][..]), (257, &[2]), (258, &[8, 8, 8]), (262, &[2]), (277, &[3])];
        let planar = [&rgb[..], &[(278, &[2]), (284, &[2])]].concat();
        let planes = raw(&planar, &[&[1, 2, 3, 4], &[5, 6, 7, 8], &[9, 10, 11, 12]]);
        assert_eq!(decode(&planes, 3).unwrap().pixels, [1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12]);
        assert_eq!(decode(&planes, 3).unwrap().pixels, peer(&planes));
    }

    #[track_caller]
    fn refused(tags: &[(u16, &[u16])], strips: &[&[u8]], words: &str) {
        let size = [(256, &[2][..]), (257, &[2]), (258, &[8])];
        let error = decode(&raw(&[&size[..], tags].concat(), strips), 3).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }

    #[test]
    fn what_would_be_read_wrongly_is_refused() {
        let kind = "of a kind that is not read";
        // Inks in planes; a prediction over a value that is dropped.
        refused(&[(262, &[5]), (277, &[4]), (278, &[2]), (284, &[2])], &[&[7; 4][..]; 4], kind);
        let predicted = [(262, &[2][..]), (277, &[4]), (278, &[2]), (317, &[2]), (338, &[0])];
        refused(&predicted, &[&[7; 16]], kind);
    }

    #[test]
    fn the_claims_of_tiles_take_no_memory() {
        // A row of 65,535 pixels of as many values: 4 GiB.
        let extra = vec![0; 65_532];
        let tiles = [(322, &[65_535][..]), (323, &[1])];
        refused(
            &[&[(262, &[2][..]), (277, &[65_535]), (338, &extra)], &tiles[..]].concat(),
            &[&[7; 64]],
            "more than",
        );
        // Strips of JPEG that lie over each other.
        let one = (278, &[1][..]);
        let over = raw(
            &[(256, &[2]), (257, &[2]), (258, &[8]), (259, &[7]), (262, &[1]), (277, &[1]), one],
            &[&[0; 30], &[0; 30]],
        );
        let mut longer = over.clone();
        let at = over.windows(2).rposition(|pair| pair == [30, 0]).unwrap();
        longer[at..at + 2].copy_from_slice(&60_000_u16.to_le_bytes());
        let error = decode(&longer, 3).unwrap_err().to_string();
        assert!(error.contains("damaged TIFF"), "{error}");
    }
}
