//! Shows a training on the terminal: a row for each epoch, a bar within the epoch, the learning
//! curves.

use std::time::Instant;

use console::{Alignment, measure_text_width};
use indicatif::{ProgressBar, ProgressStyle};
use klubok::{
    data::Parts,
    train::{
        act::Act,
        event::{Event, Metrics, Notice, Observer},
    },
};
use klubok_text::{
    numbers::{accuracy, duration, loss, percent, r_squared, rate, significant, thousands},
    text,
};

use crate::{
    curve, diagnosis,
    terminal::{Screen, columns, paint},
};

/// Column widths: epoch, losses, accuracies, learning rate, time. With the mark of the best epoch
/// a row has at most 80 characters in both languages.
const WIDTHS: [usize; 7] = [5, 10, 10, 14, 14, 8, 11];
/// Width and height of the curves, in characters; narrower beside long labels.
const CURVE_SIZE: (usize, usize) = (58, 4);
/// Spaces before the curves, and between them and their labels.
const CURVE_MARGINS: (usize, usize) = (3, 2);

/// An observer that shows a training on the terminal.
pub(crate) struct TrainingDisplay {
    screen: Screen,
    /// Numbers of samples behind the training and the validation accuracy.
    samples: (usize, usize),
    /// Chance accuracy; none for numbers, which have none.
    chance: Option<f64>,
    bar: ProgressBar,
    /// Start of the phase reported last.
    phase_start: Option<f64>,
    begun: Instant,
    /// Steps an epoch, total epochs, steps done before this session.
    steps: (u64, u64, u64),
    train: Vec<(f64, f64)>,
    validation: Vec<(f64, f64)>,
}

impl TrainingDisplay {
    /// Creates a display for the training and validation parts, given the chance accuracy if there
    /// is one.
    pub(crate) fn new(screen: Screen, parts: &Parts, chance: Option<f64>) -> Self {
        let (train, val) = (parts.train.len(), parts.val.len());
        Self {
            screen,
            // The training accuracy is measured on as many samples as the validation accuracy.
            samples: (if val == 0 { train } else { train.min(val) }, val),
            chance,
            bar: ProgressBar::hidden(),
            phase_start: None,
            begun: Instant::now(),
            steps: (1, 0, 0),
            train: Vec::new(),
            validation: Vec::new(),
        }
    }

    fn print_head(&mut self, steps_per_epoch: u64, epochs: u64, step: u64) {
        self.steps = (steps_per_epoch.max(1), epochs, step);
        self.begun = Instant::now();
        self.bar = self.screen.bar("", steps_per_epoch);
        if let Ok(style) = ProgressStyle::with_template(" {prefix} {wide_bar:.cyan/dim} {msg}") {
            self.bar.set_style(style.progress_chars("━━─"));
        }
        let note = match self.chance {
            Some(chance) => text!("train.chance", chance = percent(chance)),
            None => text!("train.numbers"),
        };
        self.screen.message(paint(note).dim().to_string());
        self.screen.message(paint(cells(&head(self.chance.is_none()))).dim().to_string());
    }

    fn update_bar(&mut self, step: u64, samples: u64, loss: f64) {
        let (per_epoch, epochs, before) = self.steps;
        let done = step.saturating_sub(before).max(1) as f64;
        let pace = self.begun.elapsed().as_secs_f64() / done;
        let within = (step.max(1) - 1) % per_epoch + 1;
        let left = pace * (epochs * per_epoch).saturating_sub(step) as f64;
        let epoch = (step.max(1) - 1) / per_epoch + 1;
        self.bar.set_length(per_epoch);
        self.bar.set_position(within);
        self.bar.set_prefix(text!("train.of", epoch = epoch, epochs = epochs));
        let pictures = samples as f64 / within as f64 / pace;
        let message = text!(
            "train.within",
            loss = self::loss(loss, 4),
            rate = thousands(pictures as usize),
            all = duration(left)
        );
        let curve = self.curve(columns());
        let gap = if curve.is_empty() { "" } else { "\n" };
        self.bar.set_message(message + gap + &curve);
    }

    fn add_point(&mut self, metrics: &Metrics) {
        let at = |value: Option<f64>| value.map(|v| (metrics.epoch, v));
        // Epoch 0 and the first steps have no running training loss: the loss of the fixed sample
        // stands in.
        self.train.extend(at(metrics.train_eval_loss.or(metrics.train_loss)));
        self.validation.extend(at(metrics.val_loss));
    }

