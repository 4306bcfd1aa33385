//! The page's door: whose turn it is. What others ask for never holds up the person who started the
//! run, and what waits for them takes little memory, however slowly they read.

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
    answer::Answer,
    guard::has_token,
    hub::Hub,
    lock::lock,
    refusal::{busy, refused},
};

/// Looks at a time, of the person and of all others.
const LOOKS: usize = 2;
/// Answers to others that they have not read yet, in KiB.
const UNSENT: usize = 64 << 10;

/// One for all others, one for the person.
type Lanes = [Arc<Semaphore>; 2];

/// Who waits for what.
pub(super) struct Door {
    pub(super) hub: Arc<Hub>,
    looks: Lanes,
    /// The run and its story are told in no time: they wait for no look.
    stories: Lanes,
    pictures: Arc<Semaphore>,
    unsent: Arc<Semaphore>,
    /// Streams that are open, the oldest first: each ends when its flag is set.
    streams: Mutex<[VecDeque<Weak<AtomicBool>>; 2]>,
    most_streams: usize,
}

impl Door {
    /// The door of a page to which so many connections may be open.
    pub(super) fn new(hub: Arc<Hub>, connections: usize) -> Arc<Self> {
        let many = |many| Arc::new(Semaphore::new(many));
        Arc::new(Self {
            hub,
            looks: [many(LOOKS), many(LOOKS)],
            stories: [many(1), many(1)],
            pictures: many(1),
            unsent: many(UNSENT),
            streams: Mutex::default(),
            most_streams: connections.div_ceil(4),
        })
    }

    /// A place for a stream: it ends when this is set. Where there are too many, the oldest one
    /// ends, and no stream of others ends one of the person.
    pub(super) fn stream(&self, person: bool) -> Arc<AtomicBool> {
        let mut streams = lock(&self.streams);
        let streams = &mut streams[usize::from(person)];
        streams.retain(|stream| stream.strong_count() > 0);
        if streams.len() >= self.most_streams {
            let oldest = streams.pop_front().and_then(|oldest| oldest.upgrade());
            oldest.iter().for_each(|oldest| oldest.store(true, Relaxed));
        }
        let place = Arc::new(AtomicBool::new(false));
        streams.push_back(Arc::downgrade(&place));
        place
    }

    /// The turn of a picture, unless another one is being read.
    pub(super) fn picture(self: &Arc<Self>, person: bool) -> Option<Turn> {
        let place = self.pictures.clone().try_acquire_owned().ok()?;
        Some(Turn { door: self.clone(), person, place })
    }

    /// An answer. Those that others leave unread take no more than so much memory.
    fn answer(&self, person: bool, kind: &'static str, bytes: Vec<u8>) -> Response {
        let kib = (bytes.len() >> 10).clamp(1, UNSENT) as u32;
        let body = if person {
            bytes.into()
        } else if let Ok(room) = self.unsent.clone().try_acquire_many_owned(kib) {
            Bytes::from_owner(Unsent { bytes, _room: room })
        } else {
            return busy("too many answers wait to be read");
        };
        ([(CONTENT_TYPE, kind)], body).into_response()
    }
}

/// An answer that takes up room until it was sent.
struct Unsent {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Unsent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The turn of a request that takes time.
pub(super) struct Turn {
    door: Arc<Door>,
    /// Whether it comes from the person who has the token.
    pub(super) person: bool,
    place: OwnedSemaphorePermit,
}

impl FromRequestParts<Arc<Door>> for Turn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Self, Response> {
        let person = has_token(&parts.headers, &parts.uri, &door.hub);
        let is_story = matches!(parts.uri.path(), "/api/run" | "/api/story");
        let lanes = if is_story { &door.stories } else { &door.looks };
        let lane = lanes[usize::from(person)].clone();
        let place = lane.acquire_owned().await.map_err(|_| busy("the page has ended"))?;
        Ok(Self { door: door.clone(), person, place })
    }
}

impl Turn {
    /// Answers a look.
    pub(super) async fn look(
        self,
        answer: impl FnOnce(&Hub) -> Answer + Send + 'static,
    ) -> Response {
        let text = move |hub: &Hub| {
            let answer = answer(hub)?;
            serde_json::to_vec(&answer).map_err(|error| error.to_string())
        };
        self.answer("application/json", text).await
    }

    /// Answers with a file of this kind, made beside the server's own thread. The turn lasts until
    /// it is made, even where nobody waits for it any more.
    pub(super) async fn answer(
        self,
        kind: &'static str,
        make: impl FnOnce(&Hub) -> Result<Vec<u8>, String> + Send + 'static,
    ) -> Response {
        let Self { door, person, place } = self;
        let hub = door.hub.clone();
        let work = move || {
            let made = make(&hub);
            drop(place);
            made
        };
        match beside(work).await {
            Ok(Ok(bytes)) => door.answer(person, kind, bytes),
            Ok(Err(sentence)) => refused(StatusCode::UNPROCESSABLE_ENTITY, &sentence),
            Err(refusal) => refusal,
        }
    }
}

/// What is made on a thread of its own, beside the server's.
pub(super) async fn beside<T: Send + 'static>(
    make: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Response> {
    let (sender, receiver) = oneshot::channel();
    // Who has gone away does not need it.
    let work = move || drop(sender.send(make()));
    if thread::Builder::new().name("look".to_owned()).spawn(work).is_err() {
        return Err(busy("the system has no thread for this now"));
    }
    let failed = |_| refused(StatusCode::INTERNAL_SERVER_ERROR, "klubok failed at this look");
    receiver.await.map_err(failed)
}
