//! Names, cells and numbers in messages.

/// Maximum characters of a cell or name in a message.
const MAX_CHARS: usize = 40;
/// Maximum names in a message.
const MAX_NAMED: usize = 8;

/// Shortens a cell or a name for a message.
pub(super) fn short(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(MAX_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

/// Lists the first names, shortened and in backticks.
pub(super) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<String> =
        names.iter().take(MAX_NAMED).map(|name| format!("`{}`", short(name.as_ref()))).collect();
    match names.len().saturating_sub(MAX_NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Counts things: `1 cell`, `2 cells`.
pub(super) fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
