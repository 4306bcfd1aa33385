//! The page of a training, through the requests of a browser.

use std::{thread::sleep, time::Duration};

use serde_json::{Value, json};

use crate::{
    served::Served,
    util::{Place, report_data},
};

#[test]
fn acts_on_the_page_steer_the_training_and_are_replayed() {
    let place = Place::with_pets();
    let page = Served::long(&place);
    let at = page.pause();
    sleep(Duration::from_millis(100));
    assert_eq!(page.get("/api/story")["now"]["step"], at, "it rests");
    assert_eq!(page.act(&json!({ "act": "one_step" })), 200);
    page.wait(|now| now["step"] == at + 1 && now["mode"] == "resting");
    assert_eq!(page.act(&json!({ "act": "one_epoch" })), 200);
    let now = page.wait(|now| now["step"].as_u64() > Some(at + 1) && now["mode"] == "resting");
    let (step, epoch) = (now["step"].as_u64().unwrap(), now["steps_per_epoch"].as_u64().unwrap());
    assert!(step % epoch == 0 && step - at <= epoch, "{now}");
    assert_eq!(page.act(&json!({ "act": "learning_rate", "rate": 0.002 })), 200);
    assert_eq!(page.act(&json!({ "act": "one_epoch" })), 200);
    page.wait(|now| now["step"] == step + epoch && now["mode"] == "resting");
    let printed = page.stop();
    assert_eq!(printed["stopped"], "person");

    let log = String::from_utf8(place.read("run/events.jsonl")).unwrap();
    let acts: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["event"] == "person")
        .collect();
    let names: Vec<&str> = acts.iter().map(|line| line["act"].as_str().unwrap()).collect();
    assert_eq!(names, ["pause", "one_step", "one_epoch", "learning_rate", "one_epoch", "stop"]);
    let rate = acts.iter().find(|line| line["act"] == "learning_rate").unwrap();
    assert_eq!((&rate["step"], &rate["rate"]), (&json!(step), &json!(0.002)));
    let metrics = String::from_utf8(place.read("run/metrics.jsonl")).unwrap();
    let last: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    let used = last["learning_rate"].as_f64().unwrap();
    assert!((used / 0.002 - 1.0).abs() < 0.01, "the rate was {used}");

    // The replay, without anybody at the page, gives the same model.
    place.ok(&["train", "--replay", "run", "-o", "again"]);
    assert!(place.read("run/model.safetensors") == place.read("again/model.safetensors"));
    assert_eq!(place.json(&["resume", "again"])["stopped"], "person");
}

