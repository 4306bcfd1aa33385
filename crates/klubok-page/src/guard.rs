//! Request guard: accepts requests of the server's own page only. Acting takes the token, too.
//!
//! A foreign web page could make a visitor's browser send requests to this machine. It can neither
//! choose the `Host` header nor hide its `Origin`, and a name that resolves to this machine (DNS
//! rebinding) is neither an address nor `localhost`. Browsers also report requests of other sites
//! in `Sec-Fetch-Site`: another site may link to the page, and nothing else.

use std::net::IpAddr;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::Next,
    response::Response,
};

use super::{hub::Hub, refusal::unread};

/// Header of the token.
const TOKEN_HEADER: &str = "x-klubok-token";

/// Route of the event stream.
pub(super) const STREAM: &str = "/api/live";

/// Content security policy: scripts and styles come from the server only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; \
    base-uri 'none'";

/// Refuses requests that do not come from the server's own page, and sets the security headers of
/// every response.
pub(super) async fn guard(State(port): State<u16>, request: Request, next: Next) -> Response<Body> {
    let mut response = match check_origin(&request, port) {
        Ok(()) => next.run(request).await,
        Err(reason) => unread(StatusCode::FORBIDDEN, reason),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn check_origin<B>(request: &Request<B>, port: u16) -> Result<(), &'static str> {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(HOST).filter(|host| is_own_host(host, port)).ok_or("wrong Host")?;
    if headers.get(ORIGIN).is_some_and(|origin| *origin != format!("http://{host}")) {
        return Err("wrong Origin");
    }
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"none" | b"same-origin") => Ok(()),
        Some(_) if is_followed_link(request) => Ok(()),
        Some(_) => Err("asked for by another site"),
    }
}

/// Whether a person followed a link to the page, for example from a chat.
fn is_followed_link<B>(request: &Request<B>) -> bool {
    let has = |name, value: &str| request.headers().get(name).is_some_and(|own| own == value);
    request.method() == Method::GET
        && request.uri().path() == "/"
        && has("sec-fetch-mode", "navigate")
        && has("sec-fetch-dest", "document")
}

/// Whether a host is an address or `localhost`, with the server's port.
fn is_own_host(host: &str, port: u16) -> bool {
    let Some((name, own_port)) = host.rsplit_once(':') else {
        return port == 80 && is_address(host);
    };
    own_port.parse() == Ok(port) && is_address(name)
}

fn is_address(name: &str) -> bool {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name == "localhost" || bare.parse::<IpAddr>().is_ok()
}

/// Whether a request has the token: in its header, or in the query of the event stream, for which
/// browsers send no custom headers.
pub(super) fn has_token(headers: &HeaderMap, uri: &Uri, hub: &Hub) -> bool {
    let header = headers.get(TOKEN_HEADER).and_then(|token| token.to_str().ok());
    let query = uri.query().filter(|_| uri.path() == STREAM).unwrap_or_default();
    let query = query.split('&').find_map(|pair| pair.strip_prefix("token="));
    header.into_iter().chain(query).any(|token| hub.is_token(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_accepted(path: &str, headers: &[(&str, &str)]) -> bool {
        let request =
            headers.iter().fold(Request::builder().uri(path), |request, (name, value)| {
                request.header(*name, *value)
            });
        check_origin(&request.body(()).unwrap(), 7717).is_ok()
    }

    #[test]
    fn accepts_its_own_page_only() {
        let accepts = |host, origin: Option<&str>| {
            let origin = origin.map(|origin| ("origin", origin));
            is_accepted("/", &[&[("host", host)], origin.as_slice()].concat())
        };
        assert!(accepts("127.0.0.1:7717", None));
        assert!(accepts("localhost:7717", Some("http://localhost:7717")));
        assert!(accepts("[::1]:7717", Some("http://[::1]:7717")));
        assert!(accepts("192.168.1.5:7717", None));
        for (host, origin) in [
            ("evil.example:7717", None),
            ("127.0.0.1.evil.example:7717", None),
            ("127.0.0.1:80", None),
            ("127.0.0.1", None),
            ("127.0.0.1:7717", Some("http://evil.example")),
            ("127.0.0.1:7717", Some("null")),
            ("127.0.0.1:7717", Some("https://127.0.0.1:7717")),
            ("localhost:7717", Some("http://127.0.0.1:7717")),
        ] {
            assert!(!accepts(host, origin), "{host} {origin:?}");
        }
        assert!(!is_accepted("/", &[]));
    }

    #[test]
    fn another_site_may_link_to_the_page_and_nothing_else() {
        let from = |site, path, more: &[(&str, &str)]| {
            is_accepted(
                path,
                &[&[("host", "localhost:7717"), ("sec-fetch-site", site)], more].concat(),
            )
        };
        let link = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        let frame = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        for own in ["none", "same-origin"] {
            assert!(from(own, "/", &link) && from(own, "/api/run", &[]));
        }
        for other in ["cross-site", "same-site", "", "None"] {
            assert!(from(other, "/", &link), "{other}");
            assert!(!from(other, "/", &[]) && !from(other, "/", &frame), "{other}");
            assert!(!from(other, "/api/run", &link) && !from(other, "/api.js", &[]), "{other}");
        }
    }
}
