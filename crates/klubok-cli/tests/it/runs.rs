//! `klubok runs`: lists and removes runs.

use crate::util::{Place, keys};

/// Trains two runs.
fn two_runs() -> Place {
    let place = Place::with_pets();
    place.train(&["-o", "runs/ended"]);
    place.train(&["-o", "runs/other", "--limit", "8"]);
    place
}

#[test]
fn lists_runs_with_size_result_and_state() {
    let place = two_runs();
    place.write("runs/photos/cat.jpg", "mine");
    place.write("runs/config.toml", "of something else");
    let list = place.json(&["runs"]);
    let runs = list["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2, "{list}");
    let ended = &runs[0];
    assert_eq!((&ended["run"], &ended["state"]), (&"runs/ended".into(), &"ended".into()));
    assert_eq!(ended["epochs"], 4.0);
    assert_eq!(ended["chance"], 0.5);
    assert_eq!(ended["val_accuracy_interval"].as_array().unwrap().len(), 2);
    let bytes = |key: &str| ended[key].as_u64().unwrap();
    assert!(0 < bytes("checkpoint_bytes") && bytes("checkpoint_bytes") < bytes("bytes"));
    assert!(keys(ended).contains(&"made"));
    let table = place.ok(&["runs"]);
    for part in ["runs/ended", "runs/other", "4/4", "ended", "50 %", "pets"] {
        assert!(table.stdout.contains(part), "{part}: {}", table.stdout);
    }
    assert!(table.stdout.lines().all(|line| line.chars().count() <= 80), "{}", table.stdout);
    assert!(table.stderr.contains("--remove-checkpoint"), "{}", table.stderr);
    assert_eq!(place.ok(&["runs", "--quiet"]).stderr, "");
    assert_eq!(Place::new().json(&["runs"])["runs"].as_array().unwrap().len(), 0);
}

#[test]
fn removes_the_named_runs_and_nothing_else() {
    let place = two_runs();
    place.write("pets.txt", "mine");
    place.fails(&["runs", "--remove", "runs/ended", "pets"], 1, "`pets` is not a run", "");
    let meant = "did you mean runs/ended?";
    place.fails(&["runs", "--remove", "ended"], 1, "`ended` is not a run", meant);
    place.fails(&["runs", "--remove", "runs"], 1, "`runs` is not a run", "");
    place.write("runs/other/notes.txt", "mine");
    let both = ["runs", "--remove", "runs/ended", "runs/other"];
    place.fails(&both, 1, "notes.txt` is not part of a run", "move it away");
    assert!(place.path("runs/ended/config.toml").exists(), "it removes all runs or none");
    fs_err::remove_file(place.path("runs/other/notes.txt")).unwrap();
    let removed = place.json(&both);
    assert!(removed["removed"][0]["freed_bytes"].as_u64().unwrap() > 0, "{removed}");
    let left: Vec<_> = fs_err::read_dir(place.path("runs")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(place.path("pets/cat/000.png").exists());
}

#[test]
fn without_its_checkpoint_a_run_only_cannot_be_resumed() {
    let place = two_runs();
    let ran = place.ok(&["runs", "--remove-checkpoint", "runs/ended"]);
    assert!(ran.stderr.contains("freed"), "{}", ran.stderr);
    place.fails(&["resume", "runs/ended", "--epochs", "9"], 1, "it cannot go on", "--replay");
    place.fails(&["resume", "runs/ended"], 1, "had come to epoch 4, but its checkpoint", "");
    place.ok(&["eval", "runs/ended", "pets"]);
    place.ok(&["diagnose", "runs/ended"]);
    let list = place.json(&["runs"]);
    let ended = &list["runs"][0];
    assert_eq!((&ended["checkpoint_bytes"], &ended["state"]), (&0.into(), &"ended".into()));
    let again = place.ok(&["runs", "--remove-checkpoint", "runs/ended"]);
    assert!(again.stderr.contains("has no checkpoint"), "{}", again.stderr);
}

#[test]
fn a_limited_run_is_resumed_and_replayed_with_the_same_samples() {
    let place = Place::with_pets();
    let ran = place.train(&["-o", "run", "--limit", "10"]);
    assert!(ran.stderr.contains("at most 10 samples of each part"), "{}", ran.stderr);
    assert!(ran.stderr.contains("training 10, for validation 10"), "{}", ran.stderr);
    let split = |run: &str| place.read(&format!("{run}/split.csv"));
    assert_eq!(String::from_utf8(split("run")).unwrap().lines().count(), 21);
    place.ok(&["resume", "run", "--epochs", "6"]);
    place.ok(&["train", "--replay", "run", "-o", "again"]);
    assert!(split("run") == split("again"));
    let model = |run: &str| place.read(&format!("{run}/model.safetensors"));
    assert!(model("run") == model("again"));
    // Evaluation uses all of the data.
    assert_eq!(place.json(&["eval", "run", "pets"])["samples"], 60);
    let checked = place.ok(&["check", "pets", "--limit", "10", "--set", "data.size=8"]);
    assert!(checked.stderr.contains("at most 10 samples"), "{}", checked.stderr);
}
