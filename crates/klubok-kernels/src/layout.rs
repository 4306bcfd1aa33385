//! Moving values between layouts: rows of one feature each, samples side by side, and panels of 16 features.
//!
//! A panel holds 16 features: `panel[sample * 16 + feature]`. It is what the gradient of a weight reads, 16 inputs in the
//! lanes of a vector; rows are what the forward pass reads, 16 samples in the lanes.

use crate::{isa::kernel, product::GROUP};

kernel! {
    /// Writes a panel from up to 16 rows that are `stride` apart; lanes without a row stay as they are.
    ///
    /// # Panics
    /// When a row or the panel is shorter than `samples`.
    pub fn rows_to_panel(panel: &mut [f32], rows: &[f32], stride: usize, samples: usize) {
        let (panel, _) = panel.as_chunks_mut::<GROUP>();
        for (feature, row) in rows.chunks(stride).take(GROUP).enumerate() {
            for (panel, x) in panel[..samples].iter_mut().zip(&row[..samples]) {
                panel[feature] = *x;
            }
        }
    }
}

kernel! {
    /// Writes up to 16 rows, `stride` apart, from a panel.
    ///
    /// # Panics
    /// When a row or the panel is shorter than `samples`.
    pub fn panel_to_rows(rows: &mut [f32], panel: &[f32], stride: usize, samples: usize) {
        let (panel, _) = panel.as_chunks::<GROUP>();
        for (feature, row) in rows.chunks_mut(stride).take(GROUP).enumerate() {
            for (x, panel) in row[..samples].iter_mut().zip(&panel[..samples]) {
                *x = panel[feature];
            }
        }
    }
}

kernel! {
    /// `x = stored · factor + offset` for one sample whose values are bytes.
    pub fn from_bytes(x: &mut [f32], stored: &[u8], factor: &[f32], offset: &[f32]) {
        for ((x, stored), (factor, offset)) in x.iter_mut().zip(stored).zip(factor.iter().zip(offset)) {
            *x = f32::from(*stored) * factor + offset;
        }
    }
}

kernel! {
    /// `x = stored · factor + offset` for one sample whose values are f32 in native byte order.
    pub fn from_numbers(x: &mut [f32], stored: &[u8], factor: &[f32], offset: &[f32]) {
        let (stored, _) = stored.as_chunks::<4>();
        for ((x, stored), (factor, offset)) in x.iter_mut().zip(stored).zip(factor.iter().zip(offset)) {
            *x = f32::from_ne_bytes(*stored) * factor + offset;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    #[test]
    fn panels_and_rows_turn_into_each_other() {
        let stride = 40;
        for (features, samples) in [(16, 40), (3, 17), (1, 1), (16, 5)] {
            let rows: Vec<f32> = (0..features * stride).map(|i| i as f32).collect();
            for isa in Isa::available() {
                let mut panel = vec![-1.0; GROUP * 40];
                rows_to_panel(isa, &mut panel, &rows, stride, samples);
                for (i, &x) in panel.iter().enumerate() {
                    let (sample, feature) = (i / GROUP, i % GROUP);
                    let inside = sample < samples && feature < features;
                    assert_eq!(x, if inside { rows[feature * stride + sample] } else { -1.0 });
                }
                let mut back = vec![-1.0; rows.len()];
                panel_to_rows(isa, &mut back, &panel, stride, samples);
                for (i, &x) in back.iter().enumerate() {
                    assert_eq!(x, if i % stride < samples { rows[i] } else { -1.0 });
                }
            }
        }
    }

    #[test]
    fn stored_values_are_scaled() {
        let (factor, offset) = ([0.5, 2.0, 1.0], [1.0, 0.0, -1.0]);
        let numbers: Vec<u8> = [4.0f32, 3.0, 2.5].iter().flat_map(|x| x.to_ne_bytes()).collect();
        for isa in Isa::available() {
            let mut x = [0.0; 3];
            from_bytes(isa, &mut x, &[10, 20, 255], &factor, &offset);
            assert_eq!(x, [6.0, 40.0, 254.0]);
            from_numbers(isa, &mut x, &numbers, &factor, &offset);
            assert_eq!(x, [3.0, 6.0, 1.5]);
        }
    }
}
