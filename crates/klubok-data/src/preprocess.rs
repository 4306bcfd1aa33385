//! Measures the preprocessing on the training set: mean and deviation of each channel or column.

use klubok_model::{Fit, Input, Preprocessing, Target};
use klubok_nn::rows::{Field, Rows};

use super::{DataError, Dataset, Targets, pictures::zeros};
use crate::error::Result;

/// Maximum rows per block.
const BLOCK_ROWS: usize = 256;
/// Maximum bytes per block, unless a single row is larger.
const BLOCK_BYTES: usize = 64 << 20;

/// Measures mean and standard deviation over the training set; reads no other row.
///
/// Sums are in f64 in the order of the rows, so the same rows give the same bits.
///
/// # Errors
/// [`DataError::NotFinite`] for a NaN or infinite value; when rows cannot be read.
pub fn measure(data: &Dataset, fit: Fit) -> Result<Preprocessing> {
    let (mean, std) = measure_input(&*data.rows, &data.input, &data.parts.train)?;
    let target = (!data.columns.is_empty()).then(|| measure_target(data));
    Ok(Preprocessing { input: data.input.clone(), fit, mean, std, target })
}

/// Measures means and standard deviations of the inputs, one per channel or column.
fn measure_input(rows: &dyn Rows, input: &Input, train: &[u32]) -> Result<(Vec<f32>, Vec<f32>)> {
    let measured = match input {
        Input::Pictures(shape) => measure_pixels(rows, shape.channels, train)?,
        Input::Columns(names) => measure_numbers(rows, names, train)?,
    };
    Ok(measured.into_iter().unzip())
}

/// Measures the scale of the target, if it is numbers.
fn measure_target(data: &Dataset) -> Target {
    let columns = data.columns.clone();
    let Targets::Numbers(values) = &data.targets else {
        return Target { columns, mean: Vec::new(), std: Vec::new() };
    };
    let (outputs, train) = (data.outputs.len(), &data.parts.train);
    let n = train.len().max(1) as f64;
    let measured = (0..outputs).map(|output| {
        let of = |&row: &u32| f64::from(values[row as usize * outputs + output]);
        let mean = train.iter().map(of).sum::<f64>() / n;
        let variance = train.iter().map(|row| (of(row) - mean).powi(2)).sum::<f64>() / n;
        let range = train
            .iter()
            .map(of)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |range, y| (range.0.min(y), range.1.max(y)));
        (mean as f32, deviation(variance, range))
    });
    let (mean, std) = measured.unzip();
    Target { columns, mean, std }
}

/// Measures mean and standard deviation per channel from exact counts of the 256 values.
fn measure_pixels(rows: &dyn Rows, channels: usize, train: &[u32]) -> Result<Vec<(f32, f32)>> {
    let mut counts = vec![[0u64; 256]; channels];
    each_row(rows, train, |_, bytes| {
        for pixel in bytes.chunks_exact(channels) {
            for (counts, &value) in counts.iter_mut().zip(pixel) {
                counts[usize::from(value)] += 1;
            }
        }
        Ok(())
    })?;
    let measured = |counts: &[u64; 256]| {
        let n = counts.iter().sum::<u64>().max(1) as f64;
        let weighted = |f: &dyn Fn(f64) -> f64| {
            (0u8..=255).zip(counts).map(|(v, &count)| count as f64 * f(v.into())).sum::<f64>() / n
        };
        let mean = weighted(&|v| v);
        let std = weighted(&|v| (v - mean).powi(2)).sqrt();
        (mean as f32, if std > 0.0 { std as f32 } else { 1.0 })
    };
    Ok(counts.iter().map(measured).collect())
}

/// Measures mean and standard deviation per column, in two passes.
fn measure_numbers(rows: &dyn Rows, names: &[String], train: &[u32]) -> Result<Vec<(f32, f32)>> {
    let n = train.len().max(1) as f64;
    let mut sum = vec![0.0; names.len()];
    let mut range = vec![(f64::INFINITY, f64::NEG_INFINITY); names.len()];
    each_row(rows, train, |row, bytes| {
        for (column, x) in numbers(bytes).enumerate() {
            if !x.is_finite() {
                let column = names.get(column).cloned().unwrap_or_default();
                return Err(DataError::NotFinite { row, column, value: x });
            }
            let x = f64::from(x);
            sum[column] += x;
            range[column] = (range[column].0.min(x), range[column].1.max(x));
        }
        Ok(())
    })?;
    let mean: Vec<f64> = sum.iter().map(|sum| sum / n).collect();
    let mut squares = vec![0.0; names.len()];
    each_row(rows, train, |_, bytes| {
        for ((squares, mean), x) in squares.iter_mut().zip(&mean).zip(numbers(bytes)) {
            *squares += (f64::from(x) - mean).powi(2);
        }
        Ok(())
    })?;
    let std = squares.iter().zip(range).map(|(squares, range)| deviation(squares / n, range));
    Ok(mean.iter().map(|mean| *mean as f32).zip(std).collect())
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]]))
}

/// Returns the standard deviation, or 1 if all values are the same (the mean's rounding error must
/// not be amplified) or so close that the factor would be infinite.
fn deviation<T: PartialOrd>(variance: f64, (min, max): (T, T)) -> f32 {
    let std = variance.sqrt() as f32;
    if min >= max || !(1.0 / std).is_finite() { 1.0 } else { std }
}

