//! The terminal: results on standard output, messages on standard error; tables, reports and bars.

use std::{
    borrow::Cow,
    fmt::Display,
    io::{Write as _, stderr, stdout},
    sync::{Mutex, PoisonError},
};

use console::{Alignment, Term, measure_text_width, pad_str};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, WeakProgressBar};
use klubok_text::clean;

use crate::{
    failure::Result,
    wrap::{wrap, wrap_line},
};

/// The visible progress bar: lines are printed above it.
static CURRENT_BAR: Mutex<Option<WeakProgressBar>> = Mutex::new(None);

/// The destination of messages: a live terminal, plain lines, or nowhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    quiet: bool,
    live: bool,
    for_programs: bool,
}

impl Screen {
    /// Creates a screen on standard error.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, live: !quiet && Term::stderr().is_term(), for_programs: false }
    }

    /// Whether lines can be redrawn.
    pub(crate) fn is_live(self) -> bool {
        self.live
    }

    /// Whether only errors are shown.
    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Prints a line for people on standard error, wrapped on a terminal.
    pub(crate) fn message(self, line: impl Display) {
        if !self.quiet {
            print_stderr(line);
        }
    }

    /// Prints the result of a command that also prints messages: on standard output, even with
    /// `--quiet`; or as a message, if standard output is for programs.
    ///
    /// # Errors
    /// As [`print_stdout`].
    pub(crate) fn result(self, line: impl Display) -> Result<()> {
        if self.for_programs {
            self.message(line);
            return Ok(());
        }
        print_wrapped(line)
    }

    /// Sets whether standard output is for programs, or for another result.
    #[must_use]
    pub(crate) fn for_programs(self, for_programs: bool) -> Self {
        Self { for_programs, ..self }
    }

    /// Creates a progress bar, visible only on a live terminal.
    pub(crate) fn bar(self, name: impl Into<String>, total: u64) -> ProgressBar {
        if !self.live {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        let template = " {prefix} {wide_bar:.cyan/dim} {pos}/{len} {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━━─"));
        }
        bar.set_prefix(name.into());
        *CURRENT_BAR.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.downgrade());
        bar
    }
}

/// Prints a line on standard error, even with `--quiet`: above a visible bar, wrapped on a
/// terminal. Ignores a closed standard error.
pub(crate) fn print_stderr(line: impl Display) {
    let line = wrap(&line.to_string(), width(&Term::stderr()));
    let write = || drop(writeln!(stderr(), "{line}"));
    match current_bar() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

fn current_bar() -> Option<ProgressBar> {
    let bar = CURRENT_BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    bar.and_then(|bar| bar.upgrade()).filter(|bar| !bar.is_finished())
}

/// Clears the `^C` that a terminal echoes below the bar, which would otherwise be redrawn one line
/// too low.
pub(crate) fn clear_echo() {
    if current_bar().is_some() {
        let term = Term::stderr();
        let _ = term.clear_line().and_then(|()| term.move_cursor_up(1));
    }
}

/// Columns of a terminal; unlimited for a file or pipe.
fn width(term: &Term) -> usize {
    if term.is_term() { usize::from(term.size().1) } else { usize::MAX }
}

/// Columns of the narrower of standard output and standard error.
pub(crate) fn columns() -> usize {
    width(&Term::stdout()).min(width(&Term::stderr()))
}

/// Prints a line on standard output.
///
/// # Errors
/// When it cannot be written. A closed pipe then ends the command with exit code 0.
pub(crate) fn print_stdout(text: impl Display) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Prints text for people on standard output, wrapped on a terminal.
///
/// # Errors
/// As [`print_stdout`].
pub(crate) fn print_wrapped(text: impl Display) -> Result<()> {
    print_stdout(wrap(&text.to_string(), width(&Term::stdout())))
}

/// Rating of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// As it should be.
    Good,
    /// Good to know.
    Note,
    /// Makes the result worse.
    Warning,
    /// Makes the result useless.
    Problem,
}

/// A line of a report: a rated fact with its label, or plain text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fact {
    mark: Option<Mark>,
    label: String,
    text: String,
}

/// Columns before the text of a fact: mark, label and the spaces around them.
const FACT_INDENT: usize = 19;
/// Width of a report on wider terminals: longer lines are hard to read.
pub(crate) const MAX_REPORT_WIDTH: usize = 100;

impl Fact {
    /// Creates a fact with a mark and a short label.
    pub(crate) fn new(mark: Mark, label: String, text: String) -> Self {
        Self { mark: Some(mark), label: clean(label), text: clean(text) }
    }

