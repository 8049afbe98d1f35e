//! The one stream that a peer hears: voice of the other side, and what is put in between.
//!
//! While nothing was put in, the voice keeps its source and its numbers. From the first packet of
//! our own on, all that follows is numbered after it and has its source: a receiver that takes a
//! new source for a new stream, or a number that comes twice for one that is late, would drop
//! either the digit or the voice (RFC 3550 §5.1, RFC 4733 §2.2). Reports pass as they are, so
//! their sender's source may be another than that of the stream.

use crate::session::rtp::{Header, Numbers};
use std::time::Instant;

/// The numbering of what one peer hears.
#[derive(Debug)]
pub(super) struct OneStream {
    /// Units of the clock in a millisecond.
    units_per_ms: u32,
    /// What is added to the numbers of the voice that comes now.
    shift: Option<Shift>,
    /// The newest packet that went out.
    last: Option<(Numbers, Instant)>,
    /// What our packets have where no voice came before them.
    first: Numbers,
    /// Something of our own went out.
    mixed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Shift {
    /// The source of the voice.
    of: u32,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

impl OneStream {
    /// `clock` is in Hz; `ssrc` is ours, by chance.
    pub(super) fn new(clock: u32, ssrc: u32) -> Self {
        let [a, b, ..] = ssrc.to_be_bytes();
        let first = Numbers { ssrc, sequence: u16::from_be_bytes([a, b]), timestamp: ssrc };
        Self { units_per_ms: clock / 1000, shift: None, last: None, first, mixed: false }
    }

    /// A packet of voice, as it goes out.
    pub(super) fn voice(&mut self, header: Header, now: Instant) -> Header {
        let shift = self.shift.filter(|it| it.of == header.ssrc);
        let shift = shift.unwrap_or_else(|| self.shift_of(header, now));
        self.shift = Some(shift);
        let out = Numbers {
            ssrc: shift.ssrc,
            sequence: header.sequence.wrapping_add(shift.sequence),
            timestamp: header.timestamp.wrapping_add(shift.timestamp),
        };
        let is_newer = self.last.is_none_or(|(last, _)| {
            last.ssrc != out.ssrc || out.sequence.wrapping_sub(last.sequence) <= u16::MAX / 2
        });
        if is_newer {
            self.last = Some((out, now));
        }
        header.with(out)
    }

    /// A packet of our own went out, numbered by [`OneStream::next`].
    pub(super) fn sent(&mut self, numbers: Numbers, now: Instant) {
        self.last = Some((numbers, now));
        self.mixed = true;
        if let Some(shift) = &mut self.shift {
            shift.sequence = shift.sequence.wrapping_add(1);
        }
    }

    /// What follows the newest packet, by the time that has gone since.
    pub(super) fn next(&self, now: Instant) -> Numbers {
        let Some((last, at)) = self.last else { return self.first };
        let gone = now.saturating_duration_since(at).as_millis();
        let gone = u32::try_from(gone).unwrap_or(u32::MAX).wrapping_mul(self.units_per_ms);
        Numbers {
            sequence: last.sequence.wrapping_add(1),
            timestamp: last.timestamp.wrapping_add(gone.max(1)),
            ..last
        }
    }

    fn shift_of(&self, header: Header, now: Instant) -> Shift {
        let of = header.ssrc;
        if !self.mixed {
            return Shift { of, ssrc: of, sequence: 0, timestamp: 0 };
        }
        let next = self.next(now);
        Shift {
            of,
            ssrc: next.ssrc,
            sequence: next.sequence.wrapping_sub(header.sequence),
            timestamp: next.timestamp.wrapping_sub(header.timestamp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const OWN: u32 = 0x0102_0304;

    #[expect(clippy::disallowed_methods, reason = "where virtual time begins")]
    fn start() -> Instant {
        Instant::now()
    }

    fn ms(it: u64) -> Duration {
        Duration::from_millis(it)
    }

    fn voice(ssrc: u32, number: u16) -> Header {
        let timestamp = 160 * u32::from(number);
        Header { payload_type: 0, sequence: number, timestamp, ssrc }
    }

    fn numbers(it: Header) -> (u32, u16, u32) {
        (it.ssrc, it.sequence, it.timestamp)
    }

    #[test]
    fn voice_alone_keeps_its_numbers() {
        let (mut stream, now) = (OneStream::new(8000, OWN), start());
        for header in [voice(7, 1), voice(7, 2), voice(8, 900), voice(7, 3), voice(8, 901)] {
            assert_eq!(stream.voice(header, now), header);
        }
    }

    /// Packets of our own, 20 ms apart; the first one's numbers.
    fn put_in(stream: &mut OneStream, packets: u64, now: Instant) -> Numbers {
        let first = stream.next(now);
        for at in 0..packets {
            let numbers = stream.next(now + ms(20 * at));
            stream.sent(numbers, now + ms(20 * at));
        }
        first
    }

    #[test]
    fn voice_that_begins_after_a_digit_goes_on_with_its_stream() {
        let (mut stream, now) = (OneStream::new(8000, OWN), start());
        let first = put_in(&mut stream, 4, now);
        assert_eq!(first, Numbers { ssrc: OWN, sequence: 0x0102, timestamp: OWN });
        let numbers = [voice(7, 50), voice(7, 51), voice(8, 9)].map(|it| {
            // The last is of a phone that changes its source, as after a transfer.
            let at = now + ms(60 + 20 * u64::from(it.sequence % 10 + 1));
            numbers(stream.voice(it, at))
        });
        let expected = [(0x0106, 640), (0x0107, 800), (0x0108, 2080)];
        assert_eq!(numbers, expected.map(|(sequence, time)| (OWN, sequence, OWN + time)));
    }

    #[test]
    fn a_digit_in_a_pause_of_the_voice_is_numbered_between() {
        let (mut stream, now) = (OneStream::new(8000, OWN), start());
        stream.voice(voice(7, u16::MAX - 1), now);
        stream.voice(voice(7, u16::MAX), now);
        let time = 160 * u32::from(u16::MAX);
        let first = put_in(&mut stream, 4, now + ms(1000));
        assert_eq!(first, Numbers { ssrc: 7, sequence: 0, timestamp: time + 8000 });
        let mut heard = |number| numbers(stream.voice(voice(7, number), now + ms(1100)));
        assert_eq!(heard(0), (7, 4, 0));
        assert_eq!(heard(2), (7, 6, 320));
        assert_eq!(heard(1), (7, 5, 160), "late");
        assert_eq!(stream.next(now + ms(1120)).sequence, 7);
    }
}
