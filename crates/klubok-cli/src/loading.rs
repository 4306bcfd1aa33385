//! Reading data, as a person follows it: a bar with an estimate, then what was left out.

use std::sync::OnceLock;

use klubok::{
    config::Config,
    data::{self, Dataset, Fingerprint, LeftOut, OpenOptions},
    train::run_info::RunInfo,
};

use crate::{
    escape::clean,
    failure::{Failure, Result},
    measures::wilson,
    phrase::said,
    terminal::{Screen, duration, percent, thousands},
    text::text,
};

/// Left-out files that are named; of more only the number is said.
const NAMED: usize = 10;
/// Pictures a class from which an accuracy is measured well.
pub(crate) const ENOUGH: usize = 500;

/// Opens data and names the files that had to be left out.
///
/// # Errors
/// As [`data::open`].
pub(crate) fn open(source: &str, options: &OpenOptions, screen: Screen) -> Result<Dataset> {
    // Nothing is drawn before the number of files is known; built-in sets have none.
    let bar = OnceLock::new();
    let data = data::open(source, options, &|done, total| {
        let bar = bar.get_or_init(|| screen.bar(text!("load.reading"), total as u64));
        bar.set_position(done as u64);
        bar.set_message(text!("load.left", left = duration(bar.eta().as_secs_f64())));
    });
    if let Some(bar) = bar.get() {
        bar.finish_and_clear();
    }
    let data = data?;
    if options.data.limit > 0 && options.known.is_none() {
        screen.say(text!("load.limited", n = thousands(options.data.limit)));
    }
    say_left_out(&data.left_out, screen);
    if !data.skipped.is_empty() {
        let (n, all) = (data.skipped.len(), data.skipped.len() + data.names.len());
        screen.say(text!("load.skipped", n = thousands(n), all = thousands(all)));
        for file in data.skipped.iter().take(NAMED) {
            screen.say(clean(format!("  {}: {}", file.name, said(&file.reason))));
        }
        if n > NAMED {
            screen.say(format!("  {}", text!("word.and_more", n = n - NAMED)));
        }
    }
    if options.known.is_none() {
        say_without_validation(&data, screen);
    }
    Ok(data)
}

/// How the data of a run is opened again, and in one sentence how it differs from what the run was
/// made of, if it does.
///
/// # Errors
/// When the data is missing; when what the run knows of it is damaged.
pub(crate) fn of_run(config: &Config, info: &RunInfo) -> Result<(OpenOptions, Option<String>)> {
    let options = OpenOptions {
        val: info.val.as_ref().map(Into::into),
        test: info.test.as_ref().map(Into::into),
        threads: config.train.threads,
        ..OpenOptions::new(config.data.clone())
    };
    let before: Fingerprint = info.fingerprint.clone().try_into().map_err(Failure::failed)?;
    let difference = before.difference(&data::fingerprint(&info.data, &options)?);
    Ok((options, difference))
}

/// Names the classes that validation says nothing of.
fn say_without_validation(data: &Dataset, screen: Screen) {
    let without = data.counts().into_iter().filter(|class| class.train > 0 && class.val == 0);
    let mut without: Vec<String> = without.map(|class| format!("`{}`", class.class)).collect();
    let more = without.len().saturating_sub(NAMED);
    without.truncate(NAMED);
    without.extend((more > 0).then(|| text!("word.and_more", n = more)));
    if !without.is_empty() {
        screen.say(clean(text!("load.no_validation", classes = without.join(", "))));
    }
}

/// Says where the data lies, when that is not where it was looked for, and what beside it is left
/// out.
fn say_left_out(left: &LeftOut, screen: Screen) {
    let listed = |mut names: Vec<String>| {
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        names.extend((more > 0).then(|| text!("word.and_more", n = more)));
        names.join(", ")
    };
    if !left.below.is_empty() {
        let folders = listed(left.below.iter().map(|name| format!("`{name}`")).collect());
        screen.say(text!("load.below", folders = folders));
    }
    let folder = |(name, n): &(String, u64)| match n {
        0 => text!("load.left_empty", name = name),
        n => text!("load.left_folder", name = name, n = thousands(*n as usize)),
    };
    let system = left.system.iter().map(|(name, n)| match n {
        1 => text!("load.left_system", name = name),
        n => text!("load.left_systems", name = name, n = thousands(*n as usize)),
    });
    let folders: Vec<String> = left.folders.iter().map(folder).chain(system).collect();
    let ending = |ending: &String| match ending.as_str() {
        "" => text!("load.no_ending"),
        ending => format!(".{ending}"),
    };
    let (files, endings) = (left.files.values().sum::<u64>(), left.files.keys().map(ending));
    let what: Vec<String> = [
        (!folders.is_empty()).then(|| listed(folders)),
        (left.loose > 0).then(|| text!("load.left_loose", n = thousands(left.loose as usize))),
        (files > 0).then(|| {
            let endings = listed(endings.collect());
            text!("load.left_files", n = thousands(files as usize), endings = endings)
        }),
        (!left.beside.is_empty()).then(|| {
            let files = left.beside.iter().map(|name| format!("`{name}`")).collect();
            text!("load.left_beside", files = listed(files))
        }),
        (left.special > 0).then(|| text!("load.left_special", n = left.special)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !what.is_empty() {
        screen.say(text!("load.left_out", what = what.join("; ")));
    }
}

/// What can be measured at all where there are few pictures of a class.
pub(crate) fn note_few(data: &Dataset, screen: Screen) {
    let of_class = |c: data::ClassCount| c.train + c.val;
    let fewest = data.counts().into_iter().map(of_class).min().unwrap_or(0);
    if fewest >= ENOUGH {
        return;
    }
    let val = data.parts.val.len();
    let [low, high] = wilson(0.7, val);
    let note = text!("load.few", n = fewest, val = val, low = percent(low), high = percent(high));
    screen.say(format!("{}: {note}", text!("word.note")));
}
