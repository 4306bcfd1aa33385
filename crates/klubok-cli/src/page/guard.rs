//! Who may talk to the server: only a page that it served itself, and to act only who has the token.
//!
//! A web page of somebody else could send requests to this machine from a visitor's browser. It cannot choose the `Host` that
//! the browser writes, nor hide its own `Origin`; and a name that is pointed at this machine (DNS rebinding) is neither an
//! address nor `localhost`.

use std::{net::IpAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::hub::Hub;

/// Where the token stands.
pub(super) const TOKEN: &str = "x-klubok-token";

/// Scripts come from the server only. Styles are also set by the charts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; \
    base-uri 'none'";

/// Refuses what does not come from the server's own page, and says how answers are to be treated.
pub(super) async fn guard(State(port): State<u16>, request: Request, next: Next) -> Response<Body> {
    if let Err(reason) = comes_from_here(request.headers(), port) {
        return (StatusCode::FORBIDDEN, reason).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn comes_from_here(headers: &HeaderMap, port: u16) -> Result<(), &'static str> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(HOST).filter(|host| is_here(host, port)).ok_or("wrong Host")?;
    match headers.get(ORIGIN) {
        None => Ok(()),
        Some(origin) if origin.as_bytes() == format!("http://{host}").as_bytes() => Ok(()),
        Some(_) => Err("wrong Origin"),
    }
}

/// An address, or `localhost`, with the server's port.
fn is_here(host: &str, port: u16) -> bool {
    let Some((name, of)) = host.rsplit_once(':') else { return port == 80 && is_address(host) };
    of.parse() == Ok(port) && is_address(name)
}

fn is_address(name: &str) -> bool {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name == "localhost" || bare.parse::<IpAddr>().is_ok()
}

/// Whether the request has the token.
pub(super) fn has_token(headers: &HeaderMap, hub: &Arc<Hub>) -> bool {
    headers
        .get(TOKEN)
        .and_then(|token| token.to_str().ok())
        .is_some_and(|token| hub.lets_act(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        origin.map(|origin| headers.insert(ORIGIN, origin.parse().unwrap()));
        headers
    }

    #[test]
    fn only_its_own_page_is_let_in() {
        let let_in = |host, origin| comes_from_here(&headers(host, origin), 7717).is_ok();
        assert!(let_in("127.0.0.1:7717", None));
        assert!(let_in("localhost:7717", Some("http://localhost:7717")));
        assert!(let_in("[::1]:7717", Some("http://[::1]:7717")));
        assert!(let_in("192.168.1.5:7717", None));
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
            assert!(!let_in(host, origin), "{host} {origin:?}");
        }
        assert!(comes_from_here(&HeaderMap::new(), 7717).is_err());
    }
}
