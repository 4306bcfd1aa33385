//! Compares backpropagation through whole networks with finite differences in f64.

use std::sync::Arc;

use klubok_nn::{
    agreement::{Case, cases},
    backend::{Backend, DataId, Figures, Outputs, Program, Step},
    reference::ReferenceBackend,
    rows::{MemoryRows, Rows},
    state::{Numbers, State, Weights},
};

const DATA: DataId = DataId(0);

fn compile(case: &Case, rows: &Arc<MemoryRows>) -> Box<dyn Program> {
    let rows: Arc<dyn Rows> = rows.clone();
    ReferenceBackend.compile(&case.plan(), case.batch, &[rows]).unwrap()
}

/// Loss of one batch with penalties: a training step with learning rate 0.
fn loss(program: &mut dyn Program, state: &State, step: &Step<'_>) -> f64 {
    program.load(state).unwrap();
    program.train(DATA, step).unwrap();
    let mut figures = Figures::default();
    program.read(&mut figures);
    figures.steps[0].loss_sum / step.weight_sum + figures.steps[0].penalty
}

fn check(case: &Case) {
    let rows = Arc::new(case.rows());
    let order: Vec<u32> = (0..case.batch as u32).collect();
    let mut program = compile(case, &rows);
    let weight_sum = case.weight_sum(&rows, &order);
    let step =
        Step { index: 5, rows: &order, first: 0, weight_sum, learning_rate: 0.0, observe: true };

    let mut state = case.start();
    for params in &mut state.params {
        *params = Numbers::F64(params.to_f64());
    }
    let mut gradient = Weights::default();
    program.load(&state).unwrap();
    program.gradients(DATA, &step, &mut gradient).unwrap();
    for p in 0..state.params.len() {
        let (at, analytic) = (state.params[p].to_f64(), gradient.params[p].to_f64());
        // About five values of every parameter, among them the first and the last.
        for i in (0..at.len()).step_by(at.len() / 5 + 1).chain([at.len() - 1]) {
            let mut at_offset = |offset: f64| {
                let mut shifted = at.clone();
                shifted[i] += offset;
                state.params[p] = Numbers::F64(shifted);
                loss(&mut *program, &state, &step)
            };
            let h = 1e-5;
            let numeric = (8.0 * (at_offset(h) - at_offset(-h))
                - (at_offset(2.0 * h) - at_offset(-2.0 * h)))
                / (12.0 * h);
            let scale = analytic[i].abs().max(numeric.abs()).max(1e-3);
            assert!(
                (analytic[i] - numeric).abs() <= 1e-6 * scale,
                "parameter {p}[{i}]: analytic {}, numeric {numeric}, {case:?}",
                analytic[i]
            );
        }
        state.params[p] = Numbers::F64(at);
    }
}

#[test]
fn every_operation_and_every_activation_with_every_loss() {
    for case in cases() {
        // The kink of L1 at 0 does no harm: penalties act on weights, whose initial values are
        // random.
        check(&case);
    }
}

#[test]
fn folding_keeps_the_function_of_a_network() {
    for mut case in cases() {
        case.network.hidden.iter_mut().for_each(|layer| layer.batch_norm = true);
        let rows = Arc::new(case.rows());
        let order: Vec<u32> = (0..4 * case.batch as u32).collect();
        let mut program = compile(&case, &rows);
        program.load(&case.start()).unwrap();
        for index in 0..3 {
            let batch = &order[..case.batch];
            let weight_sum = case.weight_sum(&rows, batch);
            let step = Step {
                index,
                rows: batch,
                first: 0,
                weight_sum,
                learning_rate: 0.1,
                observe: true,
            };
            program.train(DATA, &step).unwrap();
        }
        let mut weights = Weights::default();
        program.store_weights(&mut weights).unwrap();
        let (network, folded) = case.network.fold(&weights);
        let infer = |network, weights: Weights| {
            let case = Case { network, ..case.clone() };
            let mut program = compile(&case, &rows);
            let Weights { params, running } = weights;
            program.load(&State { params, running, moments: vec![] }).unwrap();
            let mut out = Outputs::default();
            program.infer(DATA, &order, &[case.plan().output], &mut out).unwrap();
            out.values.remove(0)
        };
        let expected = infer(case.network.clone(), weights);
        for (a, b) in expected.iter().zip(infer(network, folded)) {
            assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{a} {b} {case:?}");
        }
    }
}
