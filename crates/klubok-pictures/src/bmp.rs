//! BMP: tables of 1 to 8 bits, run lengths, 16, 24 and 32 bits, with masks or without.
//!
//! Source: Microsoft, "Bitmap Header Types" and "Bitmap Compression". Our own
//! reader avoids the usual library, which depends on colour management.

use crate::{
    Decoded, Orientation, PictureError, check_size,
    flat::{self, Alpha, Layout},
    room,
};

/// Bytes before the header that says how the pixels are stored.
const FILE_HEADER: usize = 14;

/// Decodes a picture. An alpha of zero everywhere counts as no alpha, as Windows shows it.
pub(crate) fn decode(bytes: &[u8], channels: usize) -> Result<Decoded, PictureError> {
    let header = Header::read(bytes)?;
    // Check the length before reserving memory.
    header.rows(bytes)?;
    let (width, height) = (header.width, header.height);
    let has_alpha = matches!(header.storage, Storage::Masks { alpha: Some(_), .. });
    let layout = Layout { samples: if has_alpha { 4 } else { 3 }, bytes: 1 };
    let (stored, flat) = flat::bytes(width * height, layout, channels);
    let share = room(width, height, stored + flat + bytes.len())?;
    let mut pixels = vec![0; stored];
    header.pixels(bytes, &mut pixels, layout.samples)?;
    let is_empty = has_alpha && pixels.chunks_exact(4).all(|pixel| pixel[3] == 0);
    let alpha = if is_empty { Alpha::Ignored } else { Alpha::OverWhite };
    let pixels = flat::flat(pixels, layout, alpha, channels);
    Ok(Decoded { width, height, pixels, orientation: Orientation::UPRIGHT, share: Some(share) })
}

/// Pixels across and down.
pub(crate) fn size(head: &[u8]) -> Option<[u32; 2]> {
    Header::read(head).ok().map(|header| [header.width as u32, header.height as u32])
}

/// The headers of a file.
struct Header {
    width: usize,
    height: usize,
    is_top_down: bool,
    storage: Storage,
    /// Where the pixels begin in the file.
    start: usize,
}

/// How pixels are stored.
enum Storage {
    /// Numbers of so many bits in a table of colours.
    Table { bits: usize, colours: Box<[[u8; 3]; 256]> },
    /// The same as runs, of 4 or 8 bits.
    Runs { bits: usize, colours: Box<[[u8; 3]; 256]> },
    /// Blue, green, red, in so many bytes a pixel.
    Bytes(usize),
    /// Fields of a number of so many bytes.
    Masks { bytes: usize, colour: [Field; 3], alpha: Option<Field> },
}

/// Neighbouring bits of a pixel.
#[derive(Clone, Copy)]
struct Field {
    shift: u32,
    bits: u32,
}

impl Field {
    /// None where the mask is 0.
    fn of(mask: u32, pixel_bits: u32) -> Result<Option<Self>, PictureError> {
        if mask == 0 {
            return Ok(None);
        }
        let (shift, bits) = (mask.trailing_zeros(), mask.count_ones());
        if (mask >> shift).trailing_ones() != bits || shift + bits > pixel_bits {
            return Err(damaged());
        }
        // Of more than 8 bits the first 8 count.
        let beyond = bits.saturating_sub(8);
        Ok(Some(Self { shift: shift + beyond, bits: bits - beyond }))
    }

    /// The value of the field, from 0 to 255.
    fn read(self, pixel: u32) -> u8 {
        let most = (1 << self.bits) - 1;
        (((pixel >> self.shift & most) * 510 + most) / (2 * most)) as u8
    }
}

impl Header {
    fn read(file: &[u8]) -> Result<Self, PictureError> {
        let start = long(file, 10)? as usize;
        let length = long(file, FILE_HEADER)?;
        if length == 12 {
            return Self::read_core(file, start);
        }
        if ![40, 52, 56, 108, 124].contains(&length) {
            return Err(unsupported());
        }
        let sides = [long(file, 18)?, long(file, 22)?].map(u32::cast_signed);
        let (bits, compression) = (short(file, 28)?, long(file, 30)?);
        let (is_top_down, is_plain) = (sides[1] < 0, matches!(compression, 0 | 3));
        if sides[0] < 0 || short(file, 26)? != 1 || (is_top_down && !is_plain) {
            return Err(damaged());
        }
        let [width, height] = sides.map(i32::unsigned_abs);
        check_size(width.into(), height.into())?;
        let table = || {
            let end = FILE_HEADER + length as usize;
            colours(file, end, 4, long(file, 46)?, bits)
        };
        let bits_of_index = usize::from(bits);
        let storage = match (compression, bits) {
            (0, 1 | 2 | 4 | 8) => Storage::Table { bits: bits_of_index, colours: table()? },
            (1, 8) | (2, 4) => Storage::Runs { bits: bits_of_index, colours: table()? },
            (0, 16) => masks(2, [0x7C00, 0x03E0, 0x001F, 0])?,
            (0, 24) => Storage::Bytes(3),
            (0, 32) => Storage::Bytes(4),
            (3, 16 | 32) => {
                let mask = |i: usize| long(file, 54 + 4 * i);
                let alpha = if length >= 56 { mask(3)? } else { 0 };
                masks(bits_of_index / 8, [mask(0)?, mask(1)?, mask(2)?, alpha])?
            }
            (0..=3, _) => return Err(damaged()),
            _ => return Err(unsupported()),
        };
        Ok(Self { width: width as usize, height: height as usize, is_top_down, storage, start })
    }

