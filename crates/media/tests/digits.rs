//! Digits that change their form on their way through a session (RFC 4733): taken out of what one
//! side sends, put into what the other is sent.

#![allow(clippy::unwrap_used)]

use media::session::{Made, Outgoing, Port, Session};
use pbx::digit::{Digit, Press};
use pbx::media::{
    DigitWay, Digits, Expect, Figures, Link, MediaSource, Plan, PortPair, Rtcp, Stream, StreamId,
    TelephoneEvents, Transport, TransportId,
};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const ALICE: &str = "198.51.100.7:4000";
const CARRIER: &str = "203.0.113.5:6000";
const EVENTS: TelephoneEvents = TelephoneEvents { payload_type: 101, clock: 8000 };

/// Alice on the first transport, the carrier on the second.
fn plan(digits: &[(u8, Option<TelephoneEvents>, Option<TelephoneEvents>)]) -> Plan {
    let transport = |(id, peer): (u8, &str)| {
        let peer: SocketAddr = peer.parse().unwrap();
        Transport {
            id: TransportId(id),
            ports: PortPair { rtp: 20_000 + 2 * u16::from(id) },
            source: "192.0.2.1".parse().unwrap(),
            rtcp: Rtcp::Muxed,
            expect: Expect {
                advertised: Some(peer),
                signalling: peer.ip(),
                policy: MediaSource::Auto,
                generation: 1,
            },
            watched: false,
        }
    };
    let stream = |id| Stream { id: StreamId(id), transport: TransportId(id), line: 0 };
    let link = |from, to| Link { from: StreamId(from), to: StreamId(to) };
    let ways = digits.iter().map(|(id, heard, sent)| DigitWay {
        transport: TransportId(*id),
        heard: *heard,
        sent: *sent,
    });
    let digits = Digits { ssrc: 0x0102_0304, ways: ways.collect() };
    Plan {
        revision: 1,
        transports: [(0, ALICE), (1, CARRIER)].map(transport).into(),
        streams: [stream(0), stream(1)].into(),
        links: [link(0, 1), link(1, 0)].into(),
        silence_ms: None,
        tone: None,
        digits: (!digits.ways.is_empty()).then(|| Box::new(digits)),
    }
}

struct Story {
    session: Session,
    now: Instant,
}

impl Story {
    fn new(plan: &Plan) -> Self {
        #[expect(clippy::disallowed_methods, reason = "where virtual time begins")]
        let now = Instant::now();
        Self { session: Session::new(plan, now).unwrap(), now }
    }

    /// Where a packet goes, 20 ms after the one before.
    fn hear(&mut self, at: usize, from: &str, packet: &[u8]) -> Vec<Outgoing> {
        self.now += Duration::from_millis(20);
        let (from, mut out) = (from.parse().unwrap(), Vec::new());
        self.session.handle_datagram(at, Port::Rtp, from, packet, self.now, &mut out);
        out
    }

    fn press(&mut self, transport: u8, code: u8, ms: u64) {
        let press = Press::new(Digit::of_event(code).unwrap(), Duration::from_millis(ms));
        self.session.press(TransportId(transport), press);
    }

    fn pressed(&mut self) -> Vec<(u8, char)> {
        let pressed = self.session.take_pressed();
        pressed.iter().map(|(from, it)| (from.0, it.digit.as_char())).collect()
    }

    fn figures(&self, at: usize) -> Figures {
        self.session.figures()[at]
    }
}

fn packet(payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend([0, 0, 0, 1]);
    packet.extend(payload);
    packet
}

fn voice(number: u16) -> Vec<u8> {
    packet(8, number, 160 * u32::from(number), &[0xd5; 160])
}

/// Sequence number, time and whether it is the end.
fn event(made: &Made) -> (u16, u32, bool) {
    let it = &made.1;
    let time = u32::from_be_bytes([it[4], it[5], it[6], it[7]]);
    (u16::from_be_bytes([it[2], it[3]]), time, it[13] & 0x80 != 0)
}

#[test]
fn a_digit_goes_out_in_the_place_of_voice_and_to_the_same_address() {
    let mut story = Story::new(&plan(&[(1, None, Some(EVENTS))]));
    let to_carrier = story.hear(0, ALICE, &voice(0));
    story.press(1, 5, 60);
    let mut relayed = Vec::new();
    let mut made = Vec::new();
    for number in 1..8 {
        relayed.extend(story.hear(0, ALICE, &voice(number)).iter().map(|_| number));
        made.extend(story.session.take_made());
        // What the carrier says is not touched.
        assert_eq!(story.hear(1, CARRIER, &voice(number)).len(), 1);
        assert!(story.session.take_made().is_empty());
    }
    assert_eq!(relayed, [6, 7]);
    let events: Vec<_> = made.iter().map(event).collect();
    let expected =
        [(1, 160, false), (2, 160, false), (3, 160, true), (4, 160, true), (5, 160, true)];
    assert_eq!(events, expected);
    assert!(made.iter().all(|it| [it.0] == to_carrier.as_slice()), "{made:?}");
    assert_eq!(story.figures(1).packets_out, 8, "as many as came in");
}

