//! The session by itself, under a virtual clock: links, RTCP, silence, plans, attacks, nonsense.
#![allow(clippy::unwrap_used)]

use media::Session;
use media::session::{BadPlan, Handled, LINKS_MAX, Outgoing, Port, STREAMS_MAX, TRANSPORTS_MAX};
use pbx::media::{
    Expect, Figures, Link, MediaSource, Plan, PortPair, Rtcp, Stream, StreamId, Transport,
    TransportId,
};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

const ALICE: &str = "198.51.100.7:4000";
const ALICE_RTCP: &str = "198.51.100.7:4001";
const BOB: &str = "[2001:db8::7]:6000";
const BOB_RTCP: &str = "[2001:db8::7]:6001";
const MALLORY: &str = "192.0.2.66:4000";
const SEPARATE: Rtcp = Rtcp::Separate { remote: None };

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn transport(id: u8, peer: &str, rtcp: Rtcp) -> Transport {
    let peer = address(peer);
    Transport {
        id: TransportId(id),
        ports: PortPair { rtp: 20_000 + 2 * u16::from(id) },
        source: if peer.is_ipv4() { "203.0.113.1" } else { "2001:db8::1" }.parse().unwrap(),
        rtcp,
        expect: Expect {
            advertised: Some(peer),
            signalling: peer.ip(),
            policy: MediaSource::Auto,
            generation: 1,
        },
        watched: true,
    }
}

/// One stream on each transport, with the transport's number.
fn plan(transports: Vec<Transport>, links: &[(u8, u8)]) -> Plan {
    let stream = |it: &Transport| Stream { id: StreamId(it.id.0), transport: it.id, line: 0 };
    let link = |(from, to): &(u8, u8)| Link { from: StreamId(*from), to: StreamId(*to) };
    Plan {
        revision: 1,
        streams: transports.iter().map(stream).collect(),
        transports,
        links: links.iter().map(link).collect(),
        silence_ms: NonZeroU32::new(60_000),
        digits: None,
        tone: None,
    }
}

fn alice_and_bob(alice: Rtcp, bob: Rtcp) -> Plan {
    plan(vec![transport(0, ALICE, alice), transport(1, BOB, bob)], &[(0, 1), (1, 0)])
}

fn rtp(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend([0, 0, 0, 1]);
    packet.resize(172, 0xd5);
    packet
}

const REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 1];
const STUN: [u8; 8] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];

/// A session and its clock.
struct Story {
    session: Session,
    now: Instant,
    out: Vec<Outgoing>,
}

impl Story {
    fn new(plan: &Plan) -> Self {
        #[expect(clippy::disallowed_methods, reason = "where virtual time begins")]
        let now = Instant::now();
        Self { session: Session::new(plan, now).unwrap(), now, out: Vec::new() }
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }

    fn apply(&mut self, plan: &Plan) {
        self.session.apply(plan, self.now).unwrap();
    }

    fn hear(&mut self, at: usize, port: Port, from: &str, bytes: &[u8]) -> Handled {
        self.wait(20);
        self.out.clear();
        let from = address(from);
        self.session.handle_datagram(at, port, from, bytes, self.now, &mut self.out)
    }

    /// A packet of the voice, and where it went.
    fn voice(&mut self, at: usize, from: &str, sequence: u16) -> Option<String> {
        self.hear(at, Port::Rtp, from, &rtp(sequence));
        let went = self.out.first().map(|it| it.to.to_string());
        assert!(self.out.len() <= 1, "{:?}", self.out);
        went
    }

    fn silent(&mut self) -> Vec<u8> {
        self.session.handle_timeout(self.now).map(|it| it.0).collect()
    }

    fn figures(&self, at: usize) -> Figures {
        self.session.figures()[at]
    }
}

#[test]
fn a_packet_leaves_from_the_other_transport_with_its_source() {
    let mut story = Story::new(&alice_and_bob(SEPARATE, SEPARATE));
    assert_eq!(story.hear(0, Port::Rtp, ALICE, &rtp(1)), Handled::Latched(address(ALICE)));
    let source = Some("2001:db8::1".parse().unwrap());
    let to_bob = Outgoing { transport: 1, port: Port::Rtp, to: address(BOB), source };
    assert_eq!(story.out, [to_bob]);
    assert_eq!(story.hear(0, Port::Rtp, ALICE, &rtp(2)), Handled::Accepted);
    let figures = (story.figures(0).packets_in, story.figures(1).packets_out);
    assert_eq!(figures, (2, 2));
    assert_eq!(story.figures(0).bytes_in, 344);
}

