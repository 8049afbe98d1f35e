//! Addresses and numbers as text, made on the stack: every message of ours holds several, and the general formatting
//! takes ten times as long.

use smallvec::SmallVec;
use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};

/// The longest: an IPv6 address in brackets with a scope and a port.
const LONGEST: usize = 64;

/// A piece of ASCII text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Short(SmallVec<[u8; LONGEST]>);

impl Short {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn text(mut self, text: &str) -> Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub fn letter(self, letter: char) -> Self {
        self.text(letter.encode_utf8(&mut [0; 4]))
    }

    pub fn decimal(mut self, number: u64) -> Self {
        self.0.extend_from_slice(decimal(number, &mut [0; 20]));
        self
    }

    /// Lower-case hexadecimal digits, as many as asked for, at most 16.
    pub fn hex(mut self, number: u64, digits: usize) -> Self {
        let mut room = [0; 16];
        for (place, digit) in room.iter_mut().rev().enumerate() {
            *digit = b"0123456789abcdef"[((number >> (4 * place)) & 15) as usize];
        }
        self.0.extend_from_slice(&room[room.len().saturating_sub(digits)..]);
        self
    }

    /// An address as it stands in `received` and in SDP: IPv6 without brackets.
    pub fn ip(mut self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(it) => {
                let [a, b, c, d] = it.octets().map(u64::from);
                self.decimal(a).text(".").decimal(b).text(".").decimal(c).text(".").decimal(d)
            }
            IpAddr::V6(it) => {
                // Writing into memory cannot fail.
                let _ = write!(self, "{it}");
                self
            }
        }
    }

    /// An address as the host of a URI: IPv6 in brackets.
    pub fn host(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => self.ip(address),
            IpAddr::V6(_) => self.text("[").ip(address).text("]"),
        }
    }

    /// `host:port`.
    pub fn socket(mut self, address: SocketAddr) -> Self {
        match address {
            // With its scope.
            SocketAddr::V6(it) if it.scope_id() != 0 => {
                let _ = write!(self, "{it}");
                self
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => {
                self.host(address.ip()).text(":").decimal(address.port().into())
            }
        }
    }

    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Writes a number into the end of the room for it.
pub(crate) fn decimal(mut number: u64, room: &mut [u8; 20]) -> &[u8] {
    let mut at = room.len();
    loop {
        at -= 1;
        room[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &room[at..];
        }
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::ops::Deref for Short {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_reads_as_the_general_formatting_has_it() {
        for text in
            ["0.0.0.0", "10.0.200.9", "255.255.255.255", "::", "2001:db8::1", "::ffff:1.2.3.4"]
        {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(Short::new().ip(address).as_str(), address.to_string());
            for port in [1, 80, 5060, 65535] {
                let socket = SocketAddr::from((address, port));
                assert_eq!(Short::new().socket(socket).as_str(), socket.to_string());
            }
        }
        let scoped: SocketAddr = "[fe80::1%3]:5060".parse().unwrap();
        assert_eq!(Short::new().socket(scoped).as_str(), scoped.to_string());
        assert_eq!(Short::new().host("2001:db8::1".parse().unwrap()).as_str(), "[2001:db8::1]");
        for number in [0, 7, 10, 4_294_967_296, u64::MAX] {
            assert_eq!(Short::new().decimal(number).as_str(), number.to_string());
        }
        assert_eq!(Short::new().text("z").letter('a').hex(0xbeef, 5).as_str(), "za0beef");
    }
}
