//! What programs made for miniSIPServer expect: its HTTP API, its event channel and its call-back.
//!
//! All of it is off until a setting turns it on, and changes with the settings without a restart. The
//! vendor publishes little of its formats; what is ours is written down in `docs/minisipserver.md`.

mod call_back;
mod channel;
pub(crate) mod openapi;
mod port;
mod requoted;

pub(crate) use requoted::Requoted;

use crate::Office;
use crate::events::{Kinds, Reader};
use ipnet::IpNet;
use pbx::id::TenantId;
use pbx::settings::Settings;
use std::net::IpAddr;
use std::sync::Arc;

/// Serves event channel and call-back as the settings say, until it is dropped.
pub async fn serve(office: Office) {
    tokio::join!(channel::serve(office.clone()), call_back::serve(office));
}

/// For the fuzz target `call_back`: a datagram of the call-back, whatever stands in it.
pub fn fuzz_call_back(bytes: &[u8]) {
    call_back::fuzz(bytes);
}

/// For the fuzz target `request_line`: how a connection of openAPI begins.
pub fn fuzz_request_line(bytes: &[u8]) {
    requoted::holds(bytes);
}

fn settings(office: &Office) -> Arc<Settings> {
    let directory = office.running.directory();
    directory.tenant(TenantId::default()).map(|it| it.settings.clone()).unwrap_or_default()
}

/// Whether an address is one of those that may ask.
fn is_among(address: IpAddr, listed: &[String]) -> bool {
    let address = address.to_canonical();
    listed.iter().any(|it| match (it.parse::<IpAddr>(), it.parse::<IpNet>()) {
        (Ok(one), _) => one.to_canonical() == address,
        (_, Ok(net)) => net.contains(&address),
        (Err(_), Err(_)) => false,
    })
}

/// Follows the changes of the settings.
struct Changes(Option<Reader>);

impl Changes {
    fn of(office: &Office) -> Self {
        let kinds = Kinds::parse("config.changed").unwrap_or(Kinds::ALL);
        Self(office.running.events().read(None, kinds))
    }

    /// Waits until `wanted` of the settings differs from `now`.
    async fn away_from<T: PartialEq>(
        &mut self,
        office: &Office,
        now: &T,
        wanted: impl Fn(&Settings) -> T,
    ) {
        // Without a place among the readers, what runs goes on until the next start.
        let Some(reader) = &mut self.0 else { return std::future::pending().await };
        while wanted(&settings(office)) == *now {
            reader.wait().await;
            reader.take();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_table() {
        let listed = ["127.0.0.1".to_owned(), "10.1.0.0/16".to_owned(), "fe80::/10".to_owned()];
        #[rustfmt::skip]
        let table = [
            ("127.0.0.1",        true),
            ("::ffff:127.0.0.1", true),
            ("10.1.2.3",         true),
            ("fe80::1",          true),
            ("10.2.0.1",         false),
            ("::1",              false),
        ];
        for (address, expected) in table {
            assert_eq!(is_among(address.parse().unwrap(), &listed), expected, "{address}");
        }
        assert!(!is_among("127.0.0.1".parse().unwrap(), &[]));
    }
}
