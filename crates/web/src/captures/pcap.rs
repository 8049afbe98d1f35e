//! SIP messages as a pcap file (the classic format, link type RAW): each is a UDP datagram between the two
//! addresses it went between, whatever carried it, so that every tool shows it as SIP.

use crate::resource::Traced;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The packet begins with its IP header (LINKTYPE_RAW).
const RAW: u32 = 101;
/// Longest text of one packet: longer ones are cut. Unit: octets.
const TEXT_MAX: usize = 65_000;
const UDP: u8 = 17;
const UDP_HEAD: u16 = 8;
const V4_HEAD: u16 = 20;

/// What a file begins with.
pub fn head() -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend(2_u16.to_le_bytes());
    file.extend(4_u16.to_le_bytes());
    file.extend([0; 8]);
    file.extend(u32::from(u16::MAX).to_le_bytes());
    file.extend(RAW.to_le_bytes());
    file
}

/// Adds a message.
pub fn append(file: &mut Vec<u8>, message: &Traced) {
    let end = message.text.floor_char_boundary(TEXT_MAX);
    let text = &message.text.as_bytes()[..end];
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let [local, remote] = [&message.local, &message.remote].map(|it| it.parse().unwrap_or(nowhere));
    let (from, to) = if message.sent { (local, remote) } else { (remote, local) };
    let packet = packet(from, to, text);
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX).to_le_bytes();
    let (seconds, millis) = (message.unix_ms / 1000, message.unix_ms % 1000);
    // The format counts seconds in 32 bits.
    file.extend(u32::try_from(seconds).unwrap_or(u32::MAX).to_le_bytes());
    file.extend(u32::try_from(millis * 1000).unwrap_or_default().to_le_bytes());
    file.extend(length);
    file.extend(length);
    file.extend(packet);
}

fn packet(from: SocketAddr, to: SocketAddr, text: &[u8]) -> Vec<u8> {
    let length = UDP_HEAD + u16::try_from(text.len()).unwrap_or_default();
    let (source, target) = (from.ip().to_canonical(), to.ip().to_canonical());
    let (mut packet, pseudo) = match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => v4(source, target, length),
        (source, target) => v6(mapped(source), mapped(target), length),
    };
    let mut datagram = Vec::with_capacity(usize::from(length));
    datagram.extend(from.port().to_be_bytes());
    datagram.extend(to.port().to_be_bytes());
    datagram.extend(length.to_be_bytes());
    datagram.extend([0; 2]);
    datagram.extend(text);
    // Zero would say that there is none (RFC 768).
    let sum = match checksum(pseudo.iter().chain(&datagram)) {
        0 => u16::MAX,
        sum => sum,
    };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    packet.extend(datagram);
    packet
}

/// The header, and what the checksum of UDP covers besides (RFC 791, RFC 768).
fn v4(source: Ipv4Addr, target: Ipv4Addr, length: u16) -> (Vec<u8>, Vec<u8>) {
    let mut head = vec![0x45, 0];
    head.extend((V4_HEAD + length).to_be_bytes());
    head.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
    head.extend(source.octets());
    head.extend(target.octets());
    let sum = checksum(head.iter());
    head[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut pseudo = [source.octets(), target.octets()].concat();
    pseudo.extend([0, UDP]);
    pseudo.extend(length.to_be_bytes());
    (head, pseudo)
}

/// The same (RFC 8200).
fn v6(source: Ipv6Addr, target: Ipv6Addr, length: u16) -> (Vec<u8>, Vec<u8>) {
    let mut head = vec![0x60, 0, 0, 0];
    head.extend(length.to_be_bytes());
    head.extend([UDP, 64]);
    head.extend(source.octets());
    head.extend(target.octets());
    let mut pseudo = [source.octets(), target.octets()].concat();
    pseudo.extend(u32::from(length).to_be_bytes());
    pseudo.extend([0, 0, 0, UDP]);
    (head, pseudo)
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(it) => it.to_ipv6_mapped(),
        IpAddr::V6(it) => it,
    }
}

/// The Internet checksum (RFC 1071).
fn checksum<'a>(bytes: impl Iterator<Item = &'a u8>) -> u16 {
    let sum: u64 = bytes
        .enumerate()
        .map(|(index, byte)| u64::from(*byte) << if index % 2 == 0 { 8 } else { 0 })
        .sum();
    let mut sum = sum;
    while sum > u64::from(u16::MAX) {
        sum = (sum & u64::from(u16::MAX)) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn message(sent: bool, local: &str, remote: &str) -> Traced {
        Traced {
            unix_ms: 1_795_659_300_123,
            sent,
            transport: "udp".to_owned(),
            local: local.to_owned(),
            remote: remote.to_owned(),
            call: None,
            text: "OPTIONS sip:a SIP/2.0\r\n\r\n".to_owned(),
        }
    }

    /// A right sum over all that it covers, itself included, is zero.
    #[test]
    fn packets_are_whole() {
        let mut file = head();
        append(&mut file, &message(true, "10.0.0.1:5060", "10.0.0.7:5062"));
        let first = file.len();
        append(&mut file, &message(false, "[2001:db8::1]:5060", "[2001:db8::7]:5062"));
        assert_eq!(file[..4], [0xd4, 0xc3, 0xb2, 0xa1]);
        let text = b"OPTIONS sip:a SIP/2.0\r\n\r\n";
        let v4 = &file[24 + 16..first];
        assert_eq!(v4.len(), 20 + 8 + text.len());
        assert_eq!(checksum(v4[..20].iter()), 0);
        assert_eq!((&v4[12..16], &v4[16..20]), (&[10, 0, 0, 1][..], &[10, 0, 0, 7][..]));
        let length = u8::try_from(v4.len() - 20).unwrap();
        let pseudo = [&v4[12..20], &[0, UDP, 0, length]].concat();
        assert_eq!(checksum(pseudo.iter().chain(&v4[20..])), 0);
        assert_eq!(&v4[28..], text);
        let v6 = &file[first + 16..];
        assert_eq!((v6[0] >> 4, v6[6]), (6, UDP));
        assert_eq!(v6[23], 7, "it came from the other side");
        let pseudo = [&v6[8..40], &[0, 0, 0, length, 0, 0, 0, UDP]].concat();
        assert_eq!(checksum(pseudo.iter().chain(&v6[40..])), 0);
        let seconds = u32::from_le_bytes([file[24], file[25], file[26], file[27]]);
        let micros = u32::from_le_bytes([file[28], file[29], file[30], file[31]]);
        assert_eq!((seconds, micros), (1_795_659_300, 123_000));
    }

    #[test]
    fn a_long_message_is_cut() {
        let long =
            Traced { text: "忙".repeat(30_000), ..message(true, "[::1]:5060", "10.0.0.1:5060") };
        let mut file = head();
        append(&mut file, &long);
        assert!(file.len() < 24 + 16 + 40 + 8 + TEXT_MAX + 1);
    }
}
