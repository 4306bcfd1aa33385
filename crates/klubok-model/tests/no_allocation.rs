//! A prediction with a used scratch allocates nothing. This test has its own binary, because it
//! counts all allocations of the process.

use std::alloc::System;

use klubok_model::{Fit, Input, Model, Preprocessing, Scratch};
use klubok_nn::{
    calibration::Calibration,
    init::Init,
    network::{Hidden, Network, OutputKind, Start},
    plan::{Activation, Picture},
    state::Weights,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn model(units: &[usize], answer: OutputKind) -> Model {
    let layer = |(i, &units): (usize, &usize)| Hidden {
        units,
        activation: Activation::Mish,
        batch_norm: i % 2 == 0,
        dropout: 0.5,
    };
    let hidden = units.iter().enumerate().map(layer).collect();
    let network = Network { inputs: 12 * 12 * 3, input_dropout: 0.0, hidden, outputs: 5, answer };
    let start = Start { hidden: Init::He, output: Init::Glorot, output_bias: vec![] };
    let state = network.start(&start, 1);
    let names = (0..network.outputs).map(|output| output.to_string()).collect();
    Model {
        network,
        preprocessing: Preprocessing {
            input: Input::Pictures(Picture { width: 12, height: 12, channels: 3 }),
            fit: Fit::Squash,
            mean: vec![120.0; 3],
            std: vec![60.0; 3],
            target: None,
        },
        outputs: names,
        calibration: Calibration::NONE,
        card: None,
        weights: Weights { params: state.params, running: state.running },
    }
}

#[test]
fn only_the_first_prediction_allocates() {
    let allocations = || ALLOCATOR.stats().allocations + ALLOCATOR.stats().reallocations;
    for answer in [OutputKind::Classes, OutputKind::Labels, OutputKind::Numbers] {
        // Vectors change places once per layer.
        for units in [&[][..], &[7], &[700], &[20, 900], &[900, 20, 50]] {
            let model = model(units, answer);
            let (mut scratch, mut out) = (Scratch::default(), [0.0; 5]);
            let sample = vec![77.0; 12 * 12 * 3];
            let mut predict = || model.predict_into(&sample, &mut out, &mut scratch);
            let before = allocations();
            predict().unwrap();
            let after = allocations();
            assert!(after > before, "the allocator counts nothing");
            (0..5).for_each(|_| predict().unwrap());
            assert_eq!(allocations(), after, "{units:?} {answer:?}");
        }
    }
}
