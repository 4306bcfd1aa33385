//! Admission control: limits on work, memory and streams for each class of clients. The owner, who
//! holds the token, never waits for other clients, and their unread responses take little memory.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use axum::{
    body::Bytes,
    extract::FromRequestParts,
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse as _, Response},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{
    guard::has_token,
    hub::Hub,
    inspection::InspectionResult,
    lock::lock,
    refusal::{busy, refused},
};

/// Inspections at a time, for each class of clients.
const MAX_INSPECTIONS: usize = 2;
/// KiB of unread responses to clients without the token, at most.
const MAX_UNREAD_KIB: usize = 64 << 10;

/// Semaphores for clients without the token, and for the owner.
type Classes = [Arc<Semaphore>; 2];

/// Limits of a page. Its clones share them.
#[derive(Clone)]
pub(super) struct Admission {
    /// The run that requests are about.
    pub(super) hub: Arc<Hub>,
    /// All runs of the page: those of a race, or the only one.
    pub(super) hubs: Vec<Arc<Hub>>,
    inspections: Classes,
    /// For the run and its timeline. They take no time, so they do not wait for inspections.
    timelines: Classes,
    uploads: Arc<Semaphore>,
    unread_kib: Arc<Semaphore>,
    /// Open event streams, the oldest first. A stream ends when its flag is set.
    streams: Arc<Mutex<[VecDeque<Weak<AtomicBool>>; 2]>>,
    max_streams: usize,
}

impl Admission {
    /// Limits for a page of these runs, at least one, with at most `max_connections`.
    pub(super) fn new(hubs: Vec<Arc<Hub>>, max_connections: usize) -> Arc<Self> {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Arc::new(Self {
            hub: hubs[0].clone(),
            hubs,
            inspections: [semaphore(MAX_INSPECTIONS), semaphore(MAX_INSPECTIONS)],
            timelines: [semaphore(1), semaphore(1)],
            uploads: semaphore(1),
            unread_kib: semaphore(MAX_UNREAD_KIB),
            streams: Arc::default(),
            max_streams: max_connections.div_ceil(4),
        })
    }

    /// The same limits for requests that are about another run of the page.
    pub(super) fn about(&self, hub: &Arc<Hub>) -> Arc<Self> {
        Arc::new(Self { hub: hub.clone(), ..self.clone() })
    }

    /// Admits an event stream, which ends when the returned flag is set. Past the limit, ends the
    /// oldest stream of the same class of clients.
    pub(super) fn stream(&self, is_owner: bool) -> Arc<AtomicBool> {
        let mut streams = lock(&self.streams);
        let streams = &mut streams[usize::from(is_owner)];
        streams.retain(|stream| stream.strong_count() > 0);
        if streams.len() >= self.max_streams {
            let oldest = streams.pop_front().and_then(|oldest| oldest.upgrade());
            oldest.iter().for_each(|oldest| oldest.store(true, Relaxed));
        }
        let ended = Arc::new(AtomicBool::new(false));
        streams.push_back(Arc::downgrade(&ended));
        ended
    }

    /// Admits the upload of a picture, unless another one is under way.
    pub(super) fn upload(self: &Arc<Self>, is_owner: bool) -> Option<Permit> {
        let slot = self.uploads.clone().try_acquire_owned().ok()?;
        Some(Permit { admission: self.clone(), is_owner, slot })
    }

    /// Makes a response of JSON. Refuses it where unread responses already take
    /// [`MAX_UNREAD_KIB`]; the owner has no such limit.
    fn respond(&self, is_owner: bool, bytes: Vec<u8>) -> Response {
        let kib = (bytes.len() >> 10).clamp(1, MAX_UNREAD_KIB) as u32;
        let body = if is_owner {
            bytes.into()
        } else if let Ok(permit) = self.unread_kib.clone().try_acquire_many_owned(kib) {
            Bytes::from_owner(UnreadBody { bytes, _permit: permit })
        } else {
            return busy("too many answers wait to be read");
        };
        ([(CONTENT_TYPE, "application/json")], body).into_response()
    }
}

/// A response body that holds its memory permit until it is sent.
struct UnreadBody {
    bytes: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for UnreadBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The permit of a request that takes time.
pub(super) struct Permit {
    admission: Arc<Admission>,
    /// Whether the request has the token.
    pub(super) is_owner: bool,
    slot: OwnedSemaphorePermit,
}

impl FromRequestParts<Arc<Admission>> for Permit {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        admission: &Arc<Admission>,
    ) -> Result<Self, Response> {
        let is_owner = has_token(&parts.headers, &parts.uri, &admission.hub);
        let is_timeline = matches!(parts.uri.path(), "/api/run" | "/api/race" | "/api/story");
        let classes = if is_timeline { &admission.timelines } else { &admission.inspections };
        let slots = classes[usize::from(is_owner)].clone();
        let slot = slots.acquire_owned().await.map_err(|_| busy("the page has ended"))?;
        Ok(Self { admission: admission.clone(), is_owner, slot })
    }
}

impl Permit {
    /// Responds with the JSON of an inspection.
    pub(super) async fn inspect(
        self,
        inspect: impl FnOnce(&Hub) -> InspectionResult + Send + 'static,
    ) -> Response {
        let text = move |hub: &Hub| {
            let json = inspect(hub)?;
            serde_json::to_vec(&json).map_err(|error| error.to_string())
        };
        self.respond(text).await
    }

    /// Responds with JSON, made on a thread of its own. Holds the permit until it is made, even if
    /// the client has gone.
    pub(super) async fn respond(
        self,
        make: impl FnOnce(&Hub) -> Result<Vec<u8>, String> + Send + 'static,
    ) -> Response {
        let Self { admission, is_owner, slot } = self;
        let hub = admission.hub.clone();
        let work = move || {
            let made = make(&hub);
            drop(slot);
            made
        };
        match on_own_thread(work).await {
            Ok(Ok(bytes)) => admission.respond(is_owner, bytes),
            Ok(Err(sentence)) => refused(StatusCode::UNPROCESSABLE_ENTITY, &sentence),
            Err(refusal) => refusal,
        }
    }
}

/// Runs blocking work on a thread of its own.
pub(super) async fn on_own_thread<T: Send + 'static>(
    make: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Response> {
    let (sender, receiver) = oneshot::channel();
    // Sending fails once the client has gone.
    let work = move || drop(sender.send(make()));
    if thread::Builder::new().name("inspection".to_owned()).spawn(work).is_err() {
        return Err(busy("the system has no thread for this now"));
    }
    let failed = |_| refused(StatusCode::INTERNAL_SERVER_ERROR, "klubok failed at this look");
    receiver.await.map_err(failed)
}
