//! `klubok demo`: trains on the built-in drawings and shows what the network has learnt.

use std::path::Path;

use klubok::{
    config::{DataKind, Preset},
    data::Dataset,
    evaluation::Evaluation,
    train::{event::Stopped, run_dir::Place, session::Summary},
};
use klubok_text::{
    numbers::{accuracy, accuracy_and_chance, thousands},
    text,
};

use crate::{
    args, browser,
    failure::Result,
    flags::PageFlags,
    json::EventPrinter,
    loaded_model::LoadedModel,
    run_lookup::RUNS_FOLDER,
    settings,
    terminal::{Screen, bar, paint, table, words},
    training,
    training_job::TrainingJob,
};

/// The demo's built-in dataset.
const SOURCE: &str = "demo:cats-dogs";
/// Settings over the preset: a network that learns the drawings well in under a minute.
const SETTINGS: [(&str, &str); 2] = [("model.hidden", "256,64"), ("train.epochs", "20")];

/// Trains on drawings, shows accuracy by class, and names the command for one's own pictures.
pub(crate) fn run(args: &args::Demo) -> Result<()> {
    let screen = args.flags.screen();
    screen.message(text!("demo.intro"));
    let written =
        settings::from_flags(&args.settings, Preset::Balanced, DataKind::Pictures, &SETTINGS)?;
    let config = settings::resolve(&written.builder, screen)?.config;
    let place = match &args.output {
        Some(folder) => Place::Folder(folder),
        None => Place::Numbered { runs: Path::new(RUNS_FOLDER), name: "demo" },
    };
    let preset = written.preset;
    // On a desktop the demo is a show in the browser; asked for, its page is one anywhere.
    let opens = !args.no_browser && screen.is_live() && browser::is_at_hand();
    let page = PageFlags {
        dashboard: args.page.dashboard || opens,
        is_show: true,
        opens_browser: opens,
        ..args.page
    };
    let job = TrainingJob {
        source: SOURCE,
        val: None,
        test: None,
        strict: false,
        preset,
        page: &page,
        replay: Vec::new(),
        screen,
    };
    let mut events = args.flags.jsonl.then(EventPrinter::default);
    let (done, data) = job.train(&config, place, None, events.as_mut())?;
    if matches!(done.summary.stopped, Some(Stopped::Epochs | Stopped::EarlyStopping)) {
        print_recognised(&done.summary, &data, screen)?;
    }
    training::finish(&done, &args.flags, events, config.train.learning_rate)
}

/// Prints the share of recognised validation drawings, by class.
fn print_recognised(summary: &Summary, data: &Dataset, screen: Screen) -> Result<()> {
    let loaded = LoadedModel::open(&summary.run, 0)?;
    let Evaluation::Classes(all) = loaded.predictor().evaluate(data, &data.parts.val)? else {
        return Ok(());
    };
    let head = [
        words(text!("demo.class")),
        words(text!("demo.recognised")),
        words(""),
        words(text!("demo.confused")),
    ];
    let row = |(c, counts): (usize, &Vec<usize>)| {
        let figures = &all.per_class[c];
        let share = figures.recall.unwrap_or(0.0);
        let hit = text!("demo.of", hit = thousands(counts[c]), all = thousands(figures.support));
        let wrong = (0..counts.len()).filter(|&other| other != c && counts[other] > 0);
        let wrong = wrong.max_by_key(|&other| counts[other]);
        vec![
            figures.class.clone(),
            format!("{}, {hit}", accuracy(share, figures.support)),
            format!("{:20}", bar(share, 20)),
            wrong.map_or("-".to_owned(), |other| all.per_class[other].class.clone()),
        ]
    };
    screen.message(format!("\n{}", paint(text!("demo.learnt")).bold()));
    screen.message(table(&head, &all.confusion.iter().enumerate().map(row).collect::<Vec<_>>()));
    let after = accuracy_and_chance(all.accuracy, all.samples, all.chance);
    screen.message(text!("demo.all", accuracy = after));
    screen.message(format!("\n{}\n  klubok train {}", text!("demo.own"), text!("demo.folder")));
    Ok(())
}
