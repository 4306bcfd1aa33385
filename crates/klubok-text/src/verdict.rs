//! Phases and verdicts in words.

use klubok::train::event::{PhaseName, Severity, Verdict, VerdictName};
use serde::Serialize;

use crate::{
    catalogue::{Bilingual, bilingual},
    figures::{Figures, digits},
    findings,
    numbers::{accuracy_and_chance, decimal, percent},
    text,
};

/// Usual share of the weights that a step changes (Karpathy). A limit below it is a lower limit.
const USUAL_UPDATE: f64 = 1e-3;

/// Name of a phase.
pub fn phase_name(phase: PhaseName) -> String {
    match phase {
        PhaseName::FastLearning => text!("phase.fast_learning"),
        PhaseName::FineTuning => text!("phase.fine_tuning"),
        PhaseName::Specialisation => text!("phase.specialisation"),
        PhaseName::Converged => text!("phase.converged"),
        PhaseName::Underfitting => text!("phase.underfitting"),
        PhaseName::Diverging => text!("phase.diverging"),
    }
}

/// Describes a phase in one sentence.
pub fn phase_meaning(phase: PhaseName) -> String {
    match phase {
        PhaseName::FastLearning => text!("phase.fast_learning_is"),
        PhaseName::FineTuning => text!("phase.fine_tuning_is"),
        PhaseName::Specialisation => text!("phase.specialisation_is"),
        PhaseName::Converged => text!("phase.converged_is"),
        PhaseName::Underfitting => text!("phase.underfitting_is"),
        PhaseName::Diverging => text!("phase.diverging_is"),
    }
}

/// Writes a verdict with its figures, or without any if one is missing; no advice.
pub fn sentence(verdict: &Verdict) -> String {
    let figures = Figures::new(verdict);
    let sentence = with_figures(verdict, &figures);
    if figures.are_missing() { findings::plain(verdict.name) } else { sentence }
}

fn with_figures(verdict: &Verdict, of: &Figures<'_>) -> String {
    let since = epoch(verdict.since);
    match verdict.name {
        VerdictName::OverFitting => over_fitting(&since, verdict, of),
        VerdictName::LossNotANumber if of.has("val_loss_now") => {
            text!("verdict.train_not_a_number", since = since, now = of.loss("val_loss_now"))
        }
        VerdictName::LossNotANumber => {
            text!("verdict.val_not_a_number", since = since, now = of.loss("train_loss_now"))
        }
        VerdictName::OverConfidence => over_confidence(&since, of),
        VerdictName::UnderFitting if of.has("samples") => findings::sentence(verdict, of),
        VerdictName::UnderFitting => text!(
            "verdict.under_fitting",
            since = since,
            now = of.loss("loss_now"),
            first = of.loss("loss_first")
        ),
        VerdictName::Diverging if of.has("loss_now") => {
            text!("verdict.diverging", since = since, now = of.loss("loss_now"))
        }
        VerdictName::Diverging => text!("verdict.diverging_no_number", since = since),
        VerdictName::LearningRateTooHigh => too_high(&since, verdict, of),
        VerdictName::OscillatingLoss => {
            text!("verdict.oscillating_loss", since = since, jitter = of.share("jitter"))
        }
        VerdictName::LearningRateTooLow => too_low(verdict, of),
        VerdictName::SlowConvergence => {
            text!("verdict.slow_convergence", since = since, fall = of.share("fall"))
        }
        VerdictName::LabelsLookShuffled if of.has("train_loss_now") => {
            memorised(&since, verdict, of)
        }
        VerdictName::PredictionsIgnoreInput => text!(
            "verdict.predictions_ignore_input",
            since = since,
            spread = of.share("prediction_spread"),
            now = of.loss("loss_now")
        ),
        VerdictName::DeadUnits
        | VerdictName::SaturatedUnits
        | VerdictName::VanishingGradients
        | VerdictName::ExplodingGradients
        | VerdictName::UpdateRatio
        | VerdictName::LearningRateKillsNetwork => of_layers(verdict.name, of, &since),
        _ => findings::sentence(verdict, of),
    }
}

