//! How a call begins: an authenticated INVITE, its route, its first steps.

use super::challenge::Credentials;
use super::diversion::{History, Why};
use super::early::Early;
use super::edition::Edition;
use super::end::Cause;
use super::fork::{Fork, bracketed, device};
use super::forward::Onward;
use super::media::{CallMedia, Half, Unusable};
use super::path::relay;
use super::refer_to::Replaced;
use super::{Call, FORKS_MAX, Leg, State, body, headers};
use crate::dialplan::number::DIALLED_LENGTH_MAX;
use crate::dialplan::reception::Arriving;
use crate::dialplan::{self, Candidate, Query, Reception, Refusal as Refused};
use crate::directory::Extension;
use crate::id::{CallId, TenantId};
use crate::interop::CallLimit;
use crate::office::{LegId, Office, Owner};
use crate::origin::Origin;
use crate::privacy::Privacy;
use crate::record::{CallRecord, CallStarted, Direction, Record, Side};
use crate::registrar::{USER_AGENT_LENGTH_MAX, reconnect_address};
use crate::release::ReleaseCode;
use crate::shared::Shared;
use crate::supplementary::Role;
use crate::time::UnixMillis;
use crate::verdict::fact::{Place, What};
use rand_core::Rng;
use sip::dialog::contact_uri;
use sip::locate::Target;
use sip::message::block::{self, Life};
use sip::message::{Essentials, Expires, HeaderName, Message, Uri, Writer, reason_phrase};
use sip::session::{Session, no_extra};
use sip::{Flow, Transport};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Everything about the INVITE that begins a call.
pub struct Attempt<'a> {
    pub flow: Flow,
    pub message: &'a Message<'a>,
    pub it: &'a Essentials<'a>,
    pub raw: &'a [u8],
    pub tenant: TenantId,
    pub origin: Origin,
    /// It cannot be served.
    pub refusal: Option<Refusal>,
}

/// Why an INVITE is refused as soon as its sender is known.
pub struct Refusal {
    pub code: ReleaseCode,
    pub status: u16,
    /// A header that tells the phone what we could do.
    pub header: Option<(&'static str, String)>,
}

impl Call {
    /// Makes the call. What can fault comes before the first claim: from then on its place in the
    /// table is needed to give the claims back.
    pub fn new(
        office: &mut Office,
        place: (usize, u32),
        attempt: &Attempt<'_>,
        now: Instant,
    ) -> Self {
        let Attempt { flow, message, it, tenant, origin, .. } = attempt;
        let id = CallId::new(office.utc, &mut *office.rng);
        let owner = Owner { call: place.0, serial: place.1, leg: LegId::Caller };
        let tag = office.claim_tag(owner);
        let invite = office.endpoint.open(*flow, message, it, owner.into());
        office.endpoint.set_to_tag(invite, tag);
        let line = match origin {
            Origin::Line(line, _) => office.lines.find(*tenant, &line.account),
            Origin::Extension(_) | Origin::Trunk(..) => None,
        };
        let end = office.local_end_of_line(*flow, tag, line.map(|it| it.key));
        let terms = origin.session_terms(office.settings(*tenant).session_terms());
        let session = Session::incoming(message, it, *flow, end, (invite, terms));
        let caller = Leg {
            session,
            tag,
            number: origin.number().into(),
            user_agent: user_agent(message),
            media_source: origin.media_source(),
            dtmf: origin.dtmf(),
            outside: origin.extension().is_none(),
            credentials: line.map(Credentials::of_line),
            privacy: Privacy::of(message),
            edition: Edition::of_dialog(tag),
        };
        let mut call = Self::with_caller(office, (id, place), attempt, caller, now);
        call.media.prefer(Half::Caller, origin.codecs());
        call
    }

