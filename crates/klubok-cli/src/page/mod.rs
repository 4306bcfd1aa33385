//! The page: a run in the browser, live or afterwards.
//!
//! ```text
//! training ──events──> Story <──lines── follow (a run of another process, or one that has ended)
//!     ^                  │
//!     └─acts, looks── Control
//!                        │           Hub = story + what it is of + weights to look at
//!                        └────────── server ──> browsers: page, story, live, looks
//! ```
//!
//! The training knows nothing of browsers: the story is one of its observers, and whoever wants to
//! see weights asks for them through the training's `Control`, which lets looks in between two
//! steps and only so often. Everything that is shown is computed from a copy of the weights, on the
//! server's thread. Without a browser nothing is asked.

mod about;
mod animation;
mod answer;
mod answers;
mod assets;
mod cache;
mod cloud;
mod connections;
mod door;
mod excites;
mod features;
mod fixed_sample;
mod follow;
#[cfg(test)]
mod fuzz;
mod guard;
mod hub;
mod layers;
mod live;
mod lock;
mod logits;
mod map;
mod moments;
mod motion;
mod neuron;
mod picture;
mod refusal;
mod report;
mod runs;
mod sample;
mod server;
mod snapshots;
mod story;
mod suspects;
mod terrain;

use std::{
    fs::TryLockError,
    io::{self, ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use fs_err::File;
use klubok::{
    bounded,
    config::Config,
    data::Dataset,
    train::{
        control::Control,
        event::{Event, Observer},
        run_dir::{LIVE, RunDir},
        run_info::RunInfo,
    },
};

pub(crate) use self::{
    follow::{data_of, follow},
    hub::Hub,
    report::{LOOKS, Looked, report},
    runs::compared,
};
use self::{hub::Weighted, server::Server};
use crate::{
    failure::{Failure, Result},
    terminal::Screen,
    text::text,
};

/// Where the page is served unless a person says otherwise.
const PORT: u16 = 7717;
/// A page that is being served.
pub(crate) struct Page {
    hub: Arc<Hub>,
    server: Server,
    /// What tells other processes of it, from the training's first event on: only then the run is
    /// this process' own.
    live: OnceLock<(PathBuf, File)>,
}

impl Page {
    /// Serves a run that this process is about to train, and says where.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub(crate) fn live(
        run: &RunDir,
        config: &Config,
        info: &RunInfo,
        data: &Dataset,
        control: &'static Control,
        listen: Option<SocketAddr>,
        screen: Screen,
    ) -> Result<Self> {
        let about = about::About::new(run, config, info, data);
        let hub = Arc::new(Hub::new(about, Some(data.clone()), Weighted::Live(control)));
        Self::serve(hub, listen, screen)
    }

    /// Serves what a hub holds, and says where.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub(crate) fn serve(hub: Arc<Hub>, listen: Option<SocketAddr>, screen: Screen) -> Result<Self> {
        let server = Server::start(listen, hub.clone()).map_err(|error| {
            let at = listen.map_or_else(|| format!("127.0.0.1:{PORT}"), |at| at.to_string());
            let failure = Failure::failed(format!("cannot serve the page at {at}: {error}"));
            // Whatever else it is has nothing to do with the address.
            match error.kind() {
                ErrorKind::AddrInUse
                | ErrorKind::AddrNotAvailable
                | ErrorKind::PermissionDenied => failure.hint(text!("hint.listen")),
                _ => failure,
            }
        })?;
        let address = server.address();
        match hub.token() {
            Some(token) => {
                screen.say(text!("page_at.act", address = address, token = token));
                screen.say(text!("page_at.look", address = address));
            }
            None => screen.say(text!("page_at.only_look", address = address)),
        }
        if !address.ip().is_loopback() {
            screen.say(format!("{}: {}", text!("word.note"), text!("page_at.open")));
        }
        Ok(Self { hub, server, live: OnceLock::new() })
    }

    /// Tells other processes where the run is served.
    fn announce(&self) -> io::Result<()> {
        let address = format!("http://{}/", self.server.address());
        let live = serde_json::json!({ "address": address, "process": std::process::id() });
        let path = self.hub.about.run.file(LIVE);
        // What a killed process left behind, or whatever else there is, is not written into.
        match fs_err::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::create_new(&path)?;
        file.lock_shared()?;
        file.write_all(live.to_string().as_bytes())?;
        // Events come one after the other: nobody was here before.
        let _ = self.live.set((path, file));
        Ok(())
    }

    /// The training has ended: what is looked at from now on is its model.
    pub(crate) fn ended(&self) {
        // Best effort: a file that stays is not believed once this process has ended.
        let _ = self.live.get().map(|(path, _)| fs_err::remove_file(path));
    }
}

/// A page follows the training that it shows.
impl Observer for &Page {
    fn observe(&mut self, event: &Event<'_>) -> klubok::train::Result<()> {
        if self.live.get().is_none() {
            self.announce()?;
        }
        self.hub.observe(event)
    }
}

/// The address of the process that serves a run, if there is one.
pub(crate) fn served(run: &Path) -> Option<String> {
    let file = bounded::open(&run.join(LIVE)).ok()?;
    if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    let live: serde_json::Value = serde_json::from_reader(file.take(1024)).ok()?;
    let address = live.get("address")?.as_str()?;
    // It is shown in a terminal: it must be an address and nothing else.
    let of: SocketAddr = address.strip_prefix("http://")?.strip_suffix('/')?.parse().ok()?;
    Some(format!("http://{of}/"))
}
