//! Escapes foreign names and texts, so that they cannot control the terminal.

use std::fmt::Display;

/// Escapes the characters by which a name could control the terminal: control characters except
/// line breaks, other line ends, and marks that change the writing direction.
pub fn clean(text: impl Display) -> String {
    let is_control = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c,
                '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut clean = String::new();
    for c in text.to_string().chars() {
        if is_control(c) { clean.extend(c.escape_default()) } else { clean.push(c) }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let name = "cat\u{1b}]0;title\u{7}\u{9b}31m\r\u{202e}gpj\nдо";
        let expected = "cat\\u{1b}]0;title\\u{7}\\u{9b}31m\\r\\u{202e}gpj\nдо";
        assert_eq!(clean(name), expected);
    }
}
