//! Which trunks a source may belong to: an index, so that a stranger's INVITE costs the same however
//! many trunks there are.

use super::live::{LiveTrunk, TrunkKey};
use ipnet::IpNet;
use smallvec::SmallVec;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

type Keys = SmallVec<[TrunkKey; 1]>;

/// Trunks by the addresses of their servers and by their source networks.
#[derive(Debug, Default)]
pub(super) struct Sources {
    by_address: HashMap<IpAddr, Keys, ahash::RandomState>,
    by_network: HashMap<IpNet, Keys, ahash::RandomState>,
    /// The lengths of the prefixes that there are, of IPv4 and of IPv6.
    lengths: [BTreeSet<u8>; 2],
}

impl Sources {
    pub(super) fn of<'a>(trunks: impl Iterator<Item = &'a LiveTrunk>) -> Self {
        let mut sources = Self::default();
        for trunk in trunks {
            for address in trunk.servers.iter().filter_map(|it| it.address) {
                let keys = sources.by_address.entry(address.ip().to_canonical()).or_default();
                keys.push(trunk.key);
            }
            for network in &trunk.config.sources {
                let family = usize::from(network.addr().is_ipv6());
                sources.lengths[family].insert(network.prefix_len());
                sources.by_network.entry(network.trunc()).or_default().push(trunk.key);
            }
        }
        sources
    }

    /// The trunks with a server at this address or a network around it, some of them twice.
    pub(super) fn near(&self, ip: IpAddr) -> impl Iterator<Item = TrunkKey> {
        let ip = ip.to_canonical();
        let networks = self.lengths[usize::from(ip.is_ipv6())]
            .iter()
            .filter_map(move |length| self.by_network.get(&IpNet::new(ip, *length).ok()?.trunc()));
        self.by_address.get(&ip).into_iter().chain(networks).flatten().copied()
    }
}
