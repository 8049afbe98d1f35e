//! Digits put into a stream of voice as telephone events (RFC 4733 §2.5.1).
//!
//! While a digit lasts, its packets take the places of the voice's: they have the source and the
//! numbers of those, so nothing after them is to be renumbered, and the voice is their clock. Where
//! no voice flows a clock of our own makes the places, and the voice that comes later is numbered
//! after them ([`OneStream`]).

use super::stream::OneStream;
use crate::session::rtp::{Header, Numbers};
use pbx::digit::{Digit, Press};
use pbx::media::TelephoneEvents;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Digits that wait; more are dropped. More than a number has, and a PIN after it.
const WAITING_MAX: usize = 32;

/// Silence between two digits; ITU-T Q.24 asks for 40 ms at least.
const PAUSE: Duration = Duration::from_millis(60);

/// Voice that came so long ago flows no longer.
const FLOWS: Duration = Duration::from_millis(150);

/// How often the last packet is sent, against loss (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;

/// -10 dBm0, as phones say.
const VOLUME: u8 = 10;

/// Between packets of our own, and of voice until it shows how far they are apart.
const USUAL_STEP: Duration = Duration::from_millis(20);

/// Octets of an RTP header and an event.
const EVENT_PACKET_LEN: usize = 16;

/// An RTP packet with an event.
pub(crate) type EventPacket = [u8; EVENT_PACKET_LEN];

/// What becomes of a packet of voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It goes, with these numbers.
    Voice(Header),
    /// A digit takes its place.
    Digit(EventPacket),
}

/// The digits of one peer.
#[derive(Debug)]
pub(super) struct Playing {
    events: TelephoneEvents,
    waiting: VecDeque<Press>,
    digit: Option<Current>,
    voice: Option<Voice>,
    /// No digit begins before this time of the voice.
    not_before: Option<(u32, u32)>,
    stream: OneStream,
    /// When the next packet without voice is due.
    own_at: Option<Instant>,
}

/// The digit under way.
#[derive(Clone, Copy, Debug)]
struct Current {
    digit: Digit,
    ssrc: u32,
    /// RTP time of its beginning.
    start: u32,
    /// In units of the clock.
    lasts: u16,
    begun: bool,
    ends_left: u8,
}

/// The stream of voice the digits go into.
#[derive(Clone, Copy, Debug)]
struct Voice {
    header: Header,
    at: Instant,
    /// Units between its packets.
    step: u32,
}

impl Playing {
    pub(super) fn new(events: TelephoneEvents, ssrc: u32) -> Self {
        Self {
            events,
            waiting: VecDeque::new(),
            digit: None,
            voice: None,
            not_before: None,
            stream: OneStream::new(events.clock, ssrc),
            own_at: None,
        }
    }

