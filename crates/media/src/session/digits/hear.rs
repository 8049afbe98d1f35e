//! Telephone events as they arrive: many packets, one digit (RFC 4733 §2.5.2).

use crate::session::rtp::Header;
use pbx::digit::{Digit, Press};
use pbx::media::TelephoneEvents;
use smallvec::SmallVec;
use std::time::{Duration, Instant};

/// Digits reported in a second; more are dropped. Nobody presses half as many, and a dialler needs
/// 80 ms for one (ITU-T Q.24).
const DIGITS_PER_SECOND_MAX: u32 = 25;

/// The span that limit is counted over.
const SECOND: Duration = Duration::from_secs(1);

/// Voice so much younger than an event shows that all its last packets are lost.
const LOST_AFTER: Duration = Duration::from_millis(100);

/// In the second octet of the payload: the event is over (RFC 4733 §2.3.2).
const END: u8 = 0x80;

/// The events of one peer.
#[derive(Debug)]
pub(super) struct Hearing {
    events: TelephoneEvents,
    current: Option<Current>,
    second_began: Option<Instant>,
    in_this_second: u32,
}

/// The event that packets are about.
#[derive(Clone, Copy, Debug)]
struct Current {
    ssrc: u32,
    /// RTP time of its beginning: the same in all its packets.
    timestamp: u32,
    code: u8,
    /// Of earlier segments, where it is longer than a packet can say (RFC 4733 §2.5.1.3).
    before: u32,
    /// In units of the clock.
    duration: u16,
    reported: bool,
}

impl Hearing {
    pub(super) fn new(events: TelephoneEvents) -> Self {
        Self { events, current: None, second_began: None, in_this_second: 0 }
    }

    pub(super) fn is_event(&self, header: Header) -> bool {
        header.payload_type == self.events.payload_type
    }

    /// A packet of an event: the digit that is complete with it, and the one before, where its end
    /// was lost. The marker is not asked for, as some phones never set it.
    pub(super) fn on_event(
        &mut self,
        header: Header,
        payload: &[u8],
        now: Instant,
    ) -> SmallVec<[Press; 2]> {
        let mut complete: SmallVec<[Current; 2]> = SmallVec::new();
        let Some(&[code, flags, high, low]) = payload.first_chunk() else {
            return SmallVec::new();
        };
        let (is_current, missed) = self.follow(header, code, u16::from_be_bytes([high, low]));
        complete.extend(missed);
        let ended = is_current && flags & END != 0;
        if let Some(current) = self.current.as_mut().filter(|it| ended && !it.reported) {
            current.reported = true;
            complete.push(*current);
        }
        complete.retain(|_| self.within_limit(now));
        complete.into_iter().filter_map(|it| self.press(it)).collect()
    }

    /// A packet of voice: the digit whose end it shows.
    pub(super) fn on_voice(&mut self, header: Header) -> Option<Press> {
        let current = self.current.as_mut().filter(|it| !it.reported && it.ssrc == header.ssrc)?;
        let over = current.timestamp.wrapping_add(current.duration.into());
        let since = header.timestamp.wrapping_sub(over);
        let waited = self.events.clock / 1000 * u32::try_from(LOST_AFTER.as_millis()).ok()?;
        if !(waited..u32::MAX / 2).contains(&since) {
            return None;
        }
        current.reported = true;
        let lost = *current;
        self.press(lost)
    }

    /// Takes what a packet says; whether it is about the current event, and the one before, if
    /// that was never seen to end.
    fn follow(&mut self, header: Header, code: u8, duration: u16) -> (bool, Option<Current>) {
        let new = Current {
            ssrc: header.ssrc,
            timestamp: header.timestamp,
            code,
            before: 0,
            duration,
            reported: false,
        };
        let Some(current) = self.current.as_mut().filter(|it| it.ssrc == header.ssrc) else {
            let missed = self.current.replace(new).filter(|it| !it.reported);
            return (true, missed);
        };
        let ahead = header.timestamp.wrapping_sub(current.timestamp);
        if ahead == 0 {
            current.duration = current.duration.max(duration);
            return (true, None);
        }
        if ahead > u32::MAX / 2 {
            // Late, of an event before.
            return (false, None);
        }
        let goes_on = current.code == code
            && current.duration == u16::MAX
            && ahead == u32::from(u16::MAX)
            && !current.reported;
        if goes_on {
            current.before = current.before.saturating_add(u16::MAX.into());
            (current.timestamp, current.duration) = (header.timestamp, duration);
            return (true, None);
        }
        let missed = self.current.replace(new).filter(|it| !it.reported);
        (true, missed)
    }

