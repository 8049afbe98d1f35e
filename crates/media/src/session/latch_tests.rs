//! Tests of the latch: its table of transitions, and the stories it must tell right.

use super::*;
use pbx::media::{Expect, MediaSource};

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn start() -> Instant {
    Instant::now()
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address and port")
}

#[test]
fn transition_table() {
    use Sender::{Exact, PeerMoved, Qualified, Stranger};
    use Verdict::{Accept, Latch, Refuse};
    let at = start();
    let peer = |exact| Peer { address: address("10.0.0.1:1"), ssrc: Some(1), heard: at, exact };
    let (near, there) = (peer(false), peer(true));
    let latched = State::Latched;
    let same = |peer| State::Rearmed { peer, elsewhere: false };
    let other = |peer| State::Rearmed { peer, elsewhere: true };
    #[rustfmt::skip]
    let table = [
        // state          sender        fits exactly  becomes           verdict
        (State::Open,     Exact,        true,  Some(latched(there)),    Latch),
        (State::Open,     Qualified,    false, Some(latched(near)),     Latch),
        (State::Open,     Stranger,     false, None,                    Refuse),
        (latched(there),  Sender::Peer, true,  Some(latched(there)),    Accept),
        (latched(near),   Sender::Peer, false, Some(latched(near)),     Accept),
        (latched(there),  PeerMoved,    false, Some(latched(near)),     Latch),
        (latched(near),   Exact,        true,  Some(latched(there)),    Latch),
        (latched(there),  Exact,        true,  None,                    Refuse),
        (latched(near),   Qualified,    false, None,                    Refuse),
        (latched(near),   Stranger,     false, None,                    Refuse),
        (same(near),      Sender::Peer, false, Some(latched(near)),     Accept),
        (same(there),     Sender::Peer, true,  Some(latched(there)),    Accept),
        (same(near),      Exact,        true,  Some(latched(there)),    Latch),
        (same(near),      Qualified,    false, Some(latched(near)),     Latch),
        (same(near),      PeerMoved,    false, Some(latched(near)),     Latch),
        (same(near),      Stranger,     false, None,                    Refuse),
        (other(near),     Sender::Peer, false, Some(other(near)),       Accept),
        (other(near),     Sender::Peer, true,  Some(latched(there)),    Accept),
        (other(near),     Exact,        true,  Some(latched(there)),    Latch),
        (other(near),     Qualified,    false, Some(latched(near)),     Latch),
        (other(near),     PeerMoved,    false, None,                    Refuse),
        (other(near),     Stranger,     false, None,                    Refuse),
    ];
    let arrival = Arrival { from: address("10.0.0.1:1"), ssrc: Some(1), at };
    for (state, sender, exact, becomes, verdict) in table {
        let got = state.next(sender, arrival, exact);
        assert_eq!(got, (becomes.unwrap_or(state), verdict), "{state:?}, {sender:?}, {exact}");
    }
}

/// A latch and its clock.
struct Story {
    latch: Latch,
    at: Instant,
    expect: Expect,
}

impl Story {
    fn new(policy: MediaSource, advertised: &str, signalling: &str) -> Self {
        let expect = Expect {
            advertised: Some(address(advertised)),
            signalling: signalling.parse().expect("an address"),
            policy,
            generation: 1,
        };
        Self { latch: Latch::new(Expected::new(&expect)), at: start(), expect }
    }

    fn hear(&mut self, from: &str, ssrc: u32) -> Verdict {
        self.at += Duration::from_millis(20);
        self.latch.on_datagram(Arrival { from: address(from), ssrc: Some(ssrc), at: self.at })
    }

    fn wait(&mut self, seconds: u64) {
        self.at += Duration::from_secs(seconds);
    }

    fn new_sdp(&mut self, advertised: &str) {
        self.expect.advertised = Some(address(advertised));
        self.expect.generation += 1;
        self.latch.expect(Expected::new(&self.expect));
    }

    fn sends_to(&self, expected: &str) {
        assert_eq!(self.latch.destination(), Some(address(expected)));
    }
}

const NAT: &str = "203.0.113.9";
const MALLORY: &str = "192.0.2.66:4000";

