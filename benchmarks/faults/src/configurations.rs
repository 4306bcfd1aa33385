//! All configurations of the bench: four for each fault, and as many without one, to tune constants
//! on; half as many held out (`held_out.rs`); and a held-out kind of data and of network
//! (`held_out_kinds.rs`).

use anyhow::Result;

use super::{
    fault::{FAULTS, Fault},
    faulty, healthy, held_out, held_out_kinds,
    settings::Settings,
};

/// Settings that every configuration starts from: all epochs, without schedule or early stopping.
const PLAIN: &str = "threads=1 hidden=64,32 epochs=30 batch_size=32 schedule=constant warmup_epochs=0 \
                     early_stopping=false";

/// The permitted use of a configuration. Groups are reported separately: the further a group lies
/// from the tuning configurations, the more its shares predict for a user's own data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// Constants may be tuned on it.
    Tuning,
    /// Its settings are its own; its kinds of data are those of the tuning configurations.
    HeldOut,
    /// No other configuration uses its kind of data.
    HeldOutData,
    /// No tuning configuration uses its kind of network.
    HeldOutNetwork,
}

impl Group {
    /// All groups, in the order of the tables.
    pub(crate) const ALL: [Self; 4] =
        [Self::Tuning, Self::HeldOut, Self::HeldOutData, Self::HeldOutNetwork];

    /// Name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tuning => "tuning",
            Self::HeldOut => "held out",
            Self::HeldOutData => "held-out data",
            Self::HeldOutNetwork => "held-out network",
        }
    }

    /// True unless constants may be tuned on it.
    pub(crate) fn held_out(self) -> bool {
        self != Self::Tuning
    }

    fn faulty(self) -> &'static [faulty::Line] {
        match self {
            Self::Tuning => faulty::FAULTY,
            Self::HeldOut => held_out::FAULTY,
            Self::HeldOutData => held_out_kinds::DATA_FAULTY,
            Self::HeldOutNetwork => held_out_kinds::NETWORK_FAULTY,
        }
    }

    fn healthy(self) -> &'static [healthy::Sweep] {
        match self {
            Self::Tuning => healthy::HEALTHY,
            Self::HeldOut => held_out::HEALTHY,
            Self::HeldOutData => held_out_kinds::DATA_HEALTHY,
            Self::HeldOutNetwork => held_out_kinds::NETWORK_HEALTHY,
        }
    }
}

/// A training with a fault, or without one.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    /// The planted fault.
    pub(crate) fault: Option<Fault>,
    /// Number among the configurations with this fault, from 1.
    pub(crate) number: usize,
    /// A line for [`super::spec::Spec`], or `demo:NAME`.
    pub(crate) data: &'static str,
    /// The settings of the training.
    pub(crate) settings: Settings,
    /// Settings without the fault, where only a comparison with that training shows the fault.
    pub(crate) cure: Option<Settings>,
    /// The permitted use.
    pub(crate) group: Group,
}

impl Configuration {
    /// Name of the fault and number.
    pub(crate) fn name(&self) -> String {
        format!("{}-{:02}", self.fault.map_or("healthy", Fault::name), self.number)
    }
}

/// All configurations.
///
/// # Errors
/// When a line cannot be read.
pub(crate) fn all() -> Result<Vec<Configuration>> {
    let mut all = Vec::new();
    for (fault, ..) in FAULTS {
        let own = Group::ALL.into_iter().flat_map(|group| {
            let lines = group.faulty().iter().filter(move |line| line.0 == fault);
            lines.map(move |line| (line, group))
        });
        for (number, (&(_, data, settings, cure), group)) in (1..).zip(own) {
            let cured = || Settings::read(&[PLAIN, settings, cure]);
            all.push(Configuration {
                fault: Some(fault),
                number,
                data,
                settings: Settings::read(&[PLAIN, settings])?,
                cure: if cure.is_empty() { None } else { Some(cured()?) },
                group,
            });
        }
    }
    let own = Group::ALL.into_iter().flat_map(|group| {
        let sweeps = group.healthy().iter();
        sweeps.flat_map(move |&(settings, sets)| sets.iter().map(move |set| (settings, set, group)))
    });
    for (number, (settings, &(data, required), group)) in (1..).zip(own) {
        let settings = Settings::read(&[PLAIN, settings, required])?;
        all.push(Configuration { fault: None, number, data, settings, cure: None, group });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{
        super::spec::{Kind, Spec},
        *,
    };

    /// Number of configurations of a group with this fault, or without one.
    fn count(all: &[Configuration], group: Group, fault: Option<Fault>) -> usize {
        all.iter().filter(|one| one.group == group && one.fault == fault).count()
    }

    #[test]
    fn there_are_enough_configurations_and_all_lines_parse() {
        let all = all().unwrap();
        let faulty = all.iter().filter(|one| one.fault.is_some()).count();
        assert!(faulty >= 60 && all.len() - faulty >= 60, "{faulty} of {}", all.len());
        for (fault, ..) in FAULTS {
            let own = all.iter().filter(|one| one.fault == Some(fault)).count();
            assert!((7..=9).contains(&own), "{}: {own}", fault.name());
        }
        for one in all.iter().filter(|one| !one.data.starts_with("demo:")) {
            assert!(one.data.parse::<Spec>().is_ok(), "{}: {}", one.name(), one.data);
        }
    }

    #[test]
    fn held_out_configurations_cover_each_fault_and_share_no_settings() {
        let all = all().unwrap();
        for (fault, ..) in FAULTS {
            assert_eq!(count(&all, Group::HeldOut, Some(fault)), 2, "{}", fault.name());
        }
        assert_eq!(count(&all, Group::HeldOut, None), 40);
        let settings = |held_out| {
            let of = all.iter().filter(move |one| one.group.held_out() == held_out);
            of.map(|one| one.settings.flags()).collect::<BTreeSet<_>>()
        };
        assert!(settings(true).is_disjoint(&settings(false)));
    }

    #[test]
    fn tuning_configurations_never_use_the_held_out_kinds() {
        let all = all().unwrap();
        for (fault, name, ..) in FAULTS {
            // Mish has no bound at which units could saturate.
            let network = usize::from(fault != Fault::SaturatedUnits);
            assert_eq!(count(&all, Group::HeldOutData, Some(fault)), 1, "{name}");
            assert_eq!(count(&all, Group::HeldOutNetwork, Some(fault)), network, "{name}");
        }
        assert_eq!(count(&all, Group::HeldOutData, None), 20);
        assert_eq!(count(&all, Group::HeldOutNetwork, None), 20);
        for one in &all {
            let spots = one.data.parse::<Spec>().is_ok_and(|spec| spec.kind == Kind::Spots);
            assert_eq!(spots, one.group == Group::HeldOutData, "{}", one.name());
            let own = [Some(&one.settings), one.cure.as_ref()].into_iter().flatten();
            let mish: Vec<_> = own.map(|it| it.get("activation") == Some("mish")).collect();
            match one.group {
                Group::HeldOutNetwork => assert!(!mish.contains(&false), "{}", one.name()),
                // Healthy ones may use mish: no constant was tuned on them.
                Group::HeldOut => assert!(one.fault.is_none() || !mish[0], "{}", one.name()),
                _ => assert!(!mish.contains(&true), "{}", one.name()),
            }
        }
    }

    #[test]
    fn all_configurations_differ() {
        let all = all().unwrap();
        let lines: BTreeSet<_> = all.iter().map(|c| (c.data, c.settings.flags())).collect();
        assert_eq!(lines.len(), all.len());
    }
}