#[test]
fn where_reports_go_table() {
    let elsewhere = Rtcp::Separate { remote: Some(address("[2001:db8::9]:7777")) };
    #[rustfmt::skip]
    let table = [
        // alice          bob            she sends on  from         bob gets it on  at
        (SEPARATE,        SEPARATE,      Port::Rtcp,   ALICE_RTCP,  Port::Rtcp,     BOB_RTCP),
        (SEPARATE,        Rtcp::Muxed,   Port::Rtcp,   ALICE_RTCP,  Port::Rtp,      BOB),
        (Rtcp::Muxed,     SEPARATE,      Port::Rtp,    ALICE,       Port::Rtcp,     BOB_RTCP),
        (Rtcp::Muxed,     Rtcp::Muxed,   Port::Rtp,    ALICE,       Port::Rtp,      BOB),
        (SEPARATE,        elsewhere,     Port::Rtcp,   ALICE_RTCP,  Port::Rtcp,     "[2001:db8::9]:7777"),
        // She agreed to one port and uses two, or to two and uses one.
        (Rtcp::Muxed,     SEPARATE,      Port::Rtcp,   ALICE_RTCP,  Port::Rtcp,     BOB_RTCP),
        (SEPARATE,        SEPARATE,      Port::Rtp,    ALICE,       Port::Rtcp,     BOB_RTCP),
    ];
    for (alice, bob, on, from, port, to) in table {
        let mut story = Story::new(&alice_and_bob(alice, bob));
        story.hear(0, on, from, &REPORT);
        let went: Vec<_> = story.out.iter().map(|it| (it.port, it.to)).collect();
        assert_eq!(went, [(port, address(to))], "{alice:?} to {bob:?}");
        assert_eq!(story.figures(0).packets_in, 0, "a report is no RTP");
    }
}

#[test]
fn reports_follow_the_peer_that_latched_and_its_own_port() {
    let mut story = Story::new(&alice_and_bob(SEPARATE, SEPARATE));
    // Bob's NAT gives him other ports than his SDP says.
    let reports_to = |story: &mut Story| {
        story.hear(0, Port::Rtcp, ALICE_RTCP, &REPORT);
        story.out[0].to
    };
    story.hear(1, Port::Rtp, "[2001:db8::7]:31000", &rtp(1));
    assert_eq!(reports_to(&mut story), address("[2001:db8::7]:31001"));
    story.hear(1, Port::Rtcp, "[2001:db8::7]:32123", &REPORT);
    assert_eq!(reports_to(&mut story), address("[2001:db8::7]:32123"));
    // Another port of his address does not take them over, nor does anybody else.
    for from in ["[2001:db8::7]:666", MALLORY] {
        assert_eq!(story.hear(1, Port::Rtcp, from, &REPORT), Handled::Refused);
    }
    assert_eq!(reports_to(&mut story), address("[2001:db8::7]:32123"));
}

#[test]
fn who_may_send_reports_table() {
    use MediaSource::{AnyFirst, Auto, Sdp, Signalling};
    let named = Rtcp::Separate { remote: Some(address("198.51.100.99:9001")) };
    const NAMED: &str = "198.51.100.99:9001";
    const SIP: &str = "203.0.113.9";
    #[rustfmt::skip]
    let table = [
        // policy    mode      RTP came from              report comes from     accepted
        (Auto,       SEPARATE, None,                      ALICE_RTCP,           true),
        (Auto,       SEPARATE, None,                      "198.51.100.7:4009",  false),
        (Auto,       SEPARATE, None,                      "203.0.113.9:1",      true),
        (Auto,       SEPARATE, Some(ALICE),               "198.51.100.7:4009",  true),
        (Auto,       SEPARATE, Some(ALICE),               "203.0.113.9:1",      false),
        (Auto,       SEPARATE, Some("203.0.113.9:31000"), "203.0.113.9:31001",  true),
        (Auto,       named,    Some(ALICE),               NAMED,                true),
        (Auto,       named,    None,                      NAMED,                true),
        (Auto,       SEPARATE, Some(ALICE),               NAMED,                false),
        (Sdp,        SEPARATE, Some(ALICE),               ALICE_RTCP,           true),
        (Sdp,        SEPARATE, Some(ALICE),               "198.51.100.7:4009",  false),
        (Sdp,        SEPARATE, None,                      "203.0.113.9:1",      false),
        (Sdp,        named,    Some(ALICE),               NAMED,                true),
        (Signalling, SEPARATE, None,                      ALICE_RTCP,           false),
        (Signalling, named,    None,                      NAMED,                false),
        (Signalling, SEPARATE, None,                      "203.0.113.9:1",      true),
        (AnyFirst,   SEPARATE, None,                      MALLORY,              false),
        (AnyFirst,   SEPARATE, Some("192.0.2.66:1"),      MALLORY,              true),
    ];
    for (policy, mode, media_from, from, accepted) in table {
        let mut plan = alice_and_bob(mode, SEPARATE);
        plan.transports[0].expect.policy = policy;
        plan.transports[0].expect.signalling = SIP.parse().unwrap();
        let mut story = Story::new(&plan);
        if let Some(media_from) = media_from {
            assert!(story.voice(0, media_from, 1).is_some());
        }
        let handled = story.hear(0, Port::Rtcp, from, &REPORT);
        let name = format!("{policy:?}, {mode:?}, RTP from {media_from:?}, RTCP from {from}");
        assert_eq!(handled == Handled::Accepted, accepted, "{name}");
    }
}

