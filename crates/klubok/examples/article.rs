//! A multilayer perceptron in one file: from random weights to a learning curve, with nothing but
//! the standard library. Read it from top to bottom; `main` at the end prints the figures.
//!
//! ```text
//! forward:   x ─> z = Wx + b ─> ReLU ─> dropout ─> ... ─> z ─> softmax ─> p ─> loss
//! backward:  dw, db <─ dz <──── slope <── mask <── ... <─ dz = p - y <──────────┘
//! ```
//!
//! A vector holds a matrix row by row: values `[batch, features]`, weights `[out, in]`. `dw` means
//! `∂L/∂w`, the slope of the loss `L` along `w`. Run it by `cargo run --example article`.

#![expect(clippy::print_stdout, reason = "the program prints its figures")]

use std::f64::consts::{LN_2, TAU};

// ----- Random weights: the network before it has seen anything -----

/// Random numbers: a counter with well mixed bits (`SplitMix64`, Steele et al. 2014).
pub struct Random(pub u64);

impl Random {
    /// Uniform in [low, high).
    fn uniform(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits = (bits ^ (bits >> 31)) >> 11;
        low + (high - low) * bits as f64 / (1u64 << 53) as f64
    }

    /// Standard normal: a point at a uniform angle and a random radius (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform(0.0, 1.0)).ln()).sqrt();
        radius * self.uniform(0.0, TAU).cos()
    }
}

/// A linear layer, or anything of its shape, such as its gradient.
#[derive(Clone)]
pub struct Linear {
    /// Number of inputs.
    pub inputs: usize,
    /// Weights `[out, in]`: a row for each unit.
    pub w: Vec<f64>,
    /// Biases `[out]`.
    pub b: Vec<f64>,
}

/// A network is a list of layers; `widths` counts the units of input, hidden layers and output.
/// Weights are random, because units with equal weights would get equal gradients and stay equal.
/// Their variance is `2 / in` (He et al. 2015): ReLU halves the mean square of the values, and the
/// 2 makes up for it, so that they neither fade nor grow from layer to layer. Biases start at 0.
pub fn he(widths: &[usize], random: &mut Random) -> Vec<Linear> {
    let layer = |pair: &[usize]| {
        let (inputs, outputs) = (pair[0], pair[1]);
        let deviation = (2.0 / inputs as f64).sqrt();
        let w = (0..outputs * inputs).map(|_| deviation * random.normal()).collect();
        Linear { inputs, w, b: vec![0.0; outputs] }
    };
    widths.windows(2).map(layer).collect()
}

/// All weights and biases of a network, layer after layer.
pub fn parameters(network: &[Linear]) -> impl Iterator<Item = &f64> {
    network.iter().flat_map(|layer| layer.w.iter().chain(&layer.b))
}

/// The same, to change them.
fn parameters_mut(network: &mut [Linear]) -> impl Iterator<Item = &mut f64> {
    network.iter_mut().flat_map(|layer| layer.w.iter_mut().chain(&mut layer.b))
}

// ----- Forward: from pixels to probabilities -----

/// `z = Wx + b` for each sample: `x [batch, in]`, `z [batch, out]`.
fn linear(layer: &Linear, x: &[f64]) -> Vec<f64> {
    let mut z = Vec::new();
    for x in x.chunks_exact(layer.inputs) {
        for (w, b) in layer.w.chunks_exact(layer.inputs).zip(&layer.b) {
            z.push(b + w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>());
        }
    }
    z
}

/// `max(0, z)`. Without it between them, two linear layers would be a single one.
fn relu(z: f64) -> f64 {
    z.max(0.0)
}

/// Inverted dropout (Srivastava et al. 2014): yields the mask, a factor for each unit of each
/// sample. It is 0 with probability `rate`, so that no unit can rely on another one, and otherwise
/// `1 / (1 - rate)`, so that its mean is 1. In evaluation the mask is always 1.
pub fn dropout(rate: f64, mut random: Random) -> impl FnMut() -> f64 {
    move || if random.uniform(0.0, 1.0) < rate { 0.0 } else { 1.0 / (1.0 - rate) }
}

