//! From the bytes of a picture file to 8-bit pixels, grey or RGB.
//!
//! The content decides the format, not the name. Grey is Rec. 601 luma, `0.299 r + 0.587 g + 0.114
//! b`, as in PIL's mode `L`; for JPEG that is the luma the file stores, which is another only where
//! a colour is out of range. Transparent pixels are laid over white; a BMP that is transparent
//! everywhere is opaque. 16 bits a value become 8 by rounding; of an animation the first picture
//! counts. Colour profiles are ignored.
//!
//! Files are made by anybody. Before a picture is decoded its memory is worked out from its head
//! and taken from a budget that all threads share: what takes more than all of it is refused.
//!
//! A crate of its own because decoders and resizers are generic: every change to the library would
//! compile all of them again.

mod bmp;
mod budget;
mod flat;
mod gif;
mod jpeg;
mod orientation;
mod png;
mod resize;
mod tiff;
mod webp;

use std::{
    io::{BufRead, Read, Seek},
    panic::{AssertUnwindSafe, catch_unwind},
};

pub use budget::{Budget, DECODING, FILES, Share};
use flat::luma;
pub use orientation::Orientation;
pub use resize::resize;

/// Most pixels that a picture may have: 100 megapixels.
const MAX_PIXELS: u64 = 100_000_000;

/// Most pixels across or down: what JPEG and GIF can say.
const MAX_SIDE: u64 = u16::MAX as u64;

/// Bytes that a decoder takes whatever the picture: tables, buffers, a line.
const BESIDE: usize = 2 << 20;

/// Bytes of a file in which its head must be, for [`size`].
const HEAD: u64 = 1 << 20;

/// A picture that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// There is nothing in the file.
    #[error("the file is empty")]
    Empty,
    /// The file could not be opened or read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The content is none of the formats that are read.
    #[error("it is not a JPEG, PNG, BMP, GIF, WebP or TIFF picture")]
    NotAPicture,
    /// A format that is known but not read.
    #[error(
        "{format} pictures are not supported: convert them to JPEG, for example with `magick {from} {to}`"
    )]
    Unsupported {
        /// Name of the format.
        format: &'static str,
        /// An example of such a file's name.
        from: &'static str,
        /// The name of the converted file.
        to: &'static str,
    },
    /// The file ends before the picture does.
    #[error("the file is truncated")]
    Truncated,
    /// More pixels than are read.
    #[error("it says that it has {width}x{height} pixels, more than 100 megapixels")]
    TooLarge {
        /// Pixels across.
        width: u64,
        /// Pixels down.
        height: u64,
    },
    /// More pixels across or down than are read.
    #[error("it says that it has {width}x{height} pixels, more than 65535 on a side")]
    TooLong {
        /// Pixels across.
        width: u64,
        /// Pixels down.
        height: u64,
    },
    /// It takes more memory than there is for all pictures at once.
    #[error(
        "it says that it has {width}x{height} pixels and would take {mib} MiB, more than the {} MiB for pictures",
        DECODING.total() >> 20
    )]
    TooMuch {
        /// Pixels across.
        width: u64,
        /// Pixels down.
        height: u64,
        /// Memory that decoding or resizing it takes.
        mib: u64,
    },
    /// The system does not give the memory that it takes.
    #[error(
        "it says that it has {width}x{height} pixels and would take {mib} MiB, which cannot be had"
    )]
    NoMemory {
        /// Pixels across.
        width: u64,
        /// Pixels down.
        height: u64,
        /// Memory that decoding it takes.
        mib: u64,
    },
    /// A picture without pixels.
    #[error("it has no pixels")]
    NoPixels,
    /// The content is damaged, or uses something that is not supported.
    #[error("{0}")]
    Damaged(String),
}

/// Pixels as the file stores them, before they are turned upright.
#[derive(Debug)]
pub struct Decoded {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Row by row, channels together.
    pub pixels: Vec<u8>,
    /// How to turn the picture upright.
    pub orientation: Orientation,
    /// The memory that it holds.
    pub share: Option<Share>,
}

/// Decodes a picture to `channels` values a pixel: 1 for grey, 3 for RGB.
///
/// # Errors
/// When it is no picture, damaged, truncated, of an unsupported format or far too large.
pub fn decode(bytes: &[u8], channels: usize) -> Result<Decoded, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Err(iso_media(bytes)),
        [0xFF, 0xD8, 0xFF, ..] => guarded(|| jpeg::decode(bytes, channels)),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => {
            guarded(|| png::decode(bytes, channels))
        }
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => guarded(|| gif::decode(bytes, channels)),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            guarded(|| webp::decode(bytes, channels))
        }
        [b'M', b'M', 0, b'*', ..] | [b'I', b'I', b'*', 0, ..] => {
            guarded(|| tiff::decode(bytes, channels))
        }
        [b'B', b'M', ..] => guarded(|| bmp::decode(bytes, channels)),
        _ => Err(PictureError::NotAPicture),
    }
}

