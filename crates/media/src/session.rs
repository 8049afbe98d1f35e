//! The media session of one call, without I/O: a datagram and the time come in, what to send
//! comes out.
//!
//! Between the core's plan (`pbx::media`) and the sockets of the driver, which owns one session
//! per call. Read [`Session::handle_datagram`] first.

mod digits;
mod expected;
mod figures;
mod jitter;
mod latch;
pub mod rtp;
mod tone;
mod transport;

use digits::Digits;
use pbx::digit::Press;
use pbx::media::{Figures, Plan, PortPair, StreamId, TransportId};
use rtp::Kind;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tone::Tone;
use transport::Running;

/// Transports a session may have; a plan with more is refused. So many take the 16 `m=` lines that
/// a description may have, on both sides.
pub const TRANSPORTS_MAX: usize = 32;

/// Streams a session may have; a plan with more is refused.
pub const STREAMS_MAX: usize = 32;

/// Links a session may have; a plan with more is refused.
pub const LINKS_MAX: usize = 64;

/// Which socket of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The even port.
    Rtp,
    /// The odd port.
    Rtcp,
}

/// A datagram to send, its octets being those that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Index of the transport, in the order of [`Session::ports`].
    pub transport: usize,
    pub port: Port,
    pub to: SocketAddr,
    /// Our address it leaves from; `None`: as the kernel likes.
    pub source: Option<IpAddr>,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    Accepted,
    /// Accepted, and its sender is now the transport's peer.
    Latched(SocketAddr),
    /// Its source does not qualify.
    Refused,
    /// More than a transport takes in a second.
    Limited,
}

/// Why a plan cannot be carried out. The session stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlan {
    #[error("more than {TRANSPORTS_MAX} transports")]
    TooManyTransports,
    #[error("more than {STREAMS_MAX} streams")]
    TooManyStreams,
    #[error("more than {LINKS_MAX} links")]
    TooManyLinks,
    #[error("transport {0:?} twice")]
    TransportTwice(TransportId),
    #[error("port {} twice", .0.rtp)]
    PortTwice(PortPair),
    #[error("stream {0:?} twice")]
    StreamTwice(StreamId),
    #[error("stream {0:?} on a transport that is not there")]
    StreamWithoutTransport(StreamId),
    #[error("a link with stream {0:?}, which is not there")]
    LinkWithoutStream(StreamId),
    #[error("digits of transport {0:?}, which is not there")]
    DigitsWithoutTransport(TransportId),
    #[error("a tone for transport {0:?}, which is not there")]
    ToneWithoutTransport(TransportId),
}

/// A packet of our own, and where it goes.
pub type Made = (Outgoing, Vec<u8>);

/// The media session of one call.
#[derive(Debug)]
pub struct Session {
    transports: Vec<Running>,
    /// For each transport, where its datagrams go.
    targets: Vec<Targets>,
    /// Digits that change their form on the way; `None` in most calls.
    digits: Option<Box<Digits>>,
    /// What is played to one peer; `None` in most calls.
    tone: Option<Box<Tone>>,
    silence: Option<Duration>,
    revision: u32,
}

/// A set of transports, by index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Targets(u32);

const _: () = assert!(TRANSPORTS_MAX <= u32::BITS as usize);

impl Session {
    /// The session of a first plan.
    pub fn new(plan: &Plan, now: Instant) -> Result<Self, BadPlan> {
        let mut session = Self {
            transports: Vec::new(),
            targets: Vec::new(),
            digits: None,
            tone: None,
            silence: None,
            revision: 0,
        };
        session.apply(plan, now)?;
        Ok(session)
    }

