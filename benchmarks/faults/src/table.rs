//! Tables of the results.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{
    configurations::{Configuration, Group},
    fault::{FAULTS, Fault},
    outcome::Outcome,
    peers::{Findings, PEERS, Peer},
    truth,
};

/// A run with its ground truth.
pub(crate) struct Run {
    /// The configuration.
    pub(crate) configuration: Configuration,
    /// The seed.
    pub(crate) seed: u64,
    /// The outcome.
    pub(crate) outcome: Outcome,
    /// True if the planted fault is really present, or a run without a fault is really healthy.
    pub(crate) confirmed: bool,
}

impl Run {
    /// Checks an outcome against the ground truth.
    pub(crate) fn new(configuration: Configuration, seed: u64, outcome: Outcome) -> Self {
        let raw_inputs = configuration.settings.get("normalize").is_some();
        let confirmed = match configuration.fault {
            Some(fault) => truth::is_present(fault, &outcome, raw_inputs),
            None => truth::is_healthy(&outcome),
        };
        Self { configuration, seed, outcome, confirmed }
    }

    /// True if one of klubok's verdicts names the fault, whatever its severity.
    pub(crate) fn found(&self) -> bool {
        let names = self.configuration.fault.map_or(&[][..], Fault::verdicts);
        self.outcome.verdicts.iter().any(|verdict| names.contains(&verdict.name.as_str()))
    }

    /// Names of the verdicts of severity `warning` or `error`.
    pub(crate) fn alarms(&self) -> impl Iterator<Item = &str> {
        let alarms = self.outcome.verdicts.iter().filter(|verdict| verdict.is_alarm());
        alarms.map(|verdict| verdict.name.as_str())
    }

    /// Findings of a peer's rules.
    fn findings_of(&self, peer: &Peer) -> Findings {
        (peer.evaluate)(&self.outcome, &self.configuration.settings)
    }

    /// True if one of a peer's findings names the fault.
    fn found_by(&self, peer: &Peer) -> bool {
        let Some(fault) = self.configuration.fault else { return false };
        self.findings_of(peer).iter().any(|finding| (peer.matches)(finding, fault))
    }

    /// Alarms that do not name the fault.
    fn other_alarms(&self) -> impl Iterator<Item = &str> {
        let names = self.configuration.fault.map_or(&[][..], Fault::verdicts);
        self.alarms().filter(|name| !names.contains(name))
    }
}

/// A share of some runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Share {
    count: usize,
    total: usize,
}

impl Share {
    fn of<'a>(runs: impl Iterator<Item = &'a Run>, counts: impl Fn(&Run) -> bool) -> Self {
        runs.fold(Self::default(), |share, run| Self {
            count: share.count + usize::from(counts(run)),
            total: share.total + 1,
        })
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.total {
            0 => write!(to, "-"),
            total => {
                let percent = 100.0 * self.count as f64 / total as f64;
                write!(to, "{percent:.1} % ({} of {total})", self.count)
            }
        }
    }
}

/// Returns all tables.
pub(crate) fn tables(runs: &[Run]) -> String {
    format!("{}\n{}\n{}\n{}", summary(runs), by_fault(runs), healthy(runs), not_counted(runs))
}

/// The shares of klubok and of the peers, for each group and in total.
fn summary(runs: &[Run]) -> String {
    let mut text =
        "| rules | configurations | faults found and named | false alarms on healthy runs |\n\
                    | --- | --- | --- | --- |\n"
            .to_owned();
    for group in Group::ALL.into_iter().map(Some).chain([None]) {
        let group_name = group.map_or("all", Group::name);
        let of = |faulty: bool| {
            runs.iter().filter(move |run| {
                run.confirmed
                    && run.configuration.fault.is_some() == faulty
                    && group.is_none_or(|group| group == run.configuration.group)
            })
        };
        let mut row = |name: &str, found: &dyn Fn(&Run) -> bool, alarms: &dyn Fn(&Run) -> bool| {
            let (found, alarms) = (Share::of(of(true), found), Share::of(of(false), alarms));
            let _ = writeln!(text, "| {name} | {group_name} | {found} | {alarms} |");
        };
        row("klubok", &Run::found, &|run| run.alarms().next().is_some());
        for peer in &PEERS {
            row(peer.name, &|run| run.found_by(peer), &|run| !run.findings_of(peer).is_empty());
        }
    }
    PEERS[..2].iter().for_each(|peer| {
        let _ = writeln!(text, "\n{}: {}.", peer.name, peer.limits);
    });
    text
}

/// One row per fault.
fn by_fault(runs: &[Run]) -> String {
    let mut text = "| fault | configurations | runs with it | klubok | klubok on held-out runs | AutoTrainer | UMLAUT | klubok also reported |\n\
                    | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (fault, name, ..) in FAULTS {
        let own = || runs.iter().filter(move |run| run.configuration.fault == Some(fault));
        let present = || own().filter(|run| run.confirmed);
        let peers = PEERS[..2]
            .iter()
            .map(|peer| Share::of(present(), |run| run.found_by(peer)).to_string());
        let held_out = present().filter(|run| run.configuration.group.held_out());
        let numbers: BTreeSet<usize> = own().map(|run| run.configuration.number).collect();
        let _ = writeln!(
            text,
            "| {name} | {} | {} of {} | {} | {} | {} | {} |",
            numbers.len(),
            present().count(),
            own().count(),
            Share::of(present(), Run::found),
            Share::of(held_out, Run::found),
            peers.collect::<Vec<_>>().join(" | "),
            counted(present().flat_map(Run::other_alarms)),
        );
    }
    text.push_str("\nA fault is present when:\n\n");
    for (fault, name, ..) in FAULTS {
        let _ = writeln!(
            text,
            "- {name}: {}; named by {}",
            fault.evidence(),
            fault.verdicts().join(", ")
        );
    }
    text
}

