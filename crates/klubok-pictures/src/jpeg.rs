//! JPEG: grey straight from the stored luma, and damage is an error.
//!
//! What libjpeg reads whole is read: bytes between segments are passed over, and the end marker may
//! be missing when everything before it is there.

use std::hash::{DefaultHasher, Hash, Hasher};

use zune_jpeg::{
    JpegDecoder,
    errors::DecodeErrors,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use crate::{Decoded, Orientation, PictureError, check_size, flat::recolour, room};

/// Markers: end of the picture, start of a scan, number of lines.
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DNL: u8 = 0xDC;

/// Most pixels of all scans together: a few bytes may stand for a scan of a hundred megapixels.
const MOST_WORK: usize = 2_000_000_000;

pub(crate) fn decode(bytes: &[u8], channels: usize) -> Result<Decoded, PictureError> {
    let read = if is_complete(bytes) {
        strictly(bytes, channels, 0)
    } else {
        head(bytes).map_or(Ok(()), |h| check_size(h.width as u64, h.height as u64))?;
        Err(PictureError::Truncated)
    };
    match read {
        Err(PictureError::Damaged(_) | PictureError::Truncated) => {
            let tidy = Tidy::of(bytes).and_then(|tidy| tidy.decode(channels));
            tidy.map_or(read, Ok)
        }
        read => read,
    }
}

/// Pixels across and down, from the segments before the first scan.
pub(crate) fn size(bytes: &[u8]) -> Option<[u32; 2]> {
    head(bytes).map(|head| [head.width as u32, head.height as u32])
}

/// Bytes that decoding takes at most, without a change of colours.
pub(crate) fn bytes_needed(bytes: &[u8]) -> Option<usize> {
    let head = head(bytes)?;
    Some(head.width * head.height * head.sampling.len() + head.coefficients())
}

/// Decodes a file in which nothing is missing and nothing is too much, with `beside` bytes in use
/// for it already.
fn strictly(bytes: &[u8], channels: usize, beside: usize) -> Result<Decoded, PictureError> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) = decoder.dimensions().ok_or(PictureError::NoPixels)?;
    check_size(width as u64, height as u64)?;
    let stored = match (decoder.input_colorspace(), channels) {
        (Some(ColorSpace::Luma), _) | (Some(ColorSpace::YCbCr), 1) => 1,
        _ => 3,
    };
    let count = width * height;
    let same = |head: &Head| [head.width, head.height] == [width, height];
    let head = head(bytes).filter(same);
    if head.as_ref().is_some_and(|head| head.least() > bytes.len() - head.length) {
        return Err(PictureError::Truncated);
    }
    let coefficients = head.as_ref().map_or(16 * count, Head::coefficients);
    // Profiles and other things about the picture are copied.
    let beside = beside + head.map_or(bytes.len(), |head| head.length);
    let recoloured = if stored < channels { channels * count } else { 0 };
    let lines = 512 * width;
    let all = stored * count + recoloured + coefficients + lines + beside;
    let share = room(width, height, all)?;

    let out = if stored == 1 { ColorSpace::Luma } else { ColorSpace::RGB };
    let scans = (MOST_WORK / count).min(options.jpeg_get_max_scans());
    decoder.set_options(options.jpeg_set_out_colorspace(out).jpeg_set_max_scans(scans));
    let pixels = decoder.decode().map_err(damaged)?;
    let exif = decoder.exif().and_then(|chunk| Orientation::from_exif_block(chunk));
    let orientation = exif.unwrap_or_default();
    let pixels = recolour(pixels, stored, channels);
    Ok(Decoded { width, height, pixels, orientation, share: Some(share) })
}

fn damaged(error: DecodeErrors) -> PictureError {
    match error {
        DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => PictureError::Truncated,
        DecodeErrors::Format(reason) => PictureError::Damaged(reason.trim_end().into()),
        DecodeErrors::FormatStatic(reason) => PictureError::Damaged(reason.into()),
        e => PictureError::Damaged(e.to_string()),
    }
}

/// True when an end marker follows the first scan: a decoder fills up with grey what is missing.
///
/// Inside the coded data a byte 0xFF is never followed by 0xD9; thumbnails end before the first
/// scan.
fn is_complete(bytes: &[u8]) -> bool {
    let mut segments = Segments { bytes, at: 2 };
    let scan = segments.find(|segment| segment.marker == SOS);
    scan.is_some() && bytes[segments.at..].windows(2).any(|pair| pair == [0xFF, EOI])
}

/// A piece of a file from one marker on.
struct Segment<'a> {
    marker: u8,
    /// What follows the marker, the length first; nothing where the marker stands alone.
    content: &'a [u8],
}

/// The segments of a file, without what lies between them. It ends where a segment is cut.
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        let rest = self.bytes.get(self.at..)?;
        let is_marker = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF);
        let start = rest.windows(2).position(is_marker)?;
        let (marker, rest) = (rest[start + 1], &rest[start + 2..]);
        let length = match marker {
            0x01 | 0xD0..=EOI => 0,
            _ => usize::from(u16::from_be_bytes(*rest.first_chunk()?)),
        };
        self.at += start + 2 + length;
        Some(Segment { marker, content: rest.get(..length)? })
    }
}

impl<'a> Segments<'a> {
    /// The coded data here, up to a marker that does not belong to it.
    fn coded(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let ends = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xD0..=0xD7 | 0xFF);
        let end = rest.windows(2).position(ends).unwrap_or(rest.len());
        self.at += end;
        let mut data = &rest[..end];
        while let [before @ .., 0xFF] = data {
            data = before;
        }
        data
    }
}

