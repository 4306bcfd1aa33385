//! Reads folders of pictures: decodes every file once, in parallel, and keeps bytes.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use klubok_files::limits;
use klubok_model::{Fit, Input};
use klubok_nn::{plan::Picture, rows::MemoryRows};
use klubok_pictures::PictureError;

use super::{
    DataError, KnownModel, OpenOptions, Part, Progress, Samples, Skipped, Targets, fit,
    list::{File, list},
};
use crate::error::Result;

/// Files per task of a thread.
const BLOCK_FILES: usize = 16;

/// Maximum share of unreadable pictures.
const MAX_SKIPPED_SHARE: f64 = 0.05;

/// Reads a folder of pictures and separately given splits.
pub(super) fn open(
    source: &Path,
    options: &OpenOptions,
    progress: Progress<'_>,
) -> Result<Samples> {
    let (shape, fit) = shape_and_fit(source, options)?;
    let listing = list(source, options)?;
    let (mut pixels, outcomes) = read(&listing.files, shape, fit, options.threads, progress)?;
    let skipped = skipped(&listing.files, &outcomes, options.strict)?;
    compact_rows(&mut pixels, shape.values(), &outcomes);
    let read = || listing.files.iter().zip(&outcomes).filter(|(_, o)| o.is_ok()).map(|(f, _)| f);
    let targets: Vec<u32> = read().map(|file| file.class).collect();
    Ok(Samples {
        rows: MemoryRows::pictures(pixels, shape.values(), &targets),
        input: Input::Pictures(shape),
        parts: read().map(|file| file.part).collect(),
        names: read().map(|file| file.name.clone()).collect(),
        targets: Targets::Classes(targets),
        outputs: listing.classes,
        columns: Vec::new(),
        weights: None,
        skipped,
        left_out: listing.left_out,
    })
}

/// Returns the model's shape and fit, or the settings' without a model.
fn shape_and_fit(source: &Path, options: &OpenOptions) -> Result<(Picture, Fit)> {
    let size = options.data.size;
    let channels = options.data.color.channels();
    match &options.known {
        None => Ok((Picture { width: size, height: size, channels }, options.data.fit)),
        Some(KnownModel { preprocessing, .. }) => match &preprocessing.input {
            Input::Pictures(shape) => Ok((*shape, preprocessing.fit)),
            columns @ Input::Columns(_) => {
                let (path, got) = (source.display().to_string(), "pictures".into());
                Err(DataError::InputMismatch { path, expected: columns.describe(), got })
            }
        },
    }
}

/// Result of reading one file.
type Outcome = std::result::Result<(), PictureError>;

/// Decodes all files on `threads` threads into one block of rows, in file order.
fn read(
    files: &[File],
    shape: Picture,
    fit: Fit,
    threads: usize,
    progress: Progress<'_>,
) -> Result<(Vec<u8>, Vec<Outcome>)> {
    let width = shape.values();
    let mut pixels = zeros(files.len(), width)?;
    let mut outcomes: Vec<Outcome> = files.iter().map(|_| Ok(())).collect();
    let (total, done) = (files.len(), AtomicUsize::new(0));
    let blocks = files
        .chunks(BLOCK_FILES)
        .zip(pixels.chunks_mut(BLOCK_FILES * width))
        .zip(outcomes.chunks_mut(BLOCK_FILES));
    let blocks = Mutex::new(blocks);
    let next = || blocks.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(((files, rows), outcomes)) = next() {
            for ((file, row), outcome) in
                files.iter().zip(rows.chunks_mut(width)).zip(outcomes.iter_mut())
            {
                *outcome = fit::load(&file.path, shape, fit).map(|p| row.copy_from_slice(&p));
            }
            let before = done.fetch_add(files.len(), Ordering::Relaxed);
            progress(before + files.len(), total);
        }
    };
    limits::run_on_threads(threads, work);
    Ok((pixels, outcomes))
}

/// Allocates all rows, or fails with the required size.
pub(super) fn zeros(rows: usize, width: usize) -> Result<Vec<u8>> {
    let needed = (rows as u64).saturating_mul(width as u64);
    let too_large = || DataError::Memory { rows, needed };
    if !limits::fits_in_memory(needed) {
        return Err(too_large());
    }
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(needed as usize).map_err(|_| too_large())?;
    pixels.resize(needed as usize, 0);
    Ok(pixels)
}

