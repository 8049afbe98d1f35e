//! What the tests stand on; never part of the product.
//!
//! [`ladder::check`] runs a call flow written as text against the real core; [`office`] is that
//! core with virtual time and a network in memory; [`phone`] writes and reads the phones' SIP;
//! [`carrier`] is what lines register at;
//! [`sim`] lets many of them do anything at all and watches what must hold.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks at the variants it is about")]

pub mod carrier;
pub mod clock;
pub mod fuzz;
pub mod ladder;
pub mod office;
pub mod phone;
pub mod sim;
pub mod skip;