#[test]
fn reports_find_a_peer_that_moved() {
    let mut plan = alice_and_bob(SEPARATE, SEPARATE);
    let mut story = Story::new(&plan);
    let reports_to = |story: &mut Story| {
        story.hear(0, Port::Rtcp, ALICE_RTCP, &REPORT);
        story.out[0].to
    };
    story.hear(1, Port::Rtp, "[2001:db8::7]:31000", &rtp(1));
    story.hear(1, Port::Rtcp, "[2001:db8::7]:31555", &REPORT);
    assert_eq!(reports_to(&mut story), address("[2001:db8::7]:31555"));
    // The same SDP again, for a hold, leaves them where they are.
    plan.transports[1].expect.generation += 1;
    story.apply(&plan);
    story.hear(1, Port::Rtp, "[2001:db8::7]:31000", &rtp(2));
    assert_eq!(reports_to(&mut story), address("[2001:db8::7]:31555"));
    // His NAT gives him another port, and then his SDP another place.
    story.wait(2_000);
    story.hear(1, Port::Rtp, "[2001:db8::7]:32000", &rtp(3));
    assert_eq!(reports_to(&mut story), address("[2001:db8::7]:32001"));
    story.hear(1, Port::Rtcp, "[2001:db8::7]:32555", &REPORT);
    plan.transports[1].expect.generation += 1;
    plan.transports[1].expect.advertised = Some(address("[2001:db8::8]:7000"));
    story.apply(&plan);
    assert_eq!(reports_to(&mut story), address("[2001:db8::8]:7001"));
}

#[test]
fn row_13_a_prober_gets_no_audio() {
    let mut story = Story::new(&alice_and_bob(SEPARATE, SEPARATE));
    for sequence in 0..500 {
        for at in [0, 1] {
            for port in [Port::Rtp, Port::Rtcp] {
                assert_eq!(story.hear(at, port, MALLORY, &rtp(sequence)), Handled::Refused);
                assert!(story.out.is_empty());
            }
        }
        assert_eq!(story.voice(0, ALICE, sequence).as_deref(), Some(BOB));
        assert_eq!(story.voice(1, BOB, sequence).as_deref(), Some(ALICE));
    }
    assert_eq!((story.figures(0).refused, story.figures(1).refused), (1000, 1000));
    assert_eq!((story.figures(0).lost_in, story.figures(0).packets_in), (0, 500));
}

#[test]
fn row_14_injected_packets_reach_nobody_whatever_they_copy() {
    let mut story = Story::new(&alice_and_bob(SEPARATE, SEPARATE));
    for sequence in 0..100 {
        assert!(story.voice(0, ALICE, sequence).is_some());
        // The very next packet of her stream, from elsewhere; even after she fell silent.
        assert!(story.voice(0, MALLORY, sequence + 1).is_none());
    }
    story.wait(10_000);
    assert!(story.voice(0, MALLORY, 100).is_none());
    // Nor from another port of her address, while the stream is another.
    let mut other = rtp(100);
    other[11] = 9;
    assert_eq!(story.hear(0, Port::Rtp, "198.51.100.7:666", &other), Handled::Refused);
    assert_eq!(story.voice(1, BOB, 1).as_deref(), Some(ALICE));
}

