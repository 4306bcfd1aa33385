//! `klubok train`: trains a network; with `--vary` one for each value or combination of values.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use klubok::{
    config::{Config, ConfigBuilder, DataConfig, DataKind, Preset},
    data::Dataset,
    train::{
        evaluate::wilson,
        event::Stopped,
        logs::Logs,
        run_dir::{CONFIG, Place, RunDir},
    },
};
use klubok_text::{
    numbers::{accuracy, duration, loss, percent, r_squared, rate, significant},
    shell::quoted,
    text, translated,
};
use serde::Serialize;

use super::race::{self, Entry, Finished, Race, VariedValues};
use crate::{
    args, compute,
    failure::{Failure, Result},
    json::{EventPrinter, TrainingResult},
    run_lookup::{RUNS_FOLDER, find_run},
    serving, settings,
    terminal::{Screen, columns, numbers, paint, print_stdout, table_by_name, words},
    training,
    training_job::TrainingJob,
};

/// Trains one network, or one for each value of `--vary`.
pub(crate) fn run(args: &args::Train) -> Result<()> {
    let screen = args.flags.screen();
    if let Some(name) = &args.replay {
        return replay(&find_run(name)?, args, screen);
    }
    // Clap requires it without --replay.
    let source = args.data.as_deref().unwrap_or_default();
    let written = settings::for_data(&args.settings, Preset::Balanced, source, screen)?;
    let job = TrainingJob {
        source,
        val: args.parts.val.clone(),
        test: args.parts.test.clone(),
        strict: args.parts.strict,
        preset: written.preset,
        page: &args.page,
        replay: Vec::new(),
        screen,
    };
    if args.vary.is_empty() {
        let config = settings::resolve(&written.builder, screen)?.config;
        return train_one(&job, &config, args);
    }
    let mut variants = Vec::new();
    for settings in combinations(&args.vary)? {
        let mut layers = written.builder.clone();
        for (key, value) in &settings {
            layers.set(key, value)?;
        }
        let config = settings::resolve(&layers, screen)?.config;
        if let Some((other, _)) = variants.iter().find(|(_, known)| *known == config) {
            let [one, two] = [&settings, other].map(|own: &VariedValues| values(own));
            let sentence = format!("`--vary` has `{one}`, which is the same as `{two}`");
            return Err(Failure::usage(sentence).hint(text!("hint.vary_value")));
        }
        variants.push((settings, config));
    }
    // The comparison is the result, not the runs.
    vary(&TrainingJob { screen: screen.for_programs(true), ..job }, variants, args)
}

/// Trains one network.
fn train_one(job: &TrainingJob<'_>, config: &Config, args: &args::Train) -> Result<()> {
    let name = base_name(job.source)?;
    let place = match &args.output {
        Some(folder) => Place::Folder(folder),
        None => Place::Numbered { runs: Path::new(RUNS_FOLDER), name: &name },
    };
    let mut events = args.flags.jsonl.then(EventPrinter::default);
    let (done, _) = job.train(config, place, None, events.as_mut())?;
    training::finish(&done, &args.flags, events, config.train.learning_rate)
}

/// Repeats a run: its data, its settings and the recorded acts of people.
fn replay(run: &RunDir, args: &args::Train, screen: Screen) -> Result<()> {
    let (config, info) = run.settings()?;
    let mut layers = ConfigBuilder::new(Preset::Plain, DataKind::of(&info.data)?);
    layers.file(&run.file(CONFIG))?;
    let flags = args.settings.assignments();
    let is_set = |key: &str| flags.iter().any(|(own, _)| own == key);
    if is_set("train.precision") {
        // Another precision may need another kernel.
        layers.set("train.kernel", "auto")?;
    } else if !is_set("train.kernel") {
        let kernel = compute::with_available_kernel(config.clone(), screen).train.kernel;
        layers.set("train.kernel", kernel.name())?;
    }
    for (key, value) in &flags {
        layers.set(key, value)?;
    }
    let changed = settings::resolve(&layers, screen)?.config;
    // Fails if somebody changed the run's settings after its training.
    run.progress()?;
    if changed.data != config.data {
        screen.message(format!("{}: {}", text!("word.note"), text!("train.replay_data")));
    } else if let (_, Some(difference)) = info.reopen(&config)? {
        let note = text!("train.replay_other", difference = translated(&difference));
        screen.message(format!("{}: {note}", text!("word.note")));
    }
    let acts = Logs::acts(run.path())?;
    screen.message(text!("train.replay", run = run.path().display(), acts = acts.len()));
    let job = TrainingJob {
        source: &info.data,
        val: info.val.as_ref().map(Into::into),
        test: info.test.as_ref().map(Into::into),
        strict: args.parts.strict,
        preset: info.preset.as_deref().map_or(Ok(Preset::Plain), str::parse)?,
        page: &args.page,
        replay: acts,
        screen,
    };
    train_one(&job, &changed, args)
}

