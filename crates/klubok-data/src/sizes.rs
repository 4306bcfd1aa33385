//! Measures the picture sizes in a folder from some file headers.

use std::{io::BufReader, path::Path};

use klubok_files::bounded;

use serde::Serialize;

use super::{OpenOptions, SourceKind, kind_of, list};
use crate::error::Result;

/// Maximum files whose header is read, evenly spaced over all.
const MAX_FILES: usize = 500;

/// Stored picture sizes `[width, height]`, ordered by area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// The smallest.
    pub smallest: [u32; 2],
    /// The median.
    pub median: [u32; 2],
    /// The largest.
    pub largest: [u32; 2],
    /// Number of files read.
    pub looked_at: usize,
}

/// Reads the sizes of up to 500 pictures. None if the data is not a folder of pictures or no
/// picture is readable.
///
/// # Errors
/// When required folders are missing, as in [`super::open`].
pub fn picture_sizes(source: &str, options: &OpenOptions) -> Result<Option<Sizes>> {
    if kind_of(source)? != SourceKind::Pictures {
        return Ok(None);
    }
    let files = list::list(source.as_ref(), options)?.files;
    let looked_at = files.len().min(MAX_FILES);
    let some = (0..looked_at).map(|i| &files[i * files.len() / looked_at]);
    let mut sizes: Vec<[u32; 2]> = some.filter_map(|file| size(&file.path)).collect();
    sizes.sort_unstable_by_key(|&[width, height]| (u64::from(width) * u64::from(height), width));
    let (Some(&smallest), Some(&largest)) = (sizes.first(), sizes.last()) else { return Ok(None) };
    let median = sizes[sizes.len() / 2];
    Ok(Some(Sizes { smallest, median, largest, looked_at: sizes.len() }))
}

/// Reads the size of one picture, if its file is within the budget.
fn size(path: &Path) -> Option<[u32; 2]> {
    let file = bounded::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    (length <= bounded::MAX_PICTURE_BYTES)
        .then(|| klubok_pictures::size(&mut BufReader::new(file)))
        .flatten()
}

#[cfg(test)]
mod tests {
    use image::ImageFormat;

    use super::{super::fixtures::*, *};

    fn of(files: &[(&str, Vec<u8>)]) -> Option<Sizes> {
        let folder = folder(files);
        picture_sizes(folder.path().to_str().unwrap(), &options(4)).unwrap()
    }

    #[test]
    fn measures_smallest_median_and_largest_size() {
        let picture = |w, h| encoded(&gradient(w, h).into(), ImageFormat::Png);
        let files = [
            ("a/1.png", picture(30, 2)),
            ("a/2.png", picture(5, 40)),
            ("b/1.png", picture(10, 10)),
            ("b/broken.png", b"no picture".to_vec()),
        ];
        let expected =
            Sizes { smallest: [30, 2], median: [10, 10], largest: [5, 40], looked_at: 3 };
        assert_eq!(of(&files), Some(expected));
        assert_eq!(of(&files[3..]), None);
        assert_eq!(picture_sizes("demo:spirals", &options(4)).unwrap(), None);
    }
}
