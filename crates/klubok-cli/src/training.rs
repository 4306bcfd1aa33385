//! From settings and data to a trained run: what `train`, `resume` and `demo` share.

use klubok::{
    backend::Backend,
    config::{Config, Monitor},
    data::{Dataset, survey::Survey},
    diagnose::{Diagnosis, data_quality, observer::DiagnosisObserver, setup::Setup},
    nn::network::Network,
    rows::Field,
    train::{
        evaluate::{chance_accuracy, wilson},
        event::{Observer, Stopped},
        run_dir::{MODEL, RunDir},
        run_info::RunInfo,
        session::{self, Summary},
    },
};
use klubok_page::Page;
use klubok_text::{
    numbers::{accuracy_and_chance, duration, rate, rate_to_type, thousands},
    shell, text,
};

use crate::{
    args::{self, Report},
    diagnosis,
    failure::{Failure, Result},
    interrupt,
    json::{Lines, Trained},
    loading,
    progress::Progress,
    serving,
    terminal::{Screen, answer, complain, paint},
};

/// What a run is of and how it reports.
pub(crate) struct Training<'a> {
    /// Its folder.
    pub(crate) run: &'a RunDir,
    /// Its settings.
    pub(crate) config: &'a Config,
    /// Its data and kernels.
    pub(crate) info: &'a RunInfo,
    /// Its data, opened.
    pub(crate) data: &'a Dataset,
    /// Whether it is shown in the browser.
    pub(crate) page: &'a args::Page,
    /// Where people read.
    pub(crate) screen: Screen,
    /// Where programs read, with `--jsonl`.
    pub(crate) lines: Option<&'a mut Lines>,
}

/// How a training ended, and how it went.
pub(crate) struct Done {
    /// How it ended.
    pub(crate) summary: Summary,
    /// Its phases and verdicts.
    pub(crate) diagnosis: Diagnosis,
    /// Its page, if that stays.
    pub(crate) page: Option<Page>,
}

impl Training<'_> {
    /// Trains until the run ends or a person interrupts it. What was left is on the disk.
    ///
    /// # Errors
    /// When the rows are not those of the run, the network does not fit into memory, or files
    /// cannot be written.
    pub(crate) fn train(mut self, backend: &dyn Backend) -> Result<Done> {
        let Self { run, config, info, data, screen, .. } = self;
        let inputs = data.rows.fields()[Field::X.0].width;
        self.introduce(&config.network(inputs, data.classes.len()), backend);
        let val_classes = data.class_counts(&data.parts.val);
        let chance = chance_accuracy(&val_classes);
        let mut progress = Progress::new(screen, &data.parts, chance);
        let train_classes = data.class_counts(&data.parts.train);
        let mut diagnosis = DiagnosisObserver::new(data.parts.val.len() as u64)
            .with_classes(&val_classes)
            .with_setup(Setup { config: config.clone(), train_classes });
        diagnosis.add_data_verdicts(data_quality::verdicts(&Survey::of(data)?, config));
        let mut observers: Vec<&mut dyn Observer> = vec![&mut diagnosis, &mut progress];
        if let Some(lines) = &mut self.lines {
            lines.of(run.path());
            observers.push(&mut **lines);
        }
        let page = match self.page {
            args::Page { dashboard: true, listen } => {
                let control = &interrupt::CONTROL;
                let page = Page::live(run, config, info, data, control, *listen)?;
                serving::say_where(&page, screen);
                Some(page)
            }
            _ => None,
        };
        let mut feed = page.as_ref();
        observers.extend(feed.iter_mut().map(|feed| feed as &mut dyn Observer));
        let summary = {
            let _listening = interrupt::Training::begin();
            session::train(run, config, data, backend, &mut observers, info, &interrupt::CONTROL)?
        };
        page.iter().for_each(Page::training_ended);
        // Who looks at the page may go on looking; a program that waits for the answer does not
        // wait for people.
        let stays = screen.is_live() && summary.stopped != Some(Stopped::Interrupted);
        let done = Done { summary, diagnosis: diagnosis.diagnosis(), page };
        self.conclude(&done, chance)?;
        Ok(Done { page: done.page.filter(|_| stays), ..done })
    }

    /// What will be trained on what, with what.
    fn introduce(&self, network: &Network, backend: &dyn Backend) {
        let Self { run, config, info, data, screen, .. } = *self;
        screen.say(paint(text!("train.run", run = run.path().display())).bold());
        screen.say(text!(
            "train.data",
            data = shell::shown(&info.data),
            classes = names(&data.classes),
            train = thousands(data.parts.train.len()),
            val = thousands(data.parts.val.len())
        ));
        let device = backend.info(self.config.train.precision);
        screen.say(text!(
            "train.network",
            layers = layers(network),
            weights = thousands(network.parameters()),
            optimizer = format!("{:?}", config.train.optimizer).to_lowercase(),
            rate = rate(config.train.learning_rate),
            batch = config.train.batch_size,
            device = device.device,
            kernel = device.kernel,
            threads = device.threads
        ));
        loading::note_few(data, screen);
    }

    /// What came of it, and what can be done next.
    fn conclude(&self, Done { summary, diagnosis, .. }: &Done, chance: f64) -> Result<()> {
        let Self { info, data, screen, .. } = *self;
        let reason = reason(summary.stopped);
        let time = duration(summary.seconds);
        let samples = data.parts.val.len();
        let mut learnt = true;
        match (summary.best_epoch, summary.val_accuracy) {
            (Some(best), Some(share)) => {
                screen.result(text!(
                    "end.best",
                    best = best,
                    epochs = summary.epochs,
                    accuracy = accuracy_and_chance(share, samples, chance),
                    chose = chose(self.config),
                    reason = reason,
                    time = time
                ))?;
                if best == 0 && summary.epochs > 0 {
                    screen.say(text!("end.untrained"));
                }
                learnt = wilson(share, samples)[0] > chance;
                if summary.stopped != Some(Stopped::Interrupted) && !learnt {
                    screen.say(text!("end.not_better"));
                }
            }
            _ => screen.result(text!("end.no_epoch", reason = reason, time = time))?,
        }
        screen.say(diagnosis::report(diagnosis, learnt));
        screen.say(text!("end.model", path = self.run.file(MODEL).display()));
        let run = shell::quoted(&summary.run);
        let settings = shell::quoted(&format!("{}/config.toml", summary.run));
        let source = shell::quoted(&shell::shown(&info.data));
        let predict = format!("klubok predict {run} {}", text!("end.picture"));
        let eval = format!("klubok eval {run} {source}");
        let mut next = vec![(predict, text!("end.next_predict")), (eval, text!("end.next_eval"))];
        if let Some(verdict) = diagnosis.verdicts.iter().find(|verdict| !verdict.try_.is_empty()) {
            let parts = [("--val", &info.val), ("--test", &info.test)];
            let part = |(flag, path): (&str, &Option<String>)| {
                path.as_ref().map_or_else(String::new, |path| {
                    format!(" {flag} {}", shell::quoted(&shell::shown(path)))
                })
            };
            let (parts, advice) = (parts.map(part).concat(), &verdict.try_);
            let again = format!("klubok train {source}{parts} -c {settings} {advice}");
            next.push((again, text!("end.next_try")));
        }
        if summary.stopped == Some(Stopped::Interrupted) {
            next.insert(0, (format!("klubok resume {run}"), text!("end.next_resume")));
        }
        say_next(screen, &next);
        Ok(())
    }
}

