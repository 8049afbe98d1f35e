//! What the machine is: its addresses, which the core is told of.

use crate::config::Advertised;
use crate::drive::{Order, Orders};
use ipnet::IpNet;
use pbx::network::Network;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::sync::watch;
use udp::{Family, default_source, interface_addresses};

/// How often the addresses are looked at. Unit: seconds.
const REFRESH: Duration = Duration::from_secs(30);

/// The network as it is now, of a server whose UDP sockets of SIP are these.
pub(crate) fn network(advertised: &Advertised, bound: &[SocketAddr]) -> Network {
    let found = interface_addresses().unwrap_or_else(|error| {
        tracing::error!(%error, "the addresses of this machine are not known");
        vec![]
    });
    let interfaces: Vec<IpNet> =
        found.iter().filter_map(|(address, length)| IpNet::new(*address, *length).ok()).collect();
    Network {
        advertise: advertised.rows(&interfaces),
        interfaces,
        listens: listens(bound),
        default_v4: default_source(Family::V4),
        default_v6: default_source(Family::V6),
    }
}

/// What this machine is called.
pub(crate) fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What this machine is called by those who are near: its host name and its addresses, without those
/// that hold on one link only.
pub(crate) fn names() -> Vec<String> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_name = |it: &String| {
        !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric() || b"-.".contains(&it))
    };
    let mut names = vec!["localhost".to_owned()];
    names.extend(Some(host).filter(is_name).filter(|it| it != "localhost"));
    let found = interface_addresses().unwrap_or_default();
    let on_one_link = |it: &IpAddr| match it {
        IpAddr::V4(it) => it.is_link_local(),
        IpAddr::V6(it) => it.is_unicast_link_local(),
    };
    let addresses = found.into_iter().map(|it| it.0).filter(|it| !on_one_link(it));
    names.extend(addresses.map(|it| it.to_string()));
    names
}

/// The addresses that are listened on one by one; none where one of them stands for all.
fn listens(bound: &[SocketAddr]) -> Vec<SocketAddr> {
    let everywhere = bound.iter().any(|it| it.ip().is_unspecified());
    if everywhere { vec![] } else { bound.to_vec() }
}

/// The address that media ports are bound on: the one that is listened on, else all.
pub(crate) fn media_address(bound: &[SocketAddr]) -> IpAddr {
    let mut addresses: Vec<IpAddr> = listens(bound).iter().map(SocketAddr::ip).collect();
    addresses.dedup();
    match addresses[..] {
        [address] => address,
        _ => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// Tells the core whenever the network, or what is to be told of it, has changed, until the core
/// or the server has ended.
pub(crate) async fn watch_network(
    mut advertised: watch::Receiver<Advertised>,
    bound: Vec<SocketAddr>,
    orders: Orders,
) {
    let mut known = network(&advertised.borrow_and_update(), &bound);
    loop {
        if let Ok(Err(_)) = tokio::time::timeout(REFRESH, advertised.changed()).await {
            return;
        }
        let found = network(&advertised.borrow_and_update(), &bound);
        if found != known {
            tracing::info!(
                addresses = found.interfaces.len(),
                "the addresses of this machine changed"
            );
            known = found.clone();
            if !orders.give(Order::Network(found)) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn listening_table() {
        #[rustfmt::skip]
        let table: [(&[&str], &[&str], &str); 6] = [
            // sockets                              listened on one by one                 media
            (&["[::]:5060"],                         &[],                                   "::"),
            (&["0.0.0.0:5060", "10.0.0.1:5080"],     &[],                                   "::"),
            (&["127.0.0.2:5060"],                    &["127.0.0.2:5060"],                   "127.0.0.2"),
            (&["10.0.0.1:5060", "10.0.0.1:5080"],    &["10.0.0.1:5060", "10.0.0.1:5080"],   "10.0.0.1"),
            (&["10.0.0.1:5060", "[::1]:5060"],       &["10.0.0.1:5060", "[::1]:5060"],      "::"),
            (&[],                                    &[],                                   "::"),
        ];
        for (bound, one_by_one, media) in table {
            let addresses = |it: &[&str]| -> Vec<SocketAddr> {
                it.iter().map(|it| it.parse().unwrap()).collect()
            };
            let bound = addresses(bound);
            assert_eq!(listens(&bound), addresses(one_by_one), "{bound:?}");
            assert_eq!(media_address(&bound), media.parse::<IpAddr>().unwrap(), "{bound:?}");
        }
    }
}
