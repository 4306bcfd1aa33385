//! The page: a run in the browser, live or afterwards.
//!
//! ```text
//! training ──events──> Timeline <──lines── follow (a run of another process, or a finished one)
//!     ^                   │
//!     └─acts, inspects─ Control
//!                         │           Hub = timeline + run description + weights
//!                         └────────── server ──> browsers: page, timeline, live, inspections
//! ```
//!
//! The training knows nothing of browsers. The timeline is one of its observers, and the page
//! copies the weights through the training's `Control`, which runs inspections between two steps,
//! at a limited rate. The server computes every figure from such a copy, on threads of its own, or
//! reads it from the run's film. Without a browser it requests none.

mod activation_maximisation;
mod admission;
mod assets;
mod at_step;
mod cache;
mod confusion_cell;
mod connections;
mod encoding;
mod error;
mod features;
mod film;
mod film_json;
mod fixed_sample;
mod follow;
#[cfg(test)]
mod fuzz;
mod guard;
mod hub;
mod inspection;
mod label_errors;
mod layers;
mod live;
mod lock;
mod logits;
mod loss_landscape;
mod moment;
mod motion;
mod neuron;
mod panels;
mod pass;
mod picture;
mod predictions;
mod projection;
mod race;
mod refusal;
mod report;
mod run_description;
mod runs;
mod sample;
mod server;
mod timeline;

use std::{
    fs::TryLockError,
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::Router;
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

use self::{
    admission::Admission, hub::WeightSource, race::race_routes, run_description::RunDescription,
    server::Server, timeline::Mode,
};
pub use self::{
    error::{Error, Result},
    follow::{FollowedRun, follow, open_data},
    hub::Hub,
    report::report,
    runs::compare_runs,
};

/// Seconds that a show takes.
const SHOW_SECONDS: u64 = 45;
/// How long a show waits for the first look.
const SHOW_WAIT: Duration = Duration::from_secs(10);
/// The default port of the page.
const PORT: u16 = 7717;

/// A run that this process is about to train.
pub struct LiveRun<'a> {
    /// Run folder.
    pub run: &'a RunDir,
    /// Settings.
    pub config: &'a Config,
    /// Paths and fingerprint of the data.
    pub info: &'a RunInfo,
    /// Opened data.
    pub data: &'a Dataset,
    /// Control of its training.
    pub control: &'static Control,
}

impl LiveRun<'_> {
    fn hub(&self) -> Hub {
        let run = RunDescription::new(self.run, self.config, self.info, self.data);
        Hub::new(run, Some(self.data.clone()), WeightSource::Live(self.control))
    }
}

/// A page that is being served.
pub struct Page {
    /// Its runs: those of a race, or the only one.
    lanes: Vec<Lane>,
    server: Server,
}

/// A run of a page.
pub struct Lane {
    hub: Arc<Hub>,
    address: SocketAddr,
    /// The file that announces the address to other processes. The page writes it at the training's
    /// first event: only then does the run belong to this process.
    live: OnceLock<(PathBuf, File)>,
}

impl Page {
    /// Serves a run that this process is about to train.
    ///
    /// # Errors
    /// When the server cannot listen on the address.
    pub fn live(run: &LiveRun<'_>, listen: Option<SocketAddr>) -> Result<Self> {
        Self::serve(Arc::new(run.hub()), listen)
    }

    /// Serves a hub at this address; by default on this machine only.
    ///
    /// # Errors
    /// When the server cannot listen on the address.
    pub fn serve(hub: Arc<Hub>, listen: Option<SocketAddr>) -> Result<Self> {
        Self::start(vec![hub], listen, server::routes)
    }

    /// Serves runs that this process is about to train side by side: `name` is that of their data,
    /// `settings` has the keys and values of each.
    ///
    /// # Errors
    /// When the server cannot listen on the address.
    ///
    /// # Panics
    /// Without any run.
    pub fn race(
        name: &str,
        runs: &[LiveRun<'_>],
        settings: Vec<Vec<(String, String)>>,
        listen: Option<SocketAddr>,
    ) -> Result<Self> {
        let mut hubs: Vec<Hub> = runs.iter().map(LiveRun::hub).collect();
        if let Some((first, others)) = hubs.split_first_mut() {
            others.iter_mut().for_each(|hub| hub.share_token(first));
        }
        let hubs = hubs.into_iter().map(Arc::new).collect();
        Self::start(hubs, listen, |admission, port| race_routes(name, settings, admission, port))
    }

    fn start(
        hubs: Vec<Arc<Hub>>,
        listen: Option<SocketAddr>,
        routes: impl FnOnce(Arc<Admission>, u16) -> Router,
    ) -> Result<Self> {
        let admission = Admission::new(hubs.clone(), connections::max_connections());
        let server = Server::start(listen, hubs[0].clone(), |port| routes(admission, port));
        let server = server.map_err(|source| {
            let at = listen.map_or_else(|| format!("127.0.0.1:{PORT}"), |at| at.to_string());
            Error::Listen { at, source }
        })?;
        let address = server.address();
        let lane = |hub| Lane { hub, address, live: OnceLock::new() };
        Ok(Self { lanes: hubs.into_iter().map(lane).collect(), server })
    }

    /// Makes the training a show: it waits for the first look, and from then on takes its time.
    pub fn show(&self) {
        for hub in self.lanes.iter().map(|lane| &lane.hub) {
            *lock::lock(&hub.show) = Some(SHOW_SECONDS);
            hub.control().into_iter().for_each(|control| control.hold(SHOW_WAIT));
        }
    }

    /// Returns the runs of the page, which observe their trainings.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Returns the address of the page.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Returns the token that allows acting on the training through this page; none where the page
    /// shows no training of this process.
    pub fn token(&self) -> Option<&str> {
        self.lanes[0].hub.token()
    }
}

impl Lane {
    /// Announces the address of the page to other processes.
    fn announce(&self) -> io::Result<()> {
        let address = format!("http://{}/", self.address);
        let live = serde_json::json!({ "address": address, "process": std::process::id() });
        let path = self.hub.run.dir.file(LIVE);
        // Never write into an existing file: a killed process may have left one behind.
        match fs_err::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::create_new(&path)?;
        file.lock_shared()?;
        file.write_all(live.to_string().as_bytes())?;
        // Events come one after the other, so the cell is still empty.
        let _ = self.live.set((path, file));
        Ok(())
    }

    /// Withdraws the announcement: the training has ended, well or not.
    pub fn training_ended(&self) {
        self.hub.timeline().set_mode(Mode::Ended);
        // Best effort: other processes ignore the file once this process has ended.
        let _ = self.live.get().map(|(path, _)| fs_err::remove_file(path));
    }
}

/// A lane observes its training.
impl Observer for &Lane {
    fn observe(&mut self, event: &Event<'_>) -> klubok::train::Result<()> {
        if self.live.get().is_none() {
            self.announce()?;
        }
        self.hub.observe(event)
    }
}

/// Returns the address of the page that serves a run, if a process serves it.
pub fn served_address(run: &Path) -> Option<String> {
    let file = bounded::open(&run.join(LIVE)).ok()?;
    if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    let live: serde_json::Value = serde_json::from_reader(file.take(1024)).ok()?;
    let address = live.get("address")?.as_str()?;
    // The terminal prints it, so it must be an address and nothing else.
    let address: SocketAddr = address.strip_prefix("http://")?.strip_suffix('/')?.parse().ok()?;
    Some(format!("http://{address}/"))
}
