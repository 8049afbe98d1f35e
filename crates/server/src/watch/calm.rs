//! What keeps floods calm: so much in a second, and the same thing once in a while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The same thing is named once in this time.
const AGAIN: Duration = Duration::from_secs(60);
/// Things remembered for that; when there are more, all are forgotten.
const NAMED_MAX: usize = 1024;

/// Lets a burst pass at once and so much a second after it, and counts the rest.
pub(super) struct Bucket {
    rate: u32,
    burst: u32,
    tokens: u32,
    filled_at: Option<Instant>,
    suppressed: u64,
}

impl Bucket {
    pub(super) fn new(rate: u32, burst: u32) -> Self {
        Self { rate, burst, tokens: burst, filled_at: None, suppressed: 0 }
    }

    pub(super) fn take(&mut self, now: Instant) -> bool {
        let filled_at = *self.filled_at.get_or_insert(now);
        let seconds = u32::try_from(now.duration_since(filled_at).as_secs()).unwrap_or(u32::MAX);
        if seconds > 0 {
            let gained = seconds.saturating_mul(self.rate);
            self.tokens = self.tokens.saturating_add(gained).min(self.burst);
            self.filled_at = Some(now);
        }
        if self.tokens == 0 {
            self.suppressed += 1;
            return false;
        }
        self.tokens -= 1;
        true
    }

    /// How many found no token, once there is one to say so.
    pub(super) fn left_out(&mut self, now: Instant) -> Option<u64> {
        (self.suppressed > 0 && self.take(now)).then(|| std::mem::take(&mut self.suppressed))
    }
}

/// When each of some things was last named.
pub(super) struct Named<T>(BTreeMap<T, Instant>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord> Named<T> {
    /// Notes it; whether it was not noted within [`AGAIN`].
    pub(super) fn is_new(&mut self, it: T, now: Instant) -> bool {
        if self.0.get(&it).is_some_and(|at| now.duration_since(*at) < AGAIN) {
            return false;
        }
        if self.0.len() >= NAMED_MAX {
            self.0.clear();
        }
        self.0.insert(it, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_named_once_a_minute() {
        let mut named = Named::default();
        let start = crate::clock::now().instant;
        assert!(named.is_new(1, start));
        assert!(!named.is_new(1, start + Duration::from_secs(59)));
        assert!(named.is_new(2, start));
        assert!(named.is_new(1, start + Duration::from_secs(60)));
        for it in 0..=NAMED_MAX {
            named.is_new(it, start);
        }
        assert!(named.0.len() <= NAMED_MAX);
    }

    #[test]
    fn a_flood_passes_as_a_trickle() {
        let mut bucket = Bucket::new(20, 500);
        let start = crate::clock::now().instant;
        let lines = (0..20_000_u64)
            .filter(|at| bucket.take(start + Duration::from_micros(at * 500)))
            .count();
        assert!((500..800).contains(&lines), "{lines} lines in ten seconds");
        let later = start + Duration::from_secs(20);
        assert_eq!(bucket.left_out(later), Some(20_000 - lines as u64));
        assert_eq!(bucket.left_out(later), None);
    }
}
