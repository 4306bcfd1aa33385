//! The data of a training: rows with fields of fixed width, gathered by row number.
//!
//! [`Rows`] is the interface between data and devices. [`MemoryRows`] keeps its rows in memory;
//! other implementations could read them from disk.

use crate::error::Result;

/// Index of a field in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field(pub usize);

impl Field {
    /// The input values: [`Kind::Pixels`] or [`Kind::Numbers`].
    pub const X: Field = Field(0);
    /// The target: [`Kind::Class`], or [`Kind::Numbers`] for regression and independent labels.
    pub const Y: Field = Field(1);
    /// The weight of a sample: [`Kind::Numbers`] of width 1. Without this field all weights are 1.
    pub const WEIGHT: Field = Field(2);
}

/// Type of the values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One byte per value, 0 to 255.
    Pixels,
    /// `f32` in native byte order.
    Numbers,
    /// Class index, `u32` in native byte order.
    Class,
}

impl Kind {
    /// Bytes of one value.
    pub fn bytes(self) -> usize {
        match self {
            Kind::Pixels => 1,
            Kind::Numbers | Kind::Class => 4,
        }
    }

    /// Converts the bytes of one value to a number.
    ///
    /// # Panics
    /// When the slice is not [`Kind::bytes`] long.
    pub fn number(self, stored: &[u8]) -> f64 {
        match (self, stored) {
            (Kind::Pixels, &[byte]) => f64::from(byte),
            (Kind::Numbers, &[a, b, c, d]) => f64::from(f32::from_ne_bytes([a, b, c, d])),
            (Kind::Class, &[a, b, c, d]) => f64::from(u32::from_ne_bytes([a, b, c, d])),
            _ => panic!("{} bytes are no value", stored.len()),
        }
    }
}

/// Type and width of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSpec {
    /// Type of the values.
    pub kind: Kind,
    /// Number of values in a row.
    pub width: usize,
}

impl FieldSpec {
    /// Bytes of the field in one row.
    pub fn bytes(&self) -> usize {
        self.kind.bytes() * self.width
    }
}

/// A table of samples, addressed by row number from 0.
pub trait Rows: Send + Sync {
    /// Number of rows.
    fn len(&self) -> usize;
    /// The fields, in the order of [`Field`].
    fn fields(&self) -> &[FieldSpec];
    /// Copies `field` of the given rows into `out`, row after row.
    ///
    /// `out` holds `rows.len() * fields()[field].bytes()` bytes, numbers in native byte order.
    ///
    /// # Errors
    /// When a device or disk that holds the rows fails. Rows in memory never fail.
    fn gather(&self, field: Field, rows: &[u32], out: &mut [u8]) -> Result<()>;
    /// True when there are no rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Rows in memory; each field is one block of bytes.
#[derive(Debug, Clone, Default)]
pub struct MemoryRows {
    len: usize,
    fields: Vec<FieldSpec>,
    bytes: Vec<Vec<u8>>,
}

impl MemoryRows {
    /// Pictures with a class each. `pixels` is `[rows, width]`, one byte per value.
    ///
    /// # Panics
    /// When the sizes do not agree, which is an error of the program and not of the data.
    pub fn pictures(pixels: Vec<u8>, width: usize, classes: &[u32]) -> Self {
        Self { len: classes.len(), ..Self::default() }.with(Kind::Pixels, width, pixels).with(
            Kind::Class,
            1,
            to_bytes(classes.iter().map(|c| c.to_ne_bytes())),
        )
    }

    /// Rows of numbers with a class each. `x` is `[rows, width]`.
    ///
    /// # Panics
    /// When the sizes do not agree.
    pub fn numbers(x: &[f32], width: usize, classes: &[u32]) -> Self {
        Self { len: classes.len(), ..Self::default() }
            .with(Kind::Numbers, width, to_bytes(x.iter().map(|v| v.to_ne_bytes())))
            .with(Kind::Class, 1, to_bytes(classes.iter().map(|c| c.to_ne_bytes())))
    }

    /// Rows of numbers with `outputs` target values each. `x` is `[rows, width]`, `y` is
    /// `[rows, outputs]`.
    ///
    /// # Panics
    /// When the sizes do not agree.
    pub fn regression(x: &[f32], width: usize, y: &[f32], outputs: usize) -> Self {
        Self { len: y.len() / outputs, ..Self::default() }
            .with(Kind::Numbers, width, to_bytes(x.iter().map(|v| v.to_ne_bytes())))
            .with(Kind::Numbers, outputs, to_bytes(y.iter().map(|v| v.to_ne_bytes())))
    }

    /// Adds a weight to each row.
    ///
    /// # Panics
    /// When the number of weights is not the number of rows.
    pub fn weighted(self, weights: &[f32]) -> Self {
        self.with(Kind::Numbers, 1, to_bytes(weights.iter().map(|v| v.to_ne_bytes())))
    }

    /// Class of a row; 0 if rows have no classes.
    pub fn class(&self, row: u32) -> u32 {
        self.word(Field::Y, Kind::Class, row).map_or(0, u32::from_ne_bytes)
    }

    /// Weight of a row; 1 if rows have no weights.
    pub fn weight(&self, row: u32) -> f32 {
        self.word(Field::WEIGHT, Kind::Numbers, row).map_or(1.0, f32::from_ne_bytes)
    }

    /// The 4 bytes of a field of this kind and width 1; `None` for any other field.
    fn word(&self, field: Field, kind: Kind, row: u32) -> Option<[u8; 4]> {
        (self.fields.get(field.0)? == &FieldSpec { kind, width: 1 })
            .then(|| self.bytes[field.0].as_chunks().0[row as usize])
    }

    /// Appends the rows of another table.
    ///
    /// # Panics
    /// When its fields are others.
    pub fn append(&mut self, other: &Self) {
        assert_eq!(self.fields, other.fields, "rows of the same fields");
        self.len += other.len;
        self.bytes.iter_mut().zip(&other.bytes).for_each(|(all, more)| all.extend(more));
    }

    /// `len` rows without fields.
    pub fn empty(len: usize) -> Self {
        Self { len, ..Self::default() }
    }

    /// Adds a field, whose values are in `bytes` row by row.
    ///
    /// # Panics
    /// When `bytes` does not have the size of the field.
    #[must_use]
    pub fn with(mut self, kind: Kind, width: usize, bytes: Vec<u8>) -> Self {
        let spec = FieldSpec { kind, width };
        assert_eq!(bytes.len(), self.len * spec.bytes(), "field does not fill its rows");
        self.fields.push(spec);
        self.bytes.push(bytes);
        self
    }
}

fn to_bytes<const N: usize>(values: impl Iterator<Item = [u8; N]>) -> Vec<u8> {
    values.flatten().collect()
}

impl Rows for MemoryRows {
    fn len(&self) -> usize {
        self.len
    }

    fn fields(&self) -> &[FieldSpec] {
        &self.fields
    }

    fn gather(&self, field: Field, rows: &[u32], out: &mut [u8]) -> Result<()> {
        let bytes = self.fields[field.0].bytes();
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(bytes)) {
            out.copy_from_slice(&self.bytes[field.0][row as usize * bytes..][..bytes]);
        }
        Ok(())
    }
}
