//! `GET /api/v1/events`: events as they happen, as a stream of server-sent events (WHATWG HTML, 9.2).
//!
//! The stream is read only as fast as its reader reads: who is slow loses events and is told `lost`.

use super::{Kinds, Position, Reader, render};
use crate::Office;
use crate::resource::Failure;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use pbx::text;
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;

/// A comment goes out after this time without events, so that nobody in between takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What comes first: the answer begins at once, and who loses the stream comes back soon. Unit: milliseconds.
const HELLO: Bytes = Bytes::from_static(b"retry: 2000\n\n");
const ALIVE: Bytes = Bytes::from_static(b":\n\n");

/// Which events, and from where on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventsQuery {
    /// As in `call.*,line.state_changed`; absent: all.
    pub(crate) types: String,
    /// The id of the last event that is known, for those who cannot set a header.
    pub(crate) after: Option<String>,
}

pub(crate) async fn on_events(
    State(office): State<Office>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let last = headers.get("last-event-id").and_then(|it| it.to_str().ok()).map(str::to_owned);
    let reader = reader(&office, &query, last)?;
    let first = (Some(HELLO), reader, office);
    let frames = stream::unfold(first, |(hello, mut reader, office)| async move {
        let bytes = match hello {
            Some(hello) => hello,
            None => next(&mut reader, &office).await,
        };
        Some((Ok::<_, Infallible>(bytes), (None, reader, office)))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Asks proxies that know it to pass each event on at once.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(frames)).into_response())
}

/// A place among the readers, where there is one.
pub(crate) fn reader(
    office: &Office,
    query: &EventsQuery,
    last: Option<String>,
) -> Result<Reader, Failure> {
    let kinds = Kinds::parse(&query.types)?;
    let last = last.or_else(|| query.after.clone()).filter(|it| !it.is_empty());
    // An id of another server is answered with `lost`, which is the truth.
    let after = last.map(|it| it.parse().unwrap_or(Position::UNKNOWN));
    office.running.events().read(after, kinds).ok_or_else(|| {
        let detail = text!(
            "too many readers of events at a time: close another page or program that reads them",
            "同时读取事件的连接过多：请关闭其他正在读取事件的页面或程序"
        );
        Failure::new(503, "too_many_readers", detail)
    })
}

async fn next(reader: &mut Reader, office: &Office) -> Bytes {
    loop {
        let batch = reader.take();
        if !batch.is_empty() {
            let running = &*office.running;
            let node = &reader.ring().node;
            let mut frames = BytesMut::new();
            if let Some((missed, position)) = batch.lost {
                let shown = render::lost(missed, position, running.now(), node);
                frames.extend_from_slice(&shown.frame);
            }
            for event in &batch.events {
                frames.extend_from_slice(&event.shown(running, node).frame);
            }
            return frames.freeze();
        }
        if tokio::time::timeout(KEEP_ALIVE, reader.wait()).await.is_err() {
            return ALIVE;
        }
    }
}
