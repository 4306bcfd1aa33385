//! Draws the data of the bench: small pictures whose classes are easy or hard to separate, and
//! their faults. The same seed gives the same bytes.

use std::f64::consts::{PI, TAU};

use super::{
    random::Random,
    spec::{Kind, Spec},
};

/// Pixel values per unit of a drawing: noise of ± 1 spans a quarter of the range.
const CONTRAST: f64 = 32.0;
/// Pixel value of a drawing's zero.
const GREY: f64 = 128.0;

/// Pictures and labels of a training or validation set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Part {
    /// `side * side` bytes per picture, row by row.
    pub(crate) pictures: Vec<Vec<u8>>,
    /// The class of each picture.
    pub(crate) labels: Vec<u8>,
}

/// A data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// Training set.
    pub(crate) train: Part,
    /// Validation set; empty where klubok splits off its own.
    pub(crate) val: Part,
}

/// Draws a data set.
pub(crate) fn draw(spec: &Spec, seed: u64) -> Drawn {
    let mut random = Random::new(seed.wrapping_mul(0x0001_0000_0001).wrapping_add(spec.n as u64));
    let painter = Painter::new(spec, &mut random);
    let train = painter.part(spec.n, &mut random);
    let val = painter.part(spec.val, &mut random);
    let mut drawn = Drawn { train, val };
    fix_pixels(&mut drawn, spec, &mut random);
    corrupt_labels(&mut drawn.train, spec, &mut random);
    corrupt_labels(&mut drawn.val, spec, &mut random);
    add_copies(&mut drawn, spec, &mut random);
    add_contradictions(&mut drawn.train, spec, &mut random);
    drawn
}

/// Draws the pictures of a data set.
struct Painter<'a> {
    spec: &'a Spec,
    /// One per class: the centre of a blob, or the pattern of a glyph on a grid.
    patterns: Vec<Vec<f64>>,
}

/// Points on each side of the grid of a glyph's pattern.
const GRID: usize = 4;

impl<'a> Painter<'a> {
    fn new(spec: &'a Spec, random: &mut Random) -> Self {
        let numbers = if spec.kind == Kind::Blobs { spec.side * spec.side } else { GRID * GRID };
        let mut pattern = || {
            let drawn: Vec<f64> = (0..numbers).map(|_| random.normal()).collect();
            let norm = drawn.iter().map(|x| x * x).sum::<f64>().sqrt();
            drawn.iter().map(|x| x / norm * spec.gap).collect()
        };
        Self { spec, patterns: (0..spec.classes).map(|_| pattern()).collect() }
    }

    fn part(&self, count: usize, random: &mut Random) -> Part {
        let mut labels: Vec<u8> = (0..count).map(|i| self.class(i, count) as u8).collect();
        random.shuffle(&mut labels);
        let pictures = labels.iter().map(|&c| self.picture(usize::from(c), random)).collect();
        Part { pictures, labels }
    }

    /// The class of picture `i` of `count`: by turns, or first the share of the first class.
    fn class(&self, i: usize, count: usize) -> usize {
        let Spec { classes, first, .. } = *self.spec;
        if first == 0.0 {
            i % classes
        } else if (i as f64) < first * count as f64 {
            0
        } else {
            1 + i % (classes - 1)
        }
    }

    fn picture(&self, class: usize, random: &mut Random) -> Vec<u8> {
        let side = self.spec.side;
        let shape = self.shape(class, random);
        (0..side * side)
            .map(|at| {
                let x = shape((at % side) as f64, (at / side) as f64, at);
                let value = GREY + CONTRAST * (x + self.spec.noise * random.normal());
                value.round().clamp(0.0, 255.0) as u8
            })
            .collect()
    }

