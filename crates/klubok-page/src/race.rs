//! The page of a race: several trainings of this process side by side.
//!
//! Each run is a lane. What a lane is and what its film holds comes from the routes that a page of
//! its run has, below `/lane/N`. An act is for all lanes; one token and one set of limits too.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Uri},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::json;

use super::{
    admission::{Admission, Permit},
    assets, guard,
    hub::Hub,
    inspection::Inspection,
    server::{events, guarded, pages, story},
};

/// Keys and values of a lane's settings.
type Settings = Vec<(String, String)>;

/// The routes of a race on the data of this name.
pub(super) fn race_routes(
    name: &str,
    settings: Vec<Settings>,
    admission: Arc<Admission>,
    port: u16,
) -> Router {
    let (name, lanes): (Arc<str>, Arc<[Settings]>) = (name.into(), settings.into());
    let describe = async move |permit: Permit| {
        let is_owner = permit.is_owner;
        permit
            .inspect(move |_| Ok(json!({ "name": *name, "can_act": is_owner, "lanes": *lanes })))
            .await
    };
    let pages = pages(assets::race(), assets::RACE_STYLE)
        .route("/api/race", get(describe))
        .route(guard::STREAM, get(live));
    let in_film = |of: &Inspection| matches!(of.path, "/api/look/scene" | "/api/look/film");
    let lane = |router: Router<_>, (i, hub): (usize, &Arc<Hub>)| {
        router.nest_service(&format!("/lane/{i}"), story(in_film).with_state(admission.about(hub)))
    };
    let router = admission.hubs.iter().enumerate().fold(pages, lane);
    guarded(router, admission, port)
}

/// Streams where the trainings are.
async fn live(admission: State<Arc<Admission>>, headers: HeaderMap, uri: Uri) -> Response {
    let statuses = |hubs: &[Arc<Hub>]| {
        let all: Vec<_> = hubs.iter().map(|hub| hub.status()).collect();
        serde_json::to_string(&all).unwrap_or_default()
    };
    events(&admission, &headers, &uri, statuses).into_response()
}
