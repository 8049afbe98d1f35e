//! External lines (外线): we are the client of a carrier, with account and password.

pub mod config;
pub mod table;

pub use config::Line;
