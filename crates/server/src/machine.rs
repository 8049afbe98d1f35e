//! What the machine is: its addresses, which the core is told of.

use crate::config::Advertised;
use crate::drive::{Order, Orders};
use ipnet::IpNet;
use pbx::network::Network;
use std::time::Duration;
use tokio::sync::watch;
use udp::{Family, default_source, interface_addresses};

/// How often the addresses are looked at. Unit: seconds.
const REFRESH: Duration = Duration::from_secs(30);

/// The network as it is now.
pub(crate) fn network(advertised: &Advertised) -> Network {
    let found = interface_addresses().unwrap_or_else(|error| {
        tracing::error!(%error, "the addresses of this machine are not known");
        vec![]
    });
    let interfaces: Vec<IpNet> =
        found.iter().filter_map(|(address, length)| IpNet::new(*address, *length).ok()).collect();
    Network {
        advertise: advertised.rows(&interfaces),
        interfaces,
        default_v4: default_source(Family::V4),
        default_v6: default_source(Family::V6),
    }
}

/// Tells the core whenever the network, or what is to be told of it, has changed, until the core
/// or the server has ended.
pub(crate) async fn watch_network(
    mut advertised: watch::Receiver<Advertised>,
    mut known: Network,
    orders: Orders,
) {
    loop {
        if let Ok(Err(_)) = tokio::time::timeout(REFRESH, advertised.changed()).await {
            return;
        }
        let found = network(&advertised.borrow_and_update());
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
