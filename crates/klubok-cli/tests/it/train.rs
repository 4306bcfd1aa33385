//! `klubok train` and `klubok demo`.

use serde_json::Value;

use crate::util::{Place, TINY, keys};

const KEYS: [&str; 10] = [
    "run",
    "epochs",
    "best_epoch",
    "train_loss",
    "val_loss",
    "val_accuracy",
    "stopped",
    "seconds",
    "phases",
    "verdicts",
];

#[test]
fn runs_are_numbered_and_reported_in_one_object() {
    let place = Place::with_pets();
    let args = [&["train", "pets"], &TINY[..]].concat();
    let first = place.json(&args);
    assert_eq!(keys(&first), KEYS);
    assert_eq!(first["run"], "runs/pets-001");
    assert_eq!(first["epochs"], 4);
    assert_eq!(first["stopped"], "epochs");
    assert!(first["phases"].is_array() && first["verdicts"].is_array());
    assert_eq!(place.json(&args)["run"], "runs/pets-002");
    for file in ["config.toml", "metrics.jsonl", "split.csv", "model.safetensors"] {
        assert!(place.path("runs/pets-001").join(file).is_file(), "{file}");
    }
    let model = |run: &str| place.read(&format!("runs/{run}/model.safetensors"));
    assert!(model("pets-001") == model("pets-002"), "the same training gave other bits");
}

#[test]
fn learns_bright_and_dark_pictures() {
    let place = Place::with_pets();
    let trained =
        place.json(&[&["train", "pets"], &TINY[..], &["--epochs", "30", "--lr", "0.01"]].concat());
    assert!(trained["val_accuracy"].as_f64().unwrap() > 0.9, "{trained}");
}

#[test]
fn messages_have_intervals_chance_level_and_next_commands() {
    let place = Place::with_pets();
    let ran = place.train(&[]);
    // Only the result goes to standard output.
    assert!(
        ran.stdout.starts_with("Best epoch") && ran.stdout.lines().count() == 1,
        "{}",
        ran.stdout
    );
    assert!(!ran.stderr.contains("Best epoch"), "{}", ran.stderr);
    for part in [
        "Run runs/pets-001",
        "classes cat, dog",
        "chance level is 50 %",
        "50 % (25-75)",
        "30 pictures in the smallest class are few",
        "runs/pets-001/model.safetensors",
        "klubok predict runs/pets-001",
        "klubok eval runs/pets-001 pets",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    // Epochs 0 to 4 with the accuracies of both parts, no row wider than 80 columns.
    let is_row = |line: &&str| line.starts_with("    ") && line.matches(" % (").count() == 2;
    assert_eq!(ran.stderr.lines().filter(is_row).count(), 5, "{}", ran.stderr);
    assert!(ran.stderr.lines().filter(is_row).all(|row| row.chars().count() <= 80));
    assert!(!ran.stderr.contains('\u{1b}'), "no colours where there is no terminal");
}

#[test]
fn quiet_prints_only_the_result() {
    let place = Place::with_pets();
    let ran = place.train(&["--quiet"]);
    assert!(
        ran.stdout.starts_with("Best epoch") && ran.stdout.lines().count() == 1,
        "{}",
        ran.stdout
    );
    assert_eq!(ran.stderr, "");
}

#[test]
fn jsonl_has_one_event_per_line() {
    let ran = Place::with_pets().train(&["--jsonl"]);
    let lines: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| lines.iter().filter(|l| l["event"] == name).collect::<Vec<_>>();
    assert_eq!(lines[0]["event"], "start");
    assert_eq!(of("epoch").len(), 5);
    assert!(of("epoch").iter().all(|l| l["val_loss"].is_f64() && l["best"].is_boolean()));
    assert!(!of("step").is_empty());
    let end = lines.last().unwrap();
    assert_eq!(end["event"], "end");
    assert_eq!(keys(end)[1..], KEYS);
}

#[test]
fn flags_override_the_file_and_the_file_overrides_the_preset() {
    let place = Place::with_pets();
    place.write("my.toml", "[train]\nepochs = 2\nseed = 7\n[model]\nhidden = [8]\n");
    place.ok(&[
        "train",
        "pets",
        "-c",
        "my.toml",
        "--epochs",
        "3",
        "-o",
        "out",
        "--set",
        "data.size=8",
    ]);
    let config = String::from_utf8(place.read("out/config.toml")).unwrap();
    for line in ["epochs = 3", "seed = 7", "hidden = [8]", "batch_norm = true", "size = 8"] {
        assert!(config.contains(line), "{line}: {config}");
    }
}

#[test]
fn vary_compares_the_values_of_a_setting() {
    let place = Place::with_pets();
    let args = [&["train", "pets"], &TINY[..], &["--vary", "train.optimizer=sgd,adam"]].concat();
    let runs = place.json(&args)["runs"].clone();
    let runs = runs.as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[0]["value"], &runs[0]["run"]), (&"sgd".into(), &"runs/pets-001".into()));
    assert_eq!(runs[1]["run"], "runs/pets-002");
    // The same split and the same start: only the updates differ.
    let split = |run: &str| place.read(&format!("runs/{run}/split.csv"));
    assert_eq!(split("pets-001"), split("pets-002"));
    let start = |run: &str| {
        let metrics = place.read(&format!("runs/{run}/metrics.jsonl"));
        let first: Value =
            serde_json::from_slice(metrics.split(|&b| b == b'\n').next().unwrap()).unwrap();
        first["layers"].clone()
    };
    assert_eq!(start("pets-001"), start("pets-002"));
    let ran = place.ok(&[&args[..], &["-o", "cmp"]].concat());
    assert!(place.path("cmp-sgd/model.safetensors").is_file());
    for part in [
        "Compared",
        "Chance level on the validation part is 50 %",
        "All have the same split, order and start.",
        "Each has its own default learning rate (sgd: 0.01; adam: 0.001).",
        " did best: ",
        "intervals overlap",
        "\n  klubok report cmp-",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    for (vary, same) in
        [("train.seed=1,2", None), ("model.init=he,glorot", Some("split and order"))]
    {
        let ran = place.ok(&[&["train", "pets", "--vary", vary], &TINY[..]].concat());
        let line = ran.stderr.lines().find(|line| line.starts_with("All have the same "));
        assert_eq!(
            line,
            same.map(|same| format!("All have the same {same}.")).as_deref(),
            "{vary}"
        );
    }
    let same = ["train", "pets", "--vary", "train.learning_rate=0.01,1e-2"];
    place.fails(&same, 2, "`--vary` has `1e-2`, which is the same as `0.01`", "give a value once");
    place.fails(&[&args[..], &["-o", "cmp"]].concat(), 1, "cmp-sgd", "klubok resume");
}

