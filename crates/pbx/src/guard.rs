//! The guard: how much unauthenticated work one source may cause.
//!
//! A source is an IPv4 address or an IPv6 /64. A request that ends in a challenge or a refusal
//! takes a token; a source without tokens is not served until it has some again. A source that
//! authenticated within the last hour has a larger bucket. What belongs to nothing and is not
//! answered has tokens of its own, as many: nobody is refused for a late response.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Most sources remembered. At the limit full buckets are forgotten; if none is full, new sources
/// share one bucket, so that a flood from spoofed addresses costs no memory.
pub const SOURCES_MAX: usize = 65_536;

/// How long a source that authenticated keeps its larger bucket.
pub const KNOWN_FOR: Duration = Duration::from_secs(3600);

/// Tokens per second and most tokens of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

/// The buckets of all sources.
#[derive(Debug)]
pub struct Guard {
    stranger: Rate,
    known: Rate,
    sources: HashMap<Source, Bucket, ahash::RandomState>,
    overflow: Bucket,
    swept: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    V4([u8; 4]),
    V6([u8; 8]),
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// In thousandths of a token.
    level: u64,
    /// As much, for what belongs to nothing.
    stray: u64,
    at: Option<Instant>,
    known_until: Option<Instant>,
    /// The emptiness was reported.
    reported: bool,
}

/// Whether a source may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Serve,
    /// Drop it; `first` the first time in a row.
    Drop {
        first: bool,
    },
}

impl Guard {
    pub fn new(stranger: Rate, known: Rate) -> Self {
        Self {
            stranger,
            known,
            sources: HashMap::default(),
            overflow: Bucket::new(stranger),
            swept: None,
        }
    }

    /// From now on. Buckets keep what they hold, up to their new most.
    pub fn set_rates(&mut self, stranger: Rate, known: Rate) {
        self.stranger = stranger;
        self.known = known;
    }

    /// Asks before work is done. Takes nothing.
    pub fn verdict(&mut self, source: IpAddr, now: Instant) -> Verdict {
        let (stranger, known) = (self.stranger, self.known);
        // A source without a bucket has a full one.
        let Some(bucket) = self.existing(source) else { return Verdict::Serve };
        bucket.refill(stranger, known, now);
        if bucket.level >= 1000 {
            bucket.reported = false;
            return Verdict::Serve;
        }
        let first = !bucket.reported;
        bucket.reported = true;
        Verdict::Drop { first }
    }

    /// Takes the token of one unauthenticated request.
    pub fn charge(&mut self, source: IpAddr, now: Instant) {
        let (stranger, known) = (self.stranger, self.known);
        let bucket = self.bucket(source, now);
        bucket.refill(stranger, known, now);
        bucket.level = bucket.level.saturating_sub(1000);
    }

    /// Takes the token of a message that belongs to nothing; false where there is none.
    pub fn hears_stray(&mut self, source: IpAddr, now: Instant) -> bool {
        let (stranger, known) = (self.stranger, self.known);
        let bucket = self.bucket(source, now);
        bucket.refill(stranger, known, now);
        let left = bucket.stray.checked_sub(1000);
        bucket.stray = left.unwrap_or(bucket.stray);
        left.is_some()
    }

    /// The source has proven who it is.
    pub fn authenticated(&mut self, source: IpAddr, now: Instant) {
        let known = self.known;
        // The bucket that new sources share when there are too many is nobody's.
        let key = Source::of(source);
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&key) {
            return;
        }
        let bucket = self.bucket(source, now);
        if bucket.known_until.is_none_or(|until| until < now) {
            bucket.level = u64::from(known.burst) * 1000;
            bucket.stray = bucket.level;
        }
        bucket.known_until = Some(now + KNOWN_FOR);
    }

    fn existing(&mut self, source: IpAddr) -> Option<&mut Bucket> {
        let full = self.sources.len() >= SOURCES_MAX;
        match self.sources.get_mut(&Source::of(source)) {
            None if full => Some(&mut self.overflow),
            found => found,
        }
    }

    fn bucket(&mut self, source: IpAddr, now: Instant) -> &mut Bucket {
        let key = Source::of(source);
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&key) {
            self.sweep(now);
            if self.sources.len() >= SOURCES_MAX {
                return &mut self.overflow;
            }
        }
        self.sources.entry(key).or_insert_with(|| Bucket::new(self.stranger))
    }

    /// Forgets who has a full bucket anyway; at most once a second, for it walks all.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|at| now < at + Duration::from_secs(1)) {
            return;
        }
        self.swept = Some(now);
        let (stranger, known) = (self.stranger, self.known);
        self.sources.retain(|_, bucket| {
            bucket.refill(stranger, known, now);
            let is_known = bucket.known_until.is_some_and(|until| now < until);
            is_known || bucket.level.min(bucket.stray) < bucket.rate(stranger, known, now).1
        });
    }
}

