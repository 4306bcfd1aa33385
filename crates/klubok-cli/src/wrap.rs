//! Wraps long lines between words.

use console::measure_text_width;

/// Wraps lines longer than `width` between words. Leaves table rows and drawings (indented lines
/// with gaps) and commands, which people copy.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let lines = text.split('\n').map(|line| {
        let fits = measure_text_width(line) <= width || is_preformatted(line);
        if fits { line.to_owned() } else { wrap_line(line, width) }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn is_preformatted(line: &str) -> bool {
    let plain = console::strip_ansi_codes(line);
    let words = plain.trim_start();
    words.starts_with("klubok ") || (words.len() < plain.len() && words.trim_end().contains("  "))
}

/// Wraps one line between words and keeps its indent.
pub(crate) fn wrap_line(line: &str, width: usize) -> String {
    let words = line.trim_start_matches(' ');
    let indent = &line[..line.len() - words.len()];
    let mut pieces = unbreakable_pieces(words).into_iter();
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

/// Splits into pieces that stay whole: a word, a number with its sign, a flag with its setting, a
/// command between backticks.
fn unbreakable_pieces(text: &str) -> Vec<&str> {
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
    fn wraps_sentences_and_leaves_tables() {
        assert_eq!(wrap("one two three", 9), "one two\nthree");
        assert_eq!(wrap("one\n  a row  of a table", 9), "one\n  a row  of a table");
        assert_eq!(wrap("unbreakable-word", 5), "unbreakable-word");
        assert_eq!(wrap("  one two three", 9), "  one two\n  three");
        let command = format!("  {}", console::style("klubok eval a b").cyan().force_styling(true));
        assert_eq!(wrap(&command, 9), command);
    }

    #[test]
    fn keeps_commands_and_numbers_with_signs_whole() {
        assert_eq!(wrap("go on: `klubok resume a` does", 18), "go on:\n`klubok resume a`\ndoes");
        assert_eq!(wrap("one backtick ` breaks", 12), "one backtick\n` breaks");
        assert_eq!(wrap("Try: --set a=1 --set b=2", 14), "Try: --set a=1\n--set b=2");
        assert_eq!(wrap("right in 58 % ± 3", 12), "right in\n58 % ± 3");
    }
}