#[test]
fn the_page_shows_the_measured_figures() {
    let place = Place::with_pets();
    let page = Served::long(&place);
    page.wait(|now| now["epoch"].as_f64() > Some(3.0));
    page.pause();
    let story = page.get("/api/story");
    let lines = |name: &str| -> Vec<Value> {
        let log = String::from_utf8(place.read(&format!("run/{name}"))).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(story["epochs"], json!(lines("metrics.jsonl")));
    assert_eq!(story["steps"], json!(lines("steps.jsonl")));
    // A client that has some lines gets only those after them.
    let later = page.get("/api/story?epochs=2&steps=1");
    assert_eq!(later["epochs"][0], story["epochs"][2]);
    assert_eq!(later["steps"][0], story["steps"][1]);
    let run = page.get("/api/run");
    assert_eq!(
        (&run["name"], &run["can_act"], &run["live"]),
        (&json!("run"), &json!(false), &json!(true))
    );
    assert_eq!(run["data"]["train"], json!([24, 24]));
    let live: Value = serde_json::from_slice(&place.read("run/live.json")).unwrap();
    assert_eq!(live["address"], format!("http://{}/", page.address));
    assert!(!live.to_string().contains(&page.token));
    let other = place.ok(&["dashboard", "run"]).stdout;
    assert!(other.contains(&page.address) && !other.contains(&page.token), "{other}");
    page.stop();
    assert!(!place.path("run/live.json").exists());
}

#[test]
fn a_run_whose_process_was_killed_is_followed() {
    let place = Place::with_pets();
    let mut killed = Served::long(&place);
    killed.wait(|now| now["epoch"].as_f64() > Some(8.0));
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    assert!(place.path("run/live.json").exists(), "a killed process cannot remove it");
    let log = String::from_utf8(place.read("run/metrics.jsonl")).unwrap();
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let page = Served::start(&place, &["dashboard", "run", "--listen", "127.0.0.1:0"]);
    assert_eq!(page.get("/api/run")["live"], false);
    // A resumed run cuts its logs back and writes on. The last of these logs is longer than before.
    let [cut, written, rewritten] =
        [lines[..2].concat(), lines[..4].concat(), [&lines[..1], &lines[2..7]].concat().concat()];
    for log in [cut, written, rewritten] {
        place.write("run/metrics.jsonl", &log);
        let lines: Vec<Value> =
            log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        page.wait(|now| now["lines"][0] == lines.len());
        assert_eq!(page.get("/api/story")["epochs"], json!(lines));
    }
}

#[test]
fn next_and_previous_step_through_the_validation_samples() {
    let place = Place::with_pets();
    place.train(&["-o", "run"]);
    // row,part,class,name,hash
    let split = String::from_utf8(place.read("run/split.csv")).unwrap();
    let rows: Vec<Vec<&str>> = split.lines().map(|line| line.split(',').collect()).collect();
    let val: Vec<&str> = rows.iter().filter(|row| row[1] == "val").map(|row| row[3]).collect();
    assert_eq!(val.len(), 12);
    let page = Served::start(&place, &["dashboard", "run", "--listen", "127.0.0.1:0"]);
    let (mut onwards, mut back) = (Vec::new(), Vec::new());
    for (direction, names) in [(1, &mut onwards), (0, &mut back)] {
        let mut look = page.get("/api/look/pass");
        // Once around, to the first again.
        for _ in 0..=val.len() {
            names.push(look["name"].as_str().unwrap().to_owned());
            look = page.get(&format!("/api/look/pass?row={}", look["beside"][direction]));
        }
    }
    assert_eq!(onwards, [&val[..], &val[..1]].concat());
    back.reverse();
    assert_eq!(back, onwards);
    // From a training sample, such as one with a doubtful label, they lead to validation samples.
    let train = rows.iter().find(|row| row[1] == "train").unwrap()[0];
    let look = page.get(&format!("/api/look/pass?row={train}"));
    for row in look["beside"].as_array().unwrap() {
        let next = page.get(&format!("/api/look/pass?row={row}"));
        assert!(val.contains(&next["name"].as_str().unwrap()), "{next}");
    }
}

#[test]
fn an_uploaded_picture_gets_the_confidences_of_predict() {
    let place = Place::with_pets();
    let page = Served::long(&place);
    page.wait(|now| now["epoch"].as_f64() > Some(2.0));
    page.stop();
    let page = Served::start(&place, &["dashboard", "run", "--listen", "127.0.0.1:0"]);
    let bytes = place.read("pets/cat/000.png");
    let reply = page.ask("POST /api/picture", &[], &bytes);
    assert_eq!(reply.code, 200);
    let shown: Value = serde_json::from_slice(&reply.body).unwrap();
    let predicted = place.json(&["predict", "run", "pets/cat/000.png"]);
    let of = |class: &str| predicted["predictions"][0]["probabilities"][class].as_f64().unwrap();
    for (class, p) in ["cat", "dog"].into_iter().zip(shown["confidences"].as_array().unwrap()) {
        assert!((p.as_f64().unwrap() - of(class)).abs() < 1e-5, "{shown} {predicted}");
    }
    let pass = page.get(&format!("/api/look/pass?picture={}", shown["picture"]));
    assert_eq!(pass["confidences"], shown["confidences"]);
    // The loss and its gradient use probabilities without the temperature.
    assert_ne!(pass["probabilities"], pass["confidences"]);
    let evaluated = place.json(&["eval", "run", "pets", "--split", "val"]);
    let answers = page.get("/api/look/answers");
    assert_eq!(answers["confusion"], evaluated["confusion"]);
    assert_eq!(answers["accuracy"], evaluated["accuracy"]);
    let features = page.get("/api/look/features?layer=hidden1&moment=live");
    assert_eq!(features["units"].as_array().unwrap().len(), 16);
    let neuron = page.get("/api/look/neuron?layer=output&unit=1");
    assert_eq!(neuron["from"], "hidden1");
    assert_eq!(page.act(&json!({ "act": "pause" })), 403, "a run that has ended cannot be steered");
}

#[test]
fn an_uploaded_picture_comes_with_trust_in_its_prediction() {
    let place = Place::new();
    place.pets("pets", 60);
    place.picture("pet.png", 190, 1000);
    let board = |x, y| image::Luma([if (x / 3 + y / 3) % 2 == 0 { 0u8 } else { 255 }]);
    image::GrayImage::from_fn(24, 24, board).save(place.path("board.png")).unwrap();
    let page = Served::long(&place);
    page.wait(|now| now["epoch"].as_f64() > Some(5.0));
    page.pause();
    let upload = |page: &Served| {
        ["pet.png", "board.png"].map(|name| {
            let token = [("X-Klubok-Token", &*page.token)];
            let reply = page.ask("POST /api/picture", &token, &place.read(name));
            let own: Value = serde_json::from_slice(&reply.body).unwrap();
            let pass = page.get(&format!("/api/look/pass?picture={}", own["picture"]));
            assert_eq!((&pass["trust"], &pass["far"]), (&own["trust"], &own["far"]), "{name}");
            own
        })
    };
    let [pet, board] = upload(&page);
    let story = page.get("/api/story");
    let last = story["epochs"].as_array().unwrap().last().unwrap();
    let trust_in = |own: &Value, lang: &str| own["trust"][lang].as_str().unwrap().to_owned();
    let right =
        format!("How good it is: {:.0} % (", 100.0 * last["val_accuracy"].as_f64().unwrap());
    let epoch = last["epoch"].as_f64().unwrap();
    let measured = format!("Measured at epoch {epoch} of the training. These samples");
    let trust = trust_in(&pet, "en");
    let samples = "on 24 validation samples";
    assert!(trust.starts_with(&right) && trust.contains(samples), "{trust} {last}");
    assert!(trust.contains("guessing 50 %") && trust.contains(&measured), "{trust} {last}");
    assert!(trust_in(&pet, "ru").contains(&format!("на эпохе {epoch}.")), "{pet}");
    assert_eq!((&pet["far"], &board["far"]), (&json!(false), &json!(true)));
    // Samples of the data come without it: their labels are known.
    assert_eq!(page.get("/api/look/pass")["trust"], Value::Null);
    page.stop();

    let page = Served::start(&place, &["dashboard", "run", "--listen", "127.0.0.1:0"]);
    let predicted = place.json(&["predict", "run", "pet.png", "board.png"]);
    let printed = place.ok(&["predict", "run", "pet.png", "board.png"]).stdout;
    for (own, predicted) in upload(&page).iter().zip(predicted["predictions"].as_array().unwrap()) {
        assert_eq!(Some(trust_in(own, "en").as_str()), printed.lines().last());
        assert_eq!(own["far"], predicted["far"]);
    }
}

/// What a report of pictures holds for its panels, beside single samples and units.
const REPORT: [&str; 20] = [
    "/api/look/answers",
    "/api/look/answers?moment=0",
    "/api/look/cloud?moment=0",
    "/api/look/cloud?moment=live",
    "/api/look/excites?layer=output",
    "/api/look/excites?layer=output&moment=0",
    "/api/look/features?layer=hidden1&moment=live",
    "/api/look/film?moment=0",
    "/api/look/layers",
    "/api/look/layers?moment=0",
    "/api/look/lesions",
    "/api/look/lesions?moment=0",
    "/api/look/pass",
    "/api/look/pass?moment=0",
    "/api/look/scene",
    "/api/look/suspects",
    "/api/look/suspects?moment=0",
    "/api/look/terrain",
    "/api/runs",
    "/api/texts",
];

#[test]
fn a_report_is_one_file() {
    let place = Place::with_pets();
    place.train(&["-o", "run"]);
    let ran = place.ok(&["report", "run"]);
    assert_eq!(ran.stdout, "run/report.html\n");
    assert!(ran.stderr.ends_with("Open it in a browser:\n"), "{}", ran.stderr);
    let report = String::from_utf8(place.read("run/report.html")).unwrap();
    assert!(report.len() < 6_000_000);
    let data = report_data(&report);
    assert_eq!(data["story"]["epochs"].as_array().unwrap().len(), 5);
    assert!(data["looks"]["/api/look/answers"]["confusion"].is_array());
    // Every panel that a run of pictures has, now and at the start.
    let keys: Vec<&str> = data["looks"].as_object().unwrap().keys().map(String::as_str).collect();
    let of_later =
        |key: &str| key.contains("moment=") && !key.ends_with("=0") && !key.ends_with("=live");
    let is_other = |key: &&str| {
        !["row=", "neuron", "cell"].iter().any(|of| key.contains(of)) && !of_later(key)
    };
    let found: Vec<&str> = keys.iter().copied().filter(is_other).collect();
    assert_eq!(found, REPORT);
    assert!(keys.iter().any(|key| key.starts_with("/api/look/cell?truth=")), "no cell");
    // The whole film, and what it says of the samples.
    let film = data["story"]["film"].as_array().unwrap();
    assert!(film.len() > 3, "{film:?}");
    for step in film {
        for look in ["film", "answers", "cloud"] {
            assert!(keys.contains(&&*format!("/api/look/{look}?moment={step}")), "{look} {step}");
        }
    }
    let neurons = keys.iter().filter(|key| key.starts_with("/api/look/neuron?layer=hidden1&unit="));
    assert_eq!(neurons.count(), 2, "{keys:?}");
    // A report may be overwritten, other files may not.
    place.ok(&["report", "run"]);
    place.write("notes.html", "mine");
    place.fails(&["report", "run", "-o", "notes.html"], 1, "is not a report", "`-o`");
    assert_eq!(place.read("notes.html"), b"mine");
}

/// Starts a long training of two spirals in `run`.
fn spirals(place: &Place) -> Served {
    let settings = ["-o", "run", "--hidden", "8", "--batch-size", "16", "--epochs", "100000"];
    let more =
        ["--set", "train.early_stopping=false", "--dashboard", "--listen", "127.0.0.1:0", "--json"];
    Served::start(place, &[&["train", "demo:spirals"], &settings[..], &more].concat())
}

fn bytes(base64: &Value) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(base64.as_str().unwrap()).unwrap()
}

