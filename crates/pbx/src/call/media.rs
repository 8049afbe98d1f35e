//! What a call's media is to be: decided from the two sides' descriptions and the leases, purely.
//!
//! Descriptions pass end to end. Where we relay, each side is told our address and the ports
//! leased for it; nothing else changes but o= ([`edition`](super::edition); architecture, "Calls").

use super::digits::{Voice, Ways};
use super::edition::Edition;
use crate::id::CallId;
use crate::interop::Dtmf;
use crate::media::{
    Command, Expect, Figures, Link, MediaSource, Plan, Rtcp, Stream, StreamId, Transport,
    TransportId,
};
use crate::network::{Local, is_private};
use crate::office::Office;
use crate::ports::Lease;
use crate::record::{CallRecord, MediaFigures};
use crate::settings::Settings;
use crate::verdict::fact::What;
use bytes::Bytes;
use sdp::Sdp;
use sip::Flow;
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How long the edge has to acknowledge a plan or a close.
pub const ACKNOWLEDGE: Duration = Duration::from_secs(2);

/// How long an answered call must last before its silence means something.
pub const AUDIBLE: Duration = Duration::from_secs(3);

/// Which half of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    Caller,
    Callee,
}

impl Half {
    pub fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// Why a description cannot be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It cannot be read, or does not answer the offer.
    Description,
    /// All media ports are in use.
    Ports,
}

/// Where the phone of a half is, as its signalling shows it.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub signalling: IpAddr,
    /// Our address towards it.
    pub local: Local,
    pub policy: MediaSource,
    /// How it wants digits.
    pub dtmf: Dtmf,
}

impl Peer {
    pub fn of(office: &Office, flow: Flow, (policy, dtmf): (MediaSource, Dtmf)) -> Self {
        let local = office.network.local_of(flow.local, flow.remote);
        Self { signalling: flow.remote.ip(), local, policy, dtmf }
    }
}

/// What one `m=` line of a phone's description says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) rejected: bool,
    /// Index among the distinct addresses of the description (RFC 8843: lines may share one).
    pub(super) transport: usize,
    rtp: Option<SocketAddr>,
    rtcp: Option<SocketAddr>,
    pub(super) muxed: bool,
    pub(super) is_rtp: bool,
    /// It brings candidates (RFC 8839): where media comes from is settled without us.
    has_ice: bool,
    sends: bool,
    pub(super) receives: bool,
}

/// A phone's newest description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    pub(super) lines: SmallVec<[Line; 2]>,
    held: bool,
    pub(super) codec: SmolStr,
    video: bool,
    /// Known only where digits change their form.
    pub(super) voice: Option<Voice>,
}

#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) ports: Lease,
    pub(super) description: Option<Description>,
    peer: Option<Peer>,
    generation: u32,
    /// Codecs it is offered, in this order; none: as they come.
    codecs: Vec<Box<str>>,
    /// Its descriptions are not to tell who it is.
    hides: bool,
}

/// The media of one call.
#[derive(Debug, Default)]
pub struct CallMedia {
    pub relayed: bool,
    /// The caller hears itself.
    pub(super) echo: Option<Box<super::echo::Echo>>,
    pub(super) caller: Side,
    callee: Side,
    /// An offer whose answer is not in: whose, and what it says.
    offered: Option<(Half, Description)>,
    pub(super) revision: u32,
    /// The edge has a session of this call.
    open: bool,
    /// What the edge has yet to acknowledge, and until when.
    awaited: Option<Instant>,
    figures: Vec<Figures>,
    /// Those of the report before.
    pub(super) earlier: Vec<Figures>,
    pub(super) ways: Ways,
    closed: bool,
    /// There is no caller: the callee's half waits for somebody.
    pub(super) alone: Option<super::ringback::Alone>,
    /// Pairs that were in a plan: the edge rests them.
    planned: Lease,
}

impl CallMedia {
    /// What a half is to be offered from now on.
    pub(super) fn prefer(&mut self, half: Half, codecs: &[Box<str>]) {
        self.side(half).codecs = codecs.to_vec();
    }

