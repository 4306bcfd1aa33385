//! Opens data with a progress bar, then reports skipped files and folders.

use std::sync::OnceLock;

use klubok::{
    config::TargetKind,
    data::{self, Dataset, LeftOut, OpenOptions, table::Reason},
    train::evaluate::wilson,
};
use klubok_text::{
    clean,
    numbers::{duration, percent, thousands},
    text, translated,
};

use crate::{failure::Result, terminal::Screen};

/// Largest number of names in a list; the rest is counted.
const MAX_NAMED: usize = 10;
/// Pictures a class from which accuracy can be measured well.
pub(crate) const ENOUGH_PER_CLASS: usize = 500;

/// Opens data and reports the files and folders left out.
///
/// # Errors
/// As [`data::open`].
pub(crate) fn open(source: &str, options: &OpenOptions, screen: Screen) -> Result<Dataset> {
    let data = with_bar(screen, |progress| data::open(source, options, progress))?;
    if options.data.limit > 0 && options.known.is_none() {
        screen.message(text!("load.limited", n = thousands(options.data.limit)));
    }
    print_left_out(&data.left_out, screen);
    if !data.skipped.is_empty() {
        let (n, all) = (data.skipped.len(), data.skipped.len() + data.names.len());
        screen.message(text!("load.skipped", n = thousands(n), all = thousands(all)));
        for file in data.skipped.iter().take(MAX_NAMED) {
            screen.message(clean(format!("  {}: {}", file.name, translated(&file.reason))));
        }
        if n > MAX_NAMED {
            screen.message(format!("  {}", text!("word.and_more", n = n - MAX_NAMED)));
        }
    }
    if options.known.is_none() {
        print_classes_without_validation(&data, screen);
    }
    Ok(data)
}

/// Finds out what the target of a table is.
///
/// # Errors
/// As [`data::table_target`].
pub(crate) fn table_target(
    source: &str,
    columns: &[String],
    screen: Screen,
) -> Result<(TargetKind, Reason)> {
    Ok(with_bar(screen, |progress| data::table_target(source.as_ref(), columns, progress))?)
}

/// Shows the progress of `read` as a bar. Draws nothing before the number of files or bytes is
/// known.
pub(crate) fn with_bar<T>(screen: Screen, read: impl FnOnce(data::Progress<'_>) -> T) -> T {
    let bar = OnceLock::new();
    let result = read(&|done, total| {
        let bar = bar.get_or_init(|| screen.bar(text!("load.reading"), total as u64));
        bar.set_position(done as u64);
        bar.set_message(text!("load.left", left = duration(bar.eta().as_secs_f64())));
    });
    if let Some(bar) = bar.get() {
        bar.finish_and_clear();
    }
    result
}

/// Prints the classes without validation samples.
fn print_classes_without_validation(data: &Dataset, screen: Screen) {
    let without = data.counts().into_iter().filter(|class| class.train > 0 && class.val == 0);
    let mut without: Vec<String> = without.map(|class| format!("`{}`", class.class)).collect();
    let more = without.len().saturating_sub(MAX_NAMED);
    without.truncate(MAX_NAMED);
    without.extend((more > 0).then(|| text!("word.and_more", n = more)));
    if !without.is_empty() {
        screen.message(clean(text!("load.no_validation", classes = without.join(", "))));
    }
}

/// Prints where the data lies, if deeper than the named folder, and what is left out.
fn print_left_out(left: &LeftOut, screen: Screen) {
    let listed = |mut names: Vec<String>| {
        let more = names.len().saturating_sub(MAX_NAMED);
        names.truncate(MAX_NAMED);
        names.extend((more > 0).then(|| text!("word.and_more", n = more)));
        names.join(", ")
    };
    if !left.below.is_empty() {
        let folders = listed(left.below.iter().map(|name| format!("`{name}`")).collect());
        screen.message(text!("load.below", folders = folders));
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
        screen.message(text!("load.left_out", what = what.join("; ")));
    }
}

/// Warns that few pictures a class allow only a rough measurement.
pub(crate) fn note_few_pictures(data: &Dataset, screen: Screen) {
    let of_class = |c: data::ClassCount| c.train + c.val;
    let fewest = data.counts().into_iter().map(of_class).min().unwrap_or(0);
    if fewest >= ENOUGH_PER_CLASS {
        return;
    }
    let val = data.parts.val.len();
    let [low, high] = wilson(0.7, val);
    let note = text!("load.few", n = fewest, val = val, low = percent(low), high = percent(high));
    screen.message(format!("{}: {note}", text!("word.note")));
}
