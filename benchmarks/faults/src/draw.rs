//! Draws the data of the bench: small pictures whose classes are more or less hard to tell apart,
//! and what can be wrong with them. The same seed gives the same bytes.

use std::f64::consts::{PI, TAU};

use super::{
    random::Random,
    spec::{Kind, Spec},
};

/// Pixel values of one unit of the drawing, and its zero: noise of 1 fills a quarter of the range.
const CONTRAST: f64 = 32.0;
const GREY: f64 = 128.0;

/// Pictures and labels of one part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Part {
    /// `side * side` bytes a picture, row by row.
    pub(crate) pictures: Vec<Vec<u8>>,
    /// A class a picture.
    pub(crate) labels: Vec<u8>,
}

/// A data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// For training.
    pub(crate) train: Part,
    /// For validation; empty where klubok cuts its own.
    pub(crate) val: Part,
}

/// Draws a data set.
pub(crate) fn draw(spec: &Spec, seed: u64) -> Drawn {
    let mut random = Random::new(seed.wrapping_mul(0x0001_0000_0001).wrapping_add(spec.n as u64));
    let pen = Pen::new(spec, &mut random);
    let mut drawn =
        Drawn { train: pen.part(spec.n, &mut random), val: pen.part(spec.val, &mut random) };
    flatten(&mut drawn, spec, &mut random);
    spoil_labels(&mut drawn.train, spec, &mut random);
    spoil_labels(&mut drawn.val, spec, &mut random);
    copy(&mut drawn, spec, &mut random);
    contradict(&mut drawn.train, spec, &mut random);
    drawn
}

/// What all pictures of a data set have in common.
struct Pen<'a> {
    spec: &'a Spec,
    /// One a class: the centre of a blob, or the pattern of a glyph on a grid.
    patterns: Vec<Vec<f64>>,
}

/// Points on each side of the grid that a glyph's pattern is interpolated from.
const GRID: usize = 4;

impl<'a> Pen<'a> {
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

    /// The class of picture `i` of `count`: in turn, or first as many of the first as it shall
    /// have.
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

    /// The picture without its noise, as a function of the pixel: column, row and number.
    fn shape(&self, class: usize, random: &mut Random) -> Box<dyn Fn(f64, f64, usize) -> f64 + '_> {
        let Spec { kind, classes, side, gap, .. } = *self.spec;
        let pattern = &self.patterns[class];
        let half = (side as f64 - 1.0) / 2.0;
        let turn = random.share() * TAU;
        match kind {
            Kind::Blobs => Box::new(move |_, _, at| pattern[at]),
            Kind::Rings => {
                let radius = half * (class as f64 + 0.6 + 0.15 * random.signed()) / classes as f64;
                dot(half + radius * turn.cos(), half + radius * turn.sin(), gap)
            }
            Kind::Moons => {
                let (angle, sign) = (turn / 2.0, 1.0 - 2.0 * (class % 2) as f64);
                let (x, y) = (angle.cos() - 0.5 * sign, sign * (angle.sin() - 0.25));
                let jitter = 0.05 * random.normal();
                dot(half * (1.0 + 0.6 * (x + jitter)), half * (1.0 + 0.6 * y), gap)
            }
            Kind::Stripes => {
                let direction = PI * (class as f64 + 0.1 * random.normal()) / classes as f64;
                stripes(direction, TAU / 4.0, turn, gap / 4.0)
            }
            Kind::Textures => {
                let width = 2.5 + 2.0 * class as f64 + 0.2 * random.normal();
                stripes(PI * random.share(), TAU / width, turn, gap / 4.0)
            }
            Kind::Glyphs => {
                let (dx, dy) = (random.signed(), random.signed());
                let step = (GRID as f64 - 1.0) / (side as f64 - 1.0);
                Box::new(move |x, y, _| between(pattern, (x + dx) * step, (y + dy) * step))
            }
            Kind::Spots => {
                let count = class + 1;
                let height = gap / count as f64;
                let spots = places(count, side, random).into_iter().map(|(x, y)| dot(x, y, height));
                let spots: Vec<Shape> = spots.collect();
                Box::new(move |x, y, at| spots.iter().map(|spot| spot(x, y, at)).sum())
            }
        }
    }
}

/// Pixels between two spots, and places that are tried for one.
const APART: f64 = 3.0;
const TRIES: usize = 50;

type Shape = Box<dyn Fn(f64, f64, usize) -> f64>;

fn dot(at_x: f64, at_y: f64, height: f64) -> Shape {
    Box::new(move |x, y, _| height * (-((x - at_x).powi(2) + (y - at_y).powi(2)) / 1.5).exp())
}

/// Random places that are far enough apart for dots there not to run together; where there is no
/// room for that, the last that was tried.
fn places(count: usize, side: usize, random: &mut Random) -> Vec<(f64, f64)> {
    let mut places: Vec<(f64, f64)> = Vec::new();
    for _ in 0..count {
        let mut place = || (random.below(side) as f64, random.below(side) as f64);
        let apart = |(x, y): (f64, f64)| {
            places.iter().all(|(a, b)| (a - x).powi(2) + (b - y).powi(2) >= APART * APART)
        };
        let mut found = place();
        for _ in 0..TRIES {
            if apart(found) {
                break;
            }
            found = place();
        }
        places.push(found);
    }
    places
}

fn stripes(direction: f64, frequency: f64, phase: f64, height: f64) -> Shape {
    let (dx, dy) = (direction.cos() * frequency, direction.sin() * frequency);
    Box::new(move |x, y, _| height * (x * dx + y * dy + phase).sin())
}

