//! Opens a page in the browser of the desktop.

use std::env;

use klubok_page::Page;

/// Whether there is a desktop with a browser: not on a server of continuous integration, and not
/// over SSH, where it would open at the other end.
pub(crate) fn is_at_hand() -> bool {
    let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_elsewhere = ["CI", "SSH_CONNECTION", "SSH_TTY"].iter().any(is_set);
    let has_desktop = !cfg!(all(unix, not(target_os = "macos")))
        || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(is_set);
    has_desktop && !is_elsewhere
}

/// Opens a page in the browser, with its token. Best effort: the address was printed, too.
pub(crate) fn open(page: &Page) {
    let token = page.token().map(|token| format!("#token={token}")).unwrap_or_default();
    let _ = open::that_detached(format!("http://{}/{token}", page.address()));
}
