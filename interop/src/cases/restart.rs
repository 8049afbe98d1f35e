//! What survives the process: bindings, records, and the end of calls whose server is gone.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::setup::{CALLER_MARK, call, office, registered};
use crate::clock;
use crate::message::Message;
use crate::phone::{Phone, SOON};
use crate::report::Context;
use crate::rtp::Media;
use crate::server::{LOCALHOST, PASSWORD, Server};
use crate::wire::{Got, Wire};

/// From a lost connection to the refusal: at once, with room for a slow machine.
const AT_ONCE: Duration = Duration::from_secs(3);

/// SIGTERM to the end of the process.
const STOP_LIMIT: Duration = Duration::from_secs(7);

/// A phone that got its 200 is found after a crash and after a proper stop.
pub(super) fn registrations_survive(context: &Context) -> Result<()> {
    let mut server = office(context)?;
    let mut callee = registered(&server, "101")?;
    let mut caller = server.phone("100")?;
    for round in ["kill -9", "SIGTERM"] {
        if round == "SIGTERM" {
            server.terminate()?;
        } else {
            server.kill()?;
        }
        server.run()?;
        let media = Media::new(LOCALHOST, CALLER_MARK)?;
        let sent = caller.invite("101", &media.sdp()?)?;
        let invite = callee.expect_request("INVITE").with_context(|| format!("after {round}"))?;
        callee.respond(&invite, 486, "Busy Here")?;
        let answer = caller.expect(&sent, 486)?;
        caller.ack_refusal(&sent, &answer)?;
        caller.challenge = None;
    }
    Ok(())
}

/// After kill -9 a call has its record with the code of a crash, and both phones are told that it is over.
pub(super) fn crash_ends_calls(context: &Context) -> Result<()> {
    let mut server = office(context)?;
    let mut up = call(&server)?;
    server.kill()?;
    server.run()?;
    for phone in [&mut up.caller, &mut up.callee] {
        let bye = phone.expect_request("BYE").with_context(|| phone.number.clone())?;
        phone.respond(&bye, 200, "OK")?;
    }
    let records = server.wait_records(1)?;
    ensure!(records[0]["release_code"] == "system.crash", "{}", records[0]);
    // A phone that hangs up itself learns at once that the dialog is gone.
    let late = up.caller.transact_within(&mut up.caller_dialog, "BYE")?;
    ensure!(matches!(late.status(), Some(200 | 481)), "a late BYE: {}", late.start);
    Ok(())
}

/// A TCP phone whose connection is lost is called by connecting to its Contact; where nobody listens: 480 at once.
pub(super) fn lost_connection(context: &Context) -> Result<()> {
    let server = office(context)?;
    let listener = TcpListener::bind((LOCALHOST, 0))?;
    let mut callee = Phone::tcp(LOCALHOST, server.tcp(), "101", PASSWORD)?;
    callee.contact_address = Some(listener.local_addr()?.to_string());
    callee.register()?;
    drop(callee);
    wait_connection_gone(&server)?;

    let mut caller = registered(&server, "100")?;
    let media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = caller.invite("101", &media.sdp()?)?;
    let (mut wire, invite) = accept_invite(&listener)?;
    wire.send(&invite.answer(486, "Busy Here", "reached").to_bytes())?;
    let answer = caller.expect(&sent, 486)?;
    caller.ack_refusal(&sent, &answer)?;
    drop((wire, listener));
    wait_connection_gone(&server)?;

    let started = clock::now();
    let sent = caller.invite("101", &media.sdp()?)?;
    let answer = caller.expect(&sent, 480)?;
    caller.ack_refusal(&sent, &answer)?;
    let took = started.elapsed();
    context.note(&format!("480 after {took:.1?}"));
    ensure!(took < AT_ONCE, "480 only after {took:?}");
    Ok(())
}

/// The server reads the end of a connection in its own time.
fn wait_connection_gone(server: &Server) -> Result<()> {
    server.is_alive()?;
    clock::pause(Duration::from_millis(300));
    Ok(())
}

fn accept_invite(listener: &TcpListener) -> Result<(Wire, Message)> {
    listener.set_nonblocking(true)?;
    let stream = clock::wait_for("a connection to the Contact", SOON, || {
        Ok(listener.accept().ok().map(|(stream, _)| stream))
    })?;
    stream.set_nonblocking(false)?;
    let mut wire = Wire::over(stream);
    match wire.receive(clock::now() + SOON)? {
        Got::Message(invite, _) if invite.method() == "INVITE" => Ok((wire, invite)),
        got @ (Got::Message(..) | Got::Silence | Got::Closed) => {
            anyhow::bail!("on the new connection: {got:?}")
        }
    }
}

/// SIGTERM ends calls properly: BYE to both sides, the record written, within five seconds.
pub(super) fn terminate(context: &Context) -> Result<()> {
    let mut server = office(context)?;
    let mut up = call(&server)?;
    let answered = std::thread::scope(|scope| {
        let phones = scope.spawn(|| -> Result<()> {
            for phone in [&mut up.caller, &mut up.callee] {
                let bye = phone.expect_request("BYE").with_context(|| phone.number.clone())?;
                phone.respond(&bye, 200, "OK")?;
            }
            Ok(())
        });
        let took = server.terminate()?;
        context.note(&format!("stopped after {took:.1?}"));
        ensure!(took < STOP_LIMIT, "stopping took {took:?}");
        phones.join().map_err(|_| anyhow::anyhow!("the phones panicked"))?
    });
    answered?;
    let records = server.records()?;
    ensure!(records.len() == 1, "{} records", records.len());
    ensure!(records[0]["release_code"] == "system.shutdown", "{}", records[0]);
    Ok(())
}
