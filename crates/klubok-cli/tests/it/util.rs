//! Runs the real command in an empty directory.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use image::{GrayImage, Luma};
use serde_json::Value;

/// A temporary directory, removed at the end of the test.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

/// Exit code and output of a command.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Settings of a tiny training.
pub(crate) const TINY: [&str; 8] =
    ["--set", "data.size=8", "--hidden", "16", "--epochs", "4", "--batch-size", "16"];

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// Creates `pets/`: 30 dark pictures of class `cat` and 30 bright ones of class `dog`.
    pub(crate) fn with_pets() -> Self {
        let place = Self::new();
        place.pets("pets", 30);
        place
    }

    /// Creates a folder of class folders: dark cats, bright dogs, `n` each.
    pub(crate) fn pets(&self, folder: &str, n: u32) {
        for (class, brightness) in [("cat", 60), ("dog", 190)] {
            for i in 0..n {
                self.picture(&format!("{folder}/{class}/{i:03}.png"), brightness, i);
            }
        }
    }

    /// Writes a noisy picture of 12 x 10 pixels around a brightness.
    pub(crate) fn picture(&self, name: &str, brightness: u32, seed: u32) {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(brightness);
        let picture = GrayImage::from_fn(12, 10, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Luma([(brightness + (state >> 24) / 5) as u8])
        });
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        picture.save(path).unwrap();
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs_err::read(self.path(name)).unwrap()
    }

    /// Returns the command in this directory, in English whatever the locale.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_klubok"));
        command.args(args);
        command
    }

    /// Returns a shell command in this directory, with the same environment.
    pub(crate) fn shell(&self, line: &str) -> Command {
        let mut command = self.program("sh");
        command.args(["-c", line]);
        command
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        for name in ["KLUBOK_LANG", "LC_ALL", "LC_MESSAGES", "LANG"] {
            command.env_remove(name);
        }
        command
    }

    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let ran = Ran {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(!ran.stderr.contains("panicked"), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("has a defect"), "{args:?}: {}", ran.stderr);
        ran
    }

    /// Runs a command that must succeed.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
        ran
    }

    /// Runs with `--json`; standard output must be one object on one line.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ran = self.ok(&[args, &["--json"]].concat());
        assert_eq!(ran.stdout.lines().count(), 1, "{args:?}: {}", ran.stdout);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Runs a command that must fail: with this exit code, one error that contains `message`, and a
    /// hint that contains `hint`.
    #[track_caller]
    pub(crate) fn fails(&self, args: &[&str], code: i32, message: &str, hint: &str) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(code), "{args:?}: {}", ran.stderr);
        let errors: Vec<_> = ran.stderr.lines().filter(|l| l.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{args:?}: {}", ran.stderr);
        assert!(errors[0].contains(message), "{args:?}: {}", ran.stderr);
        let hints: Vec<_> = ran.stderr.lines().filter(|l| l.starts_with("hint: ")).collect();
        assert!(hints.len() <= 1, "{args:?}: {}", ran.stderr);
        assert!(hints.concat().contains(hint), "{args:?}: no hint `{hint}` in {}", ran.stderr);
        ran
    }

    /// Trains on `pets/` with [`TINY`] settings.
    #[track_caller]
    pub(crate) fn train(&self, more: &[&str]) -> Ran {
        self.ok(&[&["train", "pets"], &TINY[..], more].concat())
    }
}

/// Returns the keys of an object in order.
#[track_caller]
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Unpacks the data of a report.
pub(crate) fn report_data(report: &str) -> serde_json::Value {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let data = report.split("id=\"report-data\">").nth(1).unwrap().split("</script>").next();
    let packed = STANDARD.decode(data.unwrap()).unwrap();
    serde_json::from_reader(flate2::read::GzDecoder::new(&packed[..])).unwrap()
}
