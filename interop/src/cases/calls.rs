//! Calls between scripted phones: forks, addresses, hold, limits, identity.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::setup::{
    CALLEE_MARK, CALLER_MARK, call, connect, office, office_with, registered, registered_at,
};
use crate::clock;
use crate::message::Message;
use crate::phone::{QUIET, host_of};
use crate::report::Context;
use crate::rtp::{Media, audio_address};
use crate::server::{LOCALHOST, SECOND, Server, free_media_range};

/// One number, two phones: both ring, the first answer wins, the other one is told why it stops ringing.
pub(super) fn two_devices(context: &Context) -> Result<()> {
    let server = office(context)?;
    server.json(&["ext", "set", "101", "--devices", "2"])?;
    let mut caller = registered(&server, "100")?;
    let mut desk = registered(&server, "101")?;
    let mut mobile = registered(&server, "101")?;
    let count = server.json(&["registrations"])?.as_array().map_or(0, Vec::len);
    ensure!(count == 3, "{count} registrations instead of 3");

    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = caller.invite("101", &media.sdp()?)?;
    let at_desk = desk.expect_request("INVITE").context("desk")?;
    let at_mobile = mobile.expect_request("INVITE").context("mobile")?;
    desk.respond(&at_desk, 180, "Ringing")?;
    mobile.respond(&at_mobile, 180, "Ringing")?;
    let mobile_media = Media::new(LOCALHOST, CALLEE_MARK)?;
    let mut dialog = mobile.accept(&at_mobile, &mobile_media.sdp()?)?;

    let cancel = desk.expect_request("CANCEL").context("desk")?;
    let reason = cancel.text("Reason").to_owned();
    ensure!(reason.contains("cause=200"), "Reason of the CANCEL: {reason:?}");
    ensure!(reason.to_lowercase().contains("completed elsewhere"), "Reason: {reason:?}");
    desk.respond(&cancel, 200, "OK")?;
    desk.respond(&at_desk, 487, "Request Terminated")?;
    desk.expect_request("ACK").context("the desk's 487")?;

    let answer = caller.expect(&sent, 200)?;
    caller.ack(&sent, &answer)?;
    mobile.expect_request("ACK").context("the mobile's 200")?;
    mobile.bye(&mut dialog)?;
    let bye = caller.expect_request("BYE")?;
    caller.respond(&bye, 200, "OK")?;
    let records = server.wait_records(1)?;
    ensure!(records[0]["release_code"] == "callee.hangup", "{}", records[0]);
    Ok(())
}

/// Asked at 127.0.0.2 the server answers from there, and its media is there too.
pub(super) fn second_address(context: &Context) -> Result<()> {
    let server = office(context)?;
    let callee = registered(&server, "101")?;
    let there = SocketAddr::new(SECOND, server.ports.udp);
    let mut caller = crate::phone::Phone::udp(SECOND, there, "100", crate::server::PASSWORD)?;
    // A connected socket takes answers from the address asked only.
    if let crate::wire::Wire::Udp { socket, .. } = &caller.wire {
        socket.connect(there)?;
    }
    caller.register().context("at 127.0.0.2")?;
    let mut up = connect(caller, callee)?;
    let contact = host_of(up.answer.text("Contact")).to_owned();
    ensure!(contact == there.to_string(), "Contact towards 127.0.0.2: {contact}");
    let media = audio_address(&up.answer.body_text())?;
    ensure!(media.ip() == SECOND, "media towards 127.0.0.2 at {media}");
    exchange(&mut up)?;
    let from = up.caller_media.heard(QUIET)?;
    ensure!(from.iter().all(|(_, from)| from.ip() == SECOND), "media came from {from:?}");
    up.end()
}

