//! `klubok eval`.

use crate::util::{Place, TINY, keys};

const KEYS: [&str; 13] = [
    "samples",
    "loss",
    "loss_calibrated",
    "accuracy",
    "accuracy_interval",
    "chance",
    "per_class",
    "confusion",
    "ece",
    "ece_uncalibrated",
    "origin_known",
    "never_seen",
    "chose_epoch",
];

fn trained() -> Place {
    let place = Place::with_pets();
    place.train(&["-o", "run", "--epochs", "20", "--lr", "0.01"]);
    place
}

#[test]
fn scores_new_pictures() {
    let place = trained();
    place.pets("new/train", 20);
    place.pets("new/test", 10);
    for (i, brightness) in [20, 240].into_iter().enumerate() {
        place.picture(&format!("new/test/cat/extra{i}.png"), brightness, 5);
    }
    let scored = place.json(&["eval", "run", "new"]);
    // `new/test` repeats pictures of the training part: only the two extra ones are new.
    assert_eq!(keys(&scored), [&KEYS[..], &["trained_on"]].concat());
    assert_eq!(scored["samples"], 22);
    assert_eq!(
        (&scored["never_seen"]["samples"], &scored["origin_known"]),
        (&2.into(), &true.into())
    );
    assert_eq!(keys(&scored["per_class"][0]), ["class", "precision", "recall", "f1", "support"]);
    assert_eq!(scored["per_class"][0]["support"], 12);
    assert_eq!(scored["confusion"][0].as_array().unwrap().len(), 2);
    assert!((scored["chance"].as_f64().unwrap() - 12.0 / 22.0).abs() < 1e-12);
    let interval = scored["accuracy_interval"].as_array().unwrap();
    assert!(interval[0].as_f64() <= scored["accuracy"].as_f64());
    assert_eq!(place.json(&["eval", "run", "new", "--split", "all"])["samples"], 62);
    assert_eq!(place.json(&["eval", "run/model.safetensors", "new"])["samples"], 22);
    let ran = place.ok(&["eval", "run", "new"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[1].starts_with("Never seen before (2): "), "{}", ran.stdout);
    assert!(ran.stdout.contains("\nAll 22 together: "), "{}", ran.stdout);
    // The table is of the new pictures, too.
    assert!(
        lines.iter().any(|line| line.starts_with("  cat") && line.ends_with(" 2")),
        "{lines:#?}"
    );
}

#[test]
fn training_samples_are_reported_separately() {
    let place = trained();
    let scored = place.json(&["eval", "run", "pets"]);
    assert_eq!((&scored["samples"], &scored["trained_on"]["samples"]), (&60.into(), &48.into()));
    let ran = place.ok(&["eval", "run", "pets"]);
    assert!(
        ran.stdout.contains("Training part (48; says nothing about new samples): "),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("Validation part (12; it chose the epoch, so a little too good): "),
        "{}",
        ran.stdout
    );
    let all = place.ok(&["eval", "run", "pets", "--split", "train"]);
    assert!(
        all.stdout.contains("Training part (48; says nothing about new samples): "),
        "{}",
        all.stdout
    );
    let none = place.json(&["eval", "run", "pets", "--split", "val"]);
    assert_eq!(keys(&none), KEYS);
    assert_eq!((&none["samples"], &none["chose_epoch"]["samples"]), (&12.into(), &12.into()));
}

#[test]
fn a_copied_model_knows_its_training_samples_if_the_data_is_unchanged() {
    let place = Place::with_pets();
    place.train(&["-o", "run", "--epochs", "3", "--set", "data.val_fraction=0.4"]);
    place.write("m.safetensors", place.read("run/model.safetensors"));
    fs_err::rename(place.path("pets"), place.path("moved")).unwrap();
    let scored = place.json(&["eval", "m.safetensors", "moved"]);
    assert_eq!((&scored["samples"], &scored["trained_on"]["samples"]), (&60.into(), &36.into()));
    place.picture("moved/cat/more.png", 60, 99);
    let scored = place.json(&["eval", "m.safetensors", "moved"]);
    assert_eq!((&scored["origin_known"], scored.get("trained_on")), (&false.into(), None));
    assert!(scored["never_seen"].is_null());
    let ran = place.ok(&["eval", "m.safetensors", "moved"]);
    assert!(ran.stdout.contains("It is not known which of these 61 the model learned from"));
}

#[test]
fn scores_agree_with_those_of_the_training() {
    let place = Place::with_pets();
    let args = [&["train", "pets"], &TINY[..], &["-o", "run", "--epochs", "5"]].concat();
    let (trained, scored) =
        (place.json(&args), place.json(&["eval", "run", "pets", "--split", "val"]));
    assert_eq!(trained["val_accuracy"], scored["accuracy"]);
    let loss = |value: &serde_json::Value| value.as_f64().unwrap();
    assert!(
        (loss(&trained["val_loss"]) - loss(&scored["loss"])).abs() < 1e-6,
        "{trained} {scored}"
    );
    // The best epoch's record has the loss with the model's temperature.
    let lines = String::from_utf8(place.read("run/metrics.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let best = lines.iter().find(|line| line["epoch"].as_f64() == trained["best_epoch"].as_f64());
    let best = best.unwrap();
    assert!(
        (loss(&best["val_loss_calibrated"]) - loss(&scored["loss_calibrated"])).abs() < 1e-6,
        "{best} {scored}"
    );
    assert!(best["temperature"].as_f64() > Some(0.0), "{best}");
}

#[test]
fn a_missing_class_has_support_0_and_an_unknown_class_is_an_error() {
    let place = trained();
    for i in 0..3 {
        place.picture(&format!("cats/cat/{i}.png"), 60, 100 + i);
    }
    let scored = place.json(&["eval", "run", "cats"]);
    assert_eq!((&scored["per_class"][1]["support"], &scored["chance"]), (&0.into(), &1.0.into()));
    assert!(scored["per_class"][1]["recall"].is_null());
    let text = place.ok(&["eval", "run", "cats"]).stdout;
    assert!(
        text.contains("Only cat here: this says nothing about telling cat from dog."),
        "{text}"
    );
    assert!(!text.contains("guessing"), "one class has no chance level: {text}");
    place.picture("cats/fish/1.png", 60, 1);
    place.fails(&["eval", "run", "cats"], 1, "`fish`", "rename or remove");
}

#[test]
fn a_missing_part_is_an_error() {
    trained().fails(&["eval", "run", "pets", "--split", "test"], 1, "no test part", "--split");
}
