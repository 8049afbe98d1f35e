//! Which sources qualify as the peer of a transport, and where to send before one came.
//!
//! Pure rules over what the SDP and the signalling said, used by the latch.

use pbx::media::{Expect, MediaSource};
use pbx::network::is_private;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The peer a plan expects, with its addresses in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The SDP's address and port; `None` also where nothing can be sent to it.
    advertised: Option<SocketAddr>,
    signalling: IpAddr,
    policy: MediaSource,
    pub(crate) generation: u32,
}

/// How well a source fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is the address and port of the SDP, or where those lead from here.
    Exact,
    /// Its address qualifies, its port was not announced.
    Address,
    None,
}

impl Expected {
    pub(crate) fn new(expect: &Expect) -> Self {
        Self {
            advertised: expect.advertised.map(canonical).filter(can_be_sent_to),
            signalling: expect.signalling.to_canonical(),
            policy: expect.policy,
            generation: expect.generation,
        }
    }

    /// Whether both expect media from the same place, whichever SDP said so.
    pub(crate) fn same_place(&self, other: &Self) -> bool {
        Self { generation: other.generation, ..*self } == *other
    }

    /// Whether a datagram from there may latch.
    pub(crate) fn fit(&self, from: SocketAddr) -> Fit {
        let is_it = |it: SocketAddr| it.ip() == from.ip() && it.port() == from.port();
        let by_sdp = self.advertised.is_some_and(is_it);
        let named = by_sdp && !self.misleads();
        let signals = from.ip() == self.signalling;
        match self.policy {
            MediaSource::Sdp => {
                if by_sdp {
                    Fit::Exact
                } else {
                    Fit::None
                }
            }
            MediaSource::Auto if named => Fit::Exact,
            MediaSource::Signalling if named && signals => Fit::Exact,
            MediaSource::Auto | MediaSource::Signalling => {
                if signals {
                    Fit::Address
                } else {
                    Fit::None
                }
            }
            MediaSource::AnyFirst => {
                if named {
                    Fit::Exact
                } else {
                    Fit::Address
                }
            }
        }
    }

    /// Where media goes while nobody has latched.
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        self.reachable(self.advertised?)
    }

    /// Where the SDP says, if that leads there from here, whatever NAT may be between.
    pub(crate) fn plain_destination(&self) -> Option<SocketAddr> {
        self.advertised.filter(|it| self.reachable(*it) == Some(*it))
    }

    /// Where something meant for `address`, of the peer's SDP, is to go; `None`: nowhere.
    pub(crate) fn reachable(&self, address: SocketAddr) -> Option<SocketAddr> {
        let address = Some(canonical(address)).filter(can_be_sent_to)?;
        let by_sdp = self.policy == MediaSource::Sdp || !hides(address.ip(), self.signalling);
        Some(if by_sdp { address } else { SocketAddr::new(self.signalling, address.port()) })
    }

    /// Whether the SDP names a place at all. One on hold in the old way does not, nor does one that
    /// has not come.
    pub(crate) fn names_a_place(&self) -> bool {
        self.advertised.is_some()
    }

    pub(crate) fn policy(&self) -> MediaSource {
        self.policy
    }

    /// Whether the address is the one the signalling comes from, where that counts.
    pub(crate) fn signals(&self, address: IpAddr) -> bool {
        match self.policy {
            MediaSource::Auto | MediaSource::Signalling => address == self.signalling,
            MediaSource::Sdp | MediaSource::AnyFirst => false,
        }
    }

    /// Whether a source qualifies by being first.
    pub(crate) fn anyone_qualifies(&self) -> bool {
        self.policy == MediaSource::AnyFirst
    }

    /// Whether the peer may change its port without a new SDP.
    pub(crate) fn may_move(&self) -> bool {
        self.policy != MediaSource::Sdp
    }

    fn misleads(&self) -> bool {
        self.advertised.is_some_and(|it| hides(it.ip(), self.signalling))
    }
}

/// The address without what may differ between two spellings of it.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match (address.ip().to_canonical(), address) {
        (IpAddr::V4(ip), _) => SocketAddr::new(ip.into(), address.port()),
        (IpAddr::V6(_), SocketAddr::V6(mut it)) => {
            it.set_flowinfo(0);
            it.into()
        }
        (IpAddr::V6(_), SocketAddr::V4(_)) => address,
    }
}

/// The peer names an address of its own network, or of its own machine, that leads somewhere else
/// from here: media is expected at the address its signalling comes from.
fn hides(advertised: IpAddr, signalling: IpAddr) -> bool {
    (is_private(advertised) && !is_private(signalling))
        || (advertised.is_loopback() && !signalling.is_loopback())
}

