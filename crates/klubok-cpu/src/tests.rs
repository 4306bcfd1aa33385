//! Tests of the CPU backend: agreement with the reference, and the same bits for any number of
//! threads and in both forms of a step.

use klubok_nn::{
    agreement::{self, Case, check_backend, check_case},
    network::Hidden,
    optim::{Rule, UpdateSpec},
    plan::{Activation, LossKind, LossSpec, Op, ParamKind, ParamSpec, Precision, RunningSpec},
    rows::MemoryRows,
};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::RngSeed};

use super::*;

const DATA: DataId = DataId(0);

/// A case with several tiles and remainders in every direction, and with all operations that draw
/// random numbers or sum over a batch.
fn wide() -> Case {
    let mut case = Case::plain(531, &[300, 87, 40], 7, 45);
    let hidden = &mut case.network.hidden;
    hidden[0] = Hidden { batch_norm: true, dropout: 0.2, ..hidden[0].clone() };
    hidden[1] = Hidden { activation: Activation::Gelu, dropout: 0.3, ..hidden[1].clone() };
    case.network.input_dropout = 0.1;
    case.update.rule = Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-3 };
    case.update.l2 = 1e-4;
    case.update.weight_decay = 0.01;
    case.weighted = true;
    case.steps = 20;
    case
}

fn compile(backend: CpuBackend, case: &Case) -> (Box<dyn Program>, MemoryRows) {
    let rows = case.rows();
    let mut program = backend.compile(&case.plan(), case.batch, &[Arc::new(rows.clone())]).unwrap();
    program.load(&case.start()).unwrap();
    (program, rows)
}

/// State, figures and logits after ten steps, the last one with fewer rows.
fn train(backend: CpuBackend, case: &Case) -> (State, Figures, Outputs) {
    let (mut program, rows) = compile(backend, case);
    let order: Vec<u32> = (0..rows.len() as u32).collect();
    for index in 0..10 {
        let batch = &order[index % 4 * case.batch..]
            [..if index == 9 { 1 + case.batch / 2 } else { case.batch }];
        let weight_sum = case.weight_sum(&rows, batch);
        let step = Step {
            index: index as u64,
            rows: batch,
            first: 0,
            weight_sum,
            learning_rate: 0.01,
            observe: true,
        };
        program.train(DATA, &step).unwrap();
    }
    let (mut state, mut figures, mut outputs) = Default::default();
    program.store(&mut state).unwrap();
    program.read(&mut figures);
    program.infer(DATA, &order, &[case.plan().output], &mut outputs).unwrap();
    (state, figures, outputs)
}

/// All results of [`train`] as bits.
fn bits((state, figures, outputs): &(State, Figures, Outputs)) -> Vec<u64> {
    let numbers = |numbers: &Numbers| numbers.to_f64();
    let tensors = state.params.iter().chain(state.moments.iter().flatten()).chain(&state.running);
    let steps = figures.steps.iter().flat_map(|s| [s.loss_sum, s.penalty, s.weight_sum]);
    let params = figures.params.iter().flat_map(|p| [p.gradient_sq, p.update_sq, p.value_sq]);
    let outputs = outputs.values.iter().flatten().map(|&x| f64::from(x));
    tensors.flat_map(numbers).chain(steps).chain(params).chain(outputs).map(f64::to_bits).collect()
}

#[test]
fn agrees_with_the_reference_on_every_instruction_set() {
    for isa in Isa::available() {
        if let Err(found) = check_backend(&CpuBackend::with(2, isa)) {
            let (case, found) = *found;
            panic!("{}: {found}\n{case:#?}", isa.name());
        }
    }
}

/// Cases whose shapes do not fill tiles. The second one has every limit, the last one several
/// micro-batches.
fn uneven() -> [Case; 4] {
    let mut limited = wide();
    limited.update.max_norm = Some(0.8);
    limited.update.clip_norm = Some(0.5);
    let tall = Case { steps: 10, ..Case::plain(700, &[70], 33, 300) };
    let mut micro_batches =
        Case { steps: 10, weighted: true, ..Case::plain(40, &[37, 20], 5, 1100) };
    micro_batches.network.hidden[0].dropout = 0.3;
    [wide(), limited, tall, micro_batches]
}

#[test]
fn agrees_with_the_reference_on_uneven_shapes() {
    for (isa, case) in Isa::available().into_iter().flat_map(|isa| uneven().map(|c| (isa, c))) {
        check_case(&CpuBackend::with(2, isa), &case)
            .unwrap_or_else(|found| panic!("{}: {found}\n{case:#?}", isa.name()));
    }
}