    fn print_row(&mut self, metrics: &Metrics, best: bool) {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |v| loss(v, 4));
        let share = |share: Option<f64>, samples| {
            share.map_or("-".to_owned(), |share| accuracy(share, samples))
        };
        let (of_train, of_val) = self.samples;
        let learning_rate = metrics.learning_rate.map_or("-".to_owned(), rate);
        let [first, second] = match self.chance {
            Some(_) => {
                [share(metrics.train_accuracy, of_train), share(metrics.val_accuracy, of_val)]
            }
            None => [
                metrics.val_rmse.map_or("-".to_owned(), significant),
                metrics.val_r2.map_or("-".to_owned(), r_squared),
            ],
        };
        let mut row = cells(&[
            format!("{}", metrics.epoch),
            number(metrics.train_loss.or(metrics.train_eval_loss)),
            number(metrics.val_loss),
            first,
            second,
            learning_rate,
            duration(metrics.seconds),
        ]);
        if best && metrics.epoch > 0.0 {
            row = format!("{row} {}", paint(text!("train.best_mark")).green());
        }
        self.screen.message(row);
        self.bar.reset_eta();
    }

    /// Draws the curves with the last losses beside them, in at most `max_width` columns.
    fn curve(&self, max_width: usize) -> String {
        let last = |of: &[(f64, f64)]| of.last().map_or(String::new(), |p| loss(p.1, 3));
        let labels = [
            text!("train.curve_train", loss = last(&self.train)),
            text!("train.curve_val", loss = last(&self.validation)),
        ];
        let label = labels.iter().map(|label| measure_text_width(label)).max().unwrap_or(0);
        let width = max_width
            .saturating_sub(CURVE_MARGINS.0 + CURVE_MARGINS.1 + label)
            .clamp(1, CURVE_SIZE.0);
        let drawn = curve::draw(&[&self.train, &self.validation], width, CURVE_SIZE.1);
        let colour = |text: &str, series: Option<usize>| match series {
            Some(0) => paint(text).cyan(),
            Some(_) => paint(text).yellow(),
            None => paint(text).white(),
        };
        let line = |(i, pieces): (usize, &curve::DrawnLine)| {
            let mut line = " ".repeat(CURVE_MARGINS.0);
            line.extend(pieces.iter().map(|(piece, series)| colour(piece, *series).to_string()));
            if let Some(label) = labels.get(i) {
                line.extend([" ".repeat(CURVE_MARGINS.1), colour(label, Some(i)).to_string()]);
            }
            line
        };
        drawn.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
    }
}

impl Observer for TrainingDisplay {
    fn observe(&mut self, event: &Event<'_>) -> klubok::train::Result<()> {
        if self.screen.is_quiet() {
            return Ok(());
        }
        match event {
            Event::Past { steps, epochs, .. } => {
                steps.iter().chain(*epochs).for_each(|metrics| self.add_point(metrics));
                self.train.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.validation.sort_by(|a, b| a.0.total_cmp(&b.0));
            }
            Event::Start { steps_per_epoch, epochs, step } => {
                self.print_head(*steps_per_epoch, *epochs, *step);
            }
            Event::Progress { step, samples, train_loss } if self.screen.is_live() => {
                self.update_bar(*step, *samples, *train_loss);
            }
            Event::Person { act: Act::Epochs { epochs, .. }, .. } => self.steps.1 = *epochs,
            Event::Step(metrics) => self.add_point(metrics),
            Event::Epoch { metrics, best } => {
                self.add_point(metrics);
                self.print_row(metrics, *best);
            }
            Event::Noticed { notice, .. } => {
                self.screen.message(diagnosis::notice(notice, self.phase_start));
                if let Notice::Phase(phase) = notice {
                    self.phase_start = Some(phase.start);
                }
            }
            Event::End { .. } => {
                self.bar.finish_and_clear();
                if self.screen.is_live() {
                    self.screen.message(self.curve(columns()));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Heads of the columns; numbers have errors in place of accuracies.
fn head(numbers: bool) -> [String; 7] {
    let [first, second] = if numbers {
        [text!("train.val_rmse"), text!("train.val_r2")]
    } else {
        [text!("train.train_accuracy"), text!("train.val_accuracy")]
    };
    [
        text!("train.epoch"),
        text!("train.train_loss"),
        text!("train.val_loss"),
        first,
        second,
        text!("train.learning_rate"),
        text!("train.time"),
    ]
}

/// Writes a row of the table, cells right-aligned.
fn cells(row: &[String; 7]) -> String {
    let pad = |(cell, width): (&String, usize)| {
        console::pad_str(cell, width, Alignment::Right, None).into_owned()
    };
    row.iter().zip(WIDTHS).map(pad).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use klubok_text::{Lang, in_language};

    use super::*;

    #[test]
    fn rows_have_at_most_eighty_characters_in_both_languages() {
        for lang in [Lang::En, Lang::Ru] {
            in_language(lang, || {
                for titles in [head(false), head(true)] {
                    for (title, width) in titles.iter().zip(WIDTHS) {
                        assert!(title.chars().count() <= width, "`{title}`");
                    }
                    let row = cells(&titles).chars().count() + 1;
                    assert!(row + text!("train.best_mark").chars().count() <= 80, "{row}");
                }
            });
        }
        for (share, samples) in [(0.985, 1000), (1.0, 29), (0.5, 30)] {
            assert!(accuracy(share, samples).chars().count() <= WIDTHS[3]);
        }
        assert!(loss(9999.0, 4).len() < WIDTHS[1] && loss(4.4e13, 4) == "4.4e13");
        assert!(rate(0.00123).chars().count() <= WIDTHS[5] && rate(1.23e-7).chars().count() <= 8);
    }

    #[test]
    fn the_curves_leave_room_for_their_labels() {
        for lang in [Lang::En, Lang::Ru] {
            in_language(lang, || {
                let parts = Parts { train: vec![0; 100], val: vec![0; 100], test: Vec::new() };
                let mut display = TrainingDisplay::new(Screen::new(true), &parts, Some(0.5));
                for (epoch, loss) in [(0.0, 0.7), (1.0, 4.4e13)] {
                    display.train.push((epoch, loss));
                    display.validation.push((epoch, loss / 7.0));
                }
                for width in [40, 80] {
                    let curve = display.curve(width);
                    let widest = curve.lines().map(measure_text_width).max();
                    assert!(widest <= Some(width), "{widest:?} of {width}: {curve}");
                }
                assert!(display.curve(80).replace(',', ".").contains("4.4e13"));
            });
        }
    }
}
