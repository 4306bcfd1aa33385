//! Pixels of every kind become 8-bit grey or RGB, in the place where they lie.

/// Values of a pixel as they are decoded: grey or RGB, each with alpha or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Values a pixel: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    pub(crate) samples: usize,
    /// Bytes a value, 1 or 2, in the byte order of the machine.
    pub(crate) bytes: usize,
}

impl Layout {
    /// Values of a pixel without alpha: 1 or 3.
    pub(crate) fn colours(self) -> usize {
        if self.samples > 2 { 3 } else { 1 }
    }
}

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
pub(crate) fn bytes(pixels: usize, layout: Layout, channels: usize) -> (usize, usize) {
    let beside = if layout.colours() == 3 || channels == 1 { 0 } else { pixels * channels };
    (pixels * layout.samples * layout.bytes, beside)
}

/// Pixels of `channels` values of 8 bits; 16 bits are rounded.
pub(crate) fn flat(mut pixels: Vec<u8>, layout: Layout, alpha: Alpha, channels: usize) -> Vec<u8> {
    if layout.bytes == 2 {
        narrow(&mut pixels);
    }
    match layout.samples {
        2 => lay::<2>(&mut pixels, alpha),
        4 => lay::<4>(&mut pixels, alpha),
        _ => {}
    }
    recolour(pixels, layout.colours(), channels)
}

/// From 16 bits to 8 by rounding.
pub(crate) fn from_short(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

/// From 0 to 1 to a byte; what is no number is white, as in browsers.
pub(crate) fn from_float(value: f32) -> u8 {
    if value < 1.0 { (value.max(0.0) * 255.0).round() as u8 } else { 255 }
}

/// Values of 16 bits become bytes.
fn narrow(pixels: &mut Vec<u8>) {
    let values = pixels.len() / 2;
    for i in 0..values {
        pixels[i] = from_short(u16::from_ne_bytes([pixels[2 * i], pixels[2 * i + 1]]));
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
        let laid = |alpha| flat(half.clone(), Layout { samples: 4, bytes: 1 }, alpha, 3);
        assert_eq!(laid(Alpha::OverWhite), [177, 152, 127]);
        assert_eq!(laid(Alpha::Multiplied), [227, 177, 127]);
        assert_eq!(laid(Alpha::Ignored), [100, 50, 0]);
    }

    #[test]
    fn floating_point_is_cut_and_rounded() {
        let values = [-1.0, 0.0, 0.5, 1.0, 7.0, f32::NAN];
        assert_eq!(values.map(from_float), [0, 0, 128, 255, 255, 255]);
    }
}
