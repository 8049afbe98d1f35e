//! A carrier that is a real program: Kamailio as registrar and proxy, with digest for REGISTER and INVITE, and a
//! second dialtone.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::joined::{self, address, recorded};
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

    stays_registered(&mut server)?;
    // A carrier that saw an older CSeq would have refused it, and one that saw another Contact would call twice.
    let mut outside = Phone::udp(LOCALHOST, at, OUTSIDE, PASSWORD)?;
    outside.register()?;
    calls_both_ways(&server, outside)?;
    Ok(())
}

/// The same at another dialtone, where the line is an extension like any other.
pub(super) fn line_at_dialtone(context: &Context) -> Result<()> {
    let carrier = Server::start_at(&context.subfolder("carrier")?, address(31), &[])?;
    carrier.add(LINE, &[])?;
    carrier.add(OUTSIDE, &[])?;
    let mut server = joined::office(context, "office", 32, "1")?;
    let at = carrier.udp().to_string();
    #[rustfmt::skip]
    server.json(&["line", "add", LINE, "--domain", &at, "--password", PASSWORD, "--owner", "101",
        "--caller-number", "account"])?;
    wait_registered(&server)?;
    shows_itself(&server, &at)?;
    let seen = bindings(&carrier)?;
    ensure!(seen.len() == 1 && seen[0].contains(&server.udp().to_string()), "{seen:?}");

    calls_both_ways(&server, registered(&carrier, OUTSIDE)?)?;
    both_recorded(&server, &carrier)?;
    stays_registered(&mut server)?;
    ensure!(bindings(&carrier)? == seen, "the carrier holds another binding than {seen:?}");
    calls_both_ways(&server, registered(&carrier, OUTSIDE)?)?;

    let found = server.json(&["line", "doctor", LINE])?;
    ensure!(found["colour"] == "green", "{found:#}");
    Ok(())
}

/// `line show`: registered, where, and what was said last, in both languages.
fn shows_itself(server: &Server, at: &str) -> Result<()> {
    let shown = server.json(&["line", "show", LINE])?;
    let state = &shown["state"];
    ensure!(state["target"] == at && state["trouble"].is_null(), "{state:#}");
    ensure!(!state["since"].is_null() && !state["until"].is_null(), "{state:#}");
    let said = |name: &str| state[name]["what"]["en"].as_str().unwrap_or_default().to_owned();
    let request = format!("REGISTER sip:{at} to {at} (UDP), CSeq 2");
    ensure!(said("last_request") == request, "{state:#}");
    ensure!(said("last_answer").starts_with("200 OK"), "{state:#}");
    for (language, standing) in [("en", "registered"), ("zh", "已注册")] {
        let printed = server.cli(&["line", "show", LINE, "--lang", language])?;
        ensure!(printed.stdout.contains(standing) && printed.stdout.contains(at), "{printed:?}");
    }
    Ok(())
}

/// The Contacts that the carrier holds for the line.
fn bindings(carrier: &Server) -> Result<Vec<String>> {
    let all = carrier.json(&["registrations"])?;
    let all = all.as_array().context("no registrations")?;
    let ours = all.iter().filter(|it| it["extension"] == LINE);
    Ok(ours.filter_map(|it| it["contact"].as_str()).map(str::to_owned).collect())
}

/// What is a line on one side is an extension on the other.
fn both_recorded(server: &Server, carrier: &Server) -> Result<()> {
    let ours = server.wait_records(2)?;
    #[rustfmt::skip]
    recorded(&ours[0], &[("direction", "outgoing"), ("caller_extension", "100"), ("line", LINE), ("sent_number", OUTSIDE)])?;
    #[rustfmt::skip]
    recorded(&ours[1], &[("direction", "incoming"), ("caller_number", OUTSIDE), ("line", LINE), ("callee_extension", "101")])?;
    let theirs = carrier.wait_records(2)?;
    for (record, from, to) in [(&theirs[0], LINE, OUTSIDE), (&theirs[1], OUTSIDE, LINE)] {
        #[rustfmt::skip]
        recorded(record, &[
            ("direction", "internal"), ("caller_extension", from), ("callee_extension", to), ("release_code", "caller.hangup"),
        ])?;
    }
    Ok(())
}

/// A process that ends, one way or the other, goes on with the registration it had.
fn stays_registered(server: &mut Server) -> Result<()> {
    for round in ["kill -9", "SIGTERM"] {
        let before = registration(server)?;
        if round == "SIGTERM" {
            server.terminate()?;
        } else {
            server.kill()?;
        }
        server.run()?;
        wait_registered(server)?;
        let after = clock::wait_for("a newer CSeq", REGISTER_LIMIT, || {
            let now = registration(server)?;
            Ok((now.cseq > before.cseq).then_some(now))
        })
        .with_context(|| format!("after {round}: {before:?}"))?;
        ensure!(after.call_id == before.call_id, "after {round}: {before:?}, {after:?}");
        ensure!(after.contact == before.contact, "after {round}: {before:?}, {after:?}");
    }
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