/// What stands before the first scan.
#[derive(Default)]
struct Head {
    width: usize,
    height: usize,
    progressive: bool,
    /// Name and number of blocks across and down of each component.
    sampling: Vec<[u8; 3]>,
    /// Components in the first scan.
    in_first_scan: usize,
    /// Bytes up to the first scan.
    length: usize,
}

impl Head {
    /// Reads a segment that starts a frame.
    fn start(&mut self, marker: u8, content: &[u8]) -> Option<()> {
        let [_, _, _, high, low, left, right, _, components @ ..] = content else { return None };
        self.progressive = marker == 0xC2;
        self.height = usize::from(u16::from_be_bytes([*high, *low]));
        self.width = usize::from(u16::from_be_bytes([*left, *right]));
        let blocks = |c: &[u8]| [c[0], c[1] >> 4, c[1] & 15];
        self.sampling = components.chunks_exact(3).map(blocks).collect();
        Some(())
    }

    /// Bytes of coded data at the least: a bit for the mean of each block of 64 pixels, and where
    /// its coefficients follow at once another one for their end. What has fewer is decoded to
    /// nothing for seconds.
    fn least(&self) -> usize {
        let bits = if self.progressive { 1 } else { 2 };
        self.width * self.height / 64 * bits / 8
    }

    /// Bytes of the coefficients of all blocks, where they must be kept until the last scan.
    fn coefficients(&self) -> usize {
        if !self.progressive && self.in_first_scan == self.sampling.len() {
            return 0;
        }
        let most = |i: usize| self.sampling.iter().map(|c| usize::from(c[i])).max().unwrap_or(1);
        let units = |pixels: usize, most: usize| pixels.div_ceil(8 * most.max(1));
        let units = units(self.width, most(1)) * units(self.height, most(2));
        let blocks: usize = self.sampling.iter().map(|c| usize::from(c[1] * c[2])).sum();
        units * blocks * 64 * size_of::<i16>()
    }
}

/// The head of a file: none without the start of a frame.
fn head(bytes: &[u8]) -> Option<Head> {
    let mut head = Head::default();
    let mut segments = Segments { bytes, at: 2 };
    while let Some(Segment { marker, content }) = segments.next() {
        match marker {
            0xC0..=0xC2 if head.sampling.is_empty() => head.start(marker, content)?,
            SOS => {
                head.in_first_scan = usize::from(*content.get(2)?);
                head.length = segments.at;
                break;
            }
            _ => {}
        }
    }
    Some(head).filter(|head| !head.sampling.is_empty())
}

/// A file without what lies between its segments and after its end.
struct Tidy {
    bytes: Vec<u8>,
    /// True when the end marker was there.
    ended: bool,
    /// True when the scans hold all bits of all coefficients.
    whole: bool,
}

impl Tidy {
    /// None where that is the file itself.
    fn of(bytes: &[u8]) -> Option<Self> {
        let head = head(bytes)?;
        let mut tidy = Self { bytes: vec![0xFF, 0xD8], ended: false, whole: false };
        // The lowest bit that is there of each coefficient of each component.
        let mut lowest = vec![[u8::MAX; 64]; head.sampling.len()];
        let mut segments = Segments { bytes, at: 2 };
        while let Some(Segment { marker, content }) = segments.next() {
            match marker {
                EOI => {
                    tidy.ended = true;
                    break;
                }
                0x01 | 0xD0..=0xD8 | DNL => continue,
                _ => {}
            }
            tidy.bytes.extend([0xFF, marker]);
            tidy.bytes.extend(content);
            if marker == SOS {
                head.note(content, &mut lowest)?;
                tidy.bytes.extend(segments.coded());
            }
        }
        tidy.whole = lowest.iter().flatten().all(|&bit| bit == 0);
        let rest = bytes.strip_prefix(&tidy.bytes[..]);
        let as_it_was = tidy.ended && rest.is_some_and(|rest| rest.starts_with(&[0xFF, EOI]));
        Some(tidy).filter(|_| !as_it_was)
    }

    /// Without an end marker it is whole when nothing that might follow changes a pixel.
    fn decode(mut self, channels: usize) -> Option<Decoded> {
        let length = self.bytes.len();
        let mut with = |more: &[u8]| {
            self.bytes.truncate(length);
            self.bytes.extend(more);
            self.bytes.extend([0xFF, EOI]);
            strictly(&self.bytes, channels, self.bytes.len()).ok()
        };
        if self.ended {
            return with(&[]);
        }
        if !self.whole {
            return None;
        }
        let hash = |picture: &Decoded| {
            let mut hasher = DefaultHasher::new();
            picture.pixels.hash(&mut hasher);
            hasher.finish()
        };
        let others = [[0xAA; 64], [0x55; 64]];
        let [a, b] = others.map(|more| with(&more).map(|picture| hash(&picture)));
        let picture = with(&[])?;
        (a == Some(hash(&picture)) && a == b).then_some(picture)
    }
}

impl Head {
    /// Notes which bits a scan holds.
    fn note(&self, content: &[u8], lowest: &mut [[u8; 64]]) -> Option<()> {
        let (&count, rest) = content.get(2..)?.split_first()?;
        let components = rest.get(..2 * usize::from(count))?.chunks_exact(2);
        let &[first, last, bits] = rest.get(2 * usize::from(count)..)?.first_chunk()?;
        let (range, bit) =
            if self.progressive { (first.min(63)..=last.min(63), bits & 15) } else { (0..=63, 0) };
        for name in components.map(|c| c[0]) {
            let place = self.sampling.iter().position(|c| c[0] == name)?;
            let (from, to) = (usize::from(*range.start()), usize::from(*range.end()));
            lowest[place].get_mut(from..=to)?.fill(bit);
        }
        Some(())
    }
}
