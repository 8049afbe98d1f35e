//! What a call notes of its way, for its verdict (see [`crate::verdict`]).
//!
//! A decision notes its fact in one line of the file that decides; what is worth more words is here.

use super::end::Cause;
use super::media::{AUDIBLE, Half};
use super::outside::{Outside, Through};
use super::{Call, State, body};
use crate::dialplan::step::{Skip, Step};
use crate::dialplan::{self, Candidate, Refusal};
use crate::directory::Extension;
use crate::id::TenantId;
use crate::line::config::FromUser;
use crate::line::trouble::Trouble;
use crate::office::{LegId, Office};
use crate::origin::Origin;
use crate::release::ReleaseCode;
use crate::time::millis;
use crate::verdict;
use crate::verdict::fact::{self, Fact, Place, What, Who, words};
use sdp::Sdp;
use sip::message::{CSeq, HeaderName, Host, Message, Method, Reason, TypedHeader, Uri};
use sip::session::Overdue;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Most lines and trunks that one refusal of the dial plan names.
const SKIPPED_MAX: usize = 8;

impl Call {
    /// Keeps a fact.
    pub(super) fn note(&mut self, place: Place, what: What, now: Instant) {
        let at = millis(now.saturating_duration_since(self.started));
        let at_ms = u32::try_from(at).unwrap_or(u32::MAX);
        fact::note(&mut self.record.facts, Fact { at_ms, place, what });
    }

    /// The dial plan found nothing: the same decision once more, with its steps.
    pub(super) fn note_unrouted(
        &mut self,
        office: &mut Office,
        (origin, chance): (&Origin, u8),
        refusal: Refusal,
        now: Instant,
    ) {
        let query = self.query(origin, office.utc, chance);
        let explanation = dialplan::explain(&office.directory, office, &query);
        let (mut prefix, mut level) = <(Box<str>, Option<u8>)>::default();
        for step in &explanation.steps {
            match step {
                Step::CalledAnalysis { found, .. } => {
                    let row = found.row.as_ref().filter(|it| Some(it.id) == refusal.row);
                    (prefix, level) =
                        row.map(|it| (it.prefix.clone(), it.level)).unwrap_or_default();
                }
                Step::LineChoice { skipped, .. } => {
                    for (account, why) in skipped.iter().take(SKIPPED_MAX) {
                        if *why == Skip::AllBusy {
                            office.line_was_full(self.tenant, account);
                        }
                        self.note_skipped(office, Who::Line(account.clone()), *why, now);
                    }
                }
                Step::TrunkChoice { skipped, .. } => {
                    for (id, why) in skipped.iter().take(SKIPPED_MAX) {
                        self.note_skipped(office, Who::Trunk(id.to_string().into()), *why, now);
                    }
                }
                Step::Emergency(_)
                | Step::NoEmergencyRoute
                | Step::BlockList { .. }
                | Step::Incoming { .. }
                | Step::CallerAnalysis { .. }
                | Step::FeatureCode(_)
                | Step::Transition { .. }
                | Step::NoTransition(_)
                | Step::Fallback(_)
                | Step::Refine { .. }
                | Step::Send(_) => {}
            }
        }
        let number = words(&self.record.dialled_number);
        let what = What::Unrouted { code: refusal.code, number, row: refusal.row, prefix, level };
        self.note(Place::Office, what, now);
    }

    fn note_skipped(&mut self, office: &Office, who: Who, why: Skip, now: Instant) {
        let is_line = matches!(who, Who::Line(_));
        let code = match why {
            Skip::AllBusy if is_line => ReleaseCode::LineAllBusy,
            Skip::AllBusy => ReleaseCode::TrunkAllBusy,
            Skip::NotRegistered => ReleaseCode::LineNotRegistered,
            Skip::Unreachable => ReleaseCode::TrunkUnreachable,
            Skip::Closed if is_line => ReleaseCode::LineClosed,
            Skip::Closed => ReleaseCode::TrunkClosed,
            Skip::NotShared => ReleaseCode::LineNotShared,
            // The row is wrong, or it is the way the call came by: nothing that a call can tell of it.
            Skip::Missing | Skip::Off | Skip::CameFrom => return,
        };
        self.note_not_taken(office, who, code, now);
    }

