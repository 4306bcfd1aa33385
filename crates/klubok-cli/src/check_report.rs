//! The report of `klubok check`: JSON for programs; for people facts with a mark each, the curve of
//! the learning-rate range test, and the verdicts.

use klubok::{
    check::{
        Findings, baselines::Baselines, noise_scale::NoiseScale, permutation_test::PermutationTest,
        range_test::RangeTest, summary::NetworkSummary,
    },
    config::{Config, TargetKind},
    data::{
        Dataset, Sizes,
        survey::{Copies, Survey},
    },
    train::event::{Severity, Verdict, VerdictName},
};
use klubok_text::{
    numbers::{accuracy, decimal, duration, percent, rate, thousands},
    shell, text, verdict,
};
use serde::Serialize;

use crate::{
    curve, loading,
    terminal::{Fact, Mark, heading, numbers, table, words},
};

/// Largest number of classes for which the table of classes is printed.
const MAX_CLASS_ROWS: usize = 12;
/// Width and height of the curve, in characters.
const CURVE_SIZE: (usize, usize) = (60, 6);
/// The curve is clipped at this multiple of the first loss: an exploding loss would flatten the
/// rest.
const CURVE_CEILING: f64 = 1.3;

/// The JSON object of `klubok check`.
#[derive(Debug, Serialize)]
pub(crate) struct CheckReport {
    /// Original sizes of the pictures, if the data is pictures.
    pub(crate) pictures: Option<Sizes>,
    /// Estimated training time.
    pub(crate) time: Time,
    /// Findings of the experiments.
    #[serde(flatten)]
    pub(crate) findings: Findings,
}

/// Training time on this machine, from a few measured steps.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Time {
    /// Median step time in milliseconds.
    pub(crate) ms_per_step: f64,
    /// Steps of an epoch.
    pub(crate) steps_per_epoch: u64,
    /// Seconds an epoch, without evaluation.
    pub(crate) seconds_per_epoch: f64,
}

/// Writes the report, section by section. `flags` give a training the same settings.
pub(crate) fn report(
    source: &str,
    flags: &str,
    config: &Config,
    data: &Dataset,
    checked: &CheckReport,
) -> Vec<Fact> {
    let CheckReport { pictures, time, findings } = checked;
    let verdicts = &findings.verdicts;
    let mark = |names: &[VerdictName]| mark(verdicts, names);
    let (name, samples) = (shell::shown(source), thousands(findings.data.samples.total()));
    let outputs = thousands(data.outputs.len());
    let head = match findings.data.target {
        TargetKind::Class => {
            text!("check.head", name = name, samples = samples, classes = outputs)
        }
        TargetKind::Label => {
            text!("check.head_labels", name = name, samples = samples, labels = outputs)
        }
        TargetKind::Number => {
            text!("check.head_numbers", name = name, samples = samples, numbers = outputs)
        }
    };
    let mut lines = vec![heading(head), Fact::plain("")];
    lines.extend(data_facts(&findings.data, *pictures, &mark));
    lines.push(Fact::plain(""));
    lines.push(heading(text!("check.network")));
    lines.push(Fact::plain(card(&findings.network)));
    lines.push(times(&findings.network, *time, config.train.epochs));
    lines.push(Fact::plain(""));
    lines.push(heading(text!("check.learning")));
    lines.extend(learning_facts(checked, data.outputs.len(), &mark));
    lines.push(noise(findings.gradient_noise.as_ref(), config.train.batch_size));
    let rates = [VerdictName::LearningRateTooHigh, VerdictName::LearningRateTooLow];
    lines.extend(range_test(&findings.learning_rate, mark(&rates)));
    lines.push(Fact::plain(""));
    if verdicts.is_empty() {
        let source = shell::quoted(&shell::shown(source));
        lines.push(Fact::plain(text!("check.nothing_wrong", source = source, flags = flags)));
    } else {
        lines.push(heading(text!("check.verdicts")));
        lines.extend(verdict::lines(verdicts).into_iter().map(Fact::plain));
    }
    lines
}

