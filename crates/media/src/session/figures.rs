//! What a transport received: packets, loss and jitter.
//!
//! Fed by the session with every RTP packet it accepts; read for the call's status and record.
//! RFC 3550 appendix A.1 (sequence numbers), A.3 (loss), A.8 and §6.4.1 (jitter).

use super::jitter::Jitter;
use super::rtp::Header;
use std::time::Instant;

/// Sources (SSRCs) told apart on one transport: a stream, its retransmission, its correction and
/// one to spare. One more takes the place of the one heard longest ago.
const SOURCES_MAX: usize = 4;

/// A gap up to this many packets is loss, not a restart (RFC 3550 A.1).
const DROPOUT_MAX: u16 = 3000;

/// A packet up to this many behind is late, not a restart (RFC 3550 A.1).
const MISORDER_MAX: u16 = 100;

/// Everything received on one transport.
#[derive(Debug, Default)]
pub(crate) struct Received {
    packets: u64,
    bytes: u64,
    /// Lost by sources that gave up their place.
    lost_before: u64,
    sources: [Option<Source>; SOURCES_MAX],
}

/// One SSRC.
#[derive(Debug)]
struct Source {
    ssrc: u32,
    heard: Instant,
    packets: u64,
    sequence: Sequence,
    jitter: Jitter,
}

/// The state of RFC 3550 A.1, without probation: the latch has already chosen whom to hear.
#[derive(Debug)]
struct Sequence {
    first: u16,
    highest: u16,
    /// How often the number went round.
    cycles: u64,
    received: u64,
    /// The number that would prove a restart: the one after a packet far off.
    restart_at: Option<u16>,
    lost_before_restart: u64,
}

impl Received {
    pub(crate) fn on_packet(&mut self, header: Header, length: usize, now: Instant) {
        self.packets += 1;
        self.bytes += length as u64;
        let source = self.source(header, now);
        source.heard = now;
        source.packets += 1;
        source.sequence.on_packet(header.sequence);
        source.jitter.on_packet(header.payload_type, header.timestamp, now);
    }

    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn lost(&self) -> u64 {
        let now: u64 = self.sources.iter().flatten().map(|it| it.sequence.lost()).sum();
        self.lost_before + now
    }

    /// Of the source that sent most, in microseconds.
    pub(crate) fn jitter_us(&self) -> u32 {
        let main = self.sources.iter().flatten().max_by_key(|it| it.packets);
        main.map_or(0, |it| it.jitter.microseconds())
    }

    fn source(&mut self, header: Header, now: Instant) -> &mut Source {
        let is_it = |it: &Option<Source>| it.as_ref().is_some_and(|it| it.ssrc == header.ssrc);
        let at = self.sources.iter().position(is_it).unwrap_or_else(|| {
            // An empty place sorts before every time.
            let oldest = (0..SOURCES_MAX)
                .min_by_key(|at| self.sources[*at].as_ref().map(|it| it.heard))
                .unwrap_or_default();
            let gone = self.sources[oldest].take();
            self.lost_before += gone.map_or(0, |it| it.sequence.lost());
            oldest
        });
        self.sources[at].get_or_insert_with(|| Source {
            ssrc: header.ssrc,
            heard: now,
            packets: 0,
            sequence: Sequence::starting_at(header.sequence),
            jitter: Jitter::default(),
        })
    }
}

impl Sequence {
    fn starting_at(first: u16) -> Self {
        Self {
            first,
            highest: first,
            cycles: 0,
            received: 0,
            restart_at: None,
            lost_before_restart: 0,
        }
    }

    fn on_packet(&mut self, number: u16) {
        let ahead = number.wrapping_sub(self.highest);
        if ahead < DROPOUT_MAX {
            if number < self.highest {
                self.cycles += 1;
            }
            self.highest = number;
        } else if ahead <= u16::MAX - MISORDER_MAX {
            if self.restart_at != Some(number) {
                // One packet far off proves nothing; the one after it does.
                self.restart_at = Some(number.wrapping_add(1));
                return;
            }
            let lost = self.lost();
            *self = Self::starting_at(number.wrapping_sub(1));
            self.lost_before_restart = lost;
            // The packet that announced the restart belongs to it.
            self.received = 1;
            self.highest = number;
            self.cycles = u64::from(number == 0);
        }
        // What else is behind is late or doubled: it counts as received.
        self.restart_at = None;
        self.received += 1;
    }

    /// Never negative, whatever was doubled.
    fn lost(&self) -> u64 {
        let highest = self.cycles * 65_536 + u64::from(self.highest);
        let expected = (highest + 1).saturating_sub(u64::from(self.first));
        self.lost_before_restart + expected.saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn start() -> Instant {
        Instant::now()
    }

    fn header(ssrc: u32, sequence: u16) -> Header {
        Header { payload_type: 0, sequence, timestamp: 0, ssrc }
    }

    fn lost(numbers: &[u16]) -> u64 {
        let mut received = Received::default();
        for number in numbers {
            received.on_packet(header(1, *number), 172, start());
        }
        assert_eq!(received.packets(), numbers.len() as u64);
        assert_eq!(received.bytes(), 172 * numbers.len() as u64);
        received.lost()
    }

    #[test]
    fn loss_table() {
        #[rustfmt::skip]
        let table: &[(&str, &[u16], u64)] = &[
            ("nothing",                       &[],                                0),
            ("one",                           &[7],                               0),
            ("in order",                      &[7, 8, 9],                         0),
            ("one missing",                   &[7, 9],                            1),
            ("late is not lost",              &[7, 9, 8, 10],                     0),
            ("the first was late",            &[8, 7, 9],                         0),
            ("doubled, never negative",       &[7, 7, 7, 8],                      0),
            ("around the end",                &[65534, 65535, 0, 1],              0),
            ("lost around the end",           &[65534, 1],                        2),
            ("late around the end",           &[65534, 0, 65535, 1],              0),
            ("a gap just short of a restart", &[0, 2999],                         2998),
            ("a stray number",                &[7, 8, 30000, 9, 10],              0),
            ("a restart",                     &[7, 8, 30000, 30001, 30002],       0),
            ("loss before and after",         &[7, 9, 30000, 30001, 30003],       2),
            ("a restart at zero",             &[40000, 40001, 65535, 0, 2],       1),
        ];
        for (name, numbers, expected) in table {
            assert_eq!(lost(numbers), *expected, "{name}");
        }
    }

    #[test]
    fn sources_are_counted_apart_and_a_fifth_takes_the_oldest_place() {
        let mut received = Received::default();
        let at = |index: u32| start() + Duration::from_millis(20 * u64::from(index));
        let mut index = 0;
        let mut hear = |ssrc, number| {
            received.on_packet(header(ssrc, number), 100, at(index));
            index += 1;
        };
        // Two interleaved streams, each missing one of its own.
        for (ssrc, number) in [(1, 10), (2, 900), (1, 11), (2, 902), (1, 13), (2, 903)] {
            hear(ssrc, number);
        }
        for ssrc in 3..40 {
            hear(ssrc, 5);
        }
        assert_eq!(received.lost(), 2);
        assert_eq!(received.packets(), 43);
    }
}
