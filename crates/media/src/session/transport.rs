//! One transport of a session: its latch, its RTCP, its figures.
//!
//! Between the session, which knows what is linked to what, and the latch. RFC 3550 §11 (ports),
//! RFC 5761 (one port for both), RFC 3605 (RTCP elsewhere).

use super::expected::{Expected, canonical};
use super::figures::Received;
use super::latch::{Arrival, Latch, Verdict};
use super::rtp::{Kind, classify};
use super::{Handled, Outgoing, Port};
use pbx::media::{Figures, MediaSource, PortPair, Rtcp, Transport, TransportId};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Datagrams taken from one transport in a second; what comes above that is dropped. Four times
/// what high-definition video needs; a loop through two of our own ports ends here.
const DATAGRAMS_PER_SECOND_MAX: u32 = 4_000;

/// The span that limit is counted over.
const SECOND: Duration = Duration::from_secs(1);

/// The state of one transport.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: TransportId,
    pub(super) ports: PortPair,
    source: IpAddr,
    rtcp: Rtcp,
    latch: Latch,
    /// Where RTCP on the odd port comes from, since the peer latched.
    rtcp_peer: Option<SocketAddr>,
    watched: bool,
    /// Since when the transport is silent.
    silent_since: Instant,
    silence_reported: bool,
    second_began: Instant,
    in_this_second: u32,
    received: Received,
    packets_out: u64,
    refused: u64,
}

impl Running {
    pub(super) fn new(plan: &Transport, now: Instant) -> Self {
        Self {
            id: plan.id,
            ports: plan.ports,
            source: plan.source.to_canonical(),
            rtcp: plan.rtcp,
            latch: Latch::new(Expected::new(&plan.expect)),
            rtcp_peer: None,
            watched: plan.watched,
            silent_since: now,
            silence_reported: false,
            second_began: now,
            in_this_second: 0,
            received: Received::default(),
            packets_out: 0,
            refused: 0,
        }
    }

    /// Takes what a new plan says of the same transport on the same ports.
    pub(super) fn apply(&mut self, plan: &Transport, now: Instant) {
        if plan.watched && !self.watched {
            self.silent_since = now;
            self.silence_reported = false;
        }
        let expected = Expected::new(&plan.expect);
        if !expected.same_place(self.latch.expected()) || plan.rtcp != self.rtcp {
            self.rtcp_peer = None;
        }
        self.source = plan.source.to_canonical();
        self.rtcp = plan.rtcp;
        self.watched = plan.watched;
        self.latch.expect(expected);
    }

    /// Judges a datagram; `None`: it goes nowhere.
    pub(super) fn on_datagram(
        &mut self,
        port: Port,
        from: SocketAddr,
        bytes: &[u8],
        now: Instant,
    ) -> (Handled, Option<Kind>) {
        let from = canonical(from);
        let (kind, verdict) = match port {
            Port::Rtp => {
                let kind = classify(bytes);
                let ssrc = match kind {
                    Kind::Rtp(header) => Some(header.ssrc),
                    Kind::Rtcp | Kind::Other => None,
                };
                (kind, self.latch.on_datagram(Arrival { from, ssrc, at: now }))
            }
            Port::Rtcp => (Kind::Rtcp, self.judge_rtcp(from)),
        };
        if verdict == Verdict::Refuse {
            self.refused += 1;
            return (Handled::Refused, None);
        }
        // Counted here, so that what strangers send takes nothing from the peer.
        if !self.within_limit(now) && verdict != Verdict::Latch {
            return (Handled::Limited, None);
        }
        self.silent_since = now;
        self.silence_reported = false;
        if let Kind::Rtp(header) = kind {
            self.received.on_packet(header, bytes.len(), now);
        }
        if verdict == Verdict::Latch {
            self.rtcp_peer = None;
            return (Handled::Latched(from), Some(kind));
        }
        (Handled::Accepted, Some(kind))
    }

