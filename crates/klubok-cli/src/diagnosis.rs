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

/// A line for what was noticed during training. A phase that began no later than the one `before`
/// takes its place: that was said too early.
pub(crate) fn notice(notice: &Notice, before: Option<f64>) -> String {
    match notice {
        Notice::Phase(phase) => {
            let (start, name) = (epoch(phase.start), phase_name(phase.name));
            let meaning = phase_meaning(phase.name);
            let line = if before.is_some_and(|before| phase.start <= before) {
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

/// Epochs of a phase; of one alone, that one.
fn span(phase: &Phase) -> String {
    let (from, to) = (epoch(phase.start), epoch(phase.end));
    if from == to { from } else { format!("{from}-{to}") }
}

/// All that can be said of a training, for a person. Of one that has not `learnt` anything, it is
/// not said that nothing is wrong.
pub(crate) fn report(diagnosis: &Diagnosis, learnt: bool) -> String {
    let Diagnosis { phases, verdicts, .. } = diagnosis;
    let mut lines = Vec::new();
    // Where no training loss is known, it does not fall.
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
    let seen = |name: &PhaseName| phases.iter().any(|phase| phase.name == *name);
    let absent: Vec<String> = three.into_iter().filter(|of| !seen(of)).map(phase_name).collect();
    if !absent.is_empty() && !phases.is_empty() {
        lines.push(text!("phase.absent", names = absent.join(", ")));
    }
    let rises = phases.iter().find(|phase| phase.name == PhaseName::Specialisation);
    match rises {
        Some(rise) if verdicts.is_empty() && learnt => {
            lines.push(text!("verdict.none_yet", start = epoch(rise.start)));
        }
        None if verdicts.is_empty() && learnt => lines.push(text!("verdict.none")),
        _ => {}
    }
    lines.extend(lines_of(verdicts));
    lines.join("\n")
}

/// Fails when a verdict is as bad as `--fail-on` says.
///
/// # Errors
/// Without a word, as the verdicts have been told, and with exit code 1.
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
    fn a_phase_that_began_before_the_last_one_is_said_looking_back() {
        let phase = |start| Phase {
            name: PhaseName::Specialisation,
            start,
            end: 9.0,
            certainty: 0.9,
            evidence: Evidence::new(),
        };
        let said =
            |start, before| in_language(Lang::En, || notice(&Notice::Phase(phase(start)), before));
        assert!(said(4.0, None).contains("Since epoch 4:"));
        assert!(said(4.0, Some(2.0)).contains("Since epoch 4:"));
        assert!(said(4.0, Some(6.0)).contains("Looking back, since epoch 4 already:"));
    }
}
