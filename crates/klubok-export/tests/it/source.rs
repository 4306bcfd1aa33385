//! The files in C and Rust: compiled without warnings, they predict what klubok predicts.

use std::{
    fmt::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use klubok_export::{Folded, WeightFormat, c, int8, rust, samples};
use klubok_model::{Input, Model};

use super::models::{model, rows};

const MODELS: u64 = 100;
const SAMPLES: usize = 100;

/// Every model as it is, and every fifth with weights in 8 bits, with the name of its file.
fn models() -> Vec<(String, Model, WeightFormat)> {
    let of = |seed| {
        let model = model(seed);
        let copy = (seed % 5 == 0).then(|| (format!("q{seed}"), int8(&model), WeightFormat::Int8));
        [(format!("m{seed}"), model, WeightFormat::F32)].into_iter().chain(copy)
    };
    (0..MODELS).flat_map(of).collect()
}

/// Runs a compiler without a complaint.
fn compile(command: &mut Command) {
    let compiled = command.output().unwrap();
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success() && said.is_empty(), "{said}");
}

/// Bytes of the rows, as a program reads them: `f32` or bytes.
fn stored(model: &Model, rows: &[Vec<f32>]) -> Vec<u8> {
    match model.preprocessing.input {
        Input::Pictures(_) => rows.iter().flatten().map(|v| *v as u8).collect(),
        Input::Columns(_) => rows.iter().flatten().flat_map(|v| v.to_le_bytes()).collect(),
    }
}

/// Sends rows to a program that predicts all of them, and compares.
fn check(program: &mut Command, name: &str, model: &Model) {
    let rows = rows(model, 1000, SAMPLES);
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = stored(model, &rows);
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut input, &bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{name}");
    let got: Vec<f32> =
        output.stdout.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let outputs = model.network.outputs;
    assert_eq!(got.len(), SAMPLES * outputs, "{name}");
    for (row, got) in rows.iter().zip(got.chunks_exact(outputs)) {
        let expected = model.predict(row).unwrap();
        // Confidences lie between 0 and 1; numbers have a scale of their own.
        let scale = |k: usize| model.preprocessing.target.as_ref().map_or(1.0, |of| of.std[k]);
        for (k, (got, expected)) in got.iter().zip(expected).enumerate() {
            let most = 1e-5 * expected.abs().max(scale(k));
            assert!((got - expected).abs() <= most, "{name}: {got} {expected}");
        }
    }
}

/// Writes a file with [`c::write`] or [`rust::write`].
fn export(path: &Path, model: &Model, weights: WeightFormat) {
    let (network, samples) = (Folded::new(model), samples(model).unwrap());
    assert_eq!(samples.samples.len(), 8);
    let mut file = Vec::new();
    let name = path.file_stem().unwrap().to_str().unwrap();
    match path.extension().unwrap().to_str().unwrap() {
        "c" => c::write(&mut file, &network, &samples, weights, name).unwrap(),
        _ => rust::write(&mut file, &network, &samples, weights).unwrap(),
    }
    fs_err::write(path, file).unwrap();
}

const STRICT: [&str; 9] = [
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-pedantic",
    "-Wconversion",
    "-Wmissing-prototypes",
    "-Wshadow",
    "-Wfloat-conversion",
    "-Werror",
];

#[test]
fn c_predicts_what_klubok_predicts() {
    let folder = tempfile::tempdir().unwrap();
    for (i, (name, model, weights)) in models().iter().enumerate() {
        let file = folder.path().join(format!("{name}.c"));
        export(&file, model, *weights);
        let kind = if matches!(model.preprocessing.input, Input::Pictures(_)) {
            "unsigned char"
        } else {
            "float"
        };
        let upper = name.to_uppercase();
        let main = format!(
            "#include \"{name}.c\"\n#include <stdio.h>\nint main(void) {{\n  \
             {kind} row[{upper}_INPUTS];\n  float out[{upper}_OUTPUTS];\n  \
             while (fread(row, sizeof row, 1, stdin) == 1) {{\n    {name}_predict(row, out);\n    \
             fwrite(out, sizeof out, 1, stdout);\n  }}\n  return 0;\n}}\n"
        );
        fs_err::write(folder.path().join("main.c"), main).unwrap();
        // What a user may choose must not matter.
        let flags: &[&str] = [&["-O1"][..], &["-O0"], &["-O3", "-ffast-math"]][i % 3];
        let program = folder.path().join("program");
        let mut cc = Command::new("cc");
        cc.args(STRICT).args(flags).arg("-o").arg(&program);
        compile(cc.arg(folder.path().join("main.c")));
        check(&mut Command::new(&program), name, model);
    }
}

