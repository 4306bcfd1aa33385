//! What `klubok check` found: as it is written for programs, and for a person facts with a mark
//! each, the curve of the learning rates, the verdicts.

use klubok::{
    check::{
        Findings, baselines::Baselines, noise_scale::NoiseScale, permutation_test::PermutationTest,
        range_test::RangeTest, summary::NetworkSummary,
    },
    config::Config,
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

/// Classes that have a row of their own; of more, the smallest and the largest are said.
const CLASSES: usize = 12;
/// Characters of the curve.
const CURVE: (usize, usize) = (60, 6);
/// The curve is cut this far above the first loss: where the loss explodes does not need the room.
const ABOVE: f64 = 1.3;

/// All that `klubok check` says.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    /// Sizes of the pictures as they are, where the data are pictures.
    pub(crate) pictures: Option<Sizes>,
    /// How long training would take here.
    pub(crate) time: Time,
    /// What the experiments found.
    #[serde(flatten)]
    pub(crate) findings: Findings,
}

/// How long training takes on this machine, by some real steps.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Time {
    /// Milliseconds of a step, the median.
    pub(crate) ms_per_step: f64,
    /// Steps of an epoch.
    pub(crate) steps_per_epoch: u64,
    /// Seconds of an epoch, evaluation left out.
    pub(crate) seconds_per_epoch: f64,
}