#[test]
fn bf16_agrees_with_the_reference_in_bf16() {
    // Where a value rounds differently, later steps of Adam in wide layers amplify the difference
    // beyond the tolerance.
    let uneven = uneven().map(|case| Case { steps: 3, ..case });
    let cases = agreement::cases().into_iter().chain(uneven);
    for (isa, case) in
        cases.flat_map(|case| Isa::available_bf16().into_iter().map(move |isa| (isa, case.clone())))
    {
        let case = Case { precision: Precision::Bf16, steps: case.steps.min(10), ..case };
        check_case(&CpuBackend::with(2, isa), &case)
            .unwrap_or_else(|found| panic!("{}: {found}\n{case:#?}", isa.name_bf16()));
    }
}

/// Any network: sizes from 1 to 300 in every direction, any activation, loss and update rule, with
/// or without all that is optional.
fn any_case() -> impl Strategy<Value = Case> {
    let size = || prop_oneof![1usize..300, 1usize..20];
    let hidden = (size(), select(&Activation::ALL[..]), any::<bool>(), select(&[0.0f32, 0.3][..]))
        .prop_map(|(units, activation, batch_norm, dropout)| Hidden {
            units,
            activation,
            batch_norm,
            dropout,
        });
    let shape = (size(), vec(hidden, 0..4), 1usize..20, size());
    let losses: Vec<LossSpec> = agreement::losses().collect();
    let updates: Vec<UpdateSpec> = agreement::updates().map(well_conditioned).collect();
    (shape, select(losses), select(updates), any::<bool>(), any::<u64>()).prop_map(
        |((inputs, hidden, outputs, batch), mut loss, update, weighted, seed)| {
            loss.class_weights = loss.class_weights.iter().cycle().take(outputs).copied().collect();
            let mut case = Case {
                loss,
                update,
                weighted,
                seed,
                learning_rate: 1e-3,
                steps: 10,
                ..Case::plain(inputs, &[], outputs, batch)
            };
            case.network.hidden = hidden;
            // Normalisation removes information, whose gradient is then only rounding error: all
            // but the sign of two samples, the scale of a single value.
            let mut layer_inputs = inputs;
            for layer in &mut case.network.hidden {
                layer.batch_norm &= batch >= 8 && layer_inputs.min(layer.units) >= 8;
                layer_inputs = layer.units;
            }
            case
        },
    )
}

/// Sets a large epsilon. Rules that divide by the root of a mean square would turn the rounding
/// error of a gradient that cancels into a step of full length, a different one on each backend.
fn well_conditioned(mut update: UpdateSpec) -> UpdateSpec {
    if let Rule::Adam { epsilon, .. } | Rule::RmsProp { epsilon, .. } = &mut update.rule {
        *epsilon = 0.1;
    }
    update
}