/// Commands that a person may want next, each alone on its line, and below it what it is for.
pub(crate) fn say_next(screen: Screen, next: &[(String, String)]) {
    screen.say(text!("end.next"));
    for (command, purpose) in next {
        screen.say(format!("  {}", paint(command).cyan()));
        screen.say(format!("      {purpose}"));
    }
}

/// That the validation part chose the epoch, where it did.
fn chose(config: &Config) -> String {
    if config.train.monitor == Monitor::Last { String::new() } else { text!("end.chose") }
}

/// Why a run ended, in a sentence.
pub(crate) fn reason(stopped: Option<Stopped>) -> String {
    match stopped {
        Some(Stopped::Epochs) | None => text!("end.epochs"),
        Some(Stopped::EarlyStopping) => text!("end.early_stopping"),
        Some(Stopped::Diverged) => text!("end.diverged"),
        Some(Stopped::Interrupted) => text!("end.interrupted"),
        Some(Stopped::Person) => text!("end.person"),
    }
}

/// Prints for programs how training ended.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print(done: &Done, report: &Report, lines: Option<Lines>) -> Result<()> {
    let trained = Trained::new(&done.summary, &done.diagnosis);
    if let Some(mut lines) = lines {
        lines.end(&trained)?;
    }
    if report.json {
        answer(serde_json::to_string(&trained).map_err(Failure::failed)?)?;
    }
    Ok(())
}

/// The same, and turns how it ended into an exit code.
///
/// # Errors
/// When it diverged (1) or was interrupted (130).
pub(crate) fn finish(
    done: &Done,
    report: &Report,
    lines: Option<Lines>,
    learning_rate: f64,
) -> Result<()> {
    print(done, report, lines)?;
    let summary = &done.summary;
    match summary.stopped {
        Some(Stopped::Diverged) => {
            let cause = summary.cause.clone().unwrap_or_else(|| text!("end.diverged"));
            // What the verdicts advise, where they advise a rate.
            let changes = done.diagnosis.verdicts.iter().flat_map(|verdict| &verdict.changes);
            let advised = changes.into_iter().find(|change| change.key == "train.learning_rate");
            let smaller = advised
                .map_or_else(|| rate_to_type(learning_rate / 10.0), |change| change.value.clone());
            Err(Failure::failed(cause).hint(text!("hint.diverged", rate = smaller)))
        }
        Some(Stopped::Interrupted) => Err(Failure::silent(130)),
        _ => {
            if done.page.is_some() {
                complain(text!("page_at.stays"));
                interrupt::wait();
            }
            Ok(())
        }
    }
}

/// `4096-512-256-2`.
fn layers(network: &Network) -> String {
    let hidden = network.hidden.iter().map(|layer| layer.units);
    let sizes = [network.inputs].into_iter().chain(hidden).chain([network.outputs]);
    sizes.map(|size| size.to_string()).collect::<Vec<_>>().join("-")
}

/// Up to eight names.
fn names(classes: &[String]) -> String {
    let mut names = classes.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    if classes.len() > 8 {
        names = format!("{names} {}", text!("word.and_more", n = classes.len() - 8));
    }
    names
}
