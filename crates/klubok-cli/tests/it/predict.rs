//! `klubok predict`.

use serde_json::Value;

use crate::util::{Place, keys};

fn trained() -> Place {
    let place = Place::with_pets();
    place.train(&["-o", "runs/a", "--epochs", "20", "--lr", "0.01"]);
    place
}

#[test]
fn predicts_files_folders_and_patterns_in_order() {
    let place = trained();
    place.picture("new/deep/er/1.png", 190, 1);
    place.picture("new/0.png", 60, 1);
    place.write("new/readme.txt", "no picture");
    let args = ["predict", "latest", "pets/dog/000.png", "new", "pets/cat/00[12].png"];
    let answer = place.json(&args);
    let predictions = answer["predictions"].as_array().unwrap();
    let inputs: Vec<_> = predictions.iter().map(|p| p["input"].as_str().unwrap()).collect();
    let expected = [
        "pets/dog/000.png",
        "new/0.png",
        "new/deep/er/1.png",
        "pets/cat/001.png",
        "pets/cat/002.png",
    ];
    assert_eq!(inputs, expected);
    let tried = &answer["trust"]["validation"];
    assert_eq!((&tried["samples"], &tried["chose_epoch"]), (&12.into(), &true.into()));
    assert_eq!(answer["trust"]["training_samples"], 48);
    let classes: Vec<_> = predictions.iter().map(|p| p["class"].as_str().unwrap()).collect();
    assert_eq!(classes, ["dog", "cat", "dog", "cat", "cat"]);
    for p in predictions {
        assert_eq!(keys(p), ["input", "class", "confidence", "probabilities"]);
        assert_eq!(keys(&p["probabilities"]), ["cat", "dog"]);
        let sum: f64 =
            p["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{p}");
        assert_eq!(p["confidence"], p["probabilities"][p["class"].as_str().unwrap()]);
    }
}

#[test]
fn the_model_file_alone_is_enough() {
    let place = trained();
    let bytes = place.read("runs/a/model.safetensors");
    place.write("elsewhere/m.safetensors", bytes);
    fs_err::remove_dir_all(place.path("runs")).unwrap();
    let ran = place.ok(&["predict", "elsewhere/m.safetensors", "pets/dog/000.png"]);
    assert!(
        ran.stdout.contains("pets/dog/000.png") && ran.stdout.contains("dog"),
        "{}",
        ran.stdout
    );
    // The card is in the file.
    let trust = "on 12 validation samples (it was trained on 48 others)";
    assert!(ran.stdout.contains(trust), "{}", ran.stdout);
}

#[test]
fn predictions_at_chance_level_come_with_a_warning() {
    let place = Place::new();
    for i in 0..60 {
        // Both classes have the same noise.
        place.picture(&format!("pets/{}/{i}.png", ["cat", "dog"][i as usize % 2]), 90, i);
    }
    place.train(&["-o", "run", "--epochs", "3"]);
    let ran = place.ok(&["predict", "run", "pets/dog/1.png"]);
    assert!(ran.stdout.contains("Do not rely on this"), "{}", ran.stdout);
    let answer = place.json(&["predict", "run", "pets/dog/1.png"]);
    assert_eq!(answer["trust"]["better_than_chance"], false);
}

#[test]
fn pictures_unlike_all_training_pictures_are_marked() {
    let place = Place::new();
    place.pets("pets", 60);
    place.train(&["-o", "run", "--epochs", "5"]);
    let blank =
        image::GrayImage::from_fn(12, 10, |x, y| image::Luma([(x % 2 + y % 2) as u8 * 127]));
    blank.save(place.path("blank.png")).unwrap();
    place.picture("new.png", 190, 999);
    let answer = place.json(&["predict", "run", "blank.png", "new.png"]);
    assert_eq!(answer["predictions"][0]["far"], true, "{answer}");
    assert_eq!(answer["predictions"][1]["far"], false, "{answer}");
    let ran = place.ok(&["predict", "run", "blank.png", "new.png"]);
    assert!(ran.stdout.contains("unlike all\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 of 2 is unlike every training picture"), "{}", ran.stdout);
}

