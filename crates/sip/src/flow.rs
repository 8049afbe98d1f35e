//! The way a message came, and the way its answer goes back.
//!
//! Every binding, dialog and transaction stores the flow it was born on (cf. RFC 5626 §3.1), so
//! that answers leave from the address that was asked and requests use the pinhole that is open.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;

/// A SIP transport (RFC 3261 §18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    /// Whether the transport itself resends what is lost (RFC 3261 §17: "reliable").
    pub fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp => true,
        }
    }

    /// The name in a Via header (RFC 3261 §20.42).
    pub fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }

    /// The value of a `transport` URI parameter (RFC 3261 §19.1.1).
    pub fn uri_name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// One stream connection, named by the edge that holds it. Never used twice in a process' life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

/// Where a message came from and where it arrived; reversed, how to answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flow {
    pub transport: Transport,
    /// Our address the peer knows: never unspecified.
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// The connection of a stream transport; `None` over UDP.
    pub connection: Option<ConnectionId>,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} <-> {}", self.transport.uri_name(), self.local, self.remote)
    }
}
