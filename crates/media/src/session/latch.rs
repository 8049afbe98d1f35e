//! Whom a transport hears, and where it sends: symmetric RTP (RFC 4961) that a third party can
//! neither tap nor redirect.
//!
//! One latch per transport; the session asks it about every datagram on the RTP port. Whom to
//! expect is [`Expected`]; this file is what happens when somebody comes.

use super::expected::{Expected, Fit};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A peer silent this long may come back from another port of its address: its NAT has
/// forgotten the old one.
const MOVES_AFTER: Duration = Duration::from_secs(2);

/// Whom the transport has latched to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Of its last RTP packet.
    ssrc: Option<u32>,
    heard: Instant,
    /// It came from exactly where its SDP says.
    exact: bool,
}

/// How far the latch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody came yet.
    Open,
    Latched(Peer),
    /// A new SDP came; whoever qualifies by it takes over. Until then the old peer is heard.
    Rearmed {
        peer: Peer,
        /// The new SDP names another place, so that the old peer proves nothing about it.
        elsewhere: bool,
    },
}

/// A datagram as the latch sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) from: SocketAddr,
    /// Where it is RTP.
    pub(crate) ssrc: Option<u32>,
    pub(crate) at: Instant,
}

/// Who sent it, in the eyes of the present state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    /// The peer, from where it always sends.
    Peer,
    /// The peer's address and SSRC from another port, after silence.
    PeerMoved,
    /// Not the peer; from exactly where the SDP says.
    Exact,
    /// Not the peer; qualifies by its address.
    Qualified,
    Stranger,
}

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    /// Accepted, and its sender is the new peer.
    Latch,
    Refuse,
}

/// The latch of one transport.
#[derive(Debug)]
pub(crate) struct Latch {
    expected: Expected,
    /// What was expected when the peer last proved to be the one expected.
    proven: Expected,
    state: State,
}

impl Latch {
    pub(crate) fn new(expected: Expected) -> Self {
        Self { expected, proven: expected, state: State::Open }
    }

    /// Judges one datagram.
    pub(crate) fn on_datagram(&mut self, arrival: Arrival) -> Verdict {
        let sender = self.sender(arrival);
        let exact = self.expected.fit(arrival.from) == Fit::Exact;
        let (state, verdict) = self.state.next(sender, arrival, exact);
        let confirmed = matches!((self.state, state), (State::Rearmed { .. }, State::Latched(_)));
        if confirmed || verdict == Verdict::Latch {
            self.proven = self.expected;
        }
        self.state = state;
        verdict
    }

    /// Takes the expectations of a new plan. Only a raised generation changes anything: an SDP
    /// that names the same place keeps the peer until somebody else who qualifies comes; one that
    /// names another place is sent to at once (RFC 3264 §8.3.1), unless a NAT hides it, while the
    /// old peer is still heard; one that names none, to put on hold, keeps everything.
    pub(crate) fn expect(&mut self, expected: Expected) {
        if expected.generation <= self.expected.generation {
            return;
        }
        self.expected = expected;
        let elsewhere = !expected.same_place(&self.proven);
        // Whoever came first has come; the same SDP again does not let somebody else in.
        let closed = expected.anyone_qualifies() && !elsewhere;
        if let Some(peer) = self.peer()
            && expected.names_a_place()
            && !closed
        {
            self.state = State::Rearmed { peer, elsewhere };
        }
    }

    /// Where media goes.
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        match self.state {
            State::Open => self.expected.destination(),
            State::Latched(peer) | State::Rearmed { peer, elsewhere: false } => Some(peer.address),
            // Behind a NAT the new place is unknown until it speaks; the old one may still be it.
            State::Rearmed { peer, elsewhere: true } => {
                self.expected.plain_destination().or(Some(peer.address))
            }
        }
    }

    /// Who is heard.
    pub(crate) fn peer(&self) -> Option<Peer> {
        match self.state {
            State::Open => None,
            State::Latched(peer) | State::Rearmed { peer, .. } => Some(peer),
        }
    }

    pub(crate) fn expected(&self) -> &Expected {
        &self.expected
    }

    fn sender(&self, arrival: Arrival) -> Sender {
        if let Some(peer) = self.peer() {
            if peer.address == arrival.from {
                return Sender::Peer;
            }
            let quiet = arrival.at.saturating_duration_since(peer.heard) >= MOVES_AFTER;
            let same_stream = arrival.ssrc.is_some() && arrival.ssrc == peer.ssrc;
            let same_address = peer.address.ip() == arrival.from.ip();
            if same_address && same_stream && quiet && self.expected.may_move() {
                return Sender::PeerMoved;
            }
        }
        match self.expected.fit(arrival.from) {
            Fit::Exact => Sender::Exact,
            Fit::Address => Sender::Qualified,
            Fit::None => Sender::Stranger,
        }
    }
}

impl State {
    fn next(self, sender: Sender, arrival: Arrival, exact: bool) -> (Self, Verdict) {
        use Sender::{Exact, PeerMoved, Qualified, Stranger};
        use State::{Latched, Open, Rearmed};
        let Arrival { from: address, ssrc, at: heard } = arrival;
        let new = Peer { address, ssrc, heard, exact };
        let again = |peer: Peer| Peer { ssrc: ssrc.or(peer.ssrc), heard, exact, ..peer };

        match (self, sender) {
            (Open, Exact | Qualified) => (Latched(new), Verdict::Latch),

            (Latched(peer), Sender::Peer) => (Latched(again(peer)), Verdict::Accept),
            (Latched(_), PeerMoved) => (Latched(new), Verdict::Latch),
            // The place the SDP names outranks a neighbour that was merely first.
            (Latched(peer), Exact) if !peer.exact => (Latched(new), Verdict::Latch),

            // The old peer, confirmed by the new SDP.
            (Rearmed { peer, elsewhere }, Sender::Peer) if exact || !elsewhere => {
                (Latched(again(peer)), Verdict::Accept)
            }
            // It is still heard, but may be the last of the old stream.
            (Rearmed { peer, elsewhere }, Sender::Peer) => {
                (Rearmed { peer: again(peer), elsewhere }, Verdict::Accept)
            }
            (Rearmed { .. }, Exact | Qualified) => (Latched(new), Verdict::Latch),
            (Rearmed { elsewhere: false, .. }, PeerMoved) => (Latched(new), Verdict::Latch),

            // A stranger, or a neighbour while the peer is known: not heard, and sent nothing.
            (state, Exact | Qualified | PeerMoved | Stranger | Sender::Peer) => {
                (state, Verdict::Refuse)
            }
        }
    }
}

#[cfg(test)]
#[path = "latch_tests.rs"]
mod tests;