    /// An extension has all the calls it may have.
    pub(super) fn note_full(&mut self, extension: &Extension, now: Instant) {
        let (number, most) = (extension.number.as_str().into(), extension.calls_max);
        self.note(Place::Office, What::Full { number, most }, now);
    }

    /// The same, of a candidate; returns why.
    pub(super) fn not_taken(
        &mut self,
        office: &Office,
        who: Option<Who>,
        code: ReleaseCode,
        now: Instant,
    ) -> ReleaseCode {
        if let Some(who) = who {
            self.note_not_taken(office, who, code, now);
        }
        code
    }

    /// A line or trunk could not take the call.
    fn note_not_taken(&mut self, office: &Office, who: Who, code: ReleaseCode, now: Instant) {
        let what = match (&who, code) {
            (Who::Line(account), ReleaseCode::LineNotRegistered) => {
                unregistered(office, self.tenant, account)
            }
            _ => {
                let most = most(office, self.tenant, &who).filter(|_| {
                    matches!(code, ReleaseCode::LineAllBusy | ReleaseCode::TrunkAllBusy)
                });
                What::NotTaken { who, code, most }
            }
        };
        self.note(Place::Office, what, now);
    }

    /// A final response to the INVITE of a fork, or none.
    pub(super) fn note_refusal(
        &mut self,
        fork: usize,
        (code, message): (u16, Option<&Message<'_>>),
        cause: &Cause,
        now: Instant,
    ) {
        let Some(who) = self.who(fork) else { return };
        let remote = self.forks.get(fork).and_then(|it| it.leg.as_ref());
        let remote = remote.map(|it| it.session.flow.remote);
        let place = place_of(super::fork_id(fork));
        let what = match (message, remote) {
            (Some(message), Some(from)) => {
                self.note_how_it_was_asked(fork, code, now);
                refused(who, from, (code, message), cause)
            }
            (None, Some(to)) if code != 503 => What::Silent { who, to },
            (None, to) => What::Broken { who, to },
            (Some(_), None) => return,
        };
        self.note(place, what, now);
    }

    /// What of a refused INVITE may be why it was refused.
    fn note_how_it_was_asked(&mut self, fork: usize, code: u16, now: Instant) {
        let place = place_of(super::fork_id(fork));
        if matches!(code, 415 | 488 | 606)
            && let Some(offered) = self.invite.as_deref().and_then(offered)
        {
            self.note(place, offered, now);
        }
        let Some(outside) = self.forks.get(fork).and_then(|it| it.outside.as_ref()) else { return };
        let (showed, parameters) = (outside.showed(), outside.uri_parameters());
        if let Some((number, account)) = showed.filter(|_| code == 403) {
            self.note(place, What::Showed { number: words(&number), account }, now);
        }
        if !parameters.is_empty() && matches!(code, 400..500) {
            self.note(place, What::Parameters(words(&parameters)), now);
        }
    }

    /// The offer cannot be answered, by what it says itself.
    pub(super) fn note_offer(&mut self, now: Instant) {
        if let Some(offered) = self.invite.as_deref().and_then(offered) {
            self.note(Place::Caller, offered, now);
        }
    }

    /// A response to a request of our own within the dialog of a fork: only a refused PRACK is worth
    /// a fact, for the call goes on as if it had not been.
    pub(super) fn note_answer(
        &mut self,
        leg: LegId,
        code: u16,
        message: Option<&Message<'_>>,
        now: Instant,
    ) {
        let LegId::Callee(fork) = leg else { return };
        let Some(message) = message.filter(|_| code >= 300) else { return };
        let is_prack = message
            .headers
            .find::<CSeq<'_>>()
            .is_ok_and(|it| it.is_some_and(|it| it.method == Method::Prack));
        if let Some(who) = self.who(fork.into()).filter(|_| is_prack) {
            self.note(place_of(leg), What::PrackRefused { who, status: code }, now);
        }
    }

    /// A leg did not do in time what it must.
    pub(super) fn note_overdue(
        &mut self,
        office: &Office,
        leg: LegId,
        (overdue, interval_s): (Overdue, u32),
        now: Instant,
    ) {
        let Some(it) = self.leg(leg) else { return };
        let what = match overdue {
            Overdue::Ack => {
                let told = office.local_end(it.session.flow, it.tag).address;
                let known_as = match leg {
                    LegId::Caller => called_by(&it.session.dialog.local, told.ip()),
                    LegId::Callee(_) => Box::default(),
                };
                What::NoAck { told, known_as }
            }
            Overdue::Prack => What::NoPrack,
            Overdue::Refresh => What::NotRefreshed { after_s: interval_s },
        };
        self.note(place_of(leg), what, now);
    }

    /// What the descriptions of the two sides say of NAT.
    pub(super) fn note_addresses(&mut self, now: Instant) {
        for half in [Half::Caller, Half::Callee] {
            if let Some(what) = self.media.private_address(half) {
                self.note(self.place_of_half(half), what, now);
            }
        }
    }

    /// What was not heard in a call that is over.
    pub(super) fn note_silence(&mut self, now: Instant) {
        let Some(answered) = self.answered else { return };
        let lasted = Duration::from_millis(self.record.billable_ms);
        if lasted < AUDIBLE {
            return;
        }
        debug_assert!(answered <= now);
        for half in [Half::Caller, Half::Callee] {
            if let Some((stated, refused)) = self.media.never_heard(half) {
                let for_s = u32::try_from(lasted.as_secs()).unwrap_or(u32::MAX);
                let what = What::NoPackets { stated, for_s, refused };
                self.note(self.place_of_half(half), what, now);
            }
        }
    }

    pub(super) fn place_of_half(&self, half: Half) -> Place {
        match (half, &self.state) {
            (Half::Caller, _) => Place::Caller,
            (Half::Callee, State::Answered { fork: Some(fork) }) => place_of(super::fork_id(*fork)),
            (Half::Callee, _) => Place::Callee(0),
        }
    }

    /// Whom a fork leads to.
    fn who(&self, fork: usize) -> Option<Who> {
        let fork = self.forks.get(fork)?;
        Some(match &fork.outside {
            Some(outside) => outside.who(),
            None => Who::Phone(fork.number.as_str().into()),
        })
    }
}

impl Outside {
    pub(super) fn who(&self) -> Who {
        match &self.through {
            Through::Line { line, .. } => Who::Line(line.account.clone()),
            Through::Trunk { trunk, .. } => Who::Trunk(trunk.id.to_string().into()),
        }
    }

