//! External lines (外线): we are the client of a carrier, with account and password.

pub mod config;
pub mod doctor;
pub mod live;
pub mod register;
pub mod request;
pub mod seen;
pub mod table;
pub mod target;
pub mod trouble;

pub use config::Line;
