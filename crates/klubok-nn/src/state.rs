//! What training changes, in the layout of files and public interfaces.

use std::borrow::Cow;

/// Numbers in the precision of the backend that stored them.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
}

impl Numbers {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Numbers::F32(v) => v.len(),
            Numbers::F64(v) => v.len(),
        }
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers as f32.
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Numbers::F32(v) => v.clone(),
            Numbers::F64(v) => v.iter().map(|&x| x as f32).collect(),
        }
    }

    /// Some of the numbers as f64.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn range(&self, range: std::ops::Range<usize>) -> Vec<f64> {
        match self {
            Numbers::F32(v) => v[range].iter().map(|&x| f64::from(x)).collect(),
            Numbers::F64(v) => v[range].to_vec(),
        }
    }

    /// The numbers as f64, `many` at a time: without a copy of them all.
    ///
    /// # Panics
    /// When `many` is 0.
    pub fn chunks(&self, many: usize) -> impl Iterator<Item = Cow<'_, [f64]>> {
        (0..self.len()).step_by(many).map(move |from| {
            let range = from..self.len().min(from + many);
            match self {
                Numbers::F32(_) => Cow::Owned(self.range(range)),
                Numbers::F64(v) => Cow::Borrowed(&v[range]),
            }
        })
    }

    /// The numbers as f64.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Numbers::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Numbers::F64(v) => v.clone(),
        }
    }
}

/// Names one tensor of a [`State`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateTensor {
    /// Of this parameter.
    Param(usize),
    /// Of this moment of the rule, for this parameter.
    Moment(usize, usize),
    /// Of this running statistic.
    Running(usize),
}

/// Everything that training changes, in canonical layout: weights `[out, in]`, in the order of the
/// plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// One tensor per parameter.
    pub params: Vec<Numbers>,
    /// Moments: `moments[m][p]` is moment `m` of the rule for parameter `p`.
    pub moments: Vec<Vec<Numbers>>,
    /// Running statistics.
    pub running: Vec<Numbers>,
}

impl State {
    /// One of its tensors.
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

/// What is only asked has no moments.
impl From<Weights> for State {
    fn from(Weights { params, running }: Weights) -> Self {
        Self { params, moments: Vec::new(), running }
    }
}

/// Weights alone: what validation, `best` and model files need.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weights {
    /// One tensor per parameter.
    pub params: Vec<Numbers>,
    /// Running statistics.
    pub running: Vec<Numbers>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_all_numbers_in_order() {
        for len in [0, 1, 4, 10, 12] {
            let of: Vec<f32> = (0..len).map(|i| i as f32 / 4.0).collect();
            let wide = of.iter().map(|&x| f64::from(x)).collect();
            for numbers in [Numbers::F32(of), Numbers::F64(wide)] {
                let chunks: Vec<_> = numbers.chunks(4).collect();
                assert_eq!(chunks.concat(), numbers.to_f64());
                assert!(chunks.iter().rev().skip(1).all(|chunk| chunk.len() == 4));
            }
        }
    }
}
