//! Virtual time: the instant for timers and the wall clock for records, stepped by hand.
//!
//! Every test and the simulator take their time from here; nothing waits for real.

use pbx::time::{Now, UnixMillis};
use std::time::{Duration, Instant};

/// 2026-01-05T08:00:00Z, a Monday morning: where the wall clock of every test starts.
pub const EPOCH: UnixMillis = UnixMillis(1_767_600_000_000);

/// Both clocks of a machine that is not there.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    now: Now,
}

impl Default for Clock {
    #[expect(clippy::disallowed_methods, reason = "an Instant has no other origin")]
    fn default() -> Self {
        let start = Instant::now();
        Self { start, now: Now { instant: start, utc: EPOCH } }
    }
}

impl Clock {
    pub fn now(&self) -> Now {
        self.now
    }

    /// How long the clock has run since it was made.
    pub fn elapsed(&self) -> Duration {
        self.now.instant - self.start
    }

    /// Lets time pass, for both clocks.
    pub fn advance(&mut self, by: Duration) {
        self.now.instant += by;
        self.now.utc = self.now.utc.after(by);
    }

    /// Lets time pass up to an instant; nothing when that is over.
    pub fn advance_to(&mut self, instant: Instant) {
        self.advance(instant.saturating_duration_since(self.now.instant));
    }

    /// Sets the wall clock forward or back, as an administrator or NTP does. No time passes.
    pub fn step_utc(&mut self, by_ms: i64) {
        self.now.utc = UnixMillis(self.now.utc.0.saturating_add_signed(by_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_for_both_and_a_step_only_moves_the_wall_clock() {
        let mut clock = Clock::default();
        clock.advance(Duration::from_secs(5));
        clock.step_utc(-3_600_000);
        assert_eq!(clock.elapsed(), Duration::from_secs(5));
        assert_eq!(clock.now().utc, UnixMillis(EPOCH.0 + 5_000 - 3_600_000));
    }
}