#[test]
fn c_tests_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (file, program) = (folder.path().join("own.c"), folder.path().join("own"));
    let run = || {
        let mut cc = Command::new("cc");
        compile(cc.args(STRICT).args(["-DOWN_TEST", "-o"]).arg(&program).arg(&file));
        let output = Command::new(&program).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    export(&file, &model(3), WeightFormat::F32);
    assert_eq!(run(), (true, "8 of 8 predictions are klubok's\n".to_owned()));
    // A file with another weight finds out.
    let text = fs_err::read_to_string(&file).unwrap();
    let (head, rest) = text.split_once("float w1[").unwrap();
    let (size, rest) = rest.split_once("{\n  ").unwrap();
    fs_err::write(&file, format!("{head}float w1[{size}{{\n  9{rest}")).unwrap();
    let (passed, said) = run();
    assert!(!passed && !said.starts_with('8'), "{said}");
}

#[test]
fn rust_predicts_what_klubok_predicts_without_the_standard_library() {
    let folder = tempfile::tempdir().unwrap();
    let models = models();
    let mut library = "#![no_std]\n#![forbid(unsafe_code)]\n#![deny(warnings)]\n".to_owned();
    let mut arms = String::new();
    for (name, model, weights) in &models {
        export(&folder.path().join(format!("{name}.rs")), model, *weights);
        let _ = writeln!(library, "pub mod {name};");
        let value = match model.preprocessing.input {
            Input::Pictures(_) => "row.iter().map(|v| v[0]).collect::<Vec<u8>>()",
            Input::Columns(_) => "row.iter().map(|v| f32::from_le_bytes(*v)).collect::<Vec<f32>>()",
        };
        let size = if value.contains("u8") { 1 } else { 4 };
        let _ = writeln!(
            arms,
            "\"{name}\" => for row in bytes.chunks_exact({size} * {name}::INPUTS) {{ \
             let row = row.as_chunks::<{size}>().0; let row = {value}; \
             for p in {name}::predict(row.as_slice().try_into().unwrap()) {{ \
             out.extend(p.to_le_bytes()); }} }},"
        );
    }
    let main = format!(
        "use models::*;\nuse std::io::{{Read, Write}};\nfn main() {{\n  \
         let (mut bytes, mut out) = (Vec::new(), Vec::new());\n  \
         std::io::stdin().read_to_end(&mut bytes).unwrap();\n  \
         match std::env::args().nth(1).unwrap().as_str() {{\n{arms}_ => panic!(),\n  }}\n  \
         std::io::stdout().write_all(&out).unwrap();\n}}\n"
    );
    fs_err::write(folder.path().join("models.rs"), library).unwrap();
    fs_err::write(folder.path().join("main.rs"), main).unwrap();
    let rustc = || {
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition", "2021", "-C", "opt-level=1"]).current_dir(folder.path());
        rustc
    };
    compile(rustc().args(["--crate-type", "lib", "models.rs"]));
    compile(rustc().args(["--extern", "models=libmodels.rlib", "main.rs"]));
    for (name, model, _) in &models {
        check(Command::new(folder.path().join("main")).arg(name), name, model);
    }
    // The tests in the files themselves.
    compile(rustc().args(["--test", "-o", "tests", "models.rs"]));
    let tests = Command::new(folder.path().join("tests")).output().unwrap();
    let said = String::from_utf8_lossy(&tests.stdout);
    assert!(said.contains(&format!("{} passed; 0 failed", models.len())), "{said}");
}
