//! `klubok train`: a network from data; with `--vary` one for each value of a setting.

use std::path::{Path, PathBuf};

use klubok::{
    config::{Config, DataConfig, Layers, Preset},
    data::Dataset,
    train::{
        event::Stopped,
        logs::Logs,
        run_dir::{CONFIG, Place, RunDir},
    },
};
use serde::Serialize;

use crate::{
    args,
    classifier::{RUNS, run_of},
    failure::{Failure, Result},
    files::quoted,
    json::{Lines, Trained},
    loading,
    measures::chance,
    new_run::NewRun,
    settings,
    terminal::{Screen, accuracy_and_chance, answer, duration, numbers, paint, table, words},
    text::text,
    training,
};

/// Trains one network, or one for each value of `--vary`.
pub(crate) fn run(args: &args::Train) -> Result<()> {
    let screen = Screen::new(args.report.quiet);
    if let Some(name) = &args.replay {
        return replay(&run_of(name)?, args, screen);
    }
    // Without --replay it is required.
    let source = args.data.as_deref().unwrap_or_default();
    let kind = settings::kind_of(source)?;
    let written = settings::written(&args.settings, Preset::Balanced, kind, &[])?;
    let new = NewRun {
        source,
        val: args.parts.val.clone(),
        test: args.parts.test.clone(),
        strict: args.parts.strict,
        preset: written.preset,
        page: &args.page,
        replay: Vec::new(),
        kernel: None,
        screen,
    };
    let Some((key, values)) = &args.vary else {
        let config = settings::resolve(&written.layers, screen)?.config;
        return one(&new, &config, args);
    };
    if args.page.dashboard {
        return Err(Failure::usage("the page shows one run, and `--vary` makes several")
            .hint(text!("hint.vary_page")));
    }
    let mut variants = Vec::new();
    for value in values_of(values) {
        let mut layers = written.layers.clone();
        layers.set(key, &value)?;
        variants.push((value, settings::resolve(&layers, screen)?.config));
    }
    vary(&new, key, variants, args)
}

/// One network.
fn one(new: &NewRun<'_>, config: &Config, args: &args::Train) -> Result<()> {
    let name = name_of(new.source)?;
    let place = match &args.output {
        Some(folder) => Place::Folder(folder),
        None => Place::Numbered { runs: Path::new(RUNS), name: &name },
    };
    let mut lines = args.report.jsonl.then(Lines::default);
    let (done, _) = new.train(config, place, None, lines.as_mut())?;
    training::finish(&done, &args.report, lines, config.train.learning_rate)
}

/// A run again: its data, its settings, and what people did to it.
fn replay(run: &RunDir, args: &args::Train, screen: Screen) -> Result<()> {
    let (config, info) = run.settings()?;
    let mut layers = Layers::new(Preset::Plain, settings::kind_of(&info.data)?);
    layers.file(&run.file(CONFIG))?;
    for (key, value) in args.settings.assignments() {
        layers.set(&key, &value)?;
    }
    let changed = settings::resolve(&layers, screen)?.config;
    // Settings of the run that somebody changed since it was trained are not the run's.
    run.progress()?;
    if changed.data != config.data {
        screen.say(format!("{}: {}", text!("word.note"), text!("train.replay_data")));
    } else if let (_, Some(difference)) = loading::of_run(&config, &info)? {
        let note = text!("train.replay_other", difference = difference);
        screen.say(format!("{}: {note}", text!("word.note")));
    }
    let acts = Logs::done(run.path())?;
    screen.say(text!("train.replay", run = run.path().display(), acts = acts.len()));
    let new = NewRun {
        source: &info.data,
        val: info.val.as_ref().map(Into::into),
        test: info.test.as_ref().map(Into::into),
        strict: args.parts.strict,
        preset: info.preset.as_deref().map_or(Ok(Preset::Plain), str::parse)?,
        page: &args.page,
        replay: acts,
        kernel: Some(info.kernel.clone()),
        screen,
    };
    one(&new, &changed, args)
}

/// A run of a comparison.
#[derive(Serialize)]
struct Variant {
    value: String,
    #[serde(flatten)]
    trained: Trained,
    /// Samples of the validation part, and the accuracy of guessing on them.
    #[serde(skip)]
    val: (usize, f64),
}