    pub(super) fn with_caller(
        office: &mut Office,
        (id, place): (CallId, (usize, u32)),
        attempt: &Attempt<'_>,
        caller: Leg,
        now: Instant,
    ) -> Self {
        let Attempt { message, tenant, .. } = attempt;
        let no_answer = office.settings(*tenant).no_answer();
        // How long the invitation is good for (RFC 3261 §13.3.1); a malformed one says nothing.
        let expires = message.headers.find::<Expires>().ok().flatten();
        let expires = expires.map(|it| Duration::from_secs(it.0.into())).filter(|it| !it.is_zero());
        let record = record(office, id, attempt, &caller);
        office.counters.calls_started += 1;
        office.counters.calls_active += 1;
        let mut media = CallMedia::default();
        media.hide(Half::Caller, caller.privacy.identity);
        Self {
            id,
            tenant: *tenant,
            place,
            record: Shared::new(record),
            started: now,
            answered: None,
            caller,
            forks: Vec::new(),
            state: State::Calling {
                give_up_at: now + expires.map_or(no_answer, |it| it.min(no_answer)),
                expires: expires.is_some_and(|it| it < no_answer),
                progress: None,
                early: Early::Silent,
                late_offer: body::of(message).and_then(body::sdp_range).is_none(),
            },
            media,
            modifying: None,
            asks: SmallVec::new(),
            digits: Vec::new(),
            outward: super::outside::Outward::default(),
            counts: super::counts::Counts::default(),
            invite: None,
            transfer: None,
            placing: None,
            joining: None,
            parting: SmallVec::new(),
            others: Vec::new(),
            history: match attempt.origin.extension() {
                // A phone could claim anything.
                Some(_) => History::default(),
                None => History::of(message),
            },
            confirming: None,
            picking: None,
            pickers: SmallVec::new(),
            offer: None,
        }
    }

    /// Takes the first steps; the call may have ended when this returns.
    pub fn begin(&mut self, office: &mut Office, attempt: &Attempt<'_>, now: Instant) {
        self.with_session(office, LegId::Caller, now, |session, seat| {
            session.provisional(seat, (100, "Trying"), &no_extra, None);
        });
        self.route(office, attempt, now);
    }

    /// The first steps of a call that another one was forwarded to, whose caller counts already.
    pub fn begin_forwarded(&mut self, office: &mut Office, attempt: &Attempt<'_>, now: Instant) {
        self.route(office, attempt, now);
    }

    pub(super) fn route(&mut self, office: &mut Office, attempt: &Attempt<'_>, now: Instant) {
        if let Some(refusal) = &attempt.refusal {
            return self.refuse_attempt(office, refusal, now);
        }
        match Replaced::of(attempt.message) {
            Ok(None) => {}
            Ok(Some(replaced)) => return self.replace_dialog(office, attempt, replaced),
            Err(status) => return self.refuse_replacing(office, status, now),
        }
        let directory = office.directory.clone();
        let chance = dice(&mut *office.rng);
        let query = self.query(&attempt.origin, office.utc, chance);
        let route = dialplan::route(&directory, office, &query);
        if let Err(code) = self.claim_caller(office, &attempt.origin, route.is_emergency()) {
            if let Origin::Extension(it) = &attempt.origin {
                self.note_full(it, now);
            }
            return self.end(office, code, Side::System, now);
        }
        self.record.dial_plan = route.plan;
        let candidates = match route.outcome {
            Ok(candidates) => candidates,
            Err(refusal) => {
                self.note_unrouted(office, (&attempt.origin, chance), refusal, now);
                return self.refuse_route(office, refusal, now);
            }
        };
        #[cfg(feature = "planted-bugs")]
        let candidates = match office.is_planted(crate::planted::Planted::OtherRoute) {
            true => candidates.into_iter().rev().collect(),
            false => candidates,
        };
        let Some(first) = candidates.first() else {
            return self.end(office, ReleaseCode::RouteNoMatch, Side::System, now);
        };
        self.record.route = first.as_str().into();
        match first {
            Candidate::Extension(callee) => {
                let callee = Arc::clone(callee);
                self.call_extension(office, attempt, &callee, now);
            }
            Candidate::Feature(it) => {
                let it = it.clone();
                self.start_feature(office, attempt, &it, now);
            }
            Candidate::Line(..) | Candidate::Trunk(..) => {
                let invite = (attempt.flow, attempt.message, attempt.raw);
                self.go_outside(office, candidates, invite, &attempt.origin, now);
            }
        }
    }