#[test]
fn row_15_a_forged_goodbye_or_binding_ends_nothing() {
    let goodbye = [0x9f, 203, 0, 1, 0, 0, 0, 1];
    let mut story = Story::new(&alice_and_bob(SEPARATE, Rtcp::Muxed));
    assert!(story.voice(0, ALICE, 1).is_some());
    for from in [MALLORY, ALICE] {
        for bytes in [&goodbye[..], &STUN] {
            for port in [Port::Rtp, Port::Rtcp] {
                story.hear(0, port, from, bytes);
            }
        }
    }
    assert_eq!(story.voice(0, ALICE, 2).as_deref(), Some(BOB));
    assert_eq!(story.voice(1, BOB, 2).as_deref(), Some(ALICE));
}

#[test]
fn what_is_not_rtp_is_carried_but_not_counted() {
    let mut story = Story::new(&alice_and_bob(SEPARATE, SEPARATE));
    let fax = [0, 7, 6, 1, 2, 3];
    for bytes in [&STUN[..], &fax, &[], &[22, 254, 255]] {
        assert_ne!(story.hear(0, Port::Rtp, ALICE, bytes), Handled::Refused);
        let to_bob: Vec<_> = story.out.iter().map(|it| (it.port, it.to)).collect();
        assert_eq!(to_bob, [(Port::Rtp, address(BOB))]);
    }
    assert_eq!((story.figures(0).packets_in, story.figures(1).packets_out), (0, 0));
}

#[test]
fn one_stream_can_be_heard_by_several_and_by_none() {
    let three = vec![
        transport(0, ALICE, SEPARATE),
        transport(1, BOB, SEPARATE),
        transport(2, "198.51.100.9:8000", SEPARATE),
    ];
    // Early media: the callee is heard, and hears nothing yet.
    let mut story = Story::new(&plan(three.clone(), &[(1, 0), (1, 2), (1, 0)]));
    story.hear(1, Port::Rtp, BOB, &rtp(1));
    let to: Vec<_> = story.out.iter().map(|it| it.transport).collect();
    assert_eq!(to, [0, 2]);
    assert!(story.voice(0, ALICE, 1).is_none());
    assert_eq!(story.figures(0).packets_in, 1);
    story.apply(&plan(three, &[(1, 0), (0, 1)]));
    assert_eq!(story.voice(0, ALICE, 2).as_deref(), Some(BOB));
}

#[test]
fn nothing_is_sent_where_nobody_can_be() {
    for nowhere in ["0.0.0.0:4000", "198.51.100.7:0", "239.1.2.3:4000"] {
        let mut plan = alice_and_bob(SEPARATE, SEPARATE);
        plan.transports[0].expect.advertised = Some(address(nowhere));
        let mut story = Story::new(&plan);
        assert!(story.voice(1, BOB, 1).is_none());
        story.hear(1, Port::Rtcp, BOB_RTCP, &REPORT);
        assert!(story.out.is_empty(), "{nowhere}");
    }
}

#[test]
fn a_source_of_the_other_family_is_left_to_the_kernel() {
    let mut plan = alice_and_bob(SEPARATE, SEPARATE);
    plan.transports[1].expect.policy = MediaSource::AnyFirst;
    let mut story = Story::new(&plan);
    story.hear(1, Port::Rtp, "198.51.100.99:9", &rtp(1));
    story.hear(0, Port::Rtp, ALICE, &rtp(1));
    assert_eq!((story.out[0].to, story.out[0].source), (address("198.51.100.99:9"), None));
}

#[test]
fn silence_is_reported_once_and_only_while_watched() {
    let mut held = alice_and_bob(SEPARATE, SEPARATE);
    let mut story = Story::new(&held);
    story.wait(59_999);
    assert!(story.silent().is_empty());
    story.voice(0, ALICE, 1);
    assert_eq!(story.silent(), [1]);
    assert!(story.silent().is_empty());
    // A report or a refused packet: the one is life, the other is not.
    story.wait(59_000);
    story.hear(0, Port::Rtcp, ALICE_RTCP, &REPORT);
    story.hear(1, Port::Rtp, MALLORY, &rtp(1));
    story.wait(59_000);
    assert!(story.silent().is_empty());
    // It speaks, and falls silent again; the other, too, for the first time.
    story.voice(1, BOB, 1);
    story.wait(60_000);
    assert_eq!(story.silent(), [0, 1]);
    // On hold nobody is missed, and the time on hold does not count afterwards.
    held.transports.iter_mut().for_each(|it| it.watched = false);
    story.apply(&held);
    story.wait(600_000);
    assert!(story.silent().is_empty());
    held.transports.iter_mut().for_each(|it| it.watched = true);
    story.apply(&held);
    assert!(story.silent().is_empty());
    story.wait(60_000);
    assert_eq!(story.silent(), [0, 1]);
    held.silence_ms = None;
    story.apply(&held);
    story.wait(60_000);
    assert!(story.silent().is_empty());
}

