//! Two baresip phones talk: each direction's own tone is found in the other's recording.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::baresip::{Account, Baresip};
use crate::clock;
use crate::process::Signal;
use crate::report::{Context, skip};
use crate::server::{LOCALHOST, LOCALHOST_V6, PASSWORD, Server};

pub(super) const ALICE_HZ: u32 = 440;
pub(super) const BOB_HZ: u32 = 1000;

/// Of a tone that must be heard. Unit: seconds.
pub(super) const HEARD_S: f64 = 1.5;

/// What reaches the ear between the wish to hold and its effect. Unit: seconds.
const HOLD_SLACK_S: f64 = 0.5;

/// For what is under way in jitter buffers and files.
const SETTLE: Duration = Duration::from_millis(500);

pub(super) fn call_udp(context: &Context) -> Result<()> {
    talk(context, LOCALHOST, "udp")
}

pub(super) fn call_tcp(context: &Context) -> Result<()> {
    talk(context, LOCALHOST, "tcp")
}

pub(super) fn call_ipv6(context: &Context) -> Result<()> {
    if std::net::UdpSocket::bind((LOCALHOST_V6, 0)).is_err() {
        return skip("this machine has no IPv6");
    }
    talk(context, LOCALHOST_V6, "udp")
}

/// The proof that the tones of the other cases come through the relay and can be missed: while the server is stopped,
/// so is the tone; when it goes on, so does the tone.
pub(super) fn silence_without_relay(context: &Context) -> Result<()> {
    let server = Server::start(context)?;
    server.add("100-101", &[])?;
    let (mut alice, mut bob) = phones(context, &server, LOCALHOST, "udp")?;
    alice.dial(&format!("sip:101@{}", server.udp()))?;
    bob.wait("CALL_ESTABLISHED")?;
    alice.wait_heard(BOB_HZ, HEARD_S)?;

    server.signal(Signal::Stop)?;
    clock::pause(SETTLE);
    let stopped = (alice.heard(BOB_HZ)?, bob.heard(ALICE_HZ)?);
    clock::pause(Duration::from_secs(2));
    let more = alice.heard(BOB_HZ)? + bob.heard(ALICE_HZ)? - stopped.0 - stopped.1;
    server.signal(Signal::Continue)?;
    ensure!(more <= HOLD_SLACK_S, "{more:.1} s of tone without a relay");

    alice.wait_heard(BOB_HZ, stopped.0 + HEARD_S)?;
    bob.wait_heard(ALICE_HZ, stopped.1 + HEARD_S)?;
    alice.hang_up()?;
    bob.wait("CALL_CLOSED").map(drop)
}

fn talk(context: &Context, local: IpAddr, transport: &str) -> Result<()> {
    let server = Server::start(context)?;
    server.add("100-101", &[])?;
    let (mut alice, mut bob) = phones(context, &server, local, transport)?;

    let port = if transport == "tcp" { server.ports.tcp } else { server.ports.udp };
    let at = SocketAddr::new(local, port);
    alice.dial(&format!("sip:101@{at};transport={transport}"))?;
    alice.wait("CALL_ESTABLISHED")?;
    bob.wait("CALL_ESTABLISHED")?;
    alice.wait_heard(BOB_HZ, HEARD_S)?;
    bob.wait_heard(ALICE_HZ, HEARD_S)?;
    let crossed = alice.heard(ALICE_HZ)? + bob.heard(BOB_HZ)?;
    ensure!(crossed == 0.0, "a phone heard itself for {crossed:.1} s");

    // On hold neither direction carries the tone: the holding side does not listen and the held one does not send.
    alice.hold()?;
    alice.wait("CALL_REMOTE_SDP")?;
    let held = alice.heard(BOB_HZ)?;
    clock::pause(Duration::from_secs(2));
    let more = alice.heard(BOB_HZ)? - held;
    ensure!(more <= HOLD_SLACK_S, "alice heard {more:.1} s of bob while she held him");

    alice.resume()?;
    alice.wait("CALL_REMOTE_SDP")?;
    let crossed = alice.said(BOB_HZ)? + bob.said(ALICE_HZ)?;
    ensure!(crossed == 0.0, "a phone said the other's tone for {crossed:.1} s before it should");
    alice.repeat_what_is_heard()?;
    alice.wait_said(BOB_HZ, HEARD_S)?;
    alice.play_tone()?;
    bob.repeat_what_is_heard()?;
    bob.wait_said(ALICE_HZ, HEARD_S)?;

    alice.hang_up()?;
    bob.wait("CALL_CLOSED")?;
    let records = server.wait_records(1)?;
    let record = &records[0];
    ensure!(record["relayed"] == true, "not relayed: {record}");
    for side in ["caller", "callee"] {
        let packets = &record[format!("{side}_rtp_packets_in")];
        ensure!(packets.as_u64() > Some(100), "{side}: {packets} packets relayed");
    }
    ensure!(record["release_code"] == "caller.hangup", "{record}");
    Ok(())
}

fn phones(
    context: &Context,
    server: &Server,
    local: IpAddr,
    transport: &str,
) -> Result<(Baresip, Baresip)> {
    phones_at(context, server, [local, local], transport)
}

/// Alice at the first address and Bob at the second.
pub(super) fn phones_at(
    context: &Context,
    server: &Server,
    [local, bobs]: [IpAddr; 2],
    transport: &str,
) -> Result<(Baresip, Baresip)> {
    let port = if transport == "tcp" { server.ports.tcp } else { server.ports.udp };
    let alice = Account {
        number: "100",
        password: PASSWORD,
        server: SocketAddr::new(local, port),
        transport,
        local,
        tone_hz: ALICE_HZ,
        auto_answer: false,
    };
    let server = SocketAddr::new(bobs, port);
    let of_bob = Account { number: "101", tone_hz: BOB_HZ, auto_answer: true, ..alice };
    let bob = Account { server, local: bobs, ..of_bob };
    let alice = Baresip::start(&context.subfolder("alice")?, alice)?;
    let bob = Baresip::start(&context.subfolder("bob")?, bob)?;
    Ok((alice, bob))
}
