//! Authentication as pure functions: digests and the nonces they are made over.
//!
//! Used by the registrar's gate and by our own requests; keeps no state (RFC 7616, RFC 8760).

pub mod digest;
pub mod nonce;