    /// The header of OS/2 and of Windows 2.
    fn read_core(file: &[u8], start: usize) -> Result<Self, PictureError> {
        let [width, height] = [short(file, 18)?, short(file, 20)?];
        check_size(width.into(), height.into())?;
        if short(file, 22)? != 1 {
            return Err(damaged());
        }
        let bits = short(file, 24)?;
        let storage = match bits {
            1 | 4 | 8 => {
                let colours = colours(file, FILE_HEADER + 12, 3, 0, bits)?;
                Storage::Table { bits: usize::from(bits), colours }
            }
            24 => Storage::Bytes(3),
            _ => return Err(damaged()),
        };
        let [width, height] = [width, height].map(usize::from);
        Ok(Self { width, height, is_top_down: false, storage, start })
    }

    /// The rows in the file, each of so many bytes; of runs, all that follows.
    fn rows<'a>(&self, file: &'a [u8]) -> Result<(&'a [u8], usize), PictureError> {
        let bits = match &self.storage {
            Storage::Runs { .. } => {
                let runs = file.get(self.start..).ok_or(PictureError::Truncated)?;
                return Ok((runs, 0));
            }
            Storage::Table { bits, .. } => *bits,
            Storage::Bytes(bytes) | Storage::Masks { bytes, .. } => 8 * bytes,
        };
        // Rows fill whole words of four bytes.
        let stride = (bits * self.width).div_ceil(32) * 4;
        let end = self.start.saturating_add(stride * self.height);
        Ok((file.get(self.start..end).ok_or(PictureError::Truncated)?, stride))
    }

    /// Writes the pixels, rows from the top, `samples` values each.
    fn pixels(&self, file: &[u8], to: &mut [u8], samples: usize) -> Result<(), PictureError> {
        let (rows, stride) = self.rows(file)?;
        if let Storage::Runs { bits, colours } = &self.storage {
            let size = [self.width, self.height];
            return Runs { bytes: rows, bits: *bits }.read(colours, size, to);
        }
        let row_length = self.width * samples;
        for (y, from) in rows.chunks_exact(stride).enumerate() {
            let y = if self.is_top_down { y } else { self.height - 1 - y };
            self.row(from, &mut to[y * row_length..(y + 1) * row_length], samples);
        }
        Ok(())
    }

    fn row(&self, from: &[u8], to: &mut [u8], samples: usize) {
        match &self.storage {
            Storage::Table { bits, colours } | Storage::Runs { bits, colours } => {
                for (x, pixel) in to.chunks_exact_mut(3).enumerate() {
                    let (byte, shift) = (x * bits / 8, 8 - bits - x * bits % 8);
                    let index = from[byte] >> shift & (0xFF >> (8 - bits));
                    pixel.copy_from_slice(&colours[usize::from(index)]);
                }
            }
            Storage::Bytes(bytes) => {
                for (pixel, from) in to.chunks_exact_mut(3).zip(from.chunks_exact(*bytes)) {
                    pixel.copy_from_slice(&[from[2], from[1], from[0]]);
                }
            }
            Storage::Masks { bytes, colour, alpha } => {
                for (pixel, from) in to.chunks_exact_mut(samples).zip(from.chunks_exact(*bytes)) {
                    let number =
                        from.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
                    let fields = colour.iter().chain(alpha);
                    pixel.iter_mut().zip(fields).for_each(|(to, field)| *to = field.read(number));
                }
            }
        }
    }
}

/// Runs of equal pixels, from the bottom row up.
struct Runs<'a> {
    bytes: &'a [u8],
    bits: usize,
}

