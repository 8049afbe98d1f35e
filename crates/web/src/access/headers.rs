//! What browsers are told of everything that the listener serves.

use super::redirect;
use super::source::Peer;
use crate::Office;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
];

pub(crate) async fn secure(State(office): State<Office>, request: Request, next: Next) -> Response {
    let strict = redirect::strict(&office, request.extensions().get::<Peer>());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Some(strict) = strict.and_then(|it| HeaderValue::try_from(it).ok()) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, strict);
    }
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Assets say themselves how long they last; all else is of the present.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
