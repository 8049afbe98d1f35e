//! The stream of events beside real calls.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::setup::{CALLEE_MARK, CALLER_MARK, office, registered};
use crate::events::Events;
use crate::report::Context;
use crate::rtp::Media;
use crate::server::LOCALHOST;

/// Every event is there this soon after what it tells.
const SOON: Duration = Duration::from_secs(1);
/// Nothing more comes.
const QUIET: Duration = Duration::from_millis(500);

/// Registration, call and end are told in their order, each within a second; the end with its verdict.
pub(super) fn events_of_a_call(context: &Context) -> Result<()> {
    let server = office(context)?;
    let events = Events::follow(&server, "types=call.*,registration.*")?;
    let mut caller = registered(&server, "100")?;
    let added = events.expect("registration.added", SOON)?;
    ensure!(added["data"]["extension"] == "100", "{added}");
    caller.register()?;
    let mut callee = registered(&server, "101")?;
    let added = events.expect("registration.added", SOON).context("a refresh is no event")?;
    ensure!(added["data"]["extension"] == "101", "{added}");

    let caller_media = Media::new(LOCALHOST, CALLER_MARK)?;
    let callee_media = Media::new(LOCALHOST, CALLEE_MARK)?;
    let sent = caller.invite("101", &caller_media.sdp()?)?;
    let invite = callee.expect_request("INVITE")?;
    let created = events.expect("call.created", SOON)?;
    let call = &created["data"];
    let (from, to) = (&call["caller"], &call["dialled"]);
    ensure!(from == "100" && to == "101" && call["direction"] == "internal", "{created}");
    callee.respond(&invite, 180, "Ringing")?;
    caller.expect(&sent, 180)?;
    let ringing = events.expect("call.ringing", SOON)?;
    ensure!(ringing["data"]["state"] == "ringing", "{ringing}");
    callee.accept(&invite, &callee_media.sdp()?)?;
    let answer = caller.expect(&sent, 200)?;
    let mut dialog = caller.ack(&sent, &answer)?;
    callee.expect_request("ACK")?;
    let answered = events.expect("call.answered", SOON)?;
    ensure!(answered["data"]["answered_at"].is_string(), "{answered}");
    caller.bye(&mut dialog)?;
    let bye = callee.expect_request("BYE")?;
    callee.respond(&bye, 200, "OK")?;
    let ended = events.expect("call.ended", SOON)?;
    let verdict = &ended["data"]["verdict"];
    ensure!(verdict["code"] == "media.none" || verdict["code"] == "caller.hangup", "{ended}");
    for event in [&ringing, &answered, &ended] {
        ensure!(event["data"]["id"] == call["id"], "another call: {event}");
    }

    let failed = caller.invite("109", &caller_media.sdp()?)?;
    let answer = caller.expect(&failed, 480)?;
    caller.ack_refusal(&failed, &answer)?;
    events.expect("call.created", SOON)?;
    let ended = events.expect("call.ended", SOON)?;
    let verdict = &ended["data"]["verdict"];
    ensure!(verdict["code"] == "callee.not_registered", "{ended}");
    ensure!(verdict["guilty"] == "callee", "{ended}");
    ensure!(verdict["sentence"]["en"] == "109 is not registered.", "{ended}");
    ensure!(verdict["sentence"]["zh"] == "分机109未注册。", "{ended}");
    ensure!(verdict["remedy"]["zh"].as_str().is_some_and(|it| it.contains("话机")), "{ended}");
    ensure!(events.rest(QUIET).is_empty(), "something came twice");

    let id = created["id"].as_str().context("no id")?;
    let again = Events::follow(&server, &format!("types=call.*&after={id}"))?.rest(QUIET);
    let names: Vec<&str> = again.iter().map(|it| it.name()).collect();
    let expected = ["call.ringing", "call.answered", "call.ended", "call.created", "call.ended"];
    ensure!(names == expected, "resumed: {names:?}");
    let by_socket = Events::follow_ws(&server, &format!("types=call.*&after={id}"))?.rest(QUIET);
    let same = by_socket.iter().map(|it| &it.envelope).eq(again.iter().map(|it| &it.envelope));
    ensure!(same, "the WebSocket tells something else: {} events", by_socket.len());
    let other = Events::follow(&server, "types=call.*&after=1-1")?;
    let gap = other.expect("lost", SOON)?;
    ensure!(gap["data"]["missed"].is_null(), "{gap}");
    Ok(())
}
