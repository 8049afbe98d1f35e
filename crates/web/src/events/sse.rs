//! `GET /api/v1/events`: events as they happen, as a stream of server-sent events (WHATWG HTML, 9.2).
//!
//! The stream is read only as fast as its reader reads: who is slow loses events and is told `lost`.

use super::{Kinds, Position, Reader, render};
use crate::Office;
use crate::access::{Principal, still};
use crate::resource::Failure;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use pbx::text;
use schemars::JsonSchema;
use serde::Deserialize;
use std::convert::Infallible;
use std::time::{Duration, Instant};

/// A comment goes out after this time without events, so that nobody in between takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often it is looked whether who follows still may.
const CHECK: Duration = Duration::from_secs(5);
/// Who loses the stream comes back after this time. Unit: milliseconds.
const RETRY: u32 = 2000;
const ALIVE: Bytes = Bytes::from_static(b":\n\n");

/// Which events, and from where on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
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
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let last = headers.get("last-event-id").and_then(|it| it.to_str().ok()).map(str::to_owned);
    let follower = Follower::new(office, &query, last, principal)?;
    // The answer begins at once, and who loses the stream before anything has happened knows where it was.
    let id = follower.reader.place().map(|it| format!("id: {it}\n")).unwrap_or_default();
    let hello = format!("retry: {RETRY}\n{id}\n");
    let frames =
        stream::unfold((Some(hello.into()), follower), |(hello, mut follower)| async move {
            let bytes = match hello {
                Some(hello) => hello,
                None => next(&mut follower).await?,
            };
            Some((Ok::<_, Infallible>(bytes), (None, follower)))
        });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Asks proxies that know it to pass each event on at once.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(frames)).into_response())
}

/// A place among the readers, and who has it.
pub(crate) struct Follower {
    pub(crate) office: Office,
    pub(crate) reader: Reader,
    principal: Principal,
    /// By the clock that never steps: where the other one is set back, nobody stays for longer.
    checked_at: Instant,
}

impl Follower {
    pub(crate) fn new(
        office: Office,
        query: &EventsQuery,
        last: Option<String>,
        principal: Principal,
    ) -> Result<Self, Failure> {
        let kinds = Kinds::parse(&query.types)?;
        let last = last.or_else(|| query.after.clone()).filter(|it| !it.is_empty());
        // An id of another server is answered with `lost`, which is the truth.
        let after = last.map(|it| it.parse().unwrap_or(Position::UNKNOWN));
        let reader = office.running.events().read(after, kinds).ok_or_else(too_many)?;
        Ok(Self { office, reader, principal, checked_at: now() })
    }

    /// Whether who follows still may: his session may have ended, his key been revoked.
    pub(crate) async fn may_stay(&mut self) -> bool {
        let now = now();
        if now.duration_since(self.checked_at) < CHECK {
            return true;
        }
        self.checked_at = now;
        still(&self.office, &self.principal).await
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge has the clock")]
fn now() -> Instant {
    Instant::now()
}

pub(crate) fn too_many() -> Failure {
    let detail = text!(
        "too many readers of events at a time: close another page or program that reads them",
        "同时读取事件的连接过多：请关闭其他正在读取事件的页面或程序"
    );
    Failure::new(503, "too_many_readers", detail)
}

/// `None`: the stream ends.
async fn next(follower: &mut Follower) -> Option<Bytes> {
    loop {
        if !follower.may_stay().await {
            return None;
        }
        let reader = &mut follower.reader;
        let batch = reader.take();
        if !batch.is_empty() {
            let running = &*follower.office.running;
            let node = &reader.ring().node;
            let mut frames = BytesMut::new();
            if let Some((missed, position)) = batch.lost {
                let shown = render::lost(missed, position, running.now(), node);
                frames.extend_from_slice(&shown.frame);
            }
            for event in &batch.events {
                frames.extend_from_slice(&event.shown(running, node).frame);
            }
            return Some(frames.freeze());
        }
        if tokio::time::timeout(KEEP_ALIVE, reader.wait()).await.is_err() {
            return Some(ALIVE);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::access::Who;
    use crate::scene::Scene;
    use pbx::id::TenantId;
    use pbx::language::Language;
    use store::db::ApiKey;

    #[tokio::test]
    async fn whose_key_is_revoked_does_not_stay() {
        let scene = Scene::new().await;
        let office = &scene.office;
        let key = ApiKey {
            id: "k".to_owned(),
            name: "wall board".to_owned(),
            secret: vec![7; 32],
            scopes: vec!["read".to_owned()],
            created_at: office.running.now(),
            created_by: "admin".to_owned(),
            used_at: None,
        };
        office.db.put_api_key(TenantId::default(), &key).await.unwrap();
        let who = Who::ApiKey { id: key.id.clone(), name: key.name };
        let principal = Principal { who, ..Principal::cli(Language::En) };
        let follow =
            || Follower::new(office.clone(), &EventsQuery::default(), None, principal.clone());
        let mut follower = follow().ok().unwrap();
        // The wall clock of the scene stands still, as one that was set back.
        let wait = |it: &mut Follower| it.checked_at = it.checked_at.checked_sub(CHECK).unwrap();
        wait(&mut follower);
        assert!(follower.may_stay().await);
        office.db.delete_api_key(TenantId::default(), &key.id).await.unwrap();
        assert!(follower.may_stay().await, "nobody looks at every moment");
        wait(&mut follower);
        assert!(!follower.may_stay().await);
        wait(&mut follower);
        assert!(next(&mut follower).await.is_none());
    }

    #[tokio::test]
    async fn readers_that_cannot_be_are_refused() {
        let scene = Scene::new().await;
        let answer = scene.get("/api/v1/events?types=queue.*").by_socket().send().await;
        assert_eq!((answer.status, answer.code()), (422, "invalid".to_owned()));
        let events = scene.office.running.events();
        let readers: Vec<_> = std::iter::from_fn(|| events.read(None, Kinds::ALL)).collect();
        let answer = scene.get("/api/v1/events").by_socket().send().await;
        assert_eq!((answer.status, answer.code()), (503, "too_many_readers".to_owned()));
        drop(readers);
    }
}
