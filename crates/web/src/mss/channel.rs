//! The event channel (事件通道): a WebSocket of its own port, on which programs hear of phones and calls as
//! JSON texts with a `command`.
//!
//! `userStatus` says how an extension is, `sipStatus` how a call is. Who may listen is decided by the
//! address alone, as the vendor has it; nobody else is answered.

use super::port::Port;
use super::{is_among, settings};
use crate::access::Peer;
use crate::events::{Fact, Happened, Kind, Kinds, Reader};
use crate::moment::rfc3339;
use crate::resource::Call;
use crate::socket::serve_admitted;
use crate::{Office, Running};
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use bytes::Bytes;
use pbx::record::CallRecord;
use serde::Serialize;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Programs that listen at a time; one more is refused. The pages' own readers of events are counted
/// with them elsewhere, and shall not be without a place.
const LISTENERS_MAX: usize = 16;
/// A ping goes out after this time without events.
const PING: Duration = Duration::from_secs(15);
/// Pings without any word from the reader, after which it is taken to be gone.
const PINGS_MAX: u32 = 3;
/// Longest that a reader may take for one message; then it is gone.
const SEND: Duration = Duration::from_secs(30);
/// Longest message of a reader; none is looked at. Unit: octets.
const MESSAGE_MAX: usize = 4096;

/// Listens where the settings say.
pub(super) async fn serve(office: Office) {
    let mut port = Port::of(&office, "event channel", |it| it.event_channel_port);
    let channel = Channel { office: office.clone(), places: places() };
    loop {
        let listener: TcpListener = port.open().await;
        let router = Router::new().fallback(on_open).with_state(channel.clone());
        let admits = |it| is_admitted(it, &office);
        tokio::select! {
            () = serve_admitted(listener, router, admits) => {}
            () = port.moved() => {}
        }
    }
}

#[derive(Clone)]
struct Channel {
    office: Office,
    places: Arc<Semaphore>,
}

fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(LISTENERS_MAX))
}

fn is_admitted(address: IpAddr, office: &Office) -> bool {
    is_among(address, &settings(office).event_channel_clients)
}

/// Whatever the path.
async fn on_open(
    State(Channel { office, places }): State<Channel>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !is_welcome(&headers, &settings(&office).event_channel_origins) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let kinds = Kinds::parse("call.*,registration.*").unwrap_or(Kinds::ALL);
    let place = places.try_acquire_owned().ok();
    let Some((place, reader)) = place.zip(office.running.events().read(None, kinds)) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let upgrade = upgrade.max_message_size(MESSAGE_MAX).max_frame_size(MESSAGE_MAX);
    let listener = Listener { office, address: peer.address.ip(), reader, _place: place };
    upgrade.on_upgrade(move |socket| converse(socket, listener))
}

/// A browser lets any page open a WebSocket anywhere, from an address that may listen too, and says which
/// page it is (RFC 6455 §10.2). Programs say nothing.
fn is_welcome(headers: &HeaderMap, listed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    listed.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
}

struct Listener {
    office: Office,
    address: IpAddr,
    reader: Reader,
    _place: OwnedSemaphorePermit,
}

/// Until it is gone, may listen no more, or has missed something: the channel has no word for that, and a
/// program that is told nothing goes on with what is wrong.
async fn converse(mut socket: WebSocket, mut listener: Listener) {
    let mut silent = 0;
    while is_admitted(listener.address, &listener.office) {
        let batch = listener.reader.take();
        if batch.lost.is_some() || batch.events.iter().any(|it| matches!(it.fact, Fact::Lost)) {
            let reason = "events were missed".into();
            let frame = CloseFrame { code: close_code::AGAIN, reason };
            send(&mut socket, Message::Close(Some(frame))).await;
            return;
        }
        for text in texts(&batch.events, &*listener.office.running) {
            if !send(&mut socket, Message::Text(text.into())).await {
                return;
            }
        }
        if !batch.is_empty() {
            continue;
        }
        tokio::select! {
            () = listener.reader.wait() => {}
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

/// What a batch of events is told as.
fn texts(events: &[Arc<Happened>], running: &dyn Running) -> Vec<String> {
    let calls = if events.is_empty() { vec![] } else { running.calls() };
    let present = Present { running, calls };
    events.iter().flat_map(|it| told(it, &present)).collect()
}

/// What the channel says.
#[derive(Debug, Serialize)]
#[serde(tag = "command", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Told<'a> {
    /// `online`, `offline`, `ringing` or `talking`.
    UserStatus { user_name: &'a str, status: &'static str },
    /// `started`, `ringing`, `answered` or `released`.
    SipStatus {
        call_id: String,
        caller: &'a str,
        called: &'a str,
        status: &'static str,
        time: String,
        /// The Q.850 cause and the release code, at the end.
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        call_tag: Option<&'static str>,
    },
}

/// The messages that an event makes.
fn told(event: &Happened, present: &Present<'_>) -> Vec<String> {
    let time = rfc3339(event.at);
    let told = match &event.fact {
        // A phone can come and go while another one of the same extension talks.
        Fact::Registered(binding) => {
            vec![user(&binding.key.extension, present.status(&binding.key.extension))]
        }
        Fact::Unregistered { key, .. } => {
            vec![user(&key.extension, present.status(&key.extension))]
        }
        Fact::Call { kind, record, .. } => of_call(*kind, record, time, present),
        Fact::Line(_)
        | Fact::LineGone { .. }
        | Fact::Trunk(_)
        | Fact::TrunkGone { .. }
        | Fact::Refreshed { .. }
        | Fact::Refused { .. }
        | Fact::Changed(_)
        | Fact::Lost => vec![],
    };
    told.iter().filter_map(|it| serde_json::to_string(it).ok()).collect()
}

fn user<'a>(user_name: &'a str, status: &'static str) -> Told<'a> {
    Told::UserStatus { user_name, status }
}

/// How things are when events are told: the calls once for all of a batch.
struct Present<'a> {
    running: &'a dyn Running,
    calls: Vec<Call>,
}

impl Present<'_> {
    /// What an extension does now.
    fn status(&self, number: &str) -> &'static str {
        let up = || self.calls.iter().filter(|it| it.ended_at.is_none());
        let talks =
            |it: &Call| it.answered_at.is_some() && (it.caller == number || it.callee == number);
        if up().any(talks) {
            "talking"
        } else if up().any(|it| it.state == "ringing" && it.callee == number) {
            "ringing"
        } else if self.running.is_registered(number) {
            "online"
        } else {
            "offline"
        }
    }
}