fn values(own: &VariedValues) -> String {
    own.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ")
}

/// A run of a comparison.
#[derive(Serialize)]
struct Variant {
    /// Its values, joined by commas.
    value: String,
    settings: BTreeMap<String, String>,
    #[serde(flatten)]
    trained: TrainingResult,
    /// Number of validation samples, and chance accuracy on them.
    #[serde(skip)]
    val: (usize, f64),
    #[serde(skip)]
    learning_rate: f64,
}

impl Variant {
    fn new(Entry { varied, config, .. }: &Entry<'_>, Finished { trained, val }: Finished) -> Self {
        Self {
            value: values(varied),
            settings: varied.iter().cloned().collect(),
            trained,
            val,
            learning_rate: config.train.learning_rate,
        }
    }
}

/// Trains a run for each combination, and compares them.
fn vary(
    job: &TrainingJob<'_>,
    variants: Vec<(VariedValues, Config)>,
    args: &args::Train,
) -> Result<()> {
    let name = base_name(job.source)?;
    let folders: Vec<Option<PathBuf>> =
        variants.iter().map(|(own, _)| folder_of(args.output.as_deref(), own)).collect();
    if let Some(taken) = folders.iter().flatten().find(|folder| folder.exists()) {
        return Err(Failure::failed(format!("`{}` exists already", taken.display()))
            .hint(text!("hint.exists", run = quoted(&taken.display().to_string()))));
    }
    let place = |folder| match folder {
        Some(folder) => Place::Folder(folder),
        None => Place::Numbered { runs: Path::new(RUNS_FOLDER), name: &name },
    };
    let places = folders.iter().map(|folder| place(folder.as_deref()));
    let runs: Vec<Entry<'_>> = variants
        .into_iter()
        .zip(places)
        .map(|((varied, config), place)| Entry { varied, config, place })
        .collect();
    let (results, page) = if args.page.dashboard {
        let Race { results, page } = race::run(job, &name, &runs, args.flags.jsonl)?;
        (results, Some(page))
    } else {
        (one_after_another(job, &runs, args.flags.jsonl)?, None)
    };
    let mut failed = None;
    let mut done = Vec::new();
    for (run, result) in runs.iter().zip(results) {
        match result {
            Ok(finished) => done.push(Variant::new(run, finished)),
            Err(failure) => failed = failed.or(Some(failure)),
        }
    }
    report_comparison(&done, runs.len(), args)?;
    let ended = failed.map_or_else(|| outcome(&done), Err);
    let is_interrupted = done.iter().any(|run| run.trained.stopped == Some(Stopped::Interrupted));
    // What went wrong with one lane is seen beside the others.
    let stays = page.is_some() && job.screen.is_live() && !is_interrupted;
    if stays { serving::stay_open(ended) } else { ended }
}

/// Prints the comparison of the runs that have finished, of `n`.
fn report_comparison(done: &[Variant], n: usize, args: &args::Train) -> Result<()> {
    let keys: Vec<&str> = args.vary.iter().map(|(key, _)| key.as_str()).collect();
    let screen = args.flags.screen();
    print_comparison(screen, &keys, done)?;
    let is_interrupted = |run: &Variant| run.trained.stopped == Some(Stopped::Interrupted);
    if done.len() < n && done.iter().any(is_interrupted) {
        screen.message(text!("vary.stopped", done = done.len(), n = n));
    }
    if args.flags.json {
        print_stdout(serde_json::json!({ "runs": done }))?;
    }
    Ok(())
}

/// How runs that have finished end the command.
fn outcome(done: &[Variant]) -> Result<()> {
    let stopped = |why| move |run: &Variant| run.trained.stopped == Some(why);
    if done.iter().any(stopped(Stopped::Interrupted)) {
        return Err(Failure::silent(130));
    }
    if done.iter().all(stopped(Stopped::Diverged)) {
        return Err(Failure::failed("every run diverged").hint(text!("hint.vary_diverged")));
    }
    Ok(())
}

