//! What a carrier's responses say of the address it sees us at (RFC 3261 §18.2.1, RFC 3581 §4).
//!
//! It goes into the Contact of the line and of its calls. Media keeps the address that is configured:
//! a port seen for signalling says nothing of those for media.

use crate::network::is_private;
use sip::message::{HeaderName, Message, TypedHeader, Via};
use std::net::{IpAddr, SocketAddr};

/// Where a request from `source` was seen to come from: `Some(None)` at that address, `None` where
/// the response does not say, or where the administrator has told what to say (`advertised`).
pub fn read(
    message: &Message<'_>,
    source: SocketAddr,
    advertised: IpAddr,
) -> Option<Option<SocketAddr>> {
    if advertised.to_canonical() != source.ip().to_canonical() {
        return None;
    }
    let via = Via::parse(message.headers.values(HeaderName::Via).next()?).ok()?;
    let port = via.rport().flatten();
    if via.received().is_none() && port.is_none() {
        return None;
    }
    let ip = via.received().unwrap_or_else(|| source.ip()).to_canonical();
    // A proxy that writes its own inside is not to be believed against a public address.
    if is_private(ip) && !is_private(source.ip()) {
        return None;
    }
    let seen = SocketAddr::new(ip, port.unwrap_or_else(|| source.port()));
    let is_ours = (seen.ip(), seen.port()) == (source.ip().to_canonical(), source.port());
    Some((!is_ours).then_some(seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seen_table() {
        let private = "192.168.1.10:5060";
        let elsewhere = |it: &str| Some(Some(it.parse::<SocketAddr>().expect("an address")));
        #[rustfmt::skip]
        let table = [
            // source            told     parameters of Via                       seen
            (private,            "",      ";rport=5060;received=192.168.1.10",    Some(None)),
            (private,            "",      ";rport=1024;received=203.0.113.9",     elsewhere("203.0.113.9:1024")),
            (private,            "",      ";rport=1024",                          elsewhere("192.168.1.10:1024")),
            (private,            "",      ";received=203.0.113.9",                elsewhere("203.0.113.9:5060")),
            (private,            "",      ";rport",                               None),
            (private,            "",      "",                                     None),
            // The administrator knows better.
            (private,            "203.0.113.1", ";rport=1024;received=203.0.113.9", None),
            // A private address is no news to a public one.
            ("198.51.100.1:5060", "",     ";rport=5060;received=10.0.0.7",        None),
            ("198.51.100.1:5060", "",     ";rport=5060;received=198.51.100.2",    elsewhere("198.51.100.2:5060")),
        ];
        for (source, told, params, expected) in table {
            let text = format!("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {source}{params}\r\n\r\n");
            let message = Message::parse(text.as_bytes()).expect("a response");
            let source: SocketAddr = source.parse().expect("an address");
            let told = if told.is_empty() { source.ip() } else { told.parse().expect("an IP") };
            assert_eq!(read(&message, source, told), expected, "{source} {params}");
        }
    }
}
