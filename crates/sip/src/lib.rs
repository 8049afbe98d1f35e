//! SIP without sockets, clocks, threads or async: text ⇄ types, transactions, dialogs, sessions.
//!
//! Messages come in as bytes with a [`Flow`] and the time, and leave as bytes with a [`Flow`].
//! Read [`message`] for the text, [`frame`] for streams, [`endpoint`] for the transactions and
//! [`session`] for what a call is made of.

pub mod auth;
pub mod dialog;
pub mod endpoint;
pub mod flow;
pub mod frame;
pub mod locate;
pub mod message;
mod piece;
pub mod route_set;
pub mod session;
pub mod slack;
pub mod tag;
pub mod target;
pub mod timers;
pub mod transaction;

pub use flow::{ConnectionId, Flow, Transport};
pub use piece::Piece;
pub use tag::Tag;
