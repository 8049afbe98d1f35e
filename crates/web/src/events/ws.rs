//! `GET /api/v1/ws`: the same events over a WebSocket (RFC 6455), one envelope a message.
//!
//! What the reader sends is not looked at; it only shows that somebody is there.

use super::render;
use super::sse::{EventsQuery, Follower};
use crate::Office;
use crate::access::Principal;
use crate::resource::Failure;
use axum::Extension;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use pbx::text;
use std::time::Duration;

/// A ping goes out after this time without events.
const PING: Duration = Duration::from_secs(15);
/// Pings without any word from the reader, after which it is taken to be gone.
const PINGS_MAX: u32 = 3;
/// Longest that a reader may take for one message; then it is gone.
const SEND: Duration = Duration::from_secs(30);
/// Longest message of a reader. Unit: octets.
const MESSAGE_MAX: usize = 4096;

pub(crate) async fn on_ws(
    State(office): State<Office>,
    Query(query): Query<EventsQuery>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Failure> {
    if !is_own_page(&headers) {
        let detail = text!("pages of other servers may not listen", "其他网站的页面不能连接");
        return Err(Failure::new(403, "foreign_origin", detail));
    }
    let follower = Follower::new(office, &query, None, principal)?;
    let upgrade = upgrade.max_message_size(MESSAGE_MAX).max_frame_size(MESSAGE_MAX);
    Ok(upgrade.on_upgrade(move |socket| serve(socket, follower)))
}

/// Browsers let any page open a WebSocket anywhere, with the cookies of there (RFC 6455 §10.2). Programs send no
/// Origin.
fn is_own_page(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|it| it.parse::<Uri>().ok());
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok());
    let authority = origin.as_ref().and_then(Uri::authority).map(|it| it.as_str());
    authority.is_some() && authority == host
}

async fn serve(mut socket: WebSocket, mut follower: Follower) {
    let mut silent = 0;
    while follower.may_stay().await {
        let messages = messages(&mut follower);
        let is_idle = messages.is_empty();
        for message in messages {
            if !send(&mut socket, message).await {
                return;
            }
        }
        if !is_idle {
            continue;
        }
        tokio::select! {
            () = follower.reader.wait() => {}
            heard = socket.recv() => match heard {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => silent = 0,
            },
            () = quiet() => {
                silent += 1;
                if silent > PINGS_MAX || !send(&mut socket, Message::Ping(Bytes::new())).await {
                    return;
                }
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing else tells that nothing happens")]
async fn quiet() {
    tokio::time::sleep(PING).await;
}

async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND, socket.send(message)).await, Ok(Ok(())))
}

fn messages(follower: &mut Follower) -> Vec<Message> {
    let batch = follower.reader.take();
    let (running, node) = (&*follower.office.running, &*follower.reader.ring().node);
    let gap = batch.lost.map(|(missed, at)| render::lost(missed, at, running.now(), node).json());
    let events = batch.events.iter().map(|it| it.shown(running, node).json());
    // JSON is UTF-8.
    let text = |it: Bytes| Utf8Bytes::try_from(it).ok().map(Message::Text);
    gap.into_iter().chain(events).filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn origin_table() {
        #[rustfmt::skip]
        let table = [
            (None,                          "pbx:8080",  true),
            (Some("http://pbx:8080"),       "pbx:8080",  true),
            (Some("https://[::1]:8443"),    "[::1]:8443", true),
            (Some("http://pbx"),            "pbx:8080",  false),
            (Some("http://evil.example"),   "pbx:8080",  false),
            (Some("null"),                  "pbx:8080",  false),
            (Some("file:///"),              "pbx:8080",  false),
        ];
        for (origin, host, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(it) = origin {
                headers.insert(header::ORIGIN, it.parse().unwrap());
            }
            assert_eq!(is_own_page(&headers), expected, "{origin:?} {host}");
        }
    }
}
