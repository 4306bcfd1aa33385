//! Fuzzes the page of a live training with nearly valid requests.

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
    admission::Admission,
    connections::Connection,
    hub::{Hub, WeightSource},
    lock::lock,
    run_description::RunDescription,
    server::routes,
    timeline::Offsets,
};

/// Timeout of an input, which may be an incomplete request.
const PATIENCE: Duration = Duration::from_millis(2);
/// Threads that send inputs. Most inputs spend their time waiting: they are incomplete, or inspect
/// a network.
const THREADS: u64 = 8;

/// Idle reads after which the client closes the connection.
const MAX_IDLE_READS: u32 = 4;

static CONTROL: Control = Control::new();

struct Feed(Arc<Hub>);

impl Observer for Feed {
    fn observe(&mut self, event: &Event<'_>) -> klubok::train::Result<()> {
        self.0.observe(event)
    }
}

/// An endless run on two spirals.
pub(super) struct Run {
    folder: RunDir,
    config: Config,
    info: RunInfo,
    data: Dataset,
}

impl Run {
    pub(super) fn hub(&self, control: &'static Control) -> Arc<Hub> {
        let run = RunDescription::new(&self.folder, &self.config, &self.info, &self.data);
        Arc::new(Hub::new(run, Some(self.data.clone()), WeightSource::Live(control)))
    }

    fn train(self, hub: Arc<Hub>) -> thread::JoinHandle<()> {
        let Self { folder, config, info, data } = self;
        thread::spawn(move || {
            let (backend, mut feed) = (klubok::device::cpu(config.train.threads), Feed(hub));
            let observers: &mut [&mut dyn Observer] = &mut [&mut feed];
            session::train(&folder, &config, &data, backend.as_ref(), observers, &info, &CONTROL)
                .unwrap();
        })
    }
}

pub(super) fn run(folder: &tempfile::TempDir) -> Run {
    let mut builder = ConfigBuilder::new(Preset::Plain, DataKind::Points);
    // Epoch records stay in memory. Long epochs keep them few during a million requests.
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

/// The client's side of a connection in memory. The client sends its bytes, and closes the
/// connection once the page has responded to all requests.
struct Client {
    sent: VecDeque<u8>,
    state: Arc<Mutex<ClientState>>,
}

#[derive(Default)]
struct ClientState {
    responses: Vec<u8>,
    /// Requests whose responses have not begun.
    pending: usize,
    /// Reads at the end of the input without a pending request.
    idle_reads: u32,
    /// Whether the client has given up.
    closed: bool,
    reader: Option<Waker>,
}

impl ClientState {
    /// Gives up waiting.
    fn close(&mut self) {
        self.closed = true;
        self.wake();
    }

    fn wake(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = into.remaining().min(self.sent.len());
        let piece: Vec<u8> = self.sent.drain(..count).collect();
        into.put_slice(&piece);
        let mut state = lock(&self.state);
        if count > 0 || state.closed || state.idle_reads > MAX_IDLE_READS {
            return Poll::Ready(Ok(()));
        }
        if state.pending == 0 {
            // The last bytes may not have reached the router yet.
            state.idle_reads += 1;
            cx.waker().wake_by_ref();
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.state);
        if state.closed {
            // Only a broken connection ends an event stream.
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        (state.pending, state.idle_reads) = (state.pending.saturating_sub(1), 0);
        state.responses.extend_from_slice(bytes);
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

/// A page without a network socket.
struct Page {
    runtime: Runtime,
    app: Router,
    hub: Arc<Hub>,
}

impl Page {
    fn new(hub: Arc<Hub>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, app: routes(Admission::new(vec![hub.clone()], 64), PORT), hub }
    }

    /// Returns the responses to these bytes. Closes the connection after `patience`.
    fn responses(&self, bytes: &[u8], patience: Duration) -> Vec<u8> {
        let state = Arc::new(Mutex::new(ClientState::default()));
        let counted = state.clone();
        let app = self.app.clone().layer(from_fn(move |request: Request, next: Next| {
            let mut state = lock(&counted);
            (state.pending, state.idle_reads) = (state.pending + 1, 0);
            drop(state);
            next.run(request)
        }));
        let client = Client { sent: bytes.iter().copied().collect(), state: state.clone() };
        self.runtime.block_on(async {
            let from = Ipv4Addr::LOCALHOST.into();
            let mut task = Connection::serve(client, from, app, self.hub.clone()).task;
            if timeout(patience, &mut task).await.is_err() {
                lock(&state).close();
                timeout(Duration::from_secs(20), task).await.expect("it ends").unwrap();
            }
        });
        std::mem::take(&mut lock(&state).responses)
    }
}

/// Valid requests to a page, as bytes.
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
        "/api/look/cell?truth=0&said=1",
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

/// Pieces to insert into requests.
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
    let training = run.train(hub.clone());
    let page = Page::new(hub.clone());
    let token = hub.token().unwrap().to_owned();
    let check = |responses: &[u8]| {
        let failed = responses.windows(12).any(|at| at == b"HTTP/1.1 500");
        assert!(!failed && (responses.is_empty() || responses.starts_with(b"HTTP/1.")));
    };
    // Clients without the token cannot act, whatever they send.
    let strangers = seeds("X-Klubok-Token: 0123456789abcdef0123456789abcdef\r\n");
    for whole in &strangers {
        assert!(
            !page.responses(whole, Duration::from_secs(10)).is_empty(),
            "{}",
            String::from_utf8_lossy(whole)
        );
    }
    let fuzz = |name, seeds: &[Vec<u8>], thread| {
        let page = Page::new(hub.clone());
        klubok_fuzz::fuzz_share(name, (thread, THREADS), seeds, WORDS, |bytes| {
            check(&page.responses(bytes, PATIENCE));
        });
    };
    let fuzz_all = |name, seeds: &[Vec<u8>]| {
        thread::scope(|scope| {
            (0..THREADS).for_each(|thread| drop(scope.spawn(move || fuzz(name, seeds, thread))));
        });
    };
    fuzz_all("requests", &strangers);
    let events = || {
        let timeline = hub.timeline_after(Offsets::default()).unwrap();
        let mut timeline: serde_json::Value = serde_json::from_str(&timeline).unwrap();
        timeline["events"].take()
    };
    let has_act = |events: &serde_json::Value| {
        events.as_array().unwrap().iter().any(|event| event["event"] == "person")
    };
    assert!(!has_act(&events()), "{}", events());
    let person = seeds(&format!("X-Klubok-Token: {token}\r\n"));
    fuzz_all("requests with the token", &person);
    // A training acts between two steps, which may be after the response.
    let begun = Instant::now();
    while !has_act(&events()) {
        assert!(begun.elapsed() < Duration::from_secs(30), "no act in spite of the token");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(hub.request(Act::Stop).is_some());
    training.join().unwrap();
}