/// Pixels across and down as the file stores them, from its head alone; none where it cannot be
/// told. JPEG and BMP as they are decoded: what fills a JPEG, and heights below 0, are read there.
pub fn size(file: &mut (impl BufRead + Seek)) -> Option<[u32; 2]> {
    let read = || {
        let first = file.fill_buf()?;
        let (jpeg, bmp) = (first.starts_with(b"\xff\xd8"), first.starts_with(b"BM"));
        if !jpeg && !bmp {
            let size = imagesize::reader_size(file).ok();
            return Ok(size.map(|size| [size.width, size.height].map(|side| side as u32)));
        }
        let mut head = Vec::new();
        file.take(HEAD).read_to_end(&mut head)?;
        Ok(if jpeg { jpeg::size(&head) } else { bmp::size(&head) })
    };
    let sides = guarded(read).ok().flatten()?;
    sides.iter().all(|&side| (1..=MAX_SIDE).contains(&side.into())).then_some(sides)
}

/// Turns a panic of a decoder into an error: a defect there must not end the reading of all others.
fn guarded<T>(decode: impl FnOnce() -> Result<T, PictureError>) -> Result<T, PictureError> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(PictureError::Damaged("the decoder failed on it".into())))
}

/// What to say about a file of the ISO base media format: phones store pictures so.
fn iso_media(bytes: &[u8]) -> PictureError {
    match bytes.get(8..12) {
        Some(b"avif" | b"avis") => {
            PictureError::Unsupported { format: "AVIF", from: "in.avif", to: "out.jpg" }
        }
        Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1") => {
            PictureError::Unsupported { format: "HEIC", from: "in.heic", to: "out.jpg" }
        }
        _ => PictureError::NotAPicture,
    }
}

fn check_size(width: u64, height: u64) -> Result<(), PictureError> {
    match width.saturating_mul(height) {
        0 => Err(PictureError::NoPixels),
        n if n > MAX_PIXELS => Err(PictureError::TooLarge { width, height }),
        _ if width.max(height) > MAX_SIDE => Err(PictureError::TooLong { width, height }),
        _ => Ok(()),
    }
}

