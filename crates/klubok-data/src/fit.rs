//! A picture of any size, turned upright and brought to the network's shape.
//!
//! Sizes change by convolution with a triangle filter as wide as the reduction ("bilinear with
//! antialiasing", PIL's `BILINEAR`); a picture that has the right size already is not touched.

use std::path::Path;

use klubok_files::bounded;
use klubok_model::Fit;
use klubok_nn::plan::Picture;
use klubok_pictures::{Decoded, FILES, PictureError, decode, resize};

use super::DataError;

/// What [`Fit::Pad`] fills up with: the middle between black and white.
pub const PADDING: u8 = 128;

/// Reads a picture file as the network sees it: `shape.values()` bytes.
///
/// # Errors
/// [`DataError::Unreadable`] when it is missing, no picture, damaged, truncated or far too large.
pub fn read_picture(path: &Path, shape: Picture, fit: Fit) -> crate::Result<Vec<u8>> {
    load(path, shape, fit).map_err(|e| unreadable(&path.display().to_string(), &e))
}

/// The same for a picture file in memory; `name` is what an error calls it.
///
/// # Errors
/// As [`read_picture`].
pub fn picture_from_bytes(
    name: &str,
    bytes: &[u8],
    shape: Picture,
    fit: Fit,
) -> crate::Result<Vec<u8>> {
    let pixels = decode(bytes, shape.channels).and_then(|p| shaped(p, shape, fit));
    pixels.map_err(|e| unreadable(name, &e))
}

fn unreadable(name: &str, e: &PictureError) -> DataError {
    DataError::Unreadable { name: name.into(), reason: e.to_string() }
}

/// [`read_picture`] with the bare reason.
pub(super) fn load(path: &Path, shape: Picture, fit: Fit) -> Result<Vec<u8>, PictureError> {
    // Many threads read, and a file may be large: what they hold at once has a limit.
    let length = bounded::kind(path)?.len().min(bounded::MAX_PICTURE_BYTES);
    let _share = FILES.take(length);
    shaped(decode(&bounded::read(path, bounded::MAX_PICTURE_BYTES)?, shape.channels)?, shape, fit)
}

/// Brings a decoded picture to `shape`, then turns it upright: the other way round costs more.
fn shaped(picture: Decoded, shape: Picture, fit: Fit) -> Result<Vec<u8>, PictureError> {
    let orientation = picture.orientation;
    let (width, height) = if orientation.is_transposed() {
        (shape.height, shape.width)
    } else {
        (shape.width, shape.height)
    };
    let stored = Picture { width, height, ..shape };
    Ok(orientation.apply(resized(picture, stored, fit)?, [width, height], shape.channels))
}

fn resized(picture: Decoded, shape: Picture, fit: Fit) -> Result<Vec<u8>, PictureError> {
    if (picture.width, picture.height) == (shape.width, shape.height) {
        return Ok(picture.pixels);
    }
    match fit {
        Fit::Squash => resize(&picture, shape.width, shape.height, false),
        Fit::Crop => resize(&picture, shape.width, shape.height, true),
        Fit::Pad => {
            let inner = inside(&picture, shape);
            Ok(padded(&resize(&picture, inner.width, inner.height, false)?, inner, shape))
        }
    }
}

/// The largest shape with the picture's aspect inside `shape`.
fn inside(picture: &Decoded, shape: Picture) -> Picture {
    let across = shape.width as f64 / picture.width as f64;
    let down = shape.height as f64 / picture.height as f64;
    let length =
        |n: usize, most: usize| ((n as f64 * across.min(down)).round() as usize).clamp(1, most);
    Picture {
        width: length(picture.width, shape.width),
        height: length(picture.height, shape.height),
        ..shape
    }
}

