//! Whether the loop rests before it looks for input again.
//!
//! A datagram with a turn of its own costs a wake-up, a wait, a receive, a write of the journal and a
//! send, in caches that others have filled meanwhile. Registrations that come in a stream share them,
//! and no phone notices: it waits 500 ms before it sends again (T1, RFC 3261 §17.1.2.2). Whoever
//! calls would notice, so it does not rest while anything but REGISTER comes; only the message that ends
//! such a quiet may wait, for as long as one rest.

use std::time::{Duration, Instant};

/// How long it rests, and so the longest that anything waits for it.
pub(super) const REST: Duration = Duration::from_millis(10);
/// So many messages within a window are a stream: 400 a second.
const WINDOW: Duration = Duration::from_millis(50);
const STREAM: u32 = 20;
/// It does not rest until so long after anything but a REGISTER came.
const QUIET: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Rest {
    /// What has come since the last rest was decided.
    registers: u32,
    others: u32,
    /// When the window under way began, what it has seen, and what the one before saw.
    since: Option<Instant>,
    counted: u32,
    lately: u32,
    /// When anything but a REGISTER came last.
    disturbed: Option<Instant>,
}

impl Rest {
    /// A message has come.
    pub(super) fn came(&mut self, message: &[u8]) {
        if message.starts_with(b"REGISTER ") {
            self.registers += 1;
        } else {
            self.others += 1;
        }
    }

    /// How long to rest after a turn that began then.
    pub(super) fn after(&mut self, now: Instant) -> Duration {
        let came = self.registers + self.others;
        if self.others > 0 {
            self.disturbed = Some(now);
        }
        (self.registers, self.others) = (0, 0);
        if came == 0 {
            return Duration::ZERO;
        }
        let since = *self.since.get_or_insert(now);
        let age = now.saturating_duration_since(since);
        if age >= WINDOW {
            // What came so long ago says nothing of what comes.
            self.lately = if age < 2 * WINDOW { self.counted } else { 0 };
            (self.since, self.counted) = (Some(now), 0);
        }
        self.counted = self.counted.saturating_add(came);
        let within = |it: Instant| now.saturating_duration_since(it) < QUIET;
        let rests = self.lately >= STREAM && !self.disturbed.is_some_and(within);
        if rests { REST } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many turns, so far apart, that take so many of these messages each: the last rest.
    fn turns(
        rest: &mut Rest,
        at: &mut Instant,
        turns: u32,
        apart_us: u64,
        came: &[&str],
    ) -> Duration {
        let mut last = Duration::ZERO;
        for _ in 0..turns {
            *at += Duration::from_micros(apart_us);
            came.iter().for_each(|it| rest.came(it.as_bytes()));
            last = rest.after(*at);
        }
        last
    }

    #[test]
    fn only_a_stream_of_registers_lets_it_rest() {
        const R: &str = "REGISTER sip:";
        const I: &str = "INVITE sip:";
        const OK: &str = "SIP/2.0 200 OK";
        #[rustfmt::skip]
        let rows: [(&str, u32, u64, &[&str], Duration); 9] = [
            ("a phone is challenged",                   2,  1_000, &[R],             Duration::ZERO),
            ("10,000 phones register every 300 s",     50, 15_000, &[R],             Duration::ZERO),
            ("after a power cut",                     200,  1_250, &[R],             REST),
            ("the rests gather them",                  20,  5_000, &[R, R, R, R],    REST),
            ("somebody calls meanwhile",                1,  5_000, &[R, R, I],       Duration::ZERO),
            ("and is answered",                        10,  5_000, &[R, R, OK],      Duration::ZERO),
            ("then they are alone again",              40,  5_000, &[R, R, R],       REST),
            ("400 calls a second",                    500,    300, &[I],             Duration::ZERO),
            ("1,600 calls a second",                 2000,     70, &[I],             Duration::ZERO),
        ];
        let (mut rest, mut at) = (Rest::default(), crate::clock::now().instant);
        for (what, count, apart_us, came, expected) in rows {
            assert_eq!(turns(&mut rest, &mut at, count, apart_us, came), expected, "{what}");
        }
        assert_eq!(rest.after(at), Duration::ZERO, "a turn in which nothing came");
        at += Duration::from_secs(1);
        assert_eq!(turns(&mut rest, &mut at, 1, 0, &[I]), Duration::ZERO, "a second later");
    }
}