    /// Whether what a half describes is passed on without who it is.
    pub(super) fn hide(&mut self, half: Half, hides: bool) {
        self.side(half).hides = hides;
    }

    /// Takes an offer of one half and returns it as the other half is to see it.
    pub fn offer(
        &mut self,
        office: &mut Office,
        (from, dtmf): (Half, Dtmf),
        (to, edition): (Peer, &mut Edition),
        sdp: &[u8],
        now: Instant,
    ) -> Result<Bytes, Unusable> {
        let mut sdp = Sdp::parse(sdp).map_err(|_| Unusable::Description)?;
        sdp.prefer(&self.side(from.other()).codecs);
        self.ways.set([(from, dtmf), (from.other(), to.dtmf)]);
        let description = self.described(&sdp);
        self.offered_digits(from.other(), &mut sdp);
        let passed = self.pass(office, from.other(), (to.local, edition), sdp, now)?;
        self.offered = Some((from, description));
        Ok(passed)
    }

    /// Takes an answer and returns it as the other half is to see it. From here the session runs
    /// as both said. An early answer leaves the offer open for another phone's.
    pub fn answer(
        &mut self,
        office: &mut Office,
        (from, peer): (Half, Peer),
        (to, edition): (Peer, &mut Edition),
        sdp: &[u8],
        early: bool,
        now: Instant,
    ) -> Result<Bytes, Unusable> {
        let mut sdp = Sdp::parse(sdp).map_err(|_| Unusable::Description)?;
        let description = self.described(&sdp);
        if let Some((by, offer)) = &self.offered {
            let by = *by;
            if by == from || offer.lines.len() != description.lines.len() {
                return Err(Unusable::Description);
            }
            let offer =
                if early { Some(offer.clone()) } else { self.offered.take().map(|it| it.1) };
            if let Some(offer) = offer {
                self.side(by).learn(offer, to);
            }
        }
        self.answered_digits(from.other(), &mut sdp);
        let passed = self.pass(office, from.other(), (to.local, edition), sdp, now)?;
        self.side(from).learn(description, peer);
        Ok(passed)
    }

    /// The offer was refused: what was agreed before stands.
    pub fn refused(&mut self) {
        self.offered = None;
    }

    /// Tells the edge how the session is to be now; `answered` starts the watch for silence.
    pub fn configure(
        &mut self,
        office: &mut Office,
        call: CallId,
        settings: &Settings,
        answered: bool,
        now: Instant,
    ) {
        if !self.relayed || self.closed {
            return;
        }
        let Some(mut plan) = self.plan(settings, answered) else { return };
        self.plan_digits(&mut plan, call);
        self.open = true;
        for transport in &plan.transports {
            if !self.planned.contains(&transport.ports) {
                self.planned.push(transport.ports);
            }
        }
        self.awaited = Some(now + ACKNOWLEDGE);
        office.media(Command::Configure { call, plan });
    }

    /// The edge has made plan `revision`.
    pub fn configured(&mut self, revision: u32) {
        if revision == self.revision && !self.closed {
            self.awaited = None;
        }
    }

    pub fn progress(&mut self, figures: Vec<Figures>) {
        self.earlier = std::mem::replace(&mut self.figures, figures);
    }

    /// Ends the session and gives back every lease. The figures come later, if there are any.
    pub fn close(&mut self, office: &mut Office, call: CallId, now: Instant) {
        if self.closed {
            return;
        }
        self.closed = true;
        self.awaited = None;
        let mut unused = std::mem::take(&mut self.caller.ports);
        unused.append(&mut self.callee.ports);
        unused.retain(|it| !self.planned.contains(it));
        office.ports.unused(&unused, now);
        office.ports.closed(self.planned.len());
        if self.open {
            office.media(Command::Close { call, pairs: self.planned.clone() });
            self.awaited = Some(now + ACKNOWLEDGE);
        }
    }

    /// The last figures are in.
    pub fn finish(&mut self, figures: Option<Vec<Figures>>) {
        self.awaited = None;
        if let Some(figures) = figures {
            self.figures = figures;
        }
    }

    /// When an acknowledgement is overdue.
    pub fn deadline(&self) -> Option<Instant> {
        self.awaited
    }