impl Runs<'_> {
    /// Decodes the runs; skipped pixels stay black.
    fn read(
        mut self,
        colours: &[[u8; 3]; 256],
        [width, height]: [usize; 2],
        to: &mut [u8],
    ) -> Result<(), PictureError> {
        let (mut x, mut y) = (0, 0);
        let mut set = |x: usize, y: usize, index: u8| {
            let at = 3 * ((height - 1 - y) * width + x);
            to[at..at + 3].copy_from_slice(&colours[usize::from(index)]);
        };
        while y < height {
            match [self.byte()?, self.byte()?] {
                [0, 0] => (x, y) = (0, y + 1),
                [0, 1] => return Ok(()),
                [0, 2] => {
                    let [right, up] = [self.byte()?, self.byte()?].map(usize::from);
                    (x, y) = (x + right, y + up);
                    if y >= height || (x > width && right + up > 0) {
                        return Err(damaged());
                    }
                }
                [0, count] => {
                    let count = usize::from(count);
                    let length = (count * self.bits).div_ceil(8).next_multiple_of(2);
                    let indices = self.bytes.split_off(..length).ok_or(PictureError::Truncated)?;
                    if x + count > width {
                        return Err(damaged());
                    }
                    for i in 0..count {
                        set(x + i, y, self.index(indices[i * self.bits / 8], i));
                    }
                    x += count;
                }
                [count, indices] => {
                    let count = usize::from(count);
                    // Some programs write runs of bytes beyond the end of a row.
                    if self.bits == 4 && x + count > width {
                        return Err(damaged());
                    }
                    for i in 0..count.min(width.saturating_sub(x)) {
                        set(x + i, y, self.index(indices, i));
                    }
                    x += count;
                }
            }
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, PictureError> {
        self.bytes.split_off_first().copied().ok_or(PictureError::Truncated)
    }

    /// The index of pixel `i` of a run in its byte, which holds one or two.
    fn index(&self, byte: u8, i: usize) -> u8 {
        match (self.bits, i % 2) {
            (8, _) => byte,
            (_, 0) => byte >> 4,
            _ => byte & 0xF,
        }
    }
}

/// The table of colours; black where the file has none.
fn colours(
    file: &[u8],
    start: usize,
    step: usize,
    used: u32,
    bits: u16,
) -> Result<Box<[[u8; 3]; 256]>, PictureError> {
    let most = 1 << bits;
    let count = if used == 0 { most } else { used };
    if count > most {
        return Err(damaged());
    }
    let table = file.get(start..start + step * count as usize).ok_or(PictureError::Truncated)?;
    let mut colours = Box::new([[0; 3]; 256]);
    for (colour, from) in colours.iter_mut().zip(table.chunks_exact(step)) {
        *colour = [from[2], from[1], from[0]];
    }
    Ok(colours)
}

fn masks(bytes: usize, masks: [u32; 4]) -> Result<Storage, PictureError> {
    let field = |i: usize| Field::of(masks[i], 8 * bytes as u32);
    let colour = |i: usize| field(i)?.ok_or_else(damaged);
    Ok(Storage::Masks { bytes, colour: [colour(0)?, colour(1)?, colour(2)?], alpha: field(3)? })
}

fn short(file: &[u8], at: usize) -> Result<u16, PictureError> {
    let bytes = file.get(at..).and_then(<[u8]>::first_chunk).ok_or(PictureError::Truncated)?;
    Ok(u16::from_le_bytes(*bytes))
}

fn long(file: &[u8], at: usize) -> Result<u32, PictureError> {
    let bytes = file.get(at..).and_then(<[u8]>::first_chunk).ok_or(PictureError::Truncated)?;
    Ok(u32::from_le_bytes(*bytes))
}

fn damaged() -> PictureError {
    PictureError::Damaged("it is a damaged BMP picture".into())
}

fn unsupported() -> PictureError {
    PictureError::Damaged("it is a BMP picture of a kind that is not read".into())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageDecoder as _, codecs::bmp::BmpDecoder};
    use proptest::prelude::*;

    use super::*;

    /// A file with a header of this length; `more` follows its first 40 bytes.
    fn file(
        length: u32,
        sides: [i32; 2],
        bits: u16,
        compression: u32,
        used: u32,
        more: &[u8],
        start: usize,
        pixels: &[u8],
    ) -> Vec<u8> {
        let mut file = b"BM\0\0\0\0\0\0\0\0".to_vec();
        file.extend((start as u32).to_le_bytes());
        file.extend(length.to_le_bytes());
        if length == 12 {
            sides.iter().for_each(|side| file.extend((*side as u16).to_le_bytes()));
        } else {
            sides.iter().for_each(|side| file.extend(side.to_le_bytes()));
        }
        file.extend([1, 0]);
        file.extend(bits.to_le_bytes());
        if length > 12 {
            for number in [compression, 0, 0, 0, used, 0] {
                file.extend(number.to_le_bytes());
            }
        }
        file.extend(more);
        file.resize(start, 0);
        file.extend(pixels);
        file
    }

    /// Pixels by another implementation, RGB or RGBA.
    fn peer(file: &[u8]) -> Option<Vec<u8>> {
        let decoder = BmpDecoder::new(Cursor::new(file)).ok()?;
        let (width, height) = decoder.dimensions();
        check_size(width.into(), height.into()).ok()?;
        let mut pixels = vec![0; decoder.total_bytes() as usize];
        decoder.read_image(&mut pixels).ok()?;
        Some(pixels)
    }

    fn ours(file: &[u8]) -> Option<Vec<u8>> {
        let header = Header::read(file).ok()?;
        let has_alpha = matches!(header.storage, Storage::Masks { alpha: Some(_), .. });
        let samples = if has_alpha { 4 } else { 3 };
        let mut pixels = vec![0; header.width * header.height * samples];
        header.pixels(file, &mut pixels, samples).ok()?;
        Some(pixels)
    }

    fn kinds() -> impl Strategy<Value = (u16, u32)> {
        prop::sample::select(vec![
            (1, 0),
            (2, 0),
            (4, 0),
            (8, 0),
            (16, 0),
            (24, 0),
            (32, 0),
            (8, 1),
            (4, 2),
            (16, 3),
            (32, 3),
            (32, 4),
            (7, 0),
        ])
    }

    /// Bytes of which most are small: run lengths that say something.
    fn runs() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![0..6_u8, any::<u8>()], 0..400)
    }

    proptest! {
           #![proptest_config(ProptestConfig::with_cases(4000))]

           #[test]
           fn agrees_with_another_implementation(
               length in prop::sample::select(vec![12, 40, 52, 56, 108, 124]),
               (bits, compression) in kinds(),
               width in 1..20,
               height in -9..9_i32,
               used in prop_oneof![Just(0), 0..300_u32],
               alpha in any::<bool>(),
               pixels in runs(),
           ) {
               let mut more: Vec<u8> = if compression == 3 && bits == 16 {
                   [0xF800_u32, 0x07E0, 0x001F, 0].map(u32::to_le_bytes).concat()
               } else if compression == 3 {
                   [0x00FF_0000_u32, 0x0003_FF00, 0x0000_007F, if alpha { 0xFF00_0000 } else { 0 }]
                       .map(u32::to_le_bytes).concat()
               } else {
                   Vec::new()
               };
               more.extend((0..1400).map(|i| (i * 7) as u8));
               // Long enough for what has no runs.
               let pixels = if matches!(compression, 1 | 2) { pixels } else { [pixels, vec![91; 600]].concat() };
               let file = file(length, [width, height], bits, compression, used, &more, 1500, &pixels);
    prop_assert_eq!(ours(&file), peer(&file));
               // What ends early is refused by both.
               let cut = &file[..file.len() * 9 / 10];
               prop_assert_eq!(ours(cut), peer(cut));
           }

        #[test]
        fn no_bytes_make_it_panic(
            length in prop::sample::select(vec![12, 40, 52, 56, 108, 124]),
            (bits, compression) in kinds(),
            width in 1..40,
            height in -40..40_i32,
            more in prop::collection::vec(any::<u8>(), 0..200),
            start in 0..300_usize,
            pixels in runs(),
        ) {
            let header = if length == 12 { 26 } else { 54 };
            let start = start.max(header + more.len());
            let mut file = file(length, [width, height], bits, compression, 0, &more, start, &pixels);
            prop_assert_eq!(size(&file).is_some(), Header::read(&file).is_ok());
            for channels in [1, 3] {
                if let Ok(picture) = decode(&file, channels) {
                    let count = picture.width * picture.height * channels;
                    prop_assert_eq!(picture.pixels.len(), count);
                }
            }
            // Pixels that begin anywhere, in the header too.
            file[10..14].copy_from_slice(&(start as u32 % 97).to_le_bytes());
            prop_assert_eq!(ours(&file), peer(&file));
        }
    }

    #[test]
    fn fields_become_bytes_by_rounding() {
        let field = Field::of(0x03E0, 16).unwrap().unwrap();
        assert_eq!([0, 3 << 5, 31 << 5].map(|pixel| field.read(pixel)), [0, 25, 255]);
        assert!(Field::of(0b101, 16).is_err() && Field::of(0x1_0000, 16).is_err());
    }
}
