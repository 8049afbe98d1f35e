//! Streams between the network and the core: SIP over TCP (RFC 3261 §18), framed here.
//!
//! Connections live in tokio tasks, which the core's thread never waits for: it takes what they
//! framed with [`Streams::poll`] and hands out bytes with [`Streams::send`]. Messages are parsed in
//! one place, the core.

mod tcp;

pub use tcp::{
    BindError, CORE_QUEUE, Counters, FromStream, Limits, MAX_CONNECTIONS,
    MAX_CONNECTIONS_PER_SOURCE, OUTPUT_BYTES, OUTPUT_MESSAGES, SendError, Streams, Wake,
};
