//! The files that pages load: part of the program, compressed once, and kept by browsers for as long as they are the
//! same.

use super::Pages;
use crate::zipped::{packed, takes_gzip};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use serde::Deserialize;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

/// What is served below `/assets/`: its name, its type and its octets.
const FILES: [(&str, &str, &[u8]); 5] = [
    ("dialtone.css", "text/css; charset=utf-8", include_bytes!("../../assets/dialtone.css")),
    ("dialtone.js", JAVASCRIPT, include_bytes!("../../assets/dialtone.js")),
    ("htmx.js", JAVASCRIPT, include_bytes!("../../assets/htmx-2.0.11.min.js")),
    ("live-board.js", JAVASCRIPT, include_bytes!("../../assets/live-board.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../assets/icon.svg")),
];
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| FILES.into_iter().map(Asset::new).collect());

struct Asset {
    name: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    zipped: Bytes,
    /// Of what is in it.
    hash: String,
}

impl Asset {
    fn new((name, kind, plain): (&'static str, &'static str, &'static [u8])) -> Self {
        let mut hasher = DefaultHasher::new();
        plain.hash(&mut hasher);
        let hash = format!("{:016x}", hasher.finish());
        Self { name, kind, plain, zipped: packed(plain, Compression::best()).into(), hash }
    }
}

fn asset(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|it| it.name == name)
}

/// The address of a file, which changes with what is in it.
pub(crate) fn url(name: &str) -> String {
    let hash = asset(name).map_or("", |it| &it.hash);
    format!("/assets/{name}?v={hash}")
}

/// The version that a page asked for.
#[derive(Deserialize)]
pub(crate) struct Version {
    #[serde(default)]
    v: String,
}

pub(crate) async fn on_asset(
    State(_): State<Pages>,
    Path(name): Path<String>,
    Query(asked): Query<Version>,
    headers: HeaderMap,
) -> Response {
    let Some(asset) = asset(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let tag = format!("\"{}\"", asset.hash);
    // After an upgrade a page of before may still ask for its version: it gets ours, unkept.
    let kept =
        if asked.v == asset.hash { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|it| it.to_str().ok());
    let common = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, kept.to_owned()),
        (header::VARY, "accept-encoding".to_owned()),
    ];
    if known == Some(&*tag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let kind = [(header::CONTENT_TYPE, asset.kind)];
    if takes_gzip(&headers) && !asset.zipped.is_empty() {
        let encoding = [(header::CONTENT_ENCODING, "gzip")];
        return (common, kind, encoding, asset.zipped.clone()).into_response();
    }
    (common, kind, asset.plain).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The promise is 100 KB for the first page; the page itself takes some of it.
    #[test]
    fn the_files_of_a_page_are_small() {
        let octets: usize = ASSETS.iter().map(|it| it.zipped.len()).sum();
        assert!((1_000..60_000).contains(&octets), "{octets} octets");
    }

    #[test]
    fn an_address_names_what_is_in_the_file() {
        let hash = |it| url(it).rsplit('=').next().map(str::to_owned);
        assert_ne!(hash("dialtone.css"), hash("dialtone.js"));
        assert_eq!(hash("dialtone.css"), hash("dialtone.css"));
    }
}