/// A learning rate that is too high: found before training, or by a loss that recovered, grew or is
/// no longer finite.
fn too_high(since: &str, verdict: &Verdict, of: &Figures<'_>) -> String {
    if of.has("exploded_at") {
        return findings::sentence(verdict, of);
    }
    if of.has("loss_highest") {
        return text!(
            "verdict.learning_rate_too_high_came_back",
            first = of.loss("loss_first"),
            highest = of.loss("loss_highest"),
            now = of.loss("loss_now")
        );
    }
    let lowest = of.loss("loss_lowest");
    if of.has("loss_now") {
        let now = of.loss("loss_now");
        return text!("verdict.learning_rate_too_high", since = since, lowest = lowest, now = now);
    }
    text!("verdict.learning_rate_too_high_no_number", since = since, lowest = lowest)
}

/// A learning rate that is too low: found before training, or by a loss that decreases steadily or
/// hardly at all.
fn too_low(verdict: &Verdict, of: &Figures<'_>) -> String {
    if of.has("learning_rate") {
        return findings::sentence(verdict, of);
    }
    if of.has("fall_per_epoch_first") {
        return text!(
            "verdict.learning_rate_too_low",
            first = of.loss("fall_per_epoch_first"),
            last = of.loss("fall_per_epoch_last")
        );
    }
    let (first, now) = (of.get("loss_first"), of.get("loss_now"));
    // Enough digits to show the decrease.
    let both = |digits: usize| [first, now].map(|loss| decimal(format_args!("{loss:.digits$}")));
    let has_decreased = now < first;
    match (3..=6).map(both).find(|[first, now]| has_decreased && first != now) {
        Some([first, now]) => {
            text!("verdict.learning_rate_too_low_in_all", first = first, now = now)
        }
        None => text!("verdict.learning_rate_too_low_stays", now = digits(now)),
    }
}

/// A verdict on layers, with the figure of each affected layer.
fn of_layers(name: VerdictName, of: &Figures<'_>, since: &str) -> String {
    match name {
        VerdictName::DeadUnits => {
            text!("verdict.dead_units", since = since, layers = of.layers(percent))
        }
        VerdictName::SaturatedUnits => {
            text!("verdict.saturated_units", since = since, layers = of.layers(percent))
        }
        VerdictName::VanishingGradients => {
            text!("verdict.vanishing_gradients", since = since, layers = of.layers(digits))
        }
        VerdictName::ExplodingGradients => text!(
            "verdict.exploding_gradients",
            since = since,
            times = format!("{:.0}", of.get("times_first")),
            layers = of.layers(digits)
        ),
        VerdictName::LearningRateKillsNetwork => text!(
            "verdict.learning_rate_kills_network",
            since = since,
            layers = of.layers(percent),
            now = of.loss("loss_now")
        ),
        _ if of.get("limit") < USUAL_UPDATE => {
            text!("verdict.update_ratio_small", since = since, layers = of.layers(digits))
        }
        _ => text!("verdict.update_ratio_large", since = since, layers = of.layers(digits)),
    }
}

