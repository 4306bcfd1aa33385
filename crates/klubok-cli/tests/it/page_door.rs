//! The page's door: who may do what, and that nobody is kept out by others.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{served::Served, util::Place};

/// How long the person who started a run waits for any answer, at the most: a second, on a machine
/// that has nothing else to do.
const SOON: Duration = Duration::from_secs(6);
/// How long a test waits for what takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn strangers_are_refused() {
    let place = Place::with_pets();
    let page = Served::long(&place);
    let code = |head: &str, headers: &[(&str, &str)], body: &str| {
        page.ask(head, headers, body.as_bytes()).code
    };
    assert_eq!(code("GET /", &[], ""), 200);
    assert_eq!(code("GET /", &[("Host", "evil.example")], ""), 403);
    assert_eq!(code("GET /api/run", &[("Origin", "http://evil.example")], ""), 403);
    let pause = r#"{"act":"pause"}"#;
    let kind = ("Content-Type", "application/json");
    assert_eq!(code("POST /api/act", &[kind], pause), 403);
    assert_eq!(code("POST /api/picture", &[], pause), 403);
    let wrong = "0".repeat(page.token.len());
    assert_eq!(code("POST /api/act", &[kind, ("X-Klubok-Token", &wrong)], pause), 403);
    assert_ne!(page.get("/api/story")["now"]["mode"], "resting");
    // What 32 bits cannot hold is no rate of a training.
    for rate in [-1.0, 0.0, -0.0, 1e-46, 3.5e38, 1e308, -1e308] {
        assert_eq!(page.act(&json!({ "act": "learning_rate", "rate": rate })), 422, "{rate}");
    }
    assert_eq!(page.act(&json!({ "act": "learning_rate" })), 422);
    for path in
        ["/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/config.toml", "/api/look/pass?row=9999"]
    {
        let code = code(&format!("GET {path}"), &[], "");
        assert!((400..500).contains(&code), "{path}: {code}");
    }
    // Another site may link to the page, and nothing else.
    let from = |site| ("Sec-Fetch-Site", site);
    let link = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
    for (path, site, more, expected) in [
        ("/", "same-origin", &[][..], 200),
        ("/api/run", "none", &[], 200),
        ("/", "cross-site", &link, 200),
        ("/", "cross-site", &[], 403),
        ("/", "cross-site", &link[..1], 403),
        ("/api/run", "cross-site", &link, 403),
        ("/api/run", "same-site", &[], 403),
        ("/api/live", "cross-site", &[], 403),
        ("/api.js", "cross-site", &[], 403),
        ("/api/story", "anything", &[], 403),
    ] {
        let headers = [&[from(site)], more].concat();
        assert_eq!(code(&format!("GET {path}"), &headers, ""), expected, "{path} {site} {more:?}");
    }
    for path in ["/", "/api/run", "/nothing", "/api/act", "/api/look/pass?row=9999"] {
        let head = page.ask(&format!("GET {path}"), &[], &[]).head;
        for header in [
            "content-security-policy: default-src 'none'",
            "cross-origin-resource-policy: same-origin",
            "cross-origin-opener-policy: same-origin",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
        ] {
            assert!(head.contains(header), "{path}: {header} is not in {head}");
        }
    }
    page.stop();
}

