//! Where a line's requests go: the carrier's addresses, and which of them is tried.

use super::Line;
use sip::message::{Host, Uri};
use smallvec::SmallVec;
use std::net::{IpAddr, SocketAddr};

/// Most addresses of one carrier that are tried.
pub const ADDRESSES_MAX: usize = 16;

/// The addresses in the order they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    addresses: SmallVec<[SocketAddr; 2]>,
    current: usize,
    /// Failed since the last success.
    failed: usize,
    /// Where the carrier sent us; until the next failure.
    redirected: Option<SocketAddr>,
}

impl Targets {
    /// Those that the configuration names by number.
    pub fn of(line: &Line) -> Self {
        let host = match &*line.outbound_proxy {
            "" => &line.domain,
            proxy => proxy,
        };
        Self { addresses: literal(host).into_iter().collect(), ..Self::default() }
    }

    /// The address for the next request.
    pub fn current(&self) -> Option<SocketAddr> {
        self.redirected.or_else(|| self.configured())
    }

    /// The same, whatever the carrier redirected us to.
    pub fn configured(&self) -> Option<SocketAddr> {
        self.addresses.get(self.current).copied()
    }

    /// An address is left that did not fail since the last success.
    pub fn has_untried(&self) -> bool {
        self.failed + 1 < self.addresses.len()
    }

    /// The current one failed.
    pub fn next(&mut self) {
        self.redirected = None;
        self.failed += 1;
        if self.failed >= self.addresses.len() {
            self.failed = 0;
        }
        self.current = (self.current + 1).checked_rem(self.addresses.len()).unwrap_or(0);
    }

    pub fn succeeded(&mut self) {
        self.failed = 0;
    }

    /// Follows a redirection, where its URI names an address.
    pub fn redirect(&mut self, uri: &str) -> bool {
        let Ok(uri) = Uri::parse(uri) else { return false };
        let Some(ip) = uri.host().and_then(|it| it.ip()) else { return false };
        self.redirected = Some((ip.to_canonical(), uri.port().unwrap_or(5060)).into());
        true
    }

    /// A request goes where the carrier sent us, not where the configuration says.
    pub fn is_redirected(&self) -> bool {
        self.redirected.is_some()
    }

    /// Whether this is the carrier.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.addresses.iter().chain(&self.redirected).any(|it| it.ip() == ip)
    }
}

/// The address that `host` or `host:port` writes as a number.
pub fn literal(text: &str) -> Option<SocketAddr> {
    let (host, port) = Host::parse_with_port(text).ok()?;
    host.ip().map(|ip| (ip.to_canonical(), port.unwrap_or(5060)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        #[rustfmt::skip]
        let table = [
            ("203.0.113.5",        Some("203.0.113.5:5060")),
            ("203.0.113.5:5080",   Some("203.0.113.5:5080")),
            ("[2001:db8::5]:5080", Some("[2001:db8::5]:5080")),
            ("sip.example.com",    None),
            ("",                   None),
        ];
        for (text, expected) in table {
            assert_eq!(literal(text), expected.map(|it| it.parse().expect("an address")), "{text}");
        }
    }

    #[test]
    fn each_address_is_tried_once_without_a_pause() {
        let address = |last: u8| SocketAddr::from(([203, 0, 113, last], 5060));
        let mut it = Targets {
            addresses: [1, 2, 3].map(address).into_iter().collect(),
            ..Targets::default()
        };
        let mut tried = Vec::new();
        for _ in 0..4 {
            tried.push((it.current(), it.has_untried()));
            it.next();
        }
        let expected = [(1, true), (2, true), (3, false), (1, true)];
        assert_eq!(tried, expected.map(|(last, more)| (Some(address(last)), more)));
        assert!(it.redirect("sip:5678@203.0.113.9:5070"));
        assert_eq!(it.current(), Some(SocketAddr::from(([203, 0, 113, 9], 5070))));
        assert!(!it.redirect("sip:other.example"));
        it.next();
        assert_eq!(it.current(), Some(address(3)));
    }
}
