//! `klubok export`.

use std::process::Command;

use klubok::Model;
use klubok_export::{
    WeightFormat, int8,
    onnx::{InputForm, OnnxFile, OnnxOptions},
};

use crate::util::Place;

fn trained() -> Place {
    let place = Place::new();
    place.ok(&["train", "demo:spirals", "-o", "run", "--epochs", "20", "--hidden", "16,8"]);
    place
}

#[test]
fn a_c_file_predicts_what_klubok_predicts() {
    let place = trained();
    place.ok(&["export", "run", "--c", "two arms.c"]);
    let rows = ["0.5,-1.25", "-2,3", "0,0"];
    place.write("rows.csv", format!("x,y\n{}\n", rows.join("\n")));
    let answer = place.json(&["predict", "run", "rows.csv"]);
    let main = format!(
        "#include \"two arms.c\"\n#include <stdio.h>\nint main(void) {{\n  \
         const float rows[][TWO_ARMS_INPUTS] = {{{{{}}}}};\n  float out[TWO_ARMS_OUTPUTS];\n  \
         for (int i = 0; i < 3; i++) {{\n    two_arms_predict(rows[i], out);\n    \
         printf(\"%s %.9g\\n\", two_arms_names[0], (double)out[0]);\n  }}\n}}\n",
        rows.join("},{")
    );
    place.write("main.c", &main);
    let compiled = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "main.c"])
        .current_dir(place.path("."))
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let printed = Command::new(place.path("a.out")).output().unwrap().stdout;
    let printed = String::from_utf8(printed).unwrap();
    assert_eq!(printed.lines().count(), 3);
    for (line, prediction) in printed.lines().zip(answer["predictions"].as_array().unwrap()) {
        let (class, p) = line.split_once(' ').unwrap();
        let expected = prediction["probabilities"][class].as_f64().unwrap();
        assert!((p.parse::<f64>().unwrap() - expected).abs() < 1e-5, "{line}: {expected}");
    }
}

#[test]
fn an_exported_file_is_replaced_and_no_other_one() {
    let place = trained();
    place.ok(&["export", "run/model.safetensors", "--c", "model.c"]);
    place.ok(&["export", "run", "--c", "model.c"]);
    place.write("own.c", "int main(void) { return 0; }");
    let taken = "`own.c` exists and was not exported by klubok";
    place.fails(&["export", "run", "--c", "own.c"], 1, taken, "");
    place.fails(&["export", "nowhere", "--c", "model.c"], 1, "nowhere", "");
    place.fails(&["export", "run"], 2, "--c", "");
    place.fails(&["export", "run", "--c", "a.c", "--rust", "a.rs"], 2, "--rust", "");
}

#[test]
fn weights_in_8_bits_are_compared_with_those_in_32() {
    let place = trained();
    let said = place.ok(&["export", "run", "--rust", "arms.rs", "--weights", "int8"]).stderr;
    for expected in ["Weights of 32 bits (", "Weights of 8 bits (", "%"] {
        assert!(said.contains(expected), "{said}");
    }
    let file = fs_err::read_to_string(place.path("arms.rs")).unwrap();
    assert!(file.contains("static W1: [i8; 32]"), "{file}");
    // Without its run a model knows of no data, unless somebody names some.
    fs_err::copy(place.path("run/model.safetensors"), place.path("arms.safetensors")).unwrap();
    let export = ["export", "arms.safetensors", "--c", "arms.c", "--weights", "int8"];
    let said = place.ok(&export).stderr;
    assert!(said.contains("not measured") && !said.contains('%'), "{said}");
    let said = place.ok(&[&export[..], &["--data", "demo:spirals"]].concat()).stderr;
    assert!(said.contains("Weights of 8 bits ("), "{said}");
    place.fails(&[&export[..], &["--data", "nowhere"]].concat(), 1, "nowhere", "");
}

/// The library's ONNX file of a model.
fn onnx(model: &Model, options: OnnxOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    OnnxFile::new(model, options).unwrap().write(&mut bytes).unwrap();
    bytes
}

#[test]
fn an_onnx_file_is_that_of_the_library() {
    let place = trained();
    place.ok(&["export", "run", "--onnx", "arms.onnx"]);
    place.ok(&["export", "run", "--onnx", "named.onnx", "--label", "--weights", "int8"]);
    let model = Model::load(&place.path("run/model.safetensors")).unwrap();
    assert_eq!(place.read("arms.onnx"), onnx(&model, OnnxOptions::default()));
    let (weights, label) = (WeightFormat::Int8, true);
    let named = OnnxOptions { weights, label, ..OnnxOptions::default() };
    assert_eq!(place.read("named.onnx"), onnx(&int8(&model), named));
    // A file of klubok is replaced, another one is not.
    place.ok(&["export", "run", "--onnx", "named.onnx"]);
    assert_eq!(place.read("named.onnx"), place.read("arms.onnx"));
    place.write("own.onnx", b"\x08\x07\x12\x07pytorch");
    let taken = "`own.onnx` exists and was not exported by klubok";
    place.fails(&["export", "run", "--onnx", "own.onnx"], 1, taken, "");
    assert_eq!(place.read("own.onnx"), b"\x08\x07\x12\x07pytorch");
    let bytes = ["export", "run", "--onnx", "new.onnx", "--input", "bytes"];
    place.fails(&bytes, 1, "numbers, not bytes", "`--input`");
    assert!(!place.path("new.onnx").exists());
    place.fails(&["export", "run", "--c", "a.c", "--label"], 2, "--label", "");
}

#[test]
fn an_onnx_file_of_pictures_takes_bytes_or_numbers() {
    let place = Place::with_pets();
    place.train(&["-o", "run"]);
    let model = Model::load(&place.path("run/model.safetensors")).unwrap();
    for (flags, input) in [
        (&[][..], InputForm::Bytes),
        (&["--input", "bytes"][..], InputForm::Bytes),
        (&["--input", "numbers"][..], InputForm::Numbers),
    ] {
        place.ok(&[&["export", "run", "--onnx", "pets.onnx"][..], flags].concat());
        let options = OnnxOptions { input: Some(input), ..OnnxOptions::default() };
        assert_eq!(place.read("pets.onnx"), onnx(&model, options), "{flags:?}");
    }
}
