//! Error responses: a status, and the reason in every language.

use axum::{
    Json,
    http::{
        StatusCode,
        header::{CONNECTION, RETRY_AFTER},
    },
    response::{IntoResponse as _, Response},
};
use klubok_text::{bilingual, translated};
use serde_json::{Value, json};

/// A reason in every language, as an answer.
pub(super) fn reason(sentence: &str) -> Value {
    json!({ "error": bilingual(|| translated(sentence)) })
}

/// Refuses a request, with the reason in every language.
pub(super) fn refused(status: StatusCode, sentence: &str) -> Response {
    (status, Json(reason(sentence))).into_response()
}

/// Refuses a request before reading its body, and closes the connection.
pub(super) fn unread(status: StatusCode, sentence: &str) -> Response {
    ([(CONNECTION, "close")], refused(status, sentence)).into_response()
}

/// Refuses a request for now: the client may try again after a second.
pub(super) fn busy(sentence: &str) -> Response {
    let headers = [(RETRY_AFTER, "1"), (CONNECTION, "close")];
    (headers, refused(StatusCode::SERVICE_UNAVAILABLE, sentence)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_the_reason_in_every_language() {
        let refusal = refused(StatusCode::UNPROCESSABLE_ENTITY, "there is no such sample");
        let body = axum::body::to_bytes(refusal.into_body(), 1000).await.unwrap();
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let reasons = json!({ "en": "there is no such sample", "ru": "такого примера нет" });
        assert_eq!(json, json!({ "error": reasons }));
    }
}
