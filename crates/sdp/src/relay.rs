//! What a B2BUA that relays the media (RFC 7092 §3.1.2) changes in a description, and nothing else.
//!
//! The relay is the only path between the sides, so every other way to the author's sockets goes:
//! addresses, ports, a=rtcp and the attributes of ICE. Codecs, keys, fingerprints, unknown
//! attributes and unknown lines stay.

use crate::address;
use crate::attribute;
use crate::line::{Line, Lines};
use crate::session::Sdp;
use std::net::IpAddr;

/// Attributes that name another path to the author: ICE (RFC 8839 §5), RFC 6947, and a=rtcp, as the
/// relay's RTCP is always the port after RTP.
const OTHER_PATHS: [&str; 11] = [
    "candidate",
    "remote-candidates",
    "end-of-candidates",
    "ice-ufrag",
    "ice-pwd",
    "ice-options",
    "ice-lite",
    "ice-mismatch",
    "ice-pacing",
    "altc",
    "rtcp",
];

/// The list of ports does not fit the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{ports} relay ports for {media} m= lines")]
pub struct WrongPortCount {
    pub media: usize,
    pub ports: usize,
}

impl Sdp {
    /// Leads all media through a relay at `address`, with one RTP port per m= line.
    ///
    /// A section that is rejected stays so whatever its port; port 0 rejects one. One over TCP keeps
    /// its author's address and port. Sections on one
    /// transport (see [`Sdp::transports`]) must be given one port. The null address of an RFC 2543
    /// hold stays null, since replacing it would end the hold. o= is for [`Sdp::set_origin`].
    ///
    /// # Errors
    /// [`WrongPortCount`] when there is not one port per m= line; nothing is changed then.
    pub fn relay_through(&mut self, address: IpAddr, ports: &[u16]) -> Result<(), WrongPortCount> {
        if ports.len() != self.media.len() {
            return Err(WrongPortCount { media: self.media.len(), ports: ports.len() });
        }
        let session_ice = self.attribute("ice-ufrag").is_some();
        let ice = session_ice || self.media.iter().any(|media| media.has_ice());
        let session_has_address = self.session.iter().any(|line| line.kind() == b'c');
        let own_address = self.session_address();

        replace_addresses(&mut self.session, address, ice);
        remove_other_paths(&mut self.session);
        for (media, port) in self.media.iter_mut().zip(ports) {
            if media.is_tcp() {
                // It goes past the relay, so it must name its author's address itself.
                if let (None, Some(own)) = (media.own_address(), own_address) {
                    media.set_address(own);
                }
                continue;
            }
            if media.port != 0 {
                media.set_port(*port);
            }
            let media_ice = session_ice || media.has_ice();
            replace_addresses(&mut media.lines, address, media_ice);
            let has_address = media.lines.iter().any(|line| line.kind() == b'c');
            if !has_address && !session_has_address && media.port != 0 {
                media.set_address(address);
            }
            remove_other_paths(&mut media.lines);
        }
        Ok(())
    }
}

fn replace_addresses(lines: &mut [Line], address: IpAddr, ice: bool) {
    for line in lines.iter_mut().filter(|line| line.kind() == b'c') {
        let null = address::parse(line.value()).is_some_and(|old| old.is_unspecified());
        let new = if null && !ice { address::unspecified_like(address) } else { address };
        line.set_value(&[address::print(new).as_bytes()]);
    }
}