    /// Creates a line without mark and label.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { mark: None, label: String::new(), text: clean(text.into()) }
    }

    /// Formats the line, wrapped at `width` with the text indented.
    fn to_text(&self, width: usize) -> String {
        let Some(mark) = self.mark else { return wrap(&self.text, width) };
        let mark = match mark {
            Mark::Good => console::style("✓").green(),
            Mark::Note => console::style("·").dim(),
            Mark::Warning => console::style("!").yellow().bold(),
            Mark::Problem => console::style("✗").red().bold(),
        };
        let label = pad_str(&self.label, FACT_INDENT - 4, Alignment::Left, None);
        let text = wrap(&self.text, width.saturating_sub(FACT_INDENT).max(20));
        let text = text.replace('\n', &format!("\n{}", " ".repeat(FACT_INDENT)));
        format!(" {mark} {label} {text}")
    }
}

/// A section heading.
pub(crate) fn heading(title: impl Display) -> Fact {
    let text = console::style(clean(title)).bold().to_string();
    Fact { mark: None, label: String::new(), text }
}

/// Prints a report on standard output.
///
/// # Errors
/// As [`print_stdout`].
pub(crate) fn print_report(report: &[Fact]) -> Result<()> {
    let screen = Term::stdout();
    let width = if screen.is_term() { usize::from(screen.size().1) } else { MAX_REPORT_WIDTH };
    let lines: Vec<String> =
        report.iter().map(|fact| fact.to_text(width.min(MAX_REPORT_WIDTH))).collect();
    print_stdout(lines.join("\n"))
}

/// Styles text for standard error; plain unless that is a terminal with colours.
pub(crate) fn paint(text: impl Display) -> console::StyledObject<String> {
    console::style(clean(text)).for_stderr()
}

/// Title and alignment of a column.
pub(crate) type Column = (String, Alignment);

/// A column of words.
pub(crate) fn words(title: impl Into<String>) -> Column {
    (title.into(), Alignment::Left)
}

/// A column of numbers.
pub(crate) fn numbers(title: impl Into<String>) -> Column {
    (title.into(), Alignment::Right)
}

/// Formats a table with a head, each column as wide as its widest cell. On a narrower terminal
/// shrinks the widest columns: sentences are wrapped, long names lose their middle.
pub(crate) fn table(head: &[Column], rows: &[Vec<String>]) -> String {
    table_within(head, rows, columns()).join("\n")
}

/// Formats a table whose names, in column `name`, are never cut. In fewer than the needed columns
/// it drops the `dispensable` ones, then gives each name a line of its own.
pub(crate) fn table_by_name(
    head: &[Column],
    rows: &[Vec<String>],
    name: usize,
    dispensable: &[usize],
    max_width: usize,
) -> String {
    let part = |kept: &[usize], max_width| {
        let head: Vec<Column> = kept.iter().map(|&i| head[i].clone()).collect();
        let row = |row: &Vec<String>| kept.iter().map(|&i| row[i].clone()).collect();
        table_within(&head, &rows.iter().map(row).collect::<Vec<_>>(), max_width)
    };
    let mut kept: Vec<usize> = (0..head.len()).collect();
    for dropped in [None].into_iter().chain(dispensable.iter().map(Some)) {
        kept.retain(|i| Some(i) != dropped);
        let whole = part(&kept, usize::MAX);
        if whole.iter().all(|line| measure_text_width(line) <= max_width) {
            return whole.join("\n");
        }
    }
    kept.retain(|i| *i != name);
    let mut lines = part(&kept, max_width);
    for (line, row) in lines.iter_mut().skip(1).zip(rows) {
        *line = format!("  {}\n{line}", clean(&row[name]));
    }
    lines.join("\n")
}

/// Columns of this width or less are not shrunk.
const MIN_COLUMN_WIDTH: usize = 8;

/// Shrinks columns to fit in a line of `width`.
fn shrink_columns(mut widths: Vec<usize>, width: usize) -> Vec<usize> {
    while widths.iter().map(|width| width + 2).sum::<usize>() > width
        && let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > MIN_COLUMN_WIDTH)
    {
        *widest -= 1;
    }
    widths
}

/// Cuts the middle out of a name that is too long: names often differ at their ends.
fn elide_middle(name: &str, width: usize) -> Cow<'_, str> {
    let has = measure_text_width(name);
    if has <= width {
        return name.into();
    }
    let end: Vec<char> = name.chars().rev().collect();
    let fits = |chars: &mut dyn Iterator<Item = char>, room: usize| {
        let mut part = String::new();
        for c in chars {
            if measure_text_width(&part) + measure_text_width(c.encode_utf8(&mut [0; 4])) > room {
                break;
            }
            part.push(c);
        }
        part
    };
    let room = width.saturating_sub(1);
    let last = fits(&mut end.into_iter(), room / 2);
    let first = fits(&mut name.chars(), room - room / 2);
    format!("{first}…{}", last.chars().rev().collect::<String>()).into()
}

/// Wraps a cell into lines of a column.
fn cell_lines(cell: &str, width: usize) -> Vec<String> {
    if measure_text_width(cell) <= width {
        return vec![cell.to_owned()];
    }
    wrap_line(cell, width).lines().map(|line| elide_middle(line, width).into_owned()).collect()
}

