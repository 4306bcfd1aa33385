//! Burn on its CPU backend in pure Rust, with Burn's own Adam.

use burn::{
    module::Module,
    nn::{Initializer, Linear, LinearConfig, loss::CrossEntropyLossConfig},
    optim::{AdamConfig, GradientsParams},
    tensor::{Device, Int, Tensor, TensorData, activation::relu},
};

use crate::{settings::Settings, timing};

const LEARNING_RATE: f64 = 1e-3;

/// Linear layers with ReLU between them.
#[derive(Module, Debug)]
struct Perceptron {
    layers: Vec<Linear>,
}

impl Perceptron {
    fn new(settings: &Settings, device: &Device) -> Self {
        let initializer = Initializer::KaimingNormal { gain: 2f64.sqrt(), fan_out_only: false };
        let layer = |(inputs, outputs)| {
            LinearConfig::new(inputs, outputs).with_initializer(initializer.clone()).init(device)
        };
        Self { layers: settings.sizes().map(layer).collect() }
    }

    /// Logits of a batch.
    fn forward(&self, mut x: Tensor<2>) -> Tensor<2> {
        for (index, layer) in self.layers.iter().enumerate() {
            x = layer.forward(if index == 0 { x } else { relu(x) });
        }
        x
    }
}

/// Measures training steps.
pub fn run(settings: &Settings) {
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let mut model = Some(Perceptron::new(settings, &device));
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();
    let cross_entropy = CrossEntropyLossConfig::new().init(&device);
    let batches: Vec<(Tensor<2>, Tensor<1, Int>)> = settings
        .batches()
        .into_iter()
        .map(|(x, y)| {
            let x = TensorData::new(x, [settings.batch, settings.inputs()]);
            let y: Vec<i64> = y.into_iter().map(i64::from).collect();
            let y = TensorData::new(y, [settings.batch]);
            (Tensor::from_data(x, &device), Tensor::from_data(y, &device))
        })
        .collect();
    let step = |index: usize| {
        let (x, y) = batches[index].clone();
        let current = model.take().expect("the model is put back after every step");
        let loss = cross_entropy.forward(current.forward(x), y);
        let gradients = GradientsParams::from_grads(loss.backward(), &current);
        model = Some(optimizer.step(LEARNING_RATE, current, gradients));
        loss
    };
    timing::measure(settings, step, |loss| f64::from(loss.into_scalar::<f32>()));
}
