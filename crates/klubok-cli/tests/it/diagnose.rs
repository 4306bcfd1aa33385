//! `klubok diagnose`, and the phases and verdicts of `train`.

use std::{io::Write as _, process::Stdio};

use serde_json::Value;

use crate::util::{Place, TINY, keys, report_data};

/// Ten epochs with the minimum of the validation loss in epoch 4.
const OVER: &str = "epoch,train_loss,val_loss\n1,1.0,1.1\n2,0.7,0.8\n3,0.5,0.65\n4,0.4,0.6\n5,0.3,0.63\n\
                    6,0.2,0.7\n7,0.15,0.78\n8,0.1,0.86\n9,0.07,0.93\n10,0.05,1.0\n";
/// Ten epochs without overfitting.
const HEALTHY: &str = "epoch,train_loss,val_loss\n1,1.0,1.1\n2,0.7,0.8\n3,0.5,0.65\n4,0.45,0.6\n5,0.42,0.57\n\
                       6,0.41,0.56\n7,0.405,0.555\n8,0.402,0.553\n9,0.401,0.552\n10,0.4,0.551\n";

#[test]
fn the_json_object_has_the_documented_keys() {
    let place = Place::new();
    place.write("h.csv", OVER);
    let answer = place.json(&["diagnose", "h.csv"]);
    assert_eq!(keys(&answer), ["phases", "verdicts", "best_epoch"]);
    assert_eq!(answer["best_epoch"], 4);
    let last = answer["phases"].as_array().unwrap().last().unwrap();
    assert_eq!(keys(last), ["name", "start", "end", "certainty", "evidence"]);
    assert_eq!(
        (&last["name"], &last["start"], &last["end"]),
        (&"specialisation".into(), &5.into(), &10.into())
    );
    let verdict = &answer["verdicts"][0];
    assert_eq!(
        keys(verdict),
        [
            "name",
            "severity",
            "since",
            "evidence",
            "meaning",
            "try",
            "changes",
            "more_samples",
            "source"
        ]
    );
    assert_eq!(
        (&verdict["name"], &verdict["severity"]),
        (&"over_fitting".into(), &"warning".into())
    );
    // Another program trained it: the advice names no settings of klubok.
    let advice = verdict["try"].as_str().unwrap();
    assert!(advice.starts_with("dropout") && !advice.contains("--"), "{advice}");
    let russian = place.json(&["diagnose", "h.csv", "--lang", "ru"]);
    assert_eq!(russian["verdicts"][0]["try"], advice, "programs read English");
}

#[test]
fn the_advice_on_a_run_names_existing_settings() {
    let place = Place::with_pets();
    let more = ["-o", "run", "--optimizer", "sgd", "--lr", "1e30", "--quiet"];
    place.run(&[&["train", "pets"], &TINY[..], &more].concat());
    let answer = place.json(&["diagnose", "run"]);
    let advice = answer["verdicts"][0]["try"].as_str().unwrap();
    assert!(advice.starts_with("--set "), "{advice}");
    place.ok(&[&["config"][..], &advice.split(' ').collect::<Vec<_>>()].concat());
}

#[test]
fn scripts_can_fail_on_verdicts() {
    let place = Place::new();
    place.write("over.csv", OVER);
    place.write("healthy.csv", HEALTHY);
    place.write("nan.csv", "loss\n1\n2\nnan\n");
    let code = |file, level| place.run(&["diagnose", file, "--fail-on", level]).code;
    assert_eq!((code("over.csv", "warning"), code("over.csv", "error")), (Some(1), Some(0)));
    assert_eq!(code("healthy.csv", "warning"), Some(0));
    assert_eq!((code("nan.csv", "warning"), code("nan.csv", "error")), (Some(1), Some(1)));
    place.fails(
        &["diagnose", "over.csv", "--fail-on", "info"],
        2,
        "info",
        "klubok diagnose --help",
    );
}

#[test]
fn a_person_reads_phases_and_what_to_try_in_two_languages() {
    let place = Place::new();
    place.write("h.csv", OVER);
    let english = place.ok(&["diagnose", "h.csv"]).stdout;
    for part in ["10 epochs,", "fast learning", "over-fitting likely", "5-10", "Try: dropout"] {
        assert!(english.contains(part), "{part}: {english}");
    }
    // Another program may not keep the best weights.
    assert!(!english.contains("--set") && !english.contains("are kept"), "{english}");
    let russian = place.ok(&["diagnose", "h.csv", "--lang", "ru"]).stdout;
    assert!(russian.contains("переобучение") && !russian.contains("fitting"), "{russian}");
}

