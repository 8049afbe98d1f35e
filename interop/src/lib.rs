//! What the interop tests, the faults and the benchmarks share: the real server as a process, scripted phones, load,
//! and the programs of others.
//!
//! Everything here is an edge: it reads the clock and talks over loopback. Nothing of the server's own code judges
//! the server: messages, digests and tones are read by code of this crate.

pub mod baresip;
pub mod browser;
pub mod cases;
pub mod clock;
pub mod dialog;
pub mod digest;
pub mod dns;
pub mod events;
pub mod faults;
pub mod http;
pub mod kamailio;
pub mod load;
pub mod message;
pub mod metrics;
pub mod phone;
pub mod process;
pub mod report;
pub mod rtp;
pub mod server;
pub mod sipp;
pub mod tone;
pub mod wire;
