//! The relay's latching under attack: a third socket hears nothing, says nothing and ends nothing.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Result, ensure};

use super::setup::{CALLEE_MARK, CALLER_MARK, Up, call, office};
use crate::clock;
use crate::phone::QUIET;
use crate::report::Context;
use crate::rtp::{Media, audio_address};
use crate::server::{ATTACKER, LOCALHOST, Server};

const INTRUDER_MARK: u8 = 0xEE;

/// One packet of G.711.
const PACKET: Duration = Duration::from_millis(20);

pub(super) fn relay_two_ways(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut up = call(&server)?;
    let (caller_port, callee_port) = ports(&up)?;
    let mut third = Media::new(ATTACKER, INTRUDER_MARK)?;
    let heard =
        talk(&mut up, 50, || third.send(caller_port).and_then(|()| third.send(callee_port)))?;
    heard.check_both(45)?;
    check_figures(&server, &mut up)
}

/// Before and after the first packet: who is not part of the call never gets its audio (reliability row 13).
pub(super) fn media_bleed(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut up = call(&server)?;
    let (caller_port, callee_port) = ports(&up)?;
    for local in [ATTACKER, LOCALHOST] {
        let mut third = Media::new(local, INTRUDER_MARK)?;
        // A third party on the phones' own address is as good as the phone until the phone itself has sent.
        if local == ATTACKER {
            third.send(caller_port)?;
            third.send(callee_port)?;
        }
        let heard = talk(&mut up, 50, || {
            third.send(caller_port)?;
            third.send(callee_port)
        })?;
        heard.check_both(45)?;
        let stolen = third.heard(QUIET)?;
        ensure!(stolen.is_empty(), "a stranger at {local} got {} packets", stolen.len());
    }
    up.end()
}

/// Packets of a stranger with another SSRC, or with the talker's own, are not relayed (row 14).
pub(super) fn media_injection(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut up = call(&server)?;
    let (caller_port, callee_port) = ports(&up)?;
    let callers_ssrc = up.caller_media.ssrc;
    for (local, ssrc) in [
        (ATTACKER, None),
        (ATTACKER, Some(callers_ssrc)),
        (LOCALHOST, None),
        (LOCALHOST, Some(callers_ssrc)),
    ] {
        talk(&mut up, 5, || Ok(()))?.check_both(1)?;
        let mut third = Media::new(local, INTRUDER_MARK)?;
        third.ssrc = ssrc.unwrap_or(third.ssrc);
        let heard = talk(&mut up, 50, || {
            third.send(caller_port)?;
            third.send(callee_port)
        })?;
        let strange = heard.intruder();
        ensure!(strange == 0, "{strange} packets of a stranger at {local} (SSRC {ssrc:?}) heard");
        heard.check_both(45)?;
    }
    up.end()
}

/// A forged RTCP BYE and STUN garbage at every port of the call change nothing (row 15).
pub(super) fn rtcp_bye(context: &Context) -> Result<()> {
    let server = office(context)?;
    let mut up = call(&server)?;
    talk(&mut up, 10, || Ok(()))?.check_both(5)?;
    let (caller_port, callee_port) = ports(&up)?;
    let mut forged = vec![0x81, 203, 0, 1];
    forged.extend(up.caller_media.ssrc.to_be_bytes());
    let many_sources = [&[0x9F, 203, 0, 31][..], &[0; 8]].concat();
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42][..], &[7; 12]].concat();
    let junk: [&[u8]; 6] = [&forged, &many_sources, &stun, &[0x80], &[0xFF; 40], &[]];
    for local in [ATTACKER, LOCALHOST] {
        let socket = UdpSocket::bind((local, 0))?;
        for port in [caller_port, callee_port] {
            let control = SocketAddr::new(port.ip(), port.port() + 1);
            for bytes in junk {
                socket.send_to(bytes, port)?;
                socket.send_to(bytes, control)?;
            }
        }
    }
    talk(&mut up, 50, || Ok(()))?.check_both(45)?;
    up.end()
}

/// Where the caller and the callee are to send their media.
fn ports(up: &Up) -> Result<(SocketAddr, SocketAddr)> {
    Ok((audio_address(&up.answer.body_text())?, audio_address(&up.invite.body_text())?))
}

/// The marks each side heard, and where they came from.
struct Heard {
    at_caller: Vec<(u8, SocketAddr)>,
    at_callee: Vec<(u8, SocketAddr)>,
}

impl Heard {
    fn check_both(&self, least: usize) -> Result<()> {
        let count = |all: &[(u8, SocketAddr)], mark| all.iter().filter(|it| it.0 == mark).count();
        let forth = count(&self.at_callee, CALLER_MARK);
        let back = count(&self.at_caller, CALLEE_MARK);
        ensure!(forth >= least && back >= least, "callee heard {forth}, caller heard {back}");
        Ok(())
    }

    fn intruder(&self) -> usize {
        let all = self.at_caller.iter().chain(&self.at_callee);
        all.filter(|it| it.0 == INTRUDER_MARK).count()
    }
}

/// Both sides send so many packets, with something else done in between.
fn talk(up: &mut Up, packets: u32, mut between: impl FnMut() -> Result<()>) -> Result<Heard> {
    let (caller_port, callee_port) = ports(up)?;
    for _ in 0..packets {
        up.caller_media.send(caller_port)?;
        up.callee_media.send(callee_port)?;
        between()?;
        clock::pause(PACKET);
    }
    let settle = Duration::from_millis(200);
    Ok(Heard {
        at_caller: up.caller_media.heard(settle)?,
        at_callee: up.callee_media.heard(settle)?,
    })
}

/// The record tells what was relayed, and a stranger's packets are not in it.
fn check_figures(server: &Server, up: &mut Up) -> Result<()> {
    up.end()?;
    let records = server.wait_records(1)?;
    for side in ["caller", "callee"] {
        let packets = records[0][format!("{side}_rtp_packets_in")].as_u64();
        // The first ones may cross the opening of the relay's port; those of the stranger would be 50 more.
        let fits = packets.is_some_and(|it| (48..=50).contains(&it));
        ensure!(fits, "{side} sent 50 packets, the record says {packets:?}");
    }
    let bound: IpAddr = LOCALHOST;
    ensure!(up.caller_media.socket.local_addr()?.ip() == bound, "the phone moved");
    Ok(())
}