/// The unspecified address is the old way to say hold (RFC 3264 §8.4); a group or everybody is
/// never one peer.
fn can_be_sent_to(address: &SocketAddr) -> bool {
    let ip = address.ip();
    !ip.is_unspecified()
        && !ip.is_multicast()
        && ip != IpAddr::V4(Ipv4Addr::BROADCAST)
        && address.port() != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(policy: MediaSource, advertised: Option<&str>, signalling: &str) -> Expected {
        Expected::new(&Expect {
            advertised: advertised.map(|it| it.parse().expect("an address and port")),
            signalling: signalling.parse().expect("an address"),
            policy,
            generation: 1,
        })
    }

    #[test]
    fn fit_table() {
        use MediaSource::{AnyFirst, Auto, Sdp, Signalling};
        const PUBLIC: Option<&str> = Some("198.51.100.7:4000");
        const PRIVATE: Option<&str> = Some("192.168.1.7:4000");
        #[rustfmt::skip]
        let table = [
            // policy    SDP          signalling      from                    fit
            (Auto,       PUBLIC,      "198.51.100.7", "198.51.100.7:4000",    Fit::Exact),
            (Auto,       PUBLIC,      "198.51.100.7", "198.51.100.7:4002",    Fit::Address),
            (Auto,       PUBLIC,      "203.0.113.9",  "198.51.100.7:4000",    Fit::Exact),
            (Auto,       PUBLIC,      "203.0.113.9",  "198.51.100.7:4002",    Fit::None),
            (Auto,       PUBLIC,      "203.0.113.9",  "203.0.113.9:9",        Fit::Address),
            (Auto,       PUBLIC,      "203.0.113.9",  "203.0.113.66:4000",    Fit::None),
            (Auto,       PRIVATE,     "203.0.113.9",  "203.0.113.9:4000",     Fit::Address),
            (Auto,       PRIVATE,     "203.0.113.9",  "192.168.1.7:4000",     Fit::None),
            (Auto,       PRIVATE,     "192.168.1.8",  "192.168.1.7:4000",     Fit::Exact),
            (Auto,       PRIVATE,     "192.168.1.8",  "192.168.1.8:4000",     Fit::Address),
            (Auto,       None,        "192.168.1.8",  "192.168.1.8:4000",     Fit::Address),
            (Auto,       None,        "192.168.1.8",  "192.168.1.9:4000",     Fit::None),
            (Auto,       Some("[2001:db8::7]:4000"), "2001:db8::1", "[2001:db8::7]:4000", Fit::Exact),
            (Auto,       Some("[::ffff:198.51.100.7]:4000"), "::ffff:203.0.113.9", "198.51.100.7:4000", Fit::Exact),
            (Auto,       Some("0.0.0.0:4000"), "203.0.113.9", "0.0.0.0:4000", Fit::None),
            (Auto,       Some("127.0.0.1:4000"), "192.168.1.8", "127.0.0.1:4000", Fit::None),
            (Auto,       Some("127.0.0.1:4000"), "127.0.0.5", "127.0.0.1:4000", Fit::Exact),
            (Sdp,        PUBLIC,      "203.0.113.9",  "198.51.100.7:4000",    Fit::Exact),
            (Sdp,        PUBLIC,      "203.0.113.9",  "203.0.113.9:4000",     Fit::None),
            (Sdp,        PUBLIC,      "198.51.100.7", "198.51.100.7:4002",    Fit::None),
            (Sdp,        PRIVATE,     "203.0.113.9",  "192.168.1.7:4000",     Fit::Exact),
            (Sdp,        None,        "203.0.113.9",  "203.0.113.9:4000",     Fit::None),
            (Signalling, PUBLIC,      "203.0.113.9",  "203.0.113.9:9",        Fit::Address),
            (Signalling, PUBLIC,      "203.0.113.9",  "198.51.100.7:4000",    Fit::None),
            (Signalling, PUBLIC,      "198.51.100.7", "198.51.100.7:4000",    Fit::Exact),
            (AnyFirst,   PUBLIC,      "203.0.113.9",  "203.0.113.66:9",       Fit::Address),
            (AnyFirst,   PUBLIC,      "203.0.113.9",  "198.51.100.7:4000",    Fit::Exact),
        ];
        for (policy, advertised, signalling, from, fit) in table {
            let from = from.parse().expect("an address and port");
            let got = expected(policy, advertised, signalling).fit(from);
            assert_eq!(got, fit, "{policy:?}, SDP {advertised:?}, SIP {signalling}, from {from}");
        }
    }

    #[test]
    fn destination_table() {
        use MediaSource::{AnyFirst, Auto, Sdp, Signalling};
        #[rustfmt::skip]
        let table = [
            // policy    SDP                   signalling      to
            (Auto,       "198.51.100.7:4000",  "203.0.113.9",  Some("198.51.100.7:4000")),
            (Auto,       "192.168.1.7:4000",   "203.0.113.9",  Some("203.0.113.9:4000")),
            (Auto,       "192.168.1.7:4000",   "192.168.1.8",  Some("192.168.1.7:4000")),
            (Auto,       "127.0.0.1:4000",     "192.168.1.8",  Some("192.168.1.8:4000")),
            (Auto,       "[fd00::7]:4000",     "2001:db8::1",  Some("[2001:db8::1]:4000")),
            (Signalling, "192.168.1.7:4000",   "203.0.113.9",  Some("203.0.113.9:4000")),
            (AnyFirst,   "192.168.1.7:4000",   "203.0.113.9",  Some("203.0.113.9:4000")),
            (Sdp,        "192.168.1.7:4000",   "203.0.113.9",  Some("192.168.1.7:4000")),
            (Auto,       "0.0.0.0:4000",       "203.0.113.9",  None),
            (Auto,       "[::]:4000",          "203.0.113.9",  None),
            (Auto,       "198.51.100.7:0",     "203.0.113.9",  None),
            (Auto,       "224.0.1.75:4000",    "203.0.113.9",  None),
            (Auto,       "255.255.255.255:9",  "203.0.113.9",  None),
        ];
        for (policy, advertised, signalling, to) in table {
            let got = expected(policy, Some(advertised), signalling).destination();
            let to = to.map(|it| it.parse().expect("an address and port"));
            assert_eq!(got, to, "{policy:?}, SDP {advertised}, SIP {signalling}");
        }
        assert_eq!(expected(Auto, None, "203.0.113.9").destination(), None);
    }
}
