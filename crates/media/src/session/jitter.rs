//! Interarrival jitter of one source.
//!
//! Part of the figures. RFC 3550 §6.4.1 and A.8; clock rates of static payload types by RFC 3551
//! §6. The rate of a dynamic payload type stands in SDP the relay does not read, so it is learnt
//! from the packets: over a second, timestamps advance by it.

use std::time::{Duration, Instant};

/// Clock rates in use (RFC 3551 and the registrations of today's codecs), in hertz.
const RATES: [u32; 8] = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 90_000];

/// How long timestamps are watched to learn a clock rate.
const LEARNING: Duration = Duration::from_secs(1);

/// Two packets that differ by more are a new beginning of the stream, not jitter.
const STEP_US_MAX: u64 = 1_000_000;

/// The estimate of one source, in microseconds whatever the clock.
#[derive(Debug, Default)]
pub(super) struct Jitter {
    /// Sixteen times the estimate, so that the division by 16 loses nothing (RFC 3550 A.8).
    scaled_us: u64,
    last: Option<Arrival>,
    /// The dynamic payload type whose clock is known.
    learnt: Option<(u8, u32)>,
    /// The packet since which a dynamic payload type is watched.
    learning: Option<Arrival>,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    payload_type: u8,
    timestamp: u32,
    at: Instant,
}

impl Jitter {
    pub(super) fn on_packet(&mut self, payload_type: u8, timestamp: u32, at: Instant) {
        let arrival = Arrival { payload_type, timestamp, at };
        let Some(last) = self.last else {
            self.last = Some(arrival);
            return;
        };
        // Packets of one frame, or of one telephone event (RFC 4733 §2.2.1), share a timestamp;
        // the time between them says nothing of the network.
        if last.payload_type == payload_type && last.timestamp == timestamp {
            return;
        }
        self.last = Some(arrival);
        let Some(rate) = self.rate(arrival) else { return };
        if last.payload_type != payload_type {
            return;
        }
        let step = difference_us(last, arrival, rate);
        if step <= STEP_US_MAX {
            self.scaled_us = self.scaled_us + step - ((self.scaled_us + 8) >> 4);
        }
    }

    pub(super) fn microseconds(&self) -> u32 {
        u32::try_from(self.scaled_us >> 4).unwrap_or(u32::MAX)
    }

    fn rate(&mut self, arrival: Arrival) -> Option<u32> {
        if let Some(rate) = static_rate(arrival.payload_type) {
            return Some(rate);
        }
        if let Some((payload_type, rate)) = self.learnt
            && payload_type == arrival.payload_type
        {
            return Some(rate);
        }
        let since = match self.learning {
            Some(since) if since.payload_type == arrival.payload_type => since,
            _ => {
                self.learning = Some(arrival);
                return None;
            }
        };
        let watched = arrival.at.saturating_duration_since(since.at);
        if watched >= LEARNING {
            self.learning = None;
            let ticks = arrival.timestamp.wrapping_sub(since.timestamp);
            self.learnt = nearest_rate(ticks, watched).map(|it| (arrival.payload_type, it));
        }
        None
    }
}

/// By how much the spacing at arrival differs from the spacing at the source.
fn difference_us(last: Arrival, arrival: Arrival, rate: u32) -> u64 {
    let arrived = micros(arrival.at.saturating_duration_since(last.at));
    // A signed distance: the packet may be older than the last one.
    let ticks = arrival.timestamp.wrapping_sub(last.timestamp).cast_signed();
    let sent = i64::from(ticks) * 1_000_000 / i64::from(rate);
    arrived.saturating_sub(sent).unsigned_abs()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The clock of a static payload type (RFC 3551 §6, tables 4 and 5); `None` for the others.
fn static_rate(payload_type: u8) -> Option<u32> {
    match payload_type {
        0 | 3..=5 | 7..=9 | 12 | 13 | 15 | 18 => Some(8_000),
        6 => Some(16_000),
        10 | 11 => Some(44_100),
        16 => Some(11_025),
        17 => Some(22_050),
        14 | 25 | 26 | 28 | 31..=34 => Some(90_000),
        _ => None,
    }
}

/// The known rate next to the one seen; `None` where the timestamps jumped.
fn nearest_rate(ticks: u32, watched: Duration) -> Option<u32> {
    let seen = u128::from(ticks) * 1_000_000 / watched.as_micros().max(1);
    let seen = u32::try_from(seen).ok().filter(|it| *it < 2 * RATES[RATES.len() - 1])?;
    RATES.into_iter().min_by_key(|it| it.abs_diff(seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn start() -> Instant {
        Instant::now()
    }

    /// Feeds packets `spacing` apart, every second one late by `late`; the estimate.
    fn estimate(payload_type: u8, ticks: u32, spacing: Duration, late: Duration) -> u32 {
        let mut jitter = Jitter::default();
        let begin = start();
        for index in 0..500_u32 {
            let delay = if index % 2 == 1 { late } else { Duration::ZERO };
            let timestamp = 0xffff_0000_u32.wrapping_add(ticks * index);
            jitter.on_packet(payload_type, timestamp, begin + spacing * index + delay);
        }
        jitter.microseconds()
    }

    #[test]
    fn jitter_table() {
        let ms = Duration::from_millis;
        #[rustfmt::skip]
        let table = [
            // payload        ticks  spacing  late    estimate, us
            ("PCMU",     0,   160,   ms(20),  ms(0),  0),
            ("PCMU",     0,   160,   ms(20),  ms(4),  4_000),
            ("G.722",    9,   160,   ms(20),  ms(4),  4_000),
            ("Opus",     111, 960,   ms(20),  ms(0),  0),
            ("Opus",     111, 960,   ms(20),  ms(5),  5_000),
            ("AMR-WB",   97,  320,   ms(20),  ms(2),  2_000),
            ("video",    96,  3_000, ms(33),  ms(0),  333),
        ];
        for (name, payload_type, ticks, spacing, late, expected) in table {
            let got = estimate(payload_type, ticks, spacing, late);
            assert!(got.abs_diff(expected) <= expected / 10 + 20, "{name}: {got}, not {expected}");
        }
    }

    #[test]
    fn events_and_new_beginnings_are_not_jitter() {
        let mut jitter = Jitter::default();
        let begin = start();
        let at = |index: u32| begin + Duration::from_millis(20) * index;
        for index in 0..50 {
            jitter.on_packet(0, 160 * index, at(index));
        }
        // A key is held for a second: one timestamp, another payload type.
        for index in 50..100 {
            jitter.on_packet(101, 160 * 50, at(index));
        }
        for index in 100..150 {
            jitter.on_packet(0, 160 * index, at(index));
        }
        // The sender starts its clock anew.
        for index in 150..200 {
            jitter.on_packet(0, 0x7000_0000 + 160 * index, at(index));
        }
        assert_eq!(jitter.microseconds(), 0);
    }

    #[test]
    fn no_timestamps_upset_it() {
        let mut jitter = Jitter::default();
        let begin = start();
        let extremes = [0, u32::MAX, 1, 0x8000_0000, 0x7fff_ffff];
        for (index, timestamp) in (0..).zip(extremes.iter().cycle().take(1000)) {
            let payload_type = if index % 3 == 0 { 0 } else { 127 };
            jitter.on_packet(payload_type, *timestamp, begin + Duration::from_secs(index));
            jitter.on_packet(payload_type, *timestamp, begin);
        }
    }
}
