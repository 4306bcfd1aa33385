//! Runs klubok on a configuration, and keeps what came of it.

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
    files::{self, Place},
    log::Log,
    network::{Activity, look},
    settings::Settings,
    spec::Spec,
};

/// What klubok said of a training.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Said {
    /// Name of the verdict.
    pub(crate) name: String,
    /// `info`, `warning` or `error`.
    pub(crate) severity: String,
}

impl Said {
    /// Whether it says that something is wrong.
    pub(crate) fn alarms(&self) -> bool {
        self.severity != "info"
    }
}

/// What came of one configuration with one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Why the training ended.
    pub(crate) stopped: String,
    /// Verdicts of `klubok train` and `klubok check`.
    pub(crate) said: Vec<Said>,
    /// Its log.
    pub(crate) log: Log,
    /// What its units do at the end; where that can be looked at.
    pub(crate) activity: Option<Activity>,
    /// What is true of its data; of built-in sets nothing is counted.
    pub(crate) facts: Option<Facts>,
    /// The log of the training without the fault.
    pub(crate) cured: Option<Log>,
}

/// The command that is put to the test.
pub(crate) struct Klubok {
    /// Its file.
    pub(crate) program: PathBuf,
    /// Where data and runs go.
    pub(crate) folder: PathBuf,
}

impl Klubok {
    /// Trains a configuration with a seed, or takes what is there when `reuse`.
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
        // Networks are large and have been looked at; logs stay.
        for run in ["run", "cured"].map(|run| folder.join(run)).iter().filter(|run| run.exists()) {
            fs_err::remove_dir_all(run.join("checkpoint"))?;
            fs_err::remove_file(run.join("model.safetensors"))?;
        }
        Ok(outcome)
    }

    fn run(&self, one: &Configuration, seed: u64, folder: &Path) -> Result<Outcome> {
        let (drawn, place) = self.data(one.data, seed)?;
        let run = folder.join("run");
        let trained = self.train(&place, &one.settings, seed, &run)?;
        let mut said = verdicts(&trained)?;
        said.extend(verdicts(&self.json("check", &place, &one.settings, seed, &[])?)?);
        said.sort();
        said.dedup();
        let cured = one.cure.as_ref().map(|settings| {
            let run = folder.join("cured");
            self.train(&place, settings, seed, &run)?;
            Log::read(&run)
        });
        let activity = match &drawn {
            Some(drawn) => {
                let activation = one.settings.get("activation").unwrap_or("relu");
                look(&run, activation, &drawn.train)?
            }
            None => None,
        };
        Ok(Outcome {
            stopped: trained["stopped"].as_str().unwrap_or_default().into(),
            said,
            log: Log::read(&run)?,
            activity,
            facts: drawn.as_ref().map(facts),
            cured: cured.transpose()?,
        })
    }

    /// Draws the data, where it is not built in, and says where it lies.
    fn data(&self, line: &str, seed: u64) -> Result<(Option<Drawn>, Place)> {
        if line.starts_with("demo:") {
            return Ok((None, Place { data: line.into(), val: None }));
        }
        let spec: Spec = line.parse()?;
        let drawn = draw(&spec, seed);
        let name = format!("{} {seed}", line.replace('=', "-")).replace(' ', "_");
        let place =
            files::write(&drawn, spec.side, spec.pictures, &self.folder.join("data").join(name))?;
        Ok((Some(drawn), place))
    }

    fn train(&self, place: &Place, settings: &Settings, seed: u64, run: &Path) -> Result<Value> {
        self.json("train", place, settings, seed, &["-o", &run.to_string_lossy()])
    }

    /// Runs `train` or `check`, and reads the object that it prints.
    fn json(
        &self,
        what: &str,
        place: &Place,
        settings: &Settings,
        seed: u64,
        more: &[&str],
    ) -> Result<Value> {
        let mut command = Command::new(&self.program);
        command.arg(what).arg(&place.data).arg("--json").args(more).args(settings.flags());
        command.args(["--seed", &seed.to_string()]);
        if let Some(val) = &place.val {
            command.arg("--val").arg(val);
        }
        let output = command.output()?;
        let (stdout, stderr) = (output.stdout, String::from_utf8_lossy(&output.stderr));
        match serde_json::from_slice(&stdout) {
            Ok(value) => Ok(value),
            Err(_) => bail!("{command:?} said no JSON, but: {stderr}"),
        }
    }
}

/// The verdicts of an object that klubok printed.
fn verdicts(printed: &Value) -> Result<Vec<Said>> {
    let verdicts = printed["verdicts"].as_array().context("there are no `verdicts`")?;
    let word = |verdict: &Value, key: &str| verdict[key].as_str().unwrap_or_default().to_owned();
    let said = |verdict| Said { name: word(verdict, "name"), severity: word(verdict, "severity") };
    Ok(verdicts.iter().map(said).collect())
}