/// One run a value; data is read once as long as its settings are the same.
fn vary(
    new: &NewRun<'_>,
    key: &str,
    variants: Vec<(String, Config)>,
    args: &args::Train,
) -> Result<()> {
    let name = name_of(new.source)?;
    let folders: Vec<Option<PathBuf>> =
        variants.iter().map(|(value, _)| folder_of(args.output.as_deref(), value)).collect();
    if let Some(taken) = folders.iter().flatten().find(|folder| folder.exists()) {
        return Err(Failure::failed(format!("`{}` exists already", taken.display()))
            .hint(text!("hint.exists", run = quoted(&taken.display().to_string()))));
    }
    let mut lines = args.report.jsonl.then(Lines::default);
    let mut opened: Option<(DataConfig, Dataset)> = None;
    let mut done: Vec<Variant> = Vec::new();
    let n = variants.len();
    for (i, ((value, config), folder)) in variants.into_iter().zip(&folders).enumerate() {
        let title = text!("vary.run_of", key = key, value = value, i = i + 1, n = n);
        new.screen.say(format!("\n{}", paint(title).bold()));
        let place = match folder {
            Some(folder) => Place::Folder(folder),
            None => Place::Numbered { runs: Path::new(RUNS), name: &name },
        };
        let same = opened.take().filter(|(settings, _)| *settings == config.data);
        let data = same.map(|(_, data)| data);
        let (trained, data) = new.train(&config, place, data, lines.as_mut())?;
        let trained = Trained::new(&trained);
        if let Some(lines) = &mut lines {
            lines.end(&trained)?;
        }
        let interrupted = trained.stopped == Some(Stopped::Interrupted);
        let chance = chance(&data.class_counts(&data.parts.val));
        done.push(Variant { value, trained, val: (data.parts.val.len(), chance) });
        opened = Some((config.data, data));
        if interrupted {
            break;
        }
    }
    compare(new.screen, key, &done);
    if args.report.json {
        answer(serde_json::json!({ "runs": done }))?;
    }
    let stopped = |why| move |run: &Variant| run.trained.stopped == Some(why);
    if done.iter().any(stopped(Stopped::Interrupted)) {
        return Err(Failure::silent(130));
    }
    if done.iter().all(stopped(Stopped::Diverged)) {
        return Err(Failure::failed("every run diverged").hint(text!("hint.vary_diverged")));
    }
    Ok(())
}

fn compare(screen: Screen, key: &str, done: &[Variant]) {
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
        let Variant { value, trained, val: (samples, chance) } = run;
        let accuracy = |share| accuracy_and_chance(share, *samples, *chance);
        vec![
            value.clone(),
            or_dash(trained.best_epoch.map(|epoch| epoch.to_string())),
            or_dash(trained.val_loss.map(|loss| format!("{loss:.4}"))),
            or_dash(trained.val_accuracy.map(accuracy)),
            duration(trained.seconds),
            match trained.stopped {
                Some(Stopped::Diverged) => format!("{} ({})", trained.run, text!("vary.diverged")),
                _ => trained.run.clone(),
            },
        ]
    };
    screen.say(format!("\n{}", paint(text!("vary.title", key = key)).bold()));
    screen.say(table(&head, &done.iter().map(row).collect::<Vec<_>>()));
    screen.say(text!("vary.within_chance"));
}

/// Values between commas; commas within brackets belong to a value.
fn values_of(text: &str) -> Vec<String> {
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

/// `RUN-VALUE`, where `-o RUN` was given.
fn folder_of(output: Option<&Path>, value: &str) -> Option<PathBuf> {
    let output = output?;
    let safe = |c: char| if c.is_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    let value: String = value.trim_matches(['[', ']']).chars().map(safe).collect();
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    Some(output.with_file_name(format!("{name}-{value}")))
}

/// What runs of this data are called: the folder's own name, or that of the built-in set.
fn name_of(source: &str) -> Result<String> {
    if let Some(name) = source.strip_prefix("demo:") {
        return Ok(name.to_owned());
    }
    let path = fs_err::canonicalize(source)?;
    Ok(path.file_name().map_or("data".to_owned(), |name| name.to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_brackets_do_not_divide() {
        assert_eq!(values_of("sgd, adam"), ["sgd", "adam"]);
        assert_eq!(values_of("[64],[128,64]"), ["[64]", "[128,64]"]);
    }

    #[test]
    fn a_folder_a_value() {
        let folder = |value| folder_of(Some(Path::new("out/a")), value).unwrap();
        assert_eq!(folder("sgd"), Path::new("out/a-sgd"));
        assert_eq!(folder("[128, 64]"), Path::new("out/a-128--64"));
        assert_eq!(folder_of(None, "sgd"), None);
    }
}