/// The pattern between the points of its grid; beyond its edge, the edge.
fn between(pattern: &[f64], x: f64, y: f64) -> f64 {
    let most = GRID as f64 - 1.0;
    let (x, y) = (x.clamp(0.0, most), y.clamp(0.0, most));
    let (left, top) = ((x as usize).min(GRID - 2), (y as usize).min(GRID - 2));
    let (u, v) = (x - left as f64, y - top as f64);
    let row =
        |row: usize| pattern[row * GRID + left] * (1.0 - u) + pattern[row * GRID + left + 1] * u;
    row(top) * (1.0 - v) + row(top + 1) * v
}

/// Gives some pixels one value in all pictures: the last ones, as where a frame is cut off.
fn flatten(drawn: &mut Drawn, spec: &Spec, random: &mut Random) {
    let pixels = spec.side * spec.side;
    let from = pixels - (spec.constant * pixels as f64).round() as usize;
    let values: Vec<u8> = (from..pixels).map(|_| random.below(256) as u8).collect();
    for picture in drawn.train.pictures.iter_mut().chain(&mut drawn.val.pictures) {
        picture[from..].copy_from_slice(&values);
    }
}

/// Replaces a share of the labels by another class, or deals all of them out anew.
fn spoil_labels(part: &mut Part, spec: &Spec, random: &mut Random) {
    for label in &mut part.labels {
        if random.share() < spec.labels {
            *label = other(*label, spec.classes, random);
        }
    }
    if spec.shuffle {
        random.shuffle(&mut part.labels);
    }
}

/// A class that is not `label`.
fn other(label: u8, classes: usize, random: &mut Random) -> u8 {
    ((usize::from(label) + 1 + random.below(classes - 1)) % classes) as u8
}

/// Puts copies of training pictures, with their labels, in the place of validation pictures; where
/// there is no validation part, in the place of other training pictures.
fn copy(drawn: &mut Drawn, spec: &Spec, random: &mut Random) {
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
fn contradict(train: &mut Part, spec: &Spec, random: &mut Random) {
    for i in 0..(spec.clash * spec.n as f64).round() as usize {
        train.pictures.push(train.pictures[i].clone());
        train.labels.push(other(train.labels[i], spec.classes, random));
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
    fn a_seed_gives_the_same_bytes_again_and_another_gives_others() {
        for kind in KINDS {
            let spec: Spec = kind.parse().unwrap();
            assert_eq!(draw(&spec, 3), draw(&spec, 3), "{kind}");
            assert_ne!(draw(&spec, 3), draw(&spec, 4), "{kind}");
        }
    }

    #[test]
    fn nothing_is_wrong_unless_it_is_asked_for() {
        for kind in KINDS {
            let Facts { largest_class, constant, copies, clashes, .. } = counted(kind);
            assert!(largest_class < 0.51, "{kind}: {largest_class}");
            assert_eq!((constant, copies, clashes), (0.0, 0.0, 0.0), "{kind}");
        }
    }

    #[test]
    fn a_neighbour_tells_the_class_unless_labels_are_shuffled() {
        for kind in KINDS {
            let neighbour = counted(kind).neighbour;
            assert!(neighbour > 0.6, "{kind}: {neighbour}");
            let shuffled = counted(&format!("{kind} classes=2 shuffle=true")).neighbour;
            assert!(shuffled < 0.6, "{kind}: {shuffled}");
        }
    }

    #[test]
    fn spots_lie_apart_and_share_their_light() {
        let mut random = Random::new(0);
        for _ in 0..100 {
            let spots = places(4, 8, &mut random);
            let apart = |i: usize, j: usize| {
                let ((a, b), (x, y)) = (spots[i], spots[j]);
                (a - x).hypot(b - y) >= APART
            };
            assert!((0..4).all(|i| (0..i).all(|j| apart(i, j))), "{spots:?}");
        }
        assert_eq!(places(2, 1, &mut random), [(0.0, 0.0); 2], "there is no room for two");
        let Part { pictures, labels } = drawn("spots gap=3 n=3000").train;
        let light = |class: u8| {
            let own = pictures.iter().zip(&labels).filter(|(_, label)| **label == class);
            let pixels: Vec<f64> =
                own.flat_map(|(picture, _)| picture).map(|&x| x.into()).collect();
            pixels.iter().sum::<f64>() / pixels.len() as f64 - GREY
        };
        let lights = [0, 1, 2].map(light);
        assert!(lights.iter().all(|x| (x / lights[0] - 1.0).abs() < 0.05), "{lights:?}");
    }

    #[test]
    fn what_is_asked_for_is_there() {
        assert!((counted("blobs first=0.9").largest_class - 0.9).abs() < 0.01);
        assert!((counted("glyphs constant=0.5").constant - 0.5).abs() < 0.01);
        assert!((counted("stripes copies=0.3").copies - 0.3).abs() < 0.01);
        assert!((counted("stripes copies=0.3 val=0").copies - 0.6).abs() < 0.01);
        // 100 of 500 pictures have a twin of another class, and so have their twins.
        assert!((counted("glyphs clash=0.25").clashes - 0.4).abs() < 0.01);
        let (plain, noisy) = (drawn("blobs"), drawn("blobs labels=0.3"));
        assert_eq!(plain.train.pictures, noisy.train.pictures);
        let moved = plain.train.labels.iter().zip(&noisy.train.labels).filter(|(a, b)| a != b);
        assert!((moved.count() as f64 / 400.0 - 0.3).abs() < 0.08);
    }
}