/// Trains one run after the other, until a person interrupts it. Reads data once as long as its
/// settings stay the same.
fn one_after_another(
    job: &TrainingJob<'_>,
    runs: &[Entry<'_>],
    prints_events: bool,
) -> Result<Vec<Result<Finished>>> {
    let mut events = prints_events.then(EventPrinter::default);
    let mut opened: Option<(&DataConfig, Dataset)> = None;
    let mut done = Vec::new();
    for (i, run) in runs.iter().enumerate() {
        let title = text!("vary.run_of", settings = run.title(), i = i + 1, n = runs.len());
        job.screen.message(format!("\n{}", paint(title).bold()));
        let same = opened.take().filter(|(settings, _)| **settings == run.config.data);
        let data = same.map(|(_, data)| data);
        let (trained, data) = job.train(&run.config, run.place, data, events.as_mut())?;
        let trained = TrainingResult::new(&trained.summary, &trained.diagnosis);
        if let Some(events) = &mut events {
            events.end(&trained)?;
        }
        let interrupted = trained.stopped == Some(Stopped::Interrupted);
        done.push(Ok(Finished::new(trained, &data)));
        opened = Some((&run.config.data, data));
        if interrupted {
            break;
        }
    }
    Ok(done)
}

fn print_comparison(screen: Screen, keys: &[&str], done: &[Variant]) -> Result<()> {
    let head = [
        words(text!("vary.value")),
        numbers(text!("vary.best_epoch")),
        numbers(text!("vary.val_loss")),
        numbers(text!("vary.val_accuracy")),
        numbers(text!("vary.time")),
        words(text!("vary.run")),
    ];
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let row = |run: &Variant| {
        let Variant { value, trained, val: (samples, _), .. } = run;
        vec![
            value.clone(),
            or_dash(trained.best_epoch.map(|epoch| epoch.to_string())),
            or_dash(trained.val_loss.map(|value| loss(value, 4))),
            or_dash(score(run, *samples)),
            duration(trained.seconds),
            match trained.stopped {
                Some(Stopped::Diverged) => format!("{} ({})", trained.run, text!("vary.diverged")),
                _ => trained.run.clone(),
            },
        ]
    };
    let key = keys.join(", ");
    let title = match done.first() {
        Some(Variant { trained, val: (_, chance), .. }) if trained.val_accuracy.is_some() => {
            text!("vary.title", key = key, chance = percent(*chance))
        }
        _ => text!("vary.title_numbers", key = key),
    };
    screen.message(format!("\n{}", paint(title).bold()));
    let varies = |of: &str| keys.iter().any(|key| key.starts_with(of));
    if varies("model.") {
        screen.message(text!("vary.same_order"));
    } else if !varies("data.") && !varies("train.seed") {
        screen.message(text!("vary.same"));
    }
    if let Some(rates) = default_rates(keys, done) {
        screen.message(text!("vary.rates", rates = rates));
    }
    let rows: Vec<_> = done.iter().map(row).collect();
    screen.result(table_by_name(&head, &rows, RUN, &[TIME, EPOCH], columns()))?;
    if let Some((sentence, [best, second])) = best(done) {
        screen.message(sentence);
        let report = format!("klubok report {} {}", quoted(best), quoted(second));
        training::print_next_commands(screen, &[(report, text!("vary.next_report"))]);
    }
    Ok(())
}

/// Column of the runs' names in a comparison.
const RUN: usize = 5;
/// Column of the times, which a narrow terminal drops first.
const TIME: usize = 4;
/// Column of the best epochs, which a narrow terminal drops next.
const EPOCH: usize = 1;

/// Lists the learning rates if they are defaults that differ.
fn default_rates(keys: &[&str], done: &[Variant]) -> Option<String> {
    let differ = done.iter().any(|run| run.learning_rate != done[0].learning_rate);
    let shown = |run: &Variant| format!("{}: {}", run.value, rate(run.learning_rate));
    let rates = || done.iter().map(shown).collect::<Vec<_>>().join("; ");
    (differ && !keys.contains(&"train.learning_rate")).then(rates)
}

/// Writes the accuracy of a run, or the coefficient of determination of numbers.
fn score(run: &Variant, samples: usize) -> Option<String> {
    let of_numbers = run.trained.val_r2.map(|r2| format!("R² {}", r_squared(r2)));
    run.trained.val_accuracy.map(|share| accuracy(share, samples)).or(of_numbers)
}

/// Compares the two best runs of numbers: a sentence, and their folders.
fn best_of_numbers(done: &[Variant]) -> Option<(String, [&str; 2])> {
    let rmse = |run: &Variant| run.trained.val_rmse.unwrap_or(f64::INFINITY);
    let mut ranked: Vec<&Variant> = done.iter().filter(|run| rmse(run).is_finite()).collect();
    ranked.sort_by(|a, b| rmse(a).total_cmp(&rmse(b)));
    let [best, second, ..] = ranked[..] else { return None };
    let sentence = text!(
        "vary.best_numbers",
        value = best.value,
        best = significant(rmse(best)),
        other = significant(rmse(second)),
        second = second.value
    );
    Some((sentence, [&best.trained.run, &second.trained.run]))
}

/// Compares the two best runs: a sentence, and their folders.
fn best(done: &[Variant]) -> Option<(String, [&str; 2])> {
    if done.iter().any(|run| run.trained.val_rmse.is_some()) {
        return best_of_numbers(done);
    }
    let share = |run: &Variant| run.trained.val_accuracy.unwrap_or(0.0);
    let mut ranked: Vec<&Variant> =
        done.iter().filter(|run| run.trained.val_accuracy.is_some()).collect();
    let loss = |run: &Variant| run.trained.val_loss.unwrap_or(f64::INFINITY);
    ranked.sort_by(|a, b| share(b).total_cmp(&share(a)).then(loss(a).total_cmp(&loss(b))));
    let [best, second, ..] = ranked[..] else { return None };
    if wilson(share(best), best.val.0)[0] <= best.val.1 {
        return Some((text!("vary.none_better"), [&best.trained.run, &second.trained.run]));
    }
    let mut sentence = text!(
        "vary.best",
        value = best.value,
        best = accuracy(share(best), best.val.0),
        other = accuracy(share(second), second.val.0),
        second = second.value
    );
    if wilson(share(best), best.val.0)[0] <= wilson(share(second), second.val.0)[1] {
        sentence = format!("{sentence} {}", text!("vary.within_chance"));
    }
    Some((sentence, [&best.trained.run, &second.trained.run]))
}

/// Returns all combinations of the values of several keys; the last key varies fastest.
///
/// # Errors
/// When a key or one of its values occurs twice.
fn combinations(vary: &[(String, String)]) -> Result<Vec<VariedValues>> {
    let mut all: Vec<VariedValues> = vec![Vec::new()];
    let mut known = BTreeSet::new();
    for (key, values) in vary {
        if !known.insert((key, None)) {
            return Err(Failure::usage(format!("`--vary {key}` is given twice"))
                .hint(text!("hint.vary_key", key = key)));
        }
        let values = split_values(values);
        if let Some(value) =
            values.iter().find(|value| !known.insert((key, Some((*value).clone()))))
        {
            let sentence = format!("`--vary {key}` has the value `{value}` twice");
            return Err(Failure::usage(sentence).hint(text!("hint.vary_value")));
        }
        let with = |own: VariedValues| {
            let of = |value: &String| [&own[..], &[(key.clone(), value.clone())]].concat();
            values.iter().map(of).collect::<Vec<_>>()
        };
        all = all.into_iter().flat_map(with).collect();
    }
    Ok(all)
}

/// Splits at commas outside brackets.
fn split_values(text: &str) -> Vec<String> {
    let (mut values, mut depth) = (vec![String::new()], 0);
    for c in text.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            ',' if depth == 0 => {
                values.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(value) = values.last_mut() {
            value.push(c);
        }
    }
    values.iter().map(|value| value.trim().to_owned()).collect()
}

/// Folder of a run with `-o RUN`: `RUN-VALUE-VALUE`.
fn folder_of(output: Option<&Path>, own: &[(String, String)]) -> Option<PathBuf> {
    let output = output?;
    let safe = |c: char| if c.is_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    let mut name = output.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for (_, value) in own {
        name.push('-');
        name.extend(value.trim_matches(['[', ']']).chars().map(safe));
    }
    Some(output.with_file_name(name))
}

/// Base name of runs: that of the data folder, of the file without its ending, or of the built-in
/// dataset.
fn base_name(source: &str) -> Result<String> {
    if let Some(name) = source.strip_prefix("demo:") {
        return Ok(name.to_owned());
    }
    let path = fs_err::canonicalize(source)?;
    let name = if path.is_file() { path.file_stem() } else { path.file_name() };
    Ok(name.map_or("data".to_owned(), |name| name.to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_brackets_do_not_split() {
        assert_eq!(split_values("sgd, adam"), ["sgd", "adam"]);
        assert_eq!(split_values("[64],[128,64]"), ["[64]", "[128,64]"]);
    }

    fn own(pairs: &[(&str, &str)]) -> VariedValues {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_combination_has_its_folder() {
        let folder = |pairs| folder_of(Some(Path::new("out/a")), &own(pairs)).unwrap();
        assert_eq!(folder(&[("o", "sgd")]), Path::new("out/a-sgd"));
        assert_eq!(folder(&[("h", "[128, 64]"), ("o", "sgd")]), Path::new("out/a-128--64-sgd"));
        assert_eq!(folder_of(None, &own(&[("o", "sgd")])), None);
    }

    #[test]
    fn several_keys_make_a_grid_without_repetitions() {
        let grid = combinations(&own(&[("a", "1,2"), ("b", "[3,4],5")])).unwrap();
        let pairs = |a, b| own(&[("a", a), ("b", b)]);
        let expected = [pairs("1", "[3,4]"), pairs("1", "5"), pairs("2", "[3,4]"), pairs("2", "5")];
        assert_eq!(grid, expected);
        for twice in [[("a", "1"), ("a", "2")], [("a", "1"), ("b", "2, 2")]] {
            assert!(combinations(&own(&twice)).is_err(), "{twice:?}");
        }
    }
}
