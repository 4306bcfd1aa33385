//! `klubok bench`: times training steps or, with `--infer`, predictions of batches.
//!
//! A training step counts `6 params batch` FLOPs: two for each of forward pass, weight gradient and
//! input gradient, less `2 inputs units batch` of the first layer, whose input needs no gradient. A
//! prediction counts `2 params batch`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use klubok::{
    backend::{DataId, Figures, Outputs, Program, Step},
    config::{ConfigBuilder, DataKind, Preset},
    device,
    model::{Input, Preprocessing},
    nn::network::Network,
    plan::{Augment, Picture, Plan, Precision},
    predictor::BATCH_ROWS,
    rng::{Purpose, Stream},
    rows::MemoryRows,
    train::cadence::OBSERVE_EVERY,
};
use klubok_text::{
    numbers::{decimal, thousands},
    text,
};
use serde::Serialize;

use super::observing::{self, PairedWindows};
use crate::{
    args,
    failure::{Failure, Result},
    terminal::{Screen, print_stdout, print_wrapped},
};

/// Batches in memory: enough to keep a step's data out of the cache.
const BATCHES: usize = 16;
/// Mean and standard deviation of uniform random bytes.
const BYTE_MEAN_STD: (f32, f32) = (127.5, 73.9);

/// The JSON object of `klubok bench`.
#[derive(Debug, Serialize)]
struct Measurement {
    samples_per_second: f64,
    ms_per_step: f64,
    gflops: f64,
    steps: usize,
    threads: usize,
    precision: Precision,
    kernel: String,
    loss: f64,
}

/// Measures a training step or a prediction.
pub(crate) fn run(args: &args::Bench) -> Result<()> {
    let layers = parse_layers(&args.layers)?;
    let batch = args.batch_size;
    let (inputs, outputs) = (layers[0], layers[layers.len() - 1]);
    let mut builder = ConfigBuilder::new(Preset::Plain, DataKind::Points);
    let hidden: Vec<String> = layers[1..layers.len() - 1].iter().map(usize::to_string).collect();
    builder.set("model.hidden", &format!("[{}]", hidden.join(",")))?;
    builder.set("train.optimizer", &args.optimizer)?;
    builder.set("train.precision", &args.precision)?;
    builder.set("train.kernel", &args.kernel)?;
    builder.set("train.threads", &args.compute.threads.to_string())?;
    let config = builder.resolve(&device::machine())?.config;

    let network = config.network(inputs, outputs);
    let classes = vec![batch as u64; outputs];
    let prepare = if args.pictures {
        let shape = square(inputs)?;
        let (mean, std) = (vec![BYTE_MEAN_STD.0], vec![BYTE_MEAN_STD.1]);
        let input = Input::Pictures(shape);
        let pixels = Preprocessing { input, fit: config.data.fit, mean, std, target: None };
        pixels.prepare(Augment { flip: true, shift: 2 })
    } else {
        let input = Input::Columns((0..inputs).map(|i| i.to_string()).collect());
        let (mean, std) = (vec![0.0; inputs], vec![1.0; inputs]);
        let numbers = Preprocessing { input, fit: config.data.fit, mean, std, target: None };
        numbers.prepare(Augment::default())
    };
    let precision = config.train.precision;
    let plan = network.lower(prepare, config.loss_spec(&classes), config.update_spec(), 0);
    let plan = Plan { precision, ..plan };
    let backend = device::of(&config)?;
    let rows = rows(inputs, outputs, BATCHES * batch, args.pictures)?;
    let together = if args.infer { batch.min(BATCH_ROWS) } else { batch };
    let mut program = backend.compile(&plan, together, &[Arc::new(rows)])?;
    program.load(&network.start(&config.start(&classes, classes.len() as u64), 0))?;

    let window = Duration::from_secs_f64(args.seconds);
    let order = order(BATCHES * batch, args.pictures);
    let learning_rate = config.train.learning_rate;
    if let Some(pairs) = args.observing {
        let (plan, order, per_epoch) = (&plan, &order[..], args.epoch_steps as u64);
        let windows = PairedWindows { plan, order, batch, learning_rate, per_epoch, window };
        return observing::print(&windows.measure(program.as_mut(), pairs)?, args.flags.json);
    }
    let (times, loss) = if args.infer {
        predict(program.as_mut(), &plan, &order, batch, window)?
    } else {
        train(program.as_mut(), &order, batch, window, learning_rate)?
    };
    let flops_per_sample =
        if args.infer { 2.0 * network.parameters() as f64 } else { training_flops(&network) };
    let median = times[times.len() / 2].as_secs_f64();
    let device = backend.info(precision);
    let measured = Measurement {
        samples_per_second: batch as f64 / median,
        ms_per_step: 1000.0 * median,
        gflops: flops_per_sample * batch as f64 / median / 1e9,
        steps: times.len(),
        threads: device.threads,
        precision,
        kernel: device.kernel,
        loss,
    };
    if args.flags.json {
        return print_stdout(serde_json::to_string(&measured).map_err(Failure::failed)?);
    }
    Screen::new(args.flags.quiet).message(text!(
        "bench.device",
        device = device.device,
        kernel = measured.kernel,
        threads = measured.threads,
        precision = measured.precision.name(),
        layers = args.layers,
        batch = batch,
        loss = decimal(format_args!("{loss:.4}"))
    ));
    print_wrapped(text!(
        "bench.result",
        rate = thousands(measured.samples_per_second as usize),
        ms = decimal(format_args!("{:.3}", measured.ms_per_step)),
        steps = thousands(measured.steps),
        gflops = decimal(format_args!("{:.1}", measured.gflops))
    ))
}

