//! A training step of a compiled program allocates nothing. This test has its own binary, because
//! it counts all allocations of the process.

use std::{alloc::System, sync::Arc};

use klubok_cpu::CpuBackend;
use klubok_nn::{
    Result,
    agreement::Case,
    backend::{Backend, DataId, Figures, Step},
    optim::Rule,
    plan::{Activation, Augment, Picture},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Trains 20 steps and counts the allocations after the first four, in which the figures grow to
/// their size.
fn allocations(case: &Case) -> Result<usize> {
    let rows = case.rows();
    let mut program =
        CpuBackend::new(3).compile(&case.plan(), case.batch, &[Arc::new(rows.clone())])?;
    program.load(&case.start())?;
    let order: Vec<u32> = (0..4 * case.batch as u32).collect();
    let mut figures = Figures::default();
    let allocations = || ALLOCATOR.stats().allocations + ALLOCATOR.stats().reallocations;
    let mut before = 0;
    for index in 0..20 {
        if index == 4 {
            before = allocations();
        }
        // The last batch is shorter.
        let count = if index == 19 { case.batch / 2 } else { case.batch };
        let step = Step {
            index: index as u64,
            rows: &order[index % 4 * case.batch..][..count],
            first: 0,
            weight_sum: count as f64,
            learning_rate: 0.01,
            observe: index % 3 == 0,
        };
        program.train(DataId(0), &step)?;
        if index % 2 == 1 {
            program.read(&mut figures);
            assert_eq!(figures.steps.len(), 2);
        }
    }
    assert!(before > 0, "the allocator counts nothing");
    Ok(allocations() - before)
}

#[test]
fn a_step_allocates_nothing() {
    let mut case = Case::plain(12 * 12, &[300, 40], 5, 50);
    case.picture =
        Some((Picture { width: 12, height: 12, channels: 1 }, Augment { flip: true, shift: 2 }));
    case.network.input_dropout = 0.1;
    for (i, layer) in case.network.hidden.iter_mut().enumerate() {
        layer.dropout = 0.2;
        layer.batch_norm = i == 0;
        layer.activation = [Activation::Relu, Activation::Gelu][i];
    }
    case.update.rule = Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    case.update.l2 = 1e-4;
    let mut limited = case.clone();
    limited.update.max_norm = Some(1.0);
    limited.update.clip_norm = Some(0.1);
    for case in [case, limited] {
        assert_eq!(allocations(&case).unwrap(), 0);
    }
}
