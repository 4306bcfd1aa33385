//! Command-line settings, and the data that every peer trains on.

use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Number of batches in memory; with more than one, no step finds its data in a cache by chance.
pub const BATCHES: usize = 16;

/// The network to train, and for how long.
pub struct Settings {
    /// Sizes of input, hidden layers and output.
    pub layers: Vec<usize>,
    /// Samples in a step.
    pub batch: usize,
    /// Measuring time.
    pub window: Duration,
}

impl Settings {
    /// Reads `--name value` pairs.
    ///
    /// Rayon takes its number of threads from its own environment variable; `--threads` must agree
    /// with it.
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut settings = Self { layers: vec![], batch: 0, window: Duration::ZERO };
        while let Some(name) = arguments.next() {
            let value = arguments.next().with_context(|| format!("`{name}` has no value"))?;
            match name.as_str() {
                "--layers" => {
                    settings.layers = value.split('-').map(str::parse).collect::<Result<_, _>>()?;
                }
                "--batch-size" => settings.batch = value.parse()?,
                "--seconds" => settings.window = Duration::from_secs_f64(value.parse()?),
                "--threads" => {
                    if std::env::var("RAYON_NUM_THREADS").ok() != Some(value) {
                        bail!("RAYON_NUM_THREADS must say the same as `--threads`");
                    }
                }
                _ => bail!("unknown argument `{name}`"),
            }
        }
        if settings.layers.len() < 2 || settings.batch == 0 {
            bail!("`--layers` and `--batch-size` are needed");
        }
        Ok(settings)
    }

    /// Number of inputs of the network.
    pub fn inputs(&self) -> usize {
        self.layers[0]
    }

    /// Inputs and outputs of each layer.
    pub fn sizes(&self) -> impl Iterator<Item = (usize, usize)> {
        self.layers.iter().copied().zip(self.layers.iter().copied().skip(1))
    }

    /// Batches of random inputs with mean 0 and variance 1, row by row, and random classes.
    pub fn batches(&self) -> Vec<(Vec<f32>, Vec<u32>)> {
        let mut random = Random(1);
        let classes = self.layers[self.layers.len() - 1];
        let batch = |_| {
            let x = (0..self.batch * self.inputs()).map(|_| random.number()).collect();
            let y = (0..self.batch).map(|_| random.below(classes)).collect();
            (x, y)
        };
        (0..BATCHES).map(batch).collect()
    }
}

/// A linear congruential generator; its upper 32 bits are the output.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (self.0 >> 32) as u32
    }

    /// Uniform within ±√3, which has variance 1.
    fn number(&mut self) -> f32 {
        12f32.sqrt() * (self.next() as f32 / u32::MAX as f32 - 0.5)
    }

    fn below(&mut self, n: usize) -> u32 {
        self.next() % n as u32
    }
}
