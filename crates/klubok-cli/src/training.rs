//! Trains a run: shared by `train`, `resume` and `demo`.

use klubok::{
    backend::Backend,
    config::{Config, Monitor},
    data::{Dataset, survey::Survey},
    diagnose::{Diagnosis, data_quality, observer::DiagnosisObserver},
    model::Input,
    nn::network::{Network, OutputKind},
    rows::Field,
    train::{
        evaluate::{chance, wilson},
        event::{Observer, Stopped},
        run_dir::{MODEL, RunDir},
        run_info::RunInfo,
        session::{self, Summary},
    },
};
use klubok_page::{Lane, LiveRun, Page};
use klubok_text::{
    numbers::{
        accuracy_and_chance, duration, r_squared, rate, rate_to_type, significant, thousands,
    },
    shell, text,
};

use crate::{
    browser, diagnosis,
    failure::{Failure, Result},
    flags::{PageFlags, TrainingOutputFlags},
    interrupt,
    json::{EventPrinter, TrainingResult},
    loading, serving,
    terminal::{Screen, paint, print_stdout},
    training_display::TrainingDisplay,
};

/// A run with its settings, its data and its outputs.
pub(crate) struct Training<'a> {
    /// Run folder.
    pub(crate) run: &'a RunDir,
    /// Settings.
    pub(crate) config: &'a Config,
    /// Paths and fingerprint of the data.
    pub(crate) info: &'a RunInfo,
    /// Opened data.
    pub(crate) data: &'a Dataset,
    /// Flags of the live page.
    pub(crate) page: &'a PageFlags,
    /// Messages for people.
    pub(crate) screen: Screen,
    /// JSON events for programs, with `--jsonl`.
    pub(crate) events: Option<&'a mut EventPrinter>,
}

/// Outcome of a training.
pub(crate) struct TrainingOutcome {
    /// Figures and the reason of its end.
    pub(crate) summary: Summary,
    /// Phases and verdicts.
    pub(crate) diagnosis: Diagnosis,
    /// Live page, if it stays open.
    pub(crate) page: Option<Page>,
}

/// Trains a run and diagnoses it. Other observers see it, and the printer of events.
///
/// # Errors
/// As [`Training::train`].
pub(crate) fn train_diagnosed(
    &LiveRun { run, config, info, data, control }: &LiveRun<'_>,
    backend: &dyn Backend,
    others: &mut [&mut dyn Observer],
    events: Option<&mut EventPrinter>,
) -> Result<(Summary, Diagnosis)> {
    let mut diagnosis = DiagnosisObserver::of_data(config, data);
    diagnosis.add_data_verdicts(data_quality::verdicts(&Survey::of(data)?, config));
    let mut observers: Vec<&mut dyn Observer> = vec![&mut diagnosis];
    for observer in others {
        observers.push(&mut **observer);
    }
    if let Some(events) = events {
        events.set_run(run.path());
        observers.push(events);
    }
    let summary = session::train(run, config, data, backend, &mut observers, info, control)?;
    Ok((summary, diagnosis.diagnosis()))
}