/// Everything, section by section; `flags` are those that a training of the same takes.
pub(crate) fn report(
    source: &str,
    flags: &str,
    config: &Config,
    data: &Dataset,
    checked: &Checked,
) -> Vec<Fact> {
    let Checked { pictures, time, findings } = checked;
    let verdicts = &findings.verdicts;
    let mark = |names: &[VerdictName]| mark(verdicts, names);
    let head = text!(
        "check.head",
        name = shell::shown(source),
        samples = thousands(findings.data.samples.total()),
        classes = thousands(data.classes.len())
    );
    let mut lines = vec![heading(head), Fact::plain("")];
    lines.extend(data_facts(&findings.data, *pictures, &mark));
    lines.push(Fact::plain(""));
    lines.push(heading(text!("check.network")));
    lines.push(Fact::plain(card(&findings.network)));
    lines.push(times(&findings.network, *time, config.train.epochs));
    lines.push(Fact::plain(""));
    lines.push(heading(text!("check.learning")));
    lines.extend(learning_facts(checked, data.classes.len(), &mark));
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

/// The mark of a fact that these verdicts are about: the worst of them, or all is well.
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
    if survey.classes.len() <= CLASSES {
        facts.push(Fact::plain(class_table(survey)));
    }
    let samples = |n: usize| thousands(n);
    let of_train = survey.classes.iter().map(|class| class.train);
    let (least, most) = (of_train.clone().min().unwrap_or(0), of_train.max().unwrap_or(0));
    let balance = if least == most {
        text!("check.balance_even", n = samples(least))
    } else {
        text!("check.balance_is", least = samples(least), most = samples(most))
    };
    facts.push(Fact::new(mark(&[VerdictName::ClassImbalance]), text!("check.balance"), balance));
    let smallest = survey.classes.iter().map(|class| class.train + class.val).min().unwrap_or(0);
    if pictures.is_some() && smallest < loading::ENOUGH {
        let few = text!("check.few_are", n = samples(smallest), enough = loading::ENOUGH);
        facts.push(Fact::new(Mark::Note, text!("check.few"), few));
    }
    if let Some(sizes) = pictures {
        facts.push(Fact::new(Mark::Note, text!("check.pictures"), size_words(sizes)));
    }
    let names = [VerdictName::DuplicatesAcrossParts, VerdictName::ContradictingLabels];
    let copies = copy_words(&survey.copies);
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

fn copy_words(copies: &Copies) -> String {
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
        words(text!("check.class")),
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

fn size_words(Sizes { smallest, median, largest, looked_at }: Sizes) -> String {
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
        epoch = moment(time.seconds_per_epoch),
        steps = thousands(time.steps_per_epoch as usize),
        ms = decimal(format_args!(
            "{:.*}",
            usize::from(time.ms_per_step < 9.95) * 2,
            time.ms_per_step
        )),
        epochs = epochs,
        all = moment(time.seconds_per_epoch * epochs as f64),
        memory = mib(card.memory_bytes),
        data = mib(card.data_bytes)
    );
    Fact::new(Mark::Note, text!("check.time"), sentence)
}

fn learning_facts(
    checked: &Checked,
    classes: usize,
    mark: &dyn Fn(&[VerdictName]) -> Mark,
) -> Vec<Fact> {
    let findings = &checked.findings;
    let start = findings.initial_loss;
    let first = if start.loss.is_finite() {
        let (loss, expected) = (number(start.loss), number(start.expected));
        if classes == 2 {
            text!("check.initial_loss_of_two", loss = loss, expected = expected)
        } else {
            text!("check.initial_loss_is", loss = loss, classes = classes, expected = expected)
        }
    } else {
        text!("check.initial_loss_none")
    };
    let batch = findings.one_batch;
    let by_heart = if !batch.loss.is_finite() {
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
            right = percent(batch.accuracy)
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
    // A network that learns a batch and is too small all the same was found so beside the
    // baselines.
    let (held, beside) = match mark(&small) {
        mark if batch.learnt => (Mark::Good, if mark == Mark::Good { Mark::Note } else { mark }),
        Mark::Good => (Mark::Note, Mark::Note),
        mark => (mark, Mark::Note),
    };
    let reached = baselines_words(&findings.baselines);
    vec![
        Fact::new(mark(&[VerdictName::InitialLoss]), text!("check.initial_loss"), first),
        Fact::new(held, text!("check.one_batch"), by_heart),
        Fact::new(right, text!("check.gradients"), checked_gradients),
        Fact::new(beside, text!("check.baselines"), reached),
        labels(&findings.labels, mark(&[VerdictName::LabelsLookShuffled])),
    ]
}

/// What is reached without a deep network, as far as it could be measured.
fn baselines_words(baselines: &Baselines) -> String {
    let Baselines { priors, linear, small_network, .. } = baselines;
    if !(priors.loss + priors.accuracy + linear.accuracy + small_network.accuracy).is_finite() {
        return text!("check.baselines_unknown");
    }
    text!(
        "check.baselines_are",
        priors = percent(priors.accuracy),
        loss = number(priors.loss),
        linear = accuracy(linear.accuracy, linear.samples),
        small = accuracy(small_network.accuracy, small_network.samples)
    )
}

fn labels(labels: &PermutationTest, mark: Mark) -> Fact {
    let figures = [labels.neighbours_agree, labels.neighbours_by_chance, labels.largest_z()];
    if !figures.iter().all(|figure| figure.is_finite()) {
        return Fact::new(Mark::Note, text!("check.labels"), text!("check.labels_unknown"));
    }
    let (agree, chance) = (percent(labels.neighbours_agree), percent(labels.neighbours_by_chance));
    let z = decimal(format_args!("{:.1}", labels.largest_z()));
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

/// A whole number of which two digits count.
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
    facts.extend(curve_of(test).into_iter().map(Fact::plain));
    facts
}

/// The loss over the logarithm of the rate, with the proposal marked below.
fn curve_of(test: &RangeTest) -> Vec<String> {
    let top = ABOVE * test.first_loss;
    let point = |(rate, loss): &(f64, f64)| (rate.log10(), loss.min(top));
    let points: Vec<(f64, f64)> = test.curve.iter().map(point).collect();
    let drawn = curve::draw(&[&points], CURVE.0, CURVE.1);
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    if drawn.is_empty() {
        return Vec::new();
    }
    let highest = points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
    let rows = drawn.len();
    let row = |(i, line): (usize, &curve::Line)| {
        let dots: String = line.iter().map(|(piece, _)| piece.as_str()).collect();
        let value = match i {
            0 => text!("check.curve_loss", loss = number(highest)),
            i if i + 1 == rows => text!("check.curve_loss", loss = number(test.lowest_loss)),
            _ => String::new(),
        };
        format!("     {dots}  {value}").trim_end().to_owned()
    };
    let mut lines: Vec<String> = drawn.iter().enumerate().map(row).collect();
    let place = |rate: f64| {
        let share = (rate.log10() - first.0) / (last.0 - first.0);
        (share.clamp(0.0, 1.0) * (CURVE.0 - 1) as f64).round() as usize
    };
    if let Some(proposed) = test.proposed {
        lines.push(format!("     {}▲ {}", " ".repeat(place(proposed)), rate(proposed)));
    }
    let end = |log: f64| rate(format!("{:.0e}", 10f64.powf(log)).parse().unwrap_or(f64::NAN));
    let (from, to) = (end(first.0), end(last.0));
    let gap = CURVE.0.saturating_sub(from.chars().count() + to.chars().count());
    lines.push(format!("     {from}{}{to}  {}", " ".repeat(gap), text!("check.curve_rate")));
    lines
}

/// A duration, also one that rounds to nothing.
fn moment(seconds: f64) -> String {
    if seconds < 0.05 { text!("check.moment") } else { duration(seconds) }
}

/// A loss with three digits behind the point.
fn number(value: f64) -> String {
    decimal(format_args!("{value:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_count() {
        assert_eq!([0.2, 7.4, 86.0, 1234.0].map(two_digits), [1, 7, 86, 1200]);
    }

    #[test]
    fn the_proposal_stands_below_its_place() {
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
        let lines = curve_of(&test);
        assert_eq!(lines.len(), CURVE.1 + 2, "{lines:?}");
        // 1e-2 is in the middle between 1e-4 and 1, five spaces in.
        assert_eq!(lines[CURVE.1].chars().position(|c| c == '▲'), Some(5 + 30));
        assert!(curve_of(&RangeTest { curve: vec![], ..test.clone() }).is_empty());
        let none = RangeTest { proposed: None, curve: vec![], ..test };
        let sentence = text!("check.rate_unknown", configured = rate(1e-3));
        let unknown = Fact::new(Mark::Note, text!("check.learning_rate"), sentence);
        assert_eq!(range_test(&none, Mark::Good), [unknown]);
    }
}
