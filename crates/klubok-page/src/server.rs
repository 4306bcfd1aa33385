//! HTTP routes of the page: static files, timeline, event stream, inspections and acts.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, LazyLock,
        atomic::Ordering::Relaxed,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::{Bytes, to_bytes},
    extract::{FromRequest as _, Path, Query, Request, State},
    http::{HeaderMap, StatusCode, Uri, header::CONTENT_TYPE, request::Parts},
    middleware,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures_util::{Stream, stream};
use hyper::body::Body as _;
use klubok::train::act::Act;
use klubok_text::{Lang, clean, page_texts};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    PORT,
    admission::{Admission, Permit, on_own_thread},
    assets,
    connections::{self, listen},
    guard::{self, has_token},
    hub::Hub,
    inspection::{INSPECTIONS, Inspection, Parameters},
    refusal::{busy, refused, unread},
    timeline::Offsets,
};

/// Time between two events of a stream, at least.
const EVENT_INTERVAL: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 250 });
/// How long to wait for an act: the training does it between two steps.
const ACT_WAIT: Duration = Duration::from_millis(900);
/// Limits of an act, which is one line.
const ACT: BodyLimits = BodyLimits {
    bytes: 4 << 10,
    time: Duration::from_secs(5),
    too_large: "an act has no more than 4 KiB",
    too_slow: "the act did not come",
};
/// Limits of an uploaded picture.
const PICTURE: BodyLimits = BodyLimits {
    bytes: 32 << 20,
    time: Duration::from_secs(30),
    too_large: "the picture has more than 32 MiB",
    too_slow: "the picture did not come",
};

/// Seconds of a whole training at the slowest pace.
const MAX_PACE: u64 = 3600;

/// How long to wait for responses under way when the page shuts down.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(1);

/// A server on a thread of its own. Dropping it refuses new requests, and waits for responses under
/// way: a browser that stopped the training receives the confirmation.
pub(super) struct Server {
    address: SocketAddr,
    hub: Arc<Hub>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves the routes at this address; by default on this machine only. `app` makes them for
    /// the port; the hub has the token.
    pub(super) fn start(
        at: Option<SocketAddr>,
        hub: Arc<Hub>,
        app: impl FnOnce(u16) -> Router,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let local = |port| listen((Ipv4Addr::LOCALHOST, port).into());
        let listener = match at {
            Some(address) => listen(address)?,
            // Another page may hold the default port: then take any free one.
            None => local(PORT).or_else(|_| local(0))?,
        };
        drop(entered);
        let address = listener.local_addr()?;
        let app = app(address.port());
        let served = hub.clone();
        let thread = thread::Builder::new().name("page".to_owned()).spawn(move || {
            runtime.block_on(async {
                connections::accept(listener, app, &served).await;
                let _ = timeout(SHUTDOWN_WAIT, served.connections_closed()).await;
            });
        })?;
        Ok(Self { address, hub, thread: Some(thread) })
    }

    /// Returns the address of the listener.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.hub.shut_down();
        // Ignore a panic of the server thread: the page is over anyway.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

type Shared = State<Arc<Admission>>;

/// The routes of a page of one run.
pub(super) fn routes(admission: Arc<Admission>, port: u16) -> Router {
    let pages = pages(assets::page(), assets::STYLE)
        .merge(story(|_| true))
        .route(guard::STREAM, get(live))
        .route("/api/runs", get(async |permit: Permit| permit.inspect(Hub::sibling_runs).await))
        .route("/api/picture", post(picture));
    guarded(pages, admission, port)
}

/// The routes of every page: its files, and what a person does to its runs.
pub(super) fn pages(page: &'static str, style: &'static str) -> Router<Arc<Admission>> {
    Router::new()
        .route("/", get(async move || typed("text/html", page)))
        .route("/page.css", get(async move || typed("text/css", style)))
        .route("/{script}", get(script))
        .route("/api/texts", get(async || texts_json()))
        .route("/api/act", post(act))
        .route("/api/pace", post(pace))
}

/// The routes of one run: what it is, its timeline, and those inspections that `has` chooses.
pub(super) fn story(has: impl Fn(&Inspection) -> bool) -> Router<Arc<Admission>> {
    let router = Router::new().route("/api/run", get(run)).route("/api/story", get(timeline));
    let add = |router: Router<_>, inspection: &'static Inspection| {
        let respond = move |permit: Permit, Query(parameters): Query<Parameters>| {
            let is_owner = permit.is_owner;
            permit.inspect(move |hub| {
                let own = if is_trusted(hub, is_owner) { parameters } else { parameters.unasked() };
                (inspection.compute)(hub, &own)
            })
        };
        router.route(inspection.path, get(respond))
    };
    INSPECTIONS.iter().filter(|inspection| has(inspection)).fold(router, add)
}

