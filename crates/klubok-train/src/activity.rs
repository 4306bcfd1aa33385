//! Activity of the units of a layer on a fixed sample, and whether the units that are silent there
//! are silent on the whole training set.

use std::ops::Range;

use klubok_nn::plan::Activation;

/// Activity of the units of a hidden layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activity {
    /// Share of units x samples with an output above 0.
    pub active_fraction: f64,
    /// Share of units with the same output for every row of the fixed sample.
    pub silent_fraction: f64,
    /// Share of units x samples with an output beyond 0.99 of its range; `None` where the range is
    /// unbounded.
    pub saturated_fraction: Option<f64>,
}

/// Accumulates the activity of one layer block by block.
#[derive(Debug, Clone)]
pub struct ActivityCount {
    samples: usize,
    active: u64,
    saturated: u64,
    /// The range of unsaturated outputs.
    unsaturated: Option<Range<f32>>,
    first: Vec<f32>,
    /// Units with the same output for all samples so far.
    silent: Vec<usize>,
}

impl ActivityCount {
    /// Starts a count for a layer of this many units with activation `f`.
    pub fn new(units: usize, f: Activation) -> Self {
        Self {
            samples: 0,
            active: 0,
            saturated: 0,
            unsaturated: unsaturated_range(f),
            first: vec![0.0; units],
            silent: (0..units).collect(),
        }
    }

    /// Resets the count.
    pub fn clear(&mut self) {
        (self.samples, self.active, self.saturated) = (0, 0, 0);
        self.silent.clear();
        self.silent.extend(0..self.first.len());
    }

    /// Adds outputs of the layer, `[samples, units]`.
    pub fn add(&mut self, outputs: &[f32]) {
        let units = self.first.len();
        if self.samples == 0 {
            self.first.copy_from_slice(&outputs[..units]);
        }
        self.samples += outputs.len() / units;
        self.active += outputs.iter().map(|&y| u64::from(y > 0.0)).sum::<u64>();
        if let Some(range) = &self.unsaturated {
            let inside = outputs.iter().map(|y| u64::from(range.contains(y))).sum::<u64>();
            self.saturated += outputs.len() as u64 - inside;
        }
        self.retain_silent(outputs);
    }

    /// Removes from the silent units those with a different output here, `[samples, units]`, and
    /// counts nothing else. Returns true when no silent unit is left.
    pub fn retain_silent(&mut self, outputs: &[f32]) -> bool {
        let first = &self.first;
        for sample in outputs.chunks_exact(first.len()) {
            if self.silent.is_empty() {
                break;
            }
            self.silent.retain(|&unit| sample[unit] == first[unit]);
        }
        self.silent.is_empty()
    }

    /// Returns the share of units that are silent on all outputs so far.
    pub fn silent_fraction(&self) -> f64 {
        self.silent.len() as f64 / self.first.len() as f64
    }

    /// Returns the shares; `None` without samples.
    pub fn activity(&self) -> Option<Activity> {
        let outputs = (self.samples * self.first.len()) as f64;
        (self.samples > 0).then(|| Activity {
            active_fraction: self.active as f64 / outputs,
            silent_fraction: self.silent_fraction(),
            saturated_fraction: self.unsaturated.as_ref().map(|_| self.saturated as f64 / outputs),
        })
    }
}

/// Returns the central 99 % of the range of a bounded activation.
fn unsaturated_range(f: Activation) -> Option<Range<f32>> {
    match f {
        Activation::Tanh => Some(-0.99..0.99),
        Activation::Sigmoid => Some(0.005..0.995),
        Activation::Relu
        | Activation::LeakyRelu
        | Activation::Gelu
        | Activation::Silu
        | Activation::Selu
        | Activation::Mish
        | Activation::Identity => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activity_by_hand() {
        let mut count = ActivityCount::new(4, Activation::Relu);
        assert_eq!(count.activity(), None);
        // Units: silent, always 2, sometimes active, always active.
        count.add(&[0.0, 2.0, 0.0, 1.0]);
        count.add(&[0.0, 2.0, 3.0, 2.0, 0.0, 2.0, 0.0, 3.0]);
        let expected = Activity {
            active_fraction: 7.0 / 12.0,
            silent_fraction: 0.5,
            saturated_fraction: None,
        };
        assert_eq!(count.activity(), Some(expected));
        count.clear();
        count.add(&[1.0, 1.0, 1.0, 1.0]);
        let all = Activity { active_fraction: 1.0, silent_fraction: 1.0, ..expected };
        assert_eq!(count.activity(), Some(all));
    }

    #[test]
    fn a_unit_with_a_different_output_on_any_further_sample_is_not_silent() {
        let mut count = ActivityCount::new(3, Activation::Relu);
        count.add(&[0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
        assert!(!count.retain_silent(&[0.0, 1.0, 0.5]));
        assert_eq!(count.silent_fraction(), 2.0 / 3.0);
        assert!(count.retain_silent(&[0.0, 1.0, 0.0, 0.1, 0.9, 0.0]));
        // `retain_silent` does not count samples.
        assert_eq!(count.activity().unwrap().active_fraction, 2.0 / 6.0);
    }

    #[test]
    fn outputs_near_the_ends_of_their_range_are_saturated() {
        let share = |f, outputs: &[f32]| {
            let mut count = ActivityCount::new(1, f);
            count.add(outputs);
            count.activity().unwrap().saturated_fraction
        };
        assert_eq!(share(Activation::Tanh, &[-0.995, 0.0, 0.98, 1.0]), Some(0.5));
        assert_eq!(share(Activation::Sigmoid, &[0.004, 0.006, 0.994, 0.996, 0.5]), Some(0.4));
        assert_eq!(share(Activation::Selu, &[-1.75, 9.0]), None);
    }
}
