//! UDP sockets that receive and send in batches, know which local address was asked and mark
//! their packets (DSCP), and the readiness polling that goes with them.
//!
//! The lowest layer: `net`, `media` and the server's loop stand on it. It is the only crate with
//! `unsafe`, because the standard library offers neither `recvmmsg` nor packet information
//! (RFC 3542 §6).

mod address;
mod batch;
mod calls;
mod control;
mod interfaces;
mod poller;
mod send;
mod socket;

pub use batch::{Batch, Datagram};
pub use calls::{Calls, calls};
pub use interfaces::{Family, default_source, interface_addresses};
pub use poller::{Events, Poller, Waker};
pub use send::{Sent, Transmit};
pub use socket::{BindError, Options, Socket, lacks_ipv6};

/// DSCP of voice media: expedited forwarding (RFC 3246, RFC 4594 §4.1).
pub const DSCP_EF: u8 = 46;

/// DSCP of signalling: class selector 3, as phones and switches of the trade mark it.
pub const DSCP_CS3: u8 = 24;