fn over_fitting(since: &str, verdict: &Verdict, of: &Figures<'_>) -> String {
    let (lowest, now) = (of.loss("val_loss_lowest"), of.loss("val_loss_now"));
    let rise = of.share("rise");
    let sentence = if of.has("train_loss_now") {
        text!("verdict.over_fitting", since = since, lowest = lowest, now = now, rise = rise)
    } else {
        text!("verdict.over_fitting_alone", since = since, lowest = lowest, now = now, rise = rise)
    };
    let calibrated = of.has("val_loss_calibrated_now").then(|| after_temperature(of));
    // Other programs may not keep the best weights.
    let kept = is_by_klubok(verdict).then(|| text!("verdict.best_kept"));
    [Some(sentence), calibrated, kept].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn over_confidence(since: &str, of: &Figures<'_>) -> String {
    let (lowest, now) = (of.loss("val_loss_lowest"), of.loss("val_loss_now"));
    let gain = of.get("val_accuracy_now") - of.get("val_accuracy_then");
    let calibrated = ["val_loss_calibrated_then", "val_loss_calibrated_now"];
    let has_calibrated = calibrated.iter().all(|key| of.has(key));
    // A gain in accuracy explains the verdict best. But the verdict can outlast the gain.
    if gain <= 0.0 && has_calibrated {
        let [then, later] = calibrated.map(|key| of.loss(key));
        return text!(
            "verdict.over_confidence_calibrated",
            since = since,
            lowest = lowest,
            now = now,
            then = then,
            later = later
        );
    }
    let points = decimal(format_args!("{:.1}", 100.0 * gain));
    let sentence = text!(
        "verdict.over_confidence",
        since = since,
        lowest = lowest,
        now = now,
        points = points
    );
    let calibrated = has_calibrated.then(|| after_temperature(of));
    [Some(sentence), calibrated].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The validation loss after the best temperature.
fn after_temperature(of: &Figures<'_>) -> String {
    text!(
        "verdict.after_temperature",
        then = of.loss("val_loss_calibrated_then"),
        now = of.loss("val_loss_calibrated_now")
    )
}

/// A verdict with its sentences in both languages, for the page.
#[derive(Debug, Clone, Serialize)]
pub struct VerdictText {
    #[serde(flatten)]
    verdict: Verdict,
    /// What is wrong, with figures.
    sentence: Bilingual,
    /// What to do.
    advice: Bilingual,
}

impl VerdictText {
    /// Writes the sentences of a verdict.
    pub fn new(verdict: Verdict) -> Self {
        let (sentence, advice) = (bilingual(|| sentence(&verdict)), bilingual(|| advice(&verdict)));
        Self { verdict, sentence, advice }
    }
}

/// Writes two lines for each verdict: what is wrong, and what to try.
pub fn lines(verdicts: &[Verdict]) -> Vec<String> {
    let two = |verdict: &Verdict| {
        let first = format!("{}: {}", severity(verdict.severity), sentence(verdict));
        [first, format!("  {}", advice(verdict))]
    };
    verdicts.iter().flat_map(two).collect()
}

/// Memorising without generalisation: shuffled labels, or too few samples.
fn memorised(since: &str, verdict: &Verdict, of: &Figures<'_>) -> String {
    let (first, now) = (of.loss("train_loss_chance"), of.loss("train_loss_now"));
    let samples = of.get("val_samples") as usize;
    let accuracy = accuracy_and_chance(of.get("val_accuracy"), samples, of.get("chance"));
    if verdict.more_samples {
        text!("verdict.few_by_heart", since = since, first = first, now = now, accuracy = accuracy)
    } else {
        text!(
            "verdict.labels_look_shuffled",
            since = since,
            first = first,
            now = now,
            accuracy = accuracy
        )
    }
}

/// Advises settings to try, or what to do with the data where no setting helps.
pub fn advice(verdict: &Verdict) -> String {
    match (verdict.more_samples, verdict.try_.is_empty()) {
        (true, true) => text!("verdict.more_samples"),
        (true, false) => {
            let then = text!("verdict.try_then", arguments = verdict.try_);
            [text!("verdict.more_samples"), then].join(" ")
        }
        (false, true) => findings::advice(verdict.name),
        (false, false) => text!("verdict.try", arguments = verdict.try_),
    }
}

/// Whether the verdict is on a training by klubok: its advice is then settings or samples.
fn is_by_klubok(verdict: &Verdict) -> bool {
    !verdict.changes.is_empty() || verdict.more_samples
}

/// Advises in general terms, for trainings by other programs.
pub fn general_advice(verdict: VerdictName) -> String {
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
        // The others are on layers and data, known only of klubok's own runs.
        _ => String::new(),
    }
}

/// Word for a severity.
pub fn severity(severity: Severity) -> String {
    match severity {
        Severity::Info => text!("verdict.info"),
        Severity::Warning => text!("verdict.warning"),
        Severity::Error => text!("verdict.error"),
    }
}

/// Formats an epoch with at most two decimals: `7`, `0.4`.
pub fn epoch(epoch: f64) -> String {
    decimal(format!("{epoch:.2}").trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use klubok::train::event::Evidence;

    use super::*;
    use crate::catalogue::{Lang, in_language};

    /// Every figure that a sentence uses.
    const KEYS: [&str; 47] = [
        "hidden1",
        "output",
        "limit",
        "times_first",
        "loss_now",
        "loss_first",
        "loss_lowest",
        "loss_highest",
        "train_loss_now",
        "train_loss_then",
        "val_loss_now",
        "val_loss_lowest",
        "rise",
        "val_loss_calibrated_then",
        "val_loss_calibrated_now",
        "val_accuracy",
        "val_accuracy_now",
        "val_accuracy_then",
        "val_samples",
        "chance",
        "train_loss_chance",
        "jitter",
        "fall",
        "fall_per_epoch_first",
        "fall_per_epoch_last",
        "prediction_spread",
        "samples",
        "steps",
        "loss",
        "expected",
        "accuracy",
        "wide_accuracy",
        "narrowest",
        "smallest_class",
        "largest_class",
        "inputs",
        "nearly_constant",
        "share",
        "val_in_train",
        "val_share",
        "test_in_train",
        "test_share",
        "neighbours_agree",
        "neighbours_by_chance",
        "exploded_at",
        "learning_rate",
        "proposed",
    ];

    fn verdict(name: VerdictName, evidence: Evidence) -> Verdict {
        Verdict {
            name,
            severity: Severity::Warning,
            since: 3.0,
            evidence,
            meaning: String::new(),
            try_: String::new(),
            changes: Vec::new(),
            more_samples: false,
            source: String::new(),
        }
    }

    /// Other programs look for these words.
    #[test]
    fn the_words_of_the_contract_stay() {
        let text = in_language(Lang::En, || {
            let likely = text!("verdict.over_fitting", since = 3, lowest = 1, now = 2, rise = 1);
            [likely, text!("phase.specialisation"), accuracy_and_chance(0.58, 1000, 0.5)].join("; ")
        });
        let words =
            ["Over-fitting is likely since", "over-fitting likely", "58 % ± 3", "guessing 50 %"];
        assert!(words.iter().all(|words| text.contains(words)), "{text}");
    }

    #[test]
    fn missing_and_infinite_figures_never_reach_a_sentence() {
        let all = |figure: &dyn Fn(&str) -> Option<f64>| -> Evidence {
            KEYS.iter().filter_map(|key| Some(((*key).to_owned(), figure(key)?))).collect()
        };
        let mut cases = vec![all(&|_| None), all(&|_| Some(f64::NAN)), all(&|_| Some(0.4))];
        for wrong in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            for one in KEYS {
                cases.push(all(&|key| if key == one { wrong } else { Some(0.4) }));
                cases.push(all(&|key| if key == one { Some(0.4) } else { wrong }));
            }
        }
        for (name, evidence) in VerdictName::ALL
            .into_iter()
            .flat_map(|name| cases.iter().map(move |evidence| (name, evidence)))
        {
            let verdict = verdict(name, evidence.clone());
            for lang in [Lang::En, Lang::Ru] {
                let text =
                    in_language(lang, || format!("{} {}", sentence(&verdict), advice(&verdict)));
                let wrong = ["NaN", "inf", "no number", "не число", "{", ": .", " - ", "  "];
                let found = wrong.iter().find(|wrong| text.contains(**wrong));
                // This verdict is about a loss that is no number.
                let may_name_it = name == VerdictName::LossNotANumber;
                assert!(found.is_none() || may_name_it, "{name:?}: {text}");
                assert!(text.len() > 20 && !text.contains("plain."), "{name:?}: {text}");
                let is_point = |three: &[u8]| {
                    three[1] == b'.' && [three[0], three[2]].iter().all(u8::is_ascii_digit)
                };
                let has_point = text.as_bytes().windows(3).any(is_point);
                assert!(lang == Lang::En || !has_point, "{name:?}: {text}");
            }
        }
    }
}
