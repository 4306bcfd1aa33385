//! The shares of the bench, as tables.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{
    configurations::{Configuration, Group},
    fault::{FAULTS, Fault},
    outcome::Outcome,
    peers::PEERS,
    truth::{self, Case},
};

/// One run with what is true of it.
pub(crate) struct Judged {
    /// What was trained.
    pub(crate) configuration: Configuration,
    /// With which seed.
    pub(crate) seed: u64,
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// Whether the planted fault is there, or, of one without a fault, whether it is healthy.
    pub(crate) holds: bool,
}

impl Judged {
    /// Judges an outcome by the truth.
    pub(crate) fn new(configuration: Configuration, seed: u64, outcome: Outcome) -> Self {
        let raw = configuration.settings.get("normalize").is_some();
        let case = Case { outcome: &outcome, raw };
        let holds = match configuration.fault {
            Some(fault) => truth::manifests(fault, &case),
            None => truth::healthy(&outcome),
        };
        Self { configuration, seed, outcome, holds }
    }

    /// Whether one of klubok's verdicts names the fault, however severe it is.
    pub(crate) fn found(&self) -> bool {
        let names = self.configuration.fault.map_or(&[][..], Fault::verdicts);
        self.outcome.said.iter().any(|said| names.contains(&said.name.as_str()))
    }

    /// Verdicts that say that something is wrong.
    pub(crate) fn alarms(&self) -> impl Iterator<Item = &str> {
        self.outcome.said.iter().filter(|said| said.alarms()).map(|said| said.name.as_str())
    }

    /// Verdicts beside those that name the fault.
    fn others(&self) -> impl Iterator<Item = &str> {
        let names = self.configuration.fault.map_or(&[][..], Fault::verdicts);
        self.alarms().filter(|name| !names.contains(name))
    }
}

/// How often something was so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Share {
    so: usize,
    of: usize,
}

impl Share {
    fn count<'a>(runs: impl Iterator<Item = &'a Judged>, so: impl Fn(&Judged) -> bool) -> Self {
        runs.fold(Self::default(), |share, run| Self {
            so: share.so + usize::from(so(run)),
            of: share.of + 1,
        })
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.of {
            0 => write!(to, "-"),
            of => write!(to, "{:.1} % ({} of {of})", 100.0 * self.so as f64 / of as f64, self.so),
        }
    }
}

/// All tables.
pub(crate) fn tables(runs: &[Judged]) -> String {
    format!("{}\n{}\n{}\n{}", summary(runs), by_fault(runs), healthy(runs), absent(runs))
}

/// The shares of klubok and of the others, of each group apart and of all.
fn summary(runs: &[Judged]) -> String {
    let mut text =
        "| rules | configurations | faults found and named | false alarms on healthy runs |\n\
                    | --- | --- | --- | --- |\n"
            .to_owned();
    for group in Group::ALL.into_iter().map(Some).chain([None]) {
        let group_name = group.map_or("all", Group::name);
        let of = |faulty: bool| {
            runs.iter().filter(move |run| {
                run.holds
                    && run.configuration.fault.is_some() == faulty
                    && group.is_none_or(|group| group == run.configuration.group)
            })
        };
        let mut line = |name: &str,
                        found: &dyn Fn(&Judged) -> bool,
                        alarms: &dyn Fn(&Judged) -> bool| {
            let (found, alarms) = (Share::count(of(true), found), Share::count(of(false), alarms));
            let _ = writeln!(text, "| {name} | {group_name} | {found} | {alarms} |");
        };
        line("klubok", &Judged::found, &|run| run.alarms().next().is_some());
        for peer in &PEERS {
            let said = |run: &Judged| (peer.judge)(&run.outcome, &run.configuration.settings);
            let found = |run: &Judged| {
                let fault = run.configuration.fault;
                said(run).iter().any(|name| fault.is_some_and(|fault| (peer.names)(name, fault)))
            };
            line(peer.name, &found, &|run| !said(run).is_empty());
        }
    }
    PEERS[..2].iter().for_each(|peer| {
        let _ = writeln!(text, "\n{}: {}.", peer.name, peer.cannot);
    });
    text
}

/// A line a fault.
fn by_fault(runs: &[Judged]) -> String {
    let mut text = "| fault | configurations | runs with it | klubok | of those held out | AutoTrainer | UMLAUT | klubok also said |\n\
                    | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (fault, name, ..) in FAULTS {
        let own = || runs.iter().filter(move |run| run.configuration.fault == Some(fault));
        let there = || own().filter(|run| run.holds);
        let peers = PEERS[..2].iter().map(|peer| {
            let found = |run: &Judged| {
                let said = (peer.judge)(&run.outcome, &run.configuration.settings);
                said.iter().any(|name| (peer.names)(name, fault))
            };
            Share::count(there(), found).to_string()
        });
        let held_out = there().filter(|run| run.configuration.group.held_out());
        let numbers: BTreeSet<usize> = own().map(|run| run.configuration.number).collect();
        let _ = writeln!(
            text,
            "| {name} | {} | {} of {} | {} | {} | {} | {} |",
            numbers.len(),
            there().count(),
            own().count(),
            Share::count(there(), Judged::found),
            Share::count(held_out, Judged::found),
            peers.collect::<Vec<_>>().join(" | "),
            counted(there().flat_map(Judged::others)),
        );
    }
    text.push_str("\nA fault is there when:\n\n");
    for (fault, name, ..) in FAULTS {
        let _ =
            writeln!(text, "- {name}: {}; named by {}", fault.sign(), fault.verdicts().join(", "));
    }
    text
}