impl Bucket {
    fn new(rate: Rate) -> Self {
        let level = u64::from(rate.burst) * 1000;
        Self { level, stray: level, at: None, known_until: None, reported: false }
    }

    /// Thousandths of a token per millisecond, and the most thousandths.
    fn rate(&self, stranger: Rate, known: Rate, now: Instant) -> (u64, u64) {
        let rate = if self.known_until.is_some_and(|until| now < until) { known } else { stranger };
        (rate.per_second.into(), u64::from(rate.burst) * 1000)
    }

    fn refill(&mut self, stranger: Rate, known: Rate, now: Instant) {
        let (per_ms, most) = self.rate(stranger, known, now);
        let at = self.at.get_or_insert(now);
        let passed = crate::time::millis(now.saturating_duration_since(*at));
        for level in [&mut self.level, &mut self.stray] {
            *level = level.saturating_add(passed * per_ms).min(most);
        }
        // Nothing was added for what is below a millisecond: that time is not lost.
        *at += Duration::from_millis(passed);
    }
}

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(it) => Self::V4(it.octets()),
            IpAddr::V6(it) => {
                let [a, b, c, d, e, f, g, h, ..] = it.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "some instant to count from")]
    use super::*;

    const STRANGER: Rate = Rate { per_second: 10, burst: 3 };
    const KNOWN: Rate = Rate { per_second: 100, burst: 20 };

    #[test]
    fn a_burst_then_the_rate_then_nothing_for_others_to_pay() {
        let mut guard = Guard::new(STRANGER, KNOWN);
        let start = Instant::now();
        let (loud, quiet) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..3 {
            assert_eq!(guard.verdict(loud, start), Verdict::Serve);
            guard.charge(loud, start);
        }
        assert_eq!(guard.verdict(loud, start), Verdict::Drop { first: true });
        assert_eq!(guard.verdict(loud, start), Verdict::Drop { first: false });
        assert_eq!(guard.verdict(quiet, start), Verdict::Serve);
        assert_eq!(guard.verdict(loud, start + Duration::from_millis(100)), Verdict::Serve);
        guard.authenticated(loud, start);
        for _ in 0..20 {
            assert_eq!(guard.verdict(loud, start), Verdict::Serve);
            guard.charge(loud, start);
        }
        assert_eq!(guard.verdict(loud, start), Verdict::Drop { first: true });
    }

    #[test]
    fn what_belongs_to_nothing_has_tokens_of_its_own() {
        let mut guard = Guard::new(STRANGER, KNOWN);
        let (start, source) = (Instant::now(), "192.0.2.1".parse().unwrap());
        let heard =
            |guard: &mut Guard, at| (0..50).filter(|_| guard.hears_stray(source, at)).count();
        assert_eq!(heard(&mut guard, start), 3);
        assert_eq!(guard.verdict(source, start), Verdict::Serve);
        assert_eq!(heard(&mut guard, start + Duration::from_millis(200)), 2);
        guard.authenticated(source, start);
        assert_eq!(heard(&mut guard, start + Duration::from_millis(200)), 20);
    }

    #[test]
    fn a_rate_is_had_however_far_apart_requests_come() {
        for apart_us in [300, 1_000, 1_900, 9_999] {
            let mut guard = Guard::new(Rate { per_second: 500, burst: 3 }, KNOWN);
            let (start, source) = (Instant::now(), "192.0.2.1".parse().unwrap());
            let requests = 10_000_000 / apart_us;
            let served = (0..requests).filter(|it| {
                let at = start + Duration::from_micros(it * apart_us);
                let is_served = guard.verdict(source, at) == Verdict::Serve;
                if is_served {
                    guard.charge(source, at);
                }
                is_served
            });
            let (served, most) = (served.count() as u64, requests.min(5_000));
            assert!(served.abs_diff(most) <= 3, "{served} of {most}, {apart_us} us");
        }
    }

    #[test]
    fn new_rates_hold_for_those_who_are_known_already() {
        let mut guard = Guard::new(STRANGER, KNOWN);
        let start = Instant::now();
        let source = "192.0.2.1".parse().unwrap();
        guard.charge(source, start);
        guard.set_rates(Rate { per_second: 1, burst: 1 }, KNOWN);
        guard.charge(source, start);
        assert_eq!(guard.verdict(source, start), Verdict::Drop { first: true });
        let later = start + Duration::from_secs(1);
        assert_eq!(guard.verdict(source, later), Verdict::Serve);
    }

    #[test]
    fn one_v6_network_is_one_source_and_memory_is_bounded() {
        let mut guard = Guard::new(STRANGER, KNOWN);
        let start = Instant::now();
        for host in 0..3_u16 {
            guard.charge(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, host]), start);
        }
        let neighbour = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 99]);
        assert_eq!(guard.verdict(neighbour, start), Verdict::Drop { first: true });
        for source in 0..100_000_u32 {
            guard.charge(IpAddr::from(source.to_be_bytes()), start);
        }
        assert!(guard.sources.len() <= SOURCES_MAX);
    }
}
