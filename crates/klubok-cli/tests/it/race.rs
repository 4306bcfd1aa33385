//! Several trainings side by side on one page.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    served::Served,
    util::{Place, TINY},
};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Starts a race on `pets/` in folders that begin with `race-`.
fn start(place: &Place, more: &[&str]) -> Served {
    let race = ["-o", "race", "--dashboard", "--listen", "127.0.0.1:0"];
    Served::start(place, &[&["train", "pets"], &TINY[..], &race, more].concat())
}

/// Starts a race that outlasts any test.
fn start_long(place: &Place) -> Served {
    let long = ["--epochs", "100000", "--set", "train.early_stopping=false", "--json"];
    start(place, &[&long[..], &["--vary", "train.seed=1,2"]].concat())
}

/// Looks at the page, and chooses full speed.
fn hurry(page: &Served) -> TcpStream {
    let stream = TcpStream::connect(&page.address).unwrap();
    write!(&stream, "GET /api/live HTTP/1.1\r\nHost: {}\r\n\r\n", page.address).unwrap();
    let mut begun = [0; 12];
    (&stream).read_exact(&mut begun).unwrap();
    assert_eq!(pace(page, &page.token), 200);
    stream
}

fn pace(page: &Served, token: &str) -> u16 {
    page.ask("POST /api/pace", &[JSON, ("X-Klubok-Token", token)], br#"{"seconds":null}"#).code
}

/// Waits for the end; returns the exit code and the standard output.
fn outcome(mut page: Served) -> (Option<i32>, String) {
    let mut printed = String::new();
    page.child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    (page.child.wait().unwrap().code(), printed)
}

fn now(page: &Served, lane: usize) -> Value {
    page.get(&format!("/lane/{lane}/api/story"))["now"].clone()
}

/// Waits until both lanes are in this mode.
fn wait_for(page: &Served, mode: &str) {
    let begun = Instant::now();
    while (0..2).any(|lane| now(page, lane)["mode"] != mode) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} {}", now(page, 0), now(page, 1));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_race_gives_the_models_that_its_runs_give_one_after_the_other() {
    let place = Place::with_pets();
    let sgd = ["--optimizer", "sgd", "--set", "train.warmup_epochs=0"];
    let vary = [&["--vary", "train.learning_rate=0.001,0.01,1e30"], &sgd[..]].concat();
    let alone = place.json(&[&["train", "pets", "-o", "alone"], &TINY[..], &vary].concat());
    let page = start(&place, &[&vary[..], &["--json"]].concat());
    let (code, printed) = outcome(page);
    assert_eq!(code, Some(0), "{printed}");
    let race: Value = serde_json::from_str(&printed).unwrap();
    // One lane diverges, and the others go on.
    let stopped = |runs: &Value| {
        runs["runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| run["stopped"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(stopped(&race), ["epochs", "epochs", "diverged"]);
    assert_eq!(stopped(&race), stopped(&alone));
    for (i, value) in ["0.001", "0.01", "1e30"].into_iter().enumerate() {
        let model = |of: &str| place.read(&format!("{of}-{value}/model.safetensors"));
        assert!(model("race") == model("alone"), "other bits at {value}");
        assert_eq!(race["runs"][i]["val_loss"], alone["runs"][i]["val_loss"]);
        assert_eq!(race["runs"][i]["run"], format!("race-{value}"));
    }
}

#[test]
fn the_page_shows_at_most_six_runs() {
    let place = Place::with_pets();
    let seeds = ["train", "pets", "--vary", "train.seed=1,2,3,4,5,6,7", "--dashboard"];
    place.fails(
        &seeds,
        2,
        "at most 6 runs side by side, and these are 7",
        "leave `--dashboard` out",
    );
    assert!(!place.path("runs").exists());
}

#[test]
fn requests_to_a_race_without_permission_are_refused() {
    let place = Place::with_pets();
    let page = start_long(&place);
    let about = page.get("/api/race");
    assert_eq!(about["name"], "pets");
    assert_eq!(about["lanes"][1], json!([["train.seed", "2"]]));
    let code = |head: &str, headers: &[(&str, &str)], body: &str| {
        page.ask(head, headers, body.as_bytes()).code
    };
    let paths =
        ["/", "/api/race", "/lane/0/api/run", "/lane/1/api/story", "/lane/1/api/look/scene"];
    for path in paths {
        let get = format!("GET {path}");
        assert_eq!(code(&get, &[], ""), 200, "{path}");
        assert_eq!(code(&get, &[("Host", "evil.example")], ""), 403, "{path}");
        assert_eq!(code(&get, &[("Origin", "http://evil.example")], ""), 403, "{path}");
        assert_eq!(code(&get, &[("Sec-Fetch-Site", "cross-site")], ""), 403, "{path}");
        let site = ("Sec-Fetch-Site", "cross-site");
        let link = [site, ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
        // Another site may link to the page and do nothing else.
        assert_eq!(code(&get, &link, ""), if path == "/" { 200 } else { 403 }, "{path}");
    }
    let pause = r#"{"act":"pause"}"#;
    let wrong = "0".repeat(page.token.len());
    for token in [None, Some(("X-Klubok-Token", &*wrong))] {
        let headers = [&[JSON], token.as_slice()].concat();
        assert_eq!(code("POST /api/act", &headers, pause), 403);
        assert_eq!(code("POST /api/pace", &headers, r#"{"seconds":3600}"#), 403);
        assert_eq!(page.get("/api/race")["can_act"], false);
    }
    // A token in an address counts for the stream alone.
    assert_eq!(page.get(&format!("/api/race?token={}", page.token))["can_act"], false);
    assert!((0..2).all(|lane| now(&page, lane)["mode"] != "resting"));
    let owner = ("X-Klubok-Token", &*page.token);
    // A lane has its story and its film, and nothing else.
    for head in [
        "POST /lane/0/api/act",
        "POST /lane/0/api/pace",
        "POST /lane/0/api/picture",
        "POST /api/picture",
        "GET /lane/0/api/live",
        "GET /lane/0/api/look/answers",
        "GET /lane/2/api/run",
        "GET /lane/0/../../etc/passwd",
        "GET /lane/0/config.toml",
    ] {
        assert_eq!(code(head, &[JSON, owner], pause), 404, "{head}");
    }
    for path in ["/", "/api/race", "/lane/0/api/run", "/lane/0/nothing", "/lane/7/api/run"] {
        let head = page.ask(&format!("GET {path}"), &[], &[]).head;
        for header in [
            "content-security-policy: default-src 'none'",
            "cross-origin-resource-policy: same-origin",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
        ] {
            assert!(head.contains(header), "{path}: {header} is not in {head}");
        }
    }
    // All lanes keep their settings.
    assert_eq!(page.act(&json!({ "act": "learning_rate", "rate": 0.5 })), 422);
    assert_eq!(page.act(&json!({ "act": "stop" })), 200);
    assert_eq!(outcome(page).0, Some(0));
}

#[test]
fn an_act_is_for_all_lanes() {
    let place = Place::with_pets();
    let page = start_long(&place);
    let _looks = hurry(&page);
    assert_eq!(page.act(&json!({ "act": "pause" })), 200);
    wait_for(&page, "resting");
    // Other processes find the page by each of the runs.
    let ran = place.ok(&["dashboard", "race-2"]);
    assert!(ran.stdout.contains(&page.address), "{}", ran.stdout);
    assert_eq!(page.act(&json!({ "act": "go_on" })), 200);
    wait_for(&page, "training");
    assert_eq!(page.act(&json!({ "act": "stop" })), 200);
    let (code, printed) = outcome(page);
    assert_eq!(code, Some(0));
    let runs: Value = serde_json::from_str(&printed).unwrap();
    assert!((0..2).all(|lane| runs["runs"][lane]["stopped"] == "person"), "{runs}");
}

#[test]
fn a_lane_that_fails_leaves_the_others_alone() {
    let place = Place::with_pets();
    let page = start_long(&place);
    let _looks = hurry(&page);
    assert_eq!(page.act(&json!({ "act": "pause" })), 200);
    wait_for(&page, "resting");
    // A file in the place of its folder: nothing can be saved there.
    fs_err::remove_dir_all(place.path("race-2")).unwrap();
    place.write("race-2", "");
    assert_eq!(page.act(&json!({ "act": "stop" })), 200);
    let (code, printed) = outcome(page);
    assert_eq!(code, Some(1));
    let runs: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
    assert_eq!(runs["runs"][0]["stopped"], "person");
    assert!(place.path("race-1/model.safetensors").is_file());
}

#[test]
fn events_of_a_race_name_their_run() {
    let place = Place::with_pets();
    let page = start(&place, &["--vary", "train.seed=1,2", "--jsonl"]);
    let (code, printed) = outcome(page);
    assert_eq!(code, Some(0));
    let lines: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for run in ["race-1", "race-2"] {
        let of = |event: &str| {
            lines.iter().filter(|line| line["event"] == event && line["run"] == run).count()
        };
        assert_eq!((of("start"), of("epoch"), of("end")), (1, 5, 1), "{run}: {printed}");
    }
    assert!(lines.iter().all(|line| line["run"].is_string()), "{printed}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_all_lanes() {
    let place = Place::with_pets();
    let page = start_long(&place);
    let _looks = hurry(&page);
    wait_for(&page, "training");
    let id = page.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let (code, printed) = outcome(page);
    assert_eq!(code, Some(130));
    let runs: Value = serde_json::from_str(&printed).unwrap();
    assert!((0..2).all(|lane| runs["runs"][lane]["stopped"] == "interrupted"), "{runs}");
    assert!((1..=2).all(|seed| place.path(format!("race-{seed}/checkpoint")).is_dir()));
}
