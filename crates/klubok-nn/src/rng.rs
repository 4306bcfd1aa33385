//! Random numbers: Philox 4x32-10, a counter-based generator, keyed by (seed, purpose, layer).
//!
//! Dropout and augmentation count by (step, position of the sample in the global batch, block of
//! features). So their random numbers do not depend on threads, on the splitting of a batch, or on
//! the device.

use klubok_kernels::philox::{Key, philox};

/// Purpose of random numbers. Each purpose has its own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Initial weights.
    Init = 1,
    /// Order of the samples in an epoch.
    Shuffle = 2,
    /// Split into training, validation and test set.
    Split = 3,
    /// Dropout.
    Dropout = 4,
    /// Augmentation: flips and shifts.
    Augment = 5,
    /// Samples of a built-in data set.
    Demo = 6,
    /// Batches of the experiments before training.
    Check = 7,
    /// What the inspection of a network draws: units, axes and samples.
    Inspect = 8,
}

/// Key of the stream for a purpose and a layer; the layer is 0 for purposes without layers.
pub fn key(seed: u64, purpose: Purpose, layer: u32) -> Key {
    Key::new(seed, ((purpose as u32) << 24) | layer)
}

/// A sequence of random numbers.
#[derive(Debug, Clone)]
pub struct Stream {
    key: Key,
    index: u64,
    block: u64,
    words: [u32; 4],
    used: usize,
}

impl Stream {
    /// Sequence `index` of a purpose and layer.
    pub fn new(seed: u64, purpose: Purpose, layer: u32, index: u64) -> Self {
        Self { key: key(seed, purpose, layer), index, block: 0, words: [0; 4], used: 4 }
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        if self.used == 4 {
            let (i, b) = (self.index, self.block);
            self.words = philox(self.key, [i as u32, (i >> 32) as u32, b as u32, (b >> 32) as u32]);
            self.block += 1;
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// Uniform number in [0, 1), a multiple of 2⁻⁵³.
    pub fn uniform(&mut self) -> f64 {
        let (high, low) = (u64::from(self.bits()), u64::from(self.bits()));
        ((high << 32 | low) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal number (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Uniform integer in `0..n`, without bias (Lemire 2019).
    ///
    /// # Panics
    /// When `n` is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        assert!(n > 0, "nothing to draw from");
        loop {
            let product = u64::from(self.bits()) * u64::from(n);
            if product as u32 >= n.wrapping_neg() % n {
                return (product >> 32) as u32;
            }
        }
    }

    /// Shuffles `items` (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u32 + 1) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..1000).collect();
        Stream::new(1, Purpose::Shuffle, 0, 3).shuffle(&mut items);
        assert_ne!(items, (0..1000).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn normal_has_mean_zero_and_variance_one() {
        let mut stream = Stream::new(7, Purpose::Init, 0, 0);
        let n = 100_000;
        let x: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let mean = x.iter().sum::<f64>() / f64::from(n);
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn purposes_have_different_streams() {
        let mut a = Stream::new(0, Purpose::Init, 0, 0);
        let mut b = Stream::new(0, Purpose::Dropout, 0, 0);
        assert_ne!(a.bits(), b.bits());
    }
}
