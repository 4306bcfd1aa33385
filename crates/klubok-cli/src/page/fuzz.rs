//! The page of a training against requests that are nearly right.

use std::{
    collections::VecDeque,
    io,
    net::Ipv4Addr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
};
use klubok::{
    config::{Config, ConfigBuilder, DataKind, Machine, Preset},
    data::{self, Dataset, OpenOptions},
    train::{
        act::Act,
        control::Control,
        event::{Event, Observer},
        run_dir::{Place, RunDir},
        run_info::RunInfo,
        session,
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::Runtime,
    time::timeout,
};

use super::{
    PORT,
    about::About,
    connections::Connection,
    door::Door,
    hub::{Hub, Weighted},
    lock::lock,
    server::routes,
    story::Known,
};
use crate::compute;

/// How long an input that may not be whole is waited for.
const PATIENCE: Duration = Duration::from_millis(2);
/// Threads that ask at a time: most inputs are waited for, because they are not whole or look at a
/// network.
const THREADS: u64 = 8;

/// How often nothing is owed before the other side has nothing more to say.
const QUIET: u32 = 4;

static CONTROL: Control = Control::new();

struct Feed(Arc<Hub>);

impl Observer for Feed {
    fn observe(&mut self, event: &Event<'_>) -> klubok::train::Result<()> {
        self.0.observe(event)
    }
}

/// A run of two spirals without an end.
pub(super) struct Run {
    folder: RunDir,
    config: Config,
    info: RunInfo,
    data: Dataset,
}

impl Run {
    pub(super) fn hub(&self, control: &'static Control) -> Arc<Hub> {
        let about = About::new(&self.folder, &self.config, &self.info, &self.data);
        Arc::new(Hub::new(about, Some(self.data.clone()), Weighted::Live(control)))
    }

    fn train(self, hub: Arc<Hub>) -> thread::JoinHandle<()> {
        let Self { folder, config, info, data } = self;
        thread::spawn(move || {
            let (backend, mut feed) = (compute::device(&config).unwrap(), Feed(hub));
            let observers: &mut [&mut dyn Observer] = &mut [&mut feed];
            session::train(&folder, &config, &data, backend.as_ref(), observers, &info, &CONTROL)
                .unwrap();
        })
    }
}

pub(super) fn run(folder: &tempfile::TempDir) -> Run {
    let mut builder = ConfigBuilder::new(Preset::Plain, DataKind::Points);
    // What is measured of epochs stays in memory: long ones, so that a million requests do not
    // outlast it.
    let settings = "[model]\nhidden = [256, 256]\n[train]\nepochs = 1000000\nbatch_size = 1\nearly_stopping = false\n";
    builder.text(settings, "a.toml").unwrap();
    let config = builder.resolve(&Machine::plain(1)).unwrap().config;
    let options = OpenOptions { threads: 1, ..OpenOptions::new(config.data.clone()) };
    let data = data::open("demo:spirals", &options, &|_, _| {}).unwrap();
    let fingerprint = data::fingerprint("demo:spirals", &options).unwrap();
    let info = RunInfo {
        klubok: String::new(),
        data: "demo:spirals".to_owned(),
        val: None,
        test: None,
        preset: None,
        replay: Vec::new(),
        fingerprint: toml::Table::try_from(&fingerprint).unwrap(),
    };
    let place = folder.path().join("run");
    let folder = RunDir::create(Place::Folder(&place), &config, &info).unwrap();
    Run { folder, config, info, data }
}

/// What is sent to the page, and what it answers, without a network: when everything was sent and
/// answered, the other side ends the connection.
struct Line {
    sent: VecDeque<u8>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: Vec<u8>,
    /// Requests that were heard and whose answers have not begun.
    owed: usize,
    /// How often nothing was owed when more was to be read.
    quiet: u32,
    /// Nothing more is waited for.
    over: bool,
    reader: Option<Waker>,
}

impl State {
    /// Waits no more.
    fn end(&mut self) {
        self.over = true;
        self.wake();
    }

    fn wake(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = into.remaining().min(self.sent.len());
        let piece: Vec<u8> = self.sent.drain(..count).collect();
        into.put_slice(&piece);
        let mut state = lock(&self.state);
        if count > 0 || state.over || state.quiet > QUIET {
            return Poll::Ready(Ok(()));
        }
        if state.owed == 0 {
            // What has just been read may still be on its way to whoever hears it.
            state.quiet += 1;
            cx.waker().wake_by_ref();
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.state);
        if state.over {
            // Whoever waits no more has gone: a stream of events has no other end.
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        (state.owed, state.quiet) = (state.owed.saturating_sub(1), 0);
        state.answers.extend_from_slice(bytes);
        state.wake();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A page that is asked without a network.
struct Page {
    runtime: Runtime,
    app: Router,
    hub: Arc<Hub>,
}

impl Page {
    fn new(hub: Arc<Hub>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, app: routes(Door::new(hub.clone(), 64), PORT), hub }
    }

    /// What is answered to these bytes; what is not whole is waited for so long.
    fn answers(&self, bytes: &[u8], patience: Duration) -> Vec<u8> {
        let state = Arc::new(Mutex::new(State::default()));
        let heard = state.clone();
        let app = self.app.clone().layer(from_fn(move |request: Request, next: Next| {
            let mut state = lock(&heard);
            (state.owed, state.quiet) = (state.owed + 1, 0);
            drop(state);
            next.run(request)
        }));
        let line = Line { sent: bytes.iter().copied().collect(), state: state.clone() };
        self.runtime.block_on(async {
            let from = Ipv4Addr::LOCALHOST.into();
            let mut task = Connection::serve(line, from, app, self.hub.clone()).task;
            if timeout(patience, &mut task).await.is_err() {
                lock(&state).end();
                timeout(Duration::from_secs(20), task).await.expect("it ends").unwrap();
            }
        });
        std::mem::take(&mut lock(&state).answers)
    }
}

/// Requests to a page, as they are sent.
fn seeds(headers: &str) -> Vec<Vec<u8>> {
    let address = format!("localhost:{PORT}");
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    let paths = [
        "/",
        "/api.js",
        "/api/run",
        "/api/texts",
        "/api/runs",
        "/api/story?epochs=2&steps=1&events=0",
        "/api/live",
        "/api/look/pass?row=3&moment=0",
        "/api/look/pass?picture=1&label=0",
        "/api/look/neuron?layer=hidden1&unit=2&row=7&moment=live",
        "/api/look/features?layer=hidden1",
        "/api/look/slope?layer=output&unit=1&input=3&row=5",
        "/api/look/answers?moment=0",
        "/api/look/map?moment=9",
        "/api/look/cloud",
        "/api/look/motion",
    ];
    let kind = "Content-Type: application/json\r\n";
    let acts = [
        r#"{"act":"learning_rate","rate":0.001}"#,
        r#"{"act":"go_on"}"#,
        r#"{"act":"one_step"}"#,
        r#"{"act":"pause"}"#,
    ];
    let post = |act: &&str| {
        let length = act.len();
        format!(
            "POST /api/act HTTP/1.1\r\nHost: {address}\r\n{headers}{kind}Content-Length: {length}\r\n\r\n{act}"
        )
    };
    let picture = format!(
        "POST /api/picture HTTP/1.1\r\nHost: {address}\r\n{headers}Transfer-Encoding: chunked\r\n\r\n3\r\nGIF\r\n0\r\n\r\n"
    );
    let posts: Vec<String> = acts.iter().map(post).collect();
    let two = [get("/api/run"), posts[0].clone()].concat();
    let seeds = paths.iter().map(|path| get(path)).chain(posts).chain([picture, two]);
    seeds.map(String::into_bytes).collect()
}

const WORDS: &[&[u8]] = &[
    b"\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 18446744073709551616\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: upgrade\r\nUpgrade: h2c\r\n",
    b"Sec-Fetch-Site: cross-site\r\n",
    b"Origin: null\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"HEAD ",
    b"OPTIONS * ",
    b"http://evil.example/",
    b"/../..",
    b"%00",
    b"&moment=99999999999999999999",
    b"layer=hidden1",
    b"-1",
];

#[test]
fn requests() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(&folder);
    let hub = run.hub(&CONTROL);
    let trained = run.train(hub.clone());
    let page = Page::new(hub.clone());
    let token = hub.token().unwrap().to_owned();
    let is_sound = |answers: &[u8]| {
        let failed = answers.windows(12).any(|at| at == b"HTTP/1.1 500");
        assert!(!failed && (answers.is_empty() || answers.starts_with(b"HTTP/1.")));
    };
    // Whoever has no token does nothing, whatever they send.
    let strangers = seeds("X-Klubok-Token: 0123456789abcdef0123456789abcdef\r\n");
    for whole in &strangers {
        assert!(
            !page.answers(whole, Duration::from_secs(10)).is_empty(),
            "{}",
            String::from_utf8_lossy(whole)
        );
    }
    let ask = |name, seeds: &[Vec<u8>], thread| {
        let page = Page::new(hub.clone());
        klubok_fuzz::fuzz_share(name, (thread, THREADS), seeds, WORDS, |bytes| {
            is_sound(&page.answers(bytes, PATIENCE));
        });
    };
    let ask_all = |name, seeds: &[Vec<u8>]| {
        thread::scope(|scope| {
            (0..THREADS).for_each(|thread| drop(scope.spawn(move || ask(name, seeds, thread))));
        });
    };
    ask_all("requests", &strangers);
    let told: serde_json::Value =
        serde_json::from_str(&hub.after(Known::default()).unwrap()).unwrap();
    let acted = |line: &serde_json::Value| line["event"] == "person";
    assert!(!told["events"].as_array().unwrap().iter().any(acted), "{}", told["events"]);
    let person = seeds(&format!("X-Klubok-Token: {token}\r\n"));
    ask_all("requests with the token", &person);
    // A training comes to an act between two steps, which may be after its answer.
    let begun = Instant::now();
    let has_acted = || {
        let told = hub.after(Known::default()).unwrap();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        told["events"].as_array().unwrap().iter().any(acted)
    };
    while !has_acted() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the token lets nobody act");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(hub.ask(Act::Stop).is_some());
    trained.join().unwrap();
}
