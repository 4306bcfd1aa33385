//! The state of a training: everything that a step changes, in the layout of files and public
//! interfaces.

use std::borrow::Cow;

/// A tensor, in the precision of the backend that stored it.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
}

impl Numbers {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Numbers::F32(v) => v.len(),
            Numbers::F64(v) => v.len(),
        }
    }

    /// True when there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All values as f32.
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Numbers::F32(v) => v.clone(),
            Numbers::F64(v) => v.iter().map(|&x| x as f32).collect(),
        }
    }

    /// A range of the values as f64.
    ///
    /// # Panics
    /// When the range ends beyond the values.
    pub fn range(&self, range: std::ops::Range<usize>) -> Vec<f64> {
        match self {
            Numbers::F32(v) => v[range].iter().map(|&x| f64::from(x)).collect(),
            Numbers::F64(v) => v[range].to_vec(),
        }
    }

    /// The values as f64 in chunks of `size`, without a copy of the whole tensor.
    ///
    /// # Panics
    /// When `size` is 0.
    pub fn chunks(&self, size: usize) -> impl Iterator<Item = Cow<'_, [f64]>> {
        (0..self.len()).step_by(size).map(move |from| {
            let range = from..self.len().min(from + size);
            match self {
                Numbers::F32(_) => Cow::Owned(self.range(range)),
                Numbers::F64(v) => Cow::Borrowed(&v[range]),
            }
        })
    }

    /// All values as f64.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Numbers::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Numbers::F64(v) => v.clone(),
        }
    }
}

/// Index of a tensor in a [`State`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateTensor {
    /// The values of a parameter.
    Param(usize),
    /// A moment of the rule, for a parameter: (moment, parameter).
    Moment(usize, usize),
    /// A running statistic.
    Running(usize),
}

/// Everything that training changes: weights `[out, in]`, tensors in the order of the plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// One tensor per parameter.
    pub params: Vec<Numbers>,
    /// Moments: `moments[m][p]` is moment `m` of the rule for parameter `p`.
    pub moments: Vec<Vec<Numbers>>,
    /// One tensor per running statistic.
    pub running: Vec<Numbers>,
}

impl State {
    /// Returns one tensor.
    ///
    /// # Panics
    /// When there is no such tensor.
    pub fn tensor(&self, tensor: StateTensor) -> &Numbers {
        match tensor {
            StateTensor::Param(p) => &self.params[p],
            StateTensor::Moment(m, p) => &self.moments[m][p],
            StateTensor::Running(r) => &self.running[r],
        }
    }
}

/// A state for inference, without moments.
impl From<Weights> for State {
    fn from(Weights { params, running }: Weights) -> Self {
        Self { params, moments: Vec::new(), running }
    }
}

/// Parameters and running statistics without moments: enough for validation, the best weights and
/// model files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weights {
    /// One tensor per parameter.
    pub params: Vec<Numbers>,
    /// One tensor per running statistic.
    pub running: Vec<Numbers>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_all_values_in_order() {
        for len in [0, 1, 4, 10, 12] {
            let narrow: Vec<f32> = (0..len).map(|i| i as f32 / 4.0).collect();
            let wide = narrow.iter().map(|&x| f64::from(x)).collect();
            for numbers in [Numbers::F32(narrow), Numbers::F64(wide)] {
                let chunks: Vec<_> = numbers.chunks(4).collect();
                assert_eq!(chunks.concat(), numbers.to_f64());
                assert!(chunks.iter().rev().skip(1).all(|chunk| chunk.len() == 4));
            }
        }
    }
}