/// Refuses requests to these routes that do not come from the page itself.
pub(super) fn guarded(
    router: Router<Arc<Admission>>,
    admission: Arc<Admission>,
    port: u16,
) -> Router {
    router.layer(middleware::from_fn_with_state(port, guard::guard)).with_state(admission)
}

fn typed(kind: &'static str, text: &'static str) -> impl IntoResponse + use<> {
    ([(CONTENT_TYPE, format!("{kind}; charset=utf-8"))], text)
}

async fn script(Path(name): Path<String>) -> Response {
    match assets::SCRIPTS.iter().chain(assets::RACE_SCRIPTS).find(|(own, _)| *own == name) {
        Some((_, text)) => typed("text/javascript", text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Responds with the texts, serialised once: repeated requests cost other clients no time.
fn texts_json() -> impl IntoResponse + use<> {
    static JSON: LazyLock<String> = LazyLock::new(|| texts().to_string());
    ([(CONTENT_TYPE, "application/json")], JSON.as_str())
}

/// Returns the texts of the page in every language.
pub(super) fn texts() -> Value {
    json!({ "en": page_texts(Lang::En), "ru": page_texts(Lang::Ru) })
}

async fn run(permit: Permit) -> Response {
    let is_owner = permit.is_owner;
    permit
        .inspect(move |hub| Ok(hub.run.to_json(is_owner, is_trusted(hub, is_owner), hub.is_live())))
        .await
}

async fn timeline(permit: Permit, Query(offsets): Query<Offsets>) -> Response {
    let json = move |hub: &Hub| hub.timeline_after(offsets).map(String::into_bytes);
    permit.respond(move |hub| json(hub).map_err(|e| e.to_string())).await
}

/// Streams where the training is.
async fn live(admission: Shared, headers: HeaderMap, uri: Uri) -> Response {
    let status = |hubs: &[Arc<Hub>]| {
        serde_json::to_string(&hubs.first().map(|hub| hub.status())).unwrap_or_default()
    };
    events(&admission, &headers, &uri, status).into_response()
}

/// Streams the status of the page's runs whenever it changes, at most four times a second.
pub(super) fn events(
    admission: &Admission,
    headers: &HeaderMap,
    uri: &Uri,
    status: fn(&[Arc<Hub>]) -> String,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let (hub, hubs) = (admission.hub.clone(), admission.hubs.clone());
    hubs.iter().for_each(|hub| hub.looked_at());
    let ended = admission.stream(has_token(headers, uri, &hub));
    let begun = (hub, hubs, ended, String::new());
    let events = stream::unfold(begun, move |(hub, hubs, ended, last)| async move {
        while !ended.load(Relaxed) {
            sleep(EVENT_INTERVAL).await;
            // The last event of a stream has the training's final status.
            let shuts_down = hub.is_shutting_down();
            hubs.iter().for_each(|hub| hub.refresh_snapshot());
            let status = status(&hubs);
            if status != last {
                ended.fetch_or(shuts_down, Relaxed);
                let event = Event::default().event("now").data(&status);
                return Some((Ok(event), (hub, hubs, ended, status)));
            }
            if shuts_down {
                break;
            }
        }
        None
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn act(State(admission): Shared, request: Request) -> Response {
    let hub = &admission.hub;
    let act: Act = match owners_json(hub, request).await {
        Ok(act) => act,
        Err(refusal) => return refusal,
    };
    let is_same_for_all = matches!(act, Act::Pause | Act::GoOn | Act::Stop);
    if admission.hubs.len() > 1 && !is_same_for_all {
        let sentence = "the runs of a race keep their settings: they can be paused and stopped";
        return refused(StatusCode::UNPROCESSABLE_ENTITY, sentence);
    }
    let requested: Vec<_> = admission.hubs.iter().filter_map(|hub| hub.request(act)).collect();
    match on_own_thread(move || confirmation(&requested)).await {
        Ok(Ok(())) => Json(json!({})).into_response(),
        // A longer step is under way: the act comes after it, unless the run is killed before.
        Ok(Err(RecvTimeoutError::Timeout)) => {
            (StatusCode::ACCEPTED, Json(json!({}))).into_response()
        }
        Ok(Err(RecvTimeoutError::Disconnected)) => {
            refused(StatusCode::CONFLICT, "the training has ended: nothing can be done to it")
        }
        Err(refusal) => refusal,
    }
}

/// Waits until every training that goes on has done an act.
fn confirmation(requested: &[mpsc::Receiver<()>]) -> Result<(), RecvTimeoutError> {
    let begun = Instant::now();
    let mut done = Err(RecvTimeoutError::Disconnected);
    for one in requested {
        match one.recv_timeout(ACT_WAIT.saturating_sub(begun.elapsed())) {
            Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => return Err(RecvTimeoutError::Timeout),
            Ok(()) => done = Ok(()),
        }
    }
    done
}

/// A pace that a person chose: seconds for the whole training, or none.
#[derive(Deserialize)]
struct ChosenPace {
    seconds: Option<u64>,
}

/// Changes how fast steps follow each other. No act: it changes no weight, and is not recorded.
async fn pace(State(admission): Shared, request: Request) -> Response {
    match owners_json(&admission.hub, request).await {
        Ok(ChosenPace { seconds }) => {
            let seconds = seconds.map(|seconds| seconds.min(MAX_PACE));
            admission.hubs.iter().for_each(|hub| hub.set_pace(seconds));
            Json(json!({})).into_response()
        }
        Err(refusal) => refusal,
    }
}

/// Reads what the owner asks for; refuses anybody else.
async fn owners_json<T: DeserializeOwned>(hub: &Hub, request: Request) -> Result<T, Response> {
    if !has_token(request.headers(), request.uri(), hub) {
        return Err(without_token());
    }
    let (parts, bytes) = read_body(request, &ACT).await?;
    match Json::from_request(Request::from_parts(parts, bytes.into()), &()).await {
        Ok(Json(asked)) => Ok(asked),
        Err(rejection) => Err(refused(rejection.status(), &clean(rejection.body_text()))),
    }
}

async fn picture(State(admission): Shared, request: Request) -> Response {
    let is_owner = has_token(request.headers(), request.uri(), &admission.hub);
    if !is_trusted(&admission.hub, is_owner) {
        return without_token();
    }
    let Some(permit) = admission.upload(is_owner) else {
        return busy("another picture is being read: try again in a moment");
    };
    match read_body(request, &PICTURE).await {
        Ok((_, bytes)) => permit.inspect(move |hub| hub.inspect_picture(&bytes)).await,
        Err(refusal) => refusal,
    }
}

/// Whether this client may upload pictures, and have what it asks for at once: the owner, and
/// anybody where the page shows no live training.
fn is_trusted(hub: &Hub, is_owner: bool) -> bool {
    is_owner || !hub.is_live()
}

fn without_token() -> Response {
    unread(StatusCode::FORBIDDEN, "only the address with the token may act and hand in pictures")
}

/// Limits of a request's body, with the reasons of a refusal.
struct BodyLimits {
    bytes: usize,
    time: Duration,
    too_large: &'static str,
    too_slow: &'static str,
}

/// Reads a request's body within its limits.
async fn read_body(request: Request, limits: &BodyLimits) -> Result<(Parts, Bytes), Response> {
    let (parts, body) = request.into_parts();
    let too_large = || unread(StatusCode::PAYLOAD_TOO_LARGE, limits.too_large);
    // Refuse a body that announces its excess before reading it.
    if body.size_hint().lower() > limits.bytes as u64 {
        return Err(too_large());
    }
    match timeout(limits.time, to_bytes(body, limits.bytes)).await {
        Ok(Ok(bytes)) => Ok((parts, bytes)),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(unread(StatusCode::REQUEST_TIMEOUT, limits.too_slow)),
    }
}
