//! Time as an argument: the core never asks for it.

use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// The present, as the driver read it once for the whole input.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For timers and durations: never steps.
    pub instant: Instant,
    /// For records and expiry across a restart: may step.
    pub utc: UnixMillis,
}

/// Wall-clock time in milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This time and `later` after it.
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(millis(later)))
    }

    /// How long after `earlier` this is; zero if the clock was stepped back in between.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A duration in whole milliseconds, saturating.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
