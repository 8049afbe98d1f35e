//! The journal: every fact that must survive, in the order the core stated it.
//!
//! The core thread appends before it answers, the keeper syncs once a second, the projection
//! reads behind. Segments of 64 MiB, one spare allocated ahead (architecture, "What survives").

mod frame;
mod keeper;
mod reader;
#[cfg(test)]
pub(crate) mod samples;
mod segment;
mod status;
#[cfg(test)]
mod tests;
mod writer;

pub use frame::{FRAME_BYTES_MAX, Sequence};
pub(crate) use frame::{frame, unframe};
pub use reader::{Batch, Gap, Reader, can_delete_before, delete_before, newest_begin};
pub(crate) use segment::preallocate;
pub use segment::{Disk, Quota, SEGMENT_BYTES, SEGMENT_BYTES_MIN};
pub use status::{State, Status};
pub use writer::{AppendOutcome, KeeperHandle, SPOOL_BYTES_FULL, SPOOL_BYTES_MAX, Writer};
