//! Benchmarks of single kernels, on one thread and on operands in a cache, for every instruction
//! set of the machine. Run all with `cargo bench -p klubok-kernels`, or some with
//! `cargo bench -p klubok-kernels -- product`.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use klubok_kernels::{
    activation::{self, Function},
    buffer::{Buffer, Number},
    isa::Isa,
    pack::{pair_neighbours, pair_rows},
    parts::Chunks,
    pool::{ALWAYS_SHARED, Pool},
    product::{GROUP, Lanes, Operand, Prefetch, Scalars, Size, dots, product},
    transpose::transpose,
    update::{Rule, UpdateStep, update},
};

type Group<'a> = BenchmarkGroup<'a, criterion::measurement::WallTime>;

/// A tile of a layer: 64 outputs, 96 samples, 256 inputs or pairs of inputs.
const TILE: Size = Size { rows: 64, groups: 6, depth: 256 };
/// Length of arrays. An array with its moments stays in the L2 cache.
const VALUES: usize = 16 * 1024;

fn zeros<T: Number>(len: usize) -> Buffer<T> {
    Buffer::new(len).expect("some MiB")
}

fn numbers(len: usize) -> Buffer {
    let mut buffer = zeros(len);
    buffer.iter_mut().enumerate().for_each(|(i, x)| *x = (i as f32 * 0.37).sin());
    buffer
}

fn products(c: &mut Criterion) {
    let mut group = c.benchmark_group("product, operations");
    for isa in Isa::available() {
        one_product::<f32>(&mut group, isa, isa.name(), 2);
    }
    for isa in Isa::available_bf16() {
        one_product::<u32>(&mut group, isa, &format!("{} bf16", isa.name_bf16()), 4);
    }
}

/// Benchmarks a product that takes `per_term` operations for each lane, row and step of the depth.
fn one_product<T: Operand>(group: &mut Group<'_>, isa: Isa, name: &str, per_term: usize) {
    let Size { rows, groups, depth } = TILE;
    let lanes = zeros::<T>(depth * groups * GROUP);
    let scalars = zeros::<T>(rows * depth);
    let mut out = zeros(rows * groups * GROUP);
    group.throughput(Throughput::Elements((per_term * rows * groups * GROUP * depth) as u64));
    group.bench_function(name, |b| {
        let lanes = Lanes { values: &lanes, step: groups * GROUP, group: GROUP };
        let scalars = Scalars { values: &scalars, step: 1, stride: depth };
        b.iter(|| {
            product(
                isa,
                &mut out,
                groups * GROUP,
                TILE,
                lanes,
                scalars,
                Prefetch::default(),
                false,
            );
        });
    });
}

fn dot_products(c: &mut Criterion) {
    let mut group = c.benchmark_group("dots, terms");
    group.throughput(Throughput::Elements(VALUES as u64));
    let (rows, terms) = (64, VALUES / 64);
    let (mut out, w, x) = (zeros(rows), numbers(VALUES), numbers(terms));
    for isa in Isa::available() {
        group.bench_function(isa.name(), |b| b.iter(|| dots(isa, &mut out, &w, &x)));
    }
}

fn updates(c: &mut Criterion) {
    let mut group = c.benchmark_group("update, parameters");
    group.throughput(Throughput::Elements(VALUES as u64));
    let adam = Rule::Adam {
        beta: [0.9, 0.999],
        one_minus_beta: [0.1, 0.001],
        epsilon: 1e-8,
        root_correction: 1.0,
    };
    let rules = [
        ("sgd", Rule::Plain),
        ("momentum", Rule::Momentum { momentum: 0.9, nesterov: false }),
        ("adam", adam),
    ];
    for (isa, (name, rule)) in Isa::available().into_iter().flat_map(|isa| rules.map(|r| (isa, r)))
    {
        let step = UpdateStep { rule, step_size: 1e-3, shrink: 1.0, clip: 1.0 };
        let (mut w, g) = (numbers(VALUES), numbers(VALUES));
        let moments = match rule {
            Rule::Plain => [0, 0],
            Rule::Momentum { .. } => [VALUES, 0],
            _ => [VALUES, VALUES],
        };
        let [mut first, mut second] = moments.map(zeros);
        group.bench_function(format!("{name}, {}", isa.name()), |b| {
            b.iter(|| update(isa, step, &mut w, &g, &mut first, &mut second, false));
        });
    }
}

fn layouts(c: &mut Criterion) {
    let mut group = c.benchmark_group("layout, values");
    let (rows, columns) = (64, VALUES / 64);
    let x = numbers(VALUES);
    let mut transposed = zeros(VALUES);
    let mut pairs = zeros(VALUES);
    group.throughput(Throughput::Elements(VALUES as u64));
    for isa in Isa::available() {
        let name = isa.name();
        group.bench_function(format!("transpose, {name}"), |b| {
            b.iter(|| transpose(isa, &mut transposed, rows, &x, columns, rows, columns));
        });
        group.bench_function(format!("pair neighbours, {name}"), |b| {
            b.iter(|| pair_neighbours(isa, &mut pairs, &x));
        });
        let (first, second) = x.split_at(VALUES / 2);
        group.bench_function(format!("pair rows, {name}"), |b| {
            b.iter(|| pair_rows(isa, &mut pairs, first, Some(second)));
        });
    }
}

fn activations(c: &mut Criterion) {
    let mut group = c.benchmark_group("activation, values");
    group.throughput(Throughput::Elements(VALUES as u64));
    let (mut z, mut slope) = (numbers(VALUES), zeros(VALUES));
    for f in [Function::Relu, Function::Gelu, Function::Tanh] {
        for isa in Isa::available() {
            group.bench_function(format!("{f:?}, {}", isa.name()), |b| {
                b.iter(|| activation::forward(isa, f, &mut z, VALUES, VALUES, &[], &mut slope));
            });
        }
    }
}

/// Latency of an empty run, with spinning and with sleeping threads.
fn hand_over(c: &mut Criterion) {
    let mut group = c.benchmark_group("hand-over");
    let mut pool = Pool::new(2, 0).expect("two threads");
    let mut done = [0u64; 2];
    let mut run =
        || pool.run(2, ALWAYS_SHARED, Chunks::new(&mut done, 1), |_, done, _| done[0] += 1);
    group.bench_function("watching", |b| b.iter(&mut run));
    group.bench_function("asleep", |b| {
        b.iter_custom(|times| {
            let timed = |_| {
                std::thread::sleep(Duration::from_micros(200));
                let started = Instant::now();
                run();
                started.elapsed()
            };
            (0..times).map(timed).sum()
        });
    });
}

criterion_group!(benches, products, dot_products, updates, layouts, activations, hand_over);
criterion_main!(benches);