/// `p = eᶻ / Σ eᶻ` turns the logits `z [classes]` of one sample into probabilities. Subtracting
/// the largest logit from all changes no `p` and prevents overflow.
pub fn softmax(z: &[f64]) -> Vec<f64> {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exp: Vec<f64> = z.iter().map(|z| (z - largest).exp()).collect();
    let sum: f64 = exp.iter().sum();
    exp.iter().map(|e| e / sum).collect()
}

/// What the backward pass needs from the forward pass.
struct Pass {
    x: Vec<Vec<f64>>,     // The input of each layer, [batch, in].
    masks: Vec<Vec<f64>>, // The dropout mask of each hidden layer, [batch, out].
    p: Vec<f64>,          // Probabilities, [batch, classes].
}

/// Passes `x [batch, in]` through the hidden layers and the output layer.
fn forward(network: &[Linear], x: &[f64], mut mask: impl FnMut() -> f64) -> Pass {
    let mut pass = Pass { x: vec![x.to_vec()], masks: vec![], p: vec![] };
    for (l, layer) in network.iter().enumerate() {
        let z = linear(layer, &pass.x[l]);
        if l == network.len() - 1 {
            pass.p = z.chunks_exact(CLASSES).flat_map(softmax).collect();
        } else {
            let mask: Vec<f64> = z.iter().map(|_| mask()).collect();
            pass.x.push(z.iter().zip(&mask).map(|(z, mask)| relu(*z) * mask).collect());
            pass.masks.push(mask);
        }
    }
    pass
}

// ----- Loss: how wrong the probabilities are -----

/// Cross-entropy `L = -Σ y ln p`, averaged over the batch. `p` and `y` are `[batch, classes]`;
/// `y` is 1 for the true class and 0 for the others. The lower limit keeps `ln` finite.
pub fn cross_entropy(p: &[f64], y: &[f64]) -> f64 {
    let sum: f64 = p.iter().zip(y).map(|(p, y)| -y * p.max(f64::MIN_POSITIVE).ln()).sum();
    sum / (y.len() / CLASSES) as f64
}

/// `∂L/∂z` of the logits: the chain rule through cross-entropy and softmax leaves `p - y`. The
/// mean over the batch divides it by the batch size.
pub fn output_gradient(p: &[f64], y: &[f64]) -> Vec<f64> {
    let batch = (y.len() / CLASSES) as f64;
    p.iter().zip(y).map(|(p, y)| (p - y) / batch).collect()
}

/// The L2 penalty `l2/2 Σ w²`, which keeps weights small. Biases are free.
fn penalty(network: &[Linear], l2: f64) -> f64 {
    l2 / 2.0 * network.iter().flat_map(|layer| &layer.w).map(|w| w * w).sum::<f64>()
}

// ----- Backward: the chain rule unwinds the network like a ball of thread -----

/// From `dz [batch, out]` and the input `x [batch, in]`: `dw = dzᵀ x`, `db = Σ dz` over the batch,
/// and `dx = dz W`, which the layer below is waiting for.
fn linear_backward(layer: &Linear, dz: &[f64], x: &[f64]) -> (Linear, Vec<f64>) {
    let (inputs, outputs) = (layer.inputs, layer.b.len());
    let [mut dw, mut db, mut dx] = [layer.w.len(), outputs, x.len()].map(|len| vec![0.0; len]);
    for (sample, dz) in dz.chunks_exact(outputs).enumerate() {
        let (x, dx) = (&x[sample * inputs..], &mut dx[sample * inputs..]);
        for (o, dz) in dz.iter().enumerate() {
            let (w, dw) = (&layer.w[o * inputs..], &mut dw[o * inputs..]);
            for i in 0..inputs {
                dw[i] += dz * x[i];
                dx[i] += dz * w[i];
            }
            db[o] += dz;
        }
    }
    (Linear { inputs, w: dw, b: db }, dx)
}