/// Sends 10 packets each way and demands that they arrive.
fn exchange(up: &mut super::setup::Up) -> Result<()> {
    let to_caller_side = audio_address(&up.answer.body_text())?;
    let to_callee_side = audio_address(&up.invite.body_text())?;
    for _ in 0..10 {
        up.caller_media.send(to_caller_side)?;
        up.callee_media.send(to_callee_side)?;
        clock::pause(Duration::from_millis(20));
    }
    let (at_caller, at_callee) = (up.caller_media.heard(QUIET)?, up.callee_media.heard(QUIET)?);
    let count =
        |heard: &[(u8, SocketAddr)], mark: u8| heard.iter().filter(|(it, _)| *it == mark).count();
    let (back, forth) = (count(&at_caller, CALLEE_MARK), count(&at_callee, CALLER_MARK));
    ensure!(back >= 8 && forth >= 8, "{forth} of 10 packets to the callee, {back} to the caller");
    Ok(())
}

/// Hold and resume change the direction end to end; what the server does not know survives.
pub(super) fn hold_and_resume(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut up = call(&server)?;
    ensure!(up.invite.body_text().contains("a=x-unknown:kept"), "an unknown attribute is gone");
    exchange(&mut up)?;
    for (asked, seen, answered) in
        [("sendonly", "a=sendonly", "recvonly"), ("sendrecv", "a=sendrecv", "sendrecv")]
    {
        let sdp = up.caller_media.sdp_with(asked)?;
        up.caller_dialog.cseq += 1;
        let cseq = up.caller_dialog.cseq;
        let request = up.caller.within(&up.caller_dialog, "INVITE", cseq)?.with_sdp(&sdp);
        up.caller.send(&request)?;
        let reinvite = up.callee.expect_request("INVITE")?;
        let body = reinvite.body_text();
        let kept = body.contains(seen) || (asked == "sendrecv" && !body.contains("only"));
        ensure!(kept, "the callee's offer: {body}");
        up.callee.accept(&reinvite, &up.callee_media.sdp_with(answered)?)?;
        let answer = up.caller.expect(&request, 200)?;
        up.caller.ack_within(&up.caller_dialog, cseq)?;
        up.callee.expect_request("ACK")?;
        let media = audio_address(&answer.body_text())?;
        ensure!(media.ip() == LOCALHOST, "the answer's media: {media}");
    }
    exchange(&mut up).context("after resume")?;
    up.end()
}

/// A second call of both is let through, the third is refused with 486; a busy callee's 486 is passed on.
pub(super) fn busy_limits(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut first = call(&server)?;
    let mut second = connect(registered(&server, "102")?, first.callee)?;
    let mut third = registered(&server, "103")?;
    let sent = third.invite("101", &second.caller_media.sdp()?)?;
    let answer = third.expect(&sent, 486)?;
    third.ack_refusal(&sent, &answer)?;

    let mut busy = registered(&server, "104")?;
    let sent = third.invite("104", &second.caller_media.sdp()?)?;
    let invite = busy.expect_request("INVITE")?;
    busy.respond(&invite, 486, "Busy Here")?;
    let answer = third.expect(&sent, 486)?;
    third.ack_refusal(&sent, &answer)?;
    second.end()?;
    first.caller.bye(&mut first.caller_dialog)?;
    second.callee.expect_request("BYE").and_then(|it| second.callee.respond(&it, 200, "OK"))?;

    let records = server.wait_records(4)?;
    let codes: Vec<&str> = records.iter().filter_map(|it| it["release_code"].as_str()).collect();
    for expected in ["callee.limit", "callee.busy"] {
        ensure!(codes.contains(&expected), "no {expected} in {codes:?}");
    }
    Ok(())
}

/// Ten media ports carry two calls. The third is refused when it is answered, and when it has gone there is room again.
pub(super) fn ports_exhausted(context: &Context) -> Result<()> {
    /// A released port rests for five seconds.
    const REST: Duration = Duration::from_secs(6);
    let ports = format!("media.ports={}", free_media_range(10)?);
    let server = office_with(context, &[&ports])?;
    let mut first = connect(registered(&server, "100")?, registered(&server, "101")?)?;
    let mut second = connect(registered(&server, "102")?, registered(&server, "103")?)?;

    let mut caller = registered(&server, "104")?;
    let mut callee = registered(&server, "105")?;
    let sdp = first.caller_media.sdp()?;
    let sent = caller.invite("105", &sdp)?;
    let invite = callee.expect_request("INVITE")?;
    callee.accept(&invite, &sdp)?;
    let answer = caller.expect(&sent, 503)?;
    caller.ack_refusal(&sent, &answer)?;
    let bye = callee.expect_request("BYE")?;
    callee.respond(&bye, 200, "OK")?;
    let records = server.wait_records(1)?;
    ensure!(records[0]["release_code"] == "media.failed", "{}", records[0]);

    first.end()?;
    second.end()?;
    clock::pause(REST);
    let used = server.metric("dialtone_media_ports_used", "")?;
    ensure!(used == 0.0, "{used} port pairs are in use");
    connect(caller, callee)?.end()
}

