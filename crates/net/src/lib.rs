//! Streams between the network and the core: SIP over TCP (RFC 3261 §18), framed here; and the names
//! of DNS (RFC 3263), looked up here.
//!
//! Connections live in tokio tasks, which the core's thread never waits for: it takes what they
//! framed with [`Streams::poll`] and hands out bytes with [`Streams::send`]. Messages are parsed in
//! one place, the core.

mod names;
mod tcp;

pub use names::{NEGATIVE_TTL, Names, POSITIVE_TTL, QUEUE as NAMES_QUEUE, STALE_MAX};
pub use tcp::{
    BindError, CORE_QUEUE, Counters, FromStream, Limits, MAX_CONNECTIONS,
    MAX_CONNECTIONS_PER_SOURCE, OUTPUT_BYTES, OUTPUT_MESSAGES, SendError, Streams, Wake,
};
