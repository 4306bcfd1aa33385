//! How a picture is turned upright, as cameras write it.

/// The turn and mirroring that bring a stored picture upright (EXIF tag 0x0112).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orientation {
    /// Rows become columns.
    transposed: bool,
    /// Columns are stored from right to left.
    mirrored_x: bool,
    /// Rows are stored from bottom to top.
    mirrored_y: bool,
}

impl Orientation {
    /// Pixels are stored as they are shown.
    pub const UPRIGHT: Self = Self { transposed: false, mirrored_x: false, mirrored_y: false };

    /// Reads the value of the tag, 1 to 8.
    pub fn from_exif(value: u8) -> Option<Self> {
        let (transposed, mirrored_x, mirrored_y) = match value {
            1 => (false, false, false),
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, false, true),
            7 => (true, true, true),
            8 => (true, true, false),
            _ => return None,
        };
        Some(Self { transposed, mirrored_x, mirrored_y })
    }

    /// Finds the tag in the first directory of an EXIF block, which is a small TIFF file.
    pub(crate) fn from_exif_block(block: &[u8]) -> Option<Self> {
        let is_big_endian = match block.first_chunk()? {
            b"MM\0*" => true,
            b"II*\0" => false,
            _ => return None,
        };
        let short = |at: usize| {
            let bytes = *block.get(at..)?.first_chunk()?;
            Some(if is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
        };
        let long = |at: usize| {
            let bytes = *block.get(at..)?.first_chunk()?;
            Some(if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
        };
        let directory = long(4)? as usize;
        let entries = usize::from(short(directory)?);
        let entry = (0..entries).map(|i| directory + 2 + 12 * i).find(|&at| {
            // One value of 16 bits.
            (short(at), short(at + 2), long(at + 4)) == (Some(0x0112), Some(3), Some(1))
        })?;
        Self::from_exif(u8::try_from(short(entry + 8)?).ok()?)
    }

    /// True when width and height change places.
    pub fn is_transposed(self) -> bool {
        self.transposed
    }

    /// Turns pixels upright that are stored as `[height][width][channels]`.
    pub fn apply(self, pixels: Vec<u8>, [width, height]: [usize; 2], channels: usize) -> Vec<u8> {
        if self == Self::UPRIGHT {
            return pixels;
        }
        let (across, down) = if self.transposed { (height, width) } else { (width, height) };
        let mut upright = Vec::with_capacity(pixels.len());
        for y in 0..down {
            for x in 0..across {
                let (x, y) = if self.transposed { (y, x) } else { (x, y) };
                let x = if self.mirrored_x { width - 1 - x } else { x };
                let y = if self.mirrored_y { height - 1 - y } else { y };
                let at = (y * width + x) * channels;
                upright.extend_from_slice(&pixels[at..at + channels]);
            }
        }
        upright
    }
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, GrayImage, RgbImage, metadata};

    use super::*;

    #[test]
    fn all_eight_agree_with_another_implementation() {
        for (value, channels) in (1..=8).flat_map(|value| [(value, 1), (value, 3)]) {
            let (width, height) = (3, 2);
            let pixels: Vec<u8> = (0..width * height * channels).map(|i| i as u8).collect();
            let mut image = if channels == 1 {
                DynamicImage::from(GrayImage::from_raw(3, 2, pixels.clone()).unwrap())
            } else {
                DynamicImage::from(RgbImage::from_raw(3, 2, pixels.clone()).unwrap())
            };
            image.apply_orientation(metadata::Orientation::from_exif(value).unwrap());
            let orientation = Orientation::from_exif(value).unwrap();
            assert_eq!(orientation.apply(pixels, [width, height], channels), image.as_bytes());
            assert_eq!(orientation.is_transposed(), image.width() == 2, "{value}");
        }
        assert_eq!((Orientation::from_exif(0), Orientation::from_exif(9)), (None, None));
    }

    #[test]
    fn the_tag_is_found_in_either_byte_order_and_damage_is_no_panic() {
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0";
        let little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";
        for block in [big, little] {
            assert_eq!(Orientation::from_exif_block(block), Orientation::from_exif(6));
            for length in 0..20 {
                assert_eq!(Orientation::from_exif_block(&block[..length.min(18)]), None);
            }
        }
        assert_eq!(Orientation::from_exif_block(b"MM\0*\xff\xff\xff\xff"), None);
    }
}