#[test]
fn a_training_without_improvement_reports_an_untrained_model() {
    let place = Place::new();
    let args = ["train", "demo:spirals", "--epochs", "3", "--optimizer", "sgd", "--lr"];
    let output = |rate: &str| {
        let monitor = ["--set", "train.monitor=val_loss"];
        let ran = place.ok(&[&args[..], &[rate], &monitor].concat());
        ran.stdout + &ran.stderr
    };
    let untrained = "No epoch was better than the start: the model is the untrained network.";
    let (wild, good) = (output("3"), output("0.1"));
    assert!(wild.contains("Best epoch 0 of 3.") && wild.contains(untrained), "{wild}");
    assert!(!good.contains(untrained), "{good}");
}

#[test]
fn the_validation_part_may_be_another_folder() {
    let place = Place::with_pets();
    place.pets("more", 10);
    let trained = place.ok(&[&["train", "pets", "--val", "more"], &TINY[..]].concat());
    assert!(trained.stderr.contains("for training 60, for validation 20"), "{}", trained.stderr);
}

#[test]
fn the_number_of_threads_does_not_change_the_model() {
    let place = Place::with_pets();
    place.train(&["-o", "one", "--threads", "1"]);
    place.train(&["-o", "three", "--threads", "3"]);
    assert!(place.read("one/model.safetensors") == place.read("three/model.safetensors"));
}

#[test]
fn the_demo_trains_on_drawings() {
    let place = Place::new();
    let args = ["demo", "--epochs", "1", "--hidden", "16", "-o", "out"];
    let trained = place.json(&args);
    assert_eq!(keys(&trained), KEYS);
    assert_eq!((&trained["run"], &trained["epochs"]), (&"out".into(), &1.into()));
    let ran = place.ok(&["demo", "--epochs", "1", "--hidden", "16"]);
    for part in ["runs/demo-001", "What was learnt", "cat", "dog", "klubok train FOLDER"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
}

#[test]
fn a_run_records_its_kernel_also_in_the_earlier_format() {
    let place = Place::with_pets();
    place.train(&["-o", "here", "--epochs", "1", "--kernel", "portable"]);
    place.train(&["-o", "auto", "--epochs", "1"]);
    let settings =
        |run: &str| String::from_utf8(place.read(&format!("{run}/config.toml"))).unwrap();
    let kernel = |run: &str| {
        let settings = settings(run);
        settings.lines().find(|line| line.starts_with("kernel = ")).unwrap_or_default().to_owned()
    };
    assert!(kernel("here").starts_with("kernel = \"portable\""), "{}", kernel("here"));
    assert!(!kernel("auto").contains("auto"), "{}", kernel("auto"));
    let (portable, model) = (kernel("here"), place.read("here/model.safetensors"));
    // An earlier klubok wrote the kernel into the section `[run]`.
    let earlier = settings("here")
        .replace(&format!("{}\n", kernel("here")), "")
        .replace("\n[run]\n", "\n[run]\nkernel = \"portable\"\n");
    place.write("here/config.toml", earlier);
    fs_err::remove_file(place.path("here/model.safetensors")).unwrap();
    fs_err::remove_dir_all(place.path("here/checkpoint")).unwrap();
    for log in ["metrics.jsonl", "steps.jsonl", "events.jsonl", "split.csv"] {
        fs_err::remove_file(place.path("here").join(log)).unwrap();
    }
    place.ok(&["resume", "here"]);
    assert_eq!(place.read("here/model.safetensors"), model);
    // A replay keeps the kernel, even if it is not the fastest; with another precision it does not.
    place.ok(&["train", "--replay", "here", "-o", "again"]);
    assert_eq!((kernel("again"), place.read("again/model.safetensors")), (portable, model));
    place.ok(&["train", "--replay", "here", "-o", "other", "--precision", "f32"]);
    assert!(!kernel("other").contains("portable") || kernel("auto").contains("portable"));
    let wrong = settings("again").replace("kernel = \"portable\"", "kernel = \"avx9\"");
    place.write("again/config.toml", wrong);
    place.fails(&["resume", "again"], 1, "avx9", "");
}