/// The gradient of loss plus penalty. Pull the thread at the error, `p - y`, and the layers come
/// off in reverse: each turns its `dz` into its own gradient and `dx`. The mask and ReLU's slope, 1
/// for an active unit and 0 for a silent one, turn `dx` into the `dz` of the layer below.
fn backward(network: &[Linear], pass: &Pass, y: &[f64], l2: f64) -> Vec<Linear> {
    let mut gradients = network.to_vec();
    let mut dz = output_gradient(&pass.p, y);
    for (l, layer) in network.iter().enumerate().rev() {
        let (mut gradient, mut dx) = linear_backward(layer, &dz, &pass.x[l]);
        gradient.w.iter_mut().zip(&layer.w).for_each(|(dw, w)| *dw += l2 * w); // The penalty's.
        gradients[l] = gradient;
        if l > 0 {
            // A unit with x > 0 was active. If it was dropped, x is 0, but its mask is 0 too.
            for (i, dx) in dx.iter_mut().enumerate() {
                *dx *= if pass.x[l][i] > 0.0 { pass.masks[l - 1][i] } else { 0.0 };
            }
        }
        dz = dx;
    }
    gradients
}

/// Compares `backward` with the slope between two close points, `(L(w + h) - L(w - h)) / 2h`, on
/// every 29th parameter. Returns the largest relative difference.
pub fn gradient_check(network: &[Linear], batch: &Samples) -> f64 {
    let pass = |network: &[Linear]| forward(network, &batch.x, dropout(DROPOUT, Random(1)));
    let gradients = backward(network, &pass(network), &batch.y, L2);
    let moved = |i: usize, h: f64| {
        let mut network = network.to_vec();
        parameters_mut(&mut network).skip(i).take(1).for_each(|w| *w += h);
        cross_entropy(&pass(&network).p, &batch.y) + penalty(&network, L2)
    };
    let compare = |(i, dw): (usize, &f64)| {
        let slope = (moved(i, 1e-4) - moved(i, -1e-4)) / 2e-4;
        (dw - slope).abs() / dw.abs().max(slope.abs()).max(1e-6)
    };
    parameters(&gradients).enumerate().step_by(29).map(compare).fold(0.0, f64::max)
}

// ----- Update: a step downhill -----

/// How a gradient `g` moves a weight: `w ← w - learning_rate · direction`, in PyTorch's form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// SGD with momentum (Polyak 1964): the direction is a velocity, which sums up past gradients.
    Sgd,
    /// RMSProp (Tieleman and Hinton 2012): `g` over the root of its mean square.
    RmsProp,
    /// Adam (Kingma and Ba 2015): the mean of `g` over that root, both corrected for a start at 0.
    Adam,
}

/// The direction of one weight in step `t = 1, 2, ...`, from the running moments `m` of `g` and `s`
/// of `g²`. The 1e-8 prevents a division by 0.
fn direction(rule: Rule, g: f64, [m, s]: &mut [f64; 2], t: i32) -> f64 {
    match rule {
        Rule::Sgd => {
            *m = 0.9 * *m + g;
            *m
        }
        Rule::RmsProp => {
            *s = 0.99 * *s + 0.01 * g * g;
            g / (s.sqrt() + 1e-8)
        }
        Rule::Adam => {
            *m = 0.9 * *m + 0.1 * g;
            *s = 0.999 * *s + 0.001 * g * g;
            let (m, s) = (*m / (1.0 - 0.9f64.powi(t)), *s / (1.0 - 0.999f64.powi(t)));
            m / (s.sqrt() + 1e-8)
        }
    }
}

