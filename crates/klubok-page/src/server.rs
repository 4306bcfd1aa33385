//! Serves the page: files, the story, what happens now, looks, acts.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, LazyLock, atomic::Ordering::Relaxed, mpsc::RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Bytes, to_bytes},
    extract::{FromRequest as _, Path, Query, Request, State},
    http::{
        HeaderMap, StatusCode, Uri,
        header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE},
        request::Parts,
    },
    middleware,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures_util::{Stream, stream};
use hyper::body::Body as _;
use klubok::train::control::Act;
use klubok_text::{Lang, clean, page_texts};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    PORT,
    answer::Answer,
    assets,
    connections::{self, listen},
    door::{Door, Turn, beside},
    guard::{self, has_token},
    hub::Hub,
    refusal::{busy, refused, unread},
    sample::Which,
    story::Known,
};

/// Time between two events to a browser.
const BEAT: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 250 });
/// How long an act is waited for: it is done between two steps.
const DONE: Duration = Duration::from_millis(900);
/// An act is a line.
const ACT: Limits = Limits {
    bytes: 4 << 10,
    time: Duration::from_secs(5),
    too_large: "an act has no more than 4 KiB",
    too_slow: "the act did not come",
};
const PICTURE: Limits = Limits {
    bytes: 32 << 20,
    time: Duration::from_secs(30),
    too_large: "the picture has more than 32 MiB",
    too_slow: "the picture did not come",
};

