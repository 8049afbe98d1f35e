//! Calls that leave by an external line or a SIP trunk: the next candidate is taken, its INVITE
//! written as the other side wants it, a carrier's challenge answered (RFC 3261 §22); where it does
//! not serve, the next one is tried.

use super::begin::{Way, stated_address, unusable};
use super::challenge::Credentials;
use super::diversion::{Shown, Veil};
use super::end::Cause;
use super::facts::who_of;
use super::fork::{Fork, bracketed};
use super::introduce::{from, identity_headers, introduce, wanted};
use super::locate::{Tried, may_be_the_address, no_server};
use super::path::relay;
use super::{Call, State, fork_id};
use crate::core::trunks::{server_event, way_to};
use crate::dialplan::query::{Candidate, Candidates, Outgoing};
use crate::interop::{CallLimit, IdentityHeader, Interop, sip_uri};
use crate::line::Line;
use crate::line::live::LineKey;
use crate::line::request::outbound_route;
use crate::office::Office;
use crate::origin::Origin;
use crate::record::{CallStarted, Direction, Record, Side};
use crate::release::ReleaseCode;
use crate::settings::Settings;
use crate::time::Now;
use crate::trunk::Trunk;
use crate::trunk::health::Event as Happens;
use crate::trunk::live::{ServerKey, TrunkKey};
use rand_core::Rng;
use sip::auth::client::ClientAuth;
use sip::dialog::{Dialog, LocalEnd, contact_uri};
use sip::message::block::{self, Life};
use sip::message::{HeaderName, Message, Method, Short};
use sip::route_set::RouteSet;
use sip::session::{Reliability, Terms};
use sip::{Flow, Tag};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a candidate may say nothing at all where there is another one.
pub const SILENCE_MAX: Duration = Duration::from_secs(3);

/// How long the last one may be. Its INVITE has gone out five times by then; who calls would hear
/// nothing for 32 s if its transaction were waited for (Timer B, RFC 3261 §17.1.1.2).
pub const LAST_SILENCE_MAX: Duration = Duration::from_secs(12);

/// What a call has to do with lines and trunks.
#[derive(Debug, Default)]
pub(super) struct Outward {
    /// What is tried when the present candidate fails.
    pub(super) left: Candidates,
    /// When the present one has been silent for too long.
    next_at: Option<Instant>,
    /// How often a carrier sent it on.
    pub(super) redirects: usize,
    /// Where else it said the call might go.
    pub(super) contacts: SmallVec<[Box<str>; 1]>,
    /// Servers of trunks that were tried.
    pub(super) tried: SmallVec<[ServerKey; 2]>,
    pub(super) tried_addresses: Tried,
    /// The next candidate's name is being resolved.
    pub(super) resolving: bool,
    /// The newest fork that said something.
    heard: Option<usize>,
    /// Who calls, with whose rights it leaves.
    pub(super) origin: Option<Origin>,
    caller: Option<(IpAddr, Option<IpAddr>)>,
}

/// One call of a line or trunk, in or out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    LineIn(LineKey),
    LineOut(LineKey),
    TrunkIn(TrunkKey),
    TrunkOut(TrunkKey),
}

impl Claim {
    pub(super) fn is_incoming(&self) -> bool {
        matches!(self, Self::LineIn(_) | Self::TrunkIn(_))
    }
}

/// A fork that leads outside.
#[derive(Debug)]
pub(super) struct Outside {
    pub through: Through,
    pub out: Outgoing,
}

#[derive(Debug)]
pub(super) enum Through {
    Line { key: LineKey, line: Arc<Line>, auth: ClientAuth, routes: Vec<Box<str>> },
    Trunk { server: ServerKey, trunk: Arc<Trunk> },
}

impl Outside {
    /// Who we are to the carrier, for requests within the dialog.
    pub(super) fn credentials(&self) -> Option<Box<Credentials>> {
        match &self.through {
            Through::Line { key, line, auth, .. } => {
                Some(Box::new(Credentials::new(*key, Arc::clone(line), auth.clone())))
            }
            Through::Trunk { .. } => None,
        }
    }

    /// How to speak with the other side.
    pub(super) fn interop(&self) -> &Interop {
        self.through.interop()
    }
}

impl Through {
    fn interop(&self) -> &Interop {
        match self {
            Self::Line { line, .. } => &line.interop,
            Self::Trunk { trunk, .. } => &trunk.interop,
        }
    }

