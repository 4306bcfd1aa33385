//! Specification of a generated data set in one line: `glyphs classes=5 n=400 labels=0.2`.

use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};

/// The content of the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Gaussian blobs: one centre per class, noise in every pixel. A linear network can separate
    /// them.
    Blobs,
    /// A dot on one of several concentric rings, one per class.
    Rings,
    /// A dot on one of two interleaved half circles.
    Moons,
    /// Stripes of random phase; the class is their direction.
    Stripes,
    /// Stripes of random phase and direction; the class is their width.
    Textures,
    /// One smooth pattern per class, shifted at random, with noise: similar to digits.
    Glyphs,
    /// Bright spots at random positions; the class is their number. More spots are fainter, so all
    /// classes have the same mean brightness, and a linear network can hardly separate them.
    Spots,
}

/// The specification of a data set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spec {
    /// The content of the pictures.
    pub(crate) kind: Kind,
    /// Number of classes.
    pub(crate) classes: usize,
    /// Pixels on each side.
    pub(crate) side: usize,
    /// Number of training pictures.
    pub(crate) n: usize,
    /// Number of validation pictures; 0: klubok splits off its own.
    pub(crate) val: usize,
    /// Distance between classes, in the unit of `noise`.
    pub(crate) gap: f64,
    /// Standard deviation of a pixel's noise.
    pub(crate) noise: f64,
    /// Share of wrong labels, in training and validation set.
    pub(crate) labels: f64,
    /// Shuffles the labels of training and validation set.
    pub(crate) shuffle: bool,
    /// Share of the first class; 0: all classes have the same size.
    pub(crate) first: f64,
    /// Share of validation pictures (without a validation set, of all pictures) that are copies of
    /// training pictures.
    pub(crate) copies: f64,
    /// Share of training pictures repeated under another label.
    pub(crate) clash: f64,
    /// Share of pixels with the same value in all pictures.
    pub(crate) constant: f64,
    /// Writes picture files instead of IDX.
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
            other => bail!("unknown kind of pictures `{other}`"),
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
    /// The defaults of a kind, without a fault.
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
            _ => bail!("unknown key `{key}`"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_overrides_the_defaults_of_its_kind() {
        let spec: Spec = "glyphs classes=10 labels=0.25 pictures=true".parse().unwrap();
        let expected =
            Spec { classes: 10, labels: 0.25, pictures: true, ..Spec::new(Kind::Glyphs) };
        assert_eq!(spec, expected);
        for wrong in ["clouds", "blobs gap", "blobs gap=wide", "blobs colour=1"] {
            assert!(wrong.parse::<Spec>().is_err(), "{wrong}");
        }
    }
}