fn remove_other_paths(lines: &mut Lines) {
    attribute::remove_all(lines, &OTHER_PATHS);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const RELAY: &str = "198.51.100.1";

    fn relayed(lines: &str, address: &str, ports: &[u16]) -> String {
        let mut sdp = Sdp::parse(format!("v=0\n{lines}\n").as_bytes()).unwrap();
        sdp.relay_through(address.parse().unwrap(), ports).unwrap();
        let text = String::from_utf8(sdp.to_bytes()).unwrap();
        text.trim_start_matches("v=0\r\n").trim_end().replace("\r\n", "\n")
    }

    #[test]
    fn changes_what_it_must_and_nothing_else() {
        let offer = "o=ann 7 8 IN IP4 10.0.0.5\ns=-\nc=IN IP4 10.0.0.5\nt=0 0\na=ice-lite\na=tool:x\n\
             m=audio 4000 RTP/SAVP 8 101\na=rtcp:4001 IN IP4 10.0.0.5\na=crypto:1 AES inline:k\n\
             a=candidate:1 1 UDP 9 10.0.0.5 4000 typ host\na=ice-ufrag:u\na=ice-pwd:p\n\
             a=remote-candidates:1 10.0.0.5 4000\na=end-of-candidates\na=ice-options:trickle\n\
             a=ice-pacing:50\na=ice-mismatch\na=altc:1 IP4 10.0.0.5 4000\nz=kept\n\
             m=image 0 udptl t38\na=T38FaxVersion:0\n\
             m=video 4002/2 RTP/AVPF 96\nc=IN IP4 10.0.0.6\na=rtcp-mux";
        let expected = "o=ann 7 8 IN IP4 10.0.0.5\ns=-\nc=IN IP4 198.51.100.1\nt=0 0\na=tool:x\n\
             m=audio 20000 RTP/SAVP 8 101\na=crypto:1 AES inline:k\nz=kept\n\
             m=image 0 udptl t38\na=T38FaxVersion:0\n\
             m=video 20002 RTP/AVPF 96\nc=IN IP4 198.51.100.1\na=rtcp-mux";
        assert_eq!(relayed(offer, RELAY, &[20000, 30000, 20002]), expected);
    }

    #[test]
    fn what_travels_over_tcp_goes_past_the_relay() {
        let offer = "o=a 7 8 IN IP4 10.0.0.5\ns=-\nc=IN IP4 10.0.0.5\nt=0 0\nm=audio 4000 RTP/AVP 8\n\
             m=message 2855 TCP/MSRP *\na=setup:actpass";
        let expected = "o=a 7 8 IN IP4 10.0.0.5\ns=-\nc=IN IP4 198.51.100.1\nt=0 0\n\
             m=audio 20000 RTP/AVP 8\nm=message 2855 TCP/MSRP *\nc=IN IP4 10.0.0.5\na=setup:actpass";
        assert_eq!(relayed(offer, RELAY, &[20000, 0]), expected);
    }

    #[test]
    fn address_families_and_missing_addresses() {
        #[rustfmt::skip]
        let table = [
            // an address of the other family
            ("o=- 1 1 IN IP4 10.0.0.5\nc=IN IP4 10.0.0.5\nm=audio 4 RTP/AVP 0", "2001:db8::1",
             "o=- 1 1 IN IP4 10.0.0.5\nc=IN IP6 2001:db8::1\nm=audio 9 RTP/AVP 0"),
            // none at all
            ("m=audio 4 RTP/AVP 0\ni=x\na=y", RELAY,
             "m=audio 9 RTP/AVP 0\ni=x\nc=IN IP4 198.51.100.1\na=y"),
            // a name
            ("m=audio 4 RTP/AVP 0\nc=IN IP4 phone.example", RELAY,
             "m=audio 9 RTP/AVP 0\nc=IN IP4 198.51.100.1"),
            // the old hold stays one
            ("c=IN IP4 0.0.0.0\nm=audio 4 RTP/AVP 0", RELAY,
             "c=IN IP4 0.0.0.0\nm=audio 9 RTP/AVP 0"),
            ("c=IN IP4 0.0.0.0\nm=audio 4 RTP/AVP 0", "2001:db8::1",
             "c=IN IP6 ::\nm=audio 9 RTP/AVP 0"),
            // but with ICE it is none
            ("m=audio 9 RTP/AVP 0\nc=IN IP4 0.0.0.0\na=ice-ufrag:u", RELAY,
             "m=audio 9 RTP/AVP 0\nc=IN IP4 198.51.100.1"),
        ];
        for (offer, address, expected) in table {
            assert_eq!(relayed(offer, address, &[9]), expected);
        }
    }

    #[test]
    fn a_bundle_keeps_sharing_its_port() {
        let answer = "c=IN IP4 10.0.0.5\na=group:BUNDLE a v d\n\
             m=audio 4000 UDP/TLS/RTP/SAVPF 111\na=mid:a\n\
             m=video 4000 UDP/TLS/RTP/SAVPF 96\na=mid:v\n\
             m=application 0 UDP/DTLS/SCTP webrtc-datachannel\na=mid:d\na=bundle-only\n\
             m=audio 0 RTP/AVP 0\n\
             m=audio 4000 RTP/AVP 0\nc=IN IP4 10.0.0.9";
        let mut sdp = Sdp::parse(format!("v=0\n{answer}\n").as_bytes()).unwrap();
        assert_eq!(sdp.transports().as_slice(), [Some(0), Some(0), Some(0), None, Some(4)]);
        sdp.relay_through(RELAY.parse().unwrap(), &[20000, 20000, 20000, 20000, 20002]).unwrap();
        let ports: Vec<_> = sdp.media().iter().map(|media| media.port()).collect();
        assert_eq!(ports, [20000, 20000, 0, 0, 20002]);
        assert_eq!(sdp.transports().as_slice(), [Some(0), Some(0), Some(0), None, Some(4)]);
    }

    #[test]
    fn wrong_number_of_ports_changes_nothing() {
        let mut sdp = Sdp::parse(b"v=0\r\nm=audio 4 RTP/AVP 0\r\n").unwrap();
        let before = sdp.clone();
        let error = sdp.relay_through(RELAY.parse().unwrap(), &[]).unwrap_err();
        assert_eq!(error, WrongPortCount { media: 1, ports: 0 });
        assert_eq!(sdp, before);
    }

    #[test]
    fn port_zero_rejects() {
        assert_eq!(
            relayed("c=IN IP4 10.0.0.5\nm=audio 4 RTP/AVP 0", RELAY, &[0]),
            "c=IN IP4 198.51.100.1\nm=audio 0 RTP/AVP 0"
        );
    }
}