#[test]
fn uploads_that_are_no_pictures_are_survived() {
    let place = Place::with_pets();
    let page = Served::long(&place);
    let post =
        |bytes: &[u8]| page.ask("POST /api/picture", &[("X-Klubok-Token", &page.token)], bytes);
    assert_eq!(post(b"no picture").code, 422);
    assert_eq!(post(b"").code, 422);
    // A bitmap that claims 60,000 x 60,000 pixels.
    let mut bitmap =
        [b"BM".as_slice(), &[0; 8], &54u32.to_le_bytes(), &40u32.to_le_bytes()].concat();
    bitmap.extend([60_000i32.to_le_bytes(), 60_000i32.to_le_bytes()].concat());
    bitmap.extend([1, 0, 24, 0]);
    bitmap.extend([0; 24]);
    let reply = post(&bitmap);
    assert_eq!(reply.code, 422);
    assert!(String::from_utf8_lossy(&reply.body).contains("megapixels"));
    // Two gigabytes are announced; what would be read is refused before.
    let mut stream = TcpStream::connect(&page.address).unwrap();
    let head = format!(
        "POST /api/picture HTTP/1.1\r\nHost: {}\r\nX-Klubok-Token: {}\r\nContent-Length: 2147483648\r\n\r\n",
        page.address, page.token
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    page.stop();
}

#[test]
fn a_thousand_idle_connections_are_survived() {
    let place = Place::with_pets();
    let page = Served::long(&place);
    let watching = TcpStream::connect(&page.address).unwrap();
    write!(&watching, "GET /api/live HTTP/1.1\r\nHost: {}\r\n\r\n", page.address).unwrap();
    let mut watching = BufReader::new(watching);
    let mut news = || {
        let mut line = String::new();
        while !line.starts_with("data: ") {
            line.clear();
            assert!(watching.read_line(&mut line).unwrap() > 0, "whoever watched was let go of");
        }
    };
    news();
    let idle: Vec<_> = (0..1000).map(|_| TcpStream::connect(&page.address).unwrap()).collect();
    let before = page.get("/api/story")["now"]["step"].as_u64();
    page.wait(|now| now["step"].as_u64() > before);
    news();
    news();
    drop(idle);
    page.stop();
}

/// A connection on which this was sent.
fn sent(page: &Served, text: &str) -> TcpStream {
    let stream = TcpStream::connect(&page.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that has refused it already may close before all of it was sent.
    let _ = (&stream).write_all(text.replace("HOST", &page.address).as_bytes());
    stream
}

/// What the person who started the run asks for, each on a connection of its own, and how long the
/// slowest answer took.
fn person(page: &Served, picture: &[u8]) -> Duration {
    let token = ("X-Klubok-Token", &*page.token);
    let kind = ("Content-Type", "application/json");
    let mut slowest = Duration::ZERO;
    for (head, headers, body) in [
        ("GET /", &[][..], &b""[..]),
        ("GET /api.js", &[], b""),
        ("GET /api/run", &[token], b""),
        ("GET /api/story", &[token], b""),
        ("GET /api/look/pass", &[token], b""),
        ("POST /api/act", &[token, kind], br#"{"act":"go_on"}"#),
        ("POST /api/picture", &[token], picture),
    ] {
        let begun = Instant::now();
        let reply = page.ask(head, headers, body);
        assert_eq!(reply.code, 200, "{head}: {}", String::from_utf8_lossy(&reply.body));
        slowest = slowest.max(begun.elapsed());
    }
    let begun = Instant::now();
    let stream =
        sent(page, &format!("GET /api/live?token={} HTTP/1.1\r\nHost: HOST\r\n\r\n", page.token));
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("data: ")), "the stream ended");
    slowest.max(begun.elapsed())
}

/// The most memory that a process ever took, in KiB.
fn peak(page: &Served) -> Option<u64> {
    let status = fs_err::read_to_string(format!("/proc/{}/status", page.child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Attacks a page in one way, the attack lasting until all was asked for by the person.
fn survives(page: &Served, picture: &[u8], what: &str, attack: impl FnOnce() -> Vec<TcpStream>) {
    let before = peak(page);
    let held = attack();
    for round in 0..3 {
        let took = person(page, picture);
        assert!(took < SOON, "{what}: an answer took {took:?} in round {round}");
    }
    drop(held);
    if let (Some(before), Some(after)) = (before, peak(page)) {
        assert!(after < before + (192 << 10), "{what}: {before} KiB before, {after} KiB at most");
    }
}

#[test]
fn nobody_keeps_out_the_person_who_started_the_run() {
    let place = Place::with_pets();
    let page = Served::long(&place);
    let picture = place.read("pets/cat/000.png");
    page.wait(|now| now["epoch"].as_f64() > Some(1.0));
    let many = |n: usize, text: &str| (0..n).map(|_| sent(&page, text)).collect::<Vec<_>>();
    let post = |path: &str, length: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n{length}\r\n\r\n{body}"
        )
    };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: HOST\r\n\r\n");
    let attacks = [
        ("bodies without an end", 256, post("/api/act", "Content-Length: 1000", "{")),
        (
            "chunks without an end",
            256,
            post("/api/act", "Transfer-Encoding: chunked", "1\r\n{\r\n"),
        ),
        (
            "a body of a GET",
            256,
            get("/api/run").replace("\r\n\r\n", "\r\nContent-Length: 99\r\n\r\n{"),
        ),
        ("streams", 256, get("/api/live")),
        ("uploads", 60, post("/api/picture", "Content-Length: 20000000", &"x".repeat(1 << 20))),
        ("heads without an end", 256, "GET / HTTP/1.1\r\nHost: ".to_owned()),
        ("heads that are too large", 256, format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(1 << 20))),
        ("long addresses", 256, get(&format!("/api/run?{}", "x".repeat(60_000)))),
        ("answers that nobody reads", 256, get("/plotly.js").repeat(8)),
        ("stories that nobody reads", 256, get("/api/story").repeat(40)),
        ("texts that nobody reads", 256, get("/api/texts").repeat(40)),
        ("looks", 256, get("/api/look/answers").repeat(20)),
        (
            "other protocols",
            256,
            get("/").replace("\r\n\r\n", "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
        ),
        ("wrong tokens", 256, get("/api/live?token=0")),
    ];
    for (what, n, text) in attacks {
        survives(&page, &picture, what, || many(n, &text));
    }
    survives(&page, &picture, "all at once", || {
        let bodies = many(256, &post("/api/act", "Content-Length: 1000", "{"));
        let uploads = many(60, &post("/api/picture", "Content-Length: 20000000", "x"));
        [bodies, many(256, &get("/api/live")), uploads].into_iter().flatten().collect()
    });
    // One after the other, while the person asks.
    let (enough, end) = mpsc::channel::<()>();
    let (address, path) = (page.address.clone(), get("/").replace("HOST", &page.address));
    let crowd = thread::spawn(move || {
        let mut came = 0;
        while came < 10_000 && end.try_recv() == Err(mpsc::TryRecvError::Empty) {
            if let Ok(mut stream) = TcpStream::connect(&address) {
                let _ = stream.write_all(path.as_bytes());
                came += 1;
            }
        }
        came
    });
    survives(&page, &picture, "a crowd that comes and goes", Vec::new);
    drop(enough);
    assert!(crowd.join().unwrap() > 100);
    page.stop();
}

#[test]
fn one_picture_is_read_at_a_time_and_the_others_are_told() {
    let place = Place::with_pets();
    let page = Served::long(&place);
    let head =
        format!("POST /api/picture HTTP/1.1\r\nHost: HOST\r\nX-Klubok-Token: {}\r\n", page.token);
    let picture = place.read("pets/cat/000.png");
    let code =
        |bytes: &[u8]| page.ask("POST /api/picture", &[("X-Klubok-Token", &page.token)], bytes);
    let held = sent(&page, &format!("{head}Content-Length: 1000\r\n\r\nx"));
    let begun = Instant::now();
    let refusal = loop {
        let reply = code(&picture);
        if reply.code != 200 {
            break reply;
        }
        assert!(begun.elapsed() < PATIENCE, "the first one was not read");
    };
    assert_eq!(refusal.code, 503);
    assert!(refusal.head.contains("retry-after: 1"), "{}", refusal.head);
    assert!(String::from_utf8_lossy(&refusal.body).contains("another picture"));
    drop(held);
    while code(&picture).code != 200 {
        assert!(begun.elapsed() < PATIENCE, "the first one is still read");
    }
    // More than was announced, and less.
    let mut more = sent(&page, &format!("{head}Content-Length: 4\r\n\r\nxxxxxxxxxxxxxx"));
    let mut answers = String::new();
    more.read_to_string(&mut answers).unwrap();
    assert!(answers.starts_with("HTTP/1.1 422"), "{answers}");
    let mut less = sent(&page, &format!("{head}Content-Length: 40\r\n\r\nxxxx"));
    less.shutdown(Shutdown::Write).unwrap();
    answers.clear();
    less.read_to_string(&mut answers).unwrap();
    assert!(!answers.starts_with("HTTP/1.1 2"), "{answers}");
    // An act is small, and comes at once.
    let act = |length: usize| {
        format!(
            "POST /api/act HTTP/1.1\r\nHost: HOST\r\nX-Klubok-Token: {}\r\nContent-Length: {length}\r\n\r\n{{",
            page.token
        )
    };
    for (length, expected) in [(5000, "HTTP/1.1 413"), (100, "HTTP/1.1 408")] {
        let mut answer = [0; 12];
        sent(&page, &act(length)).read_exact(&mut answer).unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), expected);
    }
    page.stop();
}

