//! Which folders are data, and the messages about the others.

use serde_json::Value;

use crate::util::{Place, TINY};

/// Returns the classes that `check` finds in a folder.
#[track_caller]
fn classes(place: &Place, args: &[&str]) -> Vec<String> {
    let checked = place.json(&[&["check"], args, &TINY[..]].concat());
    let name = |class: &Value| class["class"].as_str().unwrap().to_owned();
    checked["data"]["classes"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn parts_are_recognised_and_other_files_are_reported() {
    let place = Place::new();
    place.pets("intel/seg_train/seg_train", 20);
    place.pets("intel/seg_test/seg_test", 5);
    place.picture("intel/seg_pred/1.png", 9, 9);
    place.write("intel/notes.txt", "mine");
    place.write("intel/models/best.pt", "x");
    place.picture("intel/__MACOSX/cat/1.png", 9, 9);
    let ran = place.ok(&[&["train", "intel"], &TINY[..]].concat());
    assert!(ran.stderr.contains("classes cat, dog;"), "{}", ran.stderr);
    let below = "The data lies in `seg_train/seg_train`, `seg_test/seg_test`.";
    assert!(ran.stderr.contains(below), "{}", ran.stderr);
    let left = "Left out: `models` (no pictures), `seg_pred` (pictures: 1), `__MACOSX` (system folder); \
                1 file that is not a picture (.txt).";
    assert_eq!(ran.stderr.matches(left).count(), 1, "{}", ran.stderr);
    let scored = place.json(&["eval", "latest", "intel"]);
    assert_eq!(scored["samples"], 10);
}

#[test]
fn an_ambiguous_layout_is_refused_with_a_command_for_each_reading() {
    let place = Place::new();
    place.pets("data/train", 20);
    place.picture("data/extra/1.png", 9, 9);
    place.picture("data/extra/2.png", 9, 8);
    let train = [&["train", "data"], &TINY[..]].concat();
    let ran =
        place.fails(&train, 1, "can be read in two ways: `train` as parts, without `extra`", "");
    for layout in ["parts", "classes"] {
        assert!(ran.stderr.contains(&format!("`klubok train data --set data.layout={layout}`")));
    }
    assert!(!place.path("runs").exists());
    assert_eq!(classes(&place, &["data", "--set", "data.layout=parts"]), ["cat", "dog"]);
    assert_eq!(classes(&place, &["data", "--set", "data.layout=classes"]), ["extra", "train"]);
    place.fails(&["train", "data", "--set", "data.layout=mine"], 2, "`data.layout` is `mine`", "");
}

#[test]
fn folders_with_the_same_subfolders_are_refused_and_each_reading_works() {
    let place = Place::new();
    for fold in ["my folds/fold 1", "my folds/fold 2"] {
        place.pets(fold, 20);
    }
    let ran =
        place.fails(&[&["check", "my folds"], &TINY[..]].concat(), 1, "hold the same folders", "");
    let one = "`klubok check 'my folds/fold 1'`";
    let all = "`klubok check 'my folds' --set data.layout=classes`";
    assert!(ran.stderr.contains(one) && ran.stderr.contains(all), "{}", ran.stderr);
    assert_eq!(classes(&place, &["my folds/fold 1"]), ["cat", "dog"]);
    let all = ["my folds", "--set", "data.layout=classes"];
    assert_eq!(classes(&place, &all), ["fold 1", "fold 2"]);
}

#[test]
fn parts_with_longer_names_are_recognised_by_train_and_eval() {
    let place = Place::new();
    place.pets("x/pets_train", 20);
    place.pets("x/pets_test", 5);
    place.pets("x/pets_train/augmented", 5);
    let ran = place.ok(&[&["train", "x"], &TINY[..]].concat());
    assert!(ran.stderr.contains("classes cat, dog;"), "{}", ran.stderr);
    let left = "Left out: `pets_train/augmented` (pictures: 10).";
    assert!(ran.stderr.contains(left), "{}", ran.stderr);
    assert_eq!(place.json(&["eval", "latest", "x"])["samples"], 10);
    let val = [&["train", "x/pets_train", "--val", "x/pets_train"], &TINY[..]].concat();
    assert!(place.ok(&val).stderr.contains("for validation 40"));
}

#[test]
fn folders_that_may_not_be_classes_are_refused() {
    let place = Place::with_pets();
    place.picture("pets/plots/1.png", 9, 9);
    place.picture("pets/plots/2.png", 9, 8);
    place.picture("pets/node_modules/x/1.png", 9, 9);
    place.picture("pets/cat/@eaDir/1.png", 9, 9);
    place.picture("pets/dog/@eaDir/1.png", 9, 9);
    place.fails(
        &[&["train", "pets"], &TINY[..]].concat(),
        1,
        "`plots` beside its class folders",
        "data.layout=classes`",
    );
    assert_eq!(classes(&place, &["pets", "--set", "data.layout=classes"]), ["cat", "dog", "plots"]);
    fs_err::remove_dir_all(place.path("pets/plots")).unwrap();
    let ran = place.ok(&[&["train", "pets"], &TINY[..]].concat());
    let left = "Left out: `@eaDir` (system folders: 2), `node_modules` (system folder).";
    assert!(ran.stderr.contains(left), "{}", ran.stderr);
}

#[test]
fn only_layouts_that_work_are_offered() {
    let place = Place::new();
    place.pets("data/mine", 5);
    place.pets("data/test", 5);
    let ran = place.fails(
        &[&["train", "data"], &TINY[..]].concat(),
        1,
        "two ways",
        "data.layout=classes`",
    );
    assert!(!ran.stderr.contains("layout=parts"), "{}", ran.stderr);
}

#[test]
fn parts_inside_classes_are_offered_only_with_class_folders() {
    let place = Place::new();
    for name in ["cat/train/1.png", "cat/test/1.png", "dog/train/1.png", "dog/test/1.png"] {
        place.picture(&format!("pets/{name}"), 9, 9);
        place.picture(&format!("deep/{name}").replace("train/", "train/a/"), 9, 9);
    }
    let ran =
        place.fails(&["check", "pets"], 1, "as if it were divided into parts", "data/train/cat");
    assert!(!ran.stderr.contains("`klubok check pets/cat`"), "{}", ran.stderr);
    place.fails(
        &["check", "deep"],
        1,
        "as if it were divided into parts",
        "`klubok check deep/cat`",
    );
    place.pets("twice/train", 5);
    place.pets("twice/training", 5);
    let ran = place.fails(&["check", "twice"], 1, "`train` and `training`", "merge the two");
    assert!(!ran.stderr.contains("--val"), "{}", ran.stderr);
}

#[test]
fn a_class_missing_from_validation_is_reported() {
    let place = Place::new();
    place.pets("data/train", 10);
    place.pets("data/val", 5);
    fs_err::remove_dir_all(place.path("data/val/dog")).unwrap();
    let ran = place.ok(&[&["train", "data"], &TINY[..]].concat());
    let words = "The validation part has no pictures of these classes: `dog`.";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
}

#[test]
fn faults_of_idx_files_have_hints() {
    let place = Place::new();
    place.write("mnist/train-images-idx3-ubyte.gz", "<html>");
    place.fails(&["train", "mnist"], 1, "no `train-labels-idx1-ubyte`", "in pairs");
    place.write("mnist/train-labels-idx1-ubyte", "");
    place.fails(&["train", "mnist"], 1, "no IDX file but a web page", "get the file again");
    place.write("k49/k49-train-imgs.idx", "");
    place.fails(&["train", "k49"], 1, "1 (1 of .idx)", "`train-images-idx3-ubyte`");
}

#[test]
fn the_data_may_be_the_current_folder() {
    let place = Place::with_pets();
    let inside = place.path("pets");
    let run = |args: &[&str]| {
        let done = place.command(args).current_dir(&inside).output().unwrap();
        let stderr = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.success(), "{args:?}: {stderr}");
        assert!(!stderr.contains("Left out"), "{stderr}");
    };
    let train = [&["train", "."], &TINY[..]].concat();
    run(&train);
    run(&train);
    run(&[&["check", "."], &TINY[..]].concat());
    run(&["resume", "latest"]);
    run(&["eval", "latest", "."]);
}

#[test]
fn several_idx_datasets_are_refused_with_their_names() {
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
fn names_in_another_encoding_are_escaped() {
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
