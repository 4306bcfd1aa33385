//! `klubok resume`: after an end, an interruption, a kill at any moment, and on changed data.

use std::{
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::util::{Place, TINY};

/// A training long enough to be stopped in the middle: dropout, batch normalisation, shifted pictures.
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
#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    let place = Place::with_pets();
    place.ok(&long("whole"));
    let child = place
        .command(&[&long("run")[..], &["--json"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_checkpoint(&place, "run");
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
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
