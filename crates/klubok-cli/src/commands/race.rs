//! `klubok train --vary KEY=A,B,C --dashboard`: trains the runs of a comparison at the same time,
//! side by side on one page.

use std::{panic::resume_unwind, thread};

use klubok::{
    config::Config,
    data::Dataset,
    device,
    train::{evaluate::chance, event::Observer, run_dir::Place},
};
use klubok_page::{Lane, LiveRun, Page};
use klubok_text::{shell, text};

use crate::{
    failure::{Failure, Result},
    interrupt::{self, MAX_LANES},
    json::{EventPrinter, TrainingResult},
    race_display::RaceDisplay,
    serving,
    terminal::paint,
    training,
    training_job::{PreparedRun, TrainingJob, remove_untrained},
};

/// Varied settings of one run: keys and values.
pub(super) type VariedValues = Vec<(String, String)>;

/// A training that has finished.
pub(super) struct Finished {
    pub(super) trained: TrainingResult,
    /// Number of validation samples, and chance accuracy on them.
    pub(super) val: (usize, f64),
}

impl Finished {
    pub(super) fn new(trained: TrainingResult, data: &Dataset) -> Self {
        Self { trained, val: (data.parts.val.len(), chance(data)) }
    }
}

/// A training that takes part.
pub(super) struct Entry<'a> {
    /// Its varied settings.
    pub(super) varied: VariedValues,
    /// All its settings.
    pub(super) config: Config,
    /// The place of its run.
    pub(super) place: Place<'a>,
}

impl Entry<'_> {
    /// Writes the varied settings.
    pub(super) fn title(&self) -> String {
        let setting = |(key, value): &(String, String)| format!("{key} = {value}");
        self.varied.iter().map(setting).collect::<Vec<_>>().join(", ")
    }
}

/// A race that has ended.
pub(super) struct Race {
    /// The results in order.
    pub(super) results: Vec<Result<Finished>>,
    /// Its page, which still shows it.
    pub(super) page: Page,
}

/// Trains all entries at the same time; `name` is that of their data. An entry that fails leaves
/// the others alone.
///
/// # Errors
/// When there are too many entries, a folder is taken, the data cannot be used, or the page cannot
/// be served. Then nothing has trained, and no run's folder stays.
pub(super) fn run(
    job: &TrainingJob<'_>,
    name: &str,
    entries: &[Entry<'_>],
    prints_events: bool,
) -> Result<Race> {
    if entries.len() > MAX_LANES {
        let sentence = format!(
            "the page shows at most {MAX_LANES} runs side by side, and these are {}",
            entries.len()
        );
        return Err(Failure::usage(sentence).hint(text!("hint.race_lanes")));
    }
    let runs = prepare(job, entries)?;
    let page = serve(job, name, entries, &runs)
        .inspect_err(|_| runs.iter().for_each(|lane| remove_untrained(&lane.run)))?;
    let display = RaceDisplay::new(job.screen, entries.iter().map(Entry::title).collect());
    let results = train(entries, &runs, page.lanes(), &display, prints_events);
    display.end();
    Ok(Race { results, page })
}

/// Creates all runs. Opens data once as long as its settings are the same.
fn prepare(job: &TrainingJob<'_>, entries: &[Entry<'_>]) -> Result<Vec<PreparedRun>> {
    let mut runs: Vec<PreparedRun> = Vec::new();
    for entry in entries {
        let same = entries.iter().zip(&runs).find(|(of, _)| of.config.data == entry.config.data);
        let data = same.map(|(_, run)| run.data.clone());
        let run = job
            .prepare(&entry.config, entry.place, data)
            .inspect_err(|_| runs.iter().for_each(|made| remove_untrained(&made.run)))?;
        runs.push(run);
    }
    Ok(runs)
}

/// Serves the page, and says where and what it shows.
fn serve(
    job: &TrainingJob<'_>,
    name: &str,
    entries: &[Entry<'_>],
    runs: &[PreparedRun],
) -> Result<Page> {
    let lanes = entries.iter().zip(runs).zip(&interrupt::LANES);
    let lanes: Vec<LiveRun<'_>> = lanes
        .map(|((Entry { config, .. }, PreparedRun { run, info, data }), control)| LiveRun {
            run,
            config,
            info,
            data,
            control,
        })
        .collect();
    let settings = entries.iter().map(|entry| entry.varied.clone()).collect();
    let page = Page::race(name, &lanes, settings, job.page.listen)?;
    let data = shell::shown(&runs[0].info.data);
    job.screen.message(paint(text!("vary.side_by_side", n = runs.len(), data = data)).bold());
    for (entry, lane) in entries.iter().zip(runs) {
        job.screen.message(format!("  {}  {}", entry.title(), lane.run.path().display()));
    }
    serving::print_addresses(&page, job.screen);
    // At a terminal a race is watched: it waits for the first look, and all lanes keep one pace.
    if job.screen.is_live() {
        page.show();
    }
    Ok(page)
}

/// Trains each run on a thread of its own.
fn train(
    entries: &[Entry<'_>],
    runs: &[PreparedRun],
    lanes: &[Lane],
    display: &RaceDisplay,
    prints_events: bool,
) -> Vec<Result<Finished>> {
    let _listening = interrupt::InterruptGuard::begin();
    thread::scope(|scope| {
        let start = |i: usize| {
            let mut events = prints_events.then(EventPrinter::of_several);
            scope.spawn(move || {
                let mut display = display.lane(i);
                let trained = train_lane(
                    i,
                    entries,
                    &runs[i],
                    &mut [&mut &lanes[i], &mut display],
                    &mut events,
                );
                lanes[i].training_ended();
                // A lane may have failed before its training began.
                interrupt::LANES[i].close();
                remove_untrained(&runs[i].run);
                let failed = |failure: Failure| Failure {
                    message: format!("{}: {}", entries[i].title(), failure.message),
                    ..failure
                };
                Ok(Finished::new(trained.map_err(failed)?, &runs[i].data))
            })
        };
        let threads: Vec<_> = (0..entries.len()).map(start).collect();
        let ended: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        ended.into_iter().map(|ended| ended.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// Trains one run with its share of the threads.
fn train_lane(
    lane: usize,
    entries: &[Entry<'_>],
    PreparedRun { run, info, data }: &PreparedRun,
    others: &mut [&mut dyn Observer],
    events: &mut Option<EventPrinter>,
) -> Result<TrainingResult> {
    let (config, control) = (&entries[lane].config, &interrupt::LANES[lane]);
    let settings = &config.train;
    let threads = (settings.threads / entries.len()).max(1);
    let backend = device::open(settings.device, settings.kernel, threads, settings.precision)?;
    let live = LiveRun { run, config, info, data, control };
    let (summary, diagnosis) =
        training::train_diagnosed(&live, backend.as_ref(), others, events.as_mut())?;
    let result = TrainingResult::new(&summary, &diagnosis);
    if let Some(events) = events {
        events.end(&result)?;
    }
    Ok(result)
}
