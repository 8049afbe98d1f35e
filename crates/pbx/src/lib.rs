//! The domain: registrar, directory, routing, calls and their records, without I/O.
//!
//! Read [`core`] first: it owns everything and says what goes in and what comes out.

pub mod core;
pub mod counters;
pub mod directory;
pub mod event;
pub mod id;
pub mod media;
pub mod network;
pub mod record;
pub mod release;
pub mod settings;
pub mod time;