/// Returns the unreadable files, or an error if there are too many.
fn skipped(files: &[File], outcomes: &[Outcome], strict: bool) -> Result<Vec<Skipped>> {
    let failed = files.iter().zip(outcomes).filter_map(|(f, o)| Some((f, o.as_ref().err()?)));
    let skip = |(file, e): (&File, &PictureError)| Skipped {
        name: file.name.clone(),
        reason: e.to_string(),
    };
    let skipped: Vec<Skipped> = failed.clone().map(skip).collect();
    if let Some(first) = skipped.first() {
        let Skipped { name, reason } = first.clone();
        if strict {
            return Err(DataError::Unreadable { name, reason });
        }
        if skipped.len() as f64 > MAX_SKIPPED_SHARE * files.len() as f64 {
            let (skipped, total) = (skipped.len(), files.len());
            return Err(DataError::TooManyUnreadable { skipped, total, name, reason });
        }
    }
    // Never silently replaces an existing split by another.
    let read: BTreeSet<Part> =
        files.iter().zip(outcomes).filter(|(_, o)| o.is_ok()).map(|(f, _)| f.part).collect();
    if let Some((file, e)) = failed.clone().find(|(file, _)| !read.contains(&file.part)) {
        let (name, reason) = (file.name.clone(), e.to_string());
        return Err(DataError::PartUnreadable { part: file.part, name, reason });
    }
    Ok(skipped)
}

/// Compacts the rows that were read and drops the rest.
fn compact_rows(pixels: &mut Vec<u8>, width: usize, outcomes: &[Outcome]) {
    let mut kept = 0;
    for (row, outcome) in outcomes.iter().enumerate() {
        if outcome.is_ok() {
            pixels.copy_within(row * width..(row + 1) * width, kept * width);
            kept += 1;
        }
    }
    pixels.truncate(kept * width);
}

#[cfg(test)]
mod tests {
    use image::ImageFormat;
    use twox_hash::XxHash3_128;

    use klubok_nn::{network::OutputKind, plan::Picture, rows::Field};

    use super::super::{fixtures::*, *};
    use crate::settings::Color;

    fn rgb(size: usize) -> OpenOptions {
        let mut options = options(size);
        options.data.color = Color::Rgb;
        options
    }

    #[test]
    fn rows_are_in_file_order_with_their_hashes() {
        let folder = classes(&["cat", "dog"], 10);
        let data = open_folder(&folder, &rgb(4)).unwrap();
        assert_eq!(data.outputs, ["cat", "dog"]);
        assert_eq!(data.input, Input::Pictures(Picture { width: 4, height: 4, channels: 3 }));
        assert_eq!(data.targets, Targets::Classes([[0; 10], [1; 10]].concat()));
        assert_eq!(
            (data.names[3].as_str(), data.names[19].as_str()),
            ("cat/003.png", "dog/009.png")
        );
        let mut row = vec![0; 48];
        data.rows.gather(Field::X, &[13], &mut row).unwrap();
        assert_eq!(row[..3], [50, 3, 0]);
        assert_eq!(data.hashes[13], XxHash3_128::oneshot(&row));
        let mut class = [0; 4];
        data.rows.gather(Field::Y, &[13], &mut class).unwrap();
        assert_eq!(u32::from_ne_bytes(class), 1);
    }

