//! Pixels of every kind become 8-bit grey or RGB, in the place where they lie.

use image::ColorType;

/// What the last value of a pixel means, where there is one beside grey or colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpha {
    /// How much of the pixel covers white.
    OverWhite,
    /// The same, and the other values are multiplied by it already.
    Multiplied,
    /// Nothing.
    Ignored,
}

/// Bytes that `pixels` pixels take as they are stored, and bytes that [`flat`] takes beside them.
pub(crate) fn bytes(pixels: usize, color: ColorType, channels: usize) -> (usize, usize) {
    let beside = if color.has_color() || channels == 1 { 0 } else { pixels * channels };
    (pixels * usize::from(color.bytes_per_pixel()), beside)
}

/// Pixels of `channels` values: 16 bits and floating point become 8 bits by rounding.
pub(crate) fn flat(
    mut pixels: Vec<u8>,
    color: ColorType,
    alpha: Alpha,
    channels: usize,
) -> Vec<u8> {
    let samples = color.channel_count();
    match color.bytes_per_pixel() / samples {
        1 => {}
        2 => narrow(&mut pixels, |v| ((u32::from(u16::from_ne_bytes(v)) + 128) / 257) as u8),
        _ => narrow(&mut pixels, |v| from_float(f32::from_ne_bytes(v))),
    }
    match samples {
        2 => lay::<2>(&mut pixels, alpha),
        4 => lay::<4>(&mut pixels, alpha),
        _ => {}
    }
    recolour(pixels, if color.has_color() { 3 } else { 1 }, channels)
}

/// What is no number is white, as in browsers.
fn from_float(value: f32) -> u8 {
    if value < 1.0 { (value.max(0.0) * 255.0).round() as u8 } else { 255 }
}

/// Values of `N` bytes become one byte.
fn narrow<const N: usize>(pixels: &mut Vec<u8>, value: impl Fn([u8; N]) -> u8) {
    let values = pixels.len() / N;
    for i in 0..values {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&pixels[i * N..(i + 1) * N]);
        pixels[i] = value(bytes);
    }
    pixels.truncate(values);
}

/// Pixels of `N` values, the last of them alpha, lose it.
fn lay<const N: usize>(pixels: &mut Vec<u8>, alpha: Alpha) {
    let count = pixels.len() / N;
    for i in 0..count {
        let opacity = u32::from(pixels[i * N + N - 1]);
        for c in 0..N - 1 {
            let value = u32::from(pixels[i * N + c]);
            let over = match alpha {
                Alpha::OverWhite => (value * opacity + 255 * (255 - opacity) + 127) / 255,
                Alpha::Multiplied => (value + 255 - opacity).min(255),
                Alpha::Ignored => value,
            };
            pixels[i * (N - 1) + c] = over as u8;
        }
    }
    pixels.truncate(count * (N - 1));
}

/// From 1 or 3 values a pixel to 1 or 3.
pub(crate) fn recolour(mut pixels: Vec<u8>, from: usize, to: usize) -> Vec<u8> {
    match (from, to) {
        (1, 3) => {
            let mut out = Vec::with_capacity(3 * pixels.len());
            pixels.iter().for_each(|&c| out.extend([c; 3]));
            out
        }
        (3, 1) => {
            let count = pixels.len() / 3;
            for i in 0..count {
                pixels[i] = luma(pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]);
            }
            pixels.truncate(count);
            pixels
        }
        _ => pixels,
    }
}

/// Rec. 601 luma in 16-bit fixed point, rounded: the arithmetic of PIL's `convert("L")`.
pub(crate) fn luma(r: u8, g: u8, b: u8) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_that_is_multiplied_in_already_is_not_multiplied_again() {
        let half = vec![100, 50, 0, 128];
        let laid = |alpha| flat(half.clone(), ColorType::Rgba8, alpha, 3);
        assert_eq!(laid(Alpha::OverWhite), [177, 152, 127]);
        assert_eq!(laid(Alpha::Multiplied), [227, 177, 127]);
        assert_eq!(laid(Alpha::Ignored), [100, 50, 0]);
    }

    #[test]
    fn floating_point_is_cut_and_rounded() {
        let values = [-1.0, 0.0, 0.5, 1.0, 7.0, f32::NAN];
        let bytes = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
        assert_eq!(flat(bytes, ColorType::Rgb32F, Alpha::Ignored, 3), [0, 0, 128, 255, 255, 255]);
    }
}
