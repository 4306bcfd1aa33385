//! What a network shall predict for each row: a class, numbers, or several labels.

use std::sync::Arc;

use klubok_model::Preprocessing;
use klubok_nn::{
    error::Result,
    network::OutputKind,
    rows::{Field, FieldSpec, Kind, MemoryRows, Rows},
};

/// The targets of all rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// The class of each row.
    Classes(Vec<u32>),
    /// Numbers in their own units, `[rows, outputs]`.
    Numbers(Vec<f32>),
    /// Labels, `[rows, outputs]`: 1 where a row has the label, else 0.
    Labels(Vec<f32>),
}

impl Targets {
    /// Returns what the outputs of a network mean that learns these targets.
    pub fn kind(&self) -> OutputKind {
        match self {
            Targets::Classes(_) => OutputKind::Classes,
            Targets::Numbers(_) => OutputKind::Numbers,
            Targets::Labels(_) => OutputKind::Labels,
        }
    }

    /// Returns the class of each row; none without classes.
    pub fn classes(&self) -> Option<&[u32]> {
        match self {
            Targets::Classes(classes) => Some(classes),
            Targets::Numbers(_) | Targets::Labels(_) => None,
        }
    }

    /// Returns numbers or labels, `[rows, outputs]`; empty for classes.
    pub fn values(&self) -> &[f32] {
        match self {
            Targets::Classes(_) => &[],
            Targets::Numbers(values) | Targets::Labels(values) => values,
        }
    }

    /// Returns the class of a row; 0 for targets that are not classes.
    pub fn class(&self, row: u32) -> u32 {
        self.classes().map_or(0, |classes| classes[row as usize])
    }

    /// Keeps some rows, in this order; `outputs` is their width.
    pub fn select(&self, rows: &[u32], outputs: usize) -> Self {
        let values = |all: &[f32]| {
            let row = |&row: &u32| &all[row as usize * outputs..][..outputs];
            rows.iter().flat_map(row).copied().collect()
        };
        match self {
            Targets::Classes(of) => {
                Targets::Classes(rows.iter().map(|&row| of[row as usize]).collect())
            }
            Targets::Numbers(all) => Targets::Numbers(values(all)),
            Targets::Labels(all) => Targets::Labels(values(all)),
        }
    }

    /// Converts numbers to the units in which the network learns them; other targets stay.
    pub fn scaled(self, preprocessing: &Preprocessing) -> Self {
        match (self, &preprocessing.target) {
            (Targets::Numbers(mut values), Some(target)) => {
                target.scale(&mut values);
                Targets::Numbers(values)
            }
            (targets, _) => targets,
        }
    }

    /// Adds the targets to rows, as [`Field::Y`].
    pub(crate) fn add_to(&self, rows: MemoryRows, outputs: usize) -> MemoryRows {
        match self {
            Targets::Classes(of) => {
                rows.with(Kind::Class, 1, of.iter().flat_map(|class| class.to_ne_bytes()).collect())
            }
            Targets::Numbers(values) | Targets::Labels(values) => {
                rows.with(Kind::Numbers, outputs, bytes(values))
            }
        }
    }
}

/// Rows with other targets: numbers in the units in which a network learns them.
pub(crate) struct WithTargets {
    rows: Arc<dyn Rows>,
    y: MemoryRows,
}

impl WithTargets {
    /// Replaces the targets of rows by these values, `[rows, outputs]`.
    pub(crate) fn new(rows: Arc<dyn Rows>, values: &[f32], outputs: usize) -> Self {
        let y = MemoryRows::empty(rows.len()).with(Kind::Numbers, outputs, bytes(values));
        Self { rows, y }
    }
}

impl Rows for WithTargets {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn fields(&self) -> &[FieldSpec] {
        self.rows.fields()
    }

    fn gather(&self, field: Field, rows: &[u32], out: &mut [u8]) -> Result<()> {
        if field == Field::Y {
            return self.y.gather(Field(0), rows, out);
        }
        self.rows.gather(field, rows, out)
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}
