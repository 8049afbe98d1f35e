//! What survives: the journal files, their projection into SQL and CSV, and the directory.
//!
//! The edge between the core's facts and the disk. The server starts it, the core thread only ever
//! appends to the journal (architecture, "What survives" and "Data").

pub mod columns;
pub mod db;
pub mod directory;
pub mod error;
pub mod journal;
pub mod lock;
pub mod password;
pub mod secret;

pub use db::Db;
pub use error::StoreError;
