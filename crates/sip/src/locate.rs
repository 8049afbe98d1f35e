//! Locating the servers of a name (RFC 3263): what is asked of DNS, and the targets in the order
//! they are tried.
//!
//! Nothing here asks anybody: [`search::locate`] names the questions it lacks answers to, and
//! [`order::targets`] draws the order from what was found, with chance as an argument.

pub mod order;
pub mod search;

pub use search::{Located, Service};

use crate::flow::Transport;
use crate::message::{Host, Uri};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The port of a target that names none (RFC 3261 §19.1.2).
pub const SIP_PORT: u16 = 5060;

/// The transports we speak, the preferred one first.
pub const TRANSPORTS: [Transport; 2] = [Transport::Udp, Transport::Tcp];

/// Where one request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub transport: Transport,
    pub address: SocketAddr,
}

/// `203.0.113.5:5060 (UDP)`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.transport.via_name())
    }
}

/// A name whose servers are to be located.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// In lower case, without the dot of the root.
    pub name: Box<str>,
    pub port: Option<u16>,
    pub transport: Option<Transport>,
}

/// What a URI or a setting leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// An address: nothing is to be asked (RFC 3263 §4.1, §4.2).
    Straight(Target),
    Named(Place),
}

/// Why a URI leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    #[error("not a SIP URI")]
    Scheme,
    #[error("sips needs TLS")]
    Secure,
    #[error("a transport that is not spoken here")]
    Transport,
    #[error("not a host")]
    Host,
}

impl Way {
    /// Where requests to this URI go.
    pub fn of_uri(uri: &Uri<'_>) -> Result<Self, NoWay> {
        let Uri::Sip { secure, host, port, .. } = uri else { return Err(NoWay::Scheme) };
        if *secure {
            return Err(NoWay::Secure);
        }
        let spoken = |name: &str| {
            let same = |it: &Transport| it.uri_name().eq_ignore_ascii_case(name);
            TRANSPORTS.into_iter().find(same).ok_or(NoWay::Transport)
        };
        let transport = uri.transport().map(spoken).transpose()?;
        // RFC 3263 §4: the target is the maddr where there is one.
        match uri.maddr() {
            Some(maddr) => {
                Self::new(Host::parse(maddr).map_err(|_| NoWay::Host)?, *port, transport)
            }
            None => Self::new(*host, *port, transport),
        }
    }

    /// Where `host` or `host:port` of a setting leads.
    pub fn of_text(text: &str, transport: Option<Transport>) -> Result<Self, NoWay> {
        let (host, port) = Host::parse_with_port(text).map_err(|_| NoWay::Host)?;
        Self::new(host, port, transport)
    }

    fn new(host: Host<'_>, port: Option<u16>, transport: Option<Transport>) -> Result<Self, NoWay> {
        match host {
            Host::Ip(ip) => {
                let address = (ip.to_canonical(), port.unwrap_or(SIP_PORT)).into();
                let transport = transport.unwrap_or(Transport::Udp);
                Ok(Self::Straight(Target { transport, address }))
            }
            Host::Name(name) => {
                let name = plain(name);
                let is_name = !name.is_empty() && name.len() <= NAME_LENGTH_MAX;
                is_name.then_some(Self::Named(Place { name, port, transport })).ok_or(NoWay::Host)
            }
        }
    }
}

/// Longest name (RFC 1035 §2.3.4). Unit: octets.
const NAME_LENGTH_MAX: usize = 253;

/// A name as [`Place`] and [`Question`] have it.
pub fn plain(name: &str) -> Box<str> {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into()
}

/// The name and what is not left to DNS: `sip.example.com:5060 (udp)`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.transport {
            Some(transport) => write!(f, " ({})", transport.uri_name()),
            None => Ok(()),
        }
    }
}

/// One question for DNS.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    pub name: Box<str>,
    pub kind: Kind,
}