/// Lays `pixels` of shape `inner` in the middle of `shape`; an odd pixel is at the right or below.
fn padded(pixels: &[u8], inner: Picture, shape: Picture) -> Vec<u8> {
    let (left, top) = ((shape.width - inner.width) / 2, (shape.height - inner.height) / 2);
    let mut out = vec![PADDING; shape.values()];
    let row = inner.width * shape.channels;
    for (y, pixels) in pixels.chunks_exact(row).enumerate() {
        let start = ((top + y) * shape.width + left) * shape.channels;
        out[start..start + row].copy_from_slice(pixels);
    }
    out
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, GrayImage, ImageFormat, metadata};
    use klubok_pictures::Orientation;

    use super::{super::fixtures::*, *};

    const FITS: [Fit; 3] = [Fit::Squash, Fit::Crop, Fit::Pad];

    fn grey(width: usize, height: usize) -> Picture {
        Picture { width, height, channels: 1 }
    }

    /// A grey picture of columns, each of one value, brought to a shape.
    fn columns(values: &[u8], height: usize, shape: Picture, fit: Fit) -> Vec<u8> {
        let picture = Decoded {
            width: values.len(),
            height,
            pixels: values.repeat(height),
            orientation: Orientation::UPRIGHT,
            share: None,
        };
        shaped(picture, shape, fit).unwrap()
    }

    #[test]
    fn a_picture_of_the_right_size_is_not_touched() {
        let picture = gradient(16, 12);
        let bytes = encoded(&picture.clone().into(), ImageFormat::Png);
        let shape = Picture { width: 16, height: 12, channels: 3 };
        for fit in FITS {
            assert_eq!(picture_from_bytes("x", &bytes, shape, fit).unwrap(), *picture.as_raw());
        }
    }

    #[test]
    fn crop_keeps_the_middle() {
        assert_eq!(columns(&[0, 9, 9, 0], 2, grey(2, 2), Fit::Crop), [9; 4]);
        assert_eq!(columns(&[0, 0, 7, 7, 7, 7, 7, 7, 0, 0], 4, grey(2, 2), Fit::Crop), [7; 4]);
    }

    #[test]
    fn squash_keeps_all_of_it() {
        // Triangle filter, two pixels to each side: weights 1, 3, 3, 1, of which 1 falls off the
        // edge.
        let (near, far) = ((3.0 * 70.0 + 3.0 * 70.0 + 140.0) / 7.0, (70.0 + 6.0 * 140.0) / 7.0);
        let expected = [near, far].map(|v: f64| v.round() as u8);
        let out = columns(&[70, 70, 140, 140], 2, grey(2, 2), Fit::Squash);
        assert_eq!(out, [expected, expected].concat());
    }

    #[test]
    fn pad_fills_up_with_grey() {
        let out = columns(&[9, 9, 9, 9], 2, grey(4, 4), Fit::Pad);
        let expected = [[PADDING; 4], [9; 4], [9; 4], [PADDING; 4]].concat();
        assert_eq!(out, expected);
    }

    #[test]
    fn extreme_aspects_fit() {
        for (width, height) in [(1, 1000), (1000, 1), (1, 1), (33, 47)] {
            let bytes = encoded(&gradient(width, height).into(), ImageFormat::Png);
            for (fit, channels) in FITS.into_iter().flat_map(|f| [(f, 1), (f, 3)]) {
                let shape = Picture { width: 64, height: 64, channels };
                let out = picture_from_bytes("x", &bytes, shape, fit).unwrap();
                assert_eq!(out.len(), shape.values(), "{width}x{height} {fit:?}");
            }
        }
    }

    #[test]
    fn every_orientation_is_turned_upright() {
        let stored = GrayImage::from_fn(24, 16, |x, y| image::Luma([(x * 10 + y) as u8]));
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let mut upright = DynamicImage::ImageLuma8(stored.clone());
            upright.apply_orientation(metadata::Orientation::from_exif(exif).unwrap());
            let shape = grey(upright.width() as usize, upright.height() as usize);
            let pixels = stored.as_raw().clone();
            let picture = Decoded { width: 24, height: 16, pixels, orientation, share: None };
            let out = shaped(picture, shape, Fit::Squash).unwrap();
            assert_eq!(&out, upright.into_luma8().as_raw(), "orientation {exif}");
        }
    }

    #[test]
    fn an_unreadable_file_is_named() {
        let folder = folder(&[("a.jpg", b"no picture")]);
        let read = |name| read_picture(&folder.path().join(name), grey(4, 4), Fit::Crop);
        let damaged = read("a.jpg").unwrap_err().to_string();
        assert!(damaged.contains("a.jpg` cannot be read: it is not a JPEG"), "{damaged}");
        let missing = read("b.jpg").unwrap_err().to_string();
        assert!(missing.contains("b.jpg") && missing.contains("No such file"), "{missing}");
    }
}
