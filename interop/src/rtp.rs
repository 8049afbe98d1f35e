//! RTP as a scripted phone sends and hears it: one stream of marked packets on a socket (RFC 3550 §5.1).

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::clock;

/// Payload octets of a 20 ms packet of G.711.
const PAYLOAD: usize = 160;

/// The tone of [`Media::send_tone`].
pub const TONE_HZ: u32 = 500;

/// A phone's media port.
pub struct Media {
    pub socket: UdpSocket,
    /// Every octet of the payload, so that a stream is known by what it carries.
    pub mark: u8,
    pub ssrc: u32,
    sequence: u16,
}

impl Media {
    pub fn new(local: IpAddr, mark: u8) -> Result<Self> {
        let socket = UdpSocket::bind((local, 0))?;
        Ok(Self { socket, mark, ssrc: 0x1000_0000 | u32::from(mark), sequence: 1 })
    }

    /// A description with PCMA at this port.
    pub fn sdp(&self) -> Result<String> {
        self.sdp_with("sendrecv")
    }

    pub fn sdp_with(&self, direction: &str) -> Result<String> {
        let local = self.socket.local_addr()?;
        Ok(description(local, direction))
    }

    pub fn send(&mut self, to: SocketAddr) -> Result<()> {
        self.send_payload(to, &[self.mark; PAYLOAD])
    }

    /// A packet with 20 ms of a tone, loud enough to be found in a recording.
    pub fn send_tone(&mut self, to: SocketAddr) -> Result<()> {
        // A square wave of PCMA: eight samples up, eight down.
        let wave: [u8; PAYLOAD] = std::array::from_fn(|at| if at % 16 < 8 { 0xb5 } else { 0x35 });
        self.send_payload(to, &wave)
    }

    fn send_payload(&mut self, to: SocketAddr, payload: &[u8]) -> Result<()> {
        let mut packet = vec![0x80, 8];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend((u32::from(self.sequence) * 160).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.socket.send_to(&packet, to)?;
        Ok(())
    }

    /// The marks of what comes within the time, with the sources.
    pub fn heard(&self, limit: Duration) -> Result<Vec<(u8, SocketAddr)>> {
        let mut heard = vec![];
        let end = clock::now() + limit;
        let mut buffer = [0; 2048];
        while clock::now() < end {
            self.socket.set_read_timeout(Some(clock::until(end)))?;
            match self.socket.recv_from(&mut buffer) {
                Ok((size, from)) if size > 12 => heard.push((buffer[size - 1], from)),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(heard)
    }
}

/// An SDP with one audio stream.
pub fn description(local: SocketAddr, direction: &str) -> String {
    let family = if local.is_ipv6() { "IP6" } else { "IP4" };
    let (address, port) = (local.ip(), local.port());
    format!(
        "v=0\r\no=- 1 1 IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=x-unknown:kept\r\na={direction}\r\n"
    )
}

/// Where a description wants its audio.
pub fn audio_address(sdp: &str) -> Result<SocketAddr> {
    let line = |start: &str| sdp.lines().find_map(|it| it.strip_prefix(start));
    let address = line("c=IN ").and_then(|it| it.split(' ').nth(1)).context("no c= line")?;
    let port = line("m=audio ").and_then(|it| it.split(' ').next()).context("no audio")?;
    Ok(SocketAddr::new(address.parse()?, port.parse()?))
}