#[test]
fn a_history_is_read_from_standard_input() {
    let place = Place::new();
    let mut command = place.command(&["diagnose", "-", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(OVER.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["best_epoch"], 4);
}

#[test]
fn an_increase_within_chance_is_not_a_verdict() {
    let place = Place::new();
    place.write(
        "h.csv",
        "train_loss,val_loss\n.7,.75\n.6,.7\n.53,.67\n.47,.66\n.42,.66\n.38,.664\n.34,.669\n.31,.674\n.28,.68\n",
    );
    let verdicts =
        |samples| place.json(&["diagnose", "h.csv", "--val-samples", samples])["verdicts"].clone();
    assert_eq!(verdicts("10000")[0]["name"], "over_fitting");
    assert_eq!(verdicts("30"), Value::Array(vec![]));
}

#[test]
fn broken_histories_are_refused() {
    let place = Place::new();
    place.write("empty.csv", "epoch,loss\n");
    place.write("other.csv", "name,age\nTom,3\n");
    place.write("one.csv", "epoch,loss\n1,2\n");
    place.fails(
        &["diagnose", "empty.csv"],
        1,
        "`empty.csv` has no epochs",
        "klubok diagnose --help",
    );
    place.fails(&["diagnose", "other.csv"], 1, "its columns are name, age", "train_loss");
    place.fails(&["diagnose", "one.csv"], 1, "has one epoch", "klubok diagnose --help");
    place.fails(&["diagnose", "none.csv"], 1, "none.csv", "check the path");
    place.write("unsorted.csv", "epoch,loss\n2,1\n1,2\n3,1\n");
    place.fails(&["diagnose", "unsorted.csv"], 1, "its rows are not in order", "diagnose --help");
    place.write("twice.csv", "epoch,loss\n1,1\n2,2\n1,1\n");
    place.fails(&["diagnose", "twice.csv"], 1, "more than one training", "of one training");
    place.write("lists.json", "{\"loss\": [3, 2, 1], \"val_loss\": [3, 2]}");
    place.fails(&["diagnose", "lists.json"], 1, "3 values of `loss` and 2", "`null`");
    place.write("words.csv", "epoch,loss\n1,2\n2,much\n");
    place.fails(&["diagnose", "words.csv"], 1, "`much` in column `loss`, row 2", "diagnose --help");
    place.write("junk.csv", (0..=255).cycle().take(5000).collect::<Vec<u8>>());
    place.fails(&["diagnose", "junk.csv"], 1, "no text in UTF-8", "save it again in UTF-8");
    place.write("nothing.csv", "");
    place.fails(&["diagnose", "nothing.csv"], 1, "has no epochs", "klubok diagnose --help");
    place.pets("pets", 1);
    place.fails(&["diagnose", "pets"], 1, "neither a run nor", "klubok diagnose --help");
}

#[test]
fn histories_with_gaps_are_diagnosed() {
    let place = Place::new();
    place.write("nan.csv", "epoch,loss,val_loss\n1,1,1.1\n2,0.8,0.9\n3,NaN,NaN\n");
    let answer = place.json(&["diagnose", "nan.csv"]);
    assert_eq!(answer["verdicts"][0]["name"], "diverging");
    assert_eq!(answer["best_epoch"], 2);
    place.write("alone.csv", "loss\n1\n0.8\n0.7\n0.65\n");
    let ran = place.ok(&["diagnose", "alone.csv"]);
    assert!(ran.stdout.contains("no validation loss"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("none with a validation loss, so none is the best"),
        "{}",
        ran.stdout
    );
    // Without a training loss, its decrease is not reported; a history of steps has no epochs.
    place.write("val.csv", val_alone());
    let ran = place.ok(&["diagnose", "val.csv"]);
    assert!(ran.stdout.contains("No training loss is known"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("training loss fell"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("the training loss falls"), "{}", ran.stdout);
    place.write("steps.csv", "step,loss\n10,1\n20,0.8\n30,0.7\n40,0.65\n");
    let ran = place.ok(&["diagnose", "steps.csv"]);
    assert!(ran.stdout.contains("This history counts steps, not epochs"), "{}", ran.stdout);
    place.write("acc.csv", "epoch,loss,val_loss,val_acc\n1,1,1,0.5\n2,0.9,0.9,101\n");
    place.fails(&["diagnose", "acc.csv"], 1, "has `101` in column `val_acc`, row 2", "");
}

#[test]
fn a_validation_loss_of_nan_is_not_a_divergence() {
    let place = Place::new();
    let text = OVER.replace("9,0.07,0.93", "9,0.07,nan").replace("10,0.05,1.0", "10,0.05,nan");
    place.write("h.csv", text);
    let answer = place.json(&["diagnose", "h.csv"]);
    let names: Vec<&Value> =
        answer["verdicts"].as_array().unwrap().iter().map(|verdict| &verdict["name"]).collect();
    assert_eq!(names, ["over_fitting", "loss_not_a_number"]);
    let advice = answer["verdicts"][1]["try"].as_str().unwrap();
    assert!(advice.starts_with("look for a sample") && !advice.contains("--set"), "{advice}");
    assert_eq!(answer["best_epoch"], 4);
    let text = place.ok(&["diagnose", "h.csv"]).stdout;
    assert!(text.contains("not a number since epoch 9, while the training loss is"), "{text}");
    assert!(text.contains("leave empty"), "{text}");
}

#[test]
fn an_accuracy_of_an_unknown_unit_is_left_out_with_a_note() {
    let place = Place::new();
    place.write("h.csv", "epoch,loss,val_loss,acc,val_acc\n1,2,2,5,0.9\n2,1,1,20,1\n");
    let text = place.ok(&["diagnose", "h.csv"]).stdout;
    assert!(text.contains("`val_acc` is left out: `acc` is in percent"), "{text}");
}

#[test]
fn the_best_epoch_is_a_validated_one() {
    let place = Place::new();
    for missing in ["", "NA", "nan", "null"] {
        let line = |(i, line): (usize, &str)| match line.rsplit_once(',') {
            Some((start, _)) if i % 2 == 1 => format!("{start},{missing}\n"),
            _ => format!("{line}\n"),
        };
        place.write("h.csv", OVER.lines().enumerate().map(line).collect::<String>());
        assert_eq!(place.json(&["diagnose", "h.csv"])["best_epoch"], 4, "{missing}");
    }
}

#[test]
fn the_only_training_below_a_folder_is_found() {
    let place = Place::new();
    fs_err::create_dir_all(place.path("logs/version_0/checkpoints")).unwrap();
    place.write("logs/version_0/metrics.csv", OVER);
    place.write("logs/version_0/hparams.yaml", "lr: 0.1\n");
    for path in ["logs", "logs/version_0"] {
        assert_eq!(place.json(&["diagnose", path])["best_epoch"], 4, "{path}");
    }
    fs_err::create_dir(place.path("logs/version_1")).unwrap();
    place.write("logs/version_1/metrics.csv", HEALTHY);
    place.fails(&["diagnose", "logs"], 1, "`logs/version_0`, `logs/version_1`", "of one training");
}

#[test]
fn a_run_with_a_damaged_log_is_refused() {
    let place = memorising();
    let log = String::from_utf8(place.read("run/metrics.jsonl")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let refused = |text: String, words: &str| {
        fs_err::write(place.path("run/metrics.jsonl"), text).unwrap();
        place.fails(&["diagnose", "run"], 1, words, "");
    };
    refused(format!("{}\n{}\n", lines[2], lines[1]), "has epoch 1 after epoch 2");
    refused(format!("{}\nnonsense\n{}\n", lines[0], lines[1]), "line 2 of");
    let mut last: Value = serde_json::from_str(lines[3]).unwrap();
    last["epoch"] = 1e300.into();
    refused(format!("{log}{last}\n"), "which is none");
}

#[cfg(target_os = "linux")]
#[test]
fn pipes_and_endless_files_are_refused() {
    let place = Place::new();
    let made = std::process::Command::new("mkfifo").arg(place.path("pipe")).status().unwrap();
    assert!(made.success());
    place.fails(&["diagnose", "pipe"], 1, "a pipe or a device", "");
    place.fails(&["diagnose", "/dev/zero"], 1, "a pipe or a device", "");
    fs_err::File::create(place.path("large.csv")).unwrap().set_len(1 << 40).unwrap();
    place.fails(&["diagnose", "large.csv"], 1, "larger than 256 MiB", "");
    fs_err::File::create(place.path("a.tfevents")).unwrap().set_len(1 << 40).unwrap();
    place.fails(&["diagnose", "a.tfevents"], 1, "a checksum does not agree", "");
}

/// Trains until it memorises: noisy pictures, a large learning rate, no regularisation.
fn memorising() -> Place {
    let place = Place::with_pets();
    let more = ["-o", "run", "--epochs", "40", "--lr", "0.02", "--preset", "plain"];
    let free = ["--set", "train.early_stopping=false"];
    place.ok(&[&["train", "pets"], &TINY[..], &more, &free].concat());
    place
}

fn events(place: &Place, run: &str) -> Vec<Value> {
    let text = String::from_utf8(place.read(&format!("{run}/events.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_diagnosis_of_a_run_agrees_with_that_during_training() {
    let place = memorising();
    let answer = place.json(&["diagnose", "run"]);
    let phases = answer["phases"].as_array().unwrap();
    assert_eq!(phases[0]["name"], "fast_learning", "{answer}");
    let trained = place.json(&["resume", "run"]);
    assert_eq!(
        (&trained["phases"], &trained["verdicts"]),
        (&answer["phases"], &answer["verdicts"])
    );
    let noticed: Vec<Value> =
        events(&place, "run").into_iter().filter(|e| e["event"] == "phase").collect();
    assert_eq!(noticed[0]["name"], "fast_learning");
    for key in ["step", "epoch", "name", "start", "certainty", "evidence"] {
        assert!(!noticed[0][key].is_null(), "{key}: {}", noticed[0]);
    }
}

#[test]
fn verdicts_on_data_come_before_training_and_in_every_later_view() {
    let place = Place::with_pets();
    for i in 3..30 {
        fs_err::remove_file(place.path(format!("pets/dog/{i:03}.png"))).unwrap();
    }
    fs_err::copy(place.path("pets/cat/000.png"), place.path("pets/dog/copy.png")).unwrap();
    let ran = place.train(&["-o", "run", "--json"]);
    let trained: Value = serde_json::from_str(&ran.stdout).unwrap();
    let verdicts = |answer: &Value| {
        let of_data = ["class_imbalance", "contradicting_labels"];
        let all = answer["verdicts"].as_array().unwrap().clone();
        let found: Vec<Value> =
            all.into_iter().filter(|v| of_data.contains(&v["name"].as_str().unwrap())).collect();
        found
    };
    let found = verdicts(&trained);
    assert_eq!(found.len(), 2, "{trained}");
    assert_eq!(found, verdicts(&place.json(&["check", "pets", "--set", "data.size=8"])));
    // They are printed on one line each, before the first epoch.
    let at = |text: &str| ran.stderr.lines().position(|line| line.contains(text)).unwrap();
    let first = ran.stderr.lines().position(|line| line.trim_start().starts_with("1 ")).unwrap();
    assert!(at("train.class_weights=balanced") < first, "{}", ran.stderr);
    assert!(at("Decide on one class") < first, "{}", ran.stderr);
    assert!(ran.stderr.contains("-c run/config.toml --set "), "{}", ran.stderr);
    // The log has each once; `diagnose`, `resume` and the report have the same verdicts.
    let logged: Vec<Value> = events(&place, "run").into_iter().filter(|e| e["step"] == 0).collect();
    assert_eq!(
        logged[1..].iter().map(|e| &e["name"]).collect::<Vec<_>>(),
        ["class_imbalance", "contradicting_labels"]
    );
    let answer = place.json(&["diagnose", "run"]);
    assert_eq!(answer["verdicts"], trained["verdicts"]);
    assert_eq!(place.json(&["resume", "run"])["verdicts"], trained["verdicts"]);
    place.ok(&["report", "run"]);
    let report = String::from_utf8(place.read("run/report.html")).unwrap();
    let data = report_data(&report);
    let names = |verdicts: &Value| -> Vec<Value> {
        verdicts.as_array().unwrap().iter().map(|v| v["name"].clone()).collect()
    };
    assert_eq!(names(&data["story"]["verdicts"]), names(&trained["verdicts"]));
}

#[test]
fn an_exploding_training_is_diagnosed_as_diverging() {
    let place = Place::with_pets();
    let more = ["-o", "run", "--optimizer", "sgd", "--lr", "1e30", "--quiet", "--json"];
    let ran = place.run(&[&["train", "pets"], &TINY[..], &more].concat());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let names = |value: &Value| -> Vec<Value> {
        value["verdicts"].as_array().unwrap().iter().map(|v| v["name"].clone()).collect()
    };
    let answer = place.json(&["diagnose", "run"]);
    let trained: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(trained["verdicts"], answer["verdicts"], "as during training");
    assert!(names(&answer).contains(&"diverging".into()), "{answer}");
    let log = events(&place, "run");
    assert!(log.iter().any(|e| e["event"] == "verdict" && e["name"] == "diverging"), "{log:?}");
}

#[test]
fn jsonl_has_phases_and_verdicts() {
    let place = Place::with_pets();
    let args =
        [&["train", "pets"], &TINY[..], &["--jsonl", "--epochs", "12", "--lr", "0.01"]].concat();
    let ran = place.ok(&args);
    let lines: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let phase = lines.iter().find(|line| line["event"] == "phase").unwrap();
    assert_eq!(phase["name"], "fast_learning");
    assert_eq!(lines.last().unwrap()["phases"][0]["name"], "fast_learning");
    assert!(ran.stderr.contains("Since epoch"), "{}", ran.stderr);
}

#[test]
fn a_network_that_starts_at_zero_is_diagnosed_by_its_layers() {
    let place = Place::with_pets();
    let zeros = ["-o", "run", "--preset", "plain", "--set", "model.init=zeros"];
    let ran = place.ok(&[&["train", "pets"], &TINY[..], &zeros, &["--json"]].concat());
    let again = ["train", "pets", "-c", "run/config.toml", "--set", "model.init=he"];
    assert!(ran.stderr.contains(&format!("  klubok {}\n", again.join(" "))), "{}", ran.stderr);
    let trained: Value = serde_json::from_str(&ran.stdout).unwrap();
    let verdicts = trained["verdicts"].as_array().unwrap();
    let named = |name: &str| {
        let found = verdicts.iter().find(|verdict| verdict["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {verdicts:?}"))
    };
    assert_eq!(named("dead_units")["evidence"]["hidden1"], 1.0);
    let ignores = named("predictions_ignore_input");
    assert_eq!(
        (&ignores["severity"], &ignores["since"], &ignores["try"]),
        (&"error".into(), &1.into(), &"--set model.init=he".into())
    );
    assert!(ignores["source"].as_str().is_some_and(|source| !source.is_empty()));
    // The advised command helps.
    let mended = place.json(&again)["verdicts"].to_string();
    assert!(!mended.contains("predictions_ignore_input"), "{mended}");
    // `diagnose` agrees after the end.
    assert_eq!(place.json(&["diagnose", "run"])["verdicts"], trained["verdicts"]);
    let text = |lang| place.ok(&["diagnose", "run", "--lang", lang]).stdout;
    let (english, russian) = (text("en"), text("ru"));
    for part in ["50 % (25-75; guessing 50 %)", "hidden1 100 %", "do not depend on the input"] {
        assert!(english.contains(part), "{part}: {english}");
    }
    assert!(russian.contains("наугад 50 %") && russian.contains("не зависят"), "{russian}");
    for language in [english, russian] {
        assert!(!language.contains(['{', '}']) && !language.contains("NaN"), "{language}");
    }
}

/// A history of the validation loss alone, which falls and then rises.
fn val_alone() -> String {
    let slope = |epoch: u32| if epoch < 8 { 0.01 } else { 0.001 };
    let loss = |epoch: u32| 0.3 + slope(epoch) * f64::from(epoch.abs_diff(8)).powi(2);
    let lines = (1..=20).map(|epoch| format!("{epoch},{}\n", loss(epoch)));
    "epoch,val_loss\n".to_owned() + &lines.collect::<String>()
}
