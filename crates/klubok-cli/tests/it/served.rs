//! A command that serves its page, and HTTP requests to it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::util::{Place, TINY};

/// A training with its page.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) token: String,
}

/// An HTTP response.
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Served {
    /// Starts klubok and reads the address of its page.
    pub(crate) fn start(place: &Place, args: &[&str]) -> Self {
        Self::of(place.command(args))
    }

    /// Starts a command and reads the address of its page.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("http://")).expect("no address was printed");
        // Drain the rest, or the command would block on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let rest = line.split("http://").nth(1).unwrap();
        let address = rest.split('/').next().unwrap().to_owned();
        let token = rest.split("#token=").nth(1).unwrap_or_default().to_owned();
        Self { child, address, token }
    }

    /// Starts a long training of `pets/` in `run`.
    pub(crate) fn long(place: &Place) -> Self {
        let more = ["-o", "run", "--epochs", "100000", "--set", "train.early_stopping=false"];
        let constant = ["--set", "train.schedule=constant", "--set", "train.warmup_epochs=0"];
        let page = ["--dashboard", "--listen", "127.0.0.1:0", "--json"];
        Self::start(place, &[&["train", "pets"], &TINY[..], &more, &constant, &page].concat())
    }

    pub(crate) fn ask(&self, head: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{head} HTTP/1.1\r\nConnection: close\r\n").unwrap();
        if !headers.iter().any(|(name, _)| *name == "Host") {
            write!(stream, "Host: {}\r\n", self.address).unwrap();
        }
        for (name, value) in headers {
            write!(stream, "{name}: {value}\r\n").unwrap();
        }
        write!(stream, "Content-Length: {}\r\n\r\n", body.len()).unwrap();
        // A server that refuses a body may close before receiving all of it.
        let _ = stream.write_all(body);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        let at = reply.windows(4).position(|four| four == b"\r\n\r\n").expect("no reply");
        let head = String::from_utf8(reply[..at].to_vec()).unwrap();
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { code, head, body: reply[at + 4..].to_vec() }
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let reply = self.ask(&format!("GET {path}"), &[], &[]);
        let body = String::from_utf8_lossy(&reply.body);
        assert_eq!(reply.code, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) fn act(&self, act: &Value) -> u16 {
        let headers = [("Content-Type", "application/json"), ("X-Klubok-Token", &*self.token)];
        self.ask("POST /api/act", &headers, act.to_string().as_bytes()).code
    }

    /// Waits for a condition on the training's state, and returns the state.
    pub(crate) fn wait(&self, until: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let now = self.get("/api/story")["now"].clone();
            if until(&now) {
                return now;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "still {now}");
            sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn pause(&self) -> u64 {
        assert_eq!(self.act(&json!({ "act": "pause" })), 200);
        self.wait(|now| now["mode"] == "resting")["step"].as_u64().unwrap()
    }

    /// Stops the training and returns its JSON result.
    pub(crate) fn stop(mut self) -> Value {
        assert_eq!(self.act(&json!({ "act": "stop" })), 200);
        let mut printed = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        assert!(self.child.wait().unwrap().success());
        serde_json::from_str(&printed).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Usually it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
