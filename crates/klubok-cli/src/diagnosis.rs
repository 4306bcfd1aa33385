//! Phases and verdicts in words.

use klubok::{
    observe::Diagnosis,
    train::event::{Notice, Phase, PhaseName, Severity, Verdict, VerdictName},
};

use serde::Serialize;

use crate::{
    args::Level,
    failure::{Failure, Result},
    findings,
    terminal::{accuracy_and_chance, numbers, paint, percent, table, words},
    text::{Both, both, text},
};

/// Share of the weights that a step usually changes (Karpathy): below it a limit is one of too
/// little.
const USUAL_UPDATE: f64 = 1e-3;

/// What a phase is called.
fn name(phase: PhaseName) -> String {
    match phase {
        PhaseName::FastLearning => text!("phase.fast_learning"),
        PhaseName::FineTuning => text!("phase.fine_tuning"),
        PhaseName::Specialisation => text!("phase.specialisation"),
        PhaseName::Converged => text!("phase.converged"),
        PhaseName::Underfitting => text!("phase.underfitting"),
        PhaseName::Diverging => text!("phase.diverging"),
    }
}

/// What happens in a phase, in one sentence.
fn meaning(phase: PhaseName) -> String {
    match phase {
        PhaseName::FastLearning => text!("phase.fast_learning_is"),
        PhaseName::FineTuning => text!("phase.fine_tuning_is"),
        PhaseName::Specialisation => text!("phase.specialisation_is"),
        PhaseName::Converged => text!("phase.converged_is"),
        PhaseName::Underfitting => text!("phase.underfitting_is"),
        PhaseName::Diverging => text!("phase.diverging_is"),
    }
}

