//! What a datagram on a media port is, and the RTP header where it is RTP.
//!
//! The first thing the session asks. Every length is checked against the octets that are there;
//! what lies about itself is [`Kind::Other`]. RFC 3550 §5.1 and §6.1, RFC 5761 §4, RFC 7983.

/// Octets of the fixed RTP header.
const HEADER_LEN: usize = 12;

/// Octets of the shortest RTCP packet: a header and one SSRC.
const RTCP_LEN_MIN: usize = 8;

/// What arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Rtp(Header),
    Rtcp,
    /// STUN, DTLS, UDPTL, a keep-alive or nonsense: relayed like the rest, but not counted as RTP.
    Other,
}

/// The fields of an RTP header the relay looks at (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub payload_type: u8,
    pub sequence: u16,
    /// In units of the payload type's clock.
    pub timestamp: u32,
    pub ssrc: u32,
}

/// What tells a packet of RTP from the others of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) ssrc: u32,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
}

impl Header {
    pub(super) fn numbers(self) -> Numbers {
        let Self { ssrc, sequence, timestamp, .. } = self;
        Numbers { ssrc, sequence, timestamp }
    }

    pub(super) fn with(self, Numbers { ssrc, sequence, timestamp }: Numbers) -> Self {
        Self { ssrc, sequence, timestamp, ..self }
    }
}

/// The packet with other numbers; `bytes` are one that [`classify`] has found sound.
pub(super) fn renumbered(bytes: &[u8], numbers: Numbers) -> Vec<u8> {
    let mut packet = bytes.to_vec();
    if let Some(header) = packet.first_chunk_mut::<HEADER_LEN>() {
        header[2..4].copy_from_slice(&numbers.sequence.to_be_bytes());
        header[4..8].copy_from_slice(&numbers.timestamp.to_be_bytes());
        header[8..12].copy_from_slice(&numbers.ssrc.to_be_bytes());
    }
    packet
}

/// Tells RTP from RTCP from the rest on one port.
pub fn classify(bytes: &[u8]) -> Kind {
    if bytes.first().is_none_or(|it| it >> 6 != 2) {
        return Kind::Other;
    }
    // RFC 5761 §4: RTP with the marker bit avoids payload types 64 to 95, because RTCP's packet
    // types, 192 to 223, look the same.
    match bytes.get(1) {
        Some(192..=223) if is_rtcp(bytes) => Kind::Rtcp,
        Some(192..=223) | None => Kind::Other,
        Some(_) => header(bytes).map_or(Kind::Other, Kind::Rtp),
    }
}

/// The payload of an RTP packet, whose header [`classify`] has found sound; padding included.
pub fn payload(bytes: &[u8]) -> Option<&[u8]> {
    let csrc_count = usize::from(bytes.first()? & 0x0f);
    let mut rest = bytes.get(HEADER_LEN + 4 * csrc_count..)?;
    if bytes.first()? & 0x10 != 0 {
        let (extension, after) = rest.split_first_chunk::<4>()?;
        let words = usize::from(u16::from_be_bytes([extension[2], extension[3]]));
        rest = after.get(4 * words..)?;
    }
    Some(rest)
}

/// The header of an RTP packet whose parts fit into it.
fn header(bytes: &[u8]) -> Option<Header> {
    let (fixed, rest) = bytes.split_first_chunk::<HEADER_LEN>()?;
    let [first, second, s1, s2, t1, t2, t3, t4, r1, r2, r3, r4] = *fixed;
    let csrc_count = usize::from(first & 0x0f);
    let mut rest = rest.get(4 * csrc_count..)?;
    if first & 0x10 != 0 {
        let (extension, after) = rest.split_first_chunk::<4>()?;
        let words = usize::from(u16::from_be_bytes([extension[2], extension[3]]));
        rest = after.get(4 * words..)?;
    }
    if first & 0x20 != 0 {
        let padding = usize::from(*rest.last()?);
        if padding == 0 || padding > rest.len() {
            return None;
        }
    }
    Some(Header {
        payload_type: second & 0x7f,
        sequence: u16::from_be_bytes([s1, s2]),
        timestamp: u32::from_be_bytes([t1, t2, t3, t4]),
        ssrc: u32::from_be_bytes([r1, r2, r3, r4]),
    })
}