    /// What a half speaks, and where it said that its voice comes from.
    pub(super) fn place(&self, half: Half) -> Option<(SmolStr, SocketAddr)> {
        let description = self.side_of(half).description.as_ref()?;
        let line = description.lines.iter().find(|it| it.is_rtp && !it.rejected)?;
        Some((description.codec.clone(), line.rtp?))
    }

    pub fn is_held(&self) -> bool {
        [&self.caller, &self.callee]
            .iter()
            .any(|it| it.description.as_ref().is_some_and(|it| it.held))
    }

    /// The figures of one half so far.
    pub fn figures(&self, half: Half) -> impl Iterator<Item = &Figures> {
        self.figures.iter().filter(move |it| half_of(it.transport) == half)
    }

    /// A phone that names a private address for its media and speaks from a public one. Behind one
    /// router, two phones reach each other by such addresses.
    pub(super) fn private_address(&self, half: Half) -> Option<What> {
        let (side, other) = (self.side_of(half), self.side_of(half.other()));
        let line = side.description.as_ref()?.lines.iter().find(|it| !it.rejected)?;
        let (stated, source) = (line.rtp?.ip(), side.peer?.signalling);
        let (relayed, neighbours) =
            (self.relayed, other.peer.is_some_and(|it| it.signalling == source));
        let counts = is_private(stated) && !is_private(source) && !line.has_ice;
        (counts && (relayed || !neighbours)).then_some(What::PrivateAddress {
            stated,
            source,
            relayed,
        })
    }

    /// Whether a half should have been heard and never was: where it said that its media would
    /// come from, and how many packets came from elsewhere.
    pub(super) fn never_heard(&self, half: Half) -> Option<(Option<SocketAddr>, u64)> {
        // Without figures nobody knows.
        if !self.relayed || self.figures.is_empty() || self.is_held() {
            return None;
        }
        let (from, to) = (self.side_of(half), self.side_of(half.other()));
        let from = from.description.as_ref()?;
        let hears = |index: usize| match &self.echo {
            Some(_) => half == Half::Caller,
            None => to
                .description
                .as_ref()
                .and_then(|it| it.lines.get(index))
                .is_some_and(|it| it.receives),
        };
        let mut lines = from.lines.iter().enumerate();
        let (_, line) =
            lines.find(|(index, it)| it.is_rtp && it.sends && !it.rejected && hears(*index))?;
        let sum = sum(self.figures(half));
        let refused = self.figures(half).map(|it| it.refused).sum();
        (sum.rtp_packets_in == 0).then_some((line.rtp, refused))
    }

    /// What one half speaks; empty before it has said so.
    pub fn codec(&self, half: Half) -> &str {
        self.side_of(half).description.as_ref().map_or("", |it| &it.codec)
    }

    /// Writes codecs and figures into the record.
    pub fn describe(&self, record: &mut CallRecord) {
        record.relayed = self.relayed;
        for (half, known) in
            [(Half::Caller, &mut record.codec_caller), (Half::Callee, &mut record.codec_callee)]
        {
            if **known != *self.codec(half) {
                *known = self.codec(half).into();
            }
        }
        let video = |side: &Side| side.description.as_ref().is_some_and(|it| it.video);
        record.video = video(&self.caller) && video(&self.callee);
        record.caller_media = sum(self.figures(Half::Caller));
        record.callee_media = sum(self.figures(Half::Callee));
    }

    /// Rewrites a description for `to`: the ports leased for that half, at our address.
    fn pass(
        &mut self,
        office: &mut Office,
        to: Half,
        (local, edition): (Local, &mut Edition),
        mut sdp: Sdp,
        now: Instant,
    ) -> Result<Bytes, Unusable> {
        if self.side_of(to.other()).hides {
            sdp.hide_author();
        }
        if self.relayed {
            let transports = sdp.transports();
            let wanted = transports.iter().flatten().max().map_or(0, |it| it + 1);
            self.lease(office, to, wanted, now)?;
            let leased = &self.side(to).ports;
            let ports: SmallVec<[u16; 4]> =
                transports.iter().map(|it| it.map_or(0, |index| leased[index].rtp)).collect();
            sdp.relay_through(local.advertised, &ports).map_err(|_| Unusable::Description)?;
        }
        Ok(edition.print(&mut sdp, local.advertised))
    }