#[test]
fn views_of_the_spirals_go_back_to_the_start() {
    let place = Place::new();
    let page = spirals(&place);
    let before = page.get("/api/look/film?moment=0");
    page.wait(|now| now["epoch"].as_f64() > Some(20.0));
    page.pause();
    let now = page.get("/api/look/film?moment=live");
    assert_eq!(before["step"], 0);
    assert_eq!(now["step"], page.get("/api/story")["now"]["step"], "a snapshot of this very step");
    assert_ne!(now["grid"], before["grid"]);
    assert_eq!(page.get("/api/look/film?moment=0")["grid"], before["grid"]);
    // So do the other views.
    let start = page.get("/api/look/pass?row=3&moment=0");
    assert_eq!(start["step"], 0);
    assert_eq!(start["confidences"], start["start_confidences"]);
    assert_ne!(page.get("/api/look/pass?row=3")["probabilities"], start["probabilities"]);
    for path in ["answers?", "neuron?layer=hidden1&unit=2&", "slope?layer=hidden1&row=3&"] {
        let [start, now] =
            ["0", "live"].map(|moment| page.get(&format!("/api/look/{path}moment={moment}")));
        assert_eq!(
            (&start["step"], &now["step"]),
            (&json!(0), &page.get("/api/story")["now"]["step"])
        );
        assert!(["loss", "w"].iter().any(|key| start[key] != now[key]), "{path}: {start}");
    }
    let story = page.get("/api/story");
    let wholes = story["wholes"].as_array().unwrap();
    let middle = wholes[wholes.len() - 2].as_u64().unwrap();
    assert!(middle > 0);
    let at = |step: u64| page.get(&format!("/api/look/pass?row=3&moment={step}"));
    assert_eq!(at(middle)["step"], middle);
    assert_eq!(at(middle + 1)["probabilities"], at(middle)["probabilities"]);
    // At a data point the map has the network's prediction.
    let grid = page.get("/api/look/scene")["grid"].clone();
    let side = grid["side"].as_u64().unwrap() as usize;
    // Two classes in each square.
    let shares = bytes(&now["grid"]);
    assert_eq!(shares.len(), 2 * side * side);
    let corner = |name: &str, axis: usize| grid[name][axis].as_f64().unwrap();
    let mut agree = 0;
    for row in 0..40 {
        let pass = page.get(&format!("/api/look/pass?row={row}"));
        let share = |axis: usize| {
            let (low, high) = (corner("low", axis), corner("high", axis));
            ((pass["values"][axis].as_f64().unwrap() - low) / (high - low)).clamp(0.0, 0.999)
        };
        let square = |share: f64| (share * side as f64) as usize;
        let at = (side - 1 - square(share(1))) * side + square(share(0));
        let p = pass["confidences"][0].as_f64().unwrap();
        agree += usize::from((p - f64::from(shares[2 * at]) / 255.0).abs() < 0.15);
    }
    // A square is not a point: a few lie where the prediction changes fast.
    assert!(agree >= 34, "{agree} of 40");
    // The samples before the last layer.
    let cloud = page.get("/api/look/cloud?moment=live");
    assert!(cloud["points"].as_array().unwrap().len() > 100);
    assert_eq!(cloud["moments"][0], 0);
    // The loss terrain and the path through it.
    let terrain = page.get("/api/look/terrain");
    let side = terrain["side"].as_u64().unwrap() as usize;
    let losses: Vec<f64> = serde_json::from_value(terrain["losses"].clone()).unwrap();
    assert_eq!(losses.len(), side * side);
    let spots = terrain["spots"].as_array().unwrap();
    let (first, last) = (&spots[0], spots.last().unwrap());
    assert_eq!(
        (&first["step"], &first["off"], &last["step"]),
        (&json!(0), &json!(0.0), &terrain["step"])
    );
    assert!(last["off"].as_f64() < Some(1e-6) && last["at"][0].as_f64() > Some(0.0), "{last}");
    assert!(first["loss"].as_f64() > last["loss"].as_f64(), "{first} {last}");
    let highest = losses.iter().fold(0.0f64, |most, &loss| most.max(loss));
    assert!(first["loss"].as_f64() < Some(2.0 * highest), "the plane contains the start");
    assert_eq!(page.act(&json!({ "act": "go_on" })), 200);
    page.wait(|now| now["mode"] == "training");
    let motion = page.get("/api/look/motion");
    let all = motion["layers"].as_array().unwrap().last().unwrap();
    let cosine = all["cosine"].as_f64().unwrap();
    assert!((-1.0..=1.0).contains(&cosine) && all["relative"].as_f64() > Some(0.0), "{all}");
    page.stop();
}

