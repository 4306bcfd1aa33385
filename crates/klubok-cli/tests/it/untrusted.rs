//! Untrusted run folders, and names that would control the terminal.

use std::{
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::util::{Place, TINY};

/// Runs a command that must fail by itself within a minute, with a message.
#[track_caller]
fn ends(place: &Place, args: &[&str], message: &str) {
    let mut child =
        place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("{args:?} does not end");
        }
        sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
    assert!(stderr.contains(message) && !stderr.contains("defect"), "{args:?}: {stderr}");
}

fn interrupted(place: &Place) {
    let mut args = [&["train", "pets", "-o", "run"], &TINY[..]].concat();
    args.extend(["--epochs", "5000", "--set", "train.early_stopping=false"]);
    let mut child =
        place.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !place.path("run/checkpoint/state.safetensors").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint after a minute");
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn settings_of_a_run_are_checked_on_resume() {
    let place = Place::with_pets();
    interrupted(&place);
    let config = String::from_utf8(place.read("run/config.toml")).unwrap();
    let changed = |key: &str, value: &str| {
        let line = config.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
        place.write("run/config.toml", config.replacen(line, &format!("{key} = {value}"), 1));
    };
    let out_of_range = [
        ("size", "0"),
        ("size", "9223372036854775807"),
        ("val_fraction", "1.0"),
        ("hidden", "[0]"),
        ("hidden", "[-1]"),
        ("activation", "[]"),
        ("dropout", "[]"),
        ("dropout", "[0.1, 0.2, 0.3]"),
        ("dropout", "nan"),
        ("dropout", "1.0"),
        ("input_dropout", "-inf"),
        ("batch_size", "0"),
        ("learning_rate", "-1.0"),
        ("learning_rate", "1e-60"),
        ("learning_rate", "\"auto\""),
        ("beta1", "1.0"),
        ("epsilon", "0.0"),
        ("warmup_epochs", "inf"),
        ("decay_epochs", "0.0"),
        ("clip_norm", "-1.0"),
        ("threads", "4095"),
        ("threads", "0"),
        ("epochs", "0"),
        ("l2", "nan"),
        ("label_smoothing", "2.0"),
        ("schedule", "\"sometimes\""),
        ("precision", "\"auto\""),
    ];
    for (key, value) in out_of_range {
        changed(key, value);
        ends(&place, &["resume", "run"], "config.toml` is damaged");
    }
    // In range, but not what the run was trained with.
    for (key, value) in [("learning_rate", "0.5"), ("epochs", "4000"), ("dropout", "0.25")] {
        changed(key, value);
        ends(&place, &["resume", "run"], "at its checkpoint it was");
    }
    place.write("run/config.toml", &config);
    place.ok(&["report", "run", "-o", "report.html"]);
}

#[cfg(unix)]
#[test]
fn pipes_and_endless_files_in_a_run_are_refused() {
    let place = Place::with_pets();
    interrupted(&place);
    let endless = |path: &str| {
        fs_err::File::create(place.path(path)).unwrap().set_len(1 << 41).unwrap();
    };
    let pipe = |path: &str| {
        assert!(Command::new("mkfifo").arg(place.path(path)).status().unwrap().success());
    };
    pipe("pipe");
    ends(&place, &["train", "pets", "-c", "pipe"], "is a pipe or a device");
    for (file, commands) in [
        ("config.toml", &["resume", "report"][..]),
        ("checkpoint/state.safetensors", &["resume"]),
        ("events.jsonl", &["resume"]),
        ("split.csv", &["resume"]),
    ] {
        let kept = place.read(&format!("run/{file}"));
        let path = format!("run/{file}");
        for make in [&pipe as &dyn Fn(&str), &endless] {
            fs_err::remove_file(place.path(&path)).unwrap();
            make(&path);
            for command in commands {
                ends(&place, &[command, "run"], "");
            }
        }
        fs_err::remove_file(place.path(&path)).unwrap();
        place.write(&path, kept);
    }
    // Lines beyond the checkpoint are cut off, so only a pipe is refused.
    for file in ["metrics.jsonl", "steps.jsonl"] {
        let path = format!("run/{file}");
        let kept = place.read(&path);
        fs_err::remove_file(place.path(&path)).unwrap();
        pipe(&path);
        ends(&place, &["resume", "run"], "a pipe or a device");
        fs_err::remove_file(place.path(&path)).unwrap();
        place.write(&path, kept);
    }
    endless("run/model.safetensors");
    ends(&place, &["predict", "run", "pets/cat/000.png"], "not a klubok model");
}

#[cfg(unix)]
#[test]
fn names_cannot_control_the_terminal() {
    let place = Place::new();
    let class = "c\u{1b}]0;title\u{7}at\u{9b}31m";
    for (class, brightness) in [(class, 60), ("dog", 190)] {
        for i in 0..10 {
            place.picture(&format!("pets/{class}/\u{1b}[31m{i}.png"), brightness, i);
        }
    }
    place.write(&format!("pets/{class}/\u{1b}[2Jbroken.png"), "no picture");
    let picture = format!("pets/{class}/\u{1b}[31m1.png");
    let broken = format!("pets/{class}/\u{1b}[2Jbroken.png");
    let train = [&["train", "pets", "-o", "run"], &TINY[..]].concat();
    let mut shown = 0;
    for args in [
        &["check", "pets", "--hidden", "4", "--epochs", "1"][..],
        &train,
        &["eval", "run", "pets"],
        &["predict", "run", &picture, &broken],
        &["predict", "run", &picture, &broken, "--json"],
        &["diagnose", "run"],
        &["train", &picture],
        &["eval", "run", "no\u{1b}[31m"],
        &["resume", "no\u{1b}[31m"],
    ] {
        let ran = place.run(args);
        let all = ran.stdout + &ran.stderr;
        let is_control = |c: char| c.is_control() && c != '\n';
        assert!(!all.contains(is_control) || args.contains(&"--json"), "{args:?}: {all:?}");
        assert!(!all.contains('\u{1b}') && !all.contains('\u{7}'), "{args:?}: {all:?}");
        shown += usize::from(all.contains("\\u{1b}"));
    }
    assert!(shown >= 5, "escaped names are shown");
}
