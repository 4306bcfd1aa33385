//! What is trained: a line for each configuration. Four a fault, and as many without one, that
//! constants may be chosen on; half as many that are held out (`held_out.rs`); and a kind of data
//! and a kind of network that are held out whole (`whole.rs`).

use anyhow::Result;

use super::{
    fault::{FAULTS, Fault},
    faulty, healthy, held_out,
    settings::Settings,
    whole,
};

/// Under the settings of every configuration: everything is done to the end and nothing helps.
const PLAIN: &str = "threads=1 hidden=64,32 epochs=30 batch_size=32 schedule=constant warmup_epochs=0 \
                     early_stopping=false";

/// What a configuration may be used for. Groups are reported apart: the further one lies from what
/// constants were chosen on, the more its shares say of a person's own data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// Constants may be chosen by it.
    ChosenOn,
    /// It has settings of its own, on kinds of data that constants are chosen on too.
    HeldOut,
    /// Its kind of data is used nowhere else.
    DataWhole,
    /// Its kind of network is used nowhere among those that constants are chosen on.
    NetworkWhole,
}

impl Group {
    /// All of them, in the order of the tables.
    pub(crate) const ALL: [Self; 4] =
        [Self::ChosenOn, Self::HeldOut, Self::DataWhole, Self::NetworkWhole];

    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ChosenOn => "chosen on",
            Self::HeldOut => "held out",
            Self::DataWhole => "data set held out whole",
            Self::NetworkWhole => "network held out whole",
        }
    }

    /// Whether no constant may be chosen by it.
    pub(crate) fn held_out(self) -> bool {
        self != Self::ChosenOn
    }

    fn faulty(self) -> &'static [faulty::Line] {
        match self {
            Self::ChosenOn => faulty::FAULTY,
            Self::HeldOut => held_out::FAULTY,
            Self::DataWhole => whole::DATA_FAULTY,
            Self::NetworkWhole => whole::NETWORK_FAULTY,
        }
    }

    fn healthy(self) -> &'static [healthy::Line] {
        match self {
            Self::ChosenOn => healthy::HEALTHY,
            Self::HeldOut => held_out::HEALTHY,
            Self::DataWhole => whole::DATA_HEALTHY,
            Self::NetworkWhole => whole::NETWORK_HEALTHY,
        }
    }
}

/// A training with a fault, or without one.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    /// What is planted.
    pub(crate) fault: Option<Fault>,
    /// Which of those with this fault, from 1.
    pub(crate) number: usize,
    /// A line for [`super::spec::Spec`], or `demo:NAME`.
    pub(crate) data: &'static str,
    /// What it is trained with.
    pub(crate) settings: Settings,
    /// The same without the fault, where the fault shows by the difference.
    pub(crate) cure: Option<Settings>,
    /// What it may be used for.
    pub(crate) group: Group,
}

impl Configuration {
    /// Name of the fault, and number.
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
    let own = Group::ALL
        .into_iter()
        .flat_map(|group| group.healthy().iter().map(move |line| (line, group)));
    for (number, (&(data, settings), group)) in (1..).zip(own) {
        let settings = Settings::read(&[PLAIN, settings])?;
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

    /// How many there are of a group with this fault, or without one.
    fn of(all: &[Configuration], group: Group, fault: Option<Fault>) -> usize {
        all.iter().filter(|one| one.group == group && one.fault == fault).count()
    }

    #[test]
    fn there_are_enough_of_each_and_every_line_is_read() {
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
    fn some_of_each_fault_are_held_out_with_settings_of_their_own() {
        let all = all().unwrap();
        for (fault, ..) in FAULTS {
            assert_eq!(of(&all, Group::HeldOut, Some(fault)), 2, "{}", fault.name());
        }
        assert_eq!(of(&all, Group::HeldOut, None), 40);
        let settings = |held_out| {
            let of = all.iter().filter(move |one| one.group.held_out() == held_out);
            of.map(|one| one.settings.flags()).collect::<BTreeSet<_>>()
        };
        assert!(settings(true).is_disjoint(&settings(false)));
    }

    #[test]
    fn what_is_held_out_whole_is_of_a_kind_that_nothing_was_chosen_on() {
        let all = all().unwrap();
        for (fault, name, ..) in FAULTS {
            // Units of mish have no end that they could saturate at.
            let network = usize::from(fault != Fault::SaturatedUnits);
            assert_eq!(of(&all, Group::DataWhole, Some(fault)), 1, "{name}");
            assert_eq!(of(&all, Group::NetworkWhole, Some(fault)), network, "{name}");
        }
        assert_eq!(of(&all, Group::DataWhole, None), 20);
        assert_eq!(of(&all, Group::NetworkWhole, None), 20);
        for one in &all {
            let spots = one.data.parse::<Spec>().is_ok_and(|spec| spec.kind == Kind::Spots);
            assert_eq!(spots, one.group == Group::DataWhole, "{}", one.name());
            let all_mish = [Some(&one.settings), one.cure.as_ref()].into_iter().flatten();
            let mish: Vec<_> = all_mish.map(|it| it.get("activation") == Some("mish")).collect();
            match one.group {
                Group::NetworkWhole => assert!(!mish.contains(&false), "{}", one.name()),
                // No constant was chosen by those that have it there.
                Group::HeldOut => assert!(one.fault.is_none() || !mish[0], "{}", one.name()),
                _ => assert!(!mish.contains(&true), "{}", one.name()),
            }
        }
    }

    #[test]
    fn no_two_are_the_same() {
        let all = all().unwrap();
        let lines: BTreeSet<_> = all.iter().map(|c| (c.data, c.settings.flags())).collect();
        assert_eq!(lines.len(), all.len());
    }
}