#[test]
fn inspections_of_units_and_backpropagation_are_consistent() {
    let place = Place::with_pets();
    let page = Served::long(&place);
    page.get("/api/look/suspects");
    page.wait(|now| now["epoch"].as_f64() > Some(30.0));
    page.pause();
    let suspects = page.get("/api/look/suspects");
    assert!(suspects["moments"].as_u64() > Some(0) && suspects["samples"] == 48, "{suspects}");
    for layer in ["hidden1", "output"] {
        let found = page.get(&format!("/api/look/excites?layer={layer}"));
        for unit in found["units"].as_array().unwrap() {
            let [width, height, channels] =
                ["width", "height", "channels"].map(|name| found[name].as_u64().unwrap());
            assert_eq!(bytes(&unit["pixels"]).len() as u64, width * height * channels);
            let values: Vec<f64> = serde_json::from_value(unit["values"].clone()).unwrap();
            assert!(values.is_sorted_by(|a, b| a >= b) && values.len() == 8, "{values:?}");
        }
        for weight in ["", "&unit=1&input=3"] {
            let slope = page.get(&format!("/api/look/slope?layer={layer}{weight}&row=5"));
            if weight.is_empty() {
                let layers = &page.get("/api/look/pass?row=5")["backward"]["layers"];
                let own =
                    layers.as_array().unwrap().iter().find(|own| own["name"] == layer).unwrap();
                // With two classes, both errors have the same size.
                let size = |slope: &Value| slope.as_f64().map(f64::abs);
                assert_eq!(size(&own["steepest"][0]["slope"]), size(&slope["told"]));
            }
            let of = |name: &str| slope[name].as_f64().unwrap();
            let apart = (of("measured") - of("told")).abs();
            assert!(apart < 1e-5 * (1.0 + of("told").abs()), "{slope}");
        }
    }
    let layers = page.get("/api/look/layers");
    let names: Vec<&str> = layers["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| of["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["input", "hidden1"]);
    assert!(layers["layers"][1]["probe"].as_f64() > Some(0.9), "{layers}");
    let lesions = page.get("/api/look/lesions");
    let whole = lesions["shares"][0]["mean"].as_f64();
    assert_eq!(whole, layers["network"].as_f64());
    // These classes are so far apart that two units of 16 may separate them: the lost accuracy is
    // not checked.
    let off = |share: usize| lesions["shares"][share]["off"].as_f64();
    assert_eq!((off(0), off(6)), (Some(0.0), Some(0.9)));
    for path in ["slope?layer=nowhere", "slope?layer=output&unit=9&input=0", "excites?layer=x"] {
        let path = format!("GET /api/look/{path}");
        assert_eq!(page.ask(&path, &[], &[]).code, 422, "{path}");
    }
    page.stop();
}