    /// A digit to send, in a place of the voice or when [`Playing::due`] says.
    pub(super) fn press(&mut self, press: Press) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(press);
        }
    }

    /// When to look, while digits wait or last: the voice that makes their places may have stopped,
    /// or there was none.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let plays = self.digit.is_some() || !self.waiting.is_empty();
        let voice_over = self.voice.map(|it| it.at + FLOWS);
        plays.then(|| voice_over.max(self.own_at).unwrap_or(now))
    }

    /// What is due where no voice flows.
    pub(super) fn without_voice(&mut self, now: Instant) -> Option<EventPacket> {
        let due = self.due(now).filter(|it| *it <= now)?;
        // A clock that was late stays as even as it can.
        self.own_at = Some((due + USUAL_STEP).max(now + USUAL_STEP / 2));
        let numbers = self.stream.next(now);
        let packet = self.in_place_of(numbers, self.units_of(USUAL_STEP))?;
        self.stream.sent(numbers, now);
        Some(packet)
    }

    /// A packet of the other side is about to go out.
    pub(super) fn on_voice(&mut self, header: Header, now: Instant) -> Place {
        let header = self.stream.voice(header, now);
        // Its phone sends an event itself.
        if header.payload_type == self.events.payload_type {
            return Place::Voice(header);
        }
        let step = self.step(header);
        self.voice = Some(Voice { header, at: now, step });
        self.in_place_of(header.numbers(), step).map_or(Place::Voice(header), Place::Digit)
    }

    /// The packet of a digit that has the place with these numbers; the next is `step` units later.
    fn in_place_of(&mut self, place: Numbers, step: u32) -> Option<EventPacket> {
        if self.digit.is_none() && self.may_begin(place) {
            self.digit = self.waiting.pop_front().map(|press| Current {
                digit: press.digit,
                ssrc: place.ssrc,
                start: place.timestamp,
                lasts: self.units(press.lasts),
                begun: false,
                ends_left: ENDS,
            });
        }
        let current = self.digit.as_mut()?;
        let since = place.timestamp.wrapping_sub(current.start);
        if place.ssrc != current.ssrc || (self.events.clock * 10..u32::MAX / 2).contains(&since) {
            // Another stream: the digit was heard by its first packets, and ends with the old one.
            self.digit = None;
            return None;
        }
        if since > u32::MAX / 2 {
            // A late packet, from before the digit.
            return None;
        }
        let duration = u16::try_from(since.saturating_add(step)).unwrap_or(u16::MAX);
        let over = duration >= current.lasts;
        let packet = current.packet(
            (self.events.payload_type, place.sequence),
            (over, duration.min(current.lasts)),
        );
        current.begun = true;
        current.ends_left -= u8::from(over);
        if current.ends_left == 0 {
            self.digit = None;
            self.not_before = Some((place.ssrc, place.timestamp.wrapping_add(self.pause())));
        }
        Some(packet)
    }

    fn may_begin(&self, place: Numbers) -> bool {
        self.not_before.is_none_or(|(ssrc, time)| {
            ssrc != place.ssrc || place.timestamp.wrapping_sub(time) <= u32::MAX / 2
        })
    }

    /// How far the packets of the voice are apart.
    fn step(&self, header: Header) -> u32 {
        let usual = self.units_of(USUAL_STEP);
        let Some(last) = self.voice else { return usual };
        let next = last.header.ssrc == header.ssrc
            && header.sequence == last.header.sequence.wrapping_add(1);
        let step = header.timestamp.wrapping_sub(last.header.timestamp);
        if next && (1..=self.events.clock / 5).contains(&step) { step } else { last.step }
    }

    fn pause(&self) -> u32 {
        self.units_of(PAUSE)
    }

    fn units(&self, time: Duration) -> u16 {
        u16::try_from(self.units_of(time)).unwrap_or(u16::MAX)
    }

    fn units_of(&self, time: Duration) -> u32 {
        let units = time.as_millis() * u128::from(self.events.clock) / 1000;
        u32::try_from(units).unwrap_or(u32::MAX)
    }
}

