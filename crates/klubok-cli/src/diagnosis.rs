//! Phases and verdicts on a terminal.

use klubok::{
    diagnose::Diagnosis,
    train::event::{Notice, Phase, PhaseName, Severity, Verdict, VerdictName},
};
use klubok_text::{
    numbers::percent,
    text,
    verdict::{advice, epoch, lines as lines_of, phase_meaning, phase_name, sentence, severity},
};

use crate::{
    args::Level,
    failure::{Failure, Result},
    terminal::{numbers, paint, table, words},
};

/// Writes a line for a notice during training. A phase that starts no later than the previously
/// reported one corrects that report.
pub(crate) fn notice(notice: &Notice, previous_start: Option<f64>) -> String {
    match notice {
        Notice::Phase(phase) => {
            let (start, name) = (epoch(phase.start), phase_name(phase.name));
            let meaning = phase_meaning(phase.name);
            let line = if previous_start.is_some_and(|previous| phase.start <= previous) {
                text!("phase.begins_back", start = start, name = name, meaning = meaning)
            } else {
                text!("phase.begins", start = start, name = name, meaning = meaning)
            };
            paint(line).bold().to_string()
        }
        Notice::Verdict(verdict) => {
            let line = format!("{}: {}", severity(verdict.severity), sentence(verdict));
            let line = match verdict.severity {
                Severity::Info => paint(line),
                Severity::Warning => paint(line).yellow(),
                Severity::Error => paint(line).red(),
            };
            format!("{line} {}", advice(verdict))
        }
    }
}

/// Epochs of a phase: `3-7`, or `3` for a single one.
fn span(phase: &Phase) -> String {
    let (from, to) = (epoch(phase.start), epoch(phase.end));
    if from == to { from } else { format!("{from}-{to}") }
}

/// Writes the diagnosis of a training for people. "Nothing is wrong" is reported only of a network
/// that has `learnt` something.
pub(crate) fn report(diagnosis: &Diagnosis, learnt: bool) -> String {
    let Diagnosis { phases, verdicts, .. } = diagnosis;
    let mut lines = Vec::new();
    // Without a training loss, its decrease cannot be reported.
    let alone = verdicts.iter().any(|verdict| {
        verdict.name == VerdictName::OverFitting && !verdict.evidence.contains_key("train_loss_now")
    });
    if phases.is_empty() {
        lines.push(text!("phase.none"));
    } else {
        let head = [
            numbers(text!("phase.epochs")),
            words(text!("phase.phase")),
            numbers(text!("phase.certainty")),
            words(""),
        ];
        let row = |phase: &Phase| {
            vec![
                span(phase),
                phase_name(phase.name),
                percent(phase.certainty),
                if phase.name == PhaseName::Specialisation && alone {
                    text!("phase.specialisation_alone_is")
                } else {
                    phase_meaning(phase.name)
                },
            ]
        };
        lines.push(table(&head, &phases.iter().map(row).collect::<Vec<_>>()));
    }
    let three = [PhaseName::FastLearning, PhaseName::FineTuning, PhaseName::Specialisation];
    let present = |name: &PhaseName| phases.iter().any(|phase| phase.name == *name);
    let absent: Vec<String> =
        three.into_iter().filter(|name| !present(name)).map(phase_name).collect();
    if !absent.is_empty() && !phases.is_empty() {
        lines.push(text!("phase.absent", names = absent.join(", ")));
    }
    let specialisation = phases.iter().find(|phase| phase.name == PhaseName::Specialisation);
    match specialisation {
        Some(phase) if verdicts.is_empty() && learnt => {
            lines.push(text!("verdict.none_yet", start = epoch(phase.start)));
        }
        None if verdicts.is_empty() && learnt => lines.push(text!("verdict.none")),
        _ => {}
    }
    lines.extend(lines_of(verdicts));
    lines.join("\n")
}

/// Checks the verdicts against the level of `--fail-on`.
///
/// # Errors
/// When a verdict reaches it: exit code 1 without a message, as the verdicts are already printed.
pub(crate) fn fail_on(level: Option<Level>, verdicts: &[Verdict]) -> Result<()> {
    let limit = match level {
        None => return Ok(()),
        Some(Level::Warning) => Severity::Warning,
        Some(Level::Error) => Severity::Error,
    };
    let fails = verdicts.iter().any(|verdict| verdict.severity >= limit);
    if fails { Err(Failure::silent(1)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use klubok::train::event::Evidence;
    use klubok_text::{Lang, in_language};

    use super::*;

    #[test]
    fn a_phase_before_the_last_reported_one_is_reported_in_hindsight() {
        let phase = |start| Phase {
            name: PhaseName::Specialisation,
            start,
            end: 9.0,
            certainty: 0.9,
            evidence: Evidence::new(),
        };
        let line = |start, previous| {
            in_language(Lang::En, || notice(&Notice::Phase(phase(start)), previous))
        };
        assert!(line(4.0, None).contains("Since epoch 4:"));
        assert!(line(4.0, Some(2.0)).contains("Since epoch 4:"));
        assert!(line(4.0, Some(6.0)).contains("In hindsight, since epoch 4:"));
    }
}