/// Waits for the memory that decoding a picture takes, or says that it is more than there is.
fn room(width: usize, height: usize, bytes: usize) -> Result<Share, PictureError> {
    let bytes = bytes.saturating_add(BESIDE);
    let (width, height, mib) = (width as u64, height as u64, bytes as u64 >> 20);
    let too_much = PictureError::TooMuch { width, height, mib };
    let share = DECODING.take(bytes as u64).ok_or(too_much)?;
    // Decoders end the process when there is no memory: so it is asked for before.
    let asked = Vec::<u8>::new().try_reserve_exact(bytes);
    asked.map(|()| share).map_err(|_| PictureError::NoMemory { width, height, mib })
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use image::{
        DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage,
        codecs::gif::GifEncoder,
    };

    use flate2::{Compression, Crc, write::ZlibEncoder};

    use super::*;

    const LOSSLESS: [ImageFormat; 4] =
        [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::WebP, ImageFormat::Tiff];

    fn pixels(bytes: &[u8], channels: usize) -> Vec<u8> {
        decode(bytes, channels).unwrap().pixels
    }

    #[track_caller]
    fn refused(bytes: &[u8], words: &str) {
        let message = decode(bytes, 3).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }

    #[test]
    fn every_format_gives_its_pixels() {
        let picture = gradient(19, 7);
        for format in LOSSLESS {
            let bytes = encoded(&picture.clone().into(), format);
            assert_eq!(pixels(&bytes, 3), *picture.as_raw(), "{format:?}");
        }
        // GIF has 256 colours, and these are fewer.
        let few = RgbImage::from_fn(9, 9, |x, y| image::Rgb([x as u8 * 20, y as u8 * 20, 0]));
        let bytes = encoded(&few.clone().into(), ImageFormat::Gif);
        assert_eq!(pixels(&bytes, 3), *few.as_raw());
        let bytes = encoded(&picture.clone().into(), ImageFormat::Jpeg);
        let near = |(a, b): (&u8, &u8)| a.abs_diff(*b) < 30;
        assert!(pixels(&bytes, 3).iter().zip(picture.as_raw()).all(near));
    }

    #[test]
    fn a_file_that_ends_early_is_refused_in_every_format() {
        let picture: DynamicImage = gradient(64, 64).into();
        for format in LOSSLESS.into_iter().chain([ImageFormat::Gif, ImageFormat::Jpeg]) {
            let bytes = encoded(&picture, format);
            for share in [10, 50, 90] {
                let cut = &bytes[..bytes.len() * share / 100];
                assert!(decode(cut, 3).is_err(), "{format:?} with {share} % of its bytes");
            }
        }
    }

    #[test]
    fn a_jpeg_that_lacks_a_byte_of_its_data_is_truncated() {
        let bytes = encoded(&gradient(64, 64).into(), ImageFormat::Jpeg);
        for missing in [3, 4, 10, 100] {
            for bytes in [bytes.clone(), with_orientation(&bytes, 1)] {
                refused(&bytes[..bytes.len() - missing], "truncated");
            }
        }
        // An end marker before the first scan, as of a thumbnail, does not count.
        let mut thumbnail = with_orientation(&bytes, 1);
        thumbnail[25] = 0xFF;
        thumbnail[26] = 0xD9;
        refused(&thumbnail[..thumbnail.len() - 3], "truncated");
    }

    #[test]
    fn a_jpeg_that_cannot_hold_its_pixels_is_not_decoded() {
        let mut bytes = encoded(&gradient(64, 64).into(), ImageFormat::Jpeg);
        let frame = bytes.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        bytes[frame + 5..frame + 9].copy_from_slice(&[0x20, 0, 0x20, 0]);
        let begun = std::time::Instant::now();
        for _ in 0..100 {
            refused(&bytes, "truncated");
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
        // The least that a picture of one colour takes is more than that.
        let grey = encoded(
            &image::GrayImage::from_pixel(2000, 2000, image::Luma([9])).into(),
            ImageFormat::Jpeg,
        );
        assert!(decode(&grey, 1).is_ok());
    }

    #[test]
    fn what_lies_between_and_behind_the_segments_of_a_jpeg_does_not_matter() {
        let bytes = encoded(&gradient(64, 48).into(), ImageFormat::Jpeg);
        let expected = pixels(&bytes, 3);
        let at = |marker| bytes.windows(2).position(|pair| pair == [0xFF, marker]).unwrap();
        let with = |at: usize, more: &[u8]| [&bytes[..at], more, &bytes[at..]].concat();
        let end = bytes.len() - 2;
        let same = [
            with(at(0xDB), &[0, 0]),
            with(at(0xDA), b"between two segments"),
            with(at(0xC4), &[0xFF; 7]),
            with(at(0xDA), &[0xFF, 0xD3]),
            with(end, &[0xFF, 0xDC, 0, 4, 0, 48]),
            with(end, &[0xFF; 3]),
            with(bytes.len(), b"garbage"),
            bytes[..end].to_vec(),
            bytes[..=end].to_vec(),
            [&bytes[..end], &[0; 50]].concat(),
        ];
        for (i, bytes) in same.iter().enumerate() {
            assert_eq!(pixels(bytes, 3), expected, "number {i}");
        }
    }

    #[test]
    fn a_bmp_whose_alpha_is_zero_everywhere_is_opaque() {
        let colours = [[10, 20, 30, 0], [40, 50, 60, 0]];
        let bmp = |alpha: u8| {
            let mut picture = RgbaImage::from_fn(2, 1, |x, _| Rgba(colours[x as usize]));
            picture.get_pixel_mut(1, 0)[3] = alpha;
            encoded(&picture.into(), ImageFormat::Bmp)
        };
        assert_eq!(pixels(&bmp(0), 3), [10, 20, 30, 40, 50, 60]);
        // One pixel that is not transparent says that alpha is meant.
        assert_eq!(pixels(&bmp(255), 3), [255, 255, 255, 40, 50, 60]);
    }

    #[test]
    fn a_picture_that_takes_more_than_all_memory_for_pictures_is_refused() {
        // Sixteen bits for each of four values: 800 MB.
        refused(&raw_png((10_000, 10_000), 16, 6, &[], &[0]), "more than the 448 MiB");
        refused(&raw_png((70_000, 10), 8, 0, &[], &[0]), "more than 65535 on a side");
        let picture = Decoded {
            width: 1,
            height: 65_535,
            pixels: vec![0; 65_535],
            orientation: Orientation::UPRIGHT,
            share: None,
        };
        let error = resize(&picture, 4096, 4096, false).unwrap_err().to_string();
        assert!(error.contains("1x65535"), "{error}");
    }

    #[test]
    fn profiles_and_texts_of_a_png_are_not_unpacked() {
        let plain = raw_png((2, 1), 8, 0, &[], &[0, 7, 9]);
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&vec![0; 64 << 20]).unwrap();
        let packed = packed.finish().unwrap();
        for name in [b"iCCP", b"zTXt", b"iTXt"] {
            let content = [b"name\0\0", &packed[..]].concat();
            let bytes = [&plain[..33], &chunk(*name, &content), &plain[33..]].concat();
            assert_eq!(pixels(&bytes, 1), [7, 9]);
        }
    }

    #[test]
    fn the_canvas_of_a_gif_is_white_where_its_picture_is_not() {
        let mut bytes = b"GIF89a\x03\0\x02\0\x80\0\0\0\0\0\xff\0\0".to_vec();
        // A picture of one red pixel at (1, 1).
        bytes.extend(b",\x01\0\x01\0\x01\0\x01\0\0\x02\x02L\x01\0;");
        let (white, red) = ([255; 3], [255, 0, 0]);
        assert_eq!(pixels(&bytes, 3), [white, white, white, white, red, white].concat());
        assert_eq!(pixels(&bytes, 1), [255, 255, 255, 255, 76, 255]);
    }

    #[test]
    fn sizes_are_in_the_head() {
        for format in LOSSLESS.into_iter().chain([ImageFormat::Gif, ImageFormat::Jpeg]) {
            let bytes = encoded(&gradient(19, 7).into(), format);
            assert_eq!(size(&mut Cursor::new(&bytes)), Some([19, 7]), "{format:?}");
        }
        assert_eq!(size(&mut Cursor::new(b"no picture at all")), None);
        // The lines of a BMP whose height is below 0 go from the top down.
        let mut bmp = encoded(&gradient(19, 7).into(), ImageFormat::Bmp);
        bmp[22..26].copy_from_slice(&(-7i32).to_le_bytes());
        assert_eq!(size(&mut Cursor::new(&bmp)), Some([19, 7]));
        // What fills a JPEG between its segments is passed over.
        let jpeg = encoded(&gradient(19, 7).into(), ImageFormat::Jpeg);
        let at = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
        let filled = [&jpeg[..at], &[0xFF; 7], &jpeg[at..]].concat();
        assert_eq!(size(&mut Cursor::new(&filled)), Some([19, 7]));
    }

    #[test]
    fn grey_is_luma_by_rec_601() {
        for (color, grey) in [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29)] {
            let picture = RgbImage::from_pixel(2, 2, image::Rgb(color));
            assert_eq!(pixels(&encoded(&picture.into(), ImageFormat::Png), 1), [grey; 4]);
        }
    }

    #[test]
    fn grey_of_a_jpeg_is_its_own_luma() {
        let bytes = encoded(&gradient(33, 47).into(), ImageFormat::Jpeg);
        let from_rgb = flat::recolour(pixels(&bytes, 3), 3, 1);
        let stored = pixels(&bytes, 1);
        assert_eq!(stored.len(), 33 * 47);
        assert!(stored.iter().zip(&from_rgb).all(|(a, b)| a.abs_diff(*b) <= 2));
    }

    #[test]
    fn grey_files_become_rgb() {
        let picture = GrayImage::from_fn(8, 8, |x, y| Luma([(x * 8 + y) as u8 * 4]));
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let bytes = encoded(&picture.clone().into(), format);
            let (grey, rgb) = (pixels(&bytes, 1), pixels(&bytes, 3));
            assert_eq!(rgb, grey.iter().flat_map(|c| [*c; 3]).collect::<Vec<_>>());
            assert!(grey.iter().zip(picture.as_raw()).all(|(a, b)| a.abs_diff(*b) < 12));
        }
    }

    #[test]
    fn transparency_is_laid_over_white() {
        let mut picture = RgbaImage::from_pixel(3, 1, Rgba([200, 100, 0, 255]));
        picture.put_pixel(1, 0, Rgba([200, 100, 0, 0]));
        picture.put_pixel(2, 0, Rgba([0, 100, 255, 51]));
        let bytes = encoded(&picture.into(), ImageFormat::Png);
        assert_eq!(pixels(&bytes, 3), [200, 100, 0, 255, 255, 255, 204, 224, 255]);
    }

    #[test]
    fn sixteen_bits_become_eight_by_rounding() {
        let lines = [0, 0x80, 0x80, 0x80, 0xFF, 0x12, 0x12, 0xFF, 0xFF];
        let bytes = raw_png((4, 1), 16, 0, &[], &lines);
        // 0x80FF / 257 = 128.49.
        assert_eq!(pixels(&bytes, 1), [0x80, 0x80, 0x12, 0xFF]);
    }

    #[test]
    fn colours_from_a_table_are_looked_up() {
        let table = [10, 20, 30, 40, 50, 60];
        let bytes = raw_png((3, 1), 8, 3, &table, &[0, 1, 0, 1]);
        assert_eq!(pixels(&bytes, 3), [40, 50, 60, 10, 20, 30, 40, 50, 60]);
    }

    #[test]
    fn the_first_picture_of_an_animation_counts() {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for color in [[255, 0, 0, 255], [0, 0, 255, 255]] {
            let frame = RgbaImage::from_pixel(2, 2, Rgba(color));
            encoder.encode_frame(image::Frame::new(frame)).unwrap();
        }
        drop(encoder);
        assert_eq!(pixels(&bytes, 3), [255, 0, 0].repeat(4));
    }

    #[test]
    fn gigantic_claims_are_refused() {
        refused(&raw_png((20_000, 20_000), 8, 2, &[], &[0]), "20000x20000");
        let mut jpeg = encoded(&gradient(8, 8).into(), ImageFormat::Jpeg);
        let frame = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        jpeg[frame + 5..frame + 9].fill(0xFF);
        refused(&jpeg, "65535x65535");
        let mut bmp = encoded(&gradient(8, 8).into(), ImageFormat::Bmp);
        bmp[18..22].copy_from_slice(&30_000u32.to_le_bytes());
        bmp[22..26].copy_from_slice(&30_000u32.to_le_bytes());
        refused(&bmp, "30000x30000");
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        refused(b"", "empty");
        refused(b"<html>not found</html>", "not a JPEG");
        refused(&[0xFF, 0xD8, 0xFF, 0xE0, 1, 2, 3], "truncated");
    }

    #[test]
    fn heic_and_avif_are_named_with_the_way_to_convert_them() {
        for (brand, name) in [(b"heic", "HEIC"), (b"mif1", "HEIC"), (b"avif", "AVIF")] {
            let bytes = [b"\0\0\0\x18ftyp", &brand[..], b"\0\0\0\0"].concat();
            refused(&bytes, name);
            refused(&bytes, "convert them to JPEG");
        }
        refused(b"\0\0\0\x18ftypmp42\0\0\0\0", "not a JPEG");
    }

    #[test]
    fn a_panic_of_a_decoder_is_an_error() {
        let outcome = guarded(|| -> Result<(), _> { panic!("a test of what a decoder might do") });
        assert!(matches!(outcome, Err(PictureError::Damaged(_))));
    }

    /// A file of a format.
    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// A picture in which every pixel is different and neighbours are alike.
    fn gradient(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 90])
        })
    }

    /// A PNG file from its header fields, colour table and unfiltered lines.
    fn raw_png(size: (u32, u32), depth: u8, kind: u8, table: &[u8], lines: &[u8]) -> Vec<u8> {
        let mut header = [size.0.to_be_bytes(), size.1.to_be_bytes()].concat();
        header.extend([depth, kind, 0, 0, 0]);
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(lines).unwrap();
        let packed = packed.finish().unwrap();
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        for (name, content) in
            [(b"IHDR", &header[..]), (b"PLTE", table), (b"IDAT", &packed), (b"IEND", &[])]
        {
            if name == b"PLTE" && table.is_empty() {
                continue;
            }
            bytes.extend(chunk(*name, content));
        }
        bytes
    }

    /// A chunk of a PNG file.
    fn chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
        let mut crc = Crc::new();
        crc.update(&name);
        crc.update(content);
        let length = (content.len() as u32).to_be_bytes();
        [&length[..], &name, content, &crc.sum().to_be_bytes()].concat()
    }

    /// A JPEG file with an EXIF segment that holds nothing but an orientation.
    fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01".to_vec();
        // Tag 0x0112, type 3 (16 bits), one value, padded to four bytes; no further directory.
        exif.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0]);
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE1];
        bytes.extend((exif.len() as u16 + 2).to_be_bytes());
        bytes.extend(exif);
        bytes.extend(&jpeg[2..]);
        bytes
    }
}