impl Training<'_> {
    /// Trains until the run ends or a person interrupts it. Its state is then saved.
    ///
    /// # Errors
    /// When the rows are not those of the run, the network does not fit into memory, or files
    /// cannot be written.
    pub(crate) fn train(mut self, backend: &dyn Backend) -> Result<TrainingOutcome> {
        let Self { run, config, info, data, screen, .. } = self;
        let inputs = data.rows.fields()[Field::X.0].width;
        self.print_introduction(&config.network(inputs, data.outputs.len()), backend);
        let chance = chance(data);
        let is_number = data.targets.kind() == OutputKind::Numbers;
        let mut display = TrainingDisplay::new(screen, &data.parts, (!is_number).then_some(chance));
        let live = LiveRun { run, config, info, data, control: &interrupt::CONTROL };
        let page = match self.page {
            PageFlags { dashboard: true, listen, is_show, opens_browser } => {
                let page = Page::live(&live, *listen)?;
                serving::print_addresses(&page, screen);
                if *is_show {
                    page.show();
                }
                if *opens_browser {
                    browser::open(&page);
                }
                Some(page)
            }
            _ => None,
        };
        let mut lane = page.as_ref().and_then(|page| page.lanes().first());
        let mut others: Vec<&mut dyn Observer> = vec![&mut display];
        others.extend(lane.iter_mut().map(|lane| lane as &mut dyn Observer));
        let (summary, diagnosis) = {
            let _listening = interrupt::InterruptGuard::begin();
            train_diagnosed(&live, backend, &mut others, self.events.as_deref_mut())?
        };
        lane.into_iter().for_each(Lane::training_ended);
        // The page stays open for people at a terminal. A program that waits for the result does
        // not wait for them.
        let stays = screen.is_live() && summary.stopped != Some(Stopped::Interrupted);
        let done = TrainingOutcome { summary, diagnosis, page };
        self.print_conclusion(&done, chance)?;
        Ok(TrainingOutcome { page: done.page.filter(|_| stays), ..done })
    }

    /// Prints the run, its data, network and device.
    fn print_introduction(&self, network: &Network, backend: &dyn Backend) {
        let Self { run, config, info, data, screen, .. } = *self;
        screen.message(paint(text!("train.run", run = run.path().display())).bold());
        let source = shell::shown(&info.data);
        let outputs = names(&data.outputs);
        let train = thousands(data.parts.train.len());
        let val = thousands(data.parts.val.len());
        let is_picture = matches!(data.input, Input::Pictures(_));
        screen.message(match data.targets.kind() {
            OutputKind::Classes if is_picture => {
                text!("train.data", data = source, classes = outputs, train = train, val = val)
            }
            OutputKind::Classes => {
                text!(
                    "train.rows_classes",
                    data = source,
                    classes = outputs,
                    train = train,
                    val = val
                )
            }
            OutputKind::Labels => {
                text!(
                    "train.rows_labels",
                    data = source,
                    labels = outputs,
                    train = train,
                    val = val
                )
            }
            OutputKind::Numbers => {
                text!(
                    "train.rows_numbers",
                    data = source,
                    numbers = outputs,
                    train = train,
                    val = val
                )
            }
        });
        let device = backend.info(self.config.train.precision);
        screen.message(text!(
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
        if is_picture && data.targets.classes().is_some() {
            loading::note_few_pictures(data, screen);
        }
    }

    /// Prints the result, the diagnosis and the next commands.
    fn print_conclusion(
        &self,
        TrainingOutcome { summary, diagnosis, .. }: &TrainingOutcome,
        chance: f64,
    ) -> Result<()> {
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
                    screen.message(text!("end.untrained"));
                }
                learnt = wilson(share, samples)[0] > chance;
                if summary.stopped != Some(Stopped::Interrupted) && !learnt {
                    screen.message(text!("end.not_better"));
                }
            }
            (Some(best), None) if summary.val_rmse.is_some() => {
                let (rmse, r2) = summary.val_rmse.zip(summary.val_r2).unwrap_or_default();
                screen.result(text!(
                    "end.best_numbers",
                    best = best,
                    epochs = summary.epochs,
                    rmse = significant(rmse),
                    r2 = r_squared(r2),
                    chose = chose(self.config),
                    reason = reason,
                    time = time
                ))?;
                if best == 0 && summary.epochs > 0 {
                    screen.message(text!("end.untrained"));
                }
                learnt = r2 > 0.0;
                if summary.stopped != Some(Stopped::Interrupted) && !learnt {
                    screen.message(text!("end.not_better_numbers"));
                }
            }
            _ => screen.result(text!("end.no_epoch", reason = reason, time = time))?,
        }
        screen.message(diagnosis::report(diagnosis, learnt));
        screen.message(text!("end.model", path = self.run.file(MODEL).display()));
        let run = shell::quoted(&summary.run);
        let settings = shell::quoted(&format!("{}/config.toml", summary.run));
        let source = shell::quoted(&shell::shown(&info.data));
        let what = match data.targets.kind() {
            OutputKind::Classes => text!("end.next_eval"),
            OutputKind::Labels => text!("end.next_eval_labels"),
            OutputKind::Numbers => text!("end.next_eval_numbers"),
        };
        let eval = (format!("klubok eval {run} {source}"), what);
        let predict = |input| format!("klubok predict {run} {input}");
        let mut next = match data.input {
            Input::Pictures(_) => {
                vec![(predict(text!("end.picture")), text!("end.next_predict")), eval]
            }
            // Nobody has a built-in set as a file.
            Input::Columns(_) if info.data.starts_with("demo:") => vec![eval],
            Input::Columns(_) => {
                vec![(predict(text!("end.table")), text!("end.next_predict_rows")), eval]
            }
        };
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
        print_next_commands(screen, &next);
        Ok(())
    }
}