/// Returns the mark of a fact: the worst severity of the verdicts named `names`.
fn mark(verdicts: &[Verdict], names: &[VerdictName]) -> Mark {
    let about = verdicts.iter().filter(|verdict| names.contains(&verdict.name));
    match about.map(|verdict| verdict.severity).max() {
        None => Mark::Good,
        Some(Severity::Info) => Mark::Note,
        Some(Severity::Warning) => Mark::Warning,
        Some(Severity::Error) => Mark::Problem,
    }
}

fn data_facts(
    survey: &Survey,
    pictures: Option<Sizes>,
    mark: &dyn Fn(&[VerdictName]) -> Mark,
) -> Vec<Fact> {
    let mut facts = vec![heading(text!("check.data"))];
    if survey.classes.len() <= MAX_CLASS_ROWS {
        facts.push(Fact::plain(class_table(survey)));
    }
    let samples = |n: usize| thousands(n);
    let of_train = survey.classes.iter().map(|class| class.train);
    let (least, most) = (of_train.clone().min().unwrap_or(0), of_train.max().unwrap_or(0));
    let is_class = survey.target == TargetKind::Class;
    if is_class {
        let balance = if least == most {
            text!("check.balance_even", n = samples(least))
        } else {
            text!("check.balance_is", least = samples(least), most = samples(most))
        };
        let mark = mark(&[VerdictName::ClassImbalance]);
        facts.push(Fact::new(mark, text!("check.balance"), balance));
    }
    let smallest = survey.classes.iter().map(|class| class.train + class.val).min().unwrap_or(0);
    if is_class && pictures.is_some() && smallest < loading::ENOUGH_PER_CLASS {
        let few = text!("check.few_are", n = samples(smallest), enough = loading::ENOUGH_PER_CLASS);
        facts.push(Fact::new(Mark::Note, text!("check.few"), few));
    }
    if let Some(sizes) = pictures {
        facts.push(Fact::new(Mark::Note, text!("check.pictures"), sizes_sentence(sizes)));
    }
    let names = [VerdictName::DuplicatesAcrossParts, VerdictName::ContradictingLabels];
    let copies = copies_sentence(&survey.copies);
    facts.push(Fact::new(mark(&names), text!("check.copies"), copies));
    let inputs = text!(
        "check.inputs_are",
        n = samples(survey.inputs.values),
        constant = samples(survey.inputs.constant),
        nearly = samples(survey.inputs.nearly_constant),
        looked = samples(survey.inputs.looked_at)
    );
    let names = [VerdictName::ConstantInputs, VerdictName::InputNotNormalised];
    facts.push(Fact::new(mark(&names), text!("check.inputs"), inputs));
    facts
}

fn copies_sentence(copies: &Copies) -> String {
    if *copies == Copies::default() {
        return text!("check.no_copies");
    }
    let mut words = vec![text!(
        "check.copies_are",
        train = thousands(copies.within.train),
        val = thousands(copies.within.val),
        test = thousands(copies.within.test),
        across = thousands(copies.in_train.total()),
        contradicting = thousands(copies.contradicting)
    )];
    let pairs = copies.contradicting_names.iter().chain(&copies.in_train_names).take(3);
    let pairs: Vec<String> = pairs.map(|[a, b]| format!("{a} = {b}")).collect();
    if !pairs.is_empty() {
        words.push(text!("check.such_as", pairs = pairs.join(", ")));
    }
    words.join(" ")
}

fn class_table(survey: &Survey) -> String {
    let head = [
        words(match survey.target {
            TargetKind::Label => text!("check.label"),
            _ => text!("check.class"),
        }),
        numbers(text!("check.train")),
        numbers(text!("check.val")),
        numbers(text!("check.test")),
    ];
    let row = |name: &str, n: [usize; 3]| {
        let mut row = vec![name.to_owned()];
        row.extend(n.map(thousands));
        row
    };
    let classes = survey.classes.iter().map(|c| row(&c.class, [c.train, c.val, c.test]));
    let all = survey.samples;
    let all = row(&text!("check.all"), [all.train, all.val, all.test]);
    table(&head, &classes.chain([all]).collect::<Vec<_>>())
}