#[test]
fn a_new_plan_keeps_peers_and_figures_of_what_stays() {
    let mut plan = alice_and_bob(SEPARATE, SEPARATE);
    let mut story = Story::new(&plan);
    let from = "198.51.100.7:31000";
    story.voice(0, from, 1);
    story.voice(1, BOB, 1);
    // Hold and resume with the same address, the order of transports changed.
    for transport in &mut plan.transports {
        transport.expect.generation += 1;
    }
    plan.transports.reverse();
    plan.revision = 2;
    story.apply(&plan);
    assert_eq!(story.session.revision(), 2);
    assert_eq!(story.session.transport_id(1), TransportId(0));
    assert_eq!(story.voice(0, BOB, 2).as_deref(), Some(from));
    assert_eq!(story.voice(1, from, 2).as_deref(), Some(BOB));
    assert_eq!((story.figures(1).packets_in, story.figures(1).packets_out), (2, 2));
    // Other ports are another transport.
    plan.transports[0].ports = PortPair { rtp: 20_100 };
    story.apply(&plan);
    assert_eq!((story.figures(0).packets_in, story.figures(1).packets_in), (0, 2));
}

#[test]
fn a_plan_that_makes_no_sense_changes_nothing() {
    let good = alice_and_bob(SEPARATE, SEPARATE);
    let bad = |change: &dyn Fn(&mut Plan)| {
        let mut plan = good.clone();
        change(&mut plan);
        plan
    };
    let stream = good.streams[0].clone();
    #[rustfmt::skip]
    let table = [
        (bad(&|it| it.transports[1].id = TransportId(0)),           BadPlan::TransportTwice(TransportId(0))),
        (bad(&|it| it.transports[1].ports = it.transports[0].ports), BadPlan::PortTwice(PortPair { rtp: 20_000 })),
        (bad(&|it| it.streams[1].id = StreamId(0)),                 BadPlan::StreamTwice(StreamId(0))),
        (bad(&|it| it.streams[1].transport = TransportId(7)),       BadPlan::StreamWithoutTransport(StreamId(1))),
        (bad(&|it| it.links[1].to = StreamId(9)),                   BadPlan::LinkWithoutStream(StreamId(9))),
        (bad(&|it| it.links = vec![it.links[0]; LINKS_MAX + 1].into()),    BadPlan::TooManyLinks),
        (bad(&|it| it.streams = vec![stream.clone(); STREAMS_MAX + 1].into()), BadPlan::TooManyStreams),
        (bad(&|it| it.transports = vec![transport(0, ALICE, SEPARATE); TRANSPORTS_MAX + 1]), BadPlan::TooManyTransports),
    ];
    let mut story = Story::new(&good);
    for (plan, reason) in table {
        assert_eq!(story.session.apply(&plan, story.now), Err(reason));
        assert_eq!(Session::new(&plan, story.now).err(), Some(reason));
    }
    assert_eq!(story.voice(0, ALICE, 1).as_deref(), Some(BOB));
}

/// As many `m=` lines as a description may have, on both sides, none sharing an address.
#[test]
fn sixteen_lines_a_side_fit() {
    let all = (0..32).map(|it| transport(it, ALICE, SEPARATE)).collect();
    let links: Vec<(u8, u8)> = (0..32).map(|it| (it, it ^ 1)).collect();
    let mut story = Story::new(&plan(all, &links));
    for at in [0, 1, 30, 31] {
        story.hear(at, Port::Rtp, ALICE, &rtp(1));
        assert_eq!(story.out[0].transport, at ^ 1);
    }
}

