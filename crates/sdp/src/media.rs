//! One m= section with the lines that follow it (RFC 8866 §5.14).
//!
//! Views that fall back to the session's lines (direction, address) are on [`Sdp`](crate::Sdp).

use crate::address;
use crate::attribute::{self, Attribute};
use crate::codec::{Codec, payload_type, static_codec};
use crate::line::{Line, Lines, field_range};
use std::net::IpAddr;

/// What flows in an m= section (RFC 8866 §8.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind<'a> {
    Audio,
    Video,
    /// T.38 fax, mostly.
    Image,
    Text,
    Application,
    Message,
    /// A kind we have no name for, as written.
    Other(&'a str),
}

/// Who sends in a stream, seen by the author of the description (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

/// a=rtcp (RFC 3605 §2.1): where RTCP is wanted when that is not the port after RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtcpAttribute {
    pub port: u16,
    /// Where it differs from the address of the section.
    pub address: Option<IpAddr>,
}

/// An m= section.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    /// The value of the m= line as written.
    pub(crate) m: String,
    pub(crate) port: u16,
    pub(crate) lines: Lines,
}

impl Media {
    /// The kind of media.
    pub fn kind(&self) -> Kind<'_> {
        match self.field(0) {
            "audio" => Kind::Audio,
            "video" => Kind::Video,
            "image" => Kind::Image,
            "text" => Kind::Text,
            "application" => Kind::Application,
            "message" => Kind::Message,
            other => Kind::Other(other),
        }
    }

    /// The port media is expected on; 0 rejects or removes the stream (RFC 3264 §6, §8.2).
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes the port. A number of ports (`/2`) is dropped: we relay one pair per section.
    pub fn set_port(&mut self, port: u16) {
        if let Some(range) = field_range(&self.m, 1) {
            self.m.replace_range(range, &address::Text::of(port));
            self.port = port;
        }
    }

    /// Whether nothing flows here: port 0, unless the port is that of its bundle (RFC 8843 §6).
    pub fn is_rejected(&self) -> bool {
        self.port == 0 && !self.is_bundle_only()
    }

    /// The transport protocol as written: `RTP/AVP`, `UDP/TLS/RTP/SAVPF`, `udptl` …
    pub fn proto(&self) -> &str {
        self.field(2)
    }

    /// Whether the protocol is RTP of any profile.
    pub fn is_rtp(&self) -> bool {
        is_rtp(self.proto())
    }

    /// Whether its media travels over TCP (RFC 4145: MSRP, BFCP): a relay of datagrams leaves it
    /// alone.
    pub fn is_tcp(&self) -> bool {
        self.proto().split('/').any(|it| it.eq_ignore_ascii_case("TCP"))
    }

    /// The formats in order of preference: payload types for RTP, else names.
    pub fn formats(&self) -> impl Iterator<Item = &str> {
        self.m.split_ascii_whitespace().skip(3)
    }

    /// The address of the section's own c= line. [`Sdp::address_of`](crate::Sdp::address_of) falls
    /// back to that of the session.
    pub fn own_address(&self) -> Option<IpAddr> {
        let line = self.lines.iter().find(|line| line.kind() == b'c')?;
        address::parse(line.value())
    }

    /// Sets the section's own c= line, adding one where it has none.
    pub fn set_address(&mut self, address: IpAddr) {
        let value = address::print(address);
        match self.lines.iter_mut().find(|line| line.kind() == b'c') {
            Some(line) => line.set_value(&[value.as_bytes()]),
            None => {
                // Order of RFC 8866 §9: m=, i=, c=, b=, k=, a=.
                let at = self.lines.iter().take_while(|line| line.kind() == b'i').count();
                self.lines.insert(at, Line::new(b'c', &[value.as_bytes()]));
            }
        }
    }

    /// The section's own direction. [`Sdp::direction_of`](crate::Sdp::direction_of) falls back to
    /// that of the session.
    pub fn own_direction(&self) -> Option<Direction> {
        Direction::of(&self.lines)
    }

    /// Sets the section's own direction, in the place of the one it has.
    pub fn set_direction(&mut self, direction: Direction) {
        let old = self.own_direction().unwrap_or(direction);
        let at = self.lines.iter().position(|line| line.bytes() == old.line().bytes());
        match at.and_then(|at| self.lines.get_mut(at)) {
            Some(line) => *line = direction.line(),
            None => self.lines.push(direction.line()),
        }
    }

    /// All attributes in their order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        attribute::iter(&self.lines)
    }

    /// The first attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<Attribute<'_>> {
        attribute::find(&self.lines, name)
    }

    /// Replaces the first attribute of this name, else appends it.
    pub fn set_attribute(&mut self, name: &str, value: Option<&str>) {
        attribute::set(&mut self.lines, name, value);
    }

    /// Removes all attributes of this name.
    pub fn remove_attribute(&mut self, name: &str) {
        attribute::remove(&mut self.lines, name);
    }

    /// a=rtcp, where it is present and well-formed.
    pub fn rtcp_attribute(&self) -> Option<RtcpAttribute> {
        let value = self.attribute("rtcp")?.text()?;
        let (port, fields) = value.split_once(' ').unwrap_or((value, ""));
        let port = port.parse().ok().filter(|port| *port != 0)?;
        Some(RtcpAttribute { port, address: address::parse(fields.as_bytes()) })
    }

    /// Whether RTP and RTCP share, or may share, one port (RFC 5761 §5.1.1).
    pub fn rtcp_mux(&self) -> bool {
        self.attribute("rtcp-mux").is_some() || self.attribute("rtcp-mux-only").is_some()
    }

    /// The port RTCP is expected on when it is not multiplexed: a=rtcp, else the one after RTP
    /// (RFC 3550 §11). `None` where there is no such port.
    pub fn rtcp_port(&self) -> Option<u16> {
        match self.rtcp_attribute() {
            Some(rtcp) => Some(rtcp.port),
            None if self.port == 0 => None,
            None => self.port.checked_add(1),
        }
    }

    /// What a payload type means here: its a=rtpmap, else the static assignment.
    pub fn codec(&self, payload: u8) -> Option<Codec<'_>> {
        attribute::named(&self.lines, "rtpmap")
            .filter_map(|it| Codec::parse_rtpmap(it.text()?))
            .find(|codec| codec.payload == payload)
            .or_else(|| static_codec(payload))
    }

    /// The formats of an RTP section that we can name, in order of preference.
    pub fn codecs(&self) -> impl Iterator<Item = Codec<'_>> {
        let rtp = self.is_rtp();
        self.formats().filter(move |_| rtp).filter_map(|it| self.codec(payload_type(it)?))
    }

    /// The preferred format apart from telephone events, comfort noise and redundancy; in an answer
    /// the one that will be spoken. The name for call records.
    pub fn main_codec(&self) -> Option<Codec<'_>> {
        self.codecs().find(|codec| !codec.is_auxiliary())
    }

    /// a=fmtp of a format, as octets (RFC 8866 §6.15).
    pub fn fmtp(&self, format: &str) -> Option<&[u8]> {
        attribute::named(&self.lines, "fmtp").find_map(|attribute| {
            let rest = attribute.value?.strip_prefix(format.as_bytes())?;
            rest.strip_prefix(b" ")
        })
    }

    /// Packet time in milliseconds (RFC 8866 §6.4), where it is a sane number.
    pub fn ptime(&self) -> Option<u16> {
        let ptime = self.attribute("ptime")?.text()?.parse().ok()?;
        (1..=MAX_PTIME).contains(&ptime).then_some(ptime)
    }

    /// The name of the section in groups (RFC 5888 §4).
    pub fn mid(&self) -> Option<&str> {
        self.attribute("mid")?.text()
    }

    /// Whether the section uses ICE (RFC 8839 §5.4).
    pub fn has_ice(&self) -> bool {
        self.attribute("ice-ufrag").is_some()
    }

    pub(crate) fn is_bundle_only(&self) -> bool {
        self.attribute("bundle-only").is_some()
    }

    fn field(&self, index: usize) -> &str {
        self.m.split_ascii_whitespace().nth(index).unwrap_or_default()
    }
}