/// A verdict with its numbers, without what to try.
fn sentence(verdict: &Verdict) -> String {
    let of = |key: &str| verdict.evidence.get(key).copied();
    let loss = |key: &str| of(key).map_or_else(|| text!("verdict.no_number"), digits);
    let share = |key: &str| of(key).map_or_else(|| "-".to_owned(), percent);
    let since = epoch(verdict.since);
    match verdict.name {
        VerdictName::OverFitting => {
            let (lowest, now, rise) =
                (loss("val_loss_lowest"), loss("val_loss_now"), share("rise"));
            let sentence = if of("train_loss_now").is_some() {
                text!(
                    "verdict.over_fitting",
                    since = since,
                    lowest = lowest,
                    now = now,
                    rise = rise
                )
            } else {
                text!(
                    "verdict.over_fitting_alone",
                    since = since,
                    lowest = lowest,
                    now = now,
                    rise = rise
                )
            };
            // What others keep is not known.
            let kept = verdict.try_.starts_with("--").then(|| text!("verdict.best_kept"));
            [Some(sentence), kept].into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
        VerdictName::LossNotANumber if of("val_loss_now").is_some() => {
            text!("verdict.train_not_a_number", since = since, now = loss("val_loss_now"))
        }
        VerdictName::LossNotANumber => {
            text!("verdict.val_not_a_number", since = since, now = loss("train_loss_now"))
        }
        VerdictName::OverConfidence => text!(
            "verdict.over_confidence",
            since = since,
            lowest = loss("val_loss_lowest"),
            now = loss("val_loss_now"),
            points = points(verdict)
        ),
        VerdictName::UnderFitting => text!(
            "verdict.under_fitting",
            since = since,
            now = loss("loss_now"),
            first = loss("loss_first")
        ),
        VerdictName::Diverging => text!("verdict.diverging", since = since, now = loss("loss_now")),
        VerdictName::LearningRateTooHigh => text!(
            "verdict.learning_rate_too_high",
            since = since,
            lowest = loss("loss_lowest"),
            now = loss("loss_now")
        ),
        VerdictName::OscillatingLoss => {
            text!("verdict.oscillating_loss", since = since, jitter = share("jitter"))
        }
        VerdictName::LearningRateTooLow => text!(
            "verdict.learning_rate_too_low",
            first = loss("fall_per_epoch_first"),
            last = loss("fall_per_epoch_last")
        ),
        VerdictName::SlowConvergence => {
            text!("verdict.slow_convergence", since = since, fall = share("fall"))
        }
        VerdictName::LabelsLookShuffled if of("train_loss_now").is_some() => text!(
            "verdict.labels_look_shuffled",
            since = since,
            first = loss("train_loss_chance"),
            now = loss("train_loss_now"),
            accuracy = guessing(verdict)
        ),
        VerdictName::PredictionsIgnoreInput => text!(
            "verdict.predictions_ignore_input",
            since = since,
            spread = share("prediction_spread"),
            now = loss("loss_now")
        ),
        VerdictName::DeadUnits
        | VerdictName::SaturatedUnits
        | VerdictName::VanishingGradients
        | VerdictName::ExplodingGradients
        | VerdictName::UpdateRatio
        | VerdictName::LearningRateKillsNetwork => of_layers(verdict, &since),
        _ => findings::sentence(verdict),
    }
}

/// A verdict on layers, with the figure of each layer that it is about.
fn of_layers(verdict: &Verdict, since: &str) -> String {
    let of = |key: &str| verdict.evidence.get(key).copied().unwrap_or(f64::NAN);
    match verdict.name {
        VerdictName::DeadUnits => {
            text!("verdict.dead_units", since = since, layers = layers(verdict, percent))
        }
        VerdictName::SaturatedUnits => {
            text!("verdict.saturated_units", since = since, layers = layers(verdict, percent))
        }
        VerdictName::VanishingGradients => {
            text!("verdict.vanishing_gradients", since = since, layers = layers(verdict, digits))
        }
        VerdictName::ExplodingGradients => text!(
            "verdict.exploding_gradients",
            since = since,
            times = format!("{:.0}", of("times_first")),
            layers = layers(verdict, digits)
        ),
        VerdictName::LearningRateKillsNetwork => text!(
            "verdict.learning_rate_kills_network",
            since = since,
            layers = layers(verdict, percent),
            now = digits(of("loss_now"))
        ),
        _ if of("limit") < USUAL_UPDATE => {
            text!("verdict.update_ratio_small", since = since, layers = layers(verdict, digits))
        }
        _ => text!("verdict.update_ratio_large", since = since, layers = layers(verdict, digits)),
    }
}

/// `hidden1 95 %, hidden2 60 %`: the layers of a verdict, in the order of the network.
fn layers(verdict: &Verdict, shown: impl Fn(f64) -> String) -> String {
    let number = |name: &str| match name.strip_prefix("hidden") {
        Some(number) => number.parse::<usize>().ok(),
        None => (name == "output").then_some(usize::MAX),
    };
    let mut layers: Vec<(usize, String)> = Vec::new();
    for (name, &figure) in &verdict.evidence {
        layers.extend(number(name).map(|n| (n, format!("{name} {}", shown(figure)))));
    }
    layers.sort();
    layers.into_iter().map(|(_, layer)| layer).collect::<Vec<_>>().join(", ")
}

/// The accuracy on validation beside guessing.
fn guessing(verdict: &Verdict) -> String {
    let of = |key: &str| verdict.evidence.get(key).copied().unwrap_or(f64::NAN);
    accuracy_and_chance(of("val_accuracy"), of("val_samples") as usize, of("chance"))
}

/// A line for what was noticed during training.
pub(crate) fn notice(notice: &Notice) -> String {
    match notice {
        Notice::Phase(phase) => {
            let line = text!(
                "phase.begins",
                start = epoch(phase.start),
                name = name(phase.name),
                meaning = meaning(phase.name)
            );
            paint(line).bold().to_string()
        }
        Notice::Verdict(verdict) => {
            let line = format!("{}: {}", severity(verdict.severity), sentence(verdict));
            let line = match verdict.severity {
                Severity::Info => paint(line),
                Severity::Warning => paint(line).yellow(),
                Severity::Error => paint(line).red(),
            };
            format!("{line} {}", remedy(verdict))
        }
    }
}

/// All that can be said of a training, for a person.
pub(crate) fn report(diagnosis: &Diagnosis) -> String {
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
                format!("{}-{}", epoch(phase.start), epoch(phase.end)),
                name(phase.name),
                percent(phase.certainty),
                if phase.name == PhaseName::Specialisation && alone {
                    text!("phase.specialisation_alone_is")
                } else {
                    meaning(phase.name)
                },
            ]
        };
        lines.push(table(&head, &phases.iter().map(row).collect::<Vec<_>>()));
    }
    let three = [PhaseName::FastLearning, PhaseName::FineTuning, PhaseName::Specialisation];
    let seen = |name: &PhaseName| phases.iter().any(|phase| phase.name == *name);
    let absent: Vec<String> = three.into_iter().filter(|of| !seen(of)).map(name).collect();
    if !absent.is_empty() {
        lines.push(text!("phase.absent", names = absent.join(", ")));
    }
    if verdicts.is_empty() {
        lines.push(text!("verdict.none"));
    }
    lines.extend(self::lines(verdicts));
    lines.join("\n")
}

