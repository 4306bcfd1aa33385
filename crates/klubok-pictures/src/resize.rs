//! Pictures of another size.

use fast_image_resize::{
    FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::{U8, U8x3},
};

use crate::{Decoded, PictureError, budget::RESIZING};

/// Stretches a picture to `width` x `height`, or with `crop` cuts the largest part of that aspect
/// out of its middle first. Sizes change by convolution with a triangle filter as wide as the
/// reduction.
///
/// # Errors
/// When a size is 0 or the pixels do not fill the picture.
pub fn resize(
    picture: &Decoded,
    width: usize,
    height: usize,
    crop: bool,
) -> Result<Vec<u8>, PictureError> {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let options = if crop { options.fit_into_destination(None) } else { options };
    if picture.pixels.len() == picture.width * picture.height {
        resized::<U8>(picture, [width, height], &options)
    } else {
        resized::<U8x3>(picture, [width, height], &options)
    }
}

/// The same for one kind of pixels: `Resizer::resize`, which asks for the kind, compiles all that
/// there are.
fn resized<P: PixelTrait>(
    picture: &Decoded,
    [width, height]: [usize; 2],
    options: &ResizeOptions,
) -> Result<Vec<u8>, PictureError> {
    let damaged = |e: &dyn std::fmt::Display| PictureError::Damaged(e.to_string());
    // Lines are stretched first: as many as there were, as long as they shall be.
    let between = (width * picture.height * size_of::<P>()) as u64;
    let (across, down) = (picture.width as u64, picture.height as u64);
    let too_much = PictureError::TooMuch { width: across, height: down, mib: between >> 20 };
    let _share = RESIZING.take(between).ok_or(too_much)?;
    let (stored_width, stored_height) = (picture.width as u32, picture.height as u32);
    let from = TypedImageRef::<P>::from_buffer(stored_width, stored_height, &picture.pixels)
        .map_err(|e| damaged(&e))?;
    let mut pixels = vec![0; width * height * size_of::<P>()];
    let mut to = TypedImage::<P>::from_buffer(width as u32, height as u32, &mut pixels)
        .map_err(|e| damaged(&e))?;
    Resizer::new().resize_typed(&from, &mut to, options).map_err(|e| damaged(&e))?;
    drop(to);
    Ok(pixels)
}