    /// `None`: an event that is no digit, as a flash.
    fn press(&self, of: Current) -> Option<Press> {
        let units = of.before.saturating_add(of.duration.into());
        let ms = u64::from(units) * 1000 / u64::from(self.events.clock);
        Some(Press::new(Digit::of_event(of.code)?, Duration::from_millis(ms)))
    }

    fn within_limit(&mut self, now: Instant) -> bool {
        let began = *self.second_began.get_or_insert(now);
        if now.saturating_duration_since(began) >= SECOND {
            self.second_began = Some(now);
            self.in_this_second = 0;
        }
        self.in_this_second = self.in_this_second.saturating_add(1);
        self.in_this_second <= DIGITS_PER_SECOND_MAX
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const EVENTS: TelephoneEvents = TelephoneEvents { payload_type: 101, clock: 8000 };

    /// A packet: of voice, or of an event with its code, end and duration.
    type Packet = (u32, Option<(u8, bool, u16)>);

    const fn voice(timestamp: u32) -> Packet {
        (timestamp, None)
    }

    const fn event(timestamp: u32, code: u8, end: bool, duration: u16) -> Packet {
        (timestamp, Some((code, end, duration)))
    }

    fn heard(packets: &[Packet]) -> Vec<(char, u128)> {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let now = Instant::now();
        let mut hearing = Hearing::new(EVENTS);
        let mut all = Vec::new();
        for (timestamp, what) in packets {
            let header =
                |payload_type| Header { payload_type, sequence: 0, timestamp: *timestamp, ssrc: 7 };
            match what {
                None => all.extend(hearing.on_voice(header(8))),
                Some((code, end, duration)) => {
                    let [high, low] = duration.to_be_bytes();
                    let payload = [*code, if *end { 0x8a } else { 10 }, high, low];
                    assert!(hearing.is_event(header(101)) && !hearing.is_event(header(8)));
                    all.extend(hearing.on_event(header(101), &payload, now));
                }
            }
        }
        all.iter().map(|it| (it.digit.as_char(), it.lasts.as_millis())).collect()
    }

    #[test]
    fn many_packets_are_one_digit() {
        type Row<'a> = (&'a str, &'a [Packet], &'a [(char, u128)]);
        #[rustfmt::skip]
        let table: &[Row<'_>] = &[
            ("a digit and its two resent ends",
             &[event(0, 5, false, 160), event(0, 5, false, 320), event(0, 5, true, 800),
               event(0, 5, true, 800), event(0, 5, true, 800), voice(960)],
             &[('5', 100)]),
            ("only one end arrives",
             &[event(0, 11, true, 1280)],
             &[('#', 160)]),
            ("the same digit twice",
             &[event(0, 1, true, 800), event(2000, 1, false, 160), event(2000, 1, true, 800)],
             &[('1', 100), ('1', 100)]),
            ("all ends are lost, and the next digit shows it",
             &[event(0, 1, false, 640), event(2000, 2, true, 800)],
             &[('1', 80), ('2', 100)]),
            ("all ends are lost, and the voice shows it",
             &[event(0, 10, false, 640), voice(800), voice(1440), voice(1600)],
             &[('*', 80)]),
            ("voice beside the event ends nothing",
             &[event(0, 1, false, 160), voice(160), event(0, 1, false, 320), voice(320),
               event(0, 1, true, 480)],
             &[('1', 60)]),
            ("a late packet of the digit before",
             &[event(0, 1, true, 800), event(2000, 2, false, 160), event(0, 1, true, 800),
               event(2000, 2, true, 800)],
             &[('1', 100), ('2', 100)]),
            ("longer than a packet can say",
             &[event(0, 9, false, 65_000), event(0, 9, false, 65_535),
               event(65_535, 9, false, 160), event(65_535, 9, true, 8_000)],
             &[('9', 5000)]),
            ("around the end of the clock",
             &[event(u32::MAX - 100, 3, false, 160), event(u32::MAX - 100, 3, false, 320),
               voice(1400)],
             &[('3', 40)]),
            ("a flash is no digit",  &[event(0, 16, true, 800)], &[]),
            ("short of a tone",      &[event(0, 4, true, 0)],    &[('4', 40)]),
        ];
        for (name, packets, expected) in table {
            assert_eq!(heard(packets), *expected, "{name}");
        }
    }

    #[test]
    fn a_payload_that_is_cut_is_no_event() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let now = Instant::now();
        let header = Header { payload_type: 101, sequence: 0, timestamp: 0, ssrc: 7 };
        assert!(Hearing::new(EVENTS).on_event(header, &[5, END, 0], now).is_empty());
    }

    #[test]
    fn more_digits_than_anybody_presses_are_dropped() {
        let storm: Vec<Packet> = (0..1000).map(|it| event(it * 10, 1, true, 800)).collect();
        assert_eq!(heard(&storm).len(), 25);
    }
}
