//! Reads IDX, the file format of MNIST and its relatives.
//!
//! A file begins with 0, 0, the value type (8 = bytes) and the number of dimensions, then each
//! dimension's length (32 bits, big endian), then the values. Pictures have three dimensions
//! (count, rows, columns), labels one. Both may be gzipped. File names: [`super::idx_files`].
//! Source: <http://yann.lecun.com/exdb/mnist/>.

use std::{
    cmp::Ordering,
    collections::BTreeSet,
    io::{BufRead, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use klubok_files::{bounded, limits};
use klubok_model::Input;
use klubok_nn::{plan::Picture, rows::MemoryRows};

use super::{
    DataError, OpenOptions, Part, Progress, Samples, Targets,
    idx_files::{Files, left_out},
    known_classes,
};
use crate::error::Result;

/// Maximum unpacked bytes of a gzipped file. The largest relative of MNIST has 640 MB.
const MAX_UNPACKED_BYTES: u64 = 1 << 30;

/// Approximate bytes of a picture besides its pixels: name, hash, class and split, some of them
/// duplicated for a while.
const PICTURE_OVERHEAD: u64 = 256;
/// This much overhead is always allowed, however small the pictures are.
const FREE_OVERHEAD: u64 = 512 << 20;

/// The two files of a split.
pub(super) struct Pair {
    /// The split to use them for.
    pub(super) part: Part,
    /// Pictures.
    pub(super) images: PathBuf,
    /// Labels.
    pub(super) labels: PathBuf,
}

/// Returns true if there are IDX files in a folder or below it.
pub(super) fn is_idx(folder: &Path) -> bool {
    !Files::find(folder).is_empty()
}

/// Returns the files of every split. A separately given split uses that split of its folder, else
/// its test set, else its training set.
pub(super) fn pairs(source: &Path, options: &OpenOptions) -> Result<Vec<Pair>> {
    let files = Files::only(source)?;
    let mut pairs = Vec::new();
    for part in Part::ALL {
        let wanted = part == Part::Train && options.known.is_none();
        if wanted || files.has(part) {
            pairs.push(pair(&files, part, part)?);
        }
    }
    for (part, path) in options.separate() {
        pairs.retain(|pair| pair.part != part);
        let files = Files::only(path)?;
        let from = [part, Part::Test].into_iter().find(|part| files.has(*part));
        pairs.push(pair(&files, from.unwrap_or(Part::Train), part)?);
    }
    pairs.sort_by_key(|pair| pair.part);
    Ok(pairs)
}

/// Returns the files of the split `from`, to use for `part`.
fn pair(files: &Files, from: Part, part: Part) -> Result<Pair> {
    let (images, labels) = files.pair(from)?;
    Ok(Pair { part, images: images.into(), labels: labels.into() })
}

/// Reads all splits.
pub(super) fn open(
    source: &Path,
    options: &OpenOptions,
    progress: Progress<'_>,
) -> Result<Samples> {
    let pairs = pairs(source, options)?;
    let mut shape = None;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    let (mut parts, mut names) = (Vec::new(), Vec::new());
    for (i, pair) in pairs.iter().enumerate() {
        let (found, bytes) = read_images(&pair.images)?;
        check_shape(&pair.images, *shape.get_or_insert(found), found)?;
        let part = read(&pair.labels, "labels", 1)?.values;
        let pictures = bytes.len() / found.values();
        if part.len() != pictures {
            let file = pair.images.display().to_string();
            return Err(DataError::IdxCounts { file, pictures, labels: part.len() });
        }
        check_memory(&pair.images, labels.len() + pictures, found.values())?;
        // Reuses the first block: it is by far the largest.
        if pixels.is_empty() {
            pixels = bytes;
        } else {
            let needed = bytes.len() as u64;
            let file = || pair.images.display().to_string();
            pixels
                .try_reserve_exact(bytes.len())
                .map_err(|_| DataError::IdxMemory { file: file(), needed })?;
            pixels.extend_from_slice(&bytes);
        }
        names.extend((0..pictures).map(|row| format!("{}/{row}", pair.part.name())));
        parts.extend(vec![pair.part; pictures]);
        labels.extend(part);
        progress(i + 1, pairs.len());
    }
    let classes = match &options.known {
        Some(known) => known.outputs.clone(),
        None => {
            classes(labels.iter().zip(&parts).filter(|(_, p)| **p == Part::Train).map(|(l, _)| *l))
        }
    };
    let targets = targets(&labels, &classes, |row| {
        let pair = pairs.iter().find(|pair| pair.part == parts[row]);
        pair.map_or_else(String::new, |pair| pair.labels.display().to_string())
    })?;
    let used = pairs.iter().flat_map(|pair| [pair.images.as_path(), &pair.labels]).collect();
    let shape = shape.unwrap_or(Picture { width: 0, height: 0, channels: 1 });
    Ok(Samples {
        rows: MemoryRows::pictures(pixels, shape.values(), &targets),
        input: Input::Pictures(shape),
        targets: Targets::Classes(targets),
        outputs: classes,
        columns: Vec::new(),
        weights: None,
        parts,
        names,
        skipped: Vec::new(),
        left_out: left_out(source, &used)?,
    })
}

fn check_shape(file: &Path, expected: Picture, got: Picture) -> Result<()> {
    if expected == got {
        return Ok(());
    }
    let [expected, got] = [expected, got].map(|shape| Input::Pictures(shape).describe());
    Err(DataError::IdxShape { file: file.display().to_string(), got, expected })
}

/// Checks that the pictures fit into memory. Rejects decompression bombs: a gzipped file of some
/// kilobytes can hold a billion pictures of one pixel, whose names and hashes take a hundred times
/// their size.
fn check_memory(file: &Path, pictures: usize, pixels: usize) -> Result<()> {
    let needed = pictures as u64 * PICTURE_OVERHEAD;
    let file = || file.display().to_string();
    if needed > FREE_OVERHEAD.max(2 * (pictures as u64 * pixels as u64)) {
        return Err(DataError::IdxMany { file: file(), pictures, pixels });
    }
    if limits::fits_in_memory(needed) {
        Ok(())
    } else {
        Err(DataError::IdxMemory { file: file(), needed })
    }
}

/// Returns the class names: the labels of the training set in ascending order. EMNIST's letters
/// start at 1.
fn classes(labels: impl Iterator<Item = u8>) -> Vec<String> {
    let there: BTreeSet<u8> = labels.collect();
    there.iter().map(u8::to_string).collect()
}

/// Converts labels to class indices. An unknown label is an error that names its file.
fn targets(labels: &[u8], classes: &[String], file: impl Fn(usize) -> String) -> Result<Vec<u32>> {
    let names: Vec<String> = (0..=u8::MAX).map(|label| label.to_string()).collect();
    let numbers: Vec<_> = names.iter().map(|n| classes.iter().position(|c| c == n)).collect();
    let target = |(row, &label): (usize, &u8)| {
        let unknown = || {
            let known = known_classes(&names[usize::from(label)], classes);
            DataError::IdxLabel { file: file(row), label, known }
        };
        numbers[usize::from(label)].map(|number| number as u32).ok_or_else(unknown)
    };
    labels.iter().enumerate().map(target).collect()
}

/// Reads the pictures of a file and their shape.
fn read_images(path: &Path) -> Result<(Picture, Vec<u8>)> {
    let Idx { dimensions, values } = read(path, "pictures", 3)?;
    let (count, height, width) = (dimensions[0], dimensions[1], dimensions[2]);
    if values.is_empty() {
        let file = path.display().to_string();
        return Err(DataError::IdxEmpty { file, count, width, height });
    }
    Ok((Picture { width, height, channels: 1 }, values))
}

/// The content of a file.
struct Idx {
    dimensions: Vec<usize>,
    values: Vec<u8>,
}

/// Reads an IDX file of bytes with this many dimensions. Memory grows with the actual content,
/// never with the header's claims. If the file's length is known, it must match the header and fit
/// into memory before any value is read.
fn read(path: &Path, what: &'static str, dimensions: usize) -> Result<Idx> {
    let file = || path.display().to_string();
    let (mut reader, length) = unpacked(path)?;
    let start = 4 + 4 * dimensions;
    let header = take(&mut reader, start as u64, path)?;
    let words: Vec<u32> =
        header.chunks_exact(4).map(|w| u32::from_be_bytes([w[0], w[1], w[2], w[3]])).collect();
    let expected = 0x0800 | dimensions as u32;
    if let Some(&got) = words.first().filter(|got| **got != expected) {
        return Err(wrong_magic(file(), what, expected, got));
    }
    if header.len() < start {
        let (expected, got) = (start as u128, header.len());
        return Err(DataError::IdxShort { file: file(), expected, got });
    }
    let announced: u128 = words[1..].iter().map(|&n| u128::from(n)).product();
    check_length(path, announced, start, length)?;
    let limit = u64::try_from(announced).unwrap_or(u64::MAX).saturating_add(1);
    let values = take(&mut reader, limit, path)?;
    let (expected, got) = (announced + start as u128, values.len() + start);
    if got as u64 == MAX_UNPACKED_BYTES && expected > u128::from(MAX_UNPACKED_BYTES) {
        let reason = "it holds more than 1 GiB, which only a plain file may".into();
        return Err(DataError::IdxDamaged { file: file(), reason });
    }
    match (got as u128).cmp(&expected) {
        Ordering::Less => Err(DataError::IdxShort { file: file(), expected, got }),
        Ordering::Greater => Err(DataError::IdxLong { file: file(), expected }),
        Ordering::Equal => {
            Ok(Idx { dimensions: words[1..].iter().map(|&n| n as usize).collect(), values })
        }
    }
}

/// Checks a plain file's length against its header and the available memory.
fn check_length(path: &Path, announced: u128, start: usize, length: Option<u64>) -> Result<()> {
    let Some(length) = length else { return Ok(()) };
    let (file, expected) = (path.display().to_string(), announced + start as u128);
    match u128::from(length).cmp(&expected) {
        Ordering::Less => Err(DataError::IdxShort { file, expected, got: length as usize }),
        Ordering::Greater => Err(DataError::IdxLong { file, expected }),
        Ordering::Equal if limits::fits_in_memory(length) => Ok(()),
        Ordering::Equal => Err(DataError::IdxMemory { file, needed: length }),
    }
}

/// Identifies a file with a wrong magic number.
fn wrong_magic(file: String, what: &'static str, expected: u32, got: u32) -> DataError {
    let is = match got.to_be_bytes() {
        [0, 0, kind, _] => {
            let kind = match kind {
                9 => "signed bytes",
                11 => "whole numbers of 16 bits",
                12 => "whole numbers of 32 bits",
                13 => "fractions of 32 bits",
                14 => "fractions of 64 bits",
                _ => return DataError::IdxMagic { file, what, expected, got },
            };
            return DataError::IdxType { file, what, got: kind };
        }
        [b'<', ..] => "a web page",
        [b'P', b'K', ..] => "a ZIP archive",
        [0x89, b'P', b'N', b'G'] | [0xFF, 0xD8, 0xFF, _] => "a picture",
        _ => return DataError::IdxMagic { file, what, expected, got },
    };
    DataError::IdxForeign { file, is }
}

/// Opens a file. Unpacks gzip; returns the length of a plain file.
fn unpacked(path: &Path) -> Result<(Box<dyn Read>, Option<u64>)> {
    let file = bounded::open(path)?;
    let length = file.metadata()?.len();
    let mut packed = BufReader::new(file);
    let gzip = packed.fill_buf()?.starts_with(&[0x1F, 0x8B]);
    // A plain file holds no more than its size. A gzipped one may hold a thousand times as much.
    Ok(if gzip {
        (Box::new(MultiGzDecoder::new(packed).take(MAX_UNPACKED_BYTES)), None)
    } else {
        (Box::new(packed), Some(length))
    })
}

/// Reads up to `limit` bytes.
fn take(reader: &mut dyn Read, limit: u64, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match reader.take(limit).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(e) => match e.kind() {
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => {
                let cut =
                    e.kind() == ErrorKind::UnexpectedEof || e.to_string().contains("incomplete");
                let short = "it ends too early, as after a download that was cut short";
                let reason = if cut { short.to_owned() } else { e.to_string() };
                let file = path.display().to_string();
                Err(DataError::IdxDamaged { file, reason })
            }
            _ => Err(e.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use klubok_nn::{network::OutputKind, rows::Field};

    use super::{super::fixtures::*, *};
    use klubok_model::{Fit, Preprocessing};

    use crate::{Dataset, KnownModel, LeftOut};

    const IMAGES: &str = "train-images-idx3-ubyte";
    const LABELS: &str = "train-labels-idx1-ubyte";

    /// `n` pictures of 2x3 pixels with consecutive values 0, 1, 2, ...
    fn images(n: u8) -> Vec<u8> {
        idx(&[n.into(), 3, 2], &(0..n * 6).collect::<Vec<_>>())
    }

    fn labels(labels: &[u8]) -> Vec<u8> {
        idx(&[labels.len() as u32], labels)
    }

    fn train(images: Vec<u8>, labels: Vec<u8>) -> tempfile::TempDir {
        folder(&[(IMAGES, images), (LABELS, labels)])
    }

    #[track_caller]
    fn assert_rejected(images: Vec<u8>, labels: Vec<u8>, words: &str) {
        let message = error_message(&train(images, labels), &options(64));
        assert!(message.contains(words), "{message}");
    }

    fn row(data: &Dataset, row: u32) -> Vec<u8> {
        let mut out = vec![0; 6];
        data.rows.gather(Field::X, &[row], &mut out).unwrap();
        out
    }

    #[test]
    fn reads_plain_and_gzipped_files() {
        let (i, l) = (images(6), labels(&[0, 1, 0, 1, 1, 0]));
        let plain = train(i.clone(), l.clone());
        let packed = folder(&[
            ("train-images-idx3-ubyte.gz", gzip(&i)),
            ("train-labels.idx1-ubyte.gz", gzip(&l)),
        ]);
        for folder in [plain, packed] {
            let data = open_folder(&folder, &options(64)).unwrap();
            let shape = Picture { width: 2, height: 3, channels: 1 };
            assert_eq!(data.input, Input::Pictures(shape));
            assert_eq!(data.outputs, ["0", "1"]);
            assert_eq!(data.targets, Targets::Classes(vec![0, 1, 0, 1, 1, 0]));
            assert_eq!(row(&data, 2), [12, 13, 14, 15, 16, 17]);
            assert_eq!(data.names[5], "train/5");
            assert_eq!((data.parts.train.len(), data.parts.val.len()), (4, 2));
        }
    }

    #[test]
    fn rejects_too_many_tiny_pictures() {
        let n = (FREE_OVERHEAD / PICTURE_OVERHEAD + 1) as u32;
        let packed = |bytes: Vec<u8>| gzip(&bytes);
        let folder = folder(&[
            ("train-images-idx3-ubyte.gz", packed(idx(&[n, 1, 1], &vec![0; n as usize]))),
            ("train-labels-idx1-ubyte.gz", packed(idx(&[n], &vec![0; n as usize]))),
        ]);
        let message = error_message(&folder, &options(64));
        assert!(
            message.contains("pictures of 1 pixels: so many are read only of larger"),
            "{message}"
        );
    }

    #[test]
    fn t10k_is_the_test_set_and_a_separate_validation_set() {
        let files = |stem: &str, n: u8| {
            let labels = labels(&[0, 1].repeat(usize::from(n) / 2));
            [
                (format!("{stem}-images-idx3-ubyte"), images(n)),
                (format!("{stem}-labels-idx1-ubyte"), labels),
            ]
        };
        let made = |files: Vec<(String, Vec<u8>)>| {
            let files: Vec<_> = files.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
            folder(&files)
        };
        let data = made([files("train", 8), files("t10k", 4)].concat());
        let sizes = |options: &OpenOptions| {
            let parts = open_folder(&data, options).unwrap().parts;
            (parts.train.len(), parts.val.len(), parts.test.len())
        };
        assert_eq!(sizes(&options(64)), (6, 2, 4));
        let train_only = made(files("train", 6).to_vec());
        let val = OpenOptions { val: Some(train_only.path().into()), ..options(64) };
        assert_eq!(sizes(&val), (8, 6, 4));
        let both = OpenOptions { val: Some(data.path().into()), ..options(64) };
        assert_eq!(sizes(&both), (8, 4, 4));
        let test = OpenOptions { test: Some(train_only.path().into()), ..options(64) };
        assert_eq!(sizes(&test), (6, 2, 6));
    }

    #[test]
    fn a_wrong_magic_number_is_reported() {
        assert_rejected(
            labels(&[0, 1]),
            labels(&[0, 1]),
            "begins with 0x00000801, an IDX file of pictures",
        );
        assert_rejected(images(2), images(2), "begins with 0x00000803, an IDX file of labels");
        assert_rejected(b"<text".to_vec(), labels(&[0, 1]), "is no IDX file but a web page");
        assert_rejected(
            b"PK\x03\x04".to_vec(),
            labels(&[0, 1]),
            "is no IDX file but a ZIP archive",
        );
        assert_rejected(b"text".to_vec(), labels(&[0, 1]), "begins with 0x74657874");
    }

    #[test]
    fn an_unsupported_value_type_is_reported() {
        let mut int = labels(&[0, 1]);
        int[2] = 12;
        assert_rejected(images(2), int, "holds labels as whole numbers of 32 bits, and only bytes");
    }

    #[test]
    fn ignored_files_are_listed_and_counted() {
        let (i, l) = (images(4), labels(&[0, 1, 0, 1]));
        let folder = folder(&[
            (IMAGES, i.clone()),
            (LABELS, l.clone()),
            ("train-images-idx3-ubyte.gz", gzip(&images(3))),
            ("train-images-idx3-ubyte (1)", i),
            ("readme.txt", Vec::new()),
            ("1.png", Vec::new()),
            ("cat/1.png", Vec::new()),
            ("cat/2.png", Vec::new()),
            ("more/x.bin", Vec::new()),
        ]);
        let left = open_folder(&folder, &options(64)).unwrap().left_out;
        assert_eq!(left.beside, ["train-images-idx3-ubyte (1)", "train-images-idx3-ubyte.gz"]);
        assert_eq!((left.loose, left.folders), (1, vec![("cat".to_owned(), 2)]));
        assert_eq!(left.files.keys().collect::<Vec<_>>(), ["bin", "txt"]);
        let clean = open_folder(&train(images(4), l), &options(64)).unwrap().left_out;
        assert_eq!(clean, LeftOut::default());
    }

    #[test]
    fn a_sparse_file_takes_no_memory() {
        let folder = train(idx(&[1 << 20, 1 << 10, 1 << 10], &[]), labels(&[0, 1]));
        let file = fs_err::OpenOptions::new().write(true).open(folder.path().join(IMAGES)).unwrap();
        if file.set_len((1 << 40) + 16).is_ok() {
            let message = error_message(&folder, &options(64));
            assert!(message.ends_with("more memory than can be had"), "{message}");
        }
        file.set_len(1 << 33).unwrap();
        let message = error_message(&folder, &options(64));
        assert!(message.contains("ends after 8589934592 bytes"), "{message}");
    }

    #[test]
    fn the_length_must_match_the_header() {
        let whole = images(4);
        let l = || labels(&[0, 1, 0, 1]);
        assert_rejected(whole[..30].to_vec(), l(), "ends after 30 bytes, its header announces 40");
        assert_rejected(whole[..9].to_vec(), l(), "ends after 9 bytes, its header announces 16");
        assert_rejected(Vec::new(), l(), "ends after 0 bytes");
        assert_rejected([&whole[..], &[0]].concat(), l(), "goes on after the 40 bytes");
        assert_rejected(whole, l()[..10].to_vec(), "ends after 10 bytes, its header announces 12");
    }

    #[test]
    fn gigantic_claims_take_no_memory() {
        let claim = idx(&[u32::MAX, u32::MAX, u32::MAX], &[1, 2, 3]);
        assert_rejected(claim.clone(), labels(&[0, 1]), "ends after 19 bytes");
        assert_rejected(gzip(&claim), labels(&[0, 1]), "ends after 19 bytes");
    }

    #[test]
    fn rejects_damaged_gzip_files() {
        let assert_rejected =
            |packed: Vec<u8>| assert_rejected(packed, labels(&[0, 1, 0, 1]), "cannot be unpacked");
        let packed = gzip(&images(4));
        let n = packed.len();
        assert_rejected(packed[..n - 9].to_vec());
        assert_rejected(packed[..15].to_vec());
        let message = error_message(&train(packed[..15].to_vec(), labels(&[0])), &options(64));
        assert!(message.ends_with("cut short"), "{message}");
        let mut checksum = packed.clone();
        checksum[n - 8] ^= 1;
        assert_rejected(checksum);
        assert_rejected([&packed[..], b"more"].concat());
    }

    #[test]
    fn picture_and_label_counts_must_match() {
        assert_rejected(images(4), labels(&[0, 1, 0]), "has 4 pictures, but there are 3 labels");
    }

    #[test]
    fn pictures_need_labels_and_labels_pictures() {
        let message = error_message(&folder(&[(IMAGES, images(2))]), &options(64));
        assert!(message.contains("`DATA` has no `train-labels-idx1-ubyte`"), "{message}");
        let message = error_message(&folder(&[(LABELS, labels(&[0]))]), &options(64));
        assert!(message.contains("has no `train-images-idx3-ubyte`"), "{message}");
    }

    #[test]
    fn rejects_empty_files_and_empty_pictures() {
        assert_rejected(idx(&[0, 3, 2], &[]), labels(&[]), "holds 0 pictures of 2x3");
        assert_rejected(idx(&[5, 0, 2], &[]), labels(&[0; 5]), "holds 5 pictures of 2x0");
    }

    #[test]
    fn the_classes_are_the_labels_that_occur() {
        let of = |l: &[u8]| open_folder(&train(images(4), labels(l)), &options(64)).unwrap();
        assert_eq!(of(&[26, 1, 1, 26]).outputs, ["1", "26"]);
        let data = of(&[9, 200, 9, 200]);
        assert_eq!(
            (data.outputs, data.targets),
            (vec!["9".into(), "200".into()], Targets::Classes(vec![0, 1, 0, 1]))
        );
    }

    #[test]
    fn training_needs_two_classes() {
        assert_rejected(images(4), labels(&[0, 0, 0, 0]), "`0` is the only class");
        assert_rejected(images(3), labels(&[0, 0, 1]), "class `1` has one sample");
    }

    #[test]
    fn the_test_set_must_have_the_same_labels_and_size() {
        let with_test = |i: Vec<u8>, l: Vec<u8>| {
            folder(&[
                (IMAGES, images(4)),
                (LABELS, labels(&[0, 1, 0, 1])),
                ("t10k-images-idx3-ubyte", i),
                ("t10k-labels-idx1-ubyte", l),
            ])
        };
        let message = error_message(&with_test(images(2), labels(&[0, 7])), &options(64));
        let words = "there is a label 7 in `DATA/t10k-labels-idx1-ubyte`, and the network knows only `0`, `1`";
        assert_eq!(message, words);
        let other = idx(&[1, 2, 2], &[0; 4]);
        let message = error_message(&with_test(other, labels(&[0])), &options(64));
        assert!(
            message.ends_with(
                "pictures of 2x2 grey pixels, the other parts have pictures of 2x3 grey pixels"
            ),
            "{message}"
        );
    }

    #[test]
    fn the_model_determines_labels_and_size() {
        let preprocessing = |width| Preprocessing {
            input: Input::Pictures(Picture { width, height: 3, channels: 1 }),
            fit: Fit::Squash,
            mean: vec![0.0],
            std: vec![1.0],
            target: None,
        };
        let names: Vec<String> = ["0", "1", "2"].map(String::from).into();
        let known = |width| KnownModel {
            outputs: names.clone(),
            kind: OutputKind::Classes,
            preprocessing: preprocessing(width),
        };
        let with = |width| OpenOptions { known: Some(known(width)), ..options(64) };
        let folder = folder(&[
            ("t10k-images-idx3-ubyte", images(2)),
            ("t10k-labels-idx1-ubyte", labels(&[2, 2])),
        ]);
        let data = open_folder(&folder, &with(2)).unwrap();
        assert_eq!((data.targets, data.parts.test), (Targets::Classes(vec![2, 2]), vec![0, 1]));
        let message = error_message(&folder, &with(5));
        let words =
            "`DATA` has pictures of 2x3 grey pixels, the model expects pictures of 5x3 grey";
        assert!(message.starts_with(words), "{message}");
    }
}
