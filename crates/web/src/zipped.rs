//! Answers that are texts go out compressed to those who take gzip (RFC 9110 §8.4.1.3): a page is a fifth of itself then.
//!
//! Pages have secrets in them and repeat what was asked; no other site can have them fetched to compare sizes, as
//! session cookies do not go with requests of others (SameSite=Strict).

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::Body as _;
use std::io::Write as _;
use std::ops::RangeInclusive;

/// A shorter answer fits into one packet as it is; a longer one would keep others waiting. Unit: octets.
const LENGTHS: RangeInclusive<u64> = 1_000..=2_000_000;
/// Most of what there is to be won, for little time.
const LEVEL: Compression = Compression::new(3);
const TEXTS: [&str; 4] = ["text/html", "application/json", "text/csv", "text/javascript"];

pub(crate) async fn zipped(request: Request, next: Next) -> Response {
    let takes = takes_gzip(request.headers());
    let response = next.run(request).await;
    // The length of a stream is not known: it goes out as it comes.
    let length = response.body().size_hint().exact();
    if !length.is_some_and(|it| LENGTHS.contains(&it)) || !is_plain_text(response.headers()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !takes {
        return Response::from_parts(parts, body);
    }
    // It is in memory already, and of that length.
    let Ok(plain) = to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let packed = packed(&plain, LEVEL);
    if packed.is_empty() {
        return Response::from_parts(parts, Body::from(plain));
    }
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(packed))
}

/// Empty where it could not be compressed, which does not happen in memory.
pub(crate) fn packed(plain: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    let written = encoder.write_all(plain).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// What has a tag is the same to all who compare it: it stays as it is.
fn is_plain_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let is_text = kind.is_some_and(|it| TEXTS.iter().any(|text| it.starts_with(text)));
    let special = [header::CONTENT_ENCODING, header::ETAG, header::CONTENT_RANGE];
    is_text && special.iter().all(|it| !headers.contains_key(it))
}

/// RFC 9110 §12.5.3, without weights: no browser names gzip to refuse it.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|it| it.to_str().ok());
    let names = |it: &str| it.split(';').next().is_some_and(|it| it.trim() == "gzip");
    accepted.is_some_and(|it| it.split(',').any(names))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::scene::Scene;

    #[test]
    fn gzip_table() {
        for (value, expected) in
            [("gzip, deflate, br", true), ("br;q=1, gzip;q=0.5", true), ("br", false)]
        {
            let headers =
                HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().expect("a value"))]);
            assert_eq!(takes_gzip(&headers), expected, "{value}");
        }
    }

    #[tokio::test]
    async fn texts_are_compressed_for_those_who_take_it() {
        let scene = Scene::new().await;
        // Before there is an administrator, the set-up is what is served.
        let plain = scene.get("/setup").send().await;
        assert_eq!((plain.status, plain.header("content-encoding")), (200, ""));
        let packed = scene.get("/setup").with("accept-encoding", "gzip").send().await;
        assert_eq!(packed.header("content-encoding"), "gzip");
        assert!(packed.header("vary").contains("accept-encoding"));
        let short = scene.get("/api/v1/setup").with("accept-encoding", "gzip").send().await;
        assert_eq!(short.header("content-encoding"), "");
    }
}