/// Longest packet time believed, in milliseconds; a longer one counts as absent.
const MAX_PTIME: u16 = 1000;

impl Direction {
    /// The direction seen from the other side (RFC 3264 §6.1).
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::SendRecv => Self::SendRecv,
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            Self::Inactive => Self::Inactive,
        }
    }

    /// The attribute name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Whether the author of the description sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the author of the description wants to receive.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    pub(crate) fn of(lines: &[Line]) -> Option<Self> {
        attribute::iter(lines).find_map(|attribute| match attribute.name {
            b"sendrecv" => Some(Self::SendRecv),
            b"sendonly" => Some(Self::SendOnly),
            b"recvonly" => Some(Self::RecvOnly),
            b"inactive" => Some(Self::Inactive),
            _ => None,
        })
    }

    pub(crate) fn line(self) -> Line {
        Line::new(b'a', &[self.as_str().as_bytes()])
    }
}

/// Whether a transport protocol is RTP of any profile: `RTP/AVP`, `TCP/TLS/RTP/SAVPF` …
pub(crate) fn is_rtp(proto: &str) -> bool {
    proto.split('/').any(|part| part == "RTP")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Sdp;

    fn media(lines: &str) -> Media {
        let sdp = Sdp::parse(format!("v=0\n{lines}\n").as_bytes()).unwrap();
        sdp.media()[0].clone()
    }

    #[test]
    fn ptime_table() {
        let table = [
            ("20", Some(20)),
            ("1", Some(1)),
            ("200", Some(200)),
            ("0", None),
            ("1001", None),
            ("-20", None),
            ("x", None),
        ];
        for (value, expected) in table {
            let media = media(&format!("m=audio 5004 RTP/AVP 0\na=ptime:{value}"));
            assert_eq!(media.ptime(), expected, "{value}");
        }
    }

    #[test]
    fn rtcp_table() {
        #[rustfmt::skip]
        let table = [
            ("m=audio 5004 RTP/AVP 0",                                   Some(5005), None),
            ("m=audio 5004 RTP/AVP 0\na=rtcp:53020",                     Some(53020), None),
            ("m=audio 5004 RTP/AVP 0\na=rtcp:53020 IN IP4 192.0.2.9",    Some(53020), Some("192.0.2.9")),
            ("m=audio 5004 RTP/AVP 0\na=rtcp:99999",                     Some(5005), None),
            ("m=audio 5004 RTP/AVP 0\na=rtcp:0",                         Some(5005), None),
            ("m=audio 65535 RTP/AVP 0",                                  None, None),
            ("m=audio 0 RTP/AVP 0",                                      None, None),
        ];
        for (lines, port, address) in table {
            let media = media(lines);
            assert_eq!(media.rtcp_port(), port, "{lines}");
            let got = media.rtcp_attribute().and_then(|rtcp| rtcp.address);
            assert_eq!(got.map(|it| it.to_string()).as_deref(), address, "{lines}");
        }
    }

    #[test]
    fn codecs_come_from_rtpmap_then_from_the_static_table() {
        let media = media(
            "m=audio 5004 RTP/AVP 101 8 96 0 97 9\na=rtpmap:101 telephone-event/8000\n\
             a=rtpmap:96 opus/48000/2\na=rtpmap:0 weird/16000\na=fmtp:101 0-15\na=fmtp:96 useinbandfec=1",
        );
        let names: Vec<_> = media.codecs().map(|codec| codec.name).collect();
        assert_eq!(names, ["telephone-event", "PCMA", "opus", "weird", "G722"]);
        assert_eq!(media.main_codec().unwrap().name, "PCMA");
        assert_eq!(media.fmtp("96"), Some(b"useinbandfec=1".as_slice()));
        assert_eq!(media.fmtp("10"), None, "a prefix of 101 is another format");
        assert_eq!(media.kind(), Kind::Audio);
    }

    #[test]
    fn edits_touch_their_line_only() {
        let mut media =
            media("m=video  5004/2  RTP/AVP 31 \ni=cam\nb=AS:64\na=sendonly\na=x:1\na=x:2");
        media.set_port(6000);
        media.set_address("2001:db8::7".parse().unwrap());
        media.set_direction(Direction::Inactive);
        media.set_attribute("x", Some("3\r\nm=evil"));
        media.set_attribute("new", None);
        assert_eq!(media.m, "video  6000  RTP/AVP 31 ");
        let lines: Vec<_> = media
            .lines
            .iter()
            .map(|line| String::from_utf8_lossy(line.bytes()).into_owned())
            .collect();
        assert_eq!(
            lines,
            [
                "i=cam",
                "c=IN IP6 2001:db8::7",
                "b=AS:64",
                "a=inactive",
                "a=x:3m=evil",
                "a=x:2",
                "a=new"
            ]
        );
        media.remove_attribute("x");
        assert_eq!(media.attribute("x"), None);
    }

    #[test]
    fn rejected_means_port_zero_outside_a_bundle() {
        assert!(media("m=audio 0 RTP/AVP 0").is_rejected());
        assert!(!media("m=audio 9 RTP/AVP 0").is_rejected());
        assert!(!media("m=video 0 UDP/TLS/RTP/SAVPF 96\na=bundle-only").is_rejected());
    }
}
