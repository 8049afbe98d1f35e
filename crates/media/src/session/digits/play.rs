//! Digits put into a stream of voice as telephone events (RFC 4733 §2.5.1).
//!
//! While a digit lasts, its packets take the places of the voice's: they have the source and the
//! numbers of those, so nothing after them is to be renumbered, and the voice is their clock. Where
//! no voice flows they come from a source of their own, all at once: what counts is the duration
//! that they state.

use crate::session::rtp::Header;
use pbx::digit::{Digit, Press};
use pbx::media::TelephoneEvents;
use smallvec::SmallVec;
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

/// Until packets of voice show how far they are apart.
const USUAL_STEP: Duration = Duration::from_millis(20);

/// Octets of an RTP header and an event.
const EVENT_PACKET_LEN: usize = 16;

/// An RTP packet with an event.
pub(crate) type EventPacket = [u8; EVENT_PACKET_LEN];

/// The digits of one peer.
#[derive(Debug)]
pub(super) struct Playing {
    events: TelephoneEvents,
    waiting: VecDeque<Press>,
    digit: Option<Current>,
    voice: Option<Voice>,
    /// No digit begins before this time of the voice.
    not_before: Option<(u32, u32)>,
    own: Own,
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

/// The stream of our own.
#[derive(Clone, Copy, Debug)]
struct Own {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// When [`Own::timestamp`] was true.
    at: Option<Instant>,
}

impl Playing {
    pub(super) fn new(events: TelephoneEvents, ssrc: u32) -> Self {
        let [a, b, ..] = ssrc.to_be_bytes();
        let own = Own { ssrc, sequence: u16::from_be_bytes([a, b]), timestamp: ssrc, at: None };
        Self { events, waiting: VecDeque::new(), digit: None, voice: None, not_before: None, own }
    }

    /// A digit to send: the packets that are to go at once.
    pub(super) fn press(&mut self, press: Press, now: Instant) -> SmallVec<[EventPacket; 4]> {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(press);
        }
        if self.flows(now) { SmallVec::new() } else { self.without_voice(now) }
    }

    /// A packet of the other side is about to go out: the packet that takes its place.
    pub(super) fn on_voice(&mut self, header: Header, now: Instant) -> Option<EventPacket> {
        // Its phone sends an event itself.
        if header.payload_type == self.events.payload_type {
            return None;
        }
        let step = self.step(header);
        self.voice = Some(Voice { header, at: now, step });
        if self.digit.is_none() && self.may_begin(header) {
            self.digit = self.waiting.pop_front().map(|press| Current {
                digit: press.digit,
                ssrc: header.ssrc,
                start: header.timestamp,
                lasts: self.units(press.lasts),
                begun: false,
                ends_left: ENDS,
            });
        }
        let current = self.digit.as_mut()?;
        let since = header.timestamp.wrapping_sub(current.start);
        if header.ssrc != current.ssrc || (self.events.clock * 10..u32::MAX / 2).contains(&since) {
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
            (self.events.payload_type, header.sequence),
            (over, duration.min(current.lasts)),
        );
        current.begun = true;
        current.ends_left -= u8::from(over);
        if current.ends_left == 0 {
            self.digit = None;
            self.not_before = Some((header.ssrc, header.timestamp.wrapping_add(self.pause())));
        }
        Some(packet)
    }

