//! Faults of our own code, caused from outside: after SIGUSR2 the core's next draw of a random number panics.
//!
//! For the test that three of them within a minute make the process replace itself. A release build with this does
//! not compile.

use rand_core::{Rng, TryRng};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

#[cfg(not(debug_assertions))]
compile_error!("the feature provoked-faults is for tests: a release build must not have it");

/// Of the process, as signals are.
static ARMED: AtomicBool = AtomicBool::new(false);

/// A generator that fails when it was told to.
pub(crate) struct Provoked<R>(pub(crate) R);

/// Arms the generator with every signal.
pub(crate) async fn listen() {
    let Ok(mut signals) = signal(SignalKind::user_defined2()) else { return };
    while signals.recv().await.is_some() {
        ARMED.store(true, Ordering::Relaxed);
    }
}

fn fail_if_told() {
    if ARMED.swap(false, Ordering::Relaxed) {
        panic!("provoked fault");
    }
}

impl<R: Rng> TryRng for Provoked<R> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        fail_if_told();
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        fail_if_told();
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        fail_if_told();
        self.0.fill_bytes(out);
        Ok(())
    }
}
