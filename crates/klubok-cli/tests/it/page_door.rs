//! Access to the page: permissions, and service under attack.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{served::Served, util::Place};

/// Longest wait of the run's owner for any response: about a second on an idle machine.
const SOON: Duration = Duration::from_secs(6);
/// Timeout for slow responses.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn requests_without_permission_are_refused() {
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
    // A learning rate must be positive and fit into 32 bits.
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
    // Another site may link to the page and do nothing else.
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
fn uploads_that_are_not_pictures_are_refused() {
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
    // An upload that announces two gigabytes is refused before it is read.
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
fn a_thousand_idle_connections_do_not_block_the_page() {
    let place = Place::with_pets();
    let page = Served::long(&place);
    let watching = TcpStream::connect(&page.address).unwrap();
    write!(&watching, "GET /api/live HTTP/1.1\r\nHost: {}\r\n\r\n", page.address).unwrap();
    let mut watching = BufReader::new(watching);
    let mut news = || {
        let mut line = String::new();
        while !line.starts_with("data: ") {
            line.clear();
            assert!(watching.read_line(&mut line).unwrap() > 0, "the stream was closed");
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

/// Opens a connection and sends a text.
fn sent(page: &Served, text: &str) -> TcpStream {
    let stream = TcpStream::connect(&page.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that refuses it may close before receiving all of it.
    let _ = (&stream).write_all(text.replace("HOST", &page.address).as_bytes());
    stream
}

/// Sends the requests of the run's owner, each on a connection of its own, and returns the slowest
/// response time.
fn slowest_response(page: &Served, picture: &[u8]) -> Duration {
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

/// Peak memory of the page's process in KiB.
fn peak(page: &Served) -> Option<u64> {
    let status = fs_err::read_to_string(format!("/proc/{}/status", page.child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Attacks a page and checks response times and memory during the attack.
fn survives(page: &Served, picture: &[u8], what: &str, attack: impl FnOnce() -> Vec<TcpStream>) {
    let before = peak(page);
    let held = attack();
    for round in 0..3 {
        let took = slowest_response(page, picture);
        assert!(took < SOON, "{what}: a response took {took:?} in round {round}");
    }
    drop(held);
    if let (Some(before), Some(after)) = (before, peak(page)) {
        assert!(after < before + (192 << 10), "{what}: {before} KiB before, {after} KiB at most");
    }
}

#[test]
fn attacks_do_not_keep_out_the_owner_of_the_run() {
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
        ("responses that nobody reads", 256, get("/page.css").repeat(400)),
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
    // Many short connections, during the owner's requests.
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
    survives(&page, &picture, "many short connections", Vec::new);
    drop(enough);
    assert!(crowd.join().unwrap() > 100);
    page.stop();
}

#[test]
fn one_picture_is_read_at_a_time_and_others_are_refused() {
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
    // Bodies longer and shorter than announced.
    let mut more = sent(&page, &format!("{head}Content-Length: 4\r\n\r\nxxxxxxxxxxxxxx"));
    let mut answers = String::new();
    more.read_to_string(&mut answers).unwrap();
    assert!(answers.starts_with("HTTP/1.1 422"), "{answers}");
    let mut less = sent(&page, &format!("{head}Content-Length: 40\r\n\r\nxxxx"));
    less.shutdown(Shutdown::Write).unwrap();
    answers.clear();
    less.read_to_string(&mut answers).unwrap();
    assert!(!answers.starts_with("HTTP/1.1 2"), "{answers}");
    // The body of an act must be small and arrive at once.
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
fn the_owner_keeps_the_stream_among_many_viewers() {
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
    // The oldest of the other streams ends, with an empty chunk.
    let ended = BufReader::new(first).lines().map_while(Result::ok).any(|line| line == "0");
    assert!(ended, "streams have no limit");
    (0..8).for_each(|_| news());
    // The newest one is open.
    let last = others.last().unwrap().try_clone().unwrap();
    assert!(
        BufReader::new(last).lines().map_while(Result::ok).any(|line| line.starts_with("data: "))
    );
    page.stop();
}

#[test]
fn pending_requests_get_a_response_when_the_training_ends() {
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
    // By now the training has ended or is ending: there is nothing left to pause.
    thread::sleep(Duration::from_millis(200));
    (&late).write_all(br#""act":"pause"}"#).unwrap();
    let mut answer = String::new();
    (&late).read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("has ended"), "{answer}");
    // The stream reports the end, then ends regularly with an empty chunk.
    let lines: Vec<_> = BufReader::new(watching).lines().map_while(Result::ok).collect();
    let last = lines.iter().rfind(|line| line.starts_with("data: ")).unwrap();
    assert!(last.contains(r#""mode":"ended""#), "{last}");
    assert!(lines.iter().any(|line| line == "0"), "the stream was cut off");
}

/// The page's connections leave file handles for the training.
#[cfg(target_os = "linux")]
#[test]
fn the_page_leaves_file_handles_for_its_training() {
    let place = Place::with_pets();
    let command = format!(
        "ulimit -n 64; exec '{}' train pets -o run --set data.size=8 --hidden 16 --epochs 100000 --batch-size 16 \
         --set train.early_stopping=false --dashboard --listen 127.0.0.1:0 --json",
        env!("CARGO_BIN_EXE_klubok")
    );
    let page = Served::of(place.shell(&command));
    let idle: Vec<_> = (0..200).map(|_| sent(&page, "GET /")).collect();
    let before = page.get("/api/story")["now"]["epoch"].as_f64();
    // Each epoch ends with a checkpoint, which needs file handles.
    page.wait(|now| now["epoch"].as_f64() > before.map(|epoch| epoch + 5.0));
    drop(idle);
    page.stop();
}
