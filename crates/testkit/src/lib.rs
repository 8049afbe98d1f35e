//! What the tests stand on; never part of the product.

pub mod skip;