/// A verdict as the page is told it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Told {
    #[serde(flatten)]
    verdict: Verdict,
    /// What is wrong, with its numbers.
    sentence: Both,
    /// What to do about it.
    advice: Both,
}

/// A verdict in every language.
pub(crate) fn told(verdict: Verdict) -> Told {
    let (sentence, advice) = (both(|| sentence(&verdict)), both(|| remedy(&verdict)));
    Told { verdict, sentence, advice }
}

/// Two lines a verdict: what is wrong, and what to try.
pub(crate) fn lines(verdicts: &[Verdict]) -> Vec<String> {
    let two = |verdict: &Verdict| {
        let first = format!("{}: {}", severity(verdict.severity), sentence(verdict));
        [first, format!("  {}", remedy(verdict))]
    };
    verdicts.iter().flat_map(two).collect()
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

/// What to try, or what to do with the data where no setting helps.
fn remedy(verdict: &Verdict) -> String {
    if verdict.try_.is_empty() {
        return findings::advice(verdict.name);
    }
    text!("verdict.try", arguments = verdict.try_)
}

/// What to try where another program trains: the same as klubok's settings, in its own words.
pub(crate) fn general_advice(verdict: VerdictName) -> String {
    match verdict {
        VerdictName::Diverging => text!("advice.diverging"),
        VerdictName::LearningRateTooHigh => text!("advice.learning_rate_too_high"),
        VerdictName::OverFitting => text!("advice.over_fitting"),
        VerdictName::OverConfidence => text!("advice.over_confidence"),
        VerdictName::UnderFitting => text!("advice.under_fitting"),
        VerdictName::OscillatingLoss => text!("advice.oscillating_loss"),
        VerdictName::LearningRateTooLow => text!("advice.learning_rate_too_low"),
        VerdictName::SlowConvergence => text!("advice.slow_convergence"),
        VerdictName::LossNotANumber => text!("advice.not_a_number"),
        // The others are said of layers and of data, which only klubok's own runs tell of.
        _ => String::new(),
    }
}

/// By how many points of a hundred the accuracy rose.
fn points(verdict: &Verdict) -> String {
    let of = |key: &str| verdict.evidence.get(key).copied().unwrap_or(f64::NAN);
    format!("{:.1}", 100.0 * (of("val_accuracy_now") - of("val_accuracy_then")))
}

fn severity(severity: Severity) -> String {
    match severity {
        Severity::Info => text!("verdict.info"),
        Severity::Warning => text!("verdict.warning"),
        Severity::Error => text!("verdict.error"),
    }
}

/// `7`, `0.4`: an epoch, with at most two digits of its fraction.
pub(crate) fn epoch(epoch: f64) -> String {
    format!("{epoch:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A loss with the digits that count.
fn digits(loss: f64) -> String {
    match loss.abs() {
        0.01..1000.0 => format!("{loss:.3}"),
        _ => format!("{loss:.1e}"),
    }
}
