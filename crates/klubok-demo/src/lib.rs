//! What the built-in sets are made of: drawn cats and dogs, and, in [`spirals`], points.
//!
//! Every picture is painted by the program, nothing in it was ever photographed. A picture is a
//! scene: background, an animal with its pose and coat, often something in front of it, light and a
//! camera. All of that is drawn by lot in the same way for both classes; only the shape says which
//! it is: a cat has pointed ears on top, a short round face, slit almond eyes and whiskers, a dog
//! has hanging, folded or round ears at the sides, a long snout with a big nose and round eyes.
//!
//! Picture `i` of a seed has random numbers of its own, so it does not depend on how many are
//! drawn, nor by how many threads. Drawing uses only operations that IEEE 754 fixes to the last bit
//! (`+ - * /`, roots, comparisons) and no sine, exponential or logarithm, whose last bits differ
//! between systems: the bytes do not depend on the machine, and a test holds the hash of some.
//!
//! # How hard it is
//!
//! Measured in grey on the rows of `demo:cats-dogs`, 1,000 of them for validation, with PyTorch
//! 2.15 and scikit-learn, one run each, three of the last. Both networks have layers of 1024, 512
//! and 256 rectified linear units, He's start, and see the pixels less their mean, divided by their
//! standard deviation.
//!
//! | what | right in validation |
//! |---|---|
//! | nearest class mean of the pixels, 4,000 for training | 56 % |
//! | logistic regression on the pixels, 4,000 for training | 65 % |
//! | network against memorising, 4,000 for training | 63 % after epoch 1, 77 after 10, 88 at best |
//! | network with nothing against it, 600 for training | 73 to 76 %, but 100 % in training |
//!
//! The loss of the last one is at its best 0.77 to 0.83 (epochs 3 to 6), and 1.48 to 1.76 at the
//! end: 1.9 to 2.2 times as much.
//!
//! Against memorising: batch normalisation, dropout 0.3, weight decay 0.05, flips, shifts by up to
//! 3 pixels (the same for a whole batch); AdamW from 1e-3 down a cosine, batch 64, 30 epochs.
//! Nothing against it: Adam at a constant 1e-3, batch 32, 60 epochs. The rate matters: where it
//! falls down a cosine, with batch 128 and 30 epochs, training also reaches 100 % but the loss in
//! validation rises by 9 % only. `klubok train demo:cats-dogs` and `klubok train
//! demo:cats-dogs-small` with such settings repeat the networks; another start moves the figures by
//! some percent.

mod animal;
mod canvas;
mod cat;
mod dice;
mod dog;
mod scene;
pub mod spirals;

use klubok_nn::rng::{Purpose, Stream};

use dice::Dice;

/// Pixels on each side of a drawn picture.
pub const SIDE: usize = canvas::SIDE;
/// Names of the classes.
pub const CLASSES: [&str; 2] = ["cat", "dog"];

/// A picture in grey, `[SIDE, SIDE]`, by Rec. 601.
pub fn grey(pixels: &[u8]) -> Vec<u8> {
    // Weights of 2^16: 0.299, 0.587 and 0.114.
    let luma = |p: &[u8]| {
        (19_595 * u32::from(p[0]) + 38_470 * u32::from(p[1]) + 7_471 * u32::from(p[2]) + 32_768)
            >> 16
    };
    pixels.chunks_exact(3).map(|p| luma(p) as u8).collect()
}

/// The class of picture `index`: of every two in a row, counted from 0, one is a cat (0) and one a
/// dog (1), in random order.
pub fn class(seed: u64, index: u64) -> u32 {
    // A stream beside the pictures' own: layer 1.
    let swap = Stream::new(seed, Purpose::Demo, 1, index / 2).bits() & 1;
    (index as u32 & 1) ^ swap
}

