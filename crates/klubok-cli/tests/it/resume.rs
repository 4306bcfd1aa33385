//! `klubok resume`: after an end, an interruption, a kill at any moment, and on changed data.

use std::{
    process::{Child, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::util::{Place, TINY};

/// A training long enough to be stopped in the middle: dropout, batch normalisation, shifted
/// pictures.
fn long(out: &str) -> Vec<&str> {
    let mut args = [&["train", "pets", "-o", out], &TINY[..]].concat();
    args.extend(["--epochs", "150", "--set", "train.early_stopping=false", "--dropout", "0.2"]);
    args
}

fn start(place: &Place, args: &[&str]) -> Child {
    place.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until the run has come to its first checkpoint.
fn wait_for_checkpoint(place: &Place, run: &str) {
    let begun = Instant::now();
    // A training that fails at once would be waited for in vain: its own test says why.
    while !place.path(run).join("checkpoint/state.safetensors").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint after a minute");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_run_that_has_ended_is_left_as_it_is() {
    let place = Place::with_pets();
    place.train(&["-o", "run"]);
    let before = place.read("run/checkpoint/state.safetensors");
    let ran = place.ok(&["resume", "run"]);
    assert!(ran.stderr.contains("The run run has ended"), "{}", ran.stderr);
    assert_eq!(place.json(&["resume", "run"])["stopped"], "epochs");
    assert_eq!(place.read("run/checkpoint/state.safetensors"), before);
}

/// A whole run of 6 epochs, gone on with up to 40: its model.
fn longer(place: &Place, run: &str) -> Vec<u8> {
    let more = ["--epochs", "6", "--set", "train.early_stopping=false", "--dropout", "0.2"];
    place.train(&[&["-o", run], &more[..]].concat());
    let args = ["resume", run, "--epochs", "40", "--lr", "0.002"];
    let trained = place.json(&args);
    assert_eq!((&trained["epochs"], &trained["stopped"]), (&40.into(), &"epochs".into()));
    place.read(&format!("{run}/model.safetensors"))
}

#[test]
fn a_run_that_has_ended_goes_on_longer_at_the_rate_that_is_given() {
    let place = Place::with_pets();
    longer(&place, "run");
    let log = String::from_utf8(place.read("run/events.jsonl")).unwrap();
    assert!(log.contains(r#""act":"epochs","epochs":40,"rate":0.002"#), "{log}");
    let last = String::from_utf8(place.read("run/metrics.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_eq!(last["epoch"], 40.0);
    let rate = last["learning_rate"].as_f64().unwrap();
    assert!((rate - 0.002).abs() < 1e-9, "{rate}");
    // It has ended again, and stays so.
    assert_eq!(place.json(&["resume", "run"])["epochs"], 40);
    place.fails(&["resume", "run", "--epochs", "40"], 2, "has done 40 epochs", "more than 40");
    place.fails(&["resume", "run", "--epochs", "x"], 2, "`train.epochs` is `x`", "");
    place.fails(&["resume", "run", "--epochs", "50", "--lr", "0"], 2, "learning_rate", "");
}

#[test]
fn without_a_rate_the_schedule_stays_at_its_last_which_is_said() {
    let place = Place::with_pets();
    place.train(&["-o", "run"]);
    let ran = place.ok(&["resume", "run", "--epochs", "6"]);
    assert!(ran.stderr.contains("up to epoch 6 instead of 4"), "{}", ran.stderr);
    assert!(ran.stderr.contains("it stays at its last"), "{}", ran.stderr);
    let lines = String::from_utf8(place.read("run/metrics.jsonl")).unwrap();
    let line =
        |i| serde_json::from_str::<serde_json::Value>(lines.lines().nth(i).unwrap()).unwrap();
    assert_eq!(line(6)["learning_rate"], line(4)["learning_rate"]);
    let constant = ["--set", "train.schedule=constant"];
    place.train(&[&["-o", "constant"], &constant[..]].concat());
    let ran = place.ok(&["resume", "constant", "--epochs", "6"]);
    assert!(ran.stderr.contains("stays at its last, 0.001."), "{}", ran.stderr);
}

#[test]
fn early_stopping_counts_anew_when_it_goes_on_longer() {
    let place = Place::with_pets();
    // Nothing gets better at such a rate, which stops it after `patience` epochs.
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
fn going_on_longer_is_repeated_and_survives_kills() {
    let place = Place::with_pets();
    let whole = longer(&place, "whole");
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
fn moved_pictures_are_followed_and_others_refused() {
    let place = Place::with_pets();
    place.train(&["-o", "run"]);
    fs_err::rename(place.path("pets"), place.path("moved")).unwrap();
    place.pets("others", 29);
    let moved = "if the data has moved: `klubok resume run --epochs 5 --data NEWPATH`";
    place.fails(&["resume", "run", "--epochs", "5"], 1, "pets", moved);
    let other = ["resume", "run", "--epochs", "5", "--data", "others"];
    place.fails(&other, 1, "now there are 58", "put the data back");
    let ran = place.ok(&["resume", "run", "--epochs", "5", "--data", "moved"]);
    assert!(ran.stderr.contains("The data lies in moved now"), "{}", ran.stderr);
    // The run remembers it.
    place.ok(&["resume", "run", "--epochs", "6"]);
}

#[test]
fn a_run_that_is_being_trained_is_refused_before_anything_is_said() {
    let place = Place::with_pets();
    let mut child = start(&place, &[&long("run")[..], &["--epochs", "100000"]].concat());
    wait_for_checkpoint(&place, "run");
    let ran = place.fails(&["resume", "run"], 1, "is being trained by another process", "");
    assert!(!ran.stderr.contains("Going on"), "{}", ran.stderr);
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn what_is_no_run() {
    let place = Place::with_pets();
    place.fails(&["resume", "pets"], 1, "`pets` is not a run", "klubok train");
    place.fails(&["resume", "latest"], 1, "no run", "klubok demo");
    place.fails(&["resume", "none"], 1, "none", "");
}

/// Kills a training at `times` moments, resumes it each time, and compares the model.
fn kill(times: u32) {
    let place = Place::with_pets();
    let begun = Instant::now();
    place.ok(&long("whole"));
    let whole = begun.elapsed();
    for i in 0..times {
        let run = format!("killed-{i}");
        let mut child = start(&place, &long(&run));
        // Moments spread over the run by the golden ratio; three kills each.
        for kill in 0..3 {
            let share = (f64::from(3 * i + kill) * 0.618).fract();
            sleep(whole.mul_f64(0.1 + 0.4 * share));
            let _ = child.kill();
            child.wait().unwrap();
            if !place.path(&run).join("config.toml").exists() {
                child = start(&place, &long(&run));
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
fn killed_at_any_moment_it_ends_in_the_same_model() {
    kill(3);
}

#[test]
#[ignore = "takes a minute: the same as above, 20 times"]
fn killed_at_many_moments_it_ends_in_the_same_model() {
    kill(20);
}

/// How far the last checkpoint of a run is, in updates, and how many make an epoch.
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

/// Kills a training in which people act, goes on with it once without and once with more kills, and
/// compares. An act is left in the log as the page leaves it: written and synced, the process
/// killed before the checkpoint after it.
#[test]
fn what_people_did_survives_kills_in_a_row() {
    // `cargo xtask test --full` wants more of everything.
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
        assert!(model(&many) != model("whole"), "nobody acted in {i}");
        let persons = |run: &str| {
            let log = String::from_utf8(place.read(&format!("{run}/events.jsonl"))).unwrap();
            log.lines().filter(|line| line.contains(r#""event":"person""#)).count()
        };
        assert_eq!((persons(&one), persons(&many)), (3, 3), "lines of acts after kills {i}");
    }
}

#[test]
fn data_that_has_changed_is_refused_and_the_difference_named() {
    let place = Place::with_pets();
    let mut child = start(&place, &long("run"));
    wait_for_checkpoint(&place, "run");
    child.kill().unwrap();
    child.wait().unwrap();
    place.picture("pets/cat/new.png", 60, 99);
    place.fails(&["resume", "run"], 1, "now there are 61", "put the data back");
    fs_err::remove_file(place.path("pets/cat/new.png")).unwrap();
    // The same names and sizes, other pixels.
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
/// Interrupts a command once this run has come to its first checkpoint.
fn ctrl_c(place: &Place, args: &[&str], run: &str) -> Output {
    let child = place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_checkpoint(place, run);
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    child.wait_with_output().unwrap()
}

#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
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
    assert!(stderr.contains("Interrupted: 1 of 3 runs were made."), "{stderr}");
    assert!(!place.path("cmp-2").exists());
}