/// A rule with its settings and the moments of every parameter.
pub struct Optimiser {
    rule: Rule,
    learning_rate: f64,
    l2: f64,
    t: i32,
    moments: Vec<[f64; 2]>,
}

impl Optimiser {
    /// An optimiser for this network, before its first step.
    pub fn new(rule: Rule, learning_rate: f64, l2: f64, network: &[Linear]) -> Optimiser {
        let moments = vec![[0.0; 2]; parameters(network).count()];
        Optimiser { rule, learning_rate, l2, t: 0, moments }
    }

    /// One step: forward, backward, update. Returns the loss before the update, without penalty.
    pub fn step(&mut self, net: &mut [Linear], batch: &Samples, mask: impl FnMut() -> f64) -> f64 {
        let pass = forward(net, &batch.x, mask);
        let gradients = backward(net, &pass, &batch.y, self.l2);
        let weights = parameters_mut(net).zip(parameters(&gradients));
        self.t += 1;
        for ((w, g), moments) in weights.zip(&mut self.moments) {
            *w -= self.learning_rate * direction(self.rule, *g, moments, self.t);
        }
        cross_entropy(&pass.p, &batch.y)
    }
}

// ----- Data: drawings of cats and dogs -----

const SIDE: usize = 12;
const CLASSES: usize = 2;

/// Samples with their targets.
pub struct Samples {
    /// Pixels `[count, SIDE · SIDE]`.
    pub x: Vec<f64>,
    /// `[1, 0]` for a cat and `[0, 1]` for a dog: `[count, CLASSES]`.
    pub y: Vec<f64>,
}

/// Draws cats and dogs in turn: a face of random place, size and brightness, with noise. A cat's
/// ears point up, a dog's ears hang down.
pub fn draw(count: usize, random: &mut Random) -> Samples {
    let mut samples = Samples { x: vec![], y: vec![] };
    for n in 0..count {
        samples.y.extend([[1.0, 0.0], [0.0, 1.0]][n % 2]);
        let (x, y) = (random.uniform(4.0, 7.0), random.uniform(5.0, 7.0));
        let (radius, fur) = (random.uniform(2.4, 3.4), random.uniform(0.3, 1.0));
        for i in 0..SIDE * SIDE {
            // How far the pixel is to the side of the face's middle, and below it, in radii.
            let u = ((i % SIDE) as f64 - x).abs() / radius;
            let v = ((i / SIDE) as f64 - y) / radius;
            let cat_ear = (-1.6..0.0).contains(&v) && (u - 0.65).abs() < (v + 1.6) / 3.0;
            let dog_ear = ((u - 1.1) / 0.35).hypot((v - 0.2) / 0.9) < 1.0;
            let inside = u.hypot(v) < 1.0 || [cat_ear, dog_ear][n % 2];
            samples.x.push(if inside { fur } else { 0.0 } + 0.2 * random.normal());
        }
    }
    samples
}

/// The samples with these numbers, such as a mini-batch.
pub fn select(samples: &Samples, rows: &[usize]) -> Samples {
    let pick = |values: &[f64], width: usize| {
        rows.iter().flat_map(|row| &values[row * width..][..width]).copied().collect()
    };
    Samples { x: pick(&samples.x, SIDE * SIDE), y: pick(&samples.y, CLASSES) }
}

// ----- Training: mini-batches, epochs, the learning curve -----

const BATCH: usize = 20;
const EPOCHS: usize = 15;
const DROPOUT: f64 = 0.1;
const L2: f64 = 1e-3;
/// Learning rates that suit these data.
pub const RATES: [(Rule, f64); 3] = [(Rule::Sgd, 0.02), (Rule::RmsProp, 2e-3), (Rule::Adam, 3e-3)];

/// Loss and accuracy on the training set and on the validation set, before training and after each
/// epoch. The network never learns from the validation set.
pub type Curve = Vec<[(f64, f64); 2]>;

