//! Whole words in code.

/// True for a character of a name.
pub(crate) fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What stands before and after each place where these words, or this path, are no part of a longer
/// name.
pub(crate) fn places<'a>(code: &'a str, words: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let around =
        code.match_indices(words).map(|(at, found)| (&code[..at], &code[at + found.len()..]));
    around.filter(|(before, after)| {
        !before.ends_with(is_word_character) && !after.starts_with(is_word_character)
    })
}
