//! Authentication as pure functions: digests and the nonces they are made over, and the client's
//! choice of what it answers.
//!
//! Used by the registrar's gate and by our own requests (RFC 7616, RFC 8760).

pub mod client;
pub mod digest;
pub mod nonce;
