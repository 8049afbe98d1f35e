//! A tone of our own, to a peer that has nobody to listen to.
//!
//! One frequency in a cadence, as ITU-T E.180 describes supervisory tones, in G.711. Who hears it
//! gets a packet every 20 ms, silence included: a stream that stops is taken for a fault.

use super::{Made, Outgoing};
use pbx::media::{self, Companding, Signal, TransportId};
use std::f64::consts::TAU;
use std::time::{Duration, Instant};

/// Between packets.
const STEP: Duration = Duration::from_millis(20);

/// The same in units of RTP time.
const STEP_UNITS: u32 = 160;

/// Samples of a packet.
const SAMPLES: usize = STEP_UNITS as usize;

/// Samples in a second.
const RATE: f64 = 8000.0;

/// What ITU-T E.180 recommends of all supervisory tones. Unit: Hz.
const FREQUENCY: f64 = 425.0;

/// After so many packets the tone is where it began: 17 cycles of 425 Hz are 40 ms.
const PERIOD: u32 = 2;

/// Peak of -10 dBm0 (E.180), where a sine at the limit of G.711 has +3.14 dBm0 and 16 bits.
const AMPLITUDE: f64 = 7218.0;

/// Packets of a ring, and from its beginning to that of the next: 1 s of 5, the cadence E.180 recommends.
const RING: (u32, u32) = (50, 250);

/// Octets of an RTP header without extension.
const HEADER_LEN: usize = 12;

/// A tone that is played.
#[derive(Debug)]
pub(super) struct Tone {
    plan: media::Tone,
    sound: [[u8; SAMPLES]; PERIOD as usize],
    /// Packets that have gone.
    count: u32,
    due: Option<Instant>,
    made: Vec<Made>,
}

impl Tone {
    /// As a plan says; one that plays goes on.
    pub(super) fn of(plan: Option<&media::Tone>, old: Option<Box<Self>>) -> Option<Box<Self>> {
        let plan = plan?;
        Some(old.filter(|it| it.plan == *plan).unwrap_or_else(|| Box::new(Self::new(*plan))))
    }

    fn new(plan: media::Tone) -> Self {
        let mut samples = (0_u32..).map(|at| sample(plan.companding, sine(at)));
        let mut sound = [[0; SAMPLES]; PERIOD as usize];
        sound.as_flattened_mut().fill_with(|| samples.next().unwrap_or_default());
        Self { plan, sound, count: 0, due: None, made: Vec::new() }
    }

    pub(super) fn transport(&self) -> TransportId {
        self.plan.transport
    }

    /// Makes the packet that is due, and says when the next one is; how many were made.
    pub(super) fn play(&mut self, to: Option<Outgoing>, now: Instant) -> (u64, Instant) {
        let due = self.due.unwrap_or(now);
        if due > now {
            return (0, due);
        }
        // A clock that was late stays as even as it can.
        let next = (due + STEP).max(now + STEP / 2);
        self.due = Some(next);
        let packet = self.packet();
        self.count = self.count.wrapping_add(1);
        let Some(to) = to else { return (0, next) };
        self.made.push((to, packet));
        (1, next)
    }

    pub(super) fn take_made(&mut self) -> Vec<Made> {
        std::mem::take(&mut self.made)
    }

    fn packet(&self) -> Vec<u8> {
        let [a, b, ..] = self.plan.ssrc.to_be_bytes();
        let [.., high, low] = self.count.to_be_bytes();
        let sequence = u16::from_be_bytes([a, b]).wrapping_add(u16::from_be_bytes([high, low]));
        let samples = self.count.wrapping_mul(STEP_UNITS);
        let Signal::Ringing = self.plan.signal;
        let at = self.count % RING.1;
        let mut packet = Vec::with_capacity(HEADER_LEN + SAMPLES);
        // Marked is the first packet after silence (RFC 3551 §4.1).
        packet.extend([0x80, payload_type(self.plan.companding) | u8::from(at == 0) << 7]);
        packet.extend(sequence.to_be_bytes());
        packet.extend(self.plan.ssrc.wrapping_add(samples).to_be_bytes());
        packet.extend(self.plan.ssrc.to_be_bytes());
        if at < RING.0 {
            packet.extend(self.sound[(at % PERIOD) as usize]);
        } else {
            packet.resize(HEADER_LEN + SAMPLES, sample(self.plan.companding, 0));
        }
        packet
    }
}

/// The static payload types of RFC 3551 §6.
fn payload_type(companding: Companding) -> u8 {
    match companding {
        Companding::ULaw => 0,
        Companding::ALaw => 8,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "its size is that of the amplitude")]
fn sine(at: u32) -> i16 {
    (AMPLITUDE * (TAU * FREQUENCY * f64::from(at) / RATE).sin()).round() as i16
}

/// A sample of 16 bits in G.711.
fn sample(companding: Companding, linear: i16) -> u8 {
    match companding {
        Companding::ULaw => ulaw(linear),
        Companding::ALaw => alaw(linear),
    }
}

/// ITU-T G.711, table 2: 14 bits, biased by 33, as sign, exponent and mantissa; all bits inverted.
fn ulaw(linear: i16) -> u8 {
    let sign = if linear < 0 { 0x80 } else { 0 };
    let biased = ((linear.unsigned_abs() >> 2) + 33).min(0x1fff);
    !(sign | float(biased, 5))
}

