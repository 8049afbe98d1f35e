//! The event channel (事件通道): a WebSocket of its own port, on which programs hear of phones and calls as
//! JSON texts with a `command`.
//!
//! `userStatus` says how an extension is, `sipStatus` how a call is. Who may listen is decided by the
//! address alone, as the vendor has it; nobody else is answered.

use super::{Changes, is_among, settings};
use crate::events::{Fact, Happened, Kind, Kinds, Reader};
use crate::moment::rfc3339;
use crate::resource::Call;
use crate::socket::serve_admitted;
use crate::{Office, Running};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use pbx::record::CallRecord;
use pbx::settings::Settings;
use serde::Serialize;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use tokio::net::TcpListener;

/// A ping goes out after this time without events.
const PING: Duration = Duration::from_secs(15);
/// Longest that a reader may take for one message; then it is gone.
const SEND: Duration = Duration::from_secs(30);
/// Longest message of a reader; none is looked at. Unit: octets.
const MESSAGE_MAX: usize = 4096;

/// Listens where the settings say.
pub(super) async fn serve(office: Office) {
    let port = |it: &Settings| it.event_channel_port;
    let mut changes = Changes::of(&office);
    loop {
        let now = port(&settings(&office));
        tokio::select! {
            () = listen(&office, now) => {}
            () = changes.away_from(&office, &now, port) => {}
        }
    }
}

/// Never ends by itself.
async fn listen(office: &Office, port: u16) {
    if port == 0 {
        return std::future::pending().await;
    }
    match bind(port).await {
        Ok(listener) => {
            let router = Router::new().fallback(on_open).with_state(office.clone());
            let admits = |it| is_among(it, &settings(office).event_channel_clients);
            serve_admitted(listener, router, admits).await;
        }
        Err(error) => {
            tracing::error!(%error, port, "no event channel: the port cannot be opened");
            std::future::pending().await
        }
    }
}

/// For both versions of IP, where there are both.
async fn bind(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    }
}

/// Whatever the path.
async fn on_open(State(office): State<Office>, upgrade: WebSocketUpgrade) -> Response {
    let kinds = Kinds::parse("call.*,registration.*").unwrap_or(Kinds::ALL);
    let Some(reader) = office.running.events().read(None, kinds) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let upgrade = upgrade.max_message_size(MESSAGE_MAX).max_frame_size(MESSAGE_MAX);
    upgrade.on_upgrade(move |socket| converse(socket, office, reader))
}

/// Who has gone without a word is noticed by the ping that cannot be sent.
async fn converse(mut socket: WebSocket, office: Office, mut reader: Reader) {
    loop {
        let batch = reader.take();
        let is_idle = batch.is_empty();
        let calls = if is_idle { vec![] } else { office.running.calls() };
        let present = Present { running: &*office.running, calls };
        let texts: Vec<String> = batch.events.iter().flat_map(|it| told(it, &present)).collect();
        for text in texts {
            if !send(&mut socket, Message::Text(text.into())).await {
                return;
            }
        }
        if !is_idle {
            continue;
        }
        tokio::select! {
            () = reader.wait() => {}
            heard = socket.recv() => match heard {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
            () = quiet() => if !send(&mut socket, Message::Ping(Bytes::new())).await {
                return;
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
        Fact::Registered(binding) => vec![user(&binding.key.extension, "online")],
        Fact::Unregistered { key, .. } => {
            vec![user(&key.extension, present.at_rest(&key.extension))]
        }
        Fact::Call { kind, record, .. } => of_call(*kind, record, time, present),
        Fact::Line(_)
        | Fact::LineGone { .. }
        | Fact::Trunk(_)
        | Fact::TrunkGone { .. }
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
    fn at_rest(&self, number: &str) -> &'static str {
        if self.running.is_registered(number) { "online" } else { "offline" }
    }

    fn talks(&self, number: &str) -> bool {
        let is_in = |it: &Call| it.caller == number || it.callee == number;
        self.calls.iter().any(|it| it.ended_at.is_none() && is_in(it))
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
            let free = [caller, callee].into_iter().flatten().filter(|it| !present.talks(it));
            std::iter::once(call("released", time, Some(code)))
                .chain(free.map(|it| user(it, present.at_rest(it))))
                .collect()
        }
        // The channel knows four states.
        Kind::CallHeld
        | Kind::CallResumed
        | Kind::CallTransferred
        | Kind::RegistrationAdded
        | Kind::RegistrationRemoved
        | Kind::LineStateChanged
        | Kind::TrunkStateChanged
        | Kind::ConfigChanged => vec![],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pbx::release::ReleaseCode;
    use pbx::time::UnixMillis;

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