    /// Digits wait for voice that flows no longer.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        (self.digit.is_some() || !self.waiting.is_empty()) && !self.flows(now)
    }

    /// All digits that wait, from a source of our own. One that was cut short was heard.
    pub(super) fn without_voice(&mut self, now: Instant) -> SmallVec<[EventPacket; 4]> {
        self.digit = None;
        let mut packets = SmallVec::new();
        while let Some(press) = self.waiting.pop_front() {
            let lasts = self.units(press.lasts);
            let start = self.own_time(now);
            let mut current = Current {
                digit: press.digit,
                ssrc: self.own.ssrc,
                start,
                lasts,
                begun: false,
                ends_left: ENDS,
            };
            let step = u16::try_from(self.units_of(USUAL_STEP)).unwrap_or(lasts).min(lasts);
            let ends = std::iter::repeat_n((true, lasts), ENDS.into());
            for said in std::iter::once((false, step)).chain(ends) {
                self.own.sequence = self.own.sequence.wrapping_add(1);
                packets.push(current.packet((self.events.payload_type, self.own.sequence), said));
                current.begun = true;
            }
            self.own.timestamp = start.wrapping_add(u32::from(lasts)).wrapping_add(self.pause());
        }
        packets
    }

    fn flows(&self, now: Instant) -> bool {
        self.voice.is_some_and(|it| now.saturating_duration_since(it.at) < FLOWS)
    }

    fn may_begin(&self, header: Header) -> bool {
        self.not_before.is_none_or(|(ssrc, time)| {
            ssrc != header.ssrc || header.timestamp.wrapping_sub(time) <= u32::MAX / 2
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

    /// The time of our own stream: it goes on with the clock, and never back.
    fn own_time(&mut self, now: Instant) -> u32 {
        let at = *self.own.at.get_or_insert(now);
        let gone = self.units_of(now.saturating_duration_since(at));
        self.own.at = Some(now);
        let pause_over = self.own.timestamp;
        self.own.timestamp = pause_over.wrapping_add(gone);
        self.own.timestamp
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
        assert_eq!(playing.on_voice(voice(0), now), None);
        assert!(playing.press(press(5, 60), now).is_empty(), "the voice flows");
        let packets: Vec<_> =
            (1..7).map(|it| playing.on_voice(voice(it), now).map(|it| read(&it))).collect();
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
        playing.press(press(1, 40), now);
        playing.press(press(1, 40), now);
        let is_event = |it: u16| playing.on_voice(voice(it), now).map(|it| read(&it).2);
        let times: Vec<_> = (1..13).map(is_event).collect();
        let (first, second) = (Some(5160), Some(5160 + 160 * 6));
        #[rustfmt::skip]
        let expected = [first, first, first, first, None, None,
                        second, second, second, second, None, None];
        assert_eq!(times, expected);
    }

    #[test]
    fn without_voice_a_digit_goes_at_once_from_a_source_of_ours() {
        let (mut playing, now) = (Playing::new(EVENTS, OWN), start());
        let first: Vec<_> = playing.press(press(11, 160), now).iter().map(read).collect();
        #[rustfmt::skip]
        let expected = [
            (true,  0x0103, OWN, OWN, 11, false, 160),
            (false, 0x0104, OWN, OWN, 11, true,  1280),
            (false, 0x0105, OWN, OWN, 11, true,  1280),
            (false, 0x0106, OWN, OWN, 11, true,  1280),
        ];
        assert_eq!(first, expected);
        // Another at the same moment is another event, after the first and the pause.
        let second: Vec<_> = playing.press(press(11, 160), now).iter().map(read).collect();
        assert_eq!((second[0].0, second[0].1, second[0].2), (true, 0x0107, OWN + 1280 + 480));
    }

    #[test]
    fn what_waits_when_the_voice_stops_goes_without_it() {
        let (mut playing, now) = (Playing::new(EVENTS, OWN), start());
        playing.on_voice(voice(0), now);
        playing.press(press(1, 100), now);
        playing.press(press(2, 100), now);
        assert!(playing.on_voice(voice(1), now).is_some());
        assert!(!playing.is_stuck(now));
        let later = now + Duration::from_secs(1);
        assert!(playing.is_stuck(later));
        let codes: Vec<_> = playing.without_voice(later).iter().map(|it| read(it).4).collect();
        assert_eq!(codes, [2; 4], "the first was heard by its beginning");
        assert!(!playing.is_stuck(later));
        assert_eq!(playing.on_voice(voice(60), later), None);
    }

    #[test]
    fn what_is_no_place_for_a_digit() {
        let (mut playing, now) = (Playing::new(EVENTS, OWN), start());
        playing.on_voice(voice(5), now);
        playing.press(press(1, 200), now);
        let own_event = Header { payload_type: 101, ..voice(6) };
        assert_eq!(playing.on_voice(own_event, now), None, "the phone's own");
        assert!(playing.on_voice(voice(7), now).is_some());
        assert_eq!(playing.on_voice(voice(6), now), None, "late, from before the digit");
        assert!(playing.on_voice(voice(8), now).is_some());
        let other = Header { ssrc: 8, ..voice(9) };
        assert_eq!(playing.on_voice(other, now), None, "another stream ends it");
        assert_eq!(playing.on_voice(voice(10), now), None);
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
        playing.press(press(0, 4000), now);
        let durations: Vec<_> =
            (2..5).map(|it| read(&playing.on_voice(voice(it), now).unwrap()).6).collect();
        assert_eq!(durations, [2880, 5760, 8640]);
        // No longer than a packet can say.
        let last = (5..40)
            .find_map(|it| playing.on_voice(voice(it), now).map(|it| read(&it)).filter(|it| it.5));
        assert_eq!(last.unwrap().6, u16::MAX);
    }

    #[test]
    fn digits_that_wait_have_a_limit() {
        let (mut playing, now) = (Playing::new(EVENTS, OWN), start());
        playing.on_voice(voice(0), now);
        for _ in 0..100 {
            playing.press(press(1, 40), now);
        }
        let all = playing.without_voice(now + Duration::from_secs(1));
        assert_eq!(all.len(), 4 * WAITING_MAX);
    }
}
