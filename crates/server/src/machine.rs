//! What the machine is: its addresses, which the core is told of, and its language.

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

/// Whether the environment asks for Chinese: `zh`, in the order of POSIX.
pub(crate) fn speaks_chinese(variable: impl Fn(&str) -> Option<String>) -> bool {
    let first = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable);
    first.filter(|it| !it.is_empty()).take(1).any(|it| it.to_lowercase().starts_with("zh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_table() {
        #[rustfmt::skip]
        let table: [(&[(&str, &str)], bool); 5] = [
            (&[("LANG", "zh_CN.UTF-8")],                      true),
            (&[("LANG", "en_US.UTF-8")],                      false),
            (&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")],     false),
            (&[("LC_ALL", ""), ("LC_MESSAGES", "zh_TW")],     true),
            (&[],                                             false),
        ];
        for (variables, expected) in table {
            let get = |name: &str| {
                let found = variables.iter().find(|(it, _)| *it == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(speaks_chinese(get), expected, "{variables:?}");
        }
    }
}
