//! `klubok check`: its output and exit code; it leaves no files behind.

use serde_json::Value;

use crate::util::{Place, keys};

/// Settings of a quick check.
const QUICK: [&str; 4] = ["--set", "data.size=8", "--hidden", "16"];

fn checked(place: &Place, more: &[&str]) -> Value {
    place.json(&[&["check", "pets"], &QUICK[..], more].concat())
}

fn verdict<'a>(answer: &'a Value, name: &str) -> Option<&'a Value> {
    answer["verdicts"].as_array().unwrap().iter().find(|verdict| verdict["name"] == name)
}

#[test]
fn the_json_object_is_complete_and_no_file_is_written() {
    let place = Place::with_pets();
    let answer = checked(&place, &[]);
    let sections = [
        "pictures",
        "time",
        "data",
        "network",
        "initial_loss",
        "one_batch",
        "gradient_check",
        "baselines",
        "labels",
        "gradient_noise",
        "learning_rate",
        "verdicts",
    ];
    assert_eq!(keys(&answer), sections);
    assert_eq!(answer["pictures"]["largest"], serde_json::json!([12, 10]));
    assert_eq!(answer["data"]["samples"]["train"], 48);
    assert_eq!(answer["network"]["inputs"], 64);
    assert_eq!(answer["gradient_check"]["passed"], true);
    assert_eq!(answer["one_batch"]["learnt"], true);
    assert_eq!(answer["baselines"]["linear"]["samples"], 12);
    assert!(answer["time"]["seconds_per_epoch"].as_f64().unwrap() > 0.0);
    assert_eq!(answer["verdicts"], Value::Array(vec![]));
    let left: Vec<_> = fs_err::read_dir(place.path(".")).unwrap().collect();
    assert_eq!(left.len(), 1, "only the pictures are there: {left:?}");
}

#[test]
fn doctor_is_an_alias() {
    let place = Place::with_pets();
    let ran = place.ok(&[&["doctor", "pets"], &QUICK[..]].concat());
    assert!(ran.stdout.contains("Learning rate"), "{}", ran.stdout);
}

#[test]
fn a_copy_in_another_class_is_reported_and_scripts_can_fail_on_it() {
    let place = Place::with_pets();
    fs_err::copy(place.path("pets/cat/000.png"), place.path("pets/dog/copy.png")).unwrap();
    let answer = checked(&place, &[]);
    assert_eq!(answer["data"]["copies"]["contradicting"], 2);
    let found = verdict(&answer, "contradicting_labels").unwrap();
    assert_eq!(keys(found)[..4], ["name", "severity", "since", "evidence"]);
    assert_eq!((&found["severity"], &found["since"]), (&"warning".into(), &0.into()));
    assert_eq!(found["try"], "");
    let args = [&["check", "pets"], &QUICK[..], &["--fail-on"]].concat();
    let code = |level| place.run(&[&args[..], &[level]].concat()).code;
    assert_eq!((code("warning"), code("error")), (Some(1), Some(0)));
    let text = place.ok(&[&["check", "pets"], &QUICK[..]].concat()).stdout;
    assert!(text.contains("cat/000.png = dog/copy.png"), "{text}");
    assert!(text.contains("Decide on one class"), "{text}");
}

#[test]
fn the_advice_on_imbalance_and_raw_inputs_helps() {
    let place = Place::new();
    place.pets("pets", 30);
    for i in 3..30 {
        fs_err::remove_file(place.path(format!("pets/dog/{i:03}.png"))).unwrap();
    }
    let answer = checked(&place, &["--set", "data.normalize=false"]);
    for (name, try_) in [
        ("class_imbalance", "--set train.class_weights=balanced"),
        ("input_not_normalised", "--set data.normalize=true"),
    ] {
        let found = verdict(&answer, name).unwrap_or_else(|| panic!("no {name}: {answer}"));
        assert_eq!(found["try"], try_);
        place.ok(&[&["config"][..], &try_.split(' ').collect::<Vec<_>>()].concat());
    }
    let helped = ["--set", "data.normalize=true", "--set", "train.class_weights=balanced"];
    let answer = checked(&place, &helped);
    assert!(verdict(&answer, "class_imbalance").is_none(), "{answer}");
    assert!(verdict(&answer, "input_not_normalised").is_none(), "{answer}");
}

#[test]
fn a_model_without_normalisation_works() {
    let place = Place::with_pets();
    place.train(&["-o", "run", "--set", "data.normalize=false", "--quiet"]);
    let config = String::from_utf8(place.read("run/config.toml")).unwrap();
    assert!(config.contains("normalize = false"), "{config}");
    let answer = place.json(&["eval", "run", "pets", "--split", "all"]);
    assert_eq!(answer["samples"], 60);
    place.ok(&["predict", "run", "pets/cat/000.png"]);
}

#[test]
fn a_person_reads_it_in_two_languages() {
    let place = Place::with_pets();
    let english = place.ok(&[&["check", "pets"], &QUICK[..]].concat());
    for part in ["cat", "First loss", "One batch", "Gradients", "Nothing is wrong", "▲"] {
        assert!(english.stdout.contains(part), "{part}: {}", english.stdout);
    }
    assert!(!english.stdout.contains('{'), "an unfilled place: {}", english.stdout);
    let russian = place.ok(&[&["check", "pets", "--lang", "ru"], &QUICK[..]].concat()).stdout;
    assert!(russian.contains("Потеря в начале") && russian.contains("заучен"), "{russian}");
    assert!(!russian.contains("loss") && !russian.contains('{'), "{russian}");
}

#[test]
fn the_next_command_has_the_same_settings() {
    let place = Place::with_pets();
    let ran = place.ok(&[&["check", "pets", "--preset", "article"], &QUICK[..]].concat());
    let next = ran.stdout.lines().find_map(|line| line.trim().strip_prefix("klubok train "));
    let next: Vec<&str> = next.expect("a next command").split(' ').collect();
    place.ok(&[&["train"], &next[..], &["--epochs", "1", "-o", "run"]].concat());
    let config = String::from_utf8(place.read("run/config.toml")).unwrap();
    for line in ["size = 8", "hidden = [16]", "batch_norm = false", "optimizer = \"sgd\""] {
        assert!(config.contains(line), "{line} of {next:?}: {config}");
    }
}

#[test]
fn wrong_use_and_wrong_data_are_refused() {
    let place = Place::with_pets();
    place.fails(&["check"], 2, "<DATA>", "klubok check --help");
    place.fails(&["check", "none"], 1, "none", "check the path");
    place.fails(&["check", "pets", "--lr", "-1"], 2, "learning_rate", "config --defaults");
    place.fails(&["check", "pets", "--fail-on", "info"], 2, "info", "klubok check --help");
    place.write("one/cat/broken.png", "no picture");
    place.fails(&["check", "one"], 1, "", "");
}