fn sizes_sentence(Sizes { smallest, median, largest, looked_at }: Sizes) -> String {
    let size = |[width, height]: [u32; 2]| format!("{width}x{height}");
    if smallest == largest {
        return text!("check.one_size", size = size(smallest), n = thousands(looked_at));
    }
    text!(
        "check.sizes",
        smallest = size(smallest),
        median = size(median),
        largest = size(largest),
        n = thousands(looked_at)
    )
}

fn card(card: &NetworkSummary) -> String {
    let head = [
        words(text!("check.layer")),
        numbers(text!("check.values")),
        numbers(text!("check.parameters")),
    ];
    let input = vec![text!("check.input"), thousands(card.inputs), "-".to_owned()];
    let layers = card.layers.iter().map(|layer| {
        vec![layer.name.clone(), thousands(layer.outputs), thousands(layer.parameters)]
    });
    let all = vec![text!("check.all"), String::new(), thousands(card.parameters)];
    table(&head, &[input].into_iter().chain(layers).chain([all]).collect::<Vec<_>>())
}

fn times(card: &NetworkSummary, time: Time, epochs: u64) -> Fact {
    let mib = |bytes: f64| thousands((bytes / f64::from(1 << 20)).ceil() as usize);
    let sentence = text!(
        "check.time_is",
        epoch = short_duration(time.seconds_per_epoch),
        steps = thousands(time.steps_per_epoch as usize),
        ms = decimal(format_args!(
            "{:.*}",
            usize::from(time.ms_per_step < 9.95) * 2,
            time.ms_per_step
        )),
        epochs = epochs,
        all = short_duration(time.seconds_per_epoch * epochs as f64),
        memory = mib(card.memory_bytes),
        data = mib(card.data_bytes)
    );
    Fact::new(Mark::Note, text!("check.time"), sentence)
}

fn learning_facts(
    checked: &CheckReport,
    classes: usize,
    mark: &dyn Fn(&[VerdictName]) -> Mark,
) -> Vec<Fact> {
    let findings = &checked.findings;
    let (start, target) = (findings.initial_loss, findings.data.target);
    let first = if start.loss.is_finite() {
        let (loss, expected) = (number(start.loss), number(start.expected));
        if target != TargetKind::Class {
            text!("check.initial_loss_values", loss = loss, expected = expected)
        } else if classes == 2 {
            text!("check.initial_loss_of_two", loss = loss, expected = expected)
        } else {
            text!("check.initial_loss_is", loss = loss, classes = classes, expected = expected)
        }
    } else {
        text!("check.initial_loss_none")
    };
    let batch = findings.one_batch;
    let memorised = if !batch.loss.is_finite() {
        text!("check.one_batch_none", n = batch.samples, steps = thousands(batch.steps as usize))
    } else if batch.learnt {
        text!(
            "check.one_batch_learnt",
            n = batch.samples,
            steps = thousands(batch.steps as usize),
            loss = number(batch.loss)
        )
    } else {
        text!(
            "check.one_batch_not_learnt",
            n = batch.samples,
            steps = thousands(batch.steps as usize),
            loss = number(batch.loss),
            right = batch.accuracy.map_or("-".to_owned(), percent)
        )
    };
    let gradients = findings.gradient_check;
    let checked_gradients = text!(
        "check.gradients_are",
        n = gradients.elements,
        worst = format!("{:.0e}", gradients.worst),
        device = format!("{:.0e}", gradients.device_worst)
    );
    let right = if gradients.passed { Mark::Good } else { Mark::Problem };
    let small = [VerdictName::NetworkTooSmall, VerdictName::UnderFitting];
    // A network that memorises a batch but is still too small lost to a baseline: its mark goes
    // there.
    let (batch_mark, baselines_mark) = match mark(&small) {
        mark if batch.learnt => (Mark::Good, if mark == Mark::Good { Mark::Note } else { mark }),
        Mark::Good => (Mark::Note, Mark::Note),
        mark => (mark, Mark::Note),
    };
    let reached = baselines_sentence(&findings.baselines);
    vec![
        Fact::new(mark(&[VerdictName::InitialLoss]), text!("check.initial_loss"), first),
        Fact::new(batch_mark, text!("check.one_batch"), memorised),
        Fact::new(right, text!("check.gradients"), checked_gradients),
        Fact::new(baselines_mark, text!("check.baselines"), reached),
        labels(&findings.labels, mark(&[VerdictName::LabelsLookShuffled])),
    ]
}

