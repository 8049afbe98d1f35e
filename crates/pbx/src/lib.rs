//! The domain: registrar, directory, routing, calls and their records, without I/O.
//!
//! Read [`core`] first: it owns everything and says what goes in and what comes out.

pub mod authenticate;
pub mod call;
pub mod core;
pub mod counters;
pub mod dialplan;
pub mod digit;
pub mod directory;
pub mod event;
pub mod finding;
pub mod guard;
pub mod id;
pub mod interop;
pub mod language;
pub mod light;
pub mod line;
pub mod media;
pub mod names;
pub mod network;
pub mod office;
pub mod origin;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod ports;
pub mod privacy;
pub mod record;
pub mod registrar;
pub mod release;
pub mod settings;
pub mod shared;
pub mod supplementary;
pub mod time;
pub mod trunk;
pub mod verdict;

/// Text of which up to 23 octets stand in the value itself, and longer ones are shared: numbers, names, devices,
/// codecs. What a call copies from one place to another costs no allocation.
pub use smol_str::SmolStr;
