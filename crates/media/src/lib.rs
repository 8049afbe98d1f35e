//! The media edge: relays RTP, RTCP and whatever else comes on a media port between the legs of
//! a call, and says what it carried.
//!
//! Between the core's media vocabulary (`pbx::media`) and the sockets (`udp`). [`Session`] decides
//! and does no I/O; [`Media`] has the sockets and the threads. RFC 3550 (RTP), RFC 4961 (symmetric
//! RTP), RFC 5761 (RTP and RTCP on one port).

mod driver;
pub mod session;

pub use driver::{Config, Full, Lost, Media, Totals};
pub use session::Session;
