//! Which folders are data, and what a person is told about the rest.

use serde_json::Value;

use crate::util::{Place, TINY};

/// The classes that `check` finds in a folder.
#[track_caller]
fn classes(place: &Place, args: &[&str]) -> Vec<String> {
    let checked = place.json(&[&["check"], args, &TINY[..]].concat());
    let name = |class: &Value| class["class"].as_str().unwrap().to_owned();
    checked["data"]["classes"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn parts_are_known_and_what_lies_beside_them_is_named() {
    let place = Place::new();
    place.pets("intel/seg_train/seg_train", 20);
    place.pets("intel/seg_test/seg_test", 5);
    place.picture("intel/seg_pred/1.png", 9, 9);
    place.write("intel/notes.txt", "mine");
    place.write("intel/models/best.pt", "x");
    place.picture("intel/__MACOSX/cat/1.png", 9, 9);
    let ran = place.ok(&[&["train", "intel"], &TINY[..]].concat());
    assert!(ran.stderr.contains("classes cat, dog;"), "{}", ran.stderr);
    let below = "The data lies deeper: `seg_train/seg_train`, `seg_test/seg_test`.";
    assert!(ran.stderr.contains(below), "{}", ran.stderr);
    let left = "Left out: `models` (no pictures), `seg_pred` (pictures: 1), `__MACOSX` (made by a system); \
                files that are no pictures: 1 (.txt).";
    assert_eq!(ran.stderr.matches(left).count(), 1, "{}", ran.stderr);
    let scored = place.json(&["eval", "latest", "intel"]);
    assert_eq!(scored["samples"], 10);
}

#[test]
fn what_can_be_read_in_two_ways_is_refused_with_a_command_for_each() {
    let place = Place::new();
    place.pets("data/train", 20);
    place.picture("data/extra/1.png", 9, 9);
    place.picture("data/extra/2.png", 9, 8);
    let train = [&["train", "data"], &TINY[..]].concat();
    let ran =
        place.fails(&train, 1, "can be read in two ways: `train` as parts, without `extra`", "");
    for way in ["parts", "classes"] {
        assert!(ran.stderr.contains(&format!("`klubok train data --set data.layout={way}`")));
    }
    assert!(!place.path("runs").exists());
    assert_eq!(classes(&place, &["data", "--set", "data.layout=parts"]), ["cat", "dog"]);
    assert_eq!(classes(&place, &["data", "--set", "data.layout=classes"]), ["extra", "train"]);
    place.fails(&["train", "data", "--set", "data.layout=mine"], 2, "`data.layout` is `mine`", "");
}

#[test]
fn data_may_be_trained_on_from_inside() {
    let place = Place::with_pets();
    let inside = place.path("pets");
    let run = |args: &[&str]| {
        let done = place.command(args).current_dir(&inside).output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.success(), "{args:?}: {said}");
        assert!(!said.contains("Left out"), "{said}");
    };
    let train = [&["train", "."], &TINY[..]].concat();
    run(&train);
    run(&train);
    run(&[&["check", "."], &TINY[..]].concat());
    run(&["resume", "latest"]);
    run(&["eval", "latest", "."]);
}

#[test]
fn several_sets_of_idx_files_are_named() {
    let place = Place::new();
    for set in ["letters", "digits"] {
        place.write(&format!("emnist/emnist-{set}-train-images-idx3-ubyte"), "");
    }
    place.fails(
        &["train", "emnist"],
        1,
        "`emnist-digits`, `emnist-letters`",
        "a folder of their own",
    );
}

#[cfg(target_os = "linux")]
#[test]
fn names_in_another_encoding_are_shown_as_they_are() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let place = Place::with_pets();
    let name = |class: &str| {
        let bytes: &[u8] = if class == "cat" { &[0xaa, 0xae, 0xe2] } else { &[0xaf, 0xe5, 0xe1] };
        place.path("pets").join(OsStr::from_bytes(bytes))
    };
    for class in ["cat", "dog"] {
        fs_err::rename(place.path(format!("pets/{class}")), name(class)).unwrap();
    }
    assert_eq!(classes(&place, &["pets"]), [r"\xAA\xAE\xE2", r"\xAF\xE5\xE1"]);
    place.train(&["-o", "run"]);
    let split = String::from_utf8(place.read("run/split.csv")).unwrap();
    assert!(split.contains(r",\xAF\xE5\xE1/000.png,"), "{split}");
    let found = place.json(&["predict", "run", "pets"]);
    let inputs = found["predictions"].as_array().unwrap();
    assert_eq!((inputs.len(), &inputs[0]["input"]), (60, &r"pets/\xAA\xAE\xE2/000.png".into()));
}