    #[test]
    fn an_unreadable_split_is_an_error() {
        let folder = classes(&["train/a", "train/b", "test/a", "test/b"], 30);
        for name in ["val/a/1.png", "val/b/2.png"] {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "no picture").unwrap();
        }
        let error = open_folder(&folder, &options(4)).err().unwrap().to_string();
        let words =
            "none of the pictures of the part `val` can be read; the first is `val/a/1.png`: ";
        assert!(error.starts_with(words), "{error}");
    }

    #[test]
    fn the_result_does_not_depend_on_threads() {
        let folder = classes(&["a", "b", "c"], 50);
        fs_err::write(folder.path().join("b/007.png"), "no picture").unwrap();
        let with = |threads| open_folder(&folder, &OpenOptions { threads, ..options(8) }).unwrap();
        let one = with(1);
        assert_eq!(one.names.len(), 149);
        for data in [with(2), with(7)] {
            assert_eq!(data.hashes, one.hashes);
            assert_eq!(data.names, one.names);
            assert_eq!(data.parts, one.parts);
            assert_eq!(data.skipped, one.skipped);
        }
    }

    #[test]
    fn progress_reaches_the_number_of_files() {
        let folder = classes(&["a", "b"], 20);
        let most = std::sync::Mutex::new((0, 0));
        let progress = |done, total| {
            let mut most = most.lock().unwrap();
            *most = (most.0.max(done), total);
        };
        let options = OpenOptions { threads: 3, ..options(4) };
        open(folder.path().to_str().unwrap(), &options, &progress).unwrap();
        assert_eq!(*most.lock().unwrap(), (40, 40));
    }

    #[test]
    fn unreadable_pictures_are_skipped_and_listed() {
        let folder = classes(&["a", "b"], 50);
        let jpeg = encoded(&gradient(64, 64).into(), ImageFormat::Jpeg);
        fs_err::write(folder.path().join("a/002.png"), &jpeg[..jpeg.len() / 2]).unwrap();
        fs_err::write(folder.path().join("a/x.heic"), b"\0\0\0\x18ftypheic\0\0\0\0").unwrap();
        let data = open_folder(&folder, &options(4)).unwrap();
        assert_eq!(data.names.len(), 99);
        let skipped: Vec<&str> = data.skipped.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(skipped, ["a/002.png", "a/x.heic"]);
        assert_eq!(data.skipped[0].reason, "the file is truncated");
        assert!(data.skipped[1].reason.starts_with("HEIC pictures are not supported: convert"));
        // Rows after a gap move up: the first row of class b matches its name.
        let mut row = vec![0; 16];
        data.rows.gather(Field::X, &[49], &mut row).unwrap();
        assert_eq!(data.names[49], "b/000.png");
        assert_eq!(row[0], ((50 * 19595 + 0x8000) >> 16) as u8);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pipes_devices_and_huge_files_do_not_block() {
        let folder = classes(&["a", "b"], 50);
        let path = |name| folder.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(path("a/pipe.png")).status().unwrap();
        assert!(made.success());
        std::os::unix::fs::symlink("/dev/zero", path("a/zero.png")).unwrap();
        fs_err::File::create(path("b/sparse.png")).unwrap().set_len(1 << 40).unwrap();
        let data = open_folder(&folder, &options(4)).unwrap();
        let skipped: Vec<&str> = data.skipped.iter().map(|s| s.reason.as_str()).collect();
        assert!(
            matches!(skipped[..], [reason] if reason.contains("larger than 256 MiB")),
            "{skipped:?}"
        );
        assert_eq!(data.parts.train.len() + data.parts.val.len(), 100);
    }

    #[test]
    fn more_than_five_percent_unreadable_is_an_error() {
        let folder = classes(&["a", "b"], 50);
        let spoil = |i| fs_err::write(folder.path().join(format!("b/{i:03}.png")), "x").unwrap();
        (0..5).for_each(spoil);
        assert_eq!(open_folder(&folder, &options(4)).unwrap().skipped.len(), 5);
        spoil(5);
        let message = error_message(&folder, &options(4));
        assert!(
            message.starts_with("6 of 100 pictures cannot be read, more than 5 %"),
            "{message}"
        );
        assert!(message.contains("`b/000.png`: it is not a JPEG"), "{message}");
    }

    #[test]
    fn strict_rejects_any_unreadable_picture() {
        let folder = classes(&["a", "b"], 50);
        fs_err::write(folder.path().join("b/049.png"), "").unwrap();
        let message = error_message(&folder, &OpenOptions { strict: true, ..options(4) });
        assert_eq!(message, "`b/049.png` cannot be read: the file is empty");
    }

    #[test]
    fn the_content_determines_the_format() {
        let folder = classes(&["a", "b"], 2);
        fs_err::write(folder.path().join("b/001.jpg"), png(1, 7)).unwrap();
        let data = open_folder(&folder, &OpenOptions { strict: true, ..rgb(4) }).unwrap();
        let mut row = vec![0; 48];
        data.rows.gather(Field::X, &[3], &mut row).unwrap();
        assert_eq!((data.names[3].as_str(), row[1]), ("b/001.jpg", 7));
    }

    #[test]
    fn rows_beyond_memory_are_an_error() {
        let folder = classes(&["a", "b"], 2);
        let message = error_message(&folder, &options(1 << 31));
        assert!(message.contains("4 rows need") && message.contains("`data.size`"), "{message}");
    }

    #[test]
    fn the_models_shape_and_classes_apply() {
        let folder = folder(&[("dog/1.png", png(1, 1))]);
        let shape = Picture { width: 6, height: 5, channels: 3 };
        let preprocessing = Preprocessing {
            input: Input::Pictures(shape),
            fit: klubok_model::Fit::Pad,
            mean: vec![0.0; 3],
            std: vec![1.0; 3],
            target: None,
        };
        let mut known = KnownModel {
            outputs: vec!["cat".into(), "dog".into()],
            kind: OutputKind::Classes,
            preprocessing,
        };
        let with = |known: &KnownModel| OpenOptions { known: Some(known.clone()), ..options(4) };
        let data = open_folder(&folder, &with(&known)).unwrap();
        assert_eq!((&data.outputs, &data.targets), (&known.outputs, &Targets::Classes(vec![1])));
        assert_eq!(data.input, Input::Pictures(shape));
        assert_eq!(data.rows.fields()[0].width, 90);
        assert_eq!(data.parts.train, [0]);
        known.outputs[1] = "wolf".into();
        let message = error_message(&folder, &with(&known));
        assert!(message.starts_with("`DATA/dog` is a class `dog`"), "{message}");
        known.preprocessing.input = Input::Columns(vec!["x".into()]);
        assert!(
            error_message(&folder, &with(&known))
                .ends_with("has pictures, the model expects 1 columns")
        );
    }
}
