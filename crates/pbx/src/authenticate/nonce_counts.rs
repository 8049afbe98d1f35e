//! How often each nonce was used: a replay is a count that is not above the highest so far
//! (RFC 7616 §3.4).

use sip::auth::nonce::LIFE_SECONDS;
use sip::transaction::TIMEOUT;
use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// Most nonces of one generation: as many as a table of 32,768 places takes before it doubles.
/// Only requests with a right password are counted, so strangers cannot fill it. Above 94 new nonces
/// a second over their whole life the oldest are forgotten before its end; a replay is then refused
/// only for coming from another address than the nonce was issued to.
const YOUNG_MAX: usize = 28_672;
/// How long a generation stays young; after that nobody can use what the old one remembers.
const LIFE: Duration = Duration::from_secs(LIFE_SECONDS as u64 + 5);

/// The highest count of each nonce, in two generations: the old one is forgotten as a whole when
/// the young one becomes old. Each nonce is thus remembered as long as it is good, within
/// [`YOUNG_MAX`].
#[derive(Default)]
pub(super) struct NonceCounts {
    young: Generation,
    old: Generation,
    /// When the young generation began.
    began: Option<Instant>,
    /// What [`Seen::second`] counts from.
    epoch: Option<Instant>,
    hasher: ahash::RandomState,
}

type Generation = HashMap<u64, Seen, ahash::RandomState>;

/// Flat, as there may be many: an entry of the table is 24 octets and one.
#[derive(Clone, Copy)]
struct Seen {
    count: u32,
    /// Since the epoch, when the request came that had this count. Whole seconds: a resend is known for 31 s at least,
    /// and never longer than it comes.
    second: u32,
    /// The hash of that request: the very same one again is a resend, as long as a phone resends. `None`: it is not
    /// served twice.
    attempt: Option<NonZeroU64>,
}

impl NonceCounts {
    pub(super) fn admit(
        &mut self,
        nonce: &str,
        count: u32,
        attempt: Option<(&str, u32)>,
        now: Instant,
    ) -> bool {
        self.forget(now);
        let key = self.hasher.hash_one(nonce);
        let attempt =
            attempt.map(|it| NonZeroU64::new(self.hasher.hash_one(it)).unwrap_or(NonZeroU64::MIN));
        let it = Seen { count, second: self.second(now), attempt };
        match self.young.get_mut(&key).or_else(|| self.old.get_mut(&key)) {
            Some(seen) if count > seen.count => *seen = it,
            Some(seen) => return it.is_resend_of(*seen),
            None => {
                self.young.insert(key, it);
            }
        }
        true
    }

    fn second(&mut self, now: Instant) -> u32 {
        let age = now.saturating_duration_since(*self.epoch.get_or_insert(now));
        u32::try_from(age.as_secs()).unwrap_or(u32::MAX)
    }

    /// Lets the young grow old when their time has come or they are too many.
    pub(super) fn forget(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        if now >= began + LIFE || self.young.len() >= YOUNG_MAX {
            self.old = std::mem::take(&mut self.young);
            self.began = Some(now);
        }
    }
}

impl Seen {
    fn is_resend_of(self, first: Self) -> bool {
        let after = u64::from(self.second.saturating_sub(first.second));
        let is_same = self.attempt.is_some() && self.attempt == first.attempt;
        self.count == first.count && is_same && after < TIMEOUT.as_secs()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "some instant to count from")]
    use super::*;

    #[test]
    fn a_count_is_good_once_and_a_resend_is_no_replay() {
        let mut counts = NonceCounts::default();
        let now = Instant::now();
        assert!(counts.admit("n", 1, Some(("z9hG4bK1", 2)), now));
        assert!(counts.admit("n", 1, Some(("z9hG4bK1", 2)), now), "a resend");
        assert!(!counts.admit("n", 1, Some(("z9hG4bK2", 2)), now), "a replay");
        assert!(counts.admit("n", 7, Some(("z9hG4bK3", 3)), now), "gaps are allowed");
        assert!(!counts.admit("n", 6, Some(("z9hG4bK4", 4)), now));
        assert!(counts.admit("other", 1, Some(("z9hG4bK5", 1)), now));
        assert!(
            !counts.admit("other", 1, Some(("z9hG4bK5", 1)), now + TIMEOUT),
            "too late for one"
        );
        assert!(counts.admit("invite", 1, None, now));
        assert!(
            !counts.admit("invite", 1, None, now),
            "an INVITE is resent within its transaction"
        );
    }

    #[test]
    fn a_resend_is_known_for_31_seconds_at_least_and_no_longer_than_it_comes() {
        let (mut counts, start) = (NonceCounts::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let attempt = Some(("z9hG4bK1", 2));
        assert!(counts.admit("earlier", 1, None, start));
        assert!(counts.admit("n", 1, attempt, at(900)));
        assert!(counts.admit("n", 1, attempt, at(31_899)));
        assert!(!counts.admit("n", 1, attempt, at(32_900)));
        assert!(counts.admit("n", 2, attempt, at(33_000)));
        assert!(!counts.admit("n", 1, attempt, at(33_000)), "a higher count was used since");
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<(u64, Seen)>(), 24);
    }

    #[test]
    fn a_nonce_is_remembered_for_its_life_and_not_for_ever() {
        let (mut counts, start) = (NonceCounts::default(), Instant::now());
        assert!(counts.admit("first", 1, None, start));
        // The last of a generation lives on among the old.
        let last = start + LIFE - Duration::from_secs(1);
        assert!(counts.admit("last", 1, None, last));
        let its_end = last + Duration::from_secs(u64::from(LIFE_SECONDS));
        assert!(!counts.admit("last", 1, None, its_end));
        for round in 1..=3 {
            counts.forget(its_end + LIFE * round);
        }
        assert!(counts.young.is_empty() && counts.old.is_empty());
        assert_eq!(counts.young.capacity() + counts.old.capacity(), 0);
    }

    #[test]
    fn however_many_are_used_the_tables_do_not_grow() {
        let (mut counts, now) = (NonceCounts::default(), Instant::now());
        for nonce in 0..200_000 {
            assert!(counts.admit(&nonce.to_string(), 1, None, now));
        }
        assert!(counts.young.capacity() <= YOUNG_MAX && counts.old.capacity() <= YOUNG_MAX);
        assert!(!counts.admit("199999", 1, None, now), "the newest are known");
    }
}
