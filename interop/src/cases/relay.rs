//! Whether the audio of real phones goes through the server: never, when it need not, and when it must.

use std::net::IpAddr;

use anyhow::{Result, ensure};

use super::phones::{ALICE_HZ, BOB_HZ, HEARD_S, phones_at};
use crate::report::{Context, skip};
use crate::server::{LOCALHOST, LOCALHOST_V6, Server};

/// The phones send to each other.
pub(super) fn relay_never(context: &Context) -> Result<()> {
    talk(context, "never", [LOCALHOST, LOCALHOST], false)
}

/// Two phones of one network need no relay.
pub(super) fn relay_auto_direct(context: &Context) -> Result<()> {
    talk(context, "auto", [LOCALHOST, LOCALHOST], false)
}

/// A phone that speaks IPv4 and one that speaks IPv6 reach each other through the server alone.
pub(super) fn relay_auto_needed(context: &Context) -> Result<()> {
    if std::net::UdpSocket::bind((LOCALHOST_V6, 0)).is_err() {
        return skip("this machine has no IPv6");
    }
    talk(context, "auto", [LOCALHOST, LOCALHOST_V6], true)
}

/// Both hear each other; record and metrics say whether the server carried it.
fn talk(context: &Context, relay: &str, at: [IpAddr; 2], relayed: bool) -> Result<()> {
    let server = Server::start(context)?;
    server.add("100-101", &["--relay", relay])?;
    let (mut alice, mut bob) = phones_at(context, &server, at, "udp")?;
    alice.dial(&format!("sip:101@{}", std::net::SocketAddr::new(at[0], server.ports.udp)))?;
    alice.wait("CALL_ESTABLISHED")?;
    bob.wait("CALL_ESTABLISHED")?;
    alice.wait_heard(BOB_HZ, HEARD_S)?;
    bob.wait_heard(ALICE_HZ, HEARD_S)?;
    let crossed = alice.heard(ALICE_HZ)? + bob.heard(BOB_HZ)?;
    ensure!(crossed == 0.0, "a phone heard itself for {crossed:.1} s");
    alice.hang_up()?;
    bob.wait("CALL_CLOSED")?;

    let records = server.wait_records(1)?;
    ensure!(records[0]["relayed"] == relayed, "relayed must be {relayed}: {}", records[0]);
    let packets = server.metric("dialtone_rtp_packets_total", "direction=\"out\"")?;
    context.note(&format!("{packets} packets through the server"));
    if relayed {
        ensure!(packets > 100.0, "{packets} packets relayed");
    } else {
        ensure!(packets == 0.0, "{packets} packets relayed");
    }
    Ok(())
}