#[test]
fn unreadable_pictures_get_an_entry_and_do_not_stop_the_others() {
    let place = trained();
    let whole = place.read("pets/cat/000.png");
    place.write("cut.png", &whole[..whole.len() / 2]);
    let ran = place.fails(
        &["predict", "latest", "cut.png", "pets/cat/000.png", "none.png", "--json"],
        1,
        "2 of 3",
        "",
    );
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(keys(&answer["predictions"][0]), ["input", "error"]);
    assert_eq!(answer["predictions"][1]["class"], "cat");
    assert!(answer["predictions"][2]["error"].as_str().unwrap().contains("none.png"));
    // Without any prediction there is neither a table nor a sentence on trust.
    let text = place.run(&["predict", "latest", "cut.png", "none.png", "*.gif"]).stdout;
    let cut = "cut.png: cannot be read: the file is truncated";
    assert_eq!(text, format!("  {cut}\n  none.png: no such file\n  no file matches *.gif\n"));
}

#[test]
fn the_file_extension_chooses_the_format_of_a_table() {
    let place = trained();
    let csv = place.ok(&["predict", "latest", "pets", "-o", "out.csv"]);
    assert_eq!(csv.stdout, "");
    let text = String::from_utf8(place.read("out.csv")).unwrap();
    assert_eq!(text.lines().next(), Some("input,class,confidence,error,p_cat,p_dog,far"));
    assert_eq!(text.lines().count(), 61);
    place.ok(&["predict", "latest", "pets", "-o", "out.json"]);
    let json: Value = serde_json::from_slice(&place.read("out.json")).unwrap();
    assert_eq!(json["predictions"].as_array().unwrap().len(), 60);
    place.fails(&["predict", "latest", "pets", "-o", "out.csv"], 1, "out.csv", "another name");
    place.fails(&["predict", "latest", "pets", "-o", "out.xls"], 2, "out.xls", ".csv or .json");
}

#[cfg(target_os = "linux")]
#[test]
fn pipes_and_endless_files_get_an_entry_and_do_not_stop_the_others() {
    let place = trained();
    place.picture("all/1.png", 60, 1);
    let made = std::process::Command::new("mkfifo").arg(place.path("all/2.png")).status().unwrap();
    assert!(made.success());
    std::os::unix::fs::symlink("/dev/zero", place.path("all/3.png")).unwrap();
    fs_err::File::create(place.path("all/4.png")).unwrap().set_len(1 << 40).unwrap();
    let ran = place.fails(&["predict", "latest", "all", "/dev/zero", "--json"], 1, "4 of 5", "");
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(answer["predictions"][0]["class"], "cat");
    for i in [1, 2, 4] {
        let error = answer["predictions"][i]["error"].as_str().unwrap();
        assert!(error.contains("is a pipe or a device"), "{error}");
    }
    let error = answer["predictions"][3]["error"].as_str().unwrap();
    assert!(error.contains("larger than 256 MiB"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn memory_for_pictures_does_not_grow_with_their_number_or_the_threads() {
    let place = trained();
    // Each file of 35 bytes declares 10,000 x 10,000 pixels.
    let gif =
        b"GIF89a\x10\x27\x10\x27\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0;";
    (0..8).for_each(|i| place.write(&format!("all/{i}.gif"), gif));
    let mut predict = place.command(&["predict", "latest", "all", "--threads", "8", "-q"]);
    let mut child = predict.stdout(std::process::Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        let text = fs_err::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = peak.max(line.map_or(0, |kib| kib.trim().trim_end_matches(" kB").parse().unwrap()));
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(std::time::Duration::from_millis(2)),
        }
    };
    assert!(ended.success());
    assert!((100 << 10..1 << 20).contains(&peak), "{} MiB", peak >> 10);
}
