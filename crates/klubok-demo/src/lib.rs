//! Generates the samples of the built-in sets: drawn cats and dogs, drawn [`marks`], and points in
//! [`spirals`] and on a [`curve`].
//!
//! The program paints every picture; none is a photograph. A picture is a scene: a background, an
//! animal with its pose and coat, often something in front of it, light and a camera. Both classes
//! draw all of that from the same distributions. Only the shape differs: a cat has pointed ears on
//! top, a short round face, slit almond eyes and whiskers; a dog has hanging, folded or round ears
//! at the sides, a long snout with a big nose and round eyes.
//!
//! Picture `i` of a seed has its own random numbers, so it does not depend on the number of
//! pictures or threads. Drawing uses only operations that IEEE 754 fixes to the last bit
//! (`+ - * /`, roots, comparisons) and no sine, exponential or logarithm, whose last bits differ
//! between systems. So the bytes do not depend on the machine, and a test checks a hash of some
//! pictures.
//!
//! # How hard it is
//!
//! Measured in grey on the rows of `demo:cats-dogs`, 1,000 of them for validation, with PyTorch
//! 2.15 and scikit-learn: one run each, three of the last. Both networks have ReLU layers of 1024,
//! 512 and 256 units, He initialisation, and normalised pixels.
//!
//! | model | validation accuracy |
//! |---|---|
//! | nearest class mean of the pixels, 4,000 for training | 56 % |
//! | logistic regression on the pixels, 4,000 for training | 65 % |
//! | network with regularisation, 4,000 for training | 63 % after epoch 1, 77 after 10, 88 at best |
//! | network without regularisation, 600 for training | 73 to 76 %, but 100 % in training |
//!
//! The best validation loss of the last row is 0.77 to 0.83 (epochs 3 to 6), the final one 1.48 to
//! 1.76: 1.9 to 2.2 times as much.
//!
//! With regularisation: batch normalisation, dropout 0.3, weight decay 0.05, flips, shifts by up to
//! 3 pixels (the same for a whole batch); AdamW from 1e-3 with cosine decay, batch 64, 30 epochs.
//! Without: Adam at a constant 1e-3, batch 32, 60 epochs. The learning rate schedule matters: with
//! cosine decay, batch 128 and 30 epochs, training also reaches 100 % but the validation loss
//! increases by only 9 %. `klubok train demo:cats-dogs` and `klubok train demo:cats-dogs-small`
//! with these settings reproduce the networks; another seed changes the results by some percent.

mod animal;
mod canvas;
mod cat;
pub mod curve;
mod dice;
mod dog;
pub mod marks;
mod scene;
pub mod spirals;

use klubok_nn::rng::{Purpose, Stream};

use dice::Dice;

/// Pixels on each side of a drawn picture.
pub const SIDE: usize = canvas::SIDE;
/// Names of the classes.
pub const CLASSES: [&str; 2] = ["cat", "dog"];

/// Converts a picture to grey, `[SIDE, SIDE]`, by Rec. 601.
pub fn grey(pixels: &[u8]) -> Vec<u8> {
    // 0.299, 0.587 and 0.114 in units of 2^-16.
    let luma = |p: &[u8]| {
        (19_595 * u32::from(p[0]) + 38_470 * u32::from(p[1]) + 7_471 * u32::from(p[2]) + 32_768)
            >> 16
    };
    pixels.chunks_exact(3).map(|p| luma(p) as u8).collect()
}

/// Returns the class of picture `index`. Every pair, counted from 0, has a cat (0) and a dog (1) in
/// random order.
pub fn class(seed: u64, index: u64) -> u32 {
    // A separate stream from the pictures': layer 1.
    let swap = Stream::new(seed, Purpose::Demo, 1, index / 2).bits() & 1;
    (index as u32 & 1) ^ swap
}

/// Draws picture `index` of a seed, `[SIDE, SIDE, 3]`, interleaved RGB.
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

    /// Draws the first pictures of a seed.
    fn cats_dogs(count: u64, seed: u64) -> Drawn {
        let classes: Vec<u32> = (0..count).map(|i| class(seed, i)).collect();
        let pixels =
            (0..count).zip(&classes).flat_map(|(i, &class)| draw(seed, i, class)).collect();
        Drawn { pixels, classes }
    }

    #[test]
    fn the_bytes_are_the_same_on_every_machine() {
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

    /// Returns the mean of `measure` per class, and its standard deviation over all pictures.
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
    fn brightness_contrast_and_colour_do_not_separate_the_classes() {
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
            let gap = (cat - dog).abs() / deviation;
            assert!(gap < 0.2, "{name}: classes are {gap} standard deviations apart");
        };
        check("brightness", &|p| mean(p, 1));
        check("contrast", &|p| spread(p).sqrt());
        check("red", &|p| mean(p, 0) - mean(p, 1));
        check("blue", &|p| mean(p, 2) - mean(p, 1));
    }

    #[test]
    fn pictures_use_the_brightness_range() {
        let drawn = cats_dogs(100, 1);
        let (means, deviation) =
            compare(&drawn, |p| p.iter().map(|v| f64::from(*v)).sum::<f64>() / p.len() as f64);
        assert!(means.iter().all(|m| (90.0..160.0).contains(m)), "{means:?}");
        assert!(deviation > 20.0, "{deviation}");
    }

    #[test]
    fn grey_follows_rec_601() {
        let pixels = vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 10, 20, 30];
        assert_eq!(grey(&pixels), [76, 150, 29, 255, 18]);
    }
}
