//! Folders of pictures: names of sets, classes and system folders, and unrelated files beside them.

use std::path::Path;

use image::GrayImage;
use klubok::data::{OpenOptions, is_system_folder, looks_like_picture, open};
use klubok_fuzz::fuzz;

use crate::idx::{fast_temp_dir, settings};

/// Limit of the files of one input.
const MAX_FILES: usize = 12;

/// Parses the paths of an input, one per line, and skips invalid ones.
fn paths(text: &str) -> Vec<&str> {
    let is_valid = |path: &&str| {
        path.split('/').all(|name| !["", ".", ".."].contains(&name) && name.len() < 200)
            && !path.contains('\0')
    };
    text.lines().filter(is_valid).take(MAX_FILES).collect()
}

/// Writes the files that can be written; returns the number of pictures in folders that may be
/// data.
fn write_files(folder: &Path, paths: &[&str], picture: &[u8]) -> usize {
    let mut pictures = 0;
    for path in paths {
        let file = folder.join(path);
        let parent = file.parent().unwrap_or(folder);
        if file.exists()
            || fs_err::create_dir_all(parent).is_err()
            || fs_err::write(&file, picture).is_err()
        {
            continue;
        }
        let mut names = path.split('/').rev();
        let hidden = names.next().is_some_and(|name| name.starts_with('.'));
        let visible = !hidden && !names.any(|name| is_system_folder(name.as_ref()));
        pictures += usize::from(visible && looks_like_picture(&file));
    }
    pictures
}

#[test]
fn folders() {
    let (seed, options) = (fast_temp_dir(), OpenOptions::new(settings()));
    let file = seed.path().join("1.png");
    GrayImage::from_pixel(2, 2, image::Luma([9])).save(&file).unwrap();
    let picture = fs_err::read(&file).unwrap();
    let seeds: Vec<Vec<u8>> = [
        "cat/1.png\ncat/2.png\ndog/1.png\ndog/2.png\n",
        "train/cat/1.png\ntrain/dog/1.png\nval/cat/1.png\nval/dog/2.png\ntest/3.png\nplots/1.png\n",
        "seg_train/seg_train/a/1.png\nseg_train/seg_train/b/1.png\nseg_test/seg_test/a/1.png\nnotes.txt\n",
        "pets/a/1.png\npets/b/1.png\npets/a/2.png\npets/b/x/y/2.png\nlogs/x.csv\n",
        "bus/1.png\nbus/2.png\ntrain/1.png\ntrain/2.png\n__MACOSX/bus/1.png\ncover.jpg\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    let words: Vec<&[u8]> =
        ["train/", "test/", "val/", "cat/", "@eaDir/", "runs/", "1.png\n", "x.txt\n", "\\xAA"]
            .map(str::as_bytes)
            .into();
    fuzz("folders", &seeds, &words, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let folder = fast_temp_dir();
        let pictures = write_files(folder.path(), &paths(text), &picture);
        let Ok(data) = open(folder.path().to_str().unwrap(), &options, &|_, _| {}) else { return };
        let left_out = data.left_out;
        let left_out: u64 = left_out.loose + left_out.folders.iter().map(|(_, n)| n).sum::<u64>();
        assert_eq!(data.names.len() + data.skipped.len() + left_out as usize, pictures, "{text}");
    });
}