#[test]
fn a_third_party_is_never_heard_and_never_redirects() {
    let mut it = Story::new(MediaSource::Auto, "192.168.1.7:4000", NAT);
    // From the first packet on, before anybody latched.
    assert_eq!(it.hear(MALLORY, 1), Verdict::Refuse);
    it.sends_to("203.0.113.9:4000");
    assert_eq!(it.hear("203.0.113.9:31000", 1), Verdict::Latch);
    for _ in 0..200 {
        assert_eq!(it.hear(MALLORY, 1), Verdict::Refuse);
        assert_eq!(it.hear("203.0.113.9:31000", 1), Verdict::Accept);
        it.sends_to("203.0.113.9:31000");
    }
    // Neither in a pause, nor with a new SDP on the way.
    it.wait(60);
    assert_eq!(it.hear(MALLORY, 1), Verdict::Refuse);
    it.new_sdp("192.168.1.7:4000");
    assert_eq!(it.hear(MALLORY, 1), Verdict::Refuse);
    it.new_sdp("192.168.1.7:5000");
    assert_eq!(it.hear(MALLORY, 1), Verdict::Refuse);
    it.sends_to("203.0.113.9:31000");
    assert_eq!(it.hear("203.0.113.9:32000", 2), Verdict::Latch);
    it.sends_to("203.0.113.9:32000");
}

#[test]
fn hold_and_resume_with_the_same_address_never_interrupt() {
    for (advertised, source) in
        [("192.168.1.7:4000", "203.0.113.9:31000"), ("203.0.113.9:4000", "203.0.113.9:4000")]
    {
        let mut it = Story::new(MediaSource::Auto, advertised, NAT);
        it.hear(source, 1);
        for _ in 0..3 {
            it.new_sdp(advertised);
            it.sends_to(source);
            assert_eq!(it.hear(source, 1), Verdict::Accept);
            it.sends_to(source);
            // The old way to hold, and back.
            it.new_sdp("0.0.0.0:4000");
            it.sends_to(source);
            assert_eq!(it.hear(source, 1), Verdict::Accept);
            it.new_sdp(advertised);
            it.sends_to(source);
            assert_eq!(it.hear(source, 1), Verdict::Accept);
        }
        // A neighbour behind the same NAT comes too late.
        assert_eq!(it.hear("203.0.113.9:666", 7), Verdict::Refuse);
    }
}

#[test]
fn an_old_way_hold_opens_no_door() {
    let mut it = Story::new(MediaSource::Auto, "192.168.1.7:4000", NAT);
    it.hear("203.0.113.9:31000", 1);
    it.new_sdp("0.0.0.0:4000");
    assert_eq!(it.hear("203.0.113.9:666", 7), Verdict::Refuse);
    it.sends_to("203.0.113.9:31000");
}

#[test]
fn a_new_place_is_sent_to_at_once_and_the_old_one_heard_until_it_speaks() {
    let mut it = Story::new(MediaSource::Auto, "198.51.100.7:4000", "198.51.100.7");
    it.hear("198.51.100.7:4000", 1);
    it.new_sdp("198.51.100.7:6000");
    it.sends_to("198.51.100.7:6000");
    // What was under way from the old port, of an address that qualifies, must not latch.
    assert_eq!(it.hear("198.51.100.7:4000", 1), Verdict::Accept);
    it.sends_to("198.51.100.7:6000");
    assert_eq!(it.hear("198.51.100.7:6000", 2), Verdict::Latch);
    assert_eq!(it.hear("198.51.100.7:4000", 1), Verdict::Refuse);
    it.sends_to("198.51.100.7:6000");
}

#[test]
fn an_offer_taken_back_finds_the_old_peer_again() {
    let mut it = Story::new(MediaSource::Auto, "198.51.100.7:4000", "198.51.100.7");
    it.hear("198.51.100.7:4000", 1);
    it.new_sdp("198.51.100.8:6000");
    it.sends_to("198.51.100.8:6000");
    it.new_sdp("198.51.100.7:4000");
    it.sends_to("198.51.100.7:4000");
    assert_eq!(it.hear("198.51.100.7:4000", 1), Verdict::Accept);
    assert_eq!(it.hear("198.51.100.8:6000", 1), Verdict::Refuse);
}

