//! Names and texts of others, made harmless to a terminal.

use std::fmt::Display;

/// The text with everything made visible by which a name in somebody's data could command a
/// terminal: control characters but line breaks, other ends of lines, and marks that turn the
/// direction of writing.
pub fn clean(text: impl Display) -> String {
    let commands = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c,
                '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut clean = String::new();
    for c in text.to_string().chars() {
        if commands(c) { clean.extend(c.escape_default()) } else { clean.push(c) }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_command_the_terminal() {
        let name = "cat\u{1b}]0;title\u{7}\u{9b}31m\r\u{202e}gpj\nдо";
        let expected = "cat\\u{1b}]0;title\\u{7}\\u{9b}31m\\r\\u{202e}gpj\nдо";
        assert_eq!(clean(name), expected);
    }
}