/// Draws picture `index` of a seed, `[SIDE, SIDE, 3]`: red, green and blue of a pixel together.
pub fn draw(seed: u64, index: u64, class: u32) -> Vec<u8> {
    let dice = &mut Dice::new(seed, index);
    let pose = animal::Pose::new(dice);
    let coat = animal::Coat::new(dice);
    let (low, high) = scene::behind(dice, coat.luma());
    let mut canvas = scene::background(dice, low, high);
    match class {
        0 => cat::draw(dice, &mut canvas, &pose, &coat),
        _ => dog::draw(dice, &mut canvas, &pose, &coat),
    }
    scene::foreground(dice, &mut canvas);
    scene::develop(dice, canvas)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Drawn {
        pixels: Vec<u8>,
        classes: Vec<u32>,
    }

    /// The first pictures of a seed.
    fn cats_dogs(count: u64, seed: u64) -> Drawn {
        let classes: Vec<u32> = (0..count).map(|i| class(seed, i)).collect();
        let pixels =
            (0..count).zip(&classes).flat_map(|(i, &class)| draw(seed, i, class)).collect();
        Drawn { pixels, classes }
    }

    #[test]
    fn same_bytes_on_every_machine() {
        let drawn = cats_dogs(64, 1);
        let hash = twox_hash::XxHash3_128::oneshot(&drawn.pixels);
        assert_eq!(hash, 0xed27_13b5_6163_9c83_cfe0_06e2_66fa_7bcf, "{hash:#034x}");
    }

    #[test]
    fn every_pair_has_both_classes() {
        let classes = cats_dogs(200, 1).classes;
        assert!(classes.chunks_exact(2).all(|pair| pair[0] + pair[1] == 1));
        let cats_first = classes.chunks_exact(2).filter(|pair| pair[0] == 0).count();
        assert!((30..70).contains(&cats_first), "{cats_first} of 100 pairs begin with the cat");
    }

    /// Mean over the pictures of each class, and standard deviation over all, of `measure`.
    fn compare(drawn: &Drawn, measure: impl Fn(&[u8]) -> f64) -> ([f64; 2], f64) {
        let values: Vec<f64> = drawn.pixels.chunks_exact(SIDE * SIDE * 3).map(measure).collect();
        let mean = |of: &dyn Fn(u32) -> bool| {
            let kept = values.iter().zip(&drawn.classes).filter(|(_, c)| of(**c)).map(|(v, _)| *v);
            kept.clone().sum::<f64>() / kept.count() as f64
        };
        let middle = mean(&|_| true);
        let square = values.iter().map(|v| (v - middle).powi(2)).sum::<f64>();
        ([mean(&|c| c == 0), mean(&|c| c == 1)], (square / values.len() as f64).sqrt())
    }

    #[test]
    fn brightness_contrast_and_colour_do_not_tell_the_classes_apart() {
        let drawn = cats_dogs(2000, 1);
        let mean = |p: &[u8], c: usize| {
            p.iter().skip(c).step_by(3).map(|v| f64::from(*v)).sum::<f64>() / (SIDE * SIDE) as f64
        };
        let spread = |p: &[u8]| {
            let (m, n) = (mean(p, 1), (SIDE * SIDE) as f64);
            p.iter().skip(1).step_by(3).map(|v| (f64::from(*v) - m).powi(2)).sum::<f64>() / n
        };
        let check = |name: &str, measure: &dyn Fn(&[u8]) -> f64| {
            let ([cat, dog], deviation) = compare(&drawn, measure);
            let apart = (cat - dog).abs() / deviation;
            assert!(apart < 0.2, "{name}: classes are {apart} standard deviations apart");
        };
        check("brightness", &|p| mean(p, 1));
        check("contrast", &|p| spread(p).sqrt());
        check("red", &|p| mean(p, 0) - mean(p, 1));
        check("blue", &|p| mean(p, 2) - mean(p, 1));
    }

    #[test]
    fn pictures_use_the_whole_range() {
        let drawn = cats_dogs(100, 1);
        let (means, deviation) =
            compare(&drawn, |p| p.iter().map(|v| f64::from(*v)).sum::<f64>() / p.len() as f64);
        assert!(means.iter().all(|m| (90.0..160.0).contains(m)), "{means:?}");
        assert!(deviation > 20.0, "{deviation}");
    }

    #[test]
    fn grey_is_rec_601() {
        let pixels = vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 10, 20, 30];
        assert_eq!(grey(&pixels), [76, 150, 29, 255, 18]);
    }
}