#[test]
fn a_loop_ends_at_the_limit_and_strangers_take_nothing_from_it() {
    let mut story = Story::new(&alice_and_bob(SEPARATE, SEPARATE));
    let mut hear = |from: &str| {
        story.out.clear();
        let from = address(from);
        story.session.handle_datagram(0, Port::Rtp, from, &rtp(1), story.now, &mut story.out)
    };
    for _ in 0..100_000 {
        hear(MALLORY);
    }
    assert_eq!(hear(ALICE), Handled::Latched(address(ALICE)));
    let accepted = (0..100_000).filter(|_| hear(ALICE) == Handled::Accepted).count();
    assert_eq!(accepted, 3_999);
    assert!(hear(MALLORY) == Handled::Refused, "refused is refused, however many there were");
    assert_eq!(hear(ALICE), Handled::Limited);
    // Who takes over meanwhile is reported all the same.
    let moved = "198.51.100.7:6000";
    let mut plan = alice_and_bob(SEPARATE, SEPARATE);
    plan.transports[0].expect.advertised = Some(address(moved));
    plan.transports[0].expect.generation += 1;
    story.apply(&plan);
    let from = address(moved);
    let handled =
        story.session.handle_datagram(0, Port::Rtp, from, &rtp(1), story.now, &mut story.out);
    assert_eq!(handled, Handled::Latched(from));
    story.wait(1_000);
    assert!(story.voice(0, moved, 2).is_some());
}

#[test]
fn row_25_nonsense_from_the_peer_itself_ends_nothing() {
    let mut whole: Vec<Vec<u8>> = vec![rtp(1), REPORT.to_vec(), STUN.to_vec(), vec![]];
    // An extension, contributing sources and padding at once.
    let mut busy = vec![0xb2, 0x60, 0, 9, 0, 0, 0, 9, 0, 0, 0, 1];
    busy.extend([0; 8]);
    busy.extend([0xbe, 0xde, 0, 2, 0x10, 1, 0, 0, 0x20, 2, 0, 0]);
    busy.extend([7; 20]);
    busy.extend([0, 0, 0, 4]);
    whole.push(busy);
    // A compound of a sender report, a description and a goodbye to 31 sources of which none is there.
    let mut compound = vec![0x80, 200, 0, 6];
    compound.extend([0; 24]);
    compound.extend([0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, b'a', b'b']);
    compound.extend([0x9f, 203, 0, 1, 0, 0, 0, 1]);
    whole.push(compound);
    // An extended report whose block says it is as long as it can be.
    whole.push(vec![0x80, 207, 0, 2, 0, 0, 0, 1, 4, 0, 0xff, 0xff]);
    whole.push(vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1]);

    let mut story = Story::new(&alice_and_bob(SEPARATE, Rtcp::Muxed));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..100_000_u32 {
        let mut bytes = whole[random.below(whole.len())].clone();
        for _ in 0..random.below(6) {
            match random.below(4) {
                0 if !bytes.is_empty() => {
                    let at = random.below(bytes.len());
                    bytes[at] = u8::try_from(random.below(256)).unwrap();
                }
                1 => bytes.truncate(random.below(bytes.len() + 1)),
                2 => bytes.extend(vec![0xff; random.below(40)]),
                _ if bytes.len() > 3 => bytes[2..4].fill(0xff),
                _ => bytes.push(0x80),
            }
        }
        let (at, port) = (random.below(2), [Port::Rtp, Port::Rtcp][random.below(2)]);
        let from = match (at, port) {
            (0, Port::Rtp) => ALICE,
            (0, Port::Rtcp) => ALICE_RTCP,
            (_, Port::Rtp) => BOB,
            (_, Port::Rtcp) => BOB_RTCP,
        };
        assert_ne!(story.hear(at, port, from, &bytes), Handled::Refused, "round {round}");
        let [out] = story.out[..] else { panic!("{:?} in round {round}", story.out) };
        assert_eq!(out.transport, 1 - at);
        let expected = if at == 1 { [ALICE, ALICE_RTCP] } else { [BOB, BOB] };
        assert!(expected.map(address).contains(&out.to), "{out:?} in round {round}");
    }
    assert_eq!(story.voice(0, ALICE, 2).as_deref(), Some(BOB));
    assert_eq!(story.voice(1, BOB, 2).as_deref(), Some(ALICE));
}

/// Xorshift: the same sequence in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

#[test]
fn relaying_allocates_nothing() {
    let mut story = Story::new(&alice_and_bob(SEPARATE, SEPARATE));
    let packets: Vec<_> = (0..1000).map(rtp).collect();
    let (alice, bob) = (address(ALICE), address(BOB));
    let mut out = Vec::with_capacity(TRANSPORTS_MAX);
    let counted = allocation_counter::measure(|| {
        for packet in &packets {
            story.now += Duration::from_millis(20);
            for (at, from) in [(0, alice), (1, bob)] {
                out.clear();
                story.session.handle_datagram(at, Port::Rtp, from, packet, story.now, &mut out);
                assert_eq!(out.len(), 1);
            }
        }
    });
    assert_eq!(counted.count_total, 0);
}
