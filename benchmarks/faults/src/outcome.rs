//! Runs klubok on a configuration, and keeps the outcome.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    configurations::Configuration,
    draw::{Drawn, draw},
    facts::{Facts, facts},
    files::{self, Location},
    log::Log,
    network::{Activity, inspect},
    settings::Settings,
    spec::Spec,
};

/// A verdict that klubok reported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ReportedVerdict {
    /// Name of the verdict.
    pub(crate) name: String,
    /// `info`, `warning` or `error`.
    pub(crate) severity: String,
}

impl ReportedVerdict {
    /// True if the severity is `warning` or `error`.
    pub(crate) fn is_alarm(&self) -> bool {
        self.severity != "info"
    }
}

/// The outcome of one configuration with one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Why the training ended.
    pub(crate) stopped: String,
    /// Verdicts of `klubok train` and `klubok check`.
    #[serde(rename = "said")]
    pub(crate) verdicts: Vec<ReportedVerdict>,
    /// Its log.
    pub(crate) log: Log,
    /// Activity of its units at the end; none with batch normalisation or built-in data.
    pub(crate) activity: Option<Activity>,
    /// Facts about its data; none for built-in data.
    pub(crate) facts: Option<Facts>,
    /// The log of the training without the fault.
    pub(crate) cured: Option<Log>,
}

/// The command under test.
pub(crate) struct Klubok {
    /// Path of the program.
    pub(crate) program: PathBuf,
    /// Folder for data and runs.
    pub(crate) folder: PathBuf,
}

impl Klubok {
    /// Trains a configuration with a seed; with `reuse` returns a kept outcome.
    ///
    /// # Errors
    /// When the program fails, or files cannot be read or written.
    pub(crate) fn outcome(&self, one: &Configuration, seed: u64, reuse: bool) -> Result<Outcome> {
        let folder = self.folder.join("runs").join(one.name()).join(seed.to_string());
        let kept = folder.join("outcome.json");
        if reuse && let Ok(text) = fs_err::read_to_string(&kept) {
            return Ok(serde_json::from_str(&text)?);
        }
        if folder.exists() {
            fs_err::remove_dir_all(&folder)?;
        }
        fs_err::create_dir_all(&folder)?;
        let outcome =
            self.run(one, seed, &folder).with_context(|| format!("{} seed {seed}", one.name()))?;
        fs_err::write(kept, serde_json::to_string(&outcome)?)?;
        // Networks are large and no longer needed; logs stay.
        for run in ["run", "cured"].map(|run| folder.join(run)).iter().filter(|run| run.exists()) {
            fs_err::remove_dir_all(run.join("checkpoint"))?;
            fs_err::remove_file(run.join("model.safetensors"))?;
        }
        Ok(outcome)
    }

    fn run(&self, one: &Configuration, seed: u64, folder: &Path) -> Result<Outcome> {
        let (drawn, location) = self.data(one.data, seed)?;
        let run = folder.join("run");
        let trained = self.train(&location, &one.settings, seed, &run)?;
        let mut reported = verdicts(&trained)?;
        reported.extend(verdicts(&self.json("check", &location, &one.settings, seed, &[])?)?);
        reported.sort();
        reported.dedup();
        let cured = one.cure.as_ref().map(|settings| {
            let run = folder.join("cured");
            self.train(&location, settings, seed, &run)?;
            Log::read(&run)
        });
        let activity = match &drawn {
            Some(drawn) => {
                let activation = one.settings.get("activation").unwrap_or("relu");
                inspect(&run, activation, &drawn.train)?
            }
            None => None,
        };
        Ok(Outcome {
            stopped: trained["stopped"].as_str().unwrap_or_default().into(),
            verdicts: reported,
            log: Log::read(&run)?,
            activity,
            facts: drawn.as_ref().map(facts),
            cured: cured.transpose()?,
        })
    }

    /// Draws and writes the data, unless it is built in; returns its location.
    fn data(&self, line: &str, seed: u64) -> Result<(Option<Drawn>, Location)> {
        if line.starts_with("demo:") {
            return Ok((None, Location { data: line.into(), val: None }));
        }
        let spec: Spec = line.parse()?;
        let drawn = draw(&spec, seed);
        let name = format!("{} {seed}", line.replace('=', "-")).replace(' ', "_");
        let location =
            files::write(&drawn, spec.side, spec.pictures, &self.folder.join("data").join(name))?;
        Ok((Some(drawn), location))
    }

    fn train(
        &self,
        location: &Location,
        settings: &Settings,
        seed: u64,
        run: &Path,
    ) -> Result<Value> {
        self.json("train", location, settings, seed, &["-o", &run.to_string_lossy()])
    }

    /// Runs `train` or `check`, and parses the object that it prints.
    fn json(
        &self,
        subcommand: &str,
        location: &Location,
        settings: &Settings,
        seed: u64,
        further: &[&str],
    ) -> Result<Value> {
        let mut command = Command::new(&self.program);
        command
            .arg(subcommand)
            .arg(&location.data)
            .arg("--json")
            .args(further)
            .args(settings.flags());
        command.args(["--seed", &seed.to_string()]);
        if let Some(val) = &location.val {
            command.arg("--val").arg(val);
        }
        let output = command.output()?;
        let (stdout, stderr) = (output.stdout, String::from_utf8_lossy(&output.stderr));
        match serde_json::from_slice(&stdout) {
            Ok(value) => Ok(value),
            Err(_) => bail!("{command:?} printed no JSON, but: {stderr}"),
        }
    }
}

/// The verdicts in an object that klubok printed.
fn verdicts(printed: &Value) -> Result<Vec<ReportedVerdict>> {
    let verdicts = printed["verdicts"].as_array().context("there are no `verdicts`")?;
    let text = |verdict: &Value, key: &str| verdict[key].as_str().unwrap_or_default().to_owned();
    let read = |verdict| ReportedVerdict {
        name: text(verdict, "name"),
        severity: text(verdict, "severity"),
    };
    Ok(verdicts.iter().map(read).collect())
}