/// ITU-T G.711, table 1: 13 bits as sign, exponent and mantissa; even bits inverted.
fn alaw(linear: i16) -> u8 {
    let sign = if linear < 0 { 0 } else { 0x80 };
    // The steps below zero are those above it, mirrored.
    let magnitude = if linear < 0 { !linear } else { linear }.unsigned_abs() >> 3;
    let code = match magnitude {
        0..=31 => (magnitude >> 1).to_be_bytes()[1],
        _ => float(magnitude, 5) + 0x10,
    };
    (sign | code) ^ 0x55
}

/// Exponent and four bits of mantissa of a magnitude whose smallest exponent has its first bit
/// `lowest` places up.
fn float(magnitude: u16, lowest: u32) -> u8 {
    let exponent = magnitude.ilog2().saturating_sub(lowest);
    let mantissa = magnitude >> (exponent + lowest - 4) & 0x0f;
    exponent.to_be_bytes()[3] << 4 | mantissa.to_be_bytes()[1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Port;
    use crate::session::rtp::{Kind, classify, payload};
    use pbx::media::Companding::{ALaw, ULaw};

    #[expect(clippy::disallowed_methods, reason = "where virtual time begins")]
    fn start() -> Instant {
        Instant::now()
    }

    fn tone(companding: Companding) -> Tone {
        Tone::new(media::Tone {
            transport: TransportId(1),
            companding,
            signal: Signal::Ringing,
            ssrc: 0xfffe_fff0,
        })
    }

    fn to() -> Option<Outgoing> {
        let to = ([192, 0, 2, 1], 4000).into();
        Some(Outgoing { transport: 0, port: Port::Rtp, to, source: None })
    }

    /// Samples of ITU-T G.711: the ends of segments, both signs, beyond the range.
    #[test]
    fn g711_table() {
        #[rustfmt::skip]
        let table: [(i16, u8, u8); 12] = [
            // linear,  µ-law, A-law
            (0,          0xff,  0xd5),
            (-4,         0x7e,  0x55),
            (8,          0xfe,  0xd5),
            (-8,         0x7e,  0x55),
            (256,        0xe7,  0xc5),
            (1_000,      0xce,  0xfa),
            (-1_000,     0x4e,  0x7a),
            (7_218,      0xa3,  0x89),
            (-7_218,     0x23,  0x09),
            (16_384,     0x8f,  0xa5),
            (i16::MAX,   0x80,  0xaa),
            (i16::MIN,   0x00,  0x2a),
        ];
        for (linear, mu, a) in table {
            assert_eq!((sample(ULaw, linear), sample(ALaw, linear)), (mu, a), "{linear}");
        }
    }

    /// The packets of 11 s: one every 20 ms, numbered one by one, 1 s of sound in 5.
    #[test]
    fn cadence() {
        let mut tone = tone(ALaw);
        let begin = start();
        let mut now = begin;
        let mut sounds = Vec::new();
        while now < begin + Duration::from_secs(11) {
            let (sent, next) = tone.play(to(), now);
            assert_eq!((sent, next), (1, now + STEP));
            assert_eq!(tone.play(to(), now), (0, next), "not twice");
            let made = tone.take_made();
            let [(_, packet)] = made.as_slice() else { panic!("{made:?}") };
            let Kind::Rtp(header) = classify(packet) else { panic!("no RTP") };
            let number = u16::try_from(sounds.len()).unwrap();
            assert_eq!(header.payload_type, 8);
            assert_eq!(header.sequence, 0xfffe_u16.wrapping_add(number));
            let time = 0xfffe_fff0_u32.wrapping_add(160 * u32::from(number));
            assert_eq!(header.timestamp, time);
            assert_eq!(packet[1] >= 0x80, number.is_multiple_of(250), "marker");
            sounds.push(payload(packet).unwrap().iter().any(|it| *it != 0xd5));
            now = next;
        }
        let spans: Vec<_> = sounds.chunk_by(|a, b| a == b).map(<[bool]>::len).collect();
        assert_eq!((sounds[0], spans), (true, vec![50, 200, 50, 200, 50]));
    }

    /// It has 425 Hz and next to nothing else: by Goertzel's filter over 40 ms.
    #[test]
    fn frequency() {
        let tone = tone(ULaw);
        let decode = |octet: &u8| {
            // The inverse of the table, sought by hand: the least sample that is coded so.
            f64::from((i16::MIN..=i16::MAX).find(|it| ulaw(*it) == *octet).unwrap())
        };
        let samples: Vec<f64> = tone.sound.as_flattened().iter().map(decode).collect();
        let power = |hz: f64| {
            let angle = |at: usize| TAU * hz * f64::from(u32::try_from(at).unwrap()) / RATE;
            let sum = |wave: fn(f64) -> f64| -> f64 {
                samples.iter().enumerate().map(|(at, it)| it * wave(angle(at))).sum()
            };
            sum(f64::sin).powi(2) + sum(f64::cos).powi(2)
        };
        assert!(power(425.0) > 1000.0 * power(850.0).max(power(325.0)).max(power(525.0)));
    }

    /// A thread that was held up sends no burst.
    #[test]
    fn late() {
        let mut tone = tone(ULaw);
        let begin = start();
        assert_eq!(tone.play(to(), begin), (1, begin + STEP));
        let late = begin + Duration::from_millis(500);
        assert_eq!(tone.play(to(), late), (1, late + STEP / 2));
        assert_eq!(tone.play(None, late + STEP / 2).0, 0, "nobody is there to be sent it");
    }
}