/// Prints the next commands, each on a line of its own with its purpose below.
pub(crate) fn print_next_commands(screen: Screen, next: &[(String, String)]) {
    screen.message(text!("end.next"));
    for (command, purpose) in next {
        screen.message(format!("  {}", paint(command).cyan()));
        screen.message(format!("      {purpose}"));
    }
}

/// Notes that the validation part chose the epoch, if it did.
fn chose(config: &Config) -> String {
    if config.train.monitor == Monitor::Last { String::new() } else { text!("end.chose") }
}

/// Writes why a run ended.
pub(crate) fn reason(stopped: Option<Stopped>) -> String {
    match stopped {
        Some(Stopped::Epochs) | None => text!("end.epochs"),
        Some(Stopped::EarlyStopping) => text!("end.early_stopping"),
        Some(Stopped::Diverged) => text!("end.diverged"),
        Some(Stopped::Interrupted) => text!("end.interrupted"),
        Some(Stopped::Person) => text!("end.person"),
    }
}

/// Prints the result for programs.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print(
    done: &TrainingOutcome,
    flags: &TrainingOutputFlags,
    events: Option<EventPrinter>,
) -> Result<()> {
    let trained = TrainingResult::new(&done.summary, &done.diagnosis);
    if let Some(mut events) = events {
        events.end(&trained)?;
    }
    if flags.json {
        print_stdout(serde_json::to_string(&trained).map_err(Failure::failed)?)?;
    }
    Ok(())
}

/// Prints the result for programs, then keeps the page open or fails with an exit code.
///
/// # Errors
/// When the training diverged (exit code 1) or was interrupted (130).
pub(crate) fn finish(
    done: &TrainingOutcome,
    flags: &TrainingOutputFlags,
    events: Option<EventPrinter>,
    learning_rate: f64,
) -> Result<()> {
    print(done, flags, events)?;
    let ended = outcome(done, learning_rate);
    if done.page.is_some() { serving::stay_open(ended) } else { ended }
}

/// Whether the training came to its end.
///
/// # Errors
/// When it diverged (exit code 1) or was interrupted (130).
fn outcome(done: &TrainingOutcome, learning_rate: f64) -> Result<()> {
    let summary = &done.summary;
    match summary.stopped {
        Some(Stopped::Diverged) => {
            let cause = summary.cause.clone().unwrap_or_else(|| text!("end.diverged"));
            // Prefer a rate that a verdict advises.
            let changes = done.diagnosis.verdicts.iter().flat_map(|verdict| &verdict.changes);
            let advised = changes.into_iter().find(|change| change.key == "train.learning_rate");
            let smaller = advised
                .map_or_else(|| rate_to_type(learning_rate / 10.0), |change| change.value.clone());
            Err(Failure::failed(cause).hint(text!("hint.diverged", rate = smaller)))
        }
        Some(Stopped::Interrupted) => Err(Failure::silent(130)),
        _ => Ok(()),
    }
}

/// Sizes of the layers: `4096-512-256-2`.
fn layers(network: &Network) -> String {
    let hidden = network.hidden.iter().map(|layer| layer.units);
    let sizes = [network.inputs].into_iter().chain(hidden).chain([network.outputs]);
    sizes.map(|size| size.to_string()).collect::<Vec<_>>().join("-")
}

/// Joins the first eight class names.
fn names(classes: &[String]) -> String {
    let mut names = classes.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    if classes.len() > 8 {
        names = format!("{names} {}", text!("word.and_more", n = classes.len() - 8));
    }
    names
}