    /// Brings the session to a new plan. A transport that keeps its id and its ports keeps its
    /// peer and its figures; the indices follow the new plan.
    pub fn apply(&mut self, plan: &Plan, now: Instant) -> Result<(), BadPlan> {
        let targets = targets(plan)?;
        let mut old = std::mem::take(&mut self.transports);
        for planned in &plan.transports {
            let same = |it: &Running| it.id == planned.id && it.ports == planned.ports;
            let transport = match old.iter().position(same) {
                Some(at) => {
                    let mut transport = old.swap_remove(at);
                    transport.apply(planned, now);
                    transport
                }
                None => Running::new(planned, now),
            };
            self.transports.push(transport);
        }
        self.targets = targets;
        self.digits = Digits::of(plan.digits.as_deref(), self.digits.take());
        self.tone = Tone::of(plan.tone.as_deref(), self.tone.take());
        self.silence = plan.silence_ms.map(|it| Duration::from_millis(it.get().into()));
        self.revision = plan.revision;
        Ok(())
    }

    /// Takes a datagram that arrived on a transport's port and appends to `out` where its octets
    /// are to go. Allocates nothing while `out` has room for [`TRANSPORTS_MAX`].
    pub fn handle_datagram(
        &mut self,
        transport: usize,
        port: Port,
        from: SocketAddr,
        bytes: &[u8],
        now: Instant,
        out: &mut Vec<Outgoing>,
    ) -> Handled {
        let (handled, kind) = self.transports[transport].on_datagram(port, from, bytes, now);
        let Some(kind) = kind else { return handled };
        if self.digits.is_some() {
            self.relay_with_digits((transport, kind), bytes, now, out);
            return handled;
        }
        for target in self.targets[transport].iter() {
            // An echo gives back the voice. Reports and handshakes are about the other side's
            // media, and would be taken for a loop (RFC 3550 §8.2).
            if target == transport && !matches!(kind, Kind::Rtp(_)) {
                continue;
            }
            out.extend(self.transports[target].outgoing(target, kind));
        }
        handled
    }

    /// The same for a session whose digits change their form.
    fn relay_with_digits(
        &mut self,
        (transport, kind): (usize, Kind),
        bytes: &[u8],
        now: Instant,
        out: &mut Vec<Outgoing>,
    ) {
        let Some(digits) = &mut self.digits else { return };
        let from = self.transports[transport].id;
        if let Kind::Rtp(header) = kind
            && digits.takes(from, header, bytes, now)
        {
            return;
        }
        for target in self.targets[transport].iter().filter(|it| *it != transport) {
            let Some(outgoing) = self.transports[target].outgoing(target, kind) else { continue };
            let to = self.transports[target].id;
            match kind {
                Kind::Rtp(header) if digits.replaces((to, outgoing), header, bytes, now) => {}
                Kind::Rtp(_) | Kind::Rtcp | Kind::Other => out.push(outgoing),
            }
        }
    }

    /// Sends a digit to a transport's peer, in the place of voice or, where none flows, as
    /// [`Session::play`] is called.
    pub fn press(&mut self, transport: TransportId, press: Press) {
        if let Some(digits) = &mut self.digits {
            digits.press(transport, press);
        }
    }

    /// Whether digits change their form here: only then [`Session::take_made`] and
    /// [`Session::take_pressed`] have something.
    pub fn has_digits(&self) -> bool {
        self.digits.is_some()
    }

    /// Packets of our own that are to be sent now.
    pub fn take_made(&mut self) -> Vec<Made> {
        let mut made = self.digits.as_mut().map(|it| it.take_made()).unwrap_or_default();
        made.extend(self.tone.as_mut().map(|it| it.take_made()).unwrap_or_default());
        made
    }

    /// Digits that were heard since the last time.
    pub fn take_pressed(&mut self) -> Vec<(TransportId, Press)> {
        self.digits.as_mut().map(|it| it.take_pressed()).unwrap_or_default()
    }

    /// Sends what is due of digits and tones; when to call it next, while there are any.
    pub fn play(&mut self, now: Instant) -> Option<Instant> {
        [self.play_digits(now), self.play_tone(now)].into_iter().flatten().min()
    }

    fn play_tone(&mut self, now: Instant) -> Option<Instant> {
        let tone = self.tone.as_mut()?;
        let mut transports = self.transports.iter_mut().enumerate();
        let (at, transport) = transports.find(|(_, it)| it.id == tone.transport())?;
        let (sent, due) = tone.play(transport.own_outgoing(at), now);
        transport.sent(sent);
        Some(due)
    }

