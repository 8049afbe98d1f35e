//! What survives: the journal files, their projection into SQL and CSV, and the directory.
//!
//! The edge between the core's facts and the disk. The server starts it, the core thread only ever
//! appends to the journal (architecture, "What survives" and "Data").

pub mod backup;
pub mod columns;
pub mod db;
pub mod directory;
pub mod error;
pub mod journal;
pub mod lock;
mod owner;
pub mod password;
mod projection;
pub mod recover;
mod runtime;
pub mod secret;
#[cfg(test)]
mod tests;
pub mod thread;

pub use db::Db;
pub use error::StoreError;
pub use projection::csv;
pub use recover::Recovery;
pub use runtime::{
    Offline, Options, Started, StoreHandle, StoreMetrics, StoreProbe, open_offline, start,
};