/// Formats the head and each row within `max_width`, each of one or more lines.
fn table_within(head: &[Column], rows: &[Vec<String>], max_width: usize) -> Vec<String> {
    let head: Vec<Column> = head.iter().map(|(title, side)| (clean(title), *side)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(clean).collect()).collect();
    let width = |i: usize, title: &str| {
        let cells = rows.iter().map(|row| measure_text_width(&row[i]));
        cells.chain([measure_text_width(title)]).max().unwrap_or(0)
    };
    let widths: Vec<usize> =
        head.iter().enumerate().map(|(i, (title, _))| width(i, title)).collect();
    let widths = shrink_columns(widths, max_width);
    let block = |row: &Vec<String>| {
        let cells: Vec<Vec<String>> =
            row.iter().zip(&widths).map(|(cell, &width)| cell_lines(cell, width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        let line = |i: usize| {
            let padded = cells.iter().zip(&widths).zip(&head).map(|((cell, &width), (_, side))| {
                let line = cell.get(i).map_or("", String::as_str);
                pad_str(line, width, *side, None).into_owned()
            });
            format!("  {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
        };
        (0..height).map(line).collect::<Vec<_>>().join("\n")
    };
    let titles = head.iter().map(|(title, _)| title.clone()).collect();
    [&titles].into_iter().chain(&rows).map(block).collect()
}

/// Draws a share as a bar of up to `width` characters, in eighths of a character.
pub(crate) fn bar(share: f64, width: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * 8.0 * width as f64).round() as usize;
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{part}", "█".repeat(eighths / 8))
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn names_cannot_control_the_terminal() {
        let name = "cat\u{1b}]0;title\u{7}\u{9b}31m\r\u{202e}gpj\nдо";
        let cells = table(&[words("a")], &[vec![name.to_owned()]]);
        let fact = Fact::new(Mark::Good, name.to_owned(), name.to_owned()).to_text(200);
        let shown = [cells, console::strip_ansi_codes(&fact).into_owned(), paint(name).to_string()];
        assert!(shown.iter().all(|text| !text.contains('\u{1b}') && !text.contains('\u{7}')));
    }

    #[test]
    fn facts_are_wrapped_with_an_indent() {
        let fact = Fact::new(Mark::Good, "Label".into(), "one two three four five six".into());
        let below = format!(" ✓ Label           one two three four\n{:19}five six", "");
        assert_eq!(console::strip_ansi_codes(&fact.to_text(39)), below);
        assert_eq!(Fact::plain("one two").to_text(5), "one\ntwo");
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(elide_middle("abcdefghij", 10), "abcdefghij");
        assert_eq!(elide_middle("abcdefghij", 7), "abc…hij");
        assert_eq!(elide_middle("длинное-имя-класса", 8), "длин…сса");
        let long = "a-class-whose-name-somebody-made-very-long".to_owned();
        let rows = [vec![long.clone(), "98 % ± 2".to_owned()], vec!["cat".into(), "1 %".into()]];
        let head = [words("class"), numbers("recall")];
        let text = table_within(&head, &rows, 40).join("\n");
        assert!(text.lines().all(|line| measure_text_width(line) <= 40), "{text}");
        assert!(text.contains('…') && text.contains("98 % ± 2"), "{text}");
        assert!(table_within(&head, &rows, usize::MAX)[1].contains(&long));
        // Columns keep a readable width.
        assert_eq!(shrink_columns(vec![30, 3, 9], 20), [8, 3, 8]);
    }

    #[test]
    fn sentences_in_a_table_are_wrapped() {
        let rows = [vec!["1".into(), "the loss falls".into(), "90 %".into()]];
        let text = table_within(&[numbers("n"), words("is"), numbers("sure")], &rows, 24);
        assert_eq!(text, ["  n  is             sure", "  1  the loss       90 %\n     falls"]);
    }

    #[test]
    fn names_of_runs_are_never_cut() {
        let head = [words("run"), numbers("size"), words("data")];
        let rows = [vec!["runs/pets-small-001".into(), "98 MB".into(), "pets".into()]];
        let at = |width| table_by_name(&head, &rows, 0, &[2], width);
        assert_eq!(
            at(34),
            format!("  {:19}   size  data\n  runs/pets-small-001  98 MB  pets", "run")
        );
        assert_eq!(at(33), format!("  {:19}   size\n  runs/pets-small-001  98 MB", "run"));
        assert_eq!(at(20), "   size\n  runs/pets-small-001\n  98 MB");
    }

    #[test]
    fn columns_line_up() {
        let text = table(&[words("a"), numbers("bcd")], &[vec!["кот".into(), "1".into()]]);
        assert_eq!(text, "  a    bcd\n  кот    1");
        assert_eq!(
            (bar(1.0, 2), bar(0.25, 2), bar(0.0, 2)),
            ("██".into(), "▌".into(), String::new())
        );
    }
}
