//! The session descriptions phones write and read: one audio line, codecs by name (RFC 8866).

use sdp::{Direction, Sdp};
use std::fmt::Write as _;
use std::net::SocketAddr;

/// What a phone offers when a test does not say.
pub const USUAL_CODECS: &[&str] = &["pcma", "pcmu", "telephone-event"];

/// Payload type and encoding of the codecs a test can name (RFC 3551, RFC 7587, RFC 4733).
const CODECS: &[(&str, u8, &str)] = &[
    ("pcmu", 0, "PCMU/8000"),
    ("pcma", 8, "PCMA/8000"),
    ("g722", 9, "G722/8000"),
    ("g729", 18, "G729/8000"),
    ("telephone-event", 101, "telephone-event/8000"),
    ("opus", 111, "opus/48000/2"),
];

/// One side's description as far as tests care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Lower-case encoding names in the order of preference.
    pub codecs: Vec<String>,
    pub address: SocketAddr,
    pub direction: Direction,
}

impl Described {
    /// Reads the first `m=` line.
    pub fn read(body: &[u8]) -> Option<Self> {
        let sdp = Sdp::parse(body).ok()?;
        let media = sdp.media().first()?;
        let codecs = media.codecs().map(|it| it.name.to_ascii_lowercase()).collect();
        Some(Self { codecs, address: sdp.rtp_of(0)?, direction: sdp.direction_of(0) })
    }

    /// What the phone behind `address` answers: what it knows of the offer, and the other end of
    /// its direction (RFC 3264 §6).
    pub fn answer(&self, known: &[String], address: SocketAddr) -> Self {
        let codecs = self.codecs.iter().filter(|it| known.contains(it)).cloned().collect();
        Self { codecs, address, direction: self.direction.reversed() }
    }

    /// The text; `version` grows with each description of a session.
    pub fn write(&self, name: &str, version: u32, profile: &str) -> Vec<u8> {
        let family = if self.address.is_ipv4() { "IP4" } else { "IP6" };
        let (ip, port) = (self.address.ip(), self.address.port());
        let known = |name: &String| CODECS.iter().find(|it| it.0 == name.as_str());
        let codecs: Vec<_> = self.codecs.iter().filter_map(known).collect();
        let mut out = format!(
            "v=0\r\no={name} 1 {version} IN {family} {ip}\r\ns={name}\r\nc=IN {family} {ip}\r\n\
             t=0 0\r\nm=audio {port} {profile}"
        );
        // Writing into a String cannot fail.
        for (_, payload, _) in &codecs {
            let _ = write!(out, " {payload}");
        }
        out.push_str("\r\n");
        for (_, payload, encoding) in &codecs {
            let _ = write!(out, "a=rtpmap:{payload} {encoding}\r\n");
        }
        let _ = write!(out, "a={}\r\n", self.direction.as_str());
        out.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_an_answer_takes_its_codecs_from_the_offer() {
        let offer = Described {
            codecs: ["opus", "pcma", "telephone-event"].map(str::to_owned).into(),
            address: "10.0.0.100:40000".parse().unwrap(),
            direction: Direction::SendOnly,
        };
        let read = Described::read(&offer.write("alice", 1, "RTP/AVP")).unwrap();
        assert_eq!(read, offer);
        let known = ["pcma".to_owned(), "pcmu".to_owned()];
        let answer = read.answer(&known, "[fd00::2]:5000".parse().unwrap());
        assert_eq!(answer.codecs, ["pcma"]);
        assert_eq!(answer.direction, Direction::RecvOnly);
        assert_eq!(Described::read(&answer.write("bob", 2, "RTP/AVP")).unwrap(), answer);
    }
}