    /// What the dial plan is asked for this call.
    pub(super) fn query<'a>(&'a self, origin: &'a Origin, at: UnixMillis, dice: u8) -> Query<'a> {
        // Who forwards or transfers has the rights; who calls is shown.
        let for_another = self.is_for_another();
        Query {
            tenant: self.tenant,
            caller: origin.caller(),
            dialled: &self.record.dialled_number,
            on_behalf_of: for_another.then_some(&*self.record.caller_number),
            hides: origin.extension().is_none() && self.caller.privacy.identity,
            at,
            dice,
        }
    }

    /// It goes by the rights of somebody who is not its caller.
    fn is_for_another(&self) -> bool {
        self.history.is_ours() || self.is_joining() || self.is_placing()
    }

    /// Counts the call for whoever begins it. No limit keeps an emergency call back.
    fn claim_caller(
        &mut self,
        office: &mut Office,
        origin: &Origin,
        emergency: bool,
    ) -> Result<(), ReleaseCode> {
        match origin {
            // Who transfers a call is about to leave it, who has one placed may not be in it; a
            // forwarded call counts for who began it, the others for nobody twice.
            Origin::Extension(_) if self.is_for_another() => Ok(()),
            Origin::Extension(it) if emergency => {
                self.count_busy(office, it, Role::Caller);
                Ok(())
            }
            Origin::Extension(it) if self.claim_busy(office, it, Role::Caller) => Ok(()),
            Origin::Extension(_) => Err(ReleaseCode::CallerLimit),
            Origin::Line(line, _) => self.claim_incoming(office, line),
            Origin::Trunk(trunk, _) => {
                let most = if emergency { CallLimit::UNLIMITED } else { trunk.calls_in_max };
                self.claim_incoming_trunk(office, trunk, most)
            }
        }
    }

    /// Ends with the status of the refusal, which a row of the dial plan may name.
    fn refuse_route(&mut self, office: &mut Office, refusal: Refused, now: Instant) {
        let cause = Cause { status: Some(refusal.status), ..Cause::default() };
        self.end_as(office, refusal.code, Side::System, cause, now);
    }

    fn refuse_attempt(&mut self, office: &mut Office, refusal: &Refusal, now: Instant) {
        let Refusal { code, status, header } = refusal;
        self.with_session(office, LegId::Caller, now, |session, seat| {
            let extra = |writer: &mut Writer| {
                if let Some((name, value)) = header {
                    writer.header(name, value);
                }
            };
            session.refuse(seat, (*status, reason_phrase(*status)), &extra);
        });
        let cause = Cause { status: Some(*status), ..Cause::default() };
        self.end_as(office, *code, Side::System, cause, now);
    }

    /// Calls every device of an extension.
    pub(super) fn call_extension(
        &mut self,
        office: &mut Office,
        attempt: &Attempt<'_>,
        callee: &Arc<Extension>,
        now: Instant,
    ) {
        self.record.sent_number = callee.number.clone();
        self.record.callee_number = callee.number.clone();
        self.record.callee_extension = Some(callee.number.clone());
        self.invite = Some(block::copy(Life::Transaction, attempt.raw));
        let targets = self.targets(office, callee);
        let arriving =
            Arriving { has_phone: !targets.is_empty(), may_be_sent_on: self.may_be_sent_on() };
        match Reception::of(office, self.tenant, callee, arriving) {
            Reception::Rings => self.count_busy(office, callee, Role::Callee),
            Reception::SentOn { by, why, number } => {
                let why = Why::Forwarding(why);
                return self.send_on(office, Onward::to(by.as_str(), number.as_str(), why), now);
            }
            Reception::DoesNotDisturb => {
                return self.end(office, ReleaseCode::CalleeDoNotDisturb, Side::System, now);
            }
            Reception::NoPhone => {
                let since = office.registrar.left_at(self.tenant, &callee.number);
                self.note(Place::Office, What::NoPhone { since }, now);
                return self.end(office, ReleaseCode::CalleeNotRegistered, Side::System, now);
            }
            Reception::Full => {
                self.note_full(callee, now);
                return self.end(office, ReleaseCode::CalleeLimit, Side::System, now);
            }
        }
        let caller = (attempt.flow.remote.ip(), stated_address(contact_uri(attempt.message)));
        let relays = |(fork, way): &(Fork, Way)| {
            let callee_phone = (way.address(), stated_address(Some(&fork.target)));
            relay(attempt.origin.relay(), callee.relay, [caller, callee_phone])
        };
        self.media.relayed = self.caller.privacy.media || targets.iter().any(relays);
        office.record(Record::CallStarted(CallStarted { record: self.record.share() }));
        self.ring_for(callee.services.ring_s, now);
        let (forks, ways): (Vec<_>, SmallVec<[_; 4]>) = targets.into_iter().unzip();
        self.forks = forks;
        self.publish(office);
        for (index, way) in ways.into_iter().enumerate() {
            match way {
                Way::Open(flow) => {
                    match self.call_phone(office, index, flow, attempt.message, now) {
                        Ok(()) => {}
                        Err(why) => return self.end(office, unusable(why), Side::System, now),
                    }
                }
                Way::Closed(address) => {
                    office.connect(self.owner(super::fork_id(index)), address);
                }
                Way::Lost(_) => self.connect_failed(office, index, now),
            }
        }
    }

