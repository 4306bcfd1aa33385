//! The C file, compiled without warnings.

use std::{fmt::Write as _, path::Path, process::Command};

use klubok_export::{Folded, c};

use super::models::{Chance, model};

const MODELS: u64 = 100;
const SAMPLES: usize = 100;

/// Compiles a file and returns what it prints.
fn run(folder: &Path, source: &str) -> String {
    let (file, program) = (folder.join("model.c"), folder.join("model"));
    fs_err::write(&file, source).unwrap();
    let compiled = Command::new("cc")
        .args(["-std=c99", "-O1", "-Wall", "-Wextra", "-pedantic", "-Wconversion", "-Werror", "-o"])
        .args([&program, &file])
        .arg("-lm")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{said}");
    String::from_utf8(Command::new(&program).output().unwrap().stdout).unwrap()
}

#[test]
fn c_predicts_what_klubok_predicts() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..MODELS {
        let model = model(seed);
        let (inputs, outputs) = (model.network.inputs, model.network.outputs);
        let mut chance = Chance::new(seed + 1000);
        let rows: Vec<Vec<f32>> = (0..SAMPLES).map(|_| chance.numbers(inputs, -9.0, 9.0)).collect();
        let mut source = c::source(&Folded::new(&model), "model");
        let _ = write!(source, "\n#include <stdio.h>\nstatic const float rows[] = {{");
        for value in rows.iter().flatten() {
            let _ = write!(source, "{value:e}f,");
        }
        let _ = write!(
            source,
            "}};\nint main(void) {{\n  float out[{outputs}];\n  for (int i = 0; i < {SAMPLES}; i++) {{\n    \
             model_predict(rows + i * {inputs}, out);\n    \
             for (int k = 0; k < {outputs}; k++) printf(\"%.9g\\n\", (double)out[k]);\n  }}\n}}\n"
        );
        let printed = run(folder.path(), &source);
        let got: Vec<f32> = printed.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(got.len(), SAMPLES * outputs);
        for (row, got) in rows.iter().zip(got.chunks_exact(outputs)) {
            let expected = model.predict(row).unwrap();
            // Confidences lie between 0 and 1; numbers have a scale of their own.
            let scale = |k: usize| model.preprocessing.target.as_ref().map_or(1.0, |of| of.std[k]);
            for (k, (got, expected)) in got.iter().zip(expected).enumerate() {
                let difference = (got - expected).abs();
                let most = 1e-5 * expected.abs().max(scale(k));
                assert!(difference <= most, "{seed}: {got} {expected}");
            }
        }
    }
}