    /// The picture without noise, as a function of a pixel's column, row and index.
    fn shape(&self, class: usize, random: &mut Random) -> Box<dyn Fn(f64, f64, usize) -> f64 + '_> {
        let Spec { kind, classes, side, gap, .. } = *self.spec;
        let pattern = &self.patterns[class];
        let half = (side as f64 - 1.0) / 2.0;
        let angle = random.share() * TAU;
        match kind {
            Kind::Blobs => Box::new(move |_, _, at| pattern[at]),
            Kind::Rings => {
                let radius = half * (class as f64 + 0.6 + 0.15 * random.signed()) / classes as f64;
                dot(half + radius * angle.cos(), half + radius * angle.sin(), gap)
            }
            Kind::Moons => {
                let (angle, sign) = (angle / 2.0, 1.0 - 2.0 * (class % 2) as f64);
                let (x, y) = (angle.cos() - 0.5 * sign, sign * (angle.sin() - 0.25));
                let jitter = 0.05 * random.normal();
                dot(half * (1.0 + 0.6 * (x + jitter)), half * (1.0 + 0.6 * y), gap)
            }
            Kind::Stripes => {
                let direction = PI * (class as f64 + 0.1 * random.normal()) / classes as f64;
                stripes(direction, TAU / 4.0, angle, gap / 4.0)
            }
            Kind::Textures => {
                let width = 2.5 + 2.0 * class as f64 + 0.2 * random.normal();
                stripes(PI * random.share(), TAU / width, angle, gap / 4.0)
            }
            Kind::Glyphs => {
                let (dx, dy) = (random.signed(), random.signed());
                let step = (GRID as f64 - 1.0) / (side as f64 - 1.0);
                Box::new(move |x, y, _| interpolate(pattern, (x + dx) * step, (y + dy) * step))
            }
            Kind::Spots => {
                let count = class + 1;
                let height = gap / count as f64;
                let positions = spot_positions(count, side, random);
                let spots: Vec<Shape> =
                    positions.into_iter().map(|(x, y)| dot(x, y, height)).collect();
                Box::new(move |x, y, at| spots.iter().map(|spot| spot(x, y, at)).sum())
            }
        }
    }
}

/// Minimal distance between two spots in pixels.
const MIN_DISTANCE: f64 = 3.0;
/// Attempts to find a position for a spot.
const MAX_ATTEMPTS: usize = 50;

type Shape = Box<dyn Fn(f64, f64, usize) -> f64>;

fn dot(at_x: f64, at_y: f64, height: f64) -> Shape {
    Box::new(move |x, y, _| height * (-((x - at_x).powi(2) + (y - at_y).powi(2)) / 1.5).exp())
}

/// Random positions far enough apart that dots do not merge; where there is no room, the last one
/// tried.
fn spot_positions(count: usize, side: usize, random: &mut Random) -> Vec<(f64, f64)> {
    let mut positions: Vec<(f64, f64)> = Vec::new();
    for _ in 0..count {
        let mut draw = || (random.below(side) as f64, random.below(side) as f64);
        let is_apart = |(x, y): (f64, f64)| {
            let mut squares = positions.iter().map(|(a, b)| (a - x).powi(2) + (b - y).powi(2));
            squares.all(|square| square >= MIN_DISTANCE * MIN_DISTANCE)
        };
        let mut position = draw();
        for _ in 0..MAX_ATTEMPTS {
            if is_apart(position) {
                break;
            }
            position = draw();
        }
        positions.push(position);
    }
    positions
}

fn stripes(direction: f64, frequency: f64, phase: f64, height: f64) -> Shape {
    let (dx, dy) = (direction.cos() * frequency, direction.sin() * frequency);
    Box::new(move |x, y, _| height * (x * dx + y * dy + phase).sin())
}

/// Interpolates a pattern bilinearly; outside the grid the edge continues.
fn interpolate(pattern: &[f64], x: f64, y: f64) -> f64 {
    let edge = GRID as f64 - 1.0;
    let (x, y) = (x.clamp(0.0, edge), y.clamp(0.0, edge));
    let (left, top) = ((x as usize).min(GRID - 2), (y as usize).min(GRID - 2));
    let (u, v) = (x - left as f64, y - top as f64);
    let row =
        |row: usize| pattern[row * GRID + left] * (1.0 - u) + pattern[row * GRID + left + 1] * u;
    row(top) * (1.0 - v) + row(top + 1) * v
}

/// Gives the last pixels the same values in all pictures, like a border.
fn fix_pixels(drawn: &mut Drawn, spec: &Spec, random: &mut Random) {
    let pixels = spec.side * spec.side;
    let from = pixels - (spec.constant * pixels as f64).round() as usize;
    let values: Vec<u8> = (from..pixels).map(|_| random.below(256) as u8).collect();
    for picture in drawn.train.pictures.iter_mut().chain(&mut drawn.val.pictures) {
        picture[from..].copy_from_slice(&values);
    }
}

/// Replaces a share of the labels by another class, or shuffles all labels.
fn corrupt_labels(part: &mut Part, spec: &Spec, random: &mut Random) {
    for label in &mut part.labels {
        if random.share() < spec.labels {
            *label = other_class(*label, spec.classes, random);
        }
    }
    if spec.shuffle {
        random.shuffle(&mut part.labels);
    }
}

/// A random class other than `label`.
fn other_class(label: u8, classes: usize, random: &mut Random) -> u8 {
    ((usize::from(label) + 1 + random.below(classes - 1)) % classes) as u8
}

