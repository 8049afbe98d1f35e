//! SIP trunks (SIP中继): other servers, known by their addresses, without registration.

pub mod config;
pub mod health;
pub mod live;
mod sources;

pub use config::Trunk;
