//! Tables, numbers and labels as targets: training, checks, evaluation, predictions, and resume.

use std::fmt::Write;

use serde_json::Value;

use crate::util::{Place, keys};

/// A line of metrics per epoch.
fn metrics(place: &Place, run: &str) -> Vec<Value> {
    let text = String::from_utf8(place.read(&format!("{run}/metrics.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn floats(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// Writes `houses.csv`: a price that follows from two of three columns, a class and two labels.
fn houses(place: &Place, name: &str, separator: &str, rows: usize, seed: usize) {
    let head = ["size", "age", "\"noise, \"\"loud\"\"\"", "price", "kind", "big", "old"];
    let mut text = format!("\u{feff}{}\r\n", head.join(separator));
    for i in seed..seed + rows {
        let at = |ratio: f64| (i as f64 * ratio).fract();
        let (size, age) = (30.0 + 170.0 * at(0.754_877_67), 90.0 * at(0.569_840_29));
        let price = 1000.0 * (2.0 * size - age) + 50_000.0;
        let kind = if size > 120.0 { "house" } else { "flat" };
        let (big, old) = (u8::from(size > 100.0), u8::from(age > 50.0));
        let cells = [
            format!("{size:.2}"),
            format!("{age:.2}"),
            format!("{:.3e}", at(0.618_034)),
            format!("{price:.1}"),
            format!("\"{kind}\""),
            big.to_string(),
            old.to_string(),
        ];
        write!(text, "{}\r\n", cells.join(separator)).unwrap();
    }
    place.write(name, text);
}

/// Keeps only these columns of a table without quotes.
fn select(place: &Place, from: &str, to: &str, columns: &[usize]) {
    let text =
        String::from_utf8(place.read(from)).unwrap().replace("\"noise, \"\"loud\"\"\"", "noise");
    let text = text.trim_start_matches('\u{feff}').replace('"', "");
    let lines = text.lines().map(|line| {
        let cells: Vec<&str> = line.split([';', '\t', ',']).collect();
        columns.iter().map(|&i| cells[i]).collect::<Vec<_>>().join(",") + "\n"
    });
    place.write(to, lines.collect::<String>());
}

const QUICK: [&str; 6] = ["--epochs", "40", "--batch-size", "32", "--lr", "0.01"];

#[test]
fn numbers_of_a_table_are_learnt_evaluated_and_predicted() {
    let place = Place::new();
    houses(&place, "all.csv", ";", 300, 0);
    select(&place, "all.csv", "houses.csv", &[0, 1, 2, 3]);
    let run = [&["train", "houses.csv", "--target", "price", "-o", "run"], &QUICK[..]].concat();
    let trained = place.json(&run);
    assert!(trained["val_r2"].as_f64().unwrap() > 0.98, "{trained}");
    assert!(trained["val_accuracy"].is_null(), "{trained}");

    houses(&place, "new.tsv", "\t", 50, 1000);
    select(&place, "new.tsv", "new.csv", &[3, 2, 1, 0]);
    let scored = place.json(&["eval", "run", "new.csv"]);
    let figures = ["samples", "loss", "rmse", "mae", "r2", "per_output"];
    let origins = ["origin_known", "never_seen", "chose_epoch"];
    assert_eq!(keys(&scored), [&figures[..], &origins].concat());
    assert!(scored["r2"].as_f64().unwrap() > 0.97, "{scored}");
    assert!(scored["mae"].as_f64() <= scored["rmse"].as_f64(), "{scored}");
    assert_eq!(scored["per_output"][0]["output"], "price");

    // Predictions are in the units of the column; a table without the target is enough.
    select(&place, "new.tsv", "unknown.csv", &[2, 0, 1]);
    place.ok(&["predict", "run", "unknown.csv", "-o", "prices.csv"]);
    let predicted = String::from_utf8(place.read("prices.csv")).unwrap();
    let mut lines = predicted.lines();
    assert_eq!(lines.next(), Some("input,value,error,far"));
    let truth = String::from_utf8(place.read("new.csv")).unwrap();
    let rows = truth.lines().skip(1).zip(lines);
    let far = |(row, line): (&str, &str)| {
        let price: f64 = row.split(',').next().unwrap().parse().unwrap();
        let value: f64 = line.split(',').nth(1).unwrap().parse().unwrap();
        (price - value).powi(2)
    };
    let squares: Vec<f64> = rows.map(far).collect();
    assert_eq!(squares.len(), 50);
    let rmse = (squares.iter().sum::<f64>() / 50.0).sqrt();
    let said = scored["rmse"].as_f64().unwrap();
    assert!((rmse - said).abs() < 1e-3 * said, "{rmse} {said}");

    let checked = place.ok(&["check", "houses.csv", "--target", "price"]);
    assert!(!checked.stdout.contains("NaN"), "{}", checked.stdout);
    place.ok(&["report", "run", "-o", "report.html"]);
}

#[test]
fn what_the_target_is_is_taken_from_its_values_and_said() {
    let place = Place::new();
    houses(&place, "all.csv", "\t", 200, 0);
    select(&place, "all.csv", "kinds.csv", &[0, 1, 4]);
    select(&place, "all.csv", "labels.csv", &[0, 1, 5, 6]);
    select(&place, "all.csv", "big.csv", &[0, 1, 5]);
    let train = |file: &str, run: &str, more: &[&str]| {
        let ran = place.ok(&[&["train", file, "-o", run, "--json"], more, &QUICK].concat());
        (serde_json::from_str::<Value>(&ran.stdout).unwrap(), ran.stderr)
    };
    let (trained, said) = train("kinds.csv", "kinds", &["--target", "kind"]);
    assert!(trained["val_accuracy"].as_f64().unwrap() > 0.9, "{trained}");
    assert!(said.contains("`kind`"), "{said}");
    let predicted = place.json(&["predict", "kinds", "kinds.csv"]);
    let first = &predicted["predictions"][0];
    assert!(["flat", "house"].contains(&first["class"].as_str().unwrap()), "{first}");

    let (trained, _) = train("labels.csv", "labels", &["--target", "big", "--target", "old"]);
    assert!(trained["val_accuracy"].as_f64().unwrap() > 0.9, "{trained}");
    let scored = place.json(&["eval", "labels", "labels.csv"]);
    assert_eq!(scored["per_label"][1]["label"], "old");
    for figure in ["f1", "average_precision"] {
        assert!(scored["per_label"][0][figure].as_f64().unwrap() > 0.9, "{scored}");
    }
    let predicted = place.json(&["predict", "labels", "labels.csv"]);
    assert_eq!(keys(&predicted["predictions"][0]["probabilities"]), ["big", "old"]);

    // Numbers of two values are classes, unless numbers are asked for.
    let (trained, _) = train("big.csv", "classes", &["--target", "big"]);
    assert!(trained["val_accuracy"].is_number() && trained["val_r2"].is_null(), "{trained}");
    let (trained, _) = train("big.csv", "numbers", &["--target", "big", "--task", "number"]);
    assert!(trained["val_accuracy"].is_null() && trained["val_r2"].is_number(), "{trained}");
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let place = Place::new();
    houses(&place, "all.csv", ",", 60, 0);
    select(&place, "all.csv", "houses.csv", &[0, 1, 3]);
    select(&place, "all.csv", "other.csv", &[0, 3, 3]);
    let all = |args: &'static str| args.split(' ').collect::<Vec<_>>();
    let target = "--target COLUMN";
    place.fails(&all("train houses.csv"), 1, "has no target: name the column to predict", target);
    place.fails(&all("train houses.csv --target prise"), 1, "the nearest is `price`", "");
    let both = "train houses.csv --target price --weight price";
    place.fails(&all(both), 1, "cannot be the target and the weight", "");
    let loss = "train houses.csv --target price --set train.loss=cross_entropy";
    place.fails(
        &all(loss),
        2,
        "`train.loss` is `cross_entropy`, but the target is of the kind",
        "",
    );
    let monitor = "train houses.csv --target price --set train.monitor=val_accuracy";
    place.fails(&all(monitor), 2, "numbers have no accuracy", "");
    place.ok(&all("train houses.csv --target price -o run --epochs 2"));
    assert!(place.path("run/model.safetensors").exists());
    let twice = "`other.csv` has two columns named `price`";
    place.fails(&all("eval run other.csv"), 1, twice, "");
    select(&place, "all.csv", "short.csv", &[0, 3]);
    place.fails(&all("eval run short.csv"), 1, "has no column `age`, which the model needs", "");
    place.fails(&all("predict run short.csv"), 1, "`age`", "");
    // A run without a name of its own has that of the table.
    place.ok(&all("train houses.csv --target price --epochs 1"));
    assert!(place.path("runs/houses-001").exists());
}

#[test]
fn built_in_sets_of_numbers_and_labels_are_learnt_and_checked() {
    let place = Place::new();
    let curve = place.json(&["train", "demo:curve", "--epochs", "20", "-o", "curve"]);
    assert!(curve["val_r2"].as_f64().unwrap() > 0.97, "{curve}");
    let marks = place.json(&["train", "demo:marks", "--epochs", "10", "-o", "marks"]);
    assert!(marks["val_accuracy"].as_f64().unwrap() >= 0.95, "{marks}");
    let scored = place.json(&["eval", "marks", "demo:marks"]);
    assert!(scored["accuracy"].as_f64().unwrap() >= 0.95, "{scored}");
    for (set, run) in [("demo:curve", "curve"), ("demo:marks", "marks")] {
        let checked = place.json(&["check", set]);
        assert!(checked["verdicts"].is_array(), "{checked}");
        place.ok(&["diagnose", run]);
        let text = place.ok(&["eval", run, set]).stdout;
        assert!(!text.contains("NaN") && !text.contains("null"), "{text}");
    }
}

#[test]
fn each_loss_is_that_of_pytorch() {
    let golden: Value = serde_json::from_str(include_str!("../golden/losses.json")).unwrap();
    let weight = floats(&golden["weight"]);
    let rate = golden["rate"].to_string();
    for (loss, case) in golden["cases"].as_object().unwrap() {
        let place = Place::new();
        let targets: Vec<Vec<f64>> =
            case["targets"].as_array().unwrap().iter().map(floats).collect();
        let names: Vec<String> = (0..targets[0].len()).map(|i| format!("y{i}")).collect();
        let mut text = format!("a,b,c,{},w\n", names.join(","));
        for ((x, y), w) in golden["x"].as_array().unwrap().iter().zip(&targets).zip(&weight) {
            let cells = [floats(x), y.clone(), vec![*w]].concat();
            writeln!(text, "{}", cells.iter().map(f64::to_string).collect::<Vec<_>>().join(","))
                .unwrap();
        }
        place.write("data.csv", text);
        let settings = format!(
            "train.loss={loss} train.optimizer=sgd train.momentum=0 train.schedule=constant \
             train.warmup_epochs=0 train.batch_size=24 train.epochs=5 train.learning_rate={rate} \
             train.early_stopping=false model.hidden=[] data.normalize=false \
             regularization.weight_decay=0 train.kernel=portable{}",
            if loss == "huber" { " train.huber_delta=0.5" } else { "" }
        );
        let mut args = vec!["train", "data.csv", "--val", "data.csv", "-o", "run", "--weight", "w"];
        names.iter().for_each(|name| args.extend(["--target", name]));
        settings.split(' ').for_each(|setting| args.extend(["--set", setting]));
        place.ok(&args);
        let losses = metrics(&place, "run")
            .iter()
            .map(|m| m["val_loss"].as_f64().unwrap())
            .collect::<Vec<_>>();
        let expected = floats(&case["losses"]);
        assert_eq!(losses.len(), expected.len(), "{loss}");
        for (got, expected) in losses.iter().zip(&expected) {
            assert!((got - expected).abs() <= 1e-6 * expected, "{loss}: {got} is not {expected}");
        }
    }
}

#[test]
fn threads_change_no_bit_of_a_model_of_numbers_or_labels() {
    let place = Place::new();
    for set in ["demo:curve", "demo:marks"] {
        let model = |threads: &str| {
            let run = format!("{}-{threads}", &set[5..]);
            place.ok(&["train", set, "--epochs", "3", "--threads", threads, "-o", &run]);
            place.read(&format!("{run}/model.safetensors"))
        };
        assert!(model("1") == model("3"), "{set}");
    }
}