/// Calls `visit` with the index and stored input of each of `which` rows, in order.
pub(super) fn each_row(
    rows: &dyn Rows,
    which: &[u32],
    mut visit: impl FnMut(u32, &[u8]) -> Result<()>,
) -> Result<()> {
    let width = rows.fields()[Field::X.0].bytes();
    let block_rows = (BLOCK_BYTES / width.max(1)).clamp(1, BLOCK_ROWS).min(which.len());
    let mut bytes = zeros(block_rows, width)?;
    for block in which.chunks(block_rows.max(1)) {
        let bytes = &mut bytes[..block.len() * width];
        rows.gather(Field::X, block, bytes)?;
        for (&row, bytes) in block.iter().zip(bytes.chunks_exact(width)) {
            visit(row, bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use klubok_nn::{
        plan::{Augment, Picture},
        rows::MemoryRows,
    };

    use super::*;

    fn columns(names: &[&str]) -> Input {
        Input::Columns(names.iter().map(|n| (*n).to_string()).collect())
    }

    /// Measures inputs without a target.
    fn measure(rows: &dyn Rows, input: &Input, fit: Fit, train: &[u32]) -> Result<Preprocessing> {
        let (mean, std) = measure_input(rows, input, train)?;
        Ok(Preprocessing { input: input.clone(), fit, mean, std, target: None })
    }

    fn measured(x: &[f32], width: usize, train: &[u32]) -> Result<Preprocessing> {
        let names: Vec<String> = (0..width).map(|i| format!("c{i}")).collect();
        let rows = MemoryRows::numbers(x, width, &vec![0; x.len() / width]);
        measure(&rows, &Input::Columns(names), Fit::Squash, train)
    }

    #[test]
    fn measures_pictures_by_channel() {
        let shape = Picture { width: 2, height: 1, channels: 3 };
        let pixels = vec![0, 10, 7, 4, 10, 7, 0, 30, 7, 4, 30, 7];
        let rows = MemoryRows::pictures(pixels, 6, &[0, 1]);
        let input = Input::Pictures(shape);
        let p = measure(&rows, &input, Fit::Crop, &[0, 1]).unwrap();
        assert_eq!((p.mean.clone(), p.std.clone()), (vec![2.0, 20.0, 7.0], vec![2.0, 10.0, 1.0]));
        let augment = Augment { flip: true, shift: 3 };
        let prepare = p.prepare(augment);
        assert_eq!(prepare.factor, [0.5, 0.1, 1.0]);
        assert_eq!(prepare.offset, [-1.0, -2.0, -7.0]);
        assert_eq!((prepare.picture, prepare.augment), (Some(shape), augment));
    }

    #[test]
    fn measures_columns_on_the_training_set_only() {
        let x = [1.0, 5.0, f32::NAN, 9.0, 3.0, 5.0];
        let p = measured(&x, 2, &[0, 2]).unwrap();
        assert_eq!((&p.mean, &p.std), (&vec![2.0, 5.0], &vec![1.0, 1.0]));
        assert_eq!(p.prepare(Augment::default()).picture, None);
    }

    #[test]
    fn prepared_values_have_mean_0_and_standard_deviation_1() {
        let x: Vec<f32> = (0..3000).map(|i| ((i * 7919) % 1009) as f32 * 0.37 - 50.0).collect();
        let rows: Vec<u32> = (0..1000).collect();
        let prepare = measured(&x, 3, &rows).unwrap().prepare(Augment::default());
        for c in 0..3 {
            let column = x.iter().skip(c).step_by(3);
            let y: Vec<f64> =
                column.map(|x| f64::from(x * prepare.factor[c] + prepare.offset[c])).collect();
            let mean = y.iter().sum::<f64>() / 1000.0;
            let variance = y.iter().map(|y| y * y).sum::<f64>() / 1000.0;
            assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-5, "{mean} {variance}");
        }
    }

    #[test]
    fn a_constant_has_standard_deviation_1() {
        for value in [0.0, 0.1, -3.7e30, f32::MAX, 1e-42] {
            let p = measured(&[value; 7], 1, &[0, 1, 2, 3, 4, 5, 6]).unwrap();
            assert_eq!((p.mean, p.std), (vec![value], vec![1.0]));
        }
        // Subnormal differences would give an infinite factor.
        assert_eq!(measured(&[0.0, 1e-44], 1, &[0, 1]).unwrap().std, [1.0]);
    }

    #[test]
    fn non_finite_values_are_reported() {
        for (value, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (-f32::INFINITY, "-inf")] {
            let message = measured(&[1.0, 2.0, 3.0, value], 2, &[0, 1]).unwrap_err().to_string();
            assert!(message.starts_with(&format!("row 1 has {word} in column `c1`")), "{message}");
        }
    }

    #[test]
    fn an_empty_training_set_has_mean_0() {
        let rows = MemoryRows::numbers(&[1.0, 2.0], 2, &[0]);
        let p = measure(&rows, &columns(&["a", "b"]), Fit::Squash, &[]).unwrap();
        assert_eq!((p.mean, p.std), (vec![0.0; 2], vec![1.0; 2]));
    }
}