#[test]
fn without_voice_a_digit_does_not_wait_for_it() {
    let mut story = Story::new(&plan(&[(1, None, Some(EVENTS))]));
    story.press(1, 7, 60);
    let began = story.now;
    while let Some(due) = story.session.play_digits(story.now) {
        story.now = due;
    }
    let made = story.session.take_made();
    assert_eq!(story.now - began, Duration::from_millis(80));
    assert!(made.iter().all(|it| it.0.to.to_string() == CARRIER));
    assert_eq!(made[0].1[1], 0x80 | 101, "marker");
    let (first, time, _) = event(&made[0]);
    let expected = (first..).zip([false, false, true, true, true]);
    let expected: Vec<_> = expected.map(|(number, is_end)| (number, time, is_end)).collect();
    assert_eq!(made.iter().map(event).collect::<Vec<_>>(), expected);
    assert_eq!(story.figures(1).packets_out, 5);

    // The voice that begins now goes on with the numbers of the digit.
    assert_eq!(story.hear(0, ALICE, &voice(9)), []);
    let renumbered = story.session.take_made().remove(0).1;
    assert_eq!(renumbered[12..], voice(9)[12..]);
    assert_eq!(renumbered[2..4], (first + 5).to_be_bytes());
    assert_eq!(renumbered[4..8], (time + 5 * 160).to_be_bytes());
    assert_eq!(renumbered[8..12], made[0].1[8..12], "one source");
}

#[test]
fn events_go_no_further_and_voice_does() {
    let mut story = Story::new(&plan(&[(0, Some(EVENTS), None)]));
    for (number, payload) in [(1, [11, 10, 0, 160]), (2, [11, 0x8a, 3, 32]), (3, [11, 0x8a, 3, 32])]
    {
        assert_eq!(story.hear(0, ALICE, &packet(101, number, 0, &payload)), []);
    }
    assert_eq!(story.hear(0, ALICE, &voice(9)).len(), 1);
    assert_eq!(story.pressed(), [(0, '#')]);
    assert_eq!(story.pressed(), [], "each once");
    // Those of the carrier pass, for nobody said anything of them.
    assert_eq!(story.hear(1, CARRIER, &packet(101, 1, 0, &[1, 0x8a, 3, 32])).len(), 1);
    assert_eq!((story.figures(0).packets_in, story.figures(1).packets_out), (4, 1));
    // Padding and a cut payload are nobody's digit.
    assert_eq!(story.hear(0, ALICE, &packet(101, 10, 4000, &[1, 0x8a])), []);
    assert_eq!(story.pressed(), []);
}

#[test]
fn a_stranger_presses_nothing() {
    let mut story = Story::new(&plan(&[(0, Some(EVENTS), None)]));
    assert_eq!(story.hear(0, "192.0.2.66:4000", &packet(101, 1, 0, &[1, 0x8a, 3, 32])), []);
    assert_eq!(story.pressed(), []);
}

#[test]
fn a_new_plan_keeps_the_digits_under_way_unless_it_says_otherwise() {
    let digits = plan(&[(1, None, Some(EVENTS))]);
    let mut story = Story::new(&digits);
    story.hear(0, ALICE, &voice(0));
    story.press(1, 5, 100);
    story.hear(0, ALICE, &voice(1));
    story.session.apply(&Plan { revision: 2, ..digits }, story.now).unwrap();
    assert_eq!(story.hear(0, ALICE, &voice(2)), [], "the digit goes on");
    assert_eq!(story.session.take_made().len(), 2);
    story.session.apply(&Plan { revision: 3, ..plan(&[]) }, story.now).unwrap();
    assert!(!story.session.has_digits());
    assert_eq!(story.hear(0, ALICE, &voice(3)).len(), 1);
}

#[test]
fn digits_of_a_transport_that_is_not_there_are_refused() {
    let now = Story::new(&plan(&[])).now;
    let refused = Session::new(&plan(&[(9, None, Some(EVENTS))]), now).unwrap_err();
    assert_eq!(refused.to_string(), "digits of transport TransportId(9), which is not there");
}
