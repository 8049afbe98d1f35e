//! How long operations keep a connection of the database, waiting for one included.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Limits of the classes. Unit: microseconds.
pub const LIMITS_US: [u64; 8] = [500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 5_000_000];

/// How many operations were how long, since the start.
#[derive(Debug, Default)]
pub struct Durations {
    /// By the limit that they were within; the last, by none.
    counts: [AtomicU64; LIMITS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Durations {
    fn add(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let class = LIMITS_US.partition_point(|limit| *limit < us);
        self.counts[class].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// How many were within each limit, and at last all of them.
    pub fn up_to(&self) -> [u64; LIMITS_US.len() + 1] {
        let mut sum = 0;
        self.counts.each_ref().map(|it| {
            sum += it.load(Ordering::Relaxed);
            sum
        })
    }

    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us.load(Ordering::Relaxed))
    }
}

/// Counts an operation when it ends.
pub(super) struct Watch {
    begun: Instant,
    durations: Arc<Durations>,
}

impl Watch {
    #[expect(clippy::disallowed_methods, reason = "a measurement: nothing is decided by it")]
    pub(super) fn begin(durations: &Arc<Durations>) -> Self {
        Self { begun: Instant::now(), durations: Arc::clone(durations) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.durations.add(self.begun.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_by_their_limits() {
        let durations = Durations::default();
        for us in [1, 500, 501, 60_000, 6_000_000] {
            durations.add(Duration::from_micros(us));
        }
        assert_eq!(durations.up_to(), [2, 3, 3, 3, 3, 4, 4, 4, 5]);
        assert_eq!(durations.sum(), Duration::from_micros(6_061_002));
    }
}