    /// Where a datagram of this kind leaves from and goes to; `None` while nowhere is known.
    pub(super) fn outgoing(&mut self, at: usize, kind: Kind) -> Option<Outgoing> {
        let (port, to) = match (kind, self.rtcp) {
            (Kind::Rtp(_) | Kind::Other, _) | (Kind::Rtcp, Rtcp::Muxed) => {
                (Port::Rtp, self.latch.destination()?)
            }
            (Kind::Rtcp, Rtcp::Separate { remote }) => (Port::Rtcp, self.rtcp_destination(remote)?),
        };
        if let Kind::Rtp(_) = kind {
            self.packets_out += 1;
        }
        Some(self.towards(at, port, to))
    }

    /// The same for RTP of our own, which [`Running::sent`] counts.
    pub(super) fn own_outgoing(&self, at: usize) -> Option<Outgoing> {
        Some(self.towards(at, Port::Rtp, self.latch.destination()?))
    }

    /// So many packets of our own go out.
    pub(super) fn sent(&mut self, packets: u64) {
        self.packets_out += packets;
    }

    fn towards(&self, transport: usize, port: Port, to: SocketAddr) -> Outgoing {
        let source = Some(self.source).filter(|it| it.is_ipv4() == to.is_ipv4());
        Outgoing { transport, port, to, source }
    }

    /// Whether the transport has been silent too long; true once for each silence.
    pub(super) fn fell_silent(&mut self, silence: Duration, now: Instant) -> bool {
        let silent = now.saturating_duration_since(self.silent_since) >= silence;
        let report = self.watched && silent && !self.silence_reported;
        self.silence_reported |= report;
        report
    }

    pub(super) fn figures(&self) -> Figures {
        Figures {
            transport: self.id,
            packets_in: self.received.packets(),
            bytes_in: self.received.bytes(),
            lost_in: self.received.lost(),
            jitter_in_us: self.received.jitter_us(),
            packets_out: self.packets_out,
            refused: self.refused,
        }
    }

    fn within_limit(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.second_began) >= SECOND {
            self.second_began = now;
            self.in_this_second = 0;
        }
        self.in_this_second = self.in_this_second.saturating_add(1);
        self.in_this_second <= DATAGRAMS_PER_SECOND_MAX
    }

    /// RTCP on the odd port has a source of its own, which stays until the peer latches anew.
    fn judge_rtcp(&mut self, from: SocketAddr) -> Verdict {
        let qualifies = match self.rtcp_peer {
            Some(peer) => peer == from,
            None => self.rtcp_qualifies(from),
        };
        if !qualifies {
            return Verdict::Refuse;
        }
        self.rtcp_peer = Some(from);
        Verdict::Accept
    }

    /// It comes from where the SDP sends RTCP, or from the address media comes from. Being first
    /// is not enough: who media comes from must be known by then.
    fn rtcp_qualifies(&self, from: SocketAddr) -> bool {
        let expected = self.latch.expected();
        let named = match self.rtcp {
            Rtcp::Separate { remote: Some(remote) } => expected.reachable(remote),
            Rtcp::Separate { remote: None } | Rtcp::Muxed => {
                expected.destination().and_then(next_port)
            }
        };
        if named == Some(from) && expected.policy() != MediaSource::Signalling {
            return true;
        }
        match self.latch.peer() {
            _ if expected.policy() == MediaSource::Sdp => false,
            Some(peer) => peer.address.ip() == from.ip(),
            None => expected.signals(from.ip()),
        }
    }

    fn rtcp_destination(&self, remote: Option<SocketAddr>) -> Option<SocketAddr> {
        let named = remote.and_then(|it| self.latch.expected().reachable(it));
        self.rtcp_peer.or(named).or_else(|| self.latch.destination().and_then(next_port))
    }
}

fn next_port(rtp: SocketAddr) -> Option<SocketAddr> {
    let mut rtcp = rtp;
    rtcp.set_port(rtp.port().checked_add(1)?);
    Some(rtcp)
}
