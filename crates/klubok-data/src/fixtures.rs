//! Small hand-made data for tests.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use super::{DataError, Dataset, OpenOptions, open};
use crate::settings::{Color, DataConfig};
use klubok_model::Fit;

/// Options for grey pictures of `size` pixels with [`Fit::Squash`].
pub(super) fn options(size: usize) -> OpenOptions {
    let (color, fit) = (Color::Grey, Fit::Squash);
    OpenOptions::new(DataConfig { size, color, fit, ..DataConfig::default() })
}

/// Creates a folder with these files.
pub(super) fn folder<B: AsRef<[u8]>>(files: &[(&str, B)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }
    folder
}

/// Creates a folder with `n` different pictures per class.
pub(super) fn classes(classes: &[&str], n: usize) -> tempfile::TempDir {
    let mut files = Vec::new();
    for (c, class) in classes.iter().enumerate() {
        files.extend((0..n).map(|i| (format!("{class}/{i:03}.png"), png(c as u8, i as u8))));
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    folder(&files)
}

/// Opens a folder and ignores progress.
pub(super) fn open_folder(
    folder: &tempfile::TempDir,
    options: &OpenOptions,
) -> Result<Dataset, DataError> {
    open(folder.path().to_str().unwrap(), options, &|_, _| {})
}

/// Returns the error message of opening a folder.
#[track_caller]
pub(super) fn error_message(folder: &tempfile::TempDir, options: &OpenOptions) -> String {
    match open_folder(folder, options) {
        Ok(data) => panic!("no error, but {:?}", data.counts()),
        Err(e) => e.to_string().replace(folder.path().to_str().unwrap(), "DATA"),
    }
}

/// Encodes a picture of 4x4 pixels whose values identify class and number.
pub(super) fn png(class: u8, number: u8) -> Vec<u8> {
    let picture = RgbImage::from_fn(4, 4, |x, y| Rgb([class * 50, number, (x * 4 + y) as u8]));
    encoded(&picture.into(), ImageFormat::Png)
}

/// Encodes an image through a file on disk. Encoding in memory would compile every encoder for
/// these tests alone.
pub(super) fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    image.save_with_format(file.path(), format).unwrap();
    fs_err::read(file.path()).unwrap()
}

/// A picture with distinct pixels and similar neighbours.
pub(super) fn gradient(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 90])
    })
}

/// Encodes an IDX file of bytes.
pub(super) fn idx(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend(values);
    bytes
}

/// Compresses bytes with gzip.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}
