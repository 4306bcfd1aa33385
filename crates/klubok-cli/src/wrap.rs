//! Long lines go on below, between words.

use console::measure_text_width;

/// Breaks lines that are longer than `width` between words. Rows of tables and drawings, which
/// begin with a space and have gaps, stay; so do commands, which are there to be copied.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let lines = text.split('\n').map(|line| {
        let fits = measure_text_width(line) <= width || stays(line);
        if fits { line.to_owned() } else { broken(line, width) }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn stays(line: &str) -> bool {
    let plain = console::strip_ansi_codes(line);
    let words = plain.trim_start();
    words.starts_with("klubok ") || (words.len() < plain.len() && words.trim_end().contains("  "))
}

/// A line broken between words; it goes on below as far in as it began.
pub(crate) fn broken(line: &str, width: usize) -> String {
    let words = line.trim_start_matches(' ');
    let indent = &line[..line.len() - words.len()];
    let mut pieces = pieces(words).into_iter();
    let mut lines = vec![format!("{indent}{}", pieces.next().unwrap_or_default())];
    for piece in pieces {
        match lines.last_mut() {
            Some(last) if measure_text_width(last) + 1 + measure_text_width(piece) <= width => {
                last.push(' ');
                last.push_str(piece);
            }
            _ => lines.push(format!("{indent}{piece}")),
        }
    }
    lines.join("\n")
}

/// What is never broken: a word, a number with its sign, a flag with its setting, a command
/// between backticks.
fn pieces(text: &str) -> Vec<&str> {
    let paired = text.matches('`').count().is_multiple_of(2);
    let (mut pieces, mut from, mut quoted) = (Vec::new(), 0, false);
    for (i, c) in text.char_indices() {
        quoted ^= paired && c == '`';
        if c != ' ' || quoted {
            continue;
        }
        let (before, after) = (&text[from..i], &text[i + 1..]);
        if !before.ends_with("--set") && !before.ends_with('±') && !after.starts_with(['%', '±'])
        {
            pieces.push(before);
            from = i + 1;
        }
    }
    pieces.push(&text[from..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_break_between_words_and_tables_stay() {
        assert_eq!(wrap("one two three", 9), "one two\nthree");
        assert_eq!(wrap("one\n  a row  of a table", 9), "one\n  a row  of a table");
        assert_eq!(wrap("unbreakable-word", 5), "unbreakable-word");
        assert_eq!(wrap("  one two three", 9), "  one two\n  three");
        let command = format!("  {}", console::style("klubok eval a b").cyan().force_styling(true));
        assert_eq!(wrap(&command, 9), command);
    }

    #[test]
    fn what_is_to_be_copied_and_numbers_with_their_signs_are_not_broken() {
        assert_eq!(wrap("go on: `klubok resume a` does", 18), "go on:\n`klubok resume a`\ndoes");
        assert_eq!(wrap("one backtick ` breaks", 12), "one backtick\n` breaks");
        assert_eq!(wrap("Try: --set a=1 --set b=2", 14), "Try: --set a=1\n--set b=2");
        assert_eq!(wrap("right in 58 % ± 3", 12), "right in\n58 % ± 3");
    }
}
