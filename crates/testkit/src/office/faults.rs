//! Faults of our own code, caused on purpose: the random generator panics at its n-th draw.
//!
//! The core draws when a call begins, for each phone it calls and for challenges, so the panic comes in
//! the middle of real work, without the core knowing of it.

use rand_chacha::ChaCha12Rng;
use rand_core::{TryRng, utils};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What the panic says.
pub const INJECTED: &str = "injected fault";

/// The switch, shared with the generator inside the core.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    countdown: Arc<AtomicU32>,
    caused: Arc<AtomicU32>,
}

impl Faults {
    /// The `draws`-th draw from now on panics; 0 calls it off.
    pub fn set(&self, draws: u32) {
        self.countdown.store(draws, Ordering::Relaxed);
    }

    /// How many panics there were.
    pub fn caused(&self) -> u32 {
        self.caused.load(Ordering::Relaxed)
    }
}

/// The generator a core gets.
pub(super) struct FaultyRng {
    pub(super) inner: ChaCha12Rng,
    pub(super) faults: Faults,
}

impl FaultyRng {
    fn count(&self) {
        let left = self.faults.countdown.load(Ordering::Relaxed);
        if left == 0 {
            return;
        }
        self.faults.countdown.store(left - 1, Ordering::Relaxed);
        if left == 1 {
            self.faults.caused.fetch_add(1, Ordering::Relaxed);
            panic!("{INJECTED}");
        }
    }
}

impl TryRng for FaultyRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.count();
        self.inner.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        utils::next_u64_via_u32(self)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.count();
        self.inner.try_fill_bytes(out)
    }
}
