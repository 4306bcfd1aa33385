//! Describes the machine and the software versions of a measurement.

use std::{ffi::OsStr, path::Path};

use super::setup;
use crate::process::command;

/// Instruction sets that matter to matrix products, as Linux names them.
const INSTRUCTIONS: [&str; 5] = ["avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16"];
const PYTHON_PACKAGES: [&str; 5] = ["torch", "jax", "scikit-learn", "numpy", "onnxruntime"];
const CRATES: [&str; 3] = ["burn", "candle-core", "gemm"];

/// The current time in UTC, in a format of `date`.
pub(crate) fn now(root: &Path, format: &str) -> String {
    output(root, "date", &["-u", format]).unwrap_or_else(|| "undated".to_owned())
}

/// The processor: name, family and model, since a name stands for several, and instruction sets.
pub(crate) fn processor() -> String {
    let text = fs_err::read_to_string("/proc/cpuinfo").unwrap_or_default();
    processor_of(&text).unwrap_or_else(|| format!("unknown {}", std::env::consts::ARCH))
}

fn processor_of(text: &str) -> Option<String> {
    let field = |name: &str| {
        let mut fields = text.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
    };
    let flags = field("flags").unwrap_or_default();
    let has = |name: &&str| flags.split(' ').any(|flag| flag == *name);
    let instructions: Vec<&str> = INSTRUCTIONS.into_iter().filter(has).collect();
    Some(format!(
        "{}, family {}, model {}, {}",
        field("model name")?,
        field("cpu family")?,
        field("model")?,
        instructions.join(" ")
    ))
}

/// Lines `name version` of all software involved.
pub(crate) fn versions(root: &Path) -> Vec<String> {
    let line = |name: &str, version: Option<String>| {
        version.map(|version| format!("{name} {}", version.trim()))
    };
    let revision = ["describe", "--always", "--dirty"];
    let mut versions = vec![
        line("klubok", output(root, "git", &revision)),
        output(root, "rustc", &["--version"]),
        line("system", output(root, "uname", &["-sr"])),
    ];
    let script = "import sys; from importlib.metadata import version\n\
                  print('Python', sys.version.split()[0])\n\
                  for name in sys.argv[1:]: print(name, version(name))";
    let arguments: Vec<&str> = ["-c", script].into_iter().chain(PYTHON_PACKAGES).collect();
    versions.push(output(root, setup::python(root), &arguments));
    let lock = fs_err::read_to_string(root.join(setup::FOLDER).join("Cargo.lock"));
    let lock = lock.unwrap_or_default();
    versions.extend(CRATES.map(|name| line(name, locked(&lock, name))));
    versions.into_iter().flatten().flat_map(|text| lines(&text)).collect()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// Version of a crate in a lock file.
fn locked(lock: &str, name: &str) -> Option<String> {
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

fn output(root: &Path, program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = command(root, program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_described() {
        let text = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\
                    flags\t\t: fpu avx2 avx512f avx512_bf16x\n";
        let expected = "AMD EPYC, family 25, model 17, avx2 avx512f";
        assert_eq!(processor_of(text).unwrap(), expected);
        assert_eq!(processor_of("model name : none"), None);
    }

    #[test]
    fn a_locked_version_is_found() {
        let lock =
            "name = \"burn-core\"\nversion = \"1.0.0\"\n\nname = \"burn\"\nversion = \"0.22.0\"\n";
        assert_eq!(locked(lock, "burn").unwrap(), "0.22.0");
        assert_eq!(locked(lock, "candle"), None);
    }
}