#[test]
fn what_was_confirmed_is_what_the_next_sdp_is_compared_with() {
    // First heard from a port that was not announced, then its SDP names just that.
    let mut it = Story::new(MediaSource::Auto, "198.51.100.7:4000", "198.51.100.7");
    it.hear("198.51.100.7:31000", 1);
    it.new_sdp("198.51.100.7:31000");
    assert_eq!(it.hear("198.51.100.7:31000", 1), Verdict::Accept);
    assert_eq!(it.hear("198.51.100.7:9", 2), Verdict::Refuse, "confirmed");
    // The first SDP again would be another place by now.
    it.new_sdp("198.51.100.7:4000");
    it.sends_to("198.51.100.7:4000");
    it.new_sdp("198.51.100.7:31000");
    it.sends_to("198.51.100.7:31000");
}

#[test]
fn a_port_moves_after_silence_with_the_same_stream_only() {
    let mut it = Story::new(MediaSource::Auto, "192.168.1.7:4000", NAT);
    it.hear("203.0.113.9:31000", 1);
    assert_eq!(it.hear("203.0.113.9:32000", 1), Verdict::Refuse, "no silence");
    it.wait(2);
    assert_eq!(it.hear("203.0.113.9:32000", 2), Verdict::Refuse, "another stream");
    assert_eq!(it.hear("203.0.113.10:32000", 1), Verdict::Refuse, "another address");
    assert_eq!(it.hear("203.0.113.9:32000", 1), Verdict::Latch);
    it.sends_to("203.0.113.9:32000");
    assert_eq!(it.hear("203.0.113.9:31000", 1), Verdict::Refuse);

    // The stream is the last one heard, and the silence begins with the last packet.
    let mut it = Story::new(MediaSource::Auto, "192.168.1.7:4000", NAT);
    for index in 0..200 {
        it.hear("203.0.113.9:31000", if index < 100 { 1 } else { 2 });
    }
    assert_eq!(it.hear("203.0.113.9:32000", 2), Verdict::Refuse, "no silence");
    it.wait(2);
    assert_eq!(it.hear("203.0.113.9:32000", 1), Verdict::Refuse, "the stream before");
    assert_eq!(it.hear("203.0.113.9:32000", 2), Verdict::Latch);

    let mut it = Story::new(MediaSource::Sdp, "203.0.113.9:4000", NAT);
    it.hear("203.0.113.9:4000", 1);
    it.wait(2);
    assert_eq!(it.hear("203.0.113.9:4002", 1), Verdict::Refuse, "only the SDP's port");
}

#[test]
fn the_place_of_the_sdp_outranks_a_neighbour_that_was_first() {
    // A gateway still sends the last of another call from another port of the same address.
    let mut it = Story::new(MediaSource::Auto, "203.0.113.9:4000", NAT);
    assert_eq!(it.hear("203.0.113.9:9000", 9), Verdict::Latch);
    assert_eq!(it.hear("203.0.113.9:4000", 1), Verdict::Latch);
    assert_eq!(it.hear("203.0.113.9:9000", 9), Verdict::Refuse);
    it.sends_to("203.0.113.9:4000");
}

#[test]
fn whoever_is_first_stays_even_when_the_sdp_is_sent_again() {
    let mut it = Story::new(MediaSource::AnyFirst, "192.168.1.7:4000", NAT);
    assert_eq!(it.hear("198.51.100.7:4000", 1), Verdict::Latch);
    assert_eq!(it.hear(MALLORY, 1), Verdict::Refuse);
    it.new_sdp("192.168.1.7:4000");
    assert_eq!(it.hear(MALLORY, 1), Verdict::Refuse);
    it.sends_to("198.51.100.7:4000");
}

#[test]
fn an_older_generation_changes_nothing() {
    let mut it = Story::new(MediaSource::Auto, "198.51.100.7:4000", "198.51.100.7");
    it.hear("198.51.100.7:4000", 1);
    it.expect.generation = 0;
    it.new_sdp("198.51.100.8:6000");
    it.sends_to("198.51.100.7:4000");
    assert_eq!(it.hear("198.51.100.8:6000", 1), Verdict::Refuse);
}
