//! Wrong input gets one message and the right exit code, and leaves no run behind.

use crate::util::{Place, TINY};

/// Checks that training on `data` fails with exit code 1 and leaves no run.
#[track_caller]
fn refuses(place: &Place, data: &str, message: &str, hint: &str) {
    place.fails(&[&["train", data], &TINY[..]].concat(), 1, message, hint);
    let runs = fs_err::read_dir(place.path("runs")).map_or(0, Iterator::count);
    assert_eq!(runs, 0, "an empty run stayed");
}

/// Checks that a setting is refused with exit code 2.
#[track_caller]
fn setting(args: &[&str], message: &str) {
    let place = Place::with_pets();
    place.fails(&[&["train", "pets"], args].concat(), 2, message, "klubok config --defaults");
    assert!(!place.path("runs").exists());
}

#[test]
fn a_missing_folder() {
    refuses(&Place::new(), "pets", "there is nothing at `pets`", "check the path");
}

#[test]
fn an_empty_folder() {
    let place = Place::new();
    fs_err::create_dir(place.path("pets")).unwrap();
    refuses(&place, "pets", "`pets` has no class folders", "finds `pets/cat/1.jpg`");
}

#[test]
fn empty_class_folders() {
    let place = Place::new();
    fs_err::create_dir_all(place.path("pets/cat")).unwrap();
    fs_err::create_dir_all(place.path("pets/dog")).unwrap();
    refuses(&place, "pets", "pets", "one folder of pictures per class");
}

#[test]
fn a_file_instead_of_a_folder() {
    let place = Place::with_pets();
    refuses(&place, "pets/cat/000.png", "is a file", "one folder of pictures per class");
}

#[test]
fn one_class_only() {
    let place = Place::with_pets();
    fs_err::remove_dir_all(place.path("pets/dog")).unwrap();
    refuses(&place, "pets", "`cat` is the only class", "add samples");
}

#[test]
fn a_class_with_one_picture() {
    let place = Place::with_pets();
    place.picture("pets/fish/1.png", 120, 1);
    refuses(&place, "pets", "class `fish` has one sample", "add samples");
}

#[test]
fn an_unknown_demo() {
    refuses(&Place::new(), "demo:birds", "`birds`", "");
}

#[test]
fn a_truncated_picture_is_skipped_counted_and_named() {
    let place = Place::with_pets();
    let whole = place.read("pets/cat/000.png");
    place.write("pets/cat/cut.png", &whole[..whole.len() / 2]);
    let ran = place.train(&[]);
    assert!(ran.stderr.contains("1 of 61"), "{}", ran.stderr);
    assert!(ran.stderr.contains("cat/cut.png: the file is truncated"), "{}", ran.stderr);
    assert!(ran.stderr.contains("for training 48, for validation 12"), "{}", ran.stderr);
    let strict = [&["train", "pets", "--strict"], &TINY[..]].concat();
    place.fails(&strict, 1, "cat/cut.png", "without --strict");
}

#[test]
fn many_truncated_pictures() {
    let place = Place::with_pets();
    for i in 0..5 {
        place.write(&format!("pets/cat/x{i}.png"), "not a picture");
    }
    refuses(&place, "pets", "5 of 65 pictures cannot be read", "remove or convert");
}

#[test]
fn an_unknown_key_suggests_the_nearest() {
    setting(
        &["--set", "train.epohcs=3"],
        "unknown key `train.epohcs`, the nearest known key is `train.epochs`",
    );
    let place = Place::with_pets();
    place.write("my.toml", "[train]\nlearing_rate = 0.1\n");
    let args = ["train", "pets", "-c", "my.toml"];
    place.fails(&args, 2, "`train.learning_rate`", "config");
    let vary = ["train", "pets", "--vary", "train.optimiser=sgd,adam"];
    place.fails(&vary, 2, "`train.optimizer`", "config");
}

