//! Where a request comes from.

use axum::http::HeaderMap;
use ipnet::IpNet;
use pbx::network::is_private;
use std::net::{IpAddr, SocketAddr};

/// Put into each request by the listener that took its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub address: SocketAddr,
    /// Nobody on the way reads what is said.
    pub tls: bool,
}

/// What a proxy adds for the one it speaks for.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// `None`: by the control socket.
    ip: Option<IpAddr>,
    /// A proxy speaks for somebody who may be anywhere.
    forwarded: bool,
    tls: bool,
}

impl Source {
    pub(super) fn of(peer: Peer, headers: &HeaderMap) -> Self {
        let forwarded = FORWARDED.iter().any(|it| headers.contains_key(*it));
        Self { ip: Some(peer.address.ip().to_canonical()), forwarded, tls: peer.tls }
    }

    pub(super) fn socket() -> Self {
        Self { ip: None, forwarded: false, tls: false }
    }

    /// On this machine.
    pub fn is_here(&self) -> bool {
        !self.forwarded && self.ip.is_none_or(|it| it.is_loopback())
    }

    /// On this machine or a private network. What somebody says of himself through a proxy proves nothing, but who runs
    /// a proxy here has decided whom it serves.
    pub fn is_near(&self) -> bool {
        self.ip.is_none_or(is_private)
    }

    /// A proxy speaks for somebody, or somebody says so.
    pub(super) fn is_forwarded(&self) -> bool {
        self.forwarded
    }

    /// Nobody on the way to this server reads what is said.
    pub fn is_secure(&self) -> bool {
        self.tls
    }

    pub(super) fn is_in(&self, networks: &[IpNet]) -> bool {
        !self.forwarded && self.ip.is_some_and(|ip| networks.iter().any(|it| it.contains(&ip)))
    }

    /// Whom attempts are counted for: an address, of IPv6 its /64.
    pub(super) fn network(&self) -> Option<IpAddr> {
        match self.ip? {
            IpAddr::V6(it) => Some(IpAddr::V6((it.to_bits() >> 64 << 64).into())),
            it @ IpAddr::V4(_) => Some(it),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.ip, self.forwarded) {
            (None, _) => f.write_str("socket"),
            (Some(ip), false) => ip.fmt(f),
            (Some(ip), true) => write!(f, "{ip} (proxy)"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::http::HeaderValue;

    fn plain(address: &str) -> Peer {
        Peer { address: address.parse().unwrap(), tls: false }
    }

    #[test]
    fn source_table() {
        let trusted: Vec<IpNet> = vec!["203.0.113.0/24".parse().unwrap()];
        #[rustfmt::skip]
        let table = [
            // peer                  forwarded  here   near   trusted
            ("127.0.0.1:1",          false,     true,  true,  false),
            ("[::1]:1",              false,     true,  true,  false),
            ("[::ffff:127.0.0.1]:1", false,     true,  true,  false),
            ("127.0.0.1:1",          true,      false, true,  false),
            ("192.168.1.7:1",        false,     false, true,  false),
            ("[fd00::7]:1",          false,     false, true,  false),
            ("203.0.113.5:1",        false,     false, false, true),
            ("203.0.113.5:1",        true,      false, false, false),
            ("8.8.8.8:1",            false,     false, false, false),
        ];
        for (peer, forwarded, here, near, is_trusted) in table {
            let mut headers = HeaderMap::new();
            if forwarded {
                headers.insert("x-forwarded-for", HeaderValue::from_static("10.0.0.1"));
            }
            let source = Source::of(plain(peer), &headers);
            let got = (source.is_here(), source.is_near(), source.is_in(&trusted));
            assert_eq!(got, (here, near, is_trusted), "{peer} {forwarded}");
        }
    }

    #[test]
    fn attempts_of_a_network_count_together() {
        let of = |it: &str| Source::of(plain(it), &HeaderMap::new()).network();
        assert_eq!(of("[2001:db8::1]:1"), of("[2001:db8::ffff:2]:1"));
        assert_ne!(of("[2001:db8::1]:1"), of("[2001:db8:0:1::1]:1"));
        assert_ne!(of("10.0.0.1:1"), of("10.0.0.2:1"));
    }
}
