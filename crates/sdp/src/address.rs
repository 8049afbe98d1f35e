//! The address fields of c=, o= and a=rtcp: `<nettype> <addrtype> <address>` (RFC 8866 §5.7).

use crate::line::text;
use smallvec::SmallVec;
use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;

/// The address in the fields, without the TTL or count of a multicast group.
///
/// `None` for a host name (legal, but nobody resolves it here) and for anything malformed. The
/// literal decides about the family: some phones write `IP4` in front of an IPv6 address.
pub(crate) fn parse(fields: &[u8]) -> Option<IpAddr> {
    let mut fields = text(fields)?.split_ascii_whitespace();
    let (nettype, _addrtype, address) = (fields.next()?, fields.next()?, fields.next()?);
    if !nettype.eq_ignore_ascii_case("IN") {
        return None;
    }
    let (address, _) = address.split_once('/').unwrap_or((address, ""));
    address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// An address or a number as text, without an allocation: no IPv6 address is longer.
#[derive(Default)]
pub(crate) struct Text(SmallVec<[u8; 64]>);

impl Text {
    pub(crate) fn of(value: impl fmt::Display) -> Self {
        let mut text = Self::default();
        // Writing into memory cannot fail.
        let _ = write!(text, "{value}");
        text
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        text(&self.0).unwrap_or_default()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// The fields of a c= line.
pub(crate) fn print(address: IpAddr) -> Text {
    Text::of(format_args!("IN {} {address}", addrtype(address)))
}

pub(crate) fn addrtype(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    }
}

/// `0.0.0.0` or `::`, whichever is of the family of `address`.
pub(crate) fn unspecified_like(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_table() {
        #[rustfmt::skip]
        let table = [
            ("IN IP4 192.0.2.7",        Some("192.0.2.7")),
            ("IN IP4 224.2.1.1/127/3",  Some("224.2.1.1")),
            ("IN IP6 2001:db8::1",      Some("2001:db8::1")),
            ("IN IP6 FF15::101/3",      Some("ff15::101")),
            ("IN IP4 2001:db8::1",      Some("2001:db8::1")),
            ("IN IP6 ::ffff:192.0.2.7", Some("192.0.2.7")),
            ("IN IP4 0.0.0.0",          Some("0.0.0.0")),
            ("IN IP4 phone.example",    None),
            ("IN IP4 999.0.2.7",        None),
            ("IN IP4",                  None),
            ("",                        None),
            ("ATM NSAP 192.0.2.7",      None),
        ];
        for (fields, expected) in table {
            let got = parse(fields.as_bytes()).map(|address| address.to_string());
            assert_eq!(got.as_deref(), expected, "{fields}");
        }
        assert_eq!(parse(b"IN IP4 \xff"), None);
    }
}