    fn no_answer(&self, settings: &Settings) -> Duration {
        match self {
            Self::Line { line, .. } => line.no_answer(settings),
            Self::Trunk { trunk, .. } => trunk.no_answer(settings),
        }
    }
}

/// What an INVITE says of who calls whom, and by which way.
pub(super) struct Addressing {
    pub from: Short,
    pub to: Short,
    pub routes: RouteSet,
    pub headers: Vec<(&'static str, String)>,
    pub credentials: Box<[(HeaderName, String)]>,
    pub reliability: Reliability,
    pub terms: Terms,
}

/// An INVITE that is sent once more: the same call, the next CSeq (RFC 3261 §22.2).
pub(super) struct Again<'a> {
    pub call_id: &'a str,
    pub tag: Tag,
    pub cseq: u32,
}

impl Call {
    /// Begins with the first candidate that can take the call.
    pub(super) fn go_outside(
        &mut self,
        office: &mut Office,
        candidates: Candidates,
        (flow, message, raw): (Flow, &Message<'_>, &[u8]),
        origin: &Origin,
        now: Instant,
    ) {
        self.invite = Some(block::copy(Life::Transaction, raw));
        let caller = (flow.remote.ip(), stated_address(contact_uri(message)));
        self.outward.left = candidates;
        self.outward.origin = Some(origin.clone());
        self.outward.caller = Some(caller);
        if let Err(code) = self.take_next(office, message, now) {
            self.end(office, code, Side::System, now);
        }
    }

    /// Tries the candidates that are left; `Err` says what kept the last of them from the call.
    pub(super) fn take_next(
        &mut self,
        office: &mut Office,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<(), ReleaseCode> {
        let mut why = ReleaseCode::RouteNoLine;
        while !self.outward.left.is_empty() {
            if self.awaits_name(office, now) {
                return Ok(());
            }
            let candidate = self.outward.left.remove(0);
            let who = who_of(&candidate);
            let taken = match candidate {
                Candidate::Line(line, out) => self.take_line(office, &line, out, message, now),
                Candidate::Trunk(trunk, out) => self.take_trunk(office, &trunk, out, message, now),
                Candidate::Extension(_) | Candidate::Feature(_) => Err(ReleaseCode::RouteNoMatch),
            };
            match taken {
                Ok(()) => return Ok(()),
                Err(code) => why = self.not_taken(office, who, code, now),
            }
        }
        Err(why)
    }

    /// Takes a line by its next address; the others stay candidates.
    fn take_line(
        &mut self,
        office: &mut Office,
        line: &Arc<Line>,
        out: Outgoing,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<(), ReleaseCode> {
        let live = office.lines.find(self.tenant, &line.account);
        let key = live.map(|it| it.key).ok_or(ReleaseCode::RouteNoLine)?;
        let (way, more) = self.way_of_line(office, key, out.emergency)?;
        if more {
            self.outward.left.insert(0, Candidate::Line(Arc::clone(line), out.clone()));
        }
        if !office.claim_outside(Claim::LineOut(key), out.limit(line.calls_out_max)) {
            return Err(ReleaseCode::LineAllBusy);
        }
        self.counts.outside(Claim::LineOut(key));
        if let Some(pool) = out.pool {
            office.lines.take_turn(self.tenant, pool, &line.account);
        }
        self.record.line = Some((&*line.account).into());
        let service_route = office.lines.get(key).map(|it| it.service_route.clone());
        let routes = service_route.filter(|it| !it.is_empty());
        let routes = routes.unwrap_or_else(|| outbound_route(line).into_iter().collect());
        let target = line.request_uri(&out.called);
        let (line, auth) = (Arc::clone(line), ClientAuth::default());
        let outside = Outside { through: Through::Line { key, line, auth, routes }, out };
        self.call_by(office, outside, (target, way), message, now);
        Ok(())
    }

    /// Takes the next server of a trunk; the others stay candidates.
    fn take_trunk(
        &mut self,
        office: &mut Office,
        trunk: &Arc<Trunk>,
        out: Outgoing,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<(), ReleaseCode> {
        let live = office.trunks.find(self.tenant, trunk.id).ok_or(ReleaseCode::RouteNoTrunk)?;
        let server = live.next_server(&self.outward.tried, office.rng.next_u32());
        let server = server.ok_or_else(|| no_server(live))?;
        self.outward.tried.push(server);
        if self.may_try_more() && live.next_server(&self.outward.tried, 0).is_some() {
            self.outward.left.insert(0, Candidate::Trunk(Arc::clone(trunk), out.clone()));
        }
        let way = match way_to(office, server).ok_or(ReleaseCode::TrunkUnreachable)? {
            Ok(flow) => Way::Open(flow),
            Err(address) => Way::Closed(address),
        };
        if !office.claim_outside(Claim::TrunkOut(server.trunk), out.limit(trunk.calls_out_max)) {
            return Err(ReleaseCode::TrunkAllBusy);
        }
        self.counts.outside(Claim::TrunkOut(server.trunk));
        self.record.trunk = Some(trunk.id.to_string().into());
        let configured = office.trunks.server(server).map(|it| it.configured);
        let address = configured.and_then(|it| trunk.addresses.get(it));
        let target = trunk.request_uri_at(&out.called, address);
        let through = Through::Trunk { server, trunk: Arc::clone(trunk) };
        self.call_by(office, Outside { through, out }, (target, way), message, now);
        Ok(())
    }

    /// Sends the INVITE of a candidate that has been taken.
    pub(super) fn call_by(
        &mut self,
        office: &mut Office,
        outside: Outside,
        (target, way): (String, Way),
        message: &Message<'_>,
        now: Instant,
    ) {
        let Outside { through, out } = &outside;
        self.describe_outgoing(through, out);
        let interop = through.interop();
        let callee = (way.address(), None);
        let wanted = self.outward.origin.as_ref().map(Origin::relay).unwrap_or_default();
        let relays = |caller| relay(wanted, interop.relay, [caller, callee]);
        self.media.relayed |= self.caller.privacy.media || self.outward.caller.is_none_or(relays);
        if let State::Calling { give_up_at, expires: false, .. } = &mut self.state {
            *give_up_at = now + through.no_answer(&office.settings(self.tenant));
        }
        self.watch_for_silence(now);
        self.has_begun(office);
        self.forks.push(Fork {
            device: None,
            target: target.into(),
            user_agent: SmolStr::default(),
            number: out.called.as_str().into(),
            media_source: interop.media_source,
            leg: None,
            said: None,
            refused: None,
            outside: Some(Box::new(outside)),
        });
        self.publish(office);
        let index = self.forks.len() - 1;
        match way {
            Way::Open(flow) => self
                .call_phone(office, index, flow, message, now)
                .unwrap_or_else(|why| self.end(office, unusable(why), Side::System, now)),
            Way::Closed(address) => drop(office.connect(self.owner(fork_id(index)), address)),
            Way::Lost(_) => self.connect_failed(office, index, now),
        }
    }

    /// The journal hears of it, and again of each way it takes: a crash must not lose the call, nor
    /// what it went by.
    pub(super) fn has_begun(&self, office: &mut Office) {
        office.record(Record::CallStarted(CallStarted { record: self.record.share() }));
    }

    fn describe_outgoing(&mut self, through: &Through, out: &Outgoing) {
        let record = &mut self.record;
        record.route = match through {
            Through::Line { .. } => "line".into(),
            Through::Trunk { .. } => "trunk".into(),
        };
        record.direction = Direction::Outgoing;
        record.sent_number = out.called.as_str().into();
        record.callee_number = record.sent_number.clone();
    }

    fn watch_for_silence(&mut self, now: Instant) {
        let is_last = self.outward.left.is_empty();
        let most = if is_last { LAST_SILENCE_MAX } else { SILENCE_MAX };
        self.outward.next_at = Some(now + most);
    }

    /// A fork said something.
    pub(super) fn heard_of(&mut self, office: &mut Office, fork: usize, now: Instant) {
        if fork + 1 == self.forks.len() {
            self.outward.next_at = None;
            self.outward.heard = Some(fork);
        }
        self.tell_health(office, fork, Happens::CallServed, now);
    }

    /// What a call shows of the server of a trunk.
    fn tell_health(&self, office: &mut Office, fork: usize, event: Happens, now: Instant) {
        let outside = self.forks.get(fork).and_then(|it| it.outside.as_ref());
        if let Some(Through::Trunk { server, .. }) = outside.map(|it| &it.through) {
            let now = Now { instant: now, utc: office.utc };
            server_event(office, *server, event, now);
        }
    }

    /// When [`Call::outside_is_silent`] wants to be called.
    pub(super) fn silence_ends_at(&self) -> Option<Instant> {
        self.outward.next_at.filter(|_| matches!(self.state, State::Calling { .. }))
    }

    /// The present candidate has been silent for too long: it is given up, and the next one tried.
    pub(super) fn outside_is_silent(&mut self, office: &mut Office, now: Instant) {
        self.outward.next_at = None;
        let Some(index) = self.forks.len().checked_sub(1) else { return };
        self.release_fork(office, index, "", now);
        self.refused(office, index, 408, None, now);
    }

    /// Whether another candidate is tried after this outcome: nobody rang yet, and the fault is the
    /// carrier's (product.md 24, row 18).
    pub(super) fn tries_another(
        &mut self,
        office: &mut Office,
        fork: usize,
        (code, cause): (u16, &Cause),
        now: Instant,
    ) -> bool {
        let is_outside = self.forks.get(fork).is_some_and(|it| it.outside.is_some());
        let rang = !matches!(self.state, State::Calling { progress: None | Some(100), .. });
        // A server that took the call, or says why the network behind it did not, serves others.
        let is_of_the_call = self.outward.heard == Some(fork) || cause.q850.is_some();
        if code >= 1000 || code == 503 && !is_of_the_call {
            self.tell_health(office, fork, Happens::CallFailed, now);
        }
        if !may_be_the_address(code) {
            self.leave_carrier(office, fork);
        }
        let at_fault = code == 408 || (500..600).contains(&code) || code >= 1000;
        // What was given up before may still fail.
        let is_present = fork + 1 == self.forks.len();
        if !is_outside || !is_present || rang || !at_fault || self.outward.left.is_empty() {
            return false;
        }
        self.release_out(office);
        let Some(invite) = self.invite.clone() else { return false };
        // Parsed once already when it came.
        let Ok(message) = Message::parse(&invite) else { return false };
        self.take_next(office, &message, now).is_ok()
    }

    /// A 401 or 407 to the INVITE of a line: it is sent again with credentials. `false`: it cannot
    /// be answered.
    pub(super) fn answers_challenge(
        &mut self,
        office: &mut Office,
        index: usize,
        challenge: &Message<'_>,
        now: Instant,
    ) -> bool {
        let Some(invite) = self.invite.clone() else { return false };
        let Ok(message) = Message::parse(&invite) else { return false };
        let Some(fork) = self.forks.get_mut(index).filter(|it| it.refused.is_none()) else {
            return false;
        };
        // A trunk has no password: who asks for one is not the server it was configured for.
        let Some(Through::Line { key, line, auth, .. }) =
            fork.outside.as_mut().map(|it| &mut it.through)
        else {
            return false;
        };
        let Some(live) = office.lines.get(*key) else { return false };
        let own = [&*line.domain];
        let account = live.account(line, &own);
        if auth.challenged(&challenge.headers, &account).is_err() {
            return false;
        }
        let Some(leg) = fork.leg.take() else { return false };
        let Dialog { call_id, local_cseq, .. } = leg.session.dialog;
        let again = Again { call_id: &call_id, tag: leg.tag, cseq: local_cseq };
        let way = (leg.session.flow, again);
        self.watch_for_silence(now);
        if let Err(why) = self.call_again(office, index, way, &message, now) {
            office.release_tag(leg.tag);
            self.end(office, unusable(why), Side::System, now);
        }
        true
    }

    /// The line of a fork that leads outside by one.
    pub(super) fn line_of(&self, index: usize) -> Option<LineKey> {
        match self.forks.get(index)?.outside.as_ref()?.through {
            Through::Line { key, .. } => Some(key),
            Through::Trunk { .. } => None,
        }
    }

    /// How the INVITE of a fork that leads outside is addressed.
    pub(super) fn addressed_outside(
        &mut self,
        office: &mut Office,
        index: usize,
        end: LocalEnd,
    ) -> Option<Addressing> {
        let fork = self.forks.get_mut(index)?;
        let (Outside { through, out }, target) = (&mut **fork.outside.as_mut()?, &fork.target);
        let cnonce = format!("{:016x}", office.rng.next_u64());
        let min_s = office.settings(self.tenant).min_se_s;
        let interop = through.interop();
        let terms = interop.session_terms(min_s);
        let reliability = interop.reliability();
        let to = Short::new().text("<").text(target).text(">");
        let veil = Veil::of(self.caller.privacy, interop.identity != IdentityHeader::None);
        let privacy = wanted(interop, out, self.caller.privacy);
        match through {
            Through::Line { key, line, auth, routes } => {
                let live = office.lines.get(*key)?;
                let own = [&*line.domain];
                let account = live.account(line, &own);
                let (from, mut headers) = introduce(line, &out.caller, privacy);
                let from = Short::new().text(&from);
                let credentials = auth.answers(&account, Method::Invite, target, &cnonce).into();
                let account_shown = Some(&*line.account);
                let shown = Shown { host: &line.domain, account: account_shown, veil };
                headers.extend(self.history.headers(&out.called, &shown));
                let routes = RouteSet::of_routes(routes.clone());
                Some(Addressing { from, to, routes, headers, credentials, reliability, terms })
            }
            Through::Trunk { trunk, .. } => {
                let host = bracketed(end.address.ip());
                let uri = sip_uri(&out.caller, &host);
                let mut headers = identity_headers(&trunk.interop, &out.caller, &host, privacy);
                let shown = Shown { host: &host, account: None, veil };
                headers.extend(self.history.headers(&out.called, &shown));
                let own = trunk.caller_number.is_empty();
                let name = if own { &*self.record.caller_name } else { "" };
                let from = Short::new().text(&from(privacy.identity, name, &uri));
                let routes = RouteSet::default();
                let credentials = Box::default();
                Some(Addressing { from, to, routes, headers, credentials, reliability, terms })
            }
        }
    }

    /// Somebody calls by a line: counts for it, unless it has all it may have.
    pub(super) fn claim_incoming(
        &mut self,
        office: &mut Office,
        line: &Line,
    ) -> Result<(), ReleaseCode> {
        let Some(live) = office.lines.find(self.tenant, &line.account) else { return Ok(()) };
        let claim = Claim::LineIn(live.key);
        if !office.claim_outside(claim, line.calls_in_max) {
            return Err(match line.calls_in_max.0 {
                Some(0) => ReleaseCode::LineTakesNone,
                _ => ReleaseCode::LineIncomingBusy,
            });
        }
        self.counts.outside(claim);
        Ok(())
    }

    /// Somebody calls by a trunk: the same for it.
    pub(super) fn claim_incoming_trunk(
        &mut self,
        office: &mut Office,
        trunk: &Trunk,
        most: CallLimit,
    ) -> Result<(), ReleaseCode> {
        let Some(live) = office.trunks.find(self.tenant, trunk.id) else { return Ok(()) };
        let claim = Claim::TrunkIn(live.key);
        if !office.claim_outside(claim, most) {
            return Err(match trunk.calls_in_max.0 {
                Some(0) => ReleaseCode::TrunkTakesNone,
                _ => ReleaseCode::TrunkIncomingBusy,
            });
        }
        self.counts.outside(claim);
        Ok(())
    }

    /// What a refusal from outside means, where it means something else than that of a phone.
    pub(super) fn release_of_outside(&self, code: u16) -> Option<(ReleaseCode, u16)> {
        let by_line = match &self.forks.last()?.outside.as_ref()?.through {
            Through::Line { .. } => true,
            Through::Trunk { .. } => false,
        };
        match (code, by_line) {
            (401 | 407, true) => Some((ReleaseCode::LineAuthFailed, 503)),
            (403, true) => Some((ReleaseCode::LineRejected, 403)),
            (401 | 403 | 407, false) => Some((ReleaseCode::TrunkRejected, 403)),
            (420 | 421, true) => Some((ReleaseCode::LineExtension, 503)),
            (420 | 421, false) => Some((ReleaseCode::TrunkExtension, 503)),
            (300..=399, true) => Some((ReleaseCode::LineDiverted, 480)),
            (300..=399, false) => Some((ReleaseCode::TrunkDiverted, 480)),
            (404 | 484 | 604, _) => Some((ReleaseCode::CalleeUnknown, code)),
            (408 | 1001.., true) => Some((ReleaseCode::LineNoResponse, 503)),
            (1000, true) => Some((ReleaseCode::LineUnreachable, 503)),
            (408 | 1000.., false) => Some((ReleaseCode::TrunkUnreachable, 503)),
            (500..600, true) => Some((ReleaseCode::LineFailed, 503)),
            (500..600, false) => Some((ReleaseCode::TrunkFailed, 503)),
            _ => None,
        }
    }
}
