//! The simulator: random phones on a bad network against the real core, ten virtual minutes a seed.
//!
//! Everything follows from the seed: who calls whom, who is slow, silent or wrong, what is lost,
//! doubled or late, when the clock steps and when the process dies. [`watch`] looks at every
//! message that passes and says which invariant is broken; then seed, step and the last messages
//! are printed, and the same seed shows the same again.

mod actor;
mod director;
mod names;
mod outside;
mod transactions;
mod watch;
mod world;

pub use world::{Failure, Outcome, Plan, run};

#[cfg(test)]
mod tests;