    /// The extension's phones ring no longer than this; 0: as long as any.
    fn ring_for(&mut self, seconds: u16, now: Instant) {
        if let State::Calling { give_up_at, expires, .. } = &mut self.state
            && seconds > 0
        {
            let at = now + Duration::from_secs(seconds.into());
            if at < *give_up_at {
                (*give_up_at, *expires) = (at, false);
            }
        }
    }

    /// The phones of an extension and the way to each; the phone that calls is left out.
    fn targets(&self, office: &Office, callee: &Extension) -> SmallVec<[(Fork, Way); 1]> {
        let from = self.caller.session.flow;
        let bindings = office.registrar.bindings(self.tenant, &callee.number);
        // A gateway may hold both numbers: only a phone that calls its own number is the caller.
        let own = |flow: Flow| {
            *callee.number == *self.caller.number
                && flow.remote == from.remote
                && flow.transport == from.transport
        };
        let mut targets: SmallVec<_> = bindings
            .iter()
            .map(|it| &it.binding)
            .filter(|it| !own(it.flow))
            .map(|it| {
                let way = match (it.flow.transport, it.flow.connection) {
                    (Transport::Udp, _) | (Transport::Tcp, Some(_)) => Way::Open(it.flow),
                    (Transport::Tcp, None) => match reconnect_address(&it.contact, it.flow) {
                        Some(address) => Way::Closed(address),
                        None => Way::Lost(it.flow.remote.ip()),
                    },
                };
                (Fork::to_binding(it, callee.media_source), way)
            })
            .collect();
        // Known by its address, it need not register; once it does, it is called there.
        if targets.is_empty() && bindings.is_empty() {
            let is_caller = |(_, way): &(Fork, Way)| {
                *callee.number == *self.caller.number && way.address() == from.remote.ip()
            };
            targets.extend(by_address(office, callee).filter(|it| !is_caller(it)));
        }
        // The least recently refreshed come first: they are the ones to go.
        let surplus = targets.len().saturating_sub(FORKS_MAX);
        targets.drain(..surplus);
        targets
    }

    /// Answers the open INVITE of a leg with a description of our own.
    pub(super) fn accept_with_sdp(
        &mut self,
        office: &mut Office,
        leg: LegId,
        sdp: &[u8],
        now: Instant,
    ) {
        self.with_session(office, leg, now, |session, seat| {
            let extra = |writer: &mut Writer| {
                headers::capabilities(writer);
            };
            let body = sip::session::Body { content_type: "application/sdp", bytes: sdp };
            session.accept(seat, &extra, Some(body));
        });
    }
}

/// How a phone is reached.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Open(Flow),
    /// By opening a stream first.
    Closed(std::net::SocketAddr),
    /// Not at all: its stream is lost and its address means nothing from here.
    Lost(IpAddr),
}

impl Way {
    /// Where it leads, unless it is lost.
    pub(super) fn target(&self) -> Option<Target> {
        match *self {
            Self::Open(flow) => Some(Target { transport: flow.transport, address: flow.remote }),
            Self::Closed(address) => Some(Target { transport: Transport::Tcp, address }),
            Self::Lost(_) => None,
        }
    }

    /// Address and port, unless it is lost.
    pub(super) fn remote(&self) -> Option<std::net::SocketAddr> {
        match self {
            Self::Open(flow) => Some(flow.remote),
            Self::Closed(address) => Some(*address),
            Self::Lost(_) => None,
        }
    }