#[test]
fn values_of_the_wrong_type_or_out_of_range() {
    setting(&["--epochs", "many"], "`train.epochs` is `many`");
    setting(&["--epochs", "-3"], "`train.epochs` is `-3`");
    setting(&["--hidden", "64,-1"], "`model.hidden`");
    setting(&["--hidden", "0"], "`model.hidden`");
    setting(&["--set", "data.size=-8"], "`data.size` is `-8`");
    setting(&["--batch-size", "0"], "`train.batch_size` is `0`");
    setting(&["--dropout", "1"], "`model.dropout` is `1`");
    setting(&["--dropout", "-0.1"], "`model.dropout` is `-0.1`");
    setting(&["--lr", "0"], "`train.learning_rate` is `0`");
    setting(&["--lr", "nan"], "`train.learning_rate` is `nan`");
    let comma = ["train", "pets", "--lr", "0,01"];
    Place::with_pets().fails(&comma, 2, "must be a number above 0", "is a point: 0.01");
    setting(&["--optimizer", "magic"], "`train.optimizer` is `magic`");
    setting(&["--device", "toaster"], "`train.device` is `toaster`");
    setting(&["--precision", "f8"], "`train.precision` is `f8`");
    setting(&["--preset", "best"], "unknown preset `best`");
}

#[test]
fn a_settings_file_that_is_missing_or_not_toml() {
    let place = Place::with_pets();
    place.fails(&["train", "pets", "-c", "none.toml"], 1, "none.toml", "");
    place.write("bad.toml", "[train]\nepochs = = 3\n");
    place.fails(&["train", "pets", "-c", "bad.toml"], 2, "line 2 of `bad.toml`", "config");
}

#[test]
fn layers_too_large_for_memory() {
    let place = Place::with_pets();
    let args = ["train", "pets", "--set", "data.size=8", "--hidden", "1000000,1000000"];
    place.fails(&args, 1, "memory", "smaller layers");
    assert_eq!(fs_err::read_dir(place.path("runs")).unwrap().count(), 0);
}

#[test]
fn a_run_is_never_overwritten() {
    let place = Place::with_pets();
    place.train(&["-o", "mine"]);
    let before = place.read("mine/model.safetensors");
    let again = [&["train", "pets", "-o", "mine"], &TINY[..]].concat();
    place.fails(&again, 1, "`mine` is a run already", "klubok resume mine");
    assert_eq!(place.read("mine/model.safetensors"), before);
    place.write("full/note.txt", "mine");
    let full = [&["train", "pets", "-o", "full"], &TINY[..]].concat();
    place.fails(&full, 1, "`full` exists", "-o");
    assert_eq!(place.read("full/note.txt"), b"mine");
}

#[test]
fn an_exploding_training_stops_and_keeps_the_best_weights() {
    let place = Place::with_pets();
    let args = [&["train", "pets", "-o", "run", "--json"], &TINY[..], &["--lr", "1e30"]].concat();
    let args = [&args[..], &["--optimizer", "sgd", "--set", "train.warmup_epochs=0"]].concat();
    let ran = place.fails(&args, 1, "no longer a finite number", "--lr 0.01");
    let trained: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&trained["stopped"], &trained["best_epoch"]), (&"diverged".into(), &0.into()));
    let scored = place.json(&["eval", "run", "pets"]);
    assert!((scored["loss"].as_f64().unwrap() - 2f64.ln()).abs() < 1e-6, "{scored}");
    let resumed = place.ok(&["resume", "run"]);
    assert!(resumed.stderr.contains("has ended"), "{}", resumed.stderr);
}

#[test]
fn truncated_altered_and_foreign_model_files() {
    let place = Place::with_pets();
    place.train(&["-o", "run"]);
    let whole = place.read("run/model.safetensors");
    let picture = "pets/cat/000.png";
    let refused = |name: &str, bytes: &[u8], message: &str| {
        place.write(name, bytes);
        place.fails(&["predict", name, picture], 1, message, "model.safetensors");
        place.fails(&["eval", name, "pets"], 1, message, "model.safetensors");
    };
    refused("cut.safetensors", &whole[..whole.len() - 10], "`cut.safetensors` is damaged");
    refused("half.safetensors", &whole[..whole.len() / 2], "`half.safetensors`");
    refused("empty.safetensors", b"", "`empty.safetensors` is not a klubok model");
    let mut altered = whole.clone();
    *altered.last_mut().unwrap() ^= 1;
    refused("altered.safetensors", &altered, "checksum");
    refused("text.safetensors", b"hello, I am no model at all", "is not a klubok model");
    place.fails(&["predict", "pets", picture], 1, "`pets` is not a run", "`klubok runs` lists");
    place.fails(&["predict", "latest", picture], 1, "no run", "klubok train");
    place.fails(&["predict", "none", picture], 1, "none", "");
}