impl Current {
    fn packet(
        &self,
        (payload_type, sequence): (u8, u16),
        (over, duration): (bool, u16),
    ) -> EventPacket {
        let marker = if self.begun { 0 } else { 0x80 };
        let end = if over { 0x80 } else { 0 };
        let [s1, s2] = sequence.to_be_bytes();
        let [t1, t2, t3, t4] = self.start.to_be_bytes();
        let [r1, r2, r3, r4] = self.ssrc.to_be_bytes();
        let [d1, d2] = duration.to_be_bytes();
        let (second, flags) = (marker | payload_type, end | VOLUME);
        [0x80, second, s1, s2, t1, t2, t3, t4, r1, r2, r3, r4, self.digit.event(), flags, d1, d2]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const EVENTS: TelephoneEvents = TelephoneEvents { payload_type: 101, clock: 8000 };
    const OWN: u32 = 0x0102_0304;

    #[expect(clippy::disallowed_methods, reason = "where virtual time begins")]
    fn start() -> Instant {
        Instant::now()
    }

    fn press(code: u8, ms: u64) -> Press {
        Press::new(Digit::of_event(code).unwrap(), Duration::from_millis(ms))
    }

    fn voice(number: u16) -> Header {
        let timestamp = 5_000 + 160 * u32::from(number);
        Header { payload_type: 8, sequence: 100 + number, timestamp, ssrc: 7 }
    }

    /// The digit in the place of a packet of voice.
    fn digit(place: Place) -> Option<EventPacket> {
        match place {
            Place::Digit(packet) => Some(packet),
            Place::Voice(_) => None,
        }
    }

    /// What goes without voice until all is said, and after how many milliseconds.
    fn alone(playing: &mut Playing, from: Instant) -> Vec<(u128, EventPacket)> {
        let (mut packets, mut now) = (Vec::new(), from);
        while let Some(due) = playing.due(now) {
            now = now.max(due);
            let packet = playing.without_voice(now);
            packets.extend(packet.map(|it| ((now - from).as_millis(), it)));
        }
        packets
    }

    /// Marker, sequence number, time, source, event, end, duration.
    fn read(it: &EventPacket) -> (bool, u16, u32, u32, u8, bool, u16) {
        assert_eq!((it[0], it[1] & 0x7f, it[13] & 0x7f), (0x80, 101, VOLUME));
        let word = |at: usize| u32::from_be_bytes([it[at], it[at + 1], it[at + 2], it[at + 3]]);
        let half = |at: usize| u16::from_be_bytes([it[at], it[at + 1]]);
        (it[1] & 0x80 != 0, half(2), word(4), word(8), it[12], it[13] & 0x80 != 0, half(14))
    }

    #[test]
    fn a_digit_takes_the_places_of_the_voice() {
        let (mut playing, now) = (Playing::new(EVENTS, OWN), start());
        assert_eq!(playing.on_voice(voice(0), now), Place::Voice(voice(0)));
        playing.press(press(5, 60));
        assert_eq!(playing.without_voice(now), None, "the voice flows");
        let packets: Vec<_> =
            (1..7).map(|it| digit(playing.on_voice(voice(it), now)).map(|it| read(&it))).collect();
        #[rustfmt::skip]
        let expected = [
            Some((true,  101, 5160, 7, 5, false, 160)),
            Some((false, 102, 5160, 7, 5, false, 320)),
            Some((false, 103, 5160, 7, 5, true,  480)),
            Some((false, 104, 5160, 7, 5, true,  480)),
            Some((false, 105, 5160, 7, 5, true,  480)),
            None,
        ];
        assert_eq!(packets, expected);
    }

    #[test]
    fn two_digits_are_parted_by_voice() {
        let (mut playing, now) = (Playing::new(EVENTS, OWN), start());
        playing.on_voice(voice(0), now);
        playing.press(press(1, 40));
        playing.press(press(1, 40));
        let is_event = |it: u16| digit(playing.on_voice(voice(it), now)).map(|it| read(&it).2);
        let times: Vec<_> = (1..13).map(is_event).collect();
        let (first, second) = (Some(5160), Some(5160 + 160 * 6));
        #[rustfmt::skip]
        let expected = [first, first, first, first, None, None,
                        second, second, second, second, None, None];
        assert_eq!(times, expected);
    }

    #[test]
    fn without_voice_digits_have_a_clock_of_their_own() {
        let (mut playing, now) = (Playing::new(EVENTS, OWN), start());
        playing.press(press(11, 60));
        playing.press(press(11, 40));
        let packets = alone(&mut playing, now);
        let packets: Vec<_> = packets.iter().map(|(at, it)| (*at, read(it))).collect();
        let (first, second) = (OWN, OWN + 160 * 7);
        #[rustfmt::skip]
        let expected = [
            (0,   (true,  0x0102, first,  OWN, 11, false, 160)),
            (20,  (false, 0x0103, first,  OWN, 11, false, 320)),
            (40,  (false, 0x0104, first,  OWN, 11, true,  480)),
            (60,  (false, 0x0105, first,  OWN, 11, true,  480)),
            (80,  (false, 0x0106, first,  OWN, 11, true,  480)),
            (140, (true,  0x0107, second, OWN, 11, false, 160)),
            (160, (false, 0x0108, second, OWN, 11, true,  320)),
            (180, (false, 0x0109, second, OWN, 11, true,  320)),
            (200, (false, 0x010a, second, OWN, 11, true,  320)),
        ];
        assert_eq!(packets, expected);
        // The voice that begins now is of the same stream.
        let Place::Voice(first) = playing.on_voice(voice(3), now + Duration::from_millis(220))
        else {
            panic!("no digit waits");
        };
        assert_eq!((first.ssrc, first.sequence, first.timestamp), (OWN, 0x010b, second + 80 * 8));
    }

    #[test]
    fn a_digit_goes_on_when_its_voice_stops_or_begins() {
        let (mut playing, now) = (Playing::new(EVENTS, OWN), start());
        playing.on_voice(voice(0), now);
        playing.press(press(1, 100));
        assert!(digit(playing.on_voice(voice(1), now)).is_some());
        assert_eq!(playing.due(now), Some(now + FLOWS));
        let packets = alone(&mut playing, now);
        let packets: Vec<_> = packets.iter().map(|(at, it)| (*at, read(it))).collect();
        #[rustfmt::skip]
        let expected = [
            (150, (false, 102, 5160, 7, 1, true, 800)),
            (170, (false, 103, 5160, 7, 1, true, 800)),
            (190, (false, 104, 5160, 7, 1, true, 800)),
        ];
        assert_eq!(packets, expected);

        let later = now + Duration::from_secs(1);
        playing.press(press(2, 60));
        let packet = read(&playing.without_voice(later).unwrap());
        assert_eq!((packet.1, packet.3, packet.6), (105, 7, 160));
        let again = Header { sequence: 102, timestamp: packet.2.wrapping_add(160), ..voice(0) };
        let packet = read(&digit(playing.on_voice(again, later)).unwrap());
        assert_eq!((packet.0, packet.1, packet.3, packet.6), (false, 106, 7, 320));
    }

    #[test]
    fn what_is_no_place_for_a_digit() {
        let (mut playing, now) = (Playing::new(EVENTS, OWN), start());
        playing.on_voice(voice(5), now);
        playing.press(press(1, 200));
        let own_event = Header { payload_type: 101, ..voice(6) };
        assert_eq!(playing.on_voice(own_event, now), Place::Voice(own_event), "the phone's own");
        assert!(digit(playing.on_voice(voice(7), now)).is_some());
        let late = playing.on_voice(voice(6), now);
        assert_eq!(late, Place::Voice(voice(6)), "late, from before the digit");
        assert!(digit(playing.on_voice(voice(8), now)).is_some());
        let other = Header { ssrc: 8, ..voice(9) };
        assert_eq!(playing.on_voice(other, now), Place::Voice(other), "another stream ends it");
        assert_eq!(playing.on_voice(voice(10), now), Place::Voice(voice(10)));
    }

    #[test]
    fn the_duration_follows_the_packets_of_the_voice() {
        // Opus: 48 kHz, 60 ms a packet.
        let events = TelephoneEvents { payload_type: 101, clock: 48_000 };
        let (mut playing, now) = (Playing::new(events, OWN), start());
        let voice = |number: u16| Header {
            payload_type: 96,
            sequence: number,
            timestamp: 2880 * u32::from(number),
            ssrc: 7,
        };
        playing.on_voice(voice(0), now);
        playing.on_voice(voice(1), now);
        playing.press(press(0, 4000));
        let durations: Vec<_> =
            (2..5).map(|it| read(&digit(playing.on_voice(voice(it), now)).unwrap()).6).collect();
        assert_eq!(durations, [2880, 5760, 8640]);
        // No longer than a packet can say.
        let last = (5..40).find_map(|it| {
            digit(playing.on_voice(voice(it), now)).map(|it| read(&it)).filter(|it| it.5)
        });
        assert_eq!(last.unwrap().6, u16::MAX);
    }

    #[test]
    fn digits_that_wait_have_a_limit() {
        let (mut playing, now) = (Playing::new(EVENTS, OWN), start());
        playing.on_voice(voice(0), now);
        for _ in 0..100 {
            playing.press(press(1, 40));
        }
        let all = alone(&mut playing, now);
        assert_eq!(all.iter().filter(|it| read(&it.1).0).count(), WAITING_MAX);
    }
}