#[test]
fn the_person_keeps_the_stream_however_many_others_watch() {
    let place = Place::with_pets();
    let page = Served::long(&place);
    let watching =
        sent(&page, &format!("GET /api/live?token={} HTTP/1.1\r\nHost: HOST\r\n\r\n", page.token));
    let mut lines = BufReader::new(watching).lines().map_while(Result::ok);
    let mut news = || assert!(lines.any(|line| line.starts_with("data: ")), "it ended");
    news();
    let first = sent(&page, "GET /api/live HTTP/1.1\r\nHost: HOST\r\n\r\n");
    let others: Vec<_> =
        (0..100).map(|_| sent(&page, "GET /api/live HTTP/1.1\r\nHost: HOST\r\n\r\n")).collect();
    // The oldest of the others ends: a chunk of nothing.
    let ended = BufReader::new(first).lines().map_while(Result::ok).any(|line| line == "0");
    assert!(ended, "streams have no limit");
    (0..8).for_each(|_| news());
    // Whoever came last watches.
    let last = others.last().unwrap().try_clone().unwrap();
    assert!(
        BufReader::new(last).lines().map_while(Result::ok).any(|line| line.starts_with("data: "))
    );
    page.stop();
}

#[test]
fn whoever_has_asked_is_answered_when_the_training_ends() {
    let place = Place::with_pets();
    let page = Served::long(&place);
    let watching = sent(&page, "GET /api/live HTTP/1.1\r\nHost: HOST\r\n\r\n");
    let late = sent(
        &page,
        &format!(
            "POST /api/act HTTP/1.1\r\nHost: HOST\r\nX-Klubok-Token: {}\r\n\
             Content-Type: application/json\r\nContent-Length: 15\r\n\r\n{{",
            page.token
        ),
    );
    assert_eq!(page.act(&json!({ "act": "stop" })), 200);
    // By now the training has ended, or it does: there is nothing left to pause.
    thread::sleep(Duration::from_millis(200));
    (&late).write_all(br#""act":"pause"}"#).unwrap();
    let mut answer = String::new();
    (&late).read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("has ended"), "{answer}");
    // A stream tells that it has, and is not cut off, but ends: with a chunk of nothing.
    let told: Vec<_> = BufReader::new(watching).lines().map_while(Result::ok).collect();
    let last = told.iter().rfind(|line| line.starts_with("data: ")).unwrap();
    assert!(last.contains(r#""mode":"ended""#), "{last}");
    assert!(told.iter().any(|line| line == "0"), "the stream was cut off");
}

/// A training has files of its own to open: the page leaves them to it.
#[cfg(target_os = "linux")]
#[test]
fn a_page_leaves_files_to_its_training() {
    let place = Place::with_pets();
    let command = format!(
        "ulimit -n 64; exec '{}' train pets -o run --set data.size=8 --hidden 16 --epochs 100000 --batch-size 16 \
         --set train.early_stopping=false --dashboard --listen 127.0.0.1:0 --json",
        env!("CARGO_BIN_EXE_klubok")
    );
    let page = Served::of(place.shell(&command));
    let idle: Vec<_> = (0..200).map(|_| sent(&page, "GET /")).collect();
    let before = page.get("/api/story")["now"]["epoch"].as_f64();
    // Epochs end with a checkpoint, which takes files.
    page.wait(|now| now["epoch"].as_f64() > before.map(|epoch| epoch + 5.0));
    drop(idle);
    page.stop();
}