    /// The user of From and the line's account, where From shows somebody else.
    pub(super) fn showed(&self) -> Option<(Box<str>, Box<str>)> {
        let Through::Line { line, .. } = &self.through else { return None };
        let known = [&*line.account, line.auth_user()];
        let differs = line.from_user == FromUser::Caller && !known.contains(&&*self.out.caller);
        differs.then(|| (self.out.caller.as_str().into(), line.account.clone()))
    }

    pub(super) fn uri_parameters(&self) -> Box<str> {
        match &self.through {
            Through::Line { line, .. } => line.uri_parameters.clone(),
            Through::Trunk { trunk, .. } => trunk.uri_parameters.clone(),
        }
    }
}

/// The line or trunk of a candidate.
pub(super) fn who_of(candidate: &Candidate) -> Option<Who> {
    match candidate {
        Candidate::Line(line, _) => Some(Who::Line(line.account.clone())),
        Candidate::Trunk(trunk, _) => Some(Who::Trunk(trunk.id.to_string().into())),
        Candidate::Extension(_) | Candidate::Feature(_) => None,
    }
}

/// The place of a leg.
pub(super) fn place_of(leg: LegId) -> Place {
    match leg {
        LegId::Caller => Place::Caller,
        LegId::Callee(fork) => Place::Callee(fork),
    }
}

fn refused(
    who: Who,
    from: std::net::SocketAddr,
    (status, message): (u16, &Message<'_>),
    cause: &Cause,
) -> What {
    let told = |name: &str| cause.told.iter().find(|it| it.0 == name).map(|it| &*it.1);
    let retry_after = message.headers.get(HeaderName::RetryAfter);
    let digits = |it: &str| it.trim().split(|it: char| !it.is_ascii_digit()).next()?.parse().ok();
    let reason = cause.reason.as_deref().and_then(|it| Reason::parse(it).ok());
    let text = reason.and_then(|it| it.text).map(std::borrow::Cow::into_owned);
    let demand = match status {
        420 => Some((HeaderName::Unsupported, "Unsupported")),
        421 => Some((HeaderName::Require, "Require")),
        _ => None,
    };
    let demand = demand.and_then(|(name, text)| Some((text, message.headers.get(name)?)));
    let demand = demand.map(|(name, value)| format!("{name}: {value}"));
    let text = demand.or_else(|| told("Warning").map(str::to_owned)).or(text).unwrap_or_default();
    What::Refused {
        who,
        from,
        status,
        cause: cause.q850,
        retry_after_s: retry_after.and_then(digits),
        words: words(&text),
    }
}

/// What the registration of a line says of why it is not there.
fn unregistered(office: &Office, tenant: TenantId, account: &str) -> What {
    let live = office.lines.find(tenant, account);
    let trouble = live.and_then(|it| it.registration.trouble());
    let status = match trouble {
        Some(Trouble::Rejected(status) | Trouble::Denied(status)) => Some(status),
        _ => None,
    };
    let at = live.and_then(|it| it.last_answer.as_ref()).map(|it| it.at);
    let why = trouble.map(Trouble::release_code);
    What::Unregistered { line: account.into(), why, status, at }
}

/// How many calls at a time a line or trunk may have.
fn most(office: &Office, tenant: TenantId, who: &Who) -> Option<u16> {
    let tenant = office.tenant(tenant)?;
    match who {
        Who::Line(account) => tenant.lines.get(account)?.calls_out_max.0,
        Who::Trunk(id) => tenant.trunks.get(&id.parse::<u32>().ok()?)?.calls_out_max.0,
        Who::Phone(_) => None,
    }
}

/// The codecs that an INVITE offers, in its order.
fn offered(invite: &[u8]) -> Option<What> {
    // Parsed once already when it came.
    let message = Message::parse(invite).ok()?;
    let body = body::of(&message)?;
    let sdp = Sdp::parse(&body.bytes[body::sdp_range(body)?]).ok()?;
    let audio = sdp.media().iter().find(|it| it.kind() == sdp::Kind::Audio && !it.is_rejected())?;
    let mut codecs = String::new();
    for codec in audio.codecs().filter(|it| !it.is_auxiliary()) {
        let comma = if codecs.is_empty() { "" } else { ", " };
        let _ = write!(codecs, "{comma}{}", codec.name);
    }
    Some(What::Offered { codecs: words(&codecs), srtp: audio.proto().contains("SAVP") })
}

/// The host that a phone calls us by, from the To of its INVITE, where it is not `told`.
fn called_by(to: &str, told: std::net::IpAddr) -> Box<str> {
    let uri = to.split_once('<').map_or(to, |it| it.1);
    let uri = uri.split(['>', ';']).next().unwrap_or_default();
    let Ok(uri) = Uri::parse(uri) else { return Box::default() };
    match uri.host() {
        Some(host) if host.ip().map(|it| it.to_canonical()) != Some(told) => words(&match host {
            Host::Ip(it) => it.to_string(),
            Host::Name(it) => it.to_owned(),
        }),
        Some(_) | None => Box::default(),
    }
}

/// The verdict stands in the record: its code, and `callTag=`.
pub(super) fn settle(record: &mut crate::record::CallRecord) {
    if let Some(verdict) = verdict::judge(record)
        && record.release_code != Some(verdict.code)
    {
        record.release_code = Some(verdict.code);
        record.furnish(verdict.code);
    }
}
