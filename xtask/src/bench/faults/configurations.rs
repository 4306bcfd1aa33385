//! What is trained: a line for each configuration. Four a fault, and as many without one, that
//! constants may be chosen on; half as many that are held out (`held_out.rs`).

use anyhow::Result;

use super::{
    fault::{FAULTS, Fault},
    faulty::{self, FAULTY},
    healthy::HEALTHY,
    held_out,
    settings::Settings,
};

/// Under the settings of every configuration: everything is done to the end and nothing helps.
const PLAIN: &str = "threads=1 hidden=64,32 epochs=30 batch_size=32 schedule=constant warmup_epochs=0 \
                     early_stopping=false";

/// A training with a fault, or without one.
#[derive(Debug, Clone)]
pub(super) struct Configuration {
    /// What is planted.
    pub(super) fault: Option<Fault>,
    /// Which of those with this fault, from 1.
    pub(super) number: usize,
    /// A line for [`super::spec::Spec`], or `demo:NAME`.
    pub(super) data: &'static str,
    /// What it is trained with.
    pub(super) settings: Settings,
    /// The same without the fault, where the fault shows by the difference.
    pub(super) cure: Option<Settings>,
    /// Whether no constant may be chosen by it.
    pub(super) held_out: bool,
}

impl Configuration {
    /// Name of the fault, and number.
    pub(super) fn name(&self) -> String {
        format!("{}-{:02}", self.fault.map_or("healthy", Fault::name), self.number)
    }
}

/// All configurations.
///
/// # Errors
/// When a line cannot be read.
pub(super) fn all() -> Result<Vec<Configuration>> {
    let mut all = Vec::new();
    for (fault, ..) in FAULTS {
        let of = |lines: &'static [faulty::Line], held_out| {
            lines.iter().filter(move |line| line.0 == fault).map(move |line| (line, held_out))
        };
        let own = of(FAULTY, false).chain(of(held_out::FAULTY, true));
        for (number, (&(_, data, settings, cure), held_out)) in (1..).zip(own) {
            let cured = || Settings::read(&[PLAIN, settings, cure]);
            all.push(Configuration {
                fault: Some(fault),
                number,
                data,
                settings: Settings::read(&[PLAIN, settings])?,
                cure: if cure.is_empty() { None } else { Some(cured()?) },
                held_out,
            });
        }
    }
    let own = HEALTHY.iter().map(|line| (line, false));
    let own = own.chain(held_out::HEALTHY.iter().map(|line| (line, true)));
    for (number, (&(data, settings), held_out)) in (1..).zip(own) {
        let settings = Settings::read(&[PLAIN, settings])?;
        all.push(Configuration { fault: None, number, data, settings, cure: None, held_out });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::spec::Spec, *};

    #[test]
    fn there_are_enough_of_each_and_every_line_is_read() {
        let all = all().unwrap();
        let faulty = all.iter().filter(|one| one.fault.is_some()).count();
        assert!(faulty >= 60 && all.len() - faulty >= 60, "{faulty} of {}", all.len());
        for (fault, ..) in FAULTS {
            let own = all.iter().filter(|one| one.fault == Some(fault)).count();
            assert!((5..=7).contains(&own), "{}: {own}", fault.name());
        }
        for one in all.iter().filter(|one| !one.data.starts_with("demo:")) {
            assert!(one.data.parse::<Spec>().is_ok(), "{}: {}", one.name(), one.data);
        }
    }

    #[test]
    fn some_of_each_fault_are_held_out_with_settings_of_their_own() {
        let all = all().unwrap();
        for (fault, ..) in FAULTS {
            let own = all.iter().filter(|one| one.fault == Some(fault) && one.held_out).count();
            assert_eq!(own, 2, "{}", fault.name());
        }
        assert_eq!(all.iter().filter(|one| one.fault.is_none() && one.held_out).count(), 40);
        let settings = |held_out| {
            let of = all.iter().filter(move |one| one.held_out == held_out);
            of.map(|one| one.settings.flags()).collect::<BTreeSet<_>>()
        };
        assert!(settings(true).is_disjoint(&settings(false)));
    }

    #[test]
    fn no_two_are_the_same() {
        let all = all().unwrap();
        let lines: BTreeSet<_> = all.iter().map(|c| (c.data, c.settings.flags())).collect();
        assert_eq!(lines.len(), all.len());
    }
}