    /// Sends what is due of digits for which no voice flows; when to call it next, while there are
    /// any.
    pub fn play_digits(&mut self, now: Instant) -> Option<Instant> {
        let digits = self.digits.as_mut()?;
        for (at, transport) in self.transports.iter_mut().enumerate() {
            let outgoing = transport.own_outgoing(at);
            transport.sent(digits.play((transport.id, outgoing), now));
        }
        digits.due(now)
    }

    /// The watched transports that have just been silent for too long.
    pub fn handle_timeout(&mut self, now: Instant) -> impl Iterator<Item = TransportId> {
        let silence = self.silence;
        let transports = self.transports.iter_mut();
        transports.filter_map(move |it| it.fell_silent(silence?, now).then_some(it.id))
    }

    /// The ports of each transport; the position is the transport's index.
    pub fn ports(&self) -> impl Iterator<Item = PortPair> {
        self.transports.iter().map(|it| it.ports)
    }

    /// The name of the transport with this index.
    pub fn transport_id(&self, transport: usize) -> TransportId {
        self.transports[transport].id
    }

    /// What each transport carried so far.
    pub fn figures(&self) -> Vec<Figures> {
        self.transports.iter().map(Running::figures).collect()
    }

    /// The revision of the plan in force.
    pub fn revision(&self) -> u32 {
        self.revision
    }
}

impl Targets {
    fn insert(&mut self, at: usize) {
        self.0 |= 1 << at;
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let at = left.trailing_zeros();
            left &= left.checked_sub(1)?;
            usize::try_from(at).ok()
        })
    }
}

/// For each transport of a sound plan, the transports its streams are linked to.
fn targets(plan: &Plan) -> Result<Vec<Targets>, BadPlan> {
    check_transports(plan)?;
    if plan.streams.len() > STREAMS_MAX {
        return Err(BadPlan::TooManyStreams);
    }
    if plan.links.len() > LINKS_MAX {
        return Err(BadPlan::TooManyLinks);
    }
    for (at, stream) in plan.streams.iter().enumerate() {
        if plan.streams[..at].iter().any(|it| it.id == stream.id) {
            return Err(BadPlan::StreamTwice(stream.id));
        }
        if plan.transports.iter().all(|it| it.id != stream.transport) {
            return Err(BadPlan::StreamWithoutTransport(stream.id));
        }
    }
    for way in plan.digits.iter().flat_map(|it| &it.ways) {
        if plan.transports.iter().all(|it| it.id != way.transport) {
            return Err(BadPlan::DigitsWithoutTransport(way.transport));
        }
    }
    if let Some(tone) = plan.tone.as_deref()
        && plan.transports.iter().all(|it| it.id != tone.transport)
    {
        return Err(BadPlan::ToneWithoutTransport(tone.transport));
    }
    let index_of = |id: StreamId| {
        let stream = plan.streams.iter().find(|it| it.id == id)?;
        plan.transports.iter().position(|it| it.id == stream.transport)
    };
    let mut targets = vec![Targets::default(); plan.transports.len()];
    for link in &plan.links {
        let from = index_of(link.from).ok_or(BadPlan::LinkWithoutStream(link.from))?;
        let to = index_of(link.to).ok_or(BadPlan::LinkWithoutStream(link.to))?;
        targets[from].insert(to);
    }
    Ok(targets)
}

fn check_transports(plan: &Plan) -> Result<(), BadPlan> {
    if plan.transports.len() > TRANSPORTS_MAX {
        return Err(BadPlan::TooManyTransports);
    }
    for (at, transport) in plan.transports.iter().enumerate() {
        let before = &plan.transports[..at];
        if before.iter().any(|it| it.id == transport.id) {
            return Err(BadPlan::TransportTwice(transport.id));
        }
        if before.iter().any(|it| it.ports == transport.ports) {
            return Err(BadPlan::PortTwice(transport.ports));
        }
    }
    Ok(())
}