/// Compares the baselines, if they could be measured.
fn baselines_sentence(baselines: &Baselines) -> String {
    let Baselines { priors, linear, small_network, .. } = baselines;
    if !(priors.loss + linear.loss + small_network.loss).is_finite() {
        return text!("check.baselines_unknown");
    }
    let accuracies = [priors.accuracy, linear.accuracy, small_network.accuracy];
    let [Some(of_priors), Some(of_linear), Some(of_small)] = accuracies else {
        return text!(
            "check.baselines_losses",
            priors = number(priors.loss),
            linear = number(linear.loss),
            small = number(small_network.loss)
        );
    };
    text!(
        "check.baselines_are",
        priors = percent(of_priors),
        loss = number(priors.loss),
        linear = accuracy(of_linear, linear.samples),
        small = accuracy(of_small, small_network.samples)
    )
}

fn labels(labels: &PermutationTest, mark: Mark) -> Fact {
    let shares = labels.neighbours_agree.zip(labels.neighbours_by_chance);
    let is_known = shares.is_none_or(|(agree, chance)| (agree + chance).is_finite());
    if labels.samples == 0 || !is_known || !labels.largest_z().is_finite() {
        return Fact::new(Mark::Note, text!("check.labels"), text!("check.labels_unknown"));
    }
    let z = decimal(format_args!("{:.1}", labels.largest_z()));
    let Some((agree, chance)) = shares else {
        let unseen = !labels.depend_on_inputs() && mark == Mark::Good;
        let mark = if unseen { Mark::Note } else { mark };
        return Fact::new(mark, text!("check.labels"), text!("check.targets_are", z = z));
    };
    let (agree, chance) = (percent(agree), percent(chance));
    if !labels.depend_on_inputs() && mark == Mark::Good {
        let unseen = text!("check.labels_unseen", agree = agree, chance = chance, z = z);
        return Fact::new(Mark::Note, text!("check.labels"), unseen);
    }
    let sentence = text!("check.labels_are", agree = agree, chance = chance, z = z);
    Fact::new(mark, text!("check.labels"), sentence)
}

fn noise(noise: Option<&NoiseScale>, batch: usize) -> Fact {
    let label = text!("check.batch_size");
    let Some(noise) = noise else {
        return Fact::new(Mark::Note, label, text!("check.noise_unknown"));
    };
    let shares = noise.batches.iter();
    let shares =
        shares.map(|spread| format!("{} ({})", spread.batch_size, percent(spread.noise_share)));
    let shares = shares.collect::<Vec<_>>().join(", ");
    let sentence = match noise.noise_scale {
        Some(scale) => text!(
            "check.noise_is",
            shares = shares,
            scale = thousands(two_digits(scale)),
            batch = batch,
            steps = noise.after_steps
        ),
        None => text!("check.noise_only", shares = shares, steps = noise.after_steps),
    };
    Fact::new(Mark::Note, label, sentence)
}

/// Rounds to a whole number with two significant digits.
fn two_digits(number: f64) -> usize {
    let unit = 10f64.powf((number.max(1.0).log10() - 1.0).floor().max(0.0));
    ((number / unit).round() * unit).max(1.0) as usize
}

fn range_test(test: &RangeTest, mark: Mark) -> Vec<Fact> {
    let sentence = match test.proposed {
        Some(proposed) => {
            let compared = match (test.learns, test.configured / proposed) {
                (Some(false), _) => text!("check.rate_high_fails"),
                (Some(true), 3.4..) => text!("check.rate_high_learns"),
                (_, ..1.0) if test.least.is_some_and(|least| test.configured < least) => {
                    text!("check.rate_far_low")
                }
                (_, ..0.3) => text!("check.rate_low"),
                (_, 3.4..) => text!("check.rate_high"),
                _ => text!("check.rate_near"),
            };
            text!(
                "check.rate_is",
                proposed = rate(proposed),
                configured = rate(test.configured),
                compared = compared,
                first = number(test.first_loss),
                lowest = number(test.lowest_loss)
            )
        }
        None => text!("check.rate_unknown", configured = rate(test.configured)),
    };
    let is_near = test.proposed.is_some_and(|p| (0.3..3.4).contains(&(test.configured / p)));
    let mark = if mark == Mark::Good && !is_near { Mark::Note } else { mark };
    let mut facts = vec![Fact::new(mark, text!("check.learning_rate"), sentence)];
    facts.extend(rate_curve(test).into_iter().map(Fact::plain));
    facts
}