proptest! {
    // A fixed seed: in about one of 400 networks a value lies so close to the kink of a ReLU that
    // rounding decides its side, and with it the contribution of one sample to the gradient.
    #![proptest_config(ProptestConfig { cases: 128, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_reference_on_any_network(case in any_case()) {
        for isa in Isa::available() {
            let found = check_case(&CpuBackend::with(2, isa), &case);
            prop_assert!(found.is_ok(), "{}: {}", isa.name(), found.unwrap_err());
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let precisions = [Precision::F32, Precision::Bf16];
    for (isa, precision) in
        Isa::available_bf16().into_iter().flat_map(|isa| precisions.map(|p| (isa, p)))
    {
        for case in uneven().map(|case| Case { precision, ..case }) {
            let expected = bits(&train(CpuBackend::with(1, isa), &case));
            for threads in [2, 3, 7] {
                let got = bits(&train(CpuBackend::with(threads, isa), &case));
                assert!(got == expected, "{} with {threads} threads", isa.name());
            }
        }
    }
}

#[test]
fn both_forms_of_a_step_give_the_same_bits() {
    for (max_norm, precision) in [
        (None, Precision::F32),
        (Some(0.8), Precision::F32),
        (None, Precision::Bf16),
        (Some(0.8), Precision::Bf16),
    ] {
        for case in uneven() {
            let update = UpdateSpec { max_norm, clip_norm: None, ..case.update };
            let fused = Case { update, precision, ..case };
            let mut kept = fused.clone();
            kept.update.clip_norm = Some(1e30);
            let [fused, kept] = [fused, kept].map(|case| bits(&train(CpuBackend::new(2), &case)));
            assert!(fused == kept, "{max_norm:?}");
        }
    }
}

#[test]
fn gradients_and_inference_change_no_state() {
    let case = wide();
    let backend = CpuBackend::new(2);
    let (mut program, rows) = compile(backend, &case);
    let order: Vec<u32> = (0..case.batch as u32).collect();
    let weight_sum = case.weight_sum(&rows, &order);
    let step =
        Step { index: 0, rows: &order, first: 0, weight_sum, learning_rate: 0.01, observe: true };
    let (mut before, mut after, mut weights) = Default::default();
    program.store(&mut before).unwrap();
    program.gradients(DATA, &step, &mut weights).unwrap();
    program.infer(DATA, &order, &[case.plan().output], &mut Outputs::default()).unwrap();
    program.store(&mut after).unwrap();
    assert_eq!(before, after);
    assert!(weights.params.iter().all(|g| g.to_f64().iter().any(|&g| g != 0.0)));
}

#[test]
fn outputs_do_not_depend_on_the_batch() {
    let case = wide();
    let (mut program, rows) = compile(CpuBackend::new(2), &case);
    let order: Vec<u32> = (0..rows.len() as u32).rev().collect();
    let tap = [case.plan().output];
    let (mut all, mut one) = (Outputs::default(), Outputs::default());
    program.infer(DATA, &order, &tap, &mut all).unwrap();
    for (row, expected) in order.iter().zip(all.values[0].chunks_exact(7)) {
        program.infer(DATA, &[*row], &tap, &mut one).unwrap();
        assert_eq!(one.values[0], expected, "row {row}");
    }
    program.infer(DATA, &[], &tap, &mut one).unwrap();
    assert!(one.values[0].is_empty());
}

#[test]
fn store_returns_the_loaded_state() {
    let case = wide();
    let backend = CpuBackend::new(1);
    let (state, ..) = train(backend, &case);
    let (mut program, _) = compile(backend, &case);
    let mut back = State::default();
    program.load(&state).unwrap();
    program.store(&mut back).unwrap();
    assert_eq!(state, back);
    // Missing moments become zero.
    program.load(&State { moments: vec![], ..state.clone() }).unwrap();
    program.store(&mut back).unwrap();
    assert!(back.moments.iter().flatten().all(|m| m.to_f64().iter().all(|&m| m == 0.0)));
    let mut short = state;
    short.params[0] = Numbers::F32(vec![0.0; 3]);
    let error = program.load(&short).unwrap_err().to_string();
    assert_eq!(error, "`hidden1.weight` has 3 values where the network expects 159300");
    short.params.pop();
    assert!(program.load(&short).unwrap_err().to_string().contains("`parameters`"));
}

#[test]
fn invalid_data_is_an_error_and_changes_no_state() {
    let case = Case::plain(2, &[3], 2, 4);
    let rows = MemoryRows::numbers(&[0.5; 8], 2, &[0, 1, 7, 1]);
    let numbers = MemoryRows::regression(&[0.5; 8], 2, &[0.0; 4], 1);
    let narrow = MemoryRows::numbers(&[0.5; 4], 1, &[0; 4]);
    let backend = CpuBackend::new(2);
    let mut program =
        backend.compile(&case.plan(), 4, &[Arc::new(rows), Arc::new(numbers)]).unwrap();
    program.load(&case.start()).unwrap();
    let (mut before, mut after) = (State::default(), State::default());
    program.store(&mut before).unwrap();
    let mut message = |data, rows: &[u32]| {
        let step =
            Step { index: 0, rows, first: 0, weight_sum: 4.0, learning_rate: 0.1, observe: true };
        program.train(DataId(data), &step).unwrap_err().to_string()
    };
    assert_eq!(message(0, &[0, 2]), "row 2 has label 7, the network knows the labels 0 to 1");
    assert!(message(1, &[0, 1]).starts_with("`labels of a row`"));
    assert!(message(0, &[0; 5]).starts_with("`rows of the batch` has 5 values"));
    assert!(message(0, &[]).starts_with("`rows of the batch` has 0 values"));
    program.store(&mut after).unwrap();
    assert_eq!(before, after);
    let error = backend.compile(&case.plan(), 4, &[Arc::new(narrow)]).err().unwrap().to_string();
    assert_eq!(error, "`values of a row` has 1 values where the network expects 2");
}

#[test]
fn infer_taps_only_values_that_are_kept() {
    let mut case = wide();
    case.network.hidden[0].batch_norm = true;
    let (mut program, _) = compile(CpuBackend::new(1), &case);
    let plan = case.plan();
    let mut tap = |value| program.infer(DATA, &[0], &[value], &mut Outputs::default());
    for op in &plan.ops {
        // A fused layer overwrites its product and its normalised values in place.
        let kept = match op {
            Op::Linear { y, .. } => *y == plan.output,
            Op::Norm { .. } => false,
            _ => true,
        };
        assert_eq!(tap(op.writes()).is_ok(), kept, "{op:?}");
    }
    let error = tap(Value(1000)).unwrap_err().to_string();
    assert_eq!(error, "the cpu backend cannot run a program that keeps value 1000");
}

#[test]
fn a_plan_that_is_not_a_chain_is_an_error() {
    let plan = Case::plain(4, &[3], 2, 2).plan();
    let refused = |change: &dyn Fn(&mut Plan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        matches!(
            CpuBackend::new(1).compile(&plan, 2, &[]).err(),
            Some(PlanError::Unsupported { backend: "cpu", .. })
        )
    };
    assert!(!refused(&|_| ()));
    assert!(refused(&|plan| drop(plan.ops.remove(0))), "no input");
    assert!(refused(&|plan| drop(plan.ops.remove(2))), "a layer without an input");
    assert!(refused(&|plan| plan.ops.truncate(1)), "no layer");
    assert!(refused(&|plan| plan.ops.insert(2, plan.ops[2].clone())), "two activations");
    assert!(refused(&|plan| plan.output = Value(1)), "an output in the middle");
}

/// A last layer with normalisation, activation and dropout, which [`klubok_nn::network`] never
/// creates: the gradient of its output passes through all of them.
#[test]
fn the_last_layer_may_have_every_operation() {
    let mut case = Case::plain(9, &[20], 6, 31);
    case.loss.kind = LossKind::MeanSquared;
    let mut plan = case.plan();
    for (name, kind) in [("gain", ParamKind::Gain), ("shift", ParamKind::Shift)] {
        plan.params.push(ParamSpec { name: name.into(), shape: vec![6], kind, layer: 1 });
    }
    for (name, start) in [("mean", 0.0), ("variance", 1.0)] {
        plan.running.push(RunningSpec { name: name.into(), len: 6, start });
    }
    let x = plan.output;
    let value = |plan: &mut Plan| {
        plan.widths.push(6);
        Value(plan.widths.len() - 1)
    };
    let (normalised, activated, dropped) = (value(&mut plan), value(&mut plan), value(&mut plan));
    let (gain, shift) = (klubok_nn::plan::Param(4), klubok_nn::plan::Param(5));
    let (mean, variance) = (klubok_nn::plan::Running(0), klubok_nn::plan::Running(1));
    plan.ops.push(Op::Norm { y: normalised, x, gain, shift, mean, variance });
    plan.ops.push(Op::Activate { y: activated, x: normalised, f: Activation::Silu });
    plan.ops.push(Op::Dropout { y: dropped, x: activated, p: 0.4, stream: 9 });
    plan.output = dropped;
    let mut start = case.start();
    start.params.extend([Numbers::F32(vec![1.5; 6]), Numbers::F32(vec![0.3; 6])]);
    start.running.extend([Numbers::F32(vec![0.0; 6]), Numbers::F32(vec![1.0; 6])]);
    let data: Vec<Arc<dyn Rows>> = vec![Arc::new(case.rows())];
    let rows: Vec<u32> = (0..31).collect();
    let step = Step {
        index: 3,
        rows: &rows,
        first: 2,
        weight_sum: 31.0,
        learning_rate: 0.1,
        observe: true,
    };
    let gradient = |backend: &dyn Backend| {
        let mut program = backend.compile(&plan, 31, &data).unwrap();
        let mut out = Weights::default();
        program.load(&start).unwrap();
        program.gradients(DATA, &step, &mut out).unwrap();
        out.params.iter().flat_map(Numbers::to_f64).collect::<Vec<_>>()
    };
    let expected = gradient(&klubok_nn::reference::ReferenceBackend);
    let got = gradient(&CpuBackend::new(2));
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut expected.iter().zip(&got).map(|(a, b)| a - b));
    assert!(difference < 1e-5 * norm(&mut expected.iter().copied()), "{difference}");
}

#[test]
fn nan_weights_give_a_nan_loss() {
    let case = Case::plain(4, &[3], 2, 2);
    let (mut program, _) = compile(CpuBackend::new(1), &case);
    let mut state = case.start();
    state.params[0] = Numbers::F32(vec![f32::NAN; 12]);
    program.load(&state).unwrap();
    let step = Step {
        index: 0,
        rows: &[0, 1],
        first: 0,
        weight_sum: 2.0,
        learning_rate: 0.1,
        observe: true,
    };
    program.train(DATA, &step).unwrap();
    let mut figures = Figures::default();
    program.read(&mut figures);
    assert!(figures.steps[0].loss_sum.is_nan());
}