    pub(super) fn lease(
        &mut self,
        office: &mut Office,
        half: Half,
        wanted: usize,
        now: Instant,
    ) -> Result<(), Unusable> {
        let side = self.side(half);
        while side.ports.len() < wanted {
            side.ports.push(office.ports.lease(now).ok_or(Unusable::Ports)?);
        }
        if let Some(leased) = office.ports.want() {
            office.media(Command::Want { leased });
        }
        Ok(())
    }

    pub(super) fn side_of(&self, half: Half) -> &Side {
        match half {
            Half::Caller => &self.caller,
            Half::Callee => &self.callee,
        }
    }

    fn side(&mut self, half: Half) -> &mut Side {
        match half {
            Half::Caller => &mut self.caller,
            Half::Callee => &mut self.callee,
        }
    }

    /// A half that has nobody to talk to yet.
    pub(super) fn learn_alone(&mut self, half: Half, description: Description, peer: Peer) {
        self.alone.get_or_insert_default();
        self.side(half).learn(description, peer);
    }

    fn plan(&mut self, settings: &Settings, answered: bool) -> Option<Plan> {
        if let Some(alone) = self.alone {
            return self.plan_alone(alone);
        }
        let caller = self.caller.description.as_ref()?;
        let silence_ms = NonZeroU32::new(settings.rtp_timeout_s.saturating_mul(1000));
        let watching = answered && silence_ms.is_some() && !self.is_held();
        let mut plan = Plan {
            revision: self.revision + 1,
            silence_ms: silence_ms.filter(|_| watching),
            ..Plan::default()
        };
        if self.echo.is_some() {
            for (index, line) in caller.lines.iter().enumerate().filter(|(_, it)| !it.rejected) {
                let stream =
                    add(&mut plan, Half::Caller, &self.caller, (index, line), 0, watching)?;
                plan.links.push(Link { from: stream, to: stream });
            }
        } else {
            let callee = self.callee.description.as_ref()?;
            for (index, (a, b)) in caller.lines.iter().zip(&callee.lines).enumerate() {
                if a.rejected || b.rejected {
                    continue;
                }
                // A half sends to the port its peer's description was given, so the peer's
                // grouping of lines decides which lease that is.
                let watch = |from: &Line, to: &Line| watching && from.sends && to.receives;
                let one = (index, a);
                let a_id =
                    add(&mut plan, Half::Caller, &self.caller, one, b.transport, watch(a, b))?;
                let other = (index, b);
                let b_id =
                    add(&mut plan, Half::Callee, &self.callee, other, a.transport, watch(b, a))?;
                plan.links.push(Link { from: a_id, to: b_id });
                plan.links.push(Link { from: b_id, to: a_id });
            }
        }
        for half in [Half::Caller, Half::Callee] {
            self.keep_idle(&mut plan, half);
        }
        self.revision += 1;
        Some(plan)
    }

    /// The callee's half as it is, linked to nothing: nobody watches its silence either.
    fn plan_alone(&mut self, alone: super::ringback::Alone) -> Option<Plan> {
        let callee = self.callee.description.as_ref()?;
        let mut plan = Plan { revision: self.revision + 1, ..Plan::default() };
        for one in callee.lines.iter().enumerate().filter(|(_, it)| !it.rejected) {
            add(&mut plan, Half::Callee, &self.callee, one, 0, false)?;
        }
        plan.tone = alone.tone(callee, &plan).map(Box::new);
        self.revision += 1;
        Some(plan)
    }

