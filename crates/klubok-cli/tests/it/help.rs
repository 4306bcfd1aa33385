//! What the command says about itself.

use crate::util::Place;

#[test]
fn without_a_command_five_lines_say_how_to_begin() {
    let ran = Place::new().ok(&[]);
    assert_eq!(ran.stdout.lines().count(), 5, "{}", ran.stdout);
    for part in ["klubok demo", "klubok train", "klubok predict", "klubok config", "--help"] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
}

#[test]
fn every_command_that_is_named_exists_and_its_help_has_examples() {
    let place = Place::new();
    let welcome = place.ok(&[]).stdout;
    for command in [
        "demo",
        "train",
        "resume",
        "eval",
        "predict",
        "check",
        "diagnose",
        "dashboard",
        "report",
        "bench",
        "config",
    ] {
        let help = place.ok(&[command, "--help"]).stdout;
        assert!(help.contains("Examples:"), "{help}");
        assert!(help.contains(&format!("klubok {command}")), "{help}");
    }
    for line in welcome.lines() {
        let command = line.split("klubok ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        let known = ["demo", "config", "train", "predict", "COMMAND"].contains(&command);
        assert!(known, "`{command}` in: {line}");
    }
}

#[test]
fn a_wrong_command_or_flag_is_wrong_use() {
    let place = Place::new();
    place.fails(&["trian"], 2, "unrecognized subcommand", "train");
    place.fails(&["train"], 2, "<DATA>", "klubok train --help");
    place.fails(&["train", "x", "--epoch", "3"], 2, "--epoch", "--epochs");
    place.fails(&["train", "x", "--set", "epochs"], 2, "KEY=VALUE", "klubok train --help");
    place.fails(&["demo", "--json", "--jsonl"], 2, "cannot be used with", "klubok demo --help");
}

#[test]
fn messages_come_in_two_languages() {
    let place = Place::new();
    let russian = |ran: std::process::Output| String::from_utf8(ran.stderr).unwrap();
    let by_flag = place.run(&["train", "none", "--lang", "ru"]).stderr;
    assert!(by_flag.contains("подсказка: проверьте путь"), "{by_flag}");
    let by_locale = place.command(&["train", "none"]).env("LANG", "ru_RU.UTF-8").output().unwrap();
    assert_eq!(russian(by_locale), by_flag);
    let by_name = place.command(&["train", "none"]).env("KLUBOK_LANG", "ru").output().unwrap();
    assert_eq!(russian(by_name), by_flag);
    let flag_first =
        place.command(&["train", "none", "--lang", "en"]).env("LANG", "ru_RU").output();
    assert!(russian(flag_first.unwrap()).contains("hint: check the path"));
}

#[test]
fn settings_are_listed_and_read_back() {
    let place = Place::new();
    let defaults = place.ok(&["config", "--defaults"]).stdout;
    for key in ["learning_rate", "# source:", "[augment]", "hidden"] {
        assert!(defaults.contains(key), "{key}");
    }
    place.write("mine.toml", place.ok(&["config", "--preset", "article", "--lr", "0.02"]).stdout);
    let again = place.ok(&["config", "--preset", "plain", "-c", "mine.toml"]).stdout;
    assert_eq!(again.into_bytes(), place.read("mine.toml"));
    place.write("all.toml", defaults);
    place.ok(&["config", "-c", "all.toml"]);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    use std::process::Stdio;
    let mut child = Place::new()
        .command(&["config", "--defaults"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
}