/// What a phone claims to be is not believed: the callee sees the authenticated extension and no trusted header.
pub(super) fn caller_identity(context: &Context) -> Result<()> {
    let server = office(context)?;
    server.json(&["ext", "set", "100", "--name", "Anna Field"])?;
    let mut caller = registered(&server, "100")?;
    let callee = registered(&server, "101")?;
    let boss = "<sip:boss@example.com>";
    for name in ["P-Asserted-Identity", "p-asserted-identity ", "Remote-Party-ID", "Diversion"] {
        caller.extra.push((name.to_owned(), boss.to_owned()));
    }
    let mut up = connect(caller, callee)?;
    let from = up.invite.text("From").to_owned();
    ensure!(from.contains("sip:100@"), "From at the callee: {from}");
    ensure!(from.contains("Anna Field"), "From at the callee: {from}");
    let text = String::from_utf8_lossy(&up.invite.to_bytes()).into_owned();
    ensure!(!text.contains("boss@"), "a claim of the phone reached the callee: {text}");
    up.end()?;
    let records = server.wait_records(1)?;
    ensure!(!records[0].to_string().contains("boss"), "a claim in the record: {}", records[0]);
    Ok(())
}

/// The caller gives up: 487 for him, CANCEL for the callee, one record.
pub(super) fn cancel(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut caller = registered(&server, "100")?;
    let mut callee = registered(&server, "101")?;
    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = caller.invite("101", &media.sdp()?)?;
    let invite = callee.expect_request("INVITE")?;
    callee.respond(&invite, 180, "Ringing")?;
    caller.expect(&sent, 180)?;
    let confirmed = caller.cancel(&sent)?;
    ensure!(confirmed.status() == Some(200), "CANCEL: {}", confirmed.start);
    let request = callee.expect_request("CANCEL")?;
    callee.respond(&request, 200, "OK")?;
    callee.respond(&invite, 487, "Request Terminated")?;
    callee.expect_request("ACK")?;
    let answer = caller.expect(&sent, 487)?;
    caller.ack_refusal(&sent, &answer)?;
    let records = server.wait_records(1)?;
    ensure!(records[0]["release_code"] == "caller.cancelled", "{}", records[0]);
    Ok(())
}

/// `*43` on a fresh office: what a phone says comes back.
pub(super) fn echo(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut caller = registered_at(&server, LOCALHOST, "100")?;
    let mut media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = caller.invite("*43", &media.sdp()?)?;
    let answer = caller.expect(&sent, 200)?;
    let mut dialog = caller.ack(&sent, &answer)?;
    let to = audio_address(&answer.body_text())?;
    let heard = echoed(&mut media, to)?;
    ensure!(heard >= 8, "{heard} of 10 packets came back");
    caller.bye(&mut dialog)?;
    check_echo_record(&server, &answer)
}

fn echoed(media: &mut Media, to: SocketAddr) -> Result<usize> {
    for _ in 0..10 {
        media.send(to)?;
        clock::pause(Duration::from_millis(20));
    }
    Ok(media.heard(QUIET)?.iter().filter(|(mark, _)| *mark == CALLER_MARK).count())
}

fn check_echo_record(server: &Server, answer: &Message) -> Result<()> {
    let records = server.wait_records(1)?;
    ensure!(records[0]["dialled_number"] == "*43", "{} after {}", records[0], answer.start);
    Ok(())
}
