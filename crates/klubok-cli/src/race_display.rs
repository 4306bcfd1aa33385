//! Shows a race on the terminal: a line for each training, redrawn in place.

use std::sync::{Mutex, PoisonError};

use console::{Alignment, measure_text_width, pad_str, truncate_str};
use indicatif::{ProgressBar, ProgressStyle};
use klubok::train::event::{Event, Metrics, Observer};
use klubok_text::{
    numbers::{loss, percent, r_squared},
    text,
};

use crate::{
    terminal::{Screen, bar, columns, paint},
    training,
};

/// Characters of the bar in each line.
const BAR: usize = 16;

/// The lines of a race.
pub(crate) struct RaceDisplay {
    screen: Screen,
    bar: ProgressBar,
    titles: Vec<String>,
    lines: Mutex<Vec<String>>,
}

impl RaceDisplay {
    /// Shows trainings with these titles.
    pub(crate) fn new(screen: Screen, titles: Vec<String>) -> Self {
        let bar = screen.bar("", 1);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        let lines = Mutex::new(vec![String::new(); titles.len()]);
        Self { screen, bar, titles, lines }
    }

    /// Returns an observer of one training.
    pub(crate) fn lane(&self, lane: usize) -> LaneDisplay<'_> {
        LaneDisplay { race: self, lane, length: (1, 1), figures: String::new() }
    }

    /// Removes the lines: the race has ended.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self, lane: usize, what: &str) {
        let widest = self.titles.iter().map(|title| measure_text_width(title)).max().unwrap_or(0);
        let title = pad_str(&self.titles[lane], widest, Alignment::Left, None);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines[lane] = truncate_str(&format!(" {title}  {what}"), columns(), "…").into_owned();
        self.bar.set_message(lines.join("\n"));
    }
}

/// An observer that keeps the line of one training.
pub(crate) struct LaneDisplay<'a> {
    race: &'a RaceDisplay,
    lane: usize,
    /// Steps an epoch, and epochs.
    length: (u64, u64),
    /// What the last epoch measured.
    figures: String,
}

impl LaneDisplay<'_> {
    fn show(&self, step: u64) {
        let (per_epoch, epochs) = self.length;
        let share = step as f64 / (per_epoch * epochs).max(1) as f64;
        let filled = pad_str(&bar(share, BAR), BAR, Alignment::Left, None).into_owned();
        let epoch = text!("train.of", epoch = step.div_ceil(per_epoch.max(1)), epochs = epochs);
        self.race.show(self.lane, &format!("{}  {epoch}  {}", paint(filled).cyan(), self.figures));
    }
}

impl Observer for LaneDisplay<'_> {
    fn observe(&mut self, event: &Event<'_>) -> klubok::train::Result<()> {
        match event {
            Event::Start { steps_per_epoch, epochs, step } => {
                self.length = (*steps_per_epoch, *epochs);
                self.show(*step);
            }
            Event::Progress { step, .. } => self.show(*step),
            Event::Epoch { metrics, .. } => {
                self.figures = figures(metrics);
                self.show(metrics.step);
            }
            Event::End { stopped } => {
                let (lane, reason) = (self.lane, training::reason(Some(*stopped)));
                self.race.show(lane, &reason);
                self.race.screen.message(format!("{}: {reason}", self.race.titles[lane]));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Writes the validation loss of an epoch, and how good its predictions are.
fn figures(metrics: &Metrics) -> String {
    let loss = metrics.val_loss.map(|value| text!("train.curve_val", loss = loss(value, 4)));
    let of_numbers = metrics.val_r2.map(|r2| format!("R² {}", r_squared(r2)));
    let score = metrics.val_accuracy.map(percent).or(of_numbers);
    loss.into_iter().chain(score).collect::<Vec<_>>().join("  ")
}
