//! IDX files, plain and gzipped.

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

/// Creates a temporary folder, in memory if possible: a million inputs are a million files.
pub(crate) fn fast_temp_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Builds an IDX file of bytes with these dimensions.
fn file(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Fuzzes the file `changed` of pictures or labels, beside a valid file of the other kind.
fn fuzz_file(name: &str, seeds: &[Vec<u8>], changed: &str, other: (&str, &[u8])) {
    let folder = fast_temp_dir();
    let options = OpenOptions::new(settings());
    fs_err::write(folder.path().join(other.0), other.1).unwrap();
    fuzz(name, seeds, &[&[0, 0, 8, 3], &[0, 0, 8, 1], &[0, 0, 12, 2], &[0x1f, 0x8b, 8]], |bytes| {
        fs_err::write(folder.path().join(changed), bytes).unwrap();
        let Ok(data) = open(folder.path().to_str().unwrap(), &options, &|_, _| {}) else { return };
        assert_eq!(data.rows.len(), 8, "one label per picture");
        let targets: BTreeSet<u32> = data.targets.classes().unwrap().iter().copied().collect();
        assert!(targets.into_iter().eq(0..data.outputs.len() as u32), "every class occurs");
    });
}

#[test]
fn idx() {
    let (images, labels) = (file(&[8, 2, 3], &[7; 48]), file(&[8], &[1, 2, 1, 2, 26, 26, 1, 2]));
    let both = |bytes: &[u8]| [bytes.to_vec(), gzipped(bytes)];
    let (i, l) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    fuzz_file("idx-images", &both(&images), i, (l, &labels));
    fuzz_file("idx-labels", &both(&labels), l, (i, &images));
}
