//! Which of our addresses a peer should be told: one pure function for Via, Contact, SDP and media.

use ipnet::IpNet;
use std::cmp::Reverse;
use std::net::{IpAddr, SocketAddr};

/// What the edge knows of the machine's network; given to the core whenever it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Our addresses with their subnets.
    pub interfaces: Vec<IpNet>,
    /// Where we listen over UDP, by address; empty: on all addresses. What we send leaves from
    /// where we listen, for peers know us by it.
    pub listens: Vec<SocketAddr>,
    /// What to tell peers in a network instead of our real address; the longest prefix wins.
    pub advertise: Vec<Advertise>,
    /// The address the kernel would use towards the rest of the world, per family.
    pub default_v4: Option<IpAddr>,
    pub default_v6: Option<IpAddr>,
}

/// One row of the advertise table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertise {
    /// Peers of this network …
    pub peers: IpNet,
    /// … are told this address.
    pub address: IpAddr,
}

/// Our address towards one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Where packets leave from.
    pub source: IpAddr,
    /// What Via, Contact and SDP say.
    pub advertised: IpAddr,
}

impl Network {
    /// Our address towards `remote` for something new; `None` where the family is not available.
    pub fn local_for(&self, remote: IpAddr) -> Option<Local> {
        let source = self.source_for(remote)?;
        Some(Local { source, advertised: self.advertised(source, remote) })
    }

    /// The pair for a flow that exists: packets leave from the address that was asked.
    pub fn local_of(&self, local: SocketAddr, remote: SocketAddr) -> Local {
        Local { source: local.ip(), advertised: self.advertised(local.ip(), remote.ip()) }
    }

    /// Where a stream to `remote` is opened from; `None`: the kernel knows best.
    pub fn stream_source(&self, remote: IpAddr) -> Option<IpAddr> {
        self.source_for(remote).filter(|_| !self.listens.is_empty())
    }

    /// The port of ours at `source`, where we listen there by address.
    pub fn port_at(&self, source: IpAddr) -> Option<u16> {
        self.listens.iter().find(|it| it.ip() == source).map(SocketAddr::port)
    }

    fn source_for(&self, remote: IpAddr) -> Option<IpAddr> {
        let usual = self.usual_source_for(remote);
        if self.listens.is_empty() {
            return usual;
        }
        let ours = self.listens.iter().map(SocketAddr::ip);
        let ours = ours.filter(|it| it.is_ipv4() == remote.is_ipv4());
        // The longest prefix that both are within, no matter whose interface it is.
        let near = |it: &IpAddr| {
            let common =
                self.interfaces.iter().filter(|net| net.contains(it) && net.contains(&remote));
            Reverse(common.map(IpNet::prefix_len).max())
        };
        usual.filter(|it| self.port_at(*it).is_some()).or_else(|| ours.min_by_key(near))
    }

    fn usual_source_for(&self, remote: IpAddr) -> Option<IpAddr> {
        let in_its_subnet = |it: &&IpNet| it.contains(&remote);
        let nearest = self.interfaces.iter().filter(in_its_subnet).max_by_key(|it| it.prefix_len());
        let default = if remote.is_ipv4() { self.default_v4 } else { self.default_v6 };
        let same_family = |it: &&IpNet| it.addr().is_ipv4() == remote.is_ipv4();
        nearest
            .map(IpNet::addr)
            .or(default)
            .or_else(|| self.interfaces.iter().find(same_family).map(IpNet::addr))
    }

    fn advertised(&self, source: IpAddr, remote: IpAddr) -> IpAddr {
        let of_its_network = |it: &&Advertise| {
            it.peers.contains(&remote) && it.address.is_ipv4() == source.is_ipv4()
        };
        let row =
            self.advertise.iter().filter(of_its_network).max_by_key(|it| it.peers.prefix_len());
        row.map_or(source, |it| it.address)
    }
}

/// Whether an address only means something inside its own network (RFC 1918, 6598, 4193 and
/// link-local and loopback).
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(it) => {
            let [a, b, ..] = it.octets();
            it.is_private()
                || it.is_loopback()
                || it.is_link_local()
                || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(it) => it.is_loopback() || it.is_unique_local() || it.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn local_for_table() {
        let network = Network {
            interfaces: ["192.168.1.10/24", "10.8.0.1/16", "127.0.0.1/8", "2001:db8::1/64"]
                .map(|it| it.parse().expect("a network"))
                .into(),
            advertise: vec![
                Advertise { peers: "0.0.0.0/0".parse().expect("net"), address: ip("203.0.113.5") },
                Advertise {
                    peers: "192.168.0.0/16".parse().expect("net"),
                    address: ip("192.168.1.10"),
                },
                Advertise { peers: "10.0.0.0/8".parse().expect("net"), address: ip("10.8.0.1") },
            ],
            default_v4: Some(ip("192.168.1.10")),
            ..Network::default()
        };
        #[rustfmt::skip]
        let table = [
            // peer           source          told
            ("192.168.1.77",  "192.168.1.10", "192.168.1.10"),
            ("10.8.4.4",      "10.8.0.1",     "10.8.0.1"),
            ("198.51.100.9",  "192.168.1.10", "203.0.113.5"),
            ("2001:db8::77",  "2001:db8::1",  "2001:db8::1"),
        ];
        for (peer, source, advertised) in table {
            let expected = Local { source: ip(source), advertised: ip(advertised) };
            assert_eq!(network.local_for(ip(peer)), Some(expected), "towards {peer}");
        }
        assert_eq!(Network::default().local_for(ip("10.0.0.1")), None);
        assert_eq!(network.stream_source(ip("192.168.1.77")), None);
    }

    #[test]
    fn what_is_listened_on_is_the_source() {
        let interfaces = ["192.168.1.10/24", "10.8.0.1/16", "127.0.0.1/8", "2001:db8::1/64"];
        let all = Network {
            interfaces: interfaces.map(|it| it.parse().expect("a network")).into(),
            default_v4: Some(ip("192.168.1.10")),
            ..Network::default()
        };
        #[rustfmt::skip]
        let table: [(&[&str], &str, Option<&str>); 7] = [
            // we listen on                           peer             source
            (&["127.0.0.2:5060"],                     "127.0.0.3",     Some("127.0.0.2:5060")),
            (&["10.8.0.1:5060"],                      "192.168.1.77",  Some("10.8.0.1:5060")),
            (&["10.8.0.1:5060", "127.0.0.2:5070"],    "127.0.0.1",     Some("127.0.0.2:5070")),
            (&["10.8.0.1:5060", "192.168.1.10:5070"], "198.51.100.9",  Some("192.168.1.10:5070")),
            (&["10.8.0.1:5060", "127.0.0.2:5070"],    "198.51.100.9",  Some("10.8.0.1:5060")),
            (&["10.8.0.1:5060"],                      "2001:db8::77",  None),
            (&["10.8.0.1:5060", "[2001:db8::1]:5080"], "2001:db8::77", Some("[2001:db8::1]:5080")),
        ];
        for (listens, peer, expected) in table {
            let listens = listens.iter().map(|it| it.parse().expect("an address")).collect();
            let network = Network { listens, ..all.clone() };
            let source = network.local_for(ip(peer)).map(|it| it.source);
            assert_eq!(network.stream_source(ip(peer)), source);
            let socket = source.and_then(|it| Some(SocketAddr::new(it, network.port_at(it)?)));
            assert_eq!(socket.map(|it| it.to_string()).as_deref(), expected, "towards {peer}");
        }
    }
}