/// Loss and accuracy in percent, without dropout.
pub fn evaluate(network: &[Linear], samples: &Samples) -> (f64, f64) {
    let p = forward(network, &samples.x, || 1.0).p;
    let correct = p.iter().zip(&samples.y).filter(|(p, y)| **p * **y > 0.5).count();
    (cross_entropy(&p, &samples.y), 100.0 * (correct * CLASSES) as f64 / p.len() as f64)
}

/// Trains on the first set. Each epoch passes through all of its samples in mini-batches, in a new
/// random order (Fisher and Yates).
pub fn train(network: &mut [Linear], rule: Rule, rate: f64, sets: &[Samples; 2]) -> Curve {
    let mut optimiser = Optimiser::new(rule, rate, L2, network);
    let (mut random, mut mask) = (Random(1), dropout(DROPOUT, Random(11)));
    let mut order: Vec<usize> = (0..sets[0].y.len() / CLASSES).collect();
    let mut curve = vec![sets.each_ref().map(|set| evaluate(network, set))];
    for _ in 0..EPOCHS {
        for last in (1..order.len()).rev() {
            order.swap(last, random.uniform(0.0, (last + 1) as f64) as usize);
        }
        for rows in order.chunks(BATCH) {
            optimiser.step(network, &select(&sets[0], rows), &mut mask);
        }
        curve.push(sets.each_ref().map(|set| evaluate(network, set)));
    }
    curve
}

/// Prints a learning curve with its two phases: the loss falls fast while the network learns what
/// most drawings share, then slowly while it tunes details. The gap between `t` (training) and `v`
/// (validation) is overfitting: details that only the training set has.
fn print_curve(curve: &Curve) {
    println!("epoch    loss: train  val    accuracy: train   val    0  t: train, v: val  0.75");
    for (epoch, [(train, train_hits), (val, val_hits)]) in curve.iter().enumerate() {
        let mut chart = [' '; 31];
        chart[(40.0 * val).min(30.0) as usize] = 'v';
        chart[(40.0 * train).min(30.0) as usize] = 't';
        let chart = String::from_iter(chart);
        println!("{epoch:5} {train:13.3} {val:.3} {train_hits:13.1} % {val_hits:5.1} %  |{chart}|");
    }
    let goal = 0.1 * curve[0][1].0 + 0.9 * curve[EPOCHS][1].0;
    let fast = curve.iter().take_while(|[_, (val, _)]| *val > goal).count();
    println!("Fast learning until epoch {fast}: 90 % of the way. Then fine tuning.\n");
}

/// The two sets, and the network before training.
pub fn start() -> ([Samples; 2], Vec<Linear>) {
    let mut random = Random(5);
    let sets = [draw(400, &mut random), draw(400, &mut random)];
    (sets, he(&[SIDE * SIDE, 16, 8, CLASSES], &mut random))
}

fn main() {
    let (p, y) = ([0.7, 0.3], [1.0, 0.0]);
    let (loss, dz) = (cross_entropy(&p, &y), output_gradient(&p, &y));
    println!("A sample with y = {y:?} and p = {p:?}: loss {loss:.3}, gradient p - y = {dz:.1?}");
    let (sets, network) = start();
    let (count, loss) = (parameters(&network).count(), evaluate(&network, &sets[1]).0);
    println!(
        "{count} parameters. At the start, loss {loss:.3}; that of guessing is ln 2 = {LN_2:.3}"
    );
    let difference = gradient_check(&network, &select(&sets[0], &[0, 1, 2, 3]));
    println!("Gradient check: largest relative difference {difference:.0e}\n");
    for (rule, rate) in RATES {
        let curve = train(&mut network.clone(), rule, rate, &sets);
        if rule == Rule::Sgd {
            print_curve(&curve);
        }
        let [(train, _), (val, accuracy)] = curve[EPOCHS];
        println!("{rule:?}: loss {train:.3}, on validation {val:.3}, accuracy {accuracy:.1} %");
    }
}
