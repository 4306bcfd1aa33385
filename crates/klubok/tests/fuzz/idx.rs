//! IDX files, plain and packed.

use std::{collections::BTreeSet, io::Write as _};

use flate2::{Compression, write::GzEncoder};
use klubok::{
    config::{ConfigBuilder, DataConfig, DataKind, Machine, Preset},
    data::{OpenOptions, open},
};

use klubok_fuzz::fuzz;

pub(crate) fn settings() -> DataConfig {
    let builder = ConfigBuilder::new(Preset::Plain, DataKind::Idx);
    builder.resolve(&Machine::plain(1)).unwrap().config.data
}

/// A folder in memory where there is one: a million inputs are a million files.
pub(crate) fn place() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A file of bytes with these lengths.
fn file(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Reads `bytes` as the pictures or the labels beside good ones of the other kind.
fn read(name: &str, seeds: &[Vec<u8>], changed: &str, other: (&str, &[u8])) {
    let folder = place();
    let options = OpenOptions::new(settings());
    fs_err::write(folder.path().join(other.0), other.1).unwrap();
    fuzz(name, seeds, &[&[0, 0, 8, 3], &[0, 0, 8, 1], &[0, 0, 12, 2], &[0x1f, 0x8b, 8]], |bytes| {
        fs_err::write(folder.path().join(changed), bytes).unwrap();
        let Ok(data) = open(folder.path().to_str().unwrap(), &options, &|_, _| {}) else { return };
        assert_eq!((data.rows.len(), data.targets.len()), (8, 8), "one label a picture");
        let there: BTreeSet<u32> = data.targets.iter().copied().collect();
        assert!(there.into_iter().eq(0..data.classes.len() as u32), "every class occurs");
    });
}

#[test]
fn idx() {
    let (images, labels) = (file(&[8, 2, 3], &[7; 48]), file(&[8], &[1, 2, 1, 2, 26, 26, 1, 2]));
    let both = |bytes: &[u8]| [bytes.to_vec(), packed(bytes)];
    let (i, l) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    read("idx-images", &both(&images), i, (l, &labels));
    read("idx-labels", &both(&labels), l, (i, &images));
}
