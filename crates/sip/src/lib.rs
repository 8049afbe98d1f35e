//! SIP without sockets, clocks, threads or async: text ⇄ types, transactions, dialogs, sessions.
//!
//! Messages come in as bytes with a [`Flow`] and the time, and leave as bytes with a [`Flow`].
//! Read [`message`] for the text, [`frame`] for streams, [`endpoint`] for the transactions.

pub mod flow;

pub use flow::{ConnectionId, Flow, Transport};