/// The types of records that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// RFC 3403.
    Naptr,
    /// RFC 2782.
    Srv,
    A,
    /// RFC 3596.
    Aaaa,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Naptr => "NAPTR",
            Self::Srv => "SRV",
            Self::A => "A",
            Self::Aaaa => "AAAA",
        }
    }
}

/// What DNS says to a question.
pub type Answer = Result<Records, Lack>;

/// The records of one answer, never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    Naptr(Vec<Naptr>),
    Srv(Vec<Srv>),
    Addresses(Vec<IpAddr>),
}

/// Which service a name has, and under which other name (RFC 3403 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    pub order: u16,
    pub preference: u16,
    pub flags: Box<str>,
    pub services: Box<str>,
    pub regexp: Box<str>,
    pub replacement: Box<str>,
}

/// A server of a service (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub target: Box<str>,
}

/// Why a name leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lack {
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// The name exists, without what is asked for.
    NoRecords,
    /// No server of DNS answered, or none could (SERVFAIL).
    NoAnswer,
}

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    Found(Located),
    /// It leads nowhere now; what was found before stands in for some time.
    Stale(Located, Lack),
    Nothing(Lack),
}

impl Resolution {
    pub fn located(&self) -> Option<&Located> {
        match self {
            Self::Found(located) | Self::Stale(located, _) => Some(located),
            Self::Nothing(_) => None,
        }
    }

    /// What is wrong, if anything.
    pub fn lack(&self) -> Option<Lack> {
        match self {
            Self::Found(_) => None,
            Self::Stale(_, lack) | Self::Nothing(lack) => Some(*lack),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Transport::{Tcp, Udp};

    #[test]
    fn what_uris_lead_to() {
        let at = |transport, address: &str| {
            let address = address.parse().expect("an address");
            Ok(Way::Straight(Target { transport, address }))
        };
        let named = |name: &str, port, transport| {
            Ok(Way::Named(Place { name: name.into(), port, transport }))
        };
        #[rustfmt::skip]
        let table = [
            ("sip:a@192.0.2.4",                        at(Udp, "192.0.2.4:5060")),
            ("sip:a@192.0.2.4:5080;transport=tcp",     at(Tcp, "192.0.2.4:5080")),
            ("sip:a@[2001:db8::4]",                    at(Udp, "[2001:db8::4]:5060")),
            ("sip:a@[::ffff:192.0.2.4]",               at(Udp, "192.0.2.4:5060")),
            ("sip:example.com",                        named("example.com", None, None)),
            ("sip:a@Example.COM.;transport=UDP",       named("example.com", None, Some(Udp))),
            ("sip:a@example.com:5070",                 named("example.com", Some(5070), None)),
            ("sip:a@example.com:5070;transport=tcp",   named("example.com", Some(5070), Some(Tcp))),
            ("sip:a@example.com;maddr=192.0.2.9",      at(Udp, "192.0.2.9:5060")),
            ("sip:a@192.0.2.4;maddr=other.example",    named("other.example", None, None)),
            ("sips:a@example.com",                     Err(NoWay::Secure)),
            ("sip:a@example.com;transport=sctp",       Err(NoWay::Transport)),
            ("tel:+4930",                              Err(NoWay::Scheme)),
        ];
        for (text, expected) in table {
            let uri = Uri::parse(text).expect("a URI");
            assert_eq!(Way::of_uri(&uri), expected, "{text}");
        }
    }

    #[test]
    fn what_settings_lead_to() {
        let place = |port| {
            Ok(Way::Named(Place { name: "sip.example.com".into(), port, transport: Some(Tcp) }))
        };
        assert_eq!(Way::of_text("sip.example.com", Some(Tcp)), place(None));
        assert_eq!(Way::of_text("sip.example.com:5061", Some(Tcp)), place(Some(5061)));
        assert_eq!(Way::of_text("", Some(Tcp)), Err(NoWay::Host));
        assert_eq!(Way::of_text(".", Some(Tcp)), Err(NoWay::Host));
        assert_eq!(Way::of_text("a b", None), Err(NoWay::Host));
    }
}
