//! External lines (外线): we are the client of a carrier, with account and password.

pub mod config;
pub mod register;
pub mod table;
pub mod trouble;

pub use config::Line;