    /// A pair whose line was turned down stays in the plan, deaf: the edge would give it to others,
    /// and the line may come back.
    fn keep_idle(&self, plan: &mut Plan, half: Half) {
        let side = self.side_of(half);
        let Some(peer) = side.peer else { return };
        for (index, &ports) in side.ports.iter().enumerate() {
            let named = plan.transports.iter().any(|it| it.ports == ports);
            let Some(id) = numbered(index, half).map(TransportId) else { continue };
            if named || !self.planned.contains(&ports) {
                continue;
            }
            plan.transports.push(Transport {
                id,
                ports,
                source: peer.local.source,
                rtcp: Rtcp::Muxed,
                expect: Expect {
                    advertised: None,
                    signalling: peer.signalling,
                    policy: MediaSource::Sdp,
                    generation: side.generation,
                },
                watched: false,
            });
        }
    }
}

/// Numbers of the caller's half are even, of the callee's odd.
fn numbered(index: usize, half: Half) -> Option<u8> {
    Some(u8::try_from(index * 2).ok()? + u8::from(half == Half::Callee))
}

/// The half that a transport belongs to.
pub fn half_of(transport: TransportId) -> Half {
    if transport.0 % 2 == 1 { Half::Callee } else { Half::Caller }
}

/// Adds a stream, and its transport unless another line has brought it.
fn add(
    plan: &mut Plan,
    half: Half,
    side: &Side,
    (index, line): (usize, &Line),
    lease: usize,
    watched: bool,
) -> Option<StreamId> {
    let (transport, stream) =
        (TransportId(numbered(lease, half)?), StreamId(numbered(index, half)?));
    let (peer, ports) = (side.peer?, *side.ports.get(lease)?);
    if !plan.transports.iter().any(|it| it.id == transport) {
        let rtcp = if line.muxed { Rtcp::Muxed } else { Rtcp::Separate { remote: line.rtcp } };
        plan.transports.push(Transport {
            id: transport,
            ports,
            source: peer.local.source,
            rtcp,
            expect: Expect {
                advertised: line.rtp,
                signalling: peer.signalling,
                policy: peer.policy,
                generation: side.generation,
            },
            watched: watched && line.is_rtp,
        });
    }
    plan.streams.push(Stream { id: stream, transport, line: u8::try_from(index).ok()? });
    Some(stream)
}

impl Side {
    pub(super) fn learn(&mut self, description: Description, peer: Peer) {
        let same = self.description.as_ref() == Some(&description)
            && self.peer.is_some_and(|it| it.signalling == peer.signalling);
        self.generation += u32::from(!same);
        self.description = Some(description);
        self.peer = Some(peer);
    }
}

impl Description {
    pub(super) fn of(sdp: &Sdp) -> Self {
        let transports = sdp.transports();
        let lines = sdp.media().iter().enumerate().map(|(index, media)| {
            let direction = sdp.direction_of(index);
            Line {
                // What we do not relay has no place in the edge's plan.
                rejected: media.is_rejected() || media.is_tcp(),
                transport: transports.get(index).copied().flatten().unwrap_or_default(),
                rtp: sdp.rtp_of(index),
                rtcp: sdp.rtcp_of(index),
                muxed: media.rtcp_mux(),
                is_rtp: media.is_rtp(),
                has_ice: media.has_ice(),
                sends: direction.sends(),
                receives: direction.receives(),
            }
        });
        let live = || sdp.media().iter().filter(|it| !it.is_rejected());
        let audio = live().find(|it| it.kind() == sdp::Kind::Audio);
        let codec = audio.and_then(sdp::Media::main_codec);
        Self {
            lines: lines.collect(),
            held: sdp.is_held(),
            codec: codec.map(|it| it.name.into()).unwrap_or_default(),
            video: live().any(|it| it.kind() == sdp::Kind::Video),
            voice: None,
        }
    }
}

fn sum<'a>(figures: impl Iterator<Item = &'a Figures>) -> MediaFigures {
    figures.fold(MediaFigures::default(), |sum, it| MediaFigures {
        rtp_packets_in: sum.rtp_packets_in + it.packets_in,
        rtp_bytes_in: sum.rtp_bytes_in + it.bytes_in,
        rtp_lost_in: sum.rtp_lost_in + it.lost_in,
        rtp_jitter_ms_in: sum.rtp_jitter_ms_in.max(it.jitter_in_us / 1000),
        rtp_packets_out: sum.rtp_packets_out + it.packets_out,
    })
}
