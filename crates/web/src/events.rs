//! What happens, told to whoever listens: one catalogue of events, and one ring that every carrier reads.
//!
//! The board's thread puts what is news into the [`ring`](Ring). What nobody asks for is never made into a text;
//! what somebody asks for is, once, by the first reader that comes to it (`docs/events.md` is for its users).

mod catalogue;
mod news;
mod render;
mod ring;
mod sse;
mod ws;

pub use catalogue::{Kind, Kinds};
pub use news::{Before, Fact, Novelty, news};
pub(crate) use render::{LOST, lost};
pub use ring::{Batch, Happened, Position, Reader, Ring};
pub(crate) use sse::{on_events, too_many};
pub(crate) use ws::on_ws;
