//! Which way the media of two phones goes: through us or past us.
//!
//! Asked once, when a call begins; what follows from it is [`super::media`].

use crate::directory::Relay;
use crate::network::is_private;
use std::net::IpAddr;

/// Whether the media of two phones goes through us.
///
/// `signalled` and `stated` are each phone's source address and the address it states for itself.
pub(super) fn relay(caller: Relay, callee: Relay, phones: [(IpAddr, Option<IpAddr>); 2]) -> bool {
    let direct = |(signalled, stated): (IpAddr, Option<IpAddr>)| stated == Some(signalled);
    let [(one, _), (other, _)] = phones;
    let apart = is_private(one) != is_private(other) || one.is_ipv4() != other.is_ipv4();
    match (caller, callee) {
        (Relay::Always, _) | (_, Relay::Always) => true,
        (Relay::Never, Relay::Never) => false,
        (Relay::Auto | Relay::Never, Relay::Auto | Relay::Never) => {
            apart || !phones.into_iter().all(direct)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relay_table() {
        use Relay::{Always, Auto, Never};
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let lan = (ip("192.168.1.7"), Some(ip("192.168.1.7")));
        let lan2 = (ip("192.168.1.8"), Some(ip("192.168.1.8")));
        let nat = (ip("203.0.113.7"), Some(ip("10.0.0.2")));
        let far = (ip("203.0.113.8"), Some(ip("203.0.113.8")));
        let v6 = (ip("2001:db8::7"), Some(ip("2001:db8::7")));
        #[rustfmt::skip]
        let table = [
            (Always, Never,  [lan, lan2], true),
            (Never,  Always, [lan, lan2], true),
            (Never,  Never,  [lan, nat],  false),
            (Auto,   Auto,   [lan, lan2], false),
            (Auto,   Never,  [lan, nat],  true),
            (Auto,   Auto,   [far, nat],  true),
            (Auto,   Auto,   [lan, far],  true),
            (Auto,   Auto,   [far, v6],   true),
        ];
        for (caller, callee, phones, expected) in table {
            assert_eq!(relay(caller, callee, phones), expected, "{caller:?} {callee:?} {phones:?}");
        }
    }
}