/// Whether the first packet of the compound is as long as it says.
fn is_rtcp(bytes: &[u8]) -> bool {
    let words = match bytes {
        [_, _, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => return false,
    };
    bytes.len() >= RTCP_LEN_MIN && 4 * (words + 1) <= bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(first: u8, second: u8, after: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, second, 0x12, 0x34, 0, 0, 0, 160, 0xca, 0xfe, 0xba, 0xbe];
        bytes.extend_from_slice(after);
        bytes
    }

    fn rtp(payload_type: u8) -> Kind {
        Kind::Rtp(Header { payload_type, sequence: 0x1234, timestamp: 160, ssrc: 0xcafe_babe })
    }

    #[test]
    fn kind_table() {
        let rtcp = |second, words, len: usize| {
            let mut bytes = vec![0x80, second, 0, words];
            bytes.resize(len, 0);
            bytes
        };
        #[rustfmt::skip]
        let table: &[(&str, Vec<u8>, Kind)] = &[
            ("PCMU",                          with(0x80, 0, &[0; 160]),               rtp(0)),
            ("marker and telephone-event",    with(0x80, 0x80 | 101, &[0; 4]),        rtp(101)),
            ("no payload",                    with(0x80, 8, &[]),                     rtp(8)),
            ("two contributing sources",      with(0x82, 0, &[0; 8]),                 rtp(0)),
            ("sources that are not there",    with(0x8f, 0, &[0; 59]),                Kind::Other),
            ("extension of one word",         with(0x90, 0, &[0, 0, 0, 1, 9, 9, 9, 9]), rtp(0)),
            ("extension that lies",           with(0x90, 0, &[0, 0, 0xff, 0xff, 9]),  Kind::Other),
            ("extension cut",                 with(0x90, 0, &[0, 0, 0]),              Kind::Other),
            ("padding",                       with(0xa0, 0, &[7, 7, 0, 2]),           rtp(0)),
            ("only padding",                  with(0xa0, 0, &[0, 0, 0, 4]),           rtp(0)),
            ("padding longer than the rest",  with(0xa0, 0, &[0, 0, 0, 5]),           Kind::Other),
            ("padding of nothing",            with(0xa0, 0, &[0, 0, 0, 0]),           Kind::Other),
            ("padding, nothing there",        with(0xa0, 0, &[]),                     Kind::Other),
            ("one octet short",               with(0x80, 0, &[])[..11].to_vec(),      Kind::Other),
            ("version 1",                     with(0x40, 0, &[0; 160]),               Kind::Other),
            ("sender report",                 rtcp(200, 6, 28),                       Kind::Rtcp),
            ("empty receiver report",         rtcp(201, 1, 8),                        Kind::Rtcp),
            ("extended report",               rtcp(207, 1, 8),                        Kind::Rtcp),
            ("report cut",                    rtcp(200, 6, 24),                       Kind::Other),
            ("report of a header",            rtcp(201, 0, 4),                        Kind::Other),
            ("two octets",                    vec![0x80, 200],                        Kind::Other),
            ("one octet",                     vec![0x80],                             Kind::Other),
            ("nothing",                       vec![],                                 Kind::Other),
            ("STUN binding request",          vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42], Kind::Other),
            ("DTLS handshake",                vec![22, 254, 255, 0, 0, 0, 0, 0],      Kind::Other),
            ("UDPTL",                         vec![0, 7, 6, 1, 2, 3],                 Kind::Other),
        ];
        for (name, bytes, expected) in table {
            assert_eq!(classify(bytes), *expected, "{name}");
        }
    }
}
