//! `klubok resume`: after the end, an interruption or a kill at any time, and with changed data.

use std::{
    process::{Child, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::util::{Place, TINY};

/// Arguments of a training long enough to be stopped in the middle, with dropout, batch
/// normalisation and shifted pictures.
fn long(out: &str) -> Vec<&str> {
    long_on("pets", out)
}

fn long_on<'a>(data: &'a str, out: &'a str) -> Vec<&'a str> {
    let mut args = [&["train", data, "-o", out], &TINY[..]].concat();
    args.extend(["--epochs", "150", "--set", "train.early_stopping=false", "--dropout", "0.2"]);
    args
}

fn start(place: &Place, args: &[&str]) -> Child {
    place.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits for the first checkpoint of a run.
fn wait_for_checkpoint(place: &Place, run: &str) {
    let begun = Instant::now();
    // If the training fails at once, this times out: other tests show why.
    while !place.path(run).join("checkpoint/state.safetensors").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint after a minute");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_ended_run_stays_unchanged() {
    let place = Place::with_pets();
    place.train(&["-o", "run"]);
    let before = place.read("run/checkpoint/state.safetensors");
    let ran = place.ok(&["resume", "run"]);
    assert!(ran.stderr.contains("The run run has ended"), "{}", ran.stderr);
    assert_eq!(place.json(&["resume", "run"])["stopped"], "epochs");
    assert_eq!(place.read("run/checkpoint/state.safetensors"), before);
}

/// Trains 6 epochs, extends the run to 40, and returns the model.
fn extended(place: &Place, run: &str) -> Vec<u8> {
    let more = ["--epochs", "6", "--set", "train.early_stopping=false", "--dropout", "0.2"];
    place.train(&[&["-o", run], &more[..]].concat());
    let args = ["resume", run, "--epochs", "40", "--lr", "0.002"];
    let trained = place.json(&args);
    assert_eq!((&trained["epochs"], &trained["stopped"]), (&40.into(), &"epochs".into()));
    place.read(&format!("{run}/model.safetensors"))
}

#[test]
fn an_ended_run_is_extended_with_the_given_learning_rate() {
    let place = Place::with_pets();
    extended(&place, "run");
    let log = String::from_utf8(place.read("run/events.jsonl")).unwrap();
    assert!(log.contains(r#""act":"epochs","epochs":40,"rate":0.002"#), "{log}");
    let last = String::from_utf8(place.read("run/metrics.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_eq!(last["epoch"], 40.0);
    let rate = last["learning_rate"].as_f64().unwrap();
    assert!((rate - 0.002).abs() < 1e-9, "{rate}");
    // It has ended again, and stays unchanged.
    assert_eq!(place.json(&["resume", "run"])["epochs"], 40);
    place.fails(&["resume", "run", "--epochs", "40"], 2, "has done 40 epochs", "more than 40");
    place.fails(&["resume", "run", "--epochs", "x"], 2, "`train.epochs` is `x`", "");
    place.fails(&["resume", "run", "--epochs", "50", "--lr", "0"], 2, "learning_rate", "");
}

#[test]
fn without_a_rate_an_extended_run_keeps_its_last_learning_rate() {
    let place = Place::with_pets();
    place.train(&["-o", "run"]);
    let ran = place.ok(&["resume", "run", "--epochs", "6"]);
    assert!(ran.stderr.contains("up to epoch 6 instead of 4"), "{}", ran.stderr);
    assert!(ran.stderr.contains("the rate stays at its last value"), "{}", ran.stderr);
    let lines = String::from_utf8(place.read("run/metrics.jsonl")).unwrap();
    let line =
        |i| serde_json::from_str::<serde_json::Value>(lines.lines().nth(i).unwrap()).unwrap();
    assert_eq!(line(6)["learning_rate"], line(4)["learning_rate"]);
    let constant = ["--set", "train.schedule=constant"];
    place.train(&[&["-o", "constant"], &constant[..]].concat());
    let ran = place.ok(&["resume", "constant", "--epochs", "6"]);
    assert!(ran.stderr.contains("stays at its last value, 0.001."), "{}", ran.stderr);
}

#[test]
fn an_extended_run_resets_the_patience_of_early_stopping() {
    let place = Place::with_pets();
    // At such a rate nothing improves, and training stops after `patience` epochs.
    let stuck = ["--lr", "1e-30", "--epochs", "30", "--set", "train.patience=3"];
    let calls = [&["-o", "run"], &stuck[..]].concat();
    place.train(&calls);
    let before = place.json(&["resume", "run"]);
    assert_eq!(before["stopped"], "early_stopping");
    let before = before["epochs"].as_u64().unwrap();
    let after = place.json(&["resume", "run", "--epochs", "29"]);
    assert_eq!(after["epochs"].as_u64().unwrap(), before + 3, "{after}");
}

#[test]
fn an_extended_run_is_replayed_and_survives_kills() {
    let place = Place::with_pets();
    let whole = extended(&place, "whole");
    place.ok(&["train", "--replay", "whole", "-o", "again"]);
    assert!(place.read("again/model.safetensors") == whole, "the replay differs");
    for i in 0..3 {
        let run = format!("killed-{i}");
        let more = ["--epochs", "6", "--set", "train.early_stopping=false", "--dropout", "0.2"];
        place.train(&[&["-o", &run], &more[..]].concat());
        let mut child = start(&place, &["resume", &run, "--epochs", "40", "--lr", "0.002"]);
        let log = || String::from_utf8(place.read(&format!("{run}/events.jsonl"))).unwrap();
        let begun = Instant::now();
        while !log().contains(r#""act":"epochs""#) && begun.elapsed() < Duration::from_secs(60) {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(20 * i));
        let _ = child.kill();
        child.wait().unwrap();
        assert_eq!(place.json(&["resume", &run])["epochs"], 40);
        assert!(place.read(&format!("{run}/model.safetensors")) == whole, "kill {i}");
        assert_eq!(log().matches(r#""act":"epochs""#).count(), 1, "{}", log());
    }
}

#[test]
fn moved_data_is_accepted_and_other_data_refused() {
    let place = Place::with_pets();
    place.train(&["-o", "run"]);
    fs_err::rename(place.path("pets"), place.path("moved")).unwrap();
    place.pets("others", 29);
    let moved = "if the data has moved: `klubok resume run --epochs 5 --data NEWPATH`";
    place.fails(&["resume", "run", "--epochs", "5"], 1, "pets", moved);
    let other = ["resume", "run", "--epochs", "5", "--data", "others"];
    place.fails(&other, 1, "now there are 58", "put the data back");
    let ran = place.ok(&["resume", "run", "--epochs", "5", "--data", "moved"]);
    assert!(ran.stderr.contains("The data is now in moved"), "{}", ran.stderr);
    // The run has recorded the new place.
    place.ok(&["resume", "run", "--epochs", "6"]);
}

#[test]
fn a_run_in_training_is_refused_before_any_message() {
    let place = Place::with_pets();
    let mut child = start(&place, &[&long("run")[..], &["--epochs", "100000"]].concat());
    wait_for_checkpoint(&place, "run");
    let ran = place.fails(&["resume", "run"], 1, "is being trained by another process", "");
    assert!(!ran.stderr.contains("Resuming"), "{}", ran.stderr);
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn other_folders_are_refused() {
    let place = Place::with_pets();
    place.fails(&["resume", "pets"], 1, "`pets` is not a run", "klubok train");
    place.fails(&["resume", "latest"], 1, "no run", "klubok demo");
    place.fails(&["resume", "none"], 1, "none", "");
}

/// Kills `runs` trainings three times each, resumes them, and compares their models.
fn kill(data: &str, runs: u32) {
    let place = Place::with_pets();
    let begun = Instant::now();
    place.ok(&long_on(data, "whole"));
    let whole = begun.elapsed();
    for i in 0..runs {
        let run = format!("killed-{i}");
        let mut child = start(&place, &long_on(data, &run));
        // The golden ratio spreads the times of the kills over the run.
        for kill in 0..3 {
            let share = (f64::from(3 * i + kill) * 0.618).fract();
            sleep(whole.mul_f64(0.1 + 0.4 * share));
            let _ = child.kill();
            child.wait().unwrap();
            if !place.path(&run).join("config.toml").exists() {
                child = start(&place, &long_on(data, &run));
                continue;
            }
            child = start(&place, &["resume", &run, "--quiet"]);
        }
        child.wait().unwrap();
        place.ok(&["resume", &run]);
        let model = |run: &str| place.read(&format!("{run}/model.safetensors"));
        assert!(model(&run) == model("whole"), "the model differs after kill {i}");
        let lines = |run: &str| {
            String::from_utf8(place.read(&format!("{run}/metrics.jsonl"))).unwrap().lines().count()
        };
        assert_eq!((lines(&run), lines("whole")), (151, 151), "lines of metrics.jsonl");
    }
}

#[test]
fn killed_at_any_time_it_ends_in_the_same_model() {
    kill("pets", 3);
}

#[test]
fn killed_at_any_time_numbers_and_labels_end_in_the_same_model() {
    kill("demo:curve", 1);
    kill("demo:marks", 1);
}

#[test]
#[ignore = "takes a minute: 20 runs instead of 3"]
fn killed_at_many_times_it_ends_in_the_same_model() {
    kill("pets", 20);
}

/// Returns the step of the last checkpoint and the steps of an epoch.
fn checkpoint(place: &Place, run: &str) -> (u64, f64) {
    let bytes = place.read(&format!("{run}/checkpoint/state.safetensors"));
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    let header = &rest[..u64::from_le_bytes(*length) as usize];
    let header: serde_json::Value = serde_json::from_slice(header).unwrap();
    let inner = header["__metadata__"]["checkpoint"].as_str().unwrap();
    let progress = &serde_json::from_str::<serde_json::Value>(inner).unwrap()["progress"];
    let number = |key: &str| progress[key].as_u64().unwrap();
    (number("step"), number("steps_per_epoch") as f64)
}

/// Kills a training with recorded acts, resumes it once without and once with more kills, and
/// compares the models. The acts are in the log as the page writes them, but the process was killed
/// before the next checkpoint.
#[test]
fn acts_of_people_survive_kills_in_a_row() {
    // `cargo xtask test --full` sets the variable.
    let times = if std::env::var_os("KLUBOK_FUZZ").is_some() { 60 } else { 3 };
    let place = Place::with_pets();
    let begun = Instant::now();
    place.ok(&long("whole"));
    let whole = begun.elapsed();
    for i in 0..times {
        let (one, many) = (format!("one-{i}"), format!("many-{i}"));
        let share = |n: u32| (f64::from(5 * i + n) * 0.618).fract();
        let mut child = start(&place, &long(&many));
        wait_for_checkpoint(&place, &many);
        sleep(whole.mul_f64(0.3 * share(0)));
        let _ = child.kill();
        child.wait().unwrap();
        let (step, per_epoch) = checkpoint(&place, &many);
        let mut log = place.read(&format!("{many}/events.jsonl"));
        let whole_lines = log.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        log.truncate(whole_lines);
        let acts = [
            (step + 1, r#""act":"learning_rate","rate":0.0123"#),
            (step + 2, r#""act":"pause""#),
            (step + (200.0 * share(1)) as u64, r#""act":"learning_rate","rate":0.0007"#),
        ];
        for (step, act) in acts {
            let epoch = step as f64 / per_epoch;
            let line =
                format!("{{\"step\":{step},\"epoch\":{epoch},\"event\":\"person\",{act}}}\n");
            log.extend(line.bytes());
        }
        place.write(&format!("{many}/events.jsonl"), log);
        let copied = std::process::Command::new("cp")
            .args(["-r", &many, &one])
            .current_dir(place.path(""))
            .status();
        assert!(copied.unwrap().success());
        place.ok(&["resume", &one, "--quiet"]);
        for kill in 2..4 + i % 2 {
            let mut child = start(&place, &["resume", &many, "--quiet"]);
            sleep(whole.mul_f64(0.02 + 0.25 * share(kill)));
            let _ = child.kill();
            child.wait().unwrap();
        }
        place.ok(&["resume", &many, "--quiet"]);
        let model = |run: &str| place.read(&format!("{run}/model.safetensors"));
        assert!(model(&many) == model(&one), "another model after kills {i}");
        assert!(model(&many) != model("whole"), "the acts had no effect in {i}");
        let persons = |run: &str| {
            let log = String::from_utf8(place.read(&format!("{run}/events.jsonl"))).unwrap();
            log.lines().filter(|line| line.contains(r#""event":"person""#)).count()
        };
        assert_eq!((persons(&one), persons(&many)), (3, 3), "lines of acts after kills {i}");
    }
}

#[test]
fn changed_data_is_refused_with_the_difference() {
    let place = Place::with_pets();
    let mut child = start(&place, &long("run"));
    wait_for_checkpoint(&place, "run");
    child.kill().unwrap();
    child.wait().unwrap();
    place.picture("pets/cat/new.png", 60, 99);
    place.fails(&["resume", "run"], 1, "now there are 61", "put the data back");
    fs_err::remove_file(place.path("pets/cat/new.png")).unwrap();
    // Same names, other pixels.
    let (one, other) = (place.read("pets/cat/000.png"), place.read("pets/cat/001.png"));
    place.write("pets/cat/000.png", &other);
    if one.len() == other.len() {
        place.fails(&["resume", "run"], 1, "cat/000.png", "put the data back");
    } else {
        place.fails(&["resume", "run"], 1, "changed", "put the data back");
    }
    place.write("pets/cat/000.png", &one);
    place.ok(&["resume", "run", "--quiet"]);
}

#[cfg(unix)]
/// Interrupts a command after the first checkpoint of this run.
fn ctrl_c(place: &Place, args: &[&str], run: &str) -> Output {
    let child = place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_checkpoint(place, run);
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    child.wait_with_output().unwrap()
}

#[test]
fn ctrl_c_saves_and_names_the_command_to_resume() {
    let place = Place::with_pets();
    place.ok(&long("whole"));
    let output = ctrl_c(&place, &[&long("run")[..], &["--json"]].concat(), "run");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(
        stderr.contains("Interrupted and saved") && stderr.contains("klubok resume run"),
        "{stderr}"
    );
    let trained: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(trained["stopped"], "interrupted");
    let resumed = place.json(&["resume", "run"]);
    assert_eq!((&resumed["stopped"], &resumed["epochs"]), (&"epochs".into(), &150.into()));
    assert!(place.read("run/model.safetensors") == place.read("whole/model.safetensors"));
}

#[test]
fn ctrl_c_ends_a_comparison_too() {
    let place = Place::with_pets();
    let args = [&long("cmp")[..], &["--vary", "train.seed=1,2,3"]].concat();
    let output = ctrl_c(&place, &args, "cmp-1");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("Interrupted after 1 of 3 runs."), "{stderr}");
    assert!(!place.path("cmp-2").exists());
}
