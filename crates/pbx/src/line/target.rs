//! Where a line's requests go: the carrier's addresses, and which of them is tried.

use super::Line;
use sip::Transport;
use sip::locate::{NoWay, Place, Resolution, Target, Way};
use sip::message::{Host, Uri};
use smallvec::SmallVec;
use std::net::{IpAddr, SocketAddr};

use crate::names::NameTrouble;

/// Most addresses of one carrier that are tried.
pub const ADDRESSES_MAX: usize = sip::locate::order::TARGETS_MAX;

/// The addresses in the order they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// The name they are found by; none where the configuration has an address.
    place: Option<Place>,
    /// What is wrong with the name.
    trouble: Option<NameTrouble>,
    /// Servers of the name that have no address.
    lost: Vec<Box<str>>,
    targets: SmallVec<[Target; 2]>,
    current: usize,
    /// Failed since the last success.
    failed: usize,
    /// Where the carrier sent us; until the next failure.
    redirected: Option<Target>,
}

impl Targets {
    /// The one that the configuration names by number, or none before its name is resolved.
    pub fn of(line: &Line) -> Self {
        let host = match &*line.outbound_proxy {
            "" => &line.domain,
            proxy => proxy,
        };
        match Way::of_text(host, line.transport.fixed()) {
            Ok(Way::Straight(target)) => {
                Self { targets: [target].into_iter().collect(), ..Self::default() }
            }
            Ok(Way::Named(place)) => Self { place: Some(place), ..Self::default() },
            // Nothing leads there; it is said when it is tried.
            Err(_) => Self::default(),
        }
    }

    /// The name that its addresses are found by.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// What is wrong with the name.
    pub fn name_trouble(&self) -> Option<NameTrouble> {
        self.trouble
    }

    /// Servers of the name that have no address.
    pub fn lost(&self) -> &[Box<str>] {
        &self.lost
    }

    /// Takes what the name leads to now. The present address stays where it is among them. `true`:
    /// they are others than before, not only in another order.
    pub fn resolve(&mut self, targets: &[Target], resolution: &Resolution) -> bool {
        self.trouble = NameTrouble::of(resolution);
        self.lost = resolution.located().map(|it| it.lost.clone()).unwrap_or_default();
        let present = self.targets.get(self.current).copied();
        let changed = !same(targets, &self.targets);
        if changed {
            self.failed = 0;
        }
        let place = targets.iter().position(|it| Some(*it) == present);
        (self.targets, self.current) = (targets.into(), place.unwrap_or_default());
        changed
    }

    /// Where the next request goes.
    pub fn current(&self) -> Option<Target> {
        self.redirected.or_else(|| self.configured())
    }

    /// The same, whatever the carrier redirected us to.
    pub fn configured(&self) -> Option<Target> {
        self.targets.get(self.current).copied()
    }

    /// An address is left that did not fail since the last success.
    pub fn has_untried(&self) -> bool {
        self.failed + 1 < self.targets.len()
    }

    /// The current one failed.
    pub fn next(&mut self) {
        self.redirected = None;
        self.failed += 1;
        if self.failed >= self.targets.len() {
            self.failed = 0;
        }
        self.current = (self.current + 1).checked_rem(self.targets.len()).unwrap_or(0);
    }

    pub fn succeeded(&mut self) {
        self.failed = 0;
    }

    /// Follows a redirection to there.
    pub fn redirect(&mut self, target: Target) {
        self.redirected = Some(target);
    }

    /// Further addresses than the one that is tried now, in their order.
    pub fn others(&self) -> impl Iterator<Item = Target> {
        let count = self.targets.len();
        let behind = (1..count).map(move |it| (self.current + it) % count);
        behind.filter_map(|it| self.targets.get(it).copied())
    }

    /// A request goes where the carrier sent us, not where the configuration says.
    pub fn is_redirected(&self) -> bool {
        self.redirected.is_some()
    }

    /// Whether this is the carrier.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.addresses().any(|it| it == ip.to_canonical())
    }

    /// All addresses of the carrier, as they are known.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.targets.iter().chain(&self.redirected).map(|it| it.address.ip().to_canonical())
    }
}

