//! The page of a training against requests that are nearly right.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use klubok::{
    config::{DataKind, Layers, Machine, Preset},
    data::{self, OpenOptions},
    train::{
        control::{Act, Control},
        event::{Event, Observer},
        run_dir::{Place, RunDir, RunInfo},
        session,
    },
};

use super::{
    about::About,
    hub::{Hub, Weighted},
    server::Server,
    story::Known,
};
use crate::compute;

/// How long an input that may not be whole is waited for.
const PATIENCE: Duration = Duration::from_millis(30);

static CONTROL: Control = Control::new();

struct Feed(Arc<Hub>);

impl Observer for Feed {
    fn observe(&mut self, event: &Event<'_>) -> klubok::Result<()> {
        self.0.observe(event)
    }
}

/// A training of two spirals without an end, and its hub.
fn training(folder: &tempfile::TempDir) -> (Arc<Hub>, thread::JoinHandle<()>) {
    let mut layers = Layers::new(Preset::Plain, DataKind::Points);
    let settings = "[model]\nhidden = [4]\n[train]\nepochs = 1000000\nearly_stopping = false\n";
    layers.text(settings, "a.toml").unwrap();
    let config = layers.resolve(Machine::plain(1)).unwrap().config;
    let options = OpenOptions { threads: 1, ..OpenOptions::new(config.data.clone()) };
    let data = data::open("demo:spirals", &options, &|_, _| {}).unwrap();
    let fingerprint = data::fingerprint("demo:spirals", &options).unwrap();
    let backend = compute::device(&config);
    let info = RunInfo {
        klubok: String::new(),
        data: "demo:spirals".to_owned(),
        val: None,
        test: None,
        preset: None,
        kernel: backend.info(config.train.precision).kernel,
        replay: Vec::new(),
        fingerprint: toml::Table::try_from(&fingerprint).unwrap(),
    };
    let run = RunDir::create(Place::Folder(&folder.path().join("run")), &config, &info).unwrap();
    let about = About::new(&run, &config, &info, &data);
    let hub = Arc::new(Hub::new(about, Some(data.clone()), Weighted::Live(&CONTROL)));
    let mut feed = Feed(hub.clone());
    let trained = thread::spawn(move || {
        let observers: &mut [&mut dyn Observer] = &mut [&mut feed];
        session::train(&run, &config, &data, backend.as_ref(), observers, &info, &CONTROL).unwrap();
    });
    (hub, trained)
}

/// What is answered to these bytes, which end when nothing has been answered for so long.
fn answers(address: SocketAddr, bytes: &[u8], patience: Duration) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    let (mut answers, mut sent) = (Vec::new(), 0);
    // In two pieces, as a network may deliver them.
    for piece in [&bytes[..bytes.len() / 2], &bytes[bytes.len() / 2..]] {
        sent += stream.write(piece).unwrap_or_default();
    }
    // A server that hears of the end drops what it has not answered yet: whole requests are answered before that.
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut first = [0; 4096];
    let length = stream.read(&mut first).unwrap_or_default();
    answers.extend_from_slice(&first[..length]);
    let _ = stream.shutdown(Shutdown::Write);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    if let Err(error) = stream.read_to_end(&mut answers) {
        assert!(error.kind() != std::io::ErrorKind::WouldBlock, "no answer after {sent} bytes");
    }
    answers
}

/// Requests to a page, as they are sent.
fn seeds(address: SocketAddr, headers: &str) -> Vec<Vec<u8>> {
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
    let (hub, trained) = training(&folder);
    let server = Server::start(Some(([127, 0, 0, 1], 0).into()), hub.clone()).unwrap();
    let address = server.address();
    let token = hub.token().unwrap().to_owned();
    let is_sound = |answers: &[u8]| {
        let failed = answers.windows(12).any(|at| at == b"HTTP/1.1 500");
        assert!(!failed && (answers.is_empty() || answers.starts_with(b"HTTP/1.")));
    };
    // Whoever has no token does nothing, whatever they send.
    let strangers = seeds(address, "X-Klubok-Token: 0123456789abcdef0123456789abcdef\r\n");
    for whole in &strangers {
        assert!(
            !answers(address, whole, Duration::from_secs(10)).is_empty(),
            "{}",
            String::from_utf8_lossy(whole)
        );
    }
    klubok_fuzz::fuzz("requests", &strangers, WORDS, |bytes| {
        is_sound(&answers(address, bytes, PATIENCE));
    });
    let told: serde_json::Value =
        serde_json::from_str(&hub.after(Known::default()).unwrap()).unwrap();
    let acted = |line: &serde_json::Value| line["event"] == "person";
    assert!(!told["events"].as_array().unwrap().iter().any(acted), "{}", told["events"]);
    let person = seeds(address, &format!("X-Klubok-Token: {token}\r\n"));
    klubok_fuzz::fuzz("requests with the token", &person, WORDS, |bytes| {
        is_sound(&answers(address, bytes, PATIENCE));
    });
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
    hub.ask(Act::Stop);
    trained.join().unwrap();
}