/// What was said of healthy runs.
fn healthy(runs: &[Judged]) -> String {
    let own = || runs.iter().filter(|run| run.configuration.fault.is_none());
    let good = || own().filter(|run| run.holds);
    let infos = good().flat_map(|run| {
        run.outcome.said.iter().filter(|said| !said.alarms()).map(|said| said.name.as_str())
    });
    let peers = PEERS[..2].iter().map(|peer| {
        let said = good().flat_map(|run| (peer.judge)(&run.outcome, &run.configuration.settings));
        format!(" {} said: {}.", peer.name, counted(said))
    });
    format!(
        "Healthy: {} of {} runs are ({}). klubok alarmed in {} of them: {}; as information only: {}.{}\n",
        good().count(),
        own().count(),
        truth::HEALTHY,
        good().filter(|run| run.alarms().next().is_some()).count(),
        counted(good().flat_map(Judged::alarms)),
        counted(infos),
        peers.collect::<String>(),
    )
}

/// Configurations in which what was planted is not there, or which are not healthy, with the seeds.
fn absent(runs: &[Judged]) -> String {
    let mut seeds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for run in runs.iter().filter(|run| !run.holds) {
        seeds.entry(run.configuration.name()).or_default().push(run.seed.to_string());
    }
    let lines = seeds.iter().map(|(name, seeds)| format!("{name} (seeds {})", seeds.join(", ")));
    let lines: Vec<String> = lines.collect();
    let without = |fault: bool| {
        Share::count(runs.iter().filter(|run| run.configuration.fault.is_some() == fault), |run| {
            !run.holds
        })
    };
    format!(
        "Not counted, because the fault is not there: {}; because it is not healthy: {}.\n{}\n",
        without(true),
        without(false),
        lines.join("; ")
    )
}

/// Each name with how often it was said, the most frequent first.
fn counted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if words.is_empty() { "nothing".into() } else { words.join(", ") }
}

/// Runs that constants may be chosen on, in which the fault was missed or there was a false alarm.
pub(crate) fn wrong(runs: &[Judged]) -> String {
    let mut text = String::new();
    for run in runs.iter().filter(|run| run.holds && !run.configuration.group.held_out()) {
        let alarms: Vec<&str> = run.alarms().collect();
        let what = match run.configuration.fault {
            Some(_) if !run.found() => "missed",
            None if !alarms.is_empty() => "false alarm",
            _ => continue,
        };
        let Configuration { data, settings, .. } = &run.configuration;
        let _ = writeln!(
            text,
            "{what}: {} seed {}: said {}; {data}: {}",
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
        super::{configurations, log::Log, outcome::Said},
        *,
    };

    fn run(name: &str, said: &[(&str, &str)], holds: bool) -> Judged {
        let all = configurations::all().unwrap();
        let configuration = all.into_iter().find(|one| one.name() == name).unwrap();
        let said = said
            .iter()
            .map(|(name, severity)| Said { name: (*name).into(), severity: (*severity).into() });
        let outcome = Outcome {
            stopped: "epochs".into(),
            said: said.collect(),
            log: Log::default(),
            activity: None,
            facts: None,
            cured: None,
        };
        Judged { configuration, seed: 0, outcome, holds }
    }

    #[test]
    fn shares_are_counted_by_hand() {
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
        assert!(
            text.contains("| klubok | chosen on | 50.0 % (1 of 2) | 50.0 % (1 of 2) |"),
            "{text}"
        );
        for row in [
            "held out | - | - |",
            "data set held out whole | 0.0 % (0 of 1) | - |",
            "network held out whole | - | 100.0 % (1 of 1) |",
            "all | 33.3 % (1 of 3) | 66.7 % (2 of 3) |",
        ] {
            assert!(text.contains(&format!("| klubok | {row}")), "{text}");
        }
        let row = "| dead_units | 3 | 3 of 4 | 33.3 % (1 of 3) | 0.0 % (0 of 1) | ";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| over_fitting 1, under_fitting 1 |"), "{text}");
        assert!(text.contains("dead_units-03 (seeds 0)"), "{text}");
        let wrong = wrong(&runs);
        assert_eq!(wrong.lines().count(), 2, "{wrong}");
    }
}
