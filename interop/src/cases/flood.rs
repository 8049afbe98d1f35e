//! A flood of strangers' INVITEs while a quiet office calls: none of its calls fails, the memory stays flat.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::clock;
use crate::load::{Answering, Callee, Caller, User, Wires, register_all};
use crate::report::Context;
use crate::server::{ATTACKER, LOCALHOST, PASSWORD, Server};

const RATE: u32 = 30_000;
const SECONDS: u32 = 10;
const CALLS_PER_SECOND: u32 = 20;

/// The memory may grow by this much during the flood. Unit: KiB.
const GROWTH_MAX_KIB: u64 = 16 << 10;

pub(super) fn flood(context: &Context) -> Result<()> {
    let server = Server::start(context)?;
    server.add("1000-1079", &[])?;
    let users = User::range(1000, 80, PASSWORD);
    let (callers, callees) = users.split_at(40);
    let (mut caller_wires, mut callee_wires) = (Wires::udp(LOCALHOST)?, Wires::udp(LOCALHOST)?);
    for (wires, users) in [(&mut caller_wires, callers), (&mut callee_wires, callees)] {
        let outcome = register_all(wires, server.udp(), users, 50)?;
        ensure!(outcome.failed == 0, "registrations: {outcome}");
    }
    let answering = Callee::start(callee_wires, server.udp(), Answering::default())?;
    let before = server.resident_kib()?;

    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, target) = (Arc::clone(&stop), server.udp());
    let attack = std::thread::Builder::new()
        .name("flood".to_owned())
        .spawn(move || send_flood(target, &stopped))?;
    let mut caller = Caller::new(caller_wires, server.udp(), callers.to_vec());
    let result =
        caller.run(callees, CALLS_PER_SECOND * SECONDS, CALLS_PER_SECOND, Duration::from_secs(1));
    stop.store(true, Ordering::Relaxed);
    let sent = attack.join().map_err(|_| anyhow::anyhow!("the flood panicked"))??;
    result?;
    let after = server.resident_kib()?;
    let (figures, _) = answering.stop()?;

    let outcome = &caller.outcome;
    context.note(&format!("{} INVITEs/s of a stranger for {:.1} s", sent.0, sent.1.as_secs_f64()));
    context.note(&format!("calls: {outcome}; callees saw {} INVITEs", figures.invites));
    context.note(&format!("memory: {before} KiB before, {after} KiB after"));
    ensure!(outcome.failed == 0, "{} calls failed: {:?}", outcome.failed, outcome.failures);
    ensure!(after <= before + GROWTH_MAX_KIB, "memory grew from {before} to {after} KiB");
    let made = usize::try_from(CALLS_PER_SECOND * SECONDS)?;
    // A stranger's INVITE is no attempt: the records are those of the office.
    server.wait_records(made).map(drop)
}

/// Sends until stopped, at [`RATE`] where the machine allows it; the rate reached, and for how long.
fn send_flood(server: SocketAddr, stopped: &AtomicBool) -> Result<(u64, Duration)> {
    const BURST: u64 = 30;
    let socket = UdpSocket::bind((ATTACKER, 0))?;
    let local = socket.local_addr()?;
    let started = clock::now();
    let mut sent = 0_u64;
    while !stopped.load(Ordering::Relaxed) {
        for number in sent..sent + BURST {
            let text = format!(
                "INVITE sip:1040@{server} SIP/2.0\r\n\
                 Via: SIP/2.0/UDP {local};branch=z9hG4bKf{number};rport\r\nMax-Forwards: 70\r\n\
                 From: <sip:1000@{server}>;tag=f{number}\r\nTo: <sip:1040@{server}>\r\n\
                 Call-ID: f{number}@flood\r\nCSeq: 1 INVITE\r\nContact: <sip:1000@{local}>\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            // A full queue drops, as a network would.
            let _ = socket.send_to(text.as_bytes(), server);
        }
        sent += BURST;
        let due = started + Duration::from_secs(1) * u32::try_from(sent)? / RATE;
        let early = due.saturating_duration_since(clock::now());
        if early > Duration::from_millis(1) {
            clock::pause(early);
        }
    }
    let took = started.elapsed();
    Ok((sent * 1000 / u64::try_from(took.as_millis().max(1))?, took))
}
