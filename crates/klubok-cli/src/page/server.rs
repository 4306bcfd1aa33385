//! Serves the page: files, the story, what happens now, looks, acts.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use axum::{
    Json, Router,
    body::to_bytes,
    extract::{Path, Query, Request, State},
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    },
    middleware,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures_util::{Stream, stream};
use hyper::service::{Service as _, service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use klubok::train::control::Act;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinHandle};

use super::{
    PORT, assets,
    guard::{self, has_token},
    hub::Hub,
    looks::{Answer, Which},
    story::Known,
};
use crate::text::{Lang, of_page};

/// Time between two events to a browser.
const BEAT: Duration = Duration::from_millis(250);
/// Connections at once: each takes a file of the system, of which training needs some too.
const CONNECTIONS: usize = 256;
/// How long a connection may say nothing before or between requests.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a picture may take to come.
const UPLOAD: Duration = Duration::from_secs(60);
/// The largest picture that is read.
const LARGEST: usize = 32 << 20;

/// A server on a thread of its own; it ends with the process.
pub(super) struct Server {
    address: SocketAddr,
}

impl Server {
    /// Serves a hub at this address, without one on this machine only.
    pub(super) fn start(listen: Option<SocketAddr>, hub: Arc<Hub>) -> io::Result<Self> {
        let listener = match listen {
            Some(address) => TcpListener::bind(address)?,
            // A page that is served already keeps its address; this one gets the next that is free.
            None => TcpListener::bind((Ipv4Addr::LOCALHOST, PORT))
                .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?,
        };
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let app = routes(hub, address.port());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(2)
            .build()?;
        thread::Builder::new().name("page".to_owned()).spawn(move || {
            runtime.block_on(accept(listener, app));
        })?;
        Ok(Self { address })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves every connection until it ends or says nothing for too long. Where there are too many, the oldest one goes that has
/// never asked for anything.
async fn accept(listener: TcpListener, app: Router) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let mut open: VecDeque<Connection> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of files, most likely: others will close theirs.
            tokio::time::sleep(BEAT).await;
            continue;
        };
        open.retain(|connection| !connection.task.is_finished());
        if open.len() >= CONNECTIONS {
            let silent = open.iter().position(|connection| !connection.asked.load(Relaxed));
            let Some(silent) = silent.and_then(|at| open.remove(at)) else { continue };
            silent.task.abort();
        }
        open.push_back(Connection::serve(stream, app.clone()));
    }
}

