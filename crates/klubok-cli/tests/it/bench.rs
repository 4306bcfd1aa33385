//! `klubok bench`.

use crate::util::{Place, keys};

#[test]
fn measures_a_training_step() {
    let place = Place::new();
    let args =
        ["bench", "--layers", "16-8-2", "--batch", "4", "--seconds", "0.2", "--threads", "1"];
    let measured = place.json(&args);
    assert_eq!(
        keys(&measured),
        [
            "samples_per_second",
            "ms_per_step",
            "gflops",
            "steps",
            "threads",
            "precision",
            "kernel",
            "loss"
        ]
    );
    let number = |key: &str| measured[key].as_f64().unwrap();
    assert!((number("samples_per_second") * number("ms_per_step") / 4000.0 - 1.0).abs() < 1e-9);
    // 6 x (16 x 8 + 8 + 8 x 2 + 2) less 2 x 16 x 8, for 4 samples.
    let flops = f64::from((6 * (136 + 18) - 2 * 128) * 4);
    assert!(
        (number("gflops") * number("ms_per_step") * 1e6 / flops - 1.0).abs() < 1e-9,
        "{measured}"
    );
    assert!(number("steps") > 10.0 && number("loss").is_finite());
    assert_eq!((&measured["threads"], &measured["precision"]), (&1.into(), &"f32".into()));
}

#[test]
fn the_loss_is_that_of_training() {
    // The network memorises 64 samples with random labels: from ln 2 to nearly 0.
    let args = ["bench", "--layers", "64-64-2", "--batch-size", "4", "--seconds", "1.5"];
    let loss = Place::new().json(&args)["loss"].as_f64().unwrap();
    assert!(loss < 0.3, "{loss}");
}

#[test]
fn measures_a_prediction() {
    let args = ["bench", "--infer", "--layers", "16-8-3", "--batch", "4", "--seconds", "0.1"];
    let measured = Place::new().json(&args);
    let number = |key: &str| measured[key].as_f64().unwrap();
    // 2 x (16 x 8 + 8 + 8 x 3 + 3) operations for each of 4 samples.
    let flops = f64::from(2 * (136 + 27) * 4);
    assert!(
        (number("gflops") * number("ms_per_step") * 1e6 / flops - 1.0).abs() < 1e-9,
        "{measured}"
    );
    // The cross-entropy of a uniform target is at least ln 3, and a network at its start is near
    // that.
    assert!((1.0..3.0).contains(&number("loss")) && number("loss") >= 3f64.ln(), "{measured}");
}

#[test]
fn measures_training_on_pictures() {
    let sizes = ["bench", "--pictures", "--layers", "64-64-2", "--batch-size", "4"];
    // Mirrored and shifted, they are harder to memorise than 64 rows of numbers, but the loss gets
    // below ln 2. It is that of one batch of four: of three measurements one may be unlucky.
    let loss = || {
        let measured = Place::new().json(&[&sizes[..], &["--seconds", "1"]].concat());
        measured["loss"].as_f64().unwrap()
    };
    let losses = [loss(), loss(), loss()];
    assert!(losses.iter().any(|&loss| loss < 0.65), "{losses:?}");
    let args = ["bench", "--pictures", "--layers", "60-8-2"];
    Place::new().fails(&args, 2, "60 inputs do not make a square picture", "49 and 64");
}

#[test]
fn uses_the_named_kernel() {
    let args = ["bench", "--layers", "16-8-2", "--seconds", "0.1", "--kernel"];
    let measured = |kernel| Place::new().json(&[&args[..], &[kernel]].concat());
    assert_eq!(measured("portable")["kernel"], "portable");
    assert_ne!(measured("auto")["kernel"], "auto");
    let args = ["bench", "--kernel", "amx"];
    Place::new().fails(&args, 2, "`train.precision` is f32: set that to bf16", "config");
}

#[test]
fn wrong_arguments_are_refused() {
    let place = Place::new();
    place.fails(&["bench", "--layers", "16"], 2, "such as 784-256-10", "");
    place.fails(&["bench", "--layers", "16-0-2"], 2, "`--layers 16-0-2`", "");
    place.fails(&["bench", "--batch-size", "0"], 2, "at least 1", "klubok bench --help");
    place.fails(
        &["bench", "--optimizer", "adagrad"],
        2,
        "`train.optimizer` is `adagrad`",
        "config",
    );
    place.fails(&["bench", "--precision", "f8"], 2, "`train.precision` is `f8`", "config");
    place.fails(
        &["bench", "--layers", "1000000-1000000-2", "--batch-size", "1"],
        1,
        "memory",
        "--hidden",
    );
}

#[test]
fn measures_the_cost_of_observing_in_pairs() {
    let network = ["--layers", "16-8-2", "--batch", "4", "--threads", "1", "--seconds", "0.02"];
    let args = [&["bench", "--observing", "3", "--epoch-steps", "32"], &network[..]].concat();
    let measured = Place::new().json(&args);
    let number = |key: &str| measured[key].as_f64().unwrap();
    assert_eq!(number("pairs"), 3.0);
    // Two windows a pair, each of at least 16 steps.
    assert!(number("steps") >= 96.0 && number("plain_ms") > 0.0, "{measured}");
    // Every second of the 32 steps, the last one, and three of a film.
    assert_eq!(number("observed_share"), 20.0 / 32.0);
    let costs = ["cost_lowest", "cost", "cost_highest"].map(number);
    assert!(costs.is_sorted() && costs[0] > -1.0, "{measured}");
    assert!(!Place::new().ok(&["bench", "--help"]).stdout.contains("--observing"));
}
