//! Help, usage errors, languages and settings.

use crate::util::Place;

#[test]
fn without_a_command_prints_five_lines_on_how_to_begin() {
    let ran = Place::new().ok(&[]);
    assert_eq!(ran.stdout.lines().count(), 5, "{}", ran.stdout);
    let russian = Place::new().ok(&["--lang", "ru"]).stdout;
    for line in ran.stdout.lines().chain(russian.lines()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for part in ["klubok demo", "klubok train", "klubok predict", "klubok config", "--help"] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
}

#[test]
fn every_command_has_help_with_examples() {
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
fn a_wrong_command_or_flag_exits_with_2() {
    let place = Place::new();
    place.fails(&["trian"], 2, "unrecognized subcommand", "train");
    place.fails(&["train"], 2, "<DATA>", "klubok train --help");
    place.fails(&["train", "x", "--epoch", "3"], 2, "--epoch", "--epochs");
    place.fails(&["train", "x", "--learning-rate", "1"], 2, "--learning-rate", "`--lr`");
    place.fails(&["resume", "x", "--learning-rate=1"], 2, "--learning-rate", "`--lr`");
    let decay = "`--set regularization.weight_decay=...`";
    place.fails(&["train", "x", "--weight-decay", "1"], 2, "--weight-decay", decay);
    place.fails(&["train", "x", "--wd", "1"], 2, "--wd", decay);
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

/// Finds words in Latin letters outside of code and quotes, except names and values of settings.
fn english_words(text: &str) -> Vec<&str> {
    let names = "klubok model safetensors dropout runs pets cat dog csv tsv json TOML IDX JPEG PNG BMP GIF WebP TIFF";
    let values = "train val test all squash crop pad balanced article plain";
    let known: Vec<&str> = names.split(' ').chain(values.split(' ')).collect();
    let outside = text.split('`').step_by(2).flat_map(|text| text.split(['«', '»']).step_by(2));
    let words = outside.flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let english = |word: &&str| word.len() > 2 && word.chars().all(|c| c.is_ascii_alphabetic());
    words.filter(english).filter(|word| !known.contains(word)).collect()
}

#[test]
fn errors_are_translated_to_russian() {
    let place = Place::with_pets();
    fs_err::create_dir(place.path("empty")).unwrap();
    place.write("bad.toml", "[train]\nepoch = 3\n");
    place.write("short.csv", "epoch,train_loss,val_loss\n1,2,3\n");
    place.write("broken/cat/1.png", "no picture");
    place.picture("broken/dog/1.png", 100, 1);
    let commands: [&[&str]; 27] = [
        &["trian"],
        &["train"],
        &["train", "short.csv"],
        &["train", "short.csv", "--target", "loss"],
        &["train", "short.csv", "--target", "val_loss"],
        &["train", "x", "--epoch", "3"],
        &["train", "x", "--set", "epochs"],
        &["demo", "--json", "--jsonl"],
        &["eval", "latest", "pets", "--split", "some"],
        &["bench", "--batch", "0"],
        &["bench", "--layers", "7"],
        &["train", "none"],
        &["train", "empty"],
        &["train", "broken"],
        &["train", "pets/cat"],
        &["train", "pets/cat/000.png"],
        &["train", "demo:birds"],
        &["train", "pets", "--set", "train.epohcs=3"],
        &["train", "pets", "-c", "bad.toml"],
        &["train", "pets", "-c", "none.toml"],
        &["train", "pets", "--dropout", "2"],
        &["train", "pets", "--set", "data.fit=best"],
        &["train", "pets", "--preset", "best"],
        &["train", "pets", "--hidden", "8,8", "--dropout", "0.1,0.2,0.3"],
        &["resume", "pets"],
        &["predict", "short.csv", "pets"],
        &["diagnose", "short.csv"],
    ];
    for args in commands {
        let ran = place.run(&[args, &["--lang", "ru"]].concat());
        assert!(matches!(ran.code, Some(1 | 2)), "{args:?}: {}", ran.stderr);
        let errors: Vec<&str> =
            ran.stderr.lines().filter(|line| line.starts_with("ошибка: ")).collect();
        assert_eq!(errors.len(), 1, "{args:?}: {}", ran.stderr);
        assert_eq!(english_words(&ran.stderr), [""; 0], "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn russian_settings_are_valid_toml() {
    let place = Place::new();
    let defaults = place.ok(&["config", "--defaults", "--preset", "plain", "--lang", "ru"]).stdout;
    for words in ["# источник: статья", "# допустимо: целое число от 1 до 4096", "[augment]"]
    {
        assert!(defaults.contains(words), "{words}");
    }
    place.write("all.toml", &defaults);
    let plain = place.ok(&["config", "--preset", "plain"]).stdout;
    let read = place.ok(&["config", "--preset", "plain", "-c", "all.toml"]).stdout;
    assert_eq!(read, plain);
    let resolved = place.ok(&["config", "--lang", "ru"]).stdout;
    assert!(
        resolved.contains("epochs = 40  # сколько раз пройти по обучающей выборке"),
        "{resolved}"
    );
}

#[test]
fn listed_settings_are_read_back() {
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
fn a_closed_pipe_is_not_an_error() {
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
