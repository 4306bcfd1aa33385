//! Models with random weights, of every kind.

use klubok_model::{Fit, Input, Model, Preprocessing, Target};
use klubok_nn::{
    calibration::Calibration,
    init::Init,
    network::{Hidden, Network, OutputKind, Start},
    plan::{Activation, Picture},
    state::{Numbers, Weights},
};

/// Numbers that look random.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number between `low` and `high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (low + (high - low) * ((self.0 >> 40) as f64 / (1u64 << 24) as f64)) as f32
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (f64::from(self.between(0.0, 1.0)) * n as f64) as usize % n
    }

    pub(crate) fn numbers(&mut self, n: usize, low: f64, high: f64) -> Vec<f32> {
        (0..n).map(|_| self.between(low, high)).collect()
    }
}

fn names(n: usize, kind: &str) -> Vec<String> {
    (0..n).map(|i| format!("{kind} {i}")).collect()
}

/// Columns, or pictures in grey or colour, with the number of values of a row.
fn input(chance: &mut Chance) -> (Input, usize) {
    if chance.below(2) == 0 {
        let columns = 1 + chance.below(200);
        return (Input::Columns(names(columns, "column")), columns);
    }
    let (width, height) = (1 + chance.below(9), 1 + chance.below(9));
    let channels = [1, 3][chance.below(2)];
    (Input::Pictures(Picture { width, height, channels }), width * height * channels)
}

/// Rows as they are stored.
pub(crate) fn rows(model: &Model, seed: u64, n: usize) -> Vec<Vec<f32>> {
    let (mut chance, inputs) = (Chance::new(seed), model.network.inputs);
    let mut row = || match model.preprocessing.input {
        Input::Pictures(_) => {
            chance.numbers(inputs, 0.0, 256.0).iter().map(|v| v.floor()).collect()
        }
        Input::Columns(_) => chance.numbers(inputs, -9.0, 9.0),
    };
    (0..n).map(|_| row()).collect()
}

/// A model of random layers, with everything that a training can make of it.
pub(crate) fn model(seed: u64) -> Model {
    let mut chance = Chance::new(seed);
    let answer = [OutputKind::Classes, OutputKind::Labels, OutputKind::Numbers][chance.below(3)];
    let (input, inputs) = input(&mut chance);
    let outputs = 1 + chance.below(6);
    let outputs = if answer == OutputKind::Classes { outputs + 1 } else { outputs };
    let hidden = (0..chance.below(4)).map(|_| Hidden {
        units: 1 + chance.below(40),
        activation: Activation::ALL[chance.below(Activation::ALL.len())],
        batch_norm: chance.below(2) == 1,
        dropout: 0.0,
    });
    let hidden = hidden.collect();
    let network = Network { inputs, input_dropout: 0.0, hidden, outputs, answer };
    let start = Start { hidden: Init::He, output: Init::He, output_bias: Vec::new() };
    let state = network.start(&start, seed);
    let mut moved = |values: &Numbers, low, high| {
        let moves = chance.numbers(values.len(), low, high);
        Numbers::F32(values.to_f32().iter().zip(moves).map(|(v, by)| v + by).collect())
    };
    let params = state.params.iter().map(|values| moved(values, -0.1, 0.1)).collect();
    let running = state.running.iter().map(|values| moved(values, 0.0, 0.9)).collect();
    let scale =
        |chance: &mut Chance, n| (chance.numbers(n, -3.0, 3.0), chance.numbers(n, 0.5, 4.0));
    let (mean, std) = match input {
        Input::Pictures(Picture { channels, .. }) => {
            (chance.numbers(channels, 90.0, 150.0), chance.numbers(channels, 30.0, 80.0))
        }
        Input::Columns(_) => scale(&mut chance, inputs),
    };
    let target = (answer == OutputKind::Numbers).then(|| {
        let (mean, std) = scale(&mut chance, outputs);
        Target { columns: names(outputs, "number"), mean, std }
    });
    Model {
        network,
        preprocessing: Preprocessing { input, fit: Fit::Squash, mean, std, target },
        outputs: names(outputs, "output"),
        calibration: Calibration::new(1.7, 300),
        card: None,
        weights: Weights { params, running },
    }
}
