//! A carrier that is a real program: Kamailio as registrar and proxy, with digest for REGISTER and INVITE.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::setup::{CALLEE_MARK, CALLER_MARK, Up, office, registered};
use crate::clock;
use crate::kamailio;
use crate::phone::Phone;
use crate::report::Context;
use crate::rtp::Media;
use crate::server::{LOCALHOST, PASSWORD, Server};

/// Our number there.
const LINE: &str = "5678";

/// Somebody else's.
const OUTSIDE: &str = "0138";

/// A restarted process registers as soon as it runs; a slow machine takes a while.
const REGISTER_LIMIT: Duration = Duration::from_secs(20);

/// A line is added by the command line, registers, takes calls both ways, and is the same line after a restart.
pub(super) fn line_at_kamailio(context: &Context) -> Result<()> {
    let (_carrier, at) = kamailio::start(&context.folder, 1)?;
    let mut server = office(context)?;
    let mut outside = Phone::udp(LOCALHOST, at, OUTSIDE, PASSWORD)?;
    clock::wait_for("Kamailio", REGISTER_LIMIT, || Ok(outside.register().is_ok().then_some(())))?;
    let domain = at.to_string();
    #[rustfmt::skip]
    let added = server.json(&["line", "add", LINE, "--domain", &domain, "--password", PASSWORD, "--owner", "101",
        "--caller-number", "account"])?;
    ensure!(!added.to_string().contains(PASSWORD), "a password in {added}");
    wait_registered(&server)?;

    let (out, coming) = calls_both_ways(&server, outside)?;
    let records = server.wait_records(2)?;
    ensure!(records[0]["line"] == LINE && records[1]["line"] == LINE, "{records:?}");
    ensure!(records[0]["direction"] == "outgoing" && records[1]["direction"] == "incoming");
    context.note(&format!("out as {out}, in from {coming}"));

    for round in ["kill -9", "SIGTERM"] {
        let before = registration(&server)?;
        if round == "SIGTERM" {
            server.terminate()?;
        } else {
            server.kill()?;
        }
        server.run()?;
        wait_registered(&server)?;
        let after = clock::wait_for("a newer CSeq", REGISTER_LIMIT, || {
            let now = registration(&server)?;
            Ok((now.cseq > before.cseq).then_some(now))
        })
        .with_context(|| format!("after {round}: {before:?}"))?;
        ensure!(after.call_id == before.call_id, "after {round}: {before:?}, {after:?}");
        ensure!(after.contact == before.contact, "after {round}: {before:?}, {after:?}");
    }
    // A carrier that saw an older CSeq would have refused it, and one that saw another Contact would call twice.
    let mut outside = Phone::udp(LOCALHOST, at, OUTSIDE, PASSWORD)?;
    outside.register()?;
    calls_both_ways(&server, outside)?;
    Ok(())
}

/// A call out and a call in; the caller numbers that were shown.
fn calls_both_ways(server: &Server, mut outside: Phone) -> Result<(String, String)> {
    let mut caller = registered(server, "100")?;
    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = caller.invite(&format!("9{OUTSIDE}"), &media.sdp()?)?;
    let invite = outside.expect_request("INVITE")?;
    let shown = invite.text("From");
    ensure!(shown.contains(&format!("sip:{LINE}@")), "called from {shown}");
    let theirs = Media::new(LOCALHOST, CALLEE_MARK)?;
    let callee_dialog = outside.accept(&invite, &theirs.sdp()?)?;
    let answer = caller.expect(&sent, 200)?;
    let caller_dialog = caller.ack(&sent, &answer)?;
    outside.expect_request("ACK").context("the answer of the other side")?;
    let state = &server.json(&["line", "show", LINE])?["state"];
    ensure!(state["calls_out"] == 1 && state["calls_in"] == 0, "{state}");
    let mut up = Up {
        caller,
        callee: outside,
        caller_dialog,
        callee_dialog,
        caller_media: media,
        callee_media: theirs,
        invite,
        answer,
    };
    up.end()?;
    let Up { callee: mut outside, invite, .. } = up;
    let out = invite.text("From").to_owned();

    let mut callee = registered(server, "101")?;
    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = outside.invite(LINE, &media.sdp()?)?;
    let invite = callee.expect_request("INVITE").context("a call from the carrier")?;
    let theirs = Media::new(LOCALHOST, CALLEE_MARK)?;
    let callee_dialog = callee.accept(&invite, &theirs.sdp()?)?;
    let answer = outside.expect(&sent, 200)?;
    let mut caller_dialog = outside.ack(&sent, &answer)?;
    callee.expect_request("ACK").context("the answer of 101")?;
    outside.bye(&mut caller_dialog)?;
    let bye = callee.expect_request("BYE")?;
    ensure!(bye.text("Call-ID") == callee_dialog.call_id, "a BYE of another call");
    callee.respond(&bye, 200, "OK")?;
    Ok((out, invite.text("From").to_owned()))
}

fn wait_registered(server: &Server) -> Result<()> {
    let mut state = Value::Null;
    let found = clock::wait_for("the registration of the line", REGISTER_LIMIT, || {
        state = server.json(&["line", "list"])?[0]["state"].clone();
        Ok((state["standing"] == "registered").then_some(()))
    });
    found.with_context(|| format!("the line: {state}"))
}

/// How the carrier knows us.
#[derive(Debug)]
struct Registration {
    call_id: String,
    cseq: i64,
    contact: String,
}

/// As the journal has brought it into the database.
fn registration(server: &Server) -> Result<Registration> {
    let connection = rusqlite::Connection::open(server.data.join("dialtone.db"))?;
    connection.busy_timeout(REGISTER_LIMIT)?;
    let sql = "SELECT call_id, cseq, contact FROM line_registrations";
    clock::wait_for("the registration in the database", REGISTER_LIMIT, || {
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Registration { call_id: row.get(0)?, cseq: row.get(1)?, contact: row.get(2)? })
        };
        Ok(connection.query_row(sql, [], read).ok())
    })
}