/// Alarms on healthy runs.
fn healthy(runs: &[Run]) -> String {
    let own = || runs.iter().filter(|run| run.configuration.fault.is_none());
    let confirmed = || own().filter(|run| run.confirmed);
    let infos = confirmed().flat_map(|run| {
        let infos = run.outcome.verdicts.iter().filter(|verdict| !verdict.is_alarm());
        infos.map(|verdict| verdict.name.as_str())
    });
    let peers = PEERS[..2].iter().map(|peer| {
        let findings = confirmed().flat_map(|run| run.findings_of(peer));
        format!(" {} reported: {}.", peer.name, counted(findings))
    });
    format!(
        "Healthy: {} of {} runs ({}). klubok raised alarms in {} of them: {}; as information only: {}.{}\n",
        confirmed().count(),
        own().count(),
        truth::HEALTHY,
        confirmed().filter(|run| run.alarms().next().is_some()).count(),
        counted(confirmed().flat_map(Run::alarms)),
        counted(infos),
        peers.collect::<String>(),
    )
}

/// Configurations and seeds that do not count: the fault is not present, or the run is not healthy.
fn not_counted(runs: &[Run]) -> String {
    let mut seeds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for run in runs.iter().filter(|run| !run.confirmed) {
        seeds.entry(run.configuration.name()).or_default().push(run.seed.to_string());
    }
    let lines = seeds.iter().map(|(name, seeds)| format!("{name} (seeds {})", seeds.join(", ")));
    let lines: Vec<String> = lines.collect();
    let without = |fault: bool| {
        Share::of(runs.iter().filter(|run| run.configuration.fault.is_some() == fault), |run| {
            !run.confirmed
        })
    };
    format!(
        "Not counted, because the fault is not present: {}; because the run is not healthy: {}.\n{}\n",
        without(true),
        without(false),
        lines.join("; ")
    )
}

/// Each name with its count, the most frequent first.
fn counted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if words.is_empty() { "nothing".into() } else { words.join(", ") }
}

/// Tuning runs with a missed fault or a false alarm.
pub(crate) fn errors(runs: &[Run]) -> String {
    let mut text = String::new();
    for run in runs.iter().filter(|run| run.confirmed && !run.configuration.group.held_out()) {
        let alarms: Vec<&str> = run.alarms().collect();
        let problem = match run.configuration.fault {
            Some(_) if !run.found() => "missed",
            None if !alarms.is_empty() => "false alarm",
            _ => continue,
        };
        let Configuration { data, settings, .. } = &run.configuration;
        let _ = writeln!(
            text,
            "{problem}: {} seed {}: reported {}; {data}: {}",
            run.configuration.name(),
            run.seed,
            if alarms.is_empty() { "nothing".into() } else { alarms.join(", ") },
            settings.flags().join(" ").replace(" --set", "")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{
        super::{configurations, log::Log, outcome::ReportedVerdict},
        *,
    };

    fn run(name: &str, verdicts: &[(&str, &str)], confirmed: bool) -> Run {
        let all = configurations::all().unwrap();
        let configuration = all.into_iter().find(|one| one.name() == name).unwrap();
        let verdicts = verdicts.iter().map(|(name, severity)| ReportedVerdict {
            name: (*name).into(),
            severity: (*severity).into(),
        });
        let outcome = Outcome {
            stopped: "epochs".into(),
            verdicts: verdicts.collect(),
            log: Log::default(),
            activity: None,
            facts: None,
            cured: None,
        };
        Run { configuration, seed: 0, outcome, confirmed }
    }

    #[test]
    fn shares_match_hand_counts() {
        let runs = [
            run("dead_units-02", &[("dead_units", "warning"), ("over_fitting", "warning")], true),
            run("dead_units-02", &[("under_fitting", "warning")], true),
            run("dead_units-03", &[("dead_units", "warning")], false),
            run("healthy-02", &[("slow_convergence", "info")], true),
            run("healthy-04", &[("over_fitting", "error")], true),
            run("dead_units-07", &[], true),
            run("healthy-166", &[("over_fitting", "error")], true),
        ];
        let text = tables(&runs);
        assert!(text.contains("| klubok | tuning | 50.0 % (1 of 2) | 50.0 % (1 of 2) |"), "{text}");
        for row in [
            "held out | - | - |",
            "held-out data | 0.0 % (0 of 1) | - |",
            "held-out network | - | 100.0 % (1 of 1) |",
            "all | 33.3 % (1 of 3) | 66.7 % (2 of 3) |",
        ] {
            assert!(text.contains(&format!("| klubok | {row}")), "{text}");
        }
        let row = "| dead_units | 3 | 3 of 4 | 33.3 % (1 of 3) | 0.0 % (0 of 1) | ";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| over_fitting 1, under_fitting 1 |"), "{text}");
        assert!(text.contains("dead_units-03 (seeds 0)"), "{text}");
        let errors = errors(&runs);
        assert_eq!(errors.lines().count(), 2, "{errors}");
    }
}