/// Parses `4096-1024-2` as sizes: input, hidden layers, outputs.
fn parse_layers(text: &str) -> Result<Vec<usize>> {
    let sizes: Option<Vec<usize>> =
        text.split('-').map(|n| n.trim().parse().ok().filter(|&n| n > 0)).collect();
    match sizes {
        Some(sizes) if sizes.len() >= 2 && sizes[sizes.len() - 1] >= 2 => Ok(sizes),
        _ => {
            let sentence = format!(
                "`--layers {text}` must be sizes with `-` between them, the input first and at least 2 \
                 outputs last, such as 784-256-10"
            );
            Err(Failure::usage(sentence))
        }
    }
}

/// Returns the square grey picture with so many values.
fn square(values: usize) -> Result<Picture> {
    let side = values.isqrt();
    if side * side == values {
        return Ok(Picture { width: side, height: side, channels: 1 });
    }
    let (below, above) = (side * side, (side + 1) * (side + 1));
    let sentence = format!("{values} inputs do not make a square picture");
    Err(Failure::usage(sentence).hint(text!("hint.square", below = below, above = above)))
}

/// Makes random rows with random classes: numbers of mean 0 and variance 1, or bytes.
fn rows(inputs: usize, outputs: usize, n: usize, bytes: bool) -> Result<MemoryRows> {
    let mut random = Stream::new(0, Purpose::Demo, 0, 0);
    let too_large = || {
        let sentence = format!("{BATCHES} batches of this size do not fit into memory");
        Failure::failed(sentence).hint(text!("hint.memory"))
    };
    let size = n.checked_mul(inputs).ok_or_else(too_large)?;
    let (mut numbers, mut pixels): (Vec<f32>, Vec<u8>) = (Vec::new(), Vec::new());
    if bytes {
        pixels.try_reserve_exact(size).map_err(|_| too_large())?;
        pixels.extend((0..size).map(|_| random.below(256) as u8));
    } else {
        numbers.try_reserve_exact(size).map_err(|_| too_large())?;
        // Uniform numbers of variance 1 lie within ±√3.
        numbers.extend((0..size).map(|_| (12f64.sqrt() * (random.uniform() - 0.5)) as f32));
    }
    let classes: Vec<u32> = (0..n).map(|_| random.below(outputs as u32)).collect();
    Ok(if bytes {
        MemoryRows::pictures(pixels, inputs, &classes)
    } else {
        MemoryRows::numbers(&numbers, inputs, &classes)
    })
}

/// Order of the rows in batches: as in memory, or shuffled.
fn order(n: usize, shuffled: bool) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    if shuffled {
        Stream::new(0, Purpose::Shuffle, 0, 0).shuffle(&mut order);
    }
    order
}

/// Trains until the window is full: sorted step times, and the loss of the last step.
fn train(
    program: &mut dyn Program,
    order: &[u32],
    batch: usize,
    window: Duration,
    learning_rate: f64,
) -> Result<(Vec<Duration>, f64)> {
    let mut figures = Figures::default();
    let times = measure(order, batch, window, |index, rows| {
        let weight_sum = batch as f64;
        let index = index as u64;
        let observe = index.is_multiple_of(OBSERVE_EVERY);
        let step = Step { index, rows, first: 0, weight_sum, learning_rate, observe };
        program.train(DataId(0), &step)?;
        // A device may run asynchronously: reading the figures waits for the end of the step.
        program.read(&mut figures);
        Ok(())
    })?;
    let loss = figures.steps.last().map_or(f64::NAN, |step| step.loss_sum / step.weight_sum);
    Ok((times, loss))
}

/// Predicts until the window is full: sorted batch times, and the cross-entropy of a uniform
/// target with the last batch's predictions, which uses every logit.
fn predict(
    program: &mut dyn Program,
    plan: &Plan,
    order: &[u32],
    batch: usize,
    window: Duration,
) -> Result<(Vec<Duration>, f64)> {
    let mut outputs = Outputs::default();
    let times = measure(order, batch, window, |_, rows| {
        program.infer(DataId(0), rows, &[plan.output], &mut outputs)?;
        Ok(())
    })?;
    let logits: Vec<f64> = outputs.values.iter().flatten().map(|&z| f64::from(z)).collect();
    let of_row = |row: &[f64]| {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|z| (z - most).exp()).sum();
        most + sum.ln() - row.iter().sum::<f64>() / row.len() as f64
    };
    let losses = logits.chunks_exact(logits.len() / batch).map(of_row);
    Ok((times, losses.sum::<f64>() / batch as f64))
}

/// Calls `step` with its index and rows until the window is full, and returns the sorted times.
fn measure(
    order: &[u32],
    batch: usize,
    window: Duration,
    mut step: impl FnMut(usize, &[u32]) -> Result<()>,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    let begun = Instant::now();
    for (index, rows) in order.chunks(batch).cycle().enumerate() {
        let started = Instant::now();
        step(index, rows)?;
        times.push(started.elapsed());
        if begun.elapsed() >= window {
            break;
        }
    }
    times.sort_unstable();
    Ok(times)
}

/// FLOPs of a training step for each sample.
fn training_flops(network: &Network) -> f64 {
    let first = network.hidden.first().map_or(network.outputs, |layer| layer.units);
    let (all, first) = (network.parameters() as f64, (network.inputs * first) as f64);
    6.0 * all - 2.0 * first
}