/// Draws the loss over the logarithm of the rate, with the proposed rate marked below.
fn rate_curve(test: &RangeTest) -> Vec<String> {
    let top = CURVE_CEILING * test.first_loss;
    let point = |(rate, loss): &(f64, f64)| (rate.log10(), loss.min(top));
    let points: Vec<(f64, f64)> = test.curve.iter().map(point).collect();
    let drawn = curve::draw(&[&points], CURVE_SIZE.0, CURVE_SIZE.1);
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    if drawn.is_empty() {
        return Vec::new();
    }
    let highest = points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
    let rows = drawn.len();
    let row = |(i, line): (usize, &curve::DrawnLine)| {
        let dots: String = line.iter().map(|(piece, _)| piece.as_str()).collect();
        let value = match i {
            0 => text!("check.curve_loss", loss = number(highest)),
            i if i + 1 == rows => text!("check.curve_loss", loss = number(test.lowest_loss)),
            _ => String::new(),
        };
        format!("     {dots}  {value}").trim_end().to_owned()
    };
    let mut lines: Vec<String> = drawn.iter().enumerate().map(row).collect();
    let column = |rate: f64| {
        let share = (rate.log10() - first.0) / (last.0 - first.0);
        (share.clamp(0.0, 1.0) * (CURVE_SIZE.0 - 1) as f64).round() as usize
    };
    if let Some(proposed) = test.proposed {
        lines.push(format!("     {}▲ {}", " ".repeat(column(proposed)), rate(proposed)));
    }
    let end = |log: f64| rate(format!("{:.0e}", 10f64.powf(log)).parse().unwrap_or(f64::NAN));
    let (from, to) = (end(first.0), end(last.0));
    let gap = CURVE_SIZE.0.saturating_sub(from.chars().count() + to.chars().count());
    lines.push(format!("     {from}{}{to}  {}", " ".repeat(gap), text!("check.curve_rate")));
    lines
}

/// A duration; one that would round to 0.0 s is "under 0.1 s".
fn short_duration(seconds: f64) -> String {
    if seconds < 0.05 { text!("check.moment") } else { duration(seconds) }
}

/// A loss with three decimals.
fn number(value: f64) -> String {
    decimal(format_args!("{value:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_two_digits() {
        assert_eq!([0.2, 7.4, 86.0, 1234.0].map(two_digits), [1, 7, 86, 1200]);
    }

    #[test]
    fn the_proposed_rate_is_marked_at_its_column() {
        let test = RangeTest {
            configured: 1e-3,
            proposed: Some(1e-2),
            least: None,
            learns: None,
            exploded_at: None,
            first_loss: 1.0,
            lowest_loss: 0.5,
            curve: vec![(1e-4, 1.0), (1e-2, 0.6), (1.0, 0.5)],
        };
        let lines = rate_curve(&test);
        assert_eq!(lines.len(), CURVE_SIZE.1 + 2, "{lines:?}");
        // 1e-2 is halfway between 1e-4 and 1 on the logarithmic axis, indented by five spaces.
        assert_eq!(lines[CURVE_SIZE.1].chars().position(|c| c == '▲'), Some(5 + 30));
        assert!(rate_curve(&RangeTest { curve: vec![], ..test.clone() }).is_empty());
        let none = RangeTest { proposed: None, curve: vec![], ..test };
        let sentence = text!("check.rate_unknown", configured = rate(1e-3));
        let unknown = Fact::new(Mark::Note, text!("check.learning_rate"), sentence);
        assert_eq!(range_test(&none, Mark::Good), [unknown]);
    }
}