/// Replaces validation pictures by copies of training pictures with their labels; without a
/// validation set replaces other training pictures.
fn add_copies(drawn: &mut Drawn, spec: &Spec, random: &mut Random) {
    let Drawn { train, val } = drawn;
    let count = if spec.val == 0 { spec.n } else { spec.val };
    let copied = (spec.copies * count as f64).round() as usize;
    for i in 0..copied {
        if spec.val == 0 {
            // The second half repeats the first.
            let from = i % (spec.n / 2);
            let to = spec.n - 1 - from;
            train.pictures[to] = train.pictures[from].clone();
            train.labels[to] = train.labels[from];
        } else {
            let from = random.below(spec.n);
            val.pictures[i] = train.pictures[from].clone();
            val.labels[i] = train.labels[from];
        }
    }
}

/// Repeats training pictures under another label.
fn add_contradictions(train: &mut Part, spec: &Spec, random: &mut Random) {
    for i in 0..(spec.clash * spec.n as f64).round() as usize {
        train.pictures.push(train.pictures[i].clone());
        train.labels.push(other_class(train.labels[i], spec.classes, random));
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::facts::{Facts, facts},
        *,
    };

    fn drawn(line: &str) -> Drawn {
        draw(&line.parse().unwrap(), 0)
    }

    fn counted(line: &str) -> Facts {
        facts(&drawn(line))
    }

    const KINDS: [&str; 7] = ["blobs", "rings", "moons", "stripes", "textures", "glyphs", "spots"];

    #[test]
    fn equal_seeds_give_equal_bytes_and_different_seeds_different_ones() {
        for kind in KINDS {
            let spec: Spec = kind.parse().unwrap();
            assert_eq!(draw(&spec, 3), draw(&spec, 3), "{kind}");
            assert_ne!(draw(&spec, 3), draw(&spec, 4), "{kind}");
        }
    }

    #[test]
    fn default_data_has_no_fault() {
        for kind in KINDS {
            let Facts { largest_class, constant, copies, clashes, .. } = counted(kind);
            assert!(largest_class < 0.51, "{kind}: {largest_class}");
            assert_eq!((constant, copies, clashes), (0.0, 0.0, 0.0), "{kind}");
        }
    }

    #[test]
    fn the_nearest_neighbour_predicts_the_class_unless_labels_are_shuffled() {
        for kind in KINDS {
            let neighbour = counted(kind).neighbour;
            assert!(neighbour > 0.6, "{kind}: {neighbour}");
            let shuffled = counted(&format!("{kind} classes=2 shuffle=true")).neighbour;
            assert!(shuffled < 0.6, "{kind}: {shuffled}");
        }
    }

    #[test]
    fn spots_keep_their_distance_and_classes_are_equally_bright() {
        let mut random = Random::new(0);
        for _ in 0..100 {
            let spots = spot_positions(4, 8, &mut random);
            let apart = |i: usize, j: usize| {
                let ((a, b), (x, y)) = (spots[i], spots[j]);
                (a - x).hypot(b - y) >= MIN_DISTANCE
            };
            assert!((0..4).all(|i| (0..i).all(|j| apart(i, j))), "{spots:?}");
        }
        assert_eq!(spot_positions(2, 1, &mut random), [(0.0, 0.0); 2], "no room for two");
        let Part { pictures, labels } = drawn("spots gap=3 n=3000").train;
        let brightness = |class: u8| {
            let own = pictures.iter().zip(&labels).filter(|(_, label)| **label == class);
            let pixels: Vec<f64> =
                own.flat_map(|(picture, _)| picture).map(|&x| x.into()).collect();
            pixels.iter().sum::<f64>() / pixels.len() as f64 - GREY
        };
        let values = [0, 1, 2].map(brightness);
        assert!(values.iter().all(|x| (x / values[0] - 1.0).abs() < 0.05), "{values:?}");
    }

    #[test]
    fn requested_faults_are_present() {
        assert!((counted("blobs first=0.9").largest_class - 0.9).abs() < 0.01);
        assert!((counted("glyphs constant=0.5").constant - 0.5).abs() < 0.01);
        assert!((counted("stripes copies=0.3").copies - 0.3).abs() < 0.01);
        assert!((counted("stripes copies=0.3 val=0").copies - 0.6).abs() < 0.01);
        // 100 of 500 pictures have a copy of another class, and so have these copies.
        assert!((counted("glyphs clash=0.25").clashes - 0.4).abs() < 0.01);
        let (plain, noisy) = (drawn("blobs"), drawn("blobs labels=0.3"));
        assert_eq!(plain.train.pictures, noisy.train.pictures);
        let moved = plain.train.labels.iter().zip(&noisy.train.labels).filter(|(a, b)| a != b);
        assert!((moved.count() as f64 / 400.0 - 0.3).abs() < 0.08);
    }
}