fn of_call<'a>(
    kind: Kind,
    record: &'a CallRecord,
    time: String,
    present: &Present<'_>,
) -> Vec<Told<'a>> {
    let (caller, callee) = (record.caller_extension.as_deref(), record.callee_extension.as_deref());
    let call = |status, time, code: Option<&'static str>| Told::SipStatus {
        call_id: record.call_id.to_string(),
        caller: &record.caller_number,
        called: &record.dialled_number,
        status,
        time,
        cause: code.map(|_| record.q850_cause),
        call_tag: code,
    };
    let users = |status: &'static str, who: [Option<&'a str>; 2]| {
        who.into_iter().flatten().map(move |it| user(it, status))
    };
    match kind {
        Kind::CallCreated => vec![call("started", time, None)],
        Kind::CallRinging => std::iter::once(call("ringing", time, None))
            .chain(users("ringing", [callee, None]))
            .collect(),
        Kind::CallAnswered => std::iter::once(call("answered", time, None))
            .chain(users("talking", [caller, callee]))
            .collect(),
        Kind::CallEnded => {
            let code = record.release_code.map_or("", |it| it.as_str());
            let users = [caller, callee].into_iter().flatten();
            std::iter::once(call("released", time, Some(code)))
                .chain(users.map(|it| user(it, present.status(it))))
                .collect()
        }
        // The channel knows four states.
        Kind::CallHeld
        | Kind::CallResumed
        | Kind::CallTransferred
        | Kind::RegistrationAdded
        | Kind::RegistrationChanged
        | Kind::RegistrationRemoved
        | Kind::RegistrationRefused
        | Kind::LineStateChanged
        | Kind::TrunkStateChanged
        | Kind::ConfigChanged => vec![],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::scene::{NOW, Scene};
    use pbx::event::CallState;
    use pbx::release::ReleaseCode;
    use pbx::time::UnixMillis;

    #[test]
    fn pages_of_other_sites_hear_nothing() {
        let listed = ["http://crm.office".to_owned()];
        #[rustfmt::skip]
        let table = [
            (None,                     true),
            (Some("http://crm.office"), true),
            (Some("HTTP://CRM.office"), true),
            (Some("http://crm.office.evil.example"), false),
            (Some("null"),             false),
        ];
        for (origin, expected) in table {
            let mut headers = HeaderMap::new();
            headers.extend(origin.map(|it| (header::ORIGIN, it.parse().unwrap())));
            assert_eq!(is_welcome(&headers, &listed), expected, "{origin:?}");
        }
    }

    #[tokio::test]
    async fn an_extension_is_what_it_does_now() {
        let scene = Scene::new().await;
        let call = |answered: bool, state| {
            let record = CallRecord {
                caller_number: "100".into(),
                callee_number: "101".into(),
                answered_at: answered.then_some(NOW),
                ..CallRecord::default()
            };
            vec![Call::of(&record, state)]
        };
        #[rustfmt::skip]
        let table = [
            (vec![],                              "100", "online"),
            (call(false, CallState::Ringing),     "100", "online"),
            (call(false, CallState::Ringing),     "101", "ringing"),
            (call(true, CallState::Answered),     "101", "talking"),
            (call(true, CallState::Held),         "100", "talking"),
            (call(true, CallState::Answered),     "102", "online"),
        ];
        for (calls, number, expected) in table {
            let present = Present { running: &*scene.office.running, calls };
            assert_eq!(present.status(number), expected, "{number}");
        }
    }

    #[test]
    fn messages_are_as_the_vendor_has_them() {
        let text = |it: &Told<'_>| serde_json::to_string(it).unwrap();
        // The one example that is published.
        let example = r#"{"command":"userStatus","userName":"600","status":"online"}"#;
        assert_eq!(text(&user("600", "online")), example);
        let record = CallRecord {
            caller_number: "100".into(),
            dialled_number: "101".into(),
            q850_cause: 17,
            release_code: Some(ReleaseCode::CalleeBusy),
            ..CallRecord::default()
        };
        let call = Told::SipStatus {
            call_id: record.call_id.to_string(),
            caller: &record.caller_number,
            called: &record.dialled_number,
            status: "released",
            time: rfc3339(UnixMillis(0)),
            cause: Some(17),
            call_tag: record.release_code.map(ReleaseCode::as_str),
        };
        let json: serde_json::Value = serde_json::from_str(&text(&call)).unwrap();
        assert_eq!(json["command"], "sipStatus");
        assert_eq!(
            (&json["called"], &json["callTag"], &json["cause"]),
            (&"101".into(), &"callee.busy".into(), &17.into())
        );
    }
}
