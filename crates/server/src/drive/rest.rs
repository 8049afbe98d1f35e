//! Whether the loop rests before it looks for input again.
//!
//! A datagram with a turn of its own costs a wake-up, a wait, a receive, a write of the journal and a
//! send, in caches that others have filled meanwhile. Registrations that come in a stream share them,
//! and no phone notices: it waits 500 ms before it sends again (T1, RFC 3261 §17.1.2.2). Whoever
//! calls would notice, so it does not rest while anything but REGISTER comes; only the message that ends
//! such a quiet may wait, for as long as one rest.

use pbx::counters::Counters;
use std::time::{Duration, Instant};

/// How long it rests, and so the longest that anything waits for it.
pub(super) const REST: Duration = Duration::from_millis(2);
/// Turns are close together when so little time is between them, or when one takes so many.
const CLOSE: Duration = Duration::from_micros(500);
const TOGETHER: u64 = 3;
/// So many turns close together are a stream.
const STREAM: u32 = 4;
/// It does not rest until so long after anything else came.
const QUIET: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Rest {
    registers: u64,
    others: u64,
    /// When the last turn with a REGISTER was, and the last with anything else.
    registered: Option<Instant>,
    disturbed: Option<Instant>,
    close_turns: u32,
}

impl Rest {
    /// How long to rest after a turn, by what has been received up to its end.
    pub(super) fn after(&mut self, counters: &Counters, now: Instant) -> Duration {
        let before = (self.registers, self.others);
        (self.registers, self.others) = received(counters);
        let came = self.registers - before.0;
        if self.others != before.1 {
            self.disturbed = Some(now);
        }
        if came == 0 {
            return Duration::ZERO;
        }
        let within = |at: Option<Instant>, time| {
            at.is_some_and(|it| now.saturating_duration_since(it) <= time)
        };
        let close = came >= TOGETHER || within(self.registered, CLOSE);
        self.registered = Some(now);
        self.close_turns = if close { self.close_turns.saturating_add(1) } else { 0 };
        let rests = self.close_turns >= STREAM && !within(self.disturbed, QUIET);
        if rests { REST } else { Duration::ZERO }
    }
}

/// REGISTERs, and all other messages.
fn received(counters: &Counters) -> (u64, u64) {
    let requests: u64 = counters.requests_in.iter().flatten().sum();
    let responses: u64 = counters.responses_in.as_flattened().iter().sum();
    let registers = counters.registers_in();
    (registers, requests + responses - registers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> sip::Flow {
        let local = "192.0.2.1:5060".parse().expect("an address");
        sip::Flow { transport: sip::Transport::Udp, local, remote: local, connection: None }
    }

    #[test]
    fn only_a_stream_of_registers_lets_it_rest() {
        const R: &[u8] = b"REGISTER sip:";
        const I: &[u8] = b"INVITE sip:";
        let start = crate::clock::now().instant;
        let (mut rest, mut counters) = (Rest::default(), Counters::default());
        // Microseconds since the start, what has come, whether it rests.
        #[rustfmt::skip]
        let turns: [(u64, &[&[u8]], bool); 17] = [
            (0, &[R], false), (100, &[R], false), (200, &[R], false), (300, &[R], false),
            (400, &[R], true), (2_500, &[R, R, R, R], true), (4_600, &[R, R, R], true),
            // Too few have gathered.
            (6_700, &[R, R], false), (6_800, &[R], false),
            // A phone that is challenged alone does not make a stream.
            (50_000, &[R], false), (50_100, &[R], false), (90_000, &[R], false),
            (90_100, &[R, R, R, I], false), (90_200, &[R], false), (90_300, &[R], false),
            (90_400, &[R], false), (190_200, &[R, R, R], true),
        ];
        for (at_us, came, rests) in turns {
            for it in came {
                counters.received(&flow(), it);
            }
            let rested = rest.after(&counters, start + Duration::from_micros(at_us));
            assert_eq!(rested > Duration::ZERO, rests, "at {at_us} us");
        }
        // A turn in which nothing came.
        assert_eq!(rest.after(&counters, start + Duration::from_millis(191)), Duration::ZERO);
    }
}