/// The same targets, in whatever order.
fn same(one: &[Target], other: &[Target]) -> bool {
    one.len() == other.len() && one.iter().all(|it| other.contains(it))
}

/// Where a redirection of a REGISTER leads. It is followed over the transport of the line where that
/// is set.
pub fn redirection(uri: &str, transport: Option<Transport>) -> Result<Way, NoWay> {
    let uri = Uri::parse(uri).map_err(|_| NoWay::Scheme)?;
    let way = Way::of_uri(&uri)?;
    let Some(transport) = transport else { return Ok(way) };
    Ok(match way {
        Way::Straight(target) => Way::Straight(Target { transport, ..target }),
        Way::Named(place) => Way::Named(Place { transport: Some(transport), ..place }),
    })
}

/// The address that `host` or `host:port` writes as a number.
pub fn literal(text: &str) -> Option<SocketAddr> {
    let (host, port) = Host::parse_with_port(text).ok()?;
    host.ip().map(|ip| (ip.to_canonical(), port.unwrap_or(5060)).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::locate::Lack;

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
        let address = |last: u8| Target {
            transport: Transport::Udp,
            address: SocketAddr::from(([203, 0, 113, last], 5060)),
        };
        let mut it =
            Targets { targets: [1, 2, 3].map(address).into_iter().collect(), ..Targets::default() };
        let mut tried = Vec::new();
        for _ in 0..4 {
            tried.push((it.current(), it.has_untried()));
            it.next();
        }
        let expected = [(1, true), (2, true), (3, false), (1, true)];
        assert_eq!(tried, expected.map(|(last, more)| (Some(address(last)), more)));
        it.redirect(address(9));
        assert_eq!(it.current(), Some(address(9)));
        it.next();
        assert_eq!(it.current(), Some(address(3)));
        assert_eq!(it.others().collect::<Vec<_>>(), [1, 2].map(address));
    }

    #[test]
    fn a_name_that_leads_elsewhere() {
        let target = |last: u8| Target {
            transport: Transport::Udp,
            address: SocketAddr::from(([203, 0, 113, last], 5060)),
        };
        let lost = Resolution::Nothing(Lack::NoSuchName);
        let line = Line { domain: "sip.example.com".into(), ..Line::default() };
        let mut it = Targets::of(&line);
        assert!(it.place().is_some() && it.current().is_none());
        #[rustfmt::skip]
        let table: [(&[u8], bool, Option<u8>); 5] = [
            // leads to   news   then tried
            (&[1, 2],     true,  Some(1)),
            (&[2, 1],     false, Some(1)), // another draw
            (&[3, 1],     true,  Some(1)),
            (&[4, 5],     true,  Some(4)),
            (&[],         true,  None),
        ];
        for (addresses, changed, expected) in table {
            let targets: Vec<Target> = addresses.iter().copied().map(target).collect();
            assert_eq!(it.resolve(&targets, &lost), changed, "{addresses:?}");
            assert_eq!(it.current(), expected.map(target), "{addresses:?}");
        }
        assert_eq!(it.name_trouble(), Some(NameTrouble { lack: Lack::NoSuchName, stale: false }));
    }

    #[test]
    fn redirections_keep_the_lines_transport() {
        let tcp = Transport::Tcp;
        let address = "203.0.113.9:5070".parse().expect("an address");
        let straight = Ok(Way::Straight(Target { transport: tcp, address }));
        assert_eq!(redirection("sip:5678@203.0.113.9:5070", Some(tcp)), straight);
        let place = Place { name: "b.example".into(), port: None, transport: Some(tcp) };
        let named = Ok(Way::Named(place));
        assert_eq!(redirection("sip:b.example;transport=udp", Some(tcp)), named);
        assert_eq!(redirection("sips:b.example", Some(tcp)), Err(NoWay::Secure));
        // Where DNS chooses, the carrier may.
        assert_eq!(redirection("sip:b.example;transport=tcp", None), named);
        assert_eq!(redirection("sip:5678@203.0.113.9:5070;transport=tcp", None), straight);
    }
}
