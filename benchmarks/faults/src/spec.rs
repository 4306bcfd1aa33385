//! What a data set of the bench is to be, written in one line: `glyphs classes=5 n=400 labels=0.2`.

use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};

/// What the pictures show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Gaussian blobs: a centre a class, noise in every pixel. A linear network can tell them
    /// apart.
    Blobs,
    /// A dot that lies on one of several rings, one a class.
    Rings,
    /// A dot that lies on one of two interleaved half circles.
    Moons,
    /// Stripes of random phase, whose direction is the class.
    Stripes,
    /// Stripes of random phase and direction, whose width is the class.
    Textures,
    /// A smooth pattern a class, shifted at random, with noise: what digits are like.
    Glyphs,
    /// Bright spots at random places. Their number is the class, and the more there are the fainter
    /// each is: all classes are equally light, and a weighted sum of pixels hardly tells which.
    Spots,
}

/// A data set before it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spec {
    /// What the pictures show.
    pub(crate) kind: Kind,
    /// Number of classes.
    pub(crate) classes: usize,
    /// Pixels on each side.
    pub(crate) side: usize,
    /// Pictures for training.
    pub(crate) n: usize,
    /// Pictures for validation; 0: klubok cuts its own part off.
    pub(crate) val: usize,
    /// How far classes lie apart, in units of the noise of a pixel.
    pub(crate) gap: f64,
    /// Noise of a pixel.
    pub(crate) noise: f64,
    /// Share of labels that are replaced by another, in both parts.
    pub(crate) labels: f64,
    /// All labels are dealt out anew, in both parts.
    pub(crate) shuffle: bool,
    /// Share of the first class; 0: all are equal.
    pub(crate) first: f64,
    /// Share of the validation part (without one, of all pictures) that is copied from the training
    /// part.
    pub(crate) copies: f64,
    /// Share of the training pictures that are there a second time, under another label.
    pub(crate) clash: f64,
    /// Share of pixels that have the same value in all pictures.
    pub(crate) constant: f64,
    /// Written as a folder of picture files instead of IDX.
    pub(crate) pictures: bool,
}

impl FromStr for Spec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut words = text.split_whitespace();
        let kind = match words.next().unwrap_or_default() {
            "blobs" => Kind::Blobs,
            "rings" => Kind::Rings,
            "moons" => Kind::Moons,
            "stripes" => Kind::Stripes,
            "textures" => Kind::Textures,
            "glyphs" => Kind::Glyphs,
            "spots" => Kind::Spots,
            other => bail!("there are no pictures of `{other}`"),
        };
        let mut spec = Self::new(kind);
        for word in words {
            let (key, value) = word.split_once('=').with_context(|| format!("`{word}`: no `=`"))?;
            spec.set(key, value).with_context(|| format!("`{word}` of `{text}`"))?;
        }
        Ok(spec)
    }
}

impl Spec {
    /// The pictures of this kind, with nothing wrong.
    fn new(kind: Kind) -> Self {
        let (classes, noise) = match kind {
            Kind::Blobs => (4, 1.0),
            Kind::Rings | Kind::Moons => (2, 0.3),
            Kind::Stripes | Kind::Textures => (3, 0.5),
            Kind::Glyphs => (5, 0.7),
            Kind::Spots => (3, 0.3),
        };
        Self {
            kind,
            classes,
            side: 8,
            n: 400,
            val: 500,
            gap: 4.0,
            noise,
            labels: 0.0,
            shuffle: false,
            first: 0.0,
            copies: 0.0,
            clash: 0.0,
            constant: 0.0,
            pictures: false,
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            "classes" => self.classes = value.parse()?,
            "side" => self.side = value.parse()?,
            "n" => self.n = value.parse()?,
            "val" => self.val = value.parse()?,
            "gap" => self.gap = value.parse()?,
            "noise" => self.noise = value.parse()?,
            "labels" => self.labels = value.parse()?,
            "shuffle" => self.shuffle = value.parse()?,
            "first" => self.first = value.parse()?,
            "copies" => self.copies = value.parse()?,
            "clash" => self.clash = value.parse()?,
            "constant" => self.constant = value.parse()?,
            "pictures" => self.pictures = value.parse()?,
            _ => bail!("there is no `{key}`"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_differs_from_the_kinds_own() {
        let spec: Spec = "glyphs classes=10 labels=0.25 pictures=true".parse().unwrap();
        let expected =
            Spec { classes: 10, labels: 0.25, pictures: true, ..Spec::new(Kind::Glyphs) };
        assert_eq!(spec, expected);
        for wrong in ["clouds", "blobs gap", "blobs gap=wide", "blobs colour=1"] {
            assert!(wrong.parse::<Spec>().is_err(), "{wrong}");
        }
    }
}