/// How long answers under way are waited for when the page ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// A server on a thread of its own. When it is dropped it answers nothing new, and lets answers
/// under way arrive: who asked a training to stop learns that it does.
pub(super) struct Server {
    address: SocketAddr,
    hub: Arc<Hub>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves a hub at this address, without one on this machine only.
    pub(super) fn start(at: Option<SocketAddr>, hub: Arc<Hub>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let local = |port| listen((Ipv4Addr::LOCALHOST, port).into());
        let listener = match at {
            Some(address) => listen(address)?,
            // A page that is served already keeps its address; this one gets the next that is free.
            None => local(PORT).or_else(|_| local(0))?,
        };
        drop(entered);
        let address = listener.local_addr()?;
        let app = routes(Door::new(hub.clone(), connections::most()), address.port());
        let served = hub.clone();
        let thread = thread::Builder::new().name("page".to_owned()).spawn(move || {
            runtime.block_on(async {
                connections::accept(listener, app, &served).await;
                let _ = timeout(FAREWELL, served.all_gone()).await;
            });
        })?;
        Ok(Self { address, hub, thread: Some(thread) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.hub.end();
        // A page that failed has nothing to say any more.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

type Shared = State<Arc<Door>>;

pub(super) fn routes(door: Arc<Door>, port: u16) -> Router {
    Router::new()
        .route("/", get(async || typed("text/html", assets::page())))
        .route("/page.css", get(async || typed("text/css", assets::STYLE)))
        .route("/plotly.js", get(charts))
        .route("/{script}", get(script))
        .route("/api/texts", get(async || told_texts()))
        .route("/api/run", get(run))
        .route("/api/story", get(story))
        .route(guard::STREAM, get(live))
        .route("/api/runs", get(async |turn| asked(turn, Hub::look_at_runs).await))
        .route("/api/act", post(act))
        .route("/api/picture", post(picture))
        .route("/api/look/pass", get(pass))
        .route("/api/look/neuron", get(neuron))
        .route("/api/look/features", get(features))
        .route(
            "/api/look/answers",
            get(async |turn, at| at_moment(turn, at, Hub::look_at_answers).await),
        )
        .route("/api/look/map", get(async |turn, at| at_moment(turn, at, Hub::look_at_map).await))
        .route("/api/look/excites", get(excites))
        .route("/api/look/slope", get(slope))
        .route(
            "/api/look/layers",
            get(async |turn, at| at_moment(turn, at, Hub::look_at_layers).await),
        )
        .route(
            "/api/look/lesions",
            get(async |turn, at| at_moment(turn, at, Hub::look_at_lesions).await),
        )
        .route(
            "/api/look/suspects",
            get(async |turn, at| at_moment(turn, at, Hub::look_at_suspects).await),
        )
        .route(
            "/api/look/motion",
            get(async |turn, at| at_moment(turn, at, Hub::look_at_motion).await),
        )
        .route(
            "/api/look/cloud",
            get(async |turn, at| at_moment(turn, at, Hub::look_at_cloud).await),
        )
        .route("/api/look/terrain", get(async |turn| asked(turn, Hub::look_at_terrain).await))
        .route("/api/animation.gif", get(animation))
        .layer(middleware::from_fn_with_state(port, guard::guard))
        .with_state(door)
}

fn typed(kind: &'static str, text: &'static str) -> impl IntoResponse + use<> {
    ([(CONTENT_TYPE, format!("{kind}; charset=utf-8"))], text)
}

async fn script(Path(name): Path<String>) -> Response {
    match assets::SCRIPTS.iter().find(|(own, _)| *own == name) {
        Some((_, text)) => typed("text/javascript", text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn charts() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CONTENT_ENCODING, "gzip"),
        (CACHE_CONTROL, "max-age=86400"),
    ];
    (headers, assets::CHARTS).into_response()
}

/// The texts, written once: whoever asks for them often takes no time of others.
fn told_texts() -> impl IntoResponse + use<> {
    static TOLD: LazyLock<String> = LazyLock::new(|| texts().to_string());
    ([(CONTENT_TYPE, "application/json")], TOLD.as_str())
}

/// The texts of the page in every language.
pub(super) fn texts() -> Value {
    json!({ "en": page_texts(Lang::En), "ru": page_texts(Lang::Ru) })
}

async fn run(turn: Turn) -> Response {
    let person = turn.person;
    turn.look(move |hub| Ok(hub.about.told(person, takes_pictures(hub, person), hub.is_live())))
        .await
}

async fn story(turn: Turn, Query(known): Query<Known>) -> Response {
    let news = move |hub: &Hub| hub.after(known).map(String::into_bytes);
    turn.answer("application/json", move |hub| news(hub).map_err(|error| error.to_string())).await
}

/// Where the training is, whenever that changes, at most four times a second.
async fn live(
    State(door): Shared,
    headers: HeaderMap,
    uri: Uri,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let hub = door.hub.clone();
    let ended = door.stream(has_token(&headers, &uri, &hub));
    let beats = stream::unfold((hub, ended, String::new()), |(hub, ended, last)| async move {
        while !ended.load(Relaxed) {
            sleep(BEAT).await;
            // Where a training ended is the last that is told.
            let ends = hub.ends();
            let now = serde_json::to_string(&hub.now()).unwrap_or_default();
            if now != last {
                ended.fetch_or(ends, Relaxed);
                let event = Event::default().event("now").data(&now);
                return Some((Ok(event), (hub, ended, now)));
            }
            if ends {
                break;
            }
        }
        None
    });
    Sse::new(beats).keep_alive(KeepAlive::default())
}

async fn act(State(door): Shared, request: Request) -> Response {
    let hub = &door.hub;
    if !has_token(request.headers(), request.uri(), hub) {
        return without_token();
    }
    let (parts, bytes) = match whole(request, &ACT).await {
        Ok(whole) => whole,
        Err(refusal) => return refusal,
    };
    let act: Act = match Json::from_request(Request::from_parts(parts, bytes.into()), &()).await {
        Ok(Json(act)) => act,
        Err(rejection) => return refused(rejection.status(), &clean(rejection.body_text())),
    };
    let ended =
        || refused(StatusCode::CONFLICT, "the training has ended: nothing can be done to it");
    let Some(written) = hub.ask(act) else { return ended() };
    match beside(move || written.recv_timeout(DONE)).await {
        Ok(Ok(())) => Json(json!({})).into_response(),
        // A step takes longer than that: it is done after it, unless the run is killed before.
        Ok(Err(RecvTimeoutError::Timeout)) => {
            (StatusCode::ACCEPTED, Json(json!({}))).into_response()
        }
        Ok(Err(RecvTimeoutError::Disconnected)) => ended(),
        Err(refusal) => refusal,
    }
}

async fn picture(State(door): Shared, request: Request) -> Response {
    let person = has_token(request.headers(), request.uri(), &door.hub);
    if !takes_pictures(&door.hub, person) {
        return without_token();
    }
    let Some(turn) = door.picture(person) else {
        return busy("another picture is being read: try again in a moment");
    };
    match whole(request, &PICTURE).await {
        Ok((_, bytes)) => turn.look(move |hub| hub.look_at_own(&bytes)).await,
        Err(refusal) => refusal,
    }
}

/// Whether pictures are taken: from the person, and where nobody can act, and so nobody has a
/// token, from all.
fn takes_pictures(hub: &Hub, person: bool) -> bool {
    person || hub.token().is_none()
}

fn without_token() -> Response {
    unread(StatusCode::FORBIDDEN, "only the address with the token may act and hand in pictures")
}

/// What a body may be.
struct Limits {
    bytes: usize,
    time: Duration,
    too_large: &'static str,
    too_slow: &'static str,
}

/// A request with the whole of its body, within its limits.
async fn whole(request: Request, limits: &Limits) -> Result<(Parts, Bytes), Response> {
    let (parts, body) = request.into_parts();
    let too_large = || unread(StatusCode::PAYLOAD_TOO_LARGE, limits.too_large);
    // What is announced as too large is not waited for.
    if body.size_hint().lower() > limits.bytes as u64 {
        return Err(too_large());
    }
    match timeout(limits.time, to_bytes(body, limits.bytes)).await {
        Ok(Ok(bytes)) => Ok((parts, bytes)),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(unread(StatusCode::REQUEST_TIMEOUT, limits.too_slow)),
    }
}

async fn pass(turn: Turn, Query(which): Query<Which>, Query(at): At) -> Response {
    turn.look(move |hub| hub.look_at_pass(which, at.step())).await
}

#[derive(Deserialize)]
struct Neuron {
    layer: String,
    unit: usize,
    picture: Option<u64>,
    row: Option<u32>,
}

async fn neuron(turn: Turn, Query(query): Query<Neuron>, Query(at): At) -> Response {
    let Neuron { layer, unit, picture, row } = query;
    let which = Which { picture, row, label: None };
    turn.look(move |hub| hub.look_at_neuron(&layer, unit, which, at.step())).await
}

#[derive(Deserialize)]
struct Weight {
    layer: String,
    /// Without both, the steepest one.
    unit: Option<usize>,
    input: Option<usize>,
}

async fn slope(
    turn: Turn,
    Query(weight): Query<Weight>,
    Query(which): Query<Which>,
    Query(at): At,
) -> Response {
    let Weight { layer, unit, input } = weight;
    turn.look(move |hub| hub.look_at_slope(&layer, unit.zip(input), which, at.step())).await
}

#[derive(Deserialize)]
struct Moment {
    /// A step; anything else is now.
    moment: Option<String>,
}

impl Moment {
    fn step(&self) -> Option<u64> {
        self.moment.as_ref().and_then(|step| step.parse().ok())
    }
}

#[derive(Deserialize)]
struct OfLayer {
    layer: String,
}

type Of = Query<OfLayer>;
type At = Query<Moment>;

async fn features(turn: Turn, Query(of): Of, Query(at): At) -> Response {
    turn.look(move |hub| hub.look_at_features(&of.layer, at.step())).await
}

async fn excites(turn: Turn, Query(of): Of, Query(at): At) -> Response {
    turn.look(move |hub| hub.look_at_excites(&of.layer, at.step())).await
}

async fn animation(turn: Turn) -> Response {
    turn.answer("image/gif", Hub::animation).await
}

/// Answers a look that has no choices.
async fn asked(turn: Turn, answer: fn(&Hub) -> Answer) -> Response {
    turn.look(answer).await
}

/// Answers a look whose only choice is the moment.
async fn at_moment(turn: Turn, Query(at): At, answer: fn(&Hub, Option<u64>) -> Answer) -> Response {
    turn.look(move |hub| answer(hub, at.step())).await
}