    pub(super) fn address(&self) -> IpAddr {
        match self {
            Self::Open(flow) => flow.remote.ip(),
            Self::Closed(address) => address.ip(),
            Self::Lost(address) => *address,
        }
    }
}

/// The way to an extension with IP-address authorisation that names one host, and its address.
pub(crate) fn known_at(office: &Office, callee: &Extension) -> Option<(Flow, SmolStr)> {
    let allowed = callee.addresses.iter().find(|it| it.host().is_some())?;
    let remote = std::net::SocketAddr::from((allowed.host()?, allowed.port.unwrap_or(5060)));
    let flow = office.udp_flow(remote)?;
    let uri = format!("sip:{}@{}:{}", callee.number, bracketed(remote.ip()), remote.port());
    Some((flow, uri.into()))
}

fn by_address(office: &Office, callee: &Extension) -> Option<(Fork, Way)> {
    let (flow, target) = known_at(office, callee)?;
    let fork = Fork {
        device: None,
        target,
        user_agent: SmolStr::default(),
        number: callee.number.clone(),
        media_source: callee.media_source,
        leg: None,
        said: None,
        refused: None,
        outside: None,
    };
    Some((fork, Way::Open(flow)))
}

/// Even over 0..100, but for a bias of less than one in a million.
pub(super) fn dice(rng: &mut dyn Rng) -> u8 {
    u8::try_from(rng.next_u32() % 100).unwrap_or_default()
}

fn record(office: &Office, id: CallId, attempt: &Attempt<'_>, caller: &Leg) -> CallRecord {
    let Attempt { origin, .. } = attempt;
    let (line, trunk) = match origin {
        Origin::Extension(_) => (None, None),
        Origin::Line(line, _) => (Some((&*line.account).into()), None),
        Origin::Trunk(trunk, _) => (None, Some(trunk.id.to_string().into())),
    };
    // By a line its own number is called, whatever the carrier writes.
    let dialled = line.clone().unwrap_or_else(|| dialled(attempt.it));
    let extension = origin.extension();
    let inside = extension.is_some();
    CallRecord {
        call_id: id,
        tenant: attempt.tenant,
        direction: if inside { Direction::Internal } else { Direction::Incoming },
        started_at: office.utc,
        caller_number: origin.number().into(),
        caller_name: origin.name().into(),
        caller_extension: extension.map(|it| it.number.clone()),
        line,
        trunk,
        caller_device: device(&caller.user_agent, attempt.flow),
        dialled_number: dialled,
        ..CallRecord::default()
    }
}

/// What was dialled: the user of the Request-URI, or the number of a tel: URI (RFC 3966), without
/// their parameters.
pub(crate) fn dialled(it: &Essentials<'_>) -> SmolStr {
    let (text, is_telephone) = match it.uri {
        Some(Uri::Other { scheme, rest }) if scheme.eq_ignore_ascii_case("tel") => {
            (std::borrow::Cow::Borrowed(rest), true)
        }
        Some(uri) => (uri.user_unescaped(), uri.param("user") == Some(Some("phone"))),
        None => (std::borrow::Cow::default(), false),
    };
    let number = text.split(';').next().unwrap_or_default();
    // Visual separators mean nothing (RFC 3966 §5.1.1).
    let means = |it: &char| !is_telephone || !matches!(it, '-' | '.' | '(' | ')');
    let number = &number[..number.floor_char_boundary(DIALLED_LENGTH_MAX)];
    if number.chars().all(|it| means(&it)) {
        return number.into();
    }
    number.chars().filter(means).collect()
}

fn user_agent(message: &Message<'_>) -> SmolStr {
    let text = message.headers.get(HeaderName::UserAgent).unwrap_or_default();
    text[..text.floor_char_boundary(USER_AGENT_LENGTH_MAX)].into()
}

pub(super) fn stated_address(uri: Option<&str>) -> Option<IpAddr> {
    Uri::parse(uri?).ok()?.host()?.ip().map(|it| it.to_canonical())
}

pub(super) fn unusable(why: Unusable) -> ReleaseCode {
    match why {
        Unusable::Description => ReleaseCode::MediaCodec,
        Unusable::Ports => ReleaseCode::MediaFailed,
    }
}