/// A connection that is served.
struct Connection {
    /// Whether it has ever asked for anything.
    asked: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Connection {
    fn serve(stream: TcpStream, app: Router) -> Self {
        let asked = Arc::new(AtomicBool::new(false));
        let (app, heard) = (TowerToHyperService::new(app), asked.clone());
        let service = service_fn(move |request| {
            heard.store(true, Relaxed);
            app.call(request)
        });
        let task = tokio::spawn(async move {
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(SILENCE);
            // A browser that goes away is no failure.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
        Self { asked, task }
    }
}

type Shared = State<Arc<Hub>>;

fn routes(hub: Arc<Hub>, port: u16) -> Router {
    Router::new()
        .route("/", get(async || typed("text/html", assets::PAGE)))
        .route("/page.css", get(async || typed("text/css", assets::STYLE)))
        .route("/plotly.js", get(charts))
        .route("/{script}", get(script))
        .route("/api/texts", get(async || Json(texts())))
        .route("/api/run", get(run))
        .route("/api/story", get(story))
        .route("/api/live", get(live))
        .route("/api/runs", get(async |shared| asked(shared, Hub::look_at_runs).await))
        .route("/api/act", post(act))
        .route("/api/picture", post(picture))
        .route("/api/look/pass", get(pass))
        .route("/api/look/neuron", get(neuron))
        .route("/api/look/features", get(features))
        .route(
            "/api/look/answers",
            get(async |hub, at| at_moment(hub, at, Hub::look_at_answers).await),
        )
        .route("/api/look/map", get(async |hub, at| at_moment(hub, at, Hub::look_at_map).await))
        .route("/api/look/excites", get(excites))
        .route("/api/look/slope", get(slope))
        .route(
            "/api/look/layers",
            get(async |hub, at| at_moment(hub, at, Hub::look_at_layers).await),
        )
        .route(
            "/api/look/lesions",
            get(async |hub, at| at_moment(hub, at, Hub::look_at_lesions).await),
        )
        .route(
            "/api/look/suspects",
            get(async |hub, at| at_moment(hub, at, Hub::look_at_suspects).await),
        )
        .route(
            "/api/look/motion",
            get(async |hub, at| at_moment(hub, at, Hub::look_at_motion).await),
        )
        .route("/api/look/cloud", get(async |hub, at| at_moment(hub, at, Hub::look_at_cloud).await))
        .route("/api/look/terrain", get(async |shared| asked(shared, Hub::look_at_terrain).await))
        .route("/api/animation.gif", get(animation))
        .layer(middleware::from_fn_with_state(port, guard::guard))
        .with_state(hub)
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
    match tokio::task::spawn_blocking(assets::charts).await {
        Ok(packed) => {
            let headers = [
                (CONTENT_TYPE, "text/javascript; charset=utf-8"),
                (CONTENT_ENCODING, "gzip"),
                (CACHE_CONTROL, "max-age=86400"),
            ];
            (headers, packed).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The texts of the page in every language.
pub(super) fn texts() -> Value {
    json!({ "en": of_page(Lang::En), "ru": of_page(Lang::Ru) })
}

async fn run(State(hub): Shared, headers: HeaderMap) -> Json<Value> {
    Json(hub.about.told(has_token(&headers, &hub), hub.is_live()))
}

async fn story(State(hub): Shared, Query(known): Query<Known>) -> Response {
    match hub.after(known) {
        Ok(news) => ([(CONTENT_TYPE, "application/json")], news).into_response(),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Where the training is, whenever that changes, at most four times a second.
async fn live(State(hub): Shared) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let beats = stream::unfold((hub, String::new()), |(hub, last)| async move {
        loop {
            let now = serde_json::to_string(&hub.now()).unwrap_or_default();
            if now != last {
                let event = Event::default().event("now").data(&now);
                tokio::time::sleep(BEAT).await;
                return Some((Ok(event), (hub, now)));
            }
            tokio::time::sleep(BEAT).await;
        }
    });
    Sse::new(beats).keep_alive(KeepAlive::default())
}

async fn act(State(hub): Shared, headers: HeaderMap, Json(act): Json<Act>) -> Response {
    if !has_token(&headers, &hub) {
        return refused(StatusCode::FORBIDDEN, "only the address with the token may act");
    }
    if let Act::LearningRate { rate } = act
        && !(rate.is_finite() && rate > 0.0)
    {
        return refused(StatusCode::BAD_REQUEST, "a learning rate is a number above 0");
    }
    hub.ask(act);
    Json(json!({})).into_response()
}

async fn picture(State(hub): Shared, request: Request) -> Response {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse().ok());
    let too_large = || refused(StatusCode::PAYLOAD_TOO_LARGE, "the picture has more than 32 MiB");
    // What is announced as too large is not waited for.
    if length.is_some_and(|length: u64| length > LARGEST as u64) {
        return too_large();
    }
    match tokio::time::timeout(UPLOAD, to_bytes(request.into_body(), LARGEST)).await {
        Ok(Ok(bytes)) => look(hub, move |hub| hub.look_at_own(&bytes)).await,
        Ok(Err(_)) => too_large(),
        Err(_) => refused(StatusCode::REQUEST_TIMEOUT, "the picture did not come"),
    }
}

async fn pass(State(hub): Shared, Query(which): Query<Which>, Query(at): At) -> Response {
    look(hub, move |hub| hub.look_at_pass(which, at.step())).await
}

#[derive(Deserialize)]
struct Neuron {
    layer: String,
    unit: usize,
    picture: Option<u64>,
    row: Option<u32>,
}

async fn neuron(State(hub): Shared, Query(query): Query<Neuron>, Query(at): At) -> Response {
    let Neuron { layer, unit, picture, row } = query;
    let which = Which { picture, row, label: None };
    look(hub, move |hub| hub.look_at_neuron(&layer, unit, which, at.step())).await
}

#[derive(Deserialize)]
struct Weight {
    layer: String,
    /// Without both, the steepest one.
    unit: Option<usize>,
    input: Option<usize>,
}

async fn slope(
    State(hub): Shared,
    Query(weight): Query<Weight>,
    Query(which): Query<Which>,
    Query(at): At,
) -> Response {
    let Weight { layer, unit, input } = weight;
    look(hub, move |hub| hub.look_at_slope(&layer, unit.zip(input), which, at.step())).await
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

async fn features(State(hub): Shared, Query(of): Of, Query(at): At) -> Response {
    look(hub, move |hub| hub.look_at_features(&of.layer, at.step())).await
}

async fn excites(State(hub): Shared, Query(of): Of, Query(at): At) -> Response {
    look(hub, move |hub| hub.look_at_excites(&of.layer, at.step())).await
}

async fn animation(State(hub): Shared) -> Response {
    match tokio::task::spawn_blocking(move || hub.animation()).await {
        Ok(Ok(file)) => ([(CONTENT_TYPE, "image/gif")], file).into_response(),
        Ok(Err(sentence)) => refused(StatusCode::UNPROCESSABLE_ENTITY, &sentence),
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "klubok failed at this animation"),
    }
}

/// Answers a look that has no choices.
async fn asked(State(hub): Shared, answer: fn(&Hub) -> Answer) -> Response {
    look(hub, answer).await
}

/// Answers a look whose only choice is the moment.
async fn at_moment(
    State(hub): Shared,
    Query(at): At,
    answer: fn(&Hub, Option<u64>) -> Answer,
) -> Response {
    look(hub, move |hub| answer(hub, at.step())).await
}

/// Answers a look beside the server's own thread, two at a time.
async fn look(hub: Arc<Hub>, answer: impl FnOnce(&Hub) -> Answer + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(move || answer(&hub)).await {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(sentence)) => refused(StatusCode::UNPROCESSABLE_ENTITY, &sentence),
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "klubok failed at this look"),
    }
}

fn refused(status: StatusCode, sentence: &str) -> Response {
    (status, Json(json!({ "error": sentence }))).into_response()
}
