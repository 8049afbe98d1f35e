//! The phones of the callee and what they respond; the first answer wins (RFC 3261 §16.7 steps
//! 5, 6 and 10, as a B2BUA does them).

use super::begin::unusable;
use super::diversion::{Shown, Veil};
use super::early::Early;
use super::edition::Edition;
use super::end::Cause;
use super::forward::forwarding_of;
use super::media::{Half, Peer, Unusable};
use super::outside::{Addressing, Again, Outside};
use super::{Call, Leg, State, body, fork_id, headers};
use crate::event::Event;
use crate::interop::escape_user;
use crate::office::{LegId, Office};
use crate::privacy::{ANONYMOUS, ANONYMOUS_FROM, Privacy};
use crate::record::{Binding, BindingKey, CallAnswered, DialogFacts, Record, Side};
use crate::release::{ReleaseCode, cause_of_status};
use sip::Flow;
use sip::dialog::{Dialog, LocalEnd};
use sip::message::{Message, Short, Writer, reason_phrase};
use sip::route_set::RouteSet;
use sip::session::{Body, Offer, Reliability, Session};
use smol_str::SmolStr;
use std::borrow::Cow;
use std::time::Instant;

/// Reason of the CANCEL to phones that were too late (RFC 3326 §3.1).
const COMPLETED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// One phone being called.
#[derive(Debug)]
pub(super) struct Fork {
    /// The device; `None` for an extension known by its address.
    pub device: Option<BindingKey>,
    /// What its INVITE is addressed to.
    pub target: SmolStr,
    pub user_agent: SmolStr,
    pub number: SmolStr,
    pub media_source: crate::media::MediaSource,
    /// `None` while its stream is being opened.
    pub leg: Option<Leg>,
    /// A description in a reliable response that the caller did not hear: its 2xx has none.
    pub said: Option<body::OwnedBody>,
    /// How it refused.
    pub refused: Option<(u16, Cause)>,
    /// It leads outside, by a line.
    pub outside: Option<Box<Outside>>,
}

impl Fork {
    pub(super) fn to_binding(binding: &Binding, media_source: crate::media::MediaSource) -> Self {
        Self {
            device: Some(binding.key.clone()),
            target: binding.contact.clone(),
            user_agent: binding.user_agent.clone(),
            number: binding.key.extension.clone(),
            media_source,
            leg: None,
            said: None,
            refused: None,
            outside: None,
        }
    }
}

impl Call {
    /// Sends the INVITE of a fork over `flow`.
    pub(super) fn call_phone(
        &mut self,
        office: &mut Office,
        index: usize,
        flow: Flow,
        invite: &Message<'_>,
        now: Instant,
    ) -> Result<(), Unusable> {
        let call_id = office.new_call_id();
        let tag = office.claim_tag(self.owner(fork_id(index)));
        self.call_again(
            office,
            index,
            (flow, Again { call_id: &call_id, tag, cseq: 0 }),
            invite,
            now,
        )
    }

    /// The same with the names it had before.
    pub(super) fn call_again(
        &mut self,
        office: &mut Office,
        index: usize,
        (flow, Again { call_id, tag, cseq }): (Flow, Again<'_>),
        invite: &Message<'_>,
        now: Instant,
    ) -> Result<(), Unusable> {
        let owner = self.owner(fork_id(index));
        let fork = &self.forks[index];
        let peer = Peer::of(office, flow, (fork.media_source, fork.dtmf()));
        self.media.prefer(Half::Callee, fork.codecs());
        let mut edition = Edition::of_dialog(tag);
        let passed = self.offer_of_fork(office, index, invite, (&peer, &mut edition), now)?;
        let by_line = self.line_of(index);
        let end = office.local_end_of_line(flow, tag, by_line);
        let outside = self.addressed_outside(office, index, end);
        let it = outside.unwrap_or_else(|| self.addressed_inside(office, index, end));
        let target = &self.forks[index].target;
        let mut dialog = Dialog::of_our_request(call_id, end, &it.from, &it.to, target);
        (dialog.local_cseq, dialog.routes) = (cseq, it.routes);
        let hops = headers::hops(invite).saturating_sub(1);
        let withheld = self.withheld(LegId::Caller, fork_id(index));
        let extra = |writer: &mut Writer| {
            headers::capabilities_of_request(writer);
            // A carrier does not know our extensions.
            let referred_by = self.joining.as_ref().map(|it| &*it.referred_by);
            if let Some(it) = referred_by.filter(|it| by_line.is_none() && !it.is_empty()) {
                writer.text_header("Referred-By", it);
            }
            headers::pass_of_call(withheld, self.caller.outside, &invite.headers, writer);
            for (name, value) in &it.headers {
                writer.text_header(name, value);
            }
            for (name, value) in &it.credentials {
                writer.text_header(name.as_str(), value);
            }
        };
        let reliability = self.reliability(index, it.reliability);
        let terms = it.terms;
        let mut seat = office.seat(owner, now);
        let view = passed.as_ref().map(body::OwnedBody::view);
        let offer = Offer { max_forwards: hops, reliability, terms, extra: &extra, body: view };
        let mut session = Session::connect(&mut seat, flow, dialog, offer);
        session.keep_credentials(it.credentials);
        let fork = &mut self.forks[index];
        fork.leg = Some(Leg {
            session,
            tag,
            number: fork.number.clone(),
            user_agent: fork.user_agent.clone(),
            media_source: fork.media_source,
            dtmf: fork.dtmf(),
            outside: fork.outside.is_some(),
            credentials: fork.outside.as_ref().and_then(|it| it.credentials()),
            privacy: Privacy::default(),
            edition,
        });
        Ok(())
    }

    /// How the INVITE to a phone of ours is addressed.
    fn addressed_inside(&self, office: &Office, index: usize, end: LocalEnd) -> Addressing {
        let (name, number) = (&self.record.caller_name, &self.record.caller_number);
        let host = Short::new().host(end.address.ip());
        let user = escape_user(number);
        let named = match &**name {
            "" => Short::new(),
            name => Short::new().text("\"").text(&escaped(name)).text("\" "),
        };
        let uri =
            |text: Short, user: &str| text.text("<sip:").text(user).text("@").text(&host).text(">");
        let privacy = self.caller.privacy;
        let from = match privacy.identity || *number == ANONYMOUS {
            true => Short::new().text(ANONYMOUS_FROM),
            false => uri(named, &user),
        };
        let shown = Shown { host: &host, account: None, veil: Veil::of(privacy, false) };
        Addressing {
            from,
            to: uri(Short::new(), &self.forks[index].number),
            routes: RouteSet::default(),
            headers: self.history.headers(&self.record.dialled_number, &shown),
            credentials: Box::default(),
            reliability: Reliability::Auto,
            terms: office.settings(self.tenant).session_terms(),
        }
    }

    /// The stream to a fork's phone is open.
    pub fn connected(&mut self, office: &mut Office, fork: u8, flow: Flow, now: Instant) {
        let index = usize::from(fork);
        let Some(device) = self.forks.get(index).map(|it| it.device.clone()) else { return };
        if let Some(key) = device {
            office.registrar.set_flow(&key, flow);
        }
        let Some(invite) = self.invite.clone() else { return };
        // Parsed once already when it came.
        let Ok(message) = Message::parse(&invite) else { return };
        if let Err(why) = self.call_phone(office, index, flow, &message, now) {
            self.end(office, unusable(why), Side::System, now);
        }
    }

    /// The stream to a fork's phone cannot be opened.
    pub fn connect_failed(&mut self, office: &mut Office, fork: usize, now: Instant) {
        self.note_refusal(fork, (503, None), &Cause::default(), now);
        self.fork_failed(office, fork, (FLOW_LOST, Cause::default()), now);
    }

    /// A phone rings, or says something before its answer.
    pub(super) fn progress(
        &mut self,
        office: &mut Office,
        fork: usize,
        (code, reliable): (u16, bool),
        message: &Message<'_>,
        now: Instant,
    ) {
        let told = self.tell_progress(office, fork, (code, reliable), message, now);
        if !reliable {
            return;
        }
        let Some(sdp) = body::of(message).filter(|it| body::sdp_range(*it).is_some()) else {
            return self.acknowledge(office, fork, now);
        };
        if told && self.passes_reliably() {
            return;
        }
        // The answer says it again where it was not said reliably (RFC 3261 §13.2.1).
        if let Some(it) = self.forks.get_mut(fork) {
            it.said = Some(body::OwnedBody::of(sdp));
        }
        self.acknowledge(office, fork, now);
    }

    /// Tells the caller what a phone said; returns whether a description was among it.
    fn tell_progress(
        &mut self,
        office: &mut Office,
        fork: usize,
        (code, reliable): (u16, bool),
        message: &Message<'_>,
        now: Instant,
    ) -> bool {
        let in_time = self.passes_reliably();
        let may_hear = if self.caller.session.is_reliable() {
            in_time && !self.caller.session.has_described()
        } else {
            true
        };
        let State::Calling { progress, early, late_offer, .. } = &mut self.state else {
            return false;
        };
        let has_sdp = body::of(message).is_some_and(|it| body::sdp_range(it).is_some());
        let of_another = early.fork().is_some_and(|it| it != fork);
        // One phone's early media is heard; an offer of the phone must be answered before its 2xx.
        let late_offer = *late_offer;
        let heard = has_sdp && may_hear && (!late_offer || (reliable && in_time)) && !of_another;
        // The caller has it already, or hears another phone's early media.
        if !heard && (*progress == Some(code) || of_another) {
            return false;
        }
        *progress = Some(code);
        if self.joining.is_some() {
            self.report_progress(office, code);
        }
        let passed = match heard {
            true => {
                self.describes_itself(office, fork);
                self.pass_answer(office, fork, (message, None), true, now)
            }
            false => Ok(None),
        };
        let Ok(passed) = passed else {
            self.says_nothing(fork);
            return false;
        };
        if self.record.ringing_at.is_none() && code == 180 {
            self.record.ringing_at = Some(office.utc);
        }
        let withheld = self.withheld(fork_id(fork), LegId::Caller);
        self.with_session(office, LegId::Caller, now, |session, seat| {
            let extra = |writer: &mut Writer| {
                writer.header("Allow", headers::ALLOW);
                headers::pass(withheld, &message.headers, writer);
            };
            let body = passed.as_ref().map(body::OwnedBody::view);
            session.provisional(seat, (code, reason_phrase(code)), &extra, body);
        });
        if heard && !late_offer {
            self.configure(office, now);
        }
        self.publish(office);
        heard
    }

    pub(super) fn accepted(
        &mut self,
        office: &mut Office,
        fork: usize,
        message: &Message<'_>,
        now: Instant,
    ) {
        let State::Calling { late_offer, .. } = self.state else {
            // Another phone was faster, or the call is over: this one is told at once.
            self.with_session(office, fork_id(fork), now, |session, seat| {
                session.ack(seat, None);
                session.close(seat, COMPLETED_ELSEWHERE);
            });
            return;
        };
        // An answer without a description is one only if an early one stands.
        let early = matches!(self.state, State::Calling { early: Early::Of(it), .. } if it == fork);
        let is_new_to_it = self.describes_itself(office, fork);
        let said = self.forks.get_mut(fork).and_then(|it| it.said.take());
        let passed = match self.pass_answer(office, fork, (message, said), false, now) {
            Ok(passed) if passed.is_some() || (early && !late_offer) => passed,
            refused @ (Ok(_) | Err(_)) => {
                self.with_session(office, fork_id(fork), now, |session, seat| {
                    session.ack(seat, None);
                });
                let why = refused.err().map_or(ReleaseCode::MediaCodec, unusable);
                if why == ReleaseCode::MediaCodec {
                    self.note_offer(now);
                }
                return self.end(office, why, Side::System, now);
            }
        };
        self.answered_by_picker(fork);
        self.state = State::Answered { fork: Some(fork) };
        self.invite = None;
        for index in (0..self.forks.len()).filter(|&it| it != fork) {
            self.release_fork(office, index, COMPLETED_ELSEWHERE, now);
        }
        #[cfg(feature = "planted-bugs")]
        let late_offer = late_offer
            || (self.forks.len() > 1
                && office.is_planted(crate::planted::Planted::UnacknowledgedAnswer));
        if self.joining.is_some() {
            return match passed {
                Some(offer) => self.meet(office, fork_id(fork), offer, now),
                None => self.join_failed(office, 488, now),
            };
        }
        if !late_offer {
            self.with_session(office, fork_id(fork), now, |session, seat| session.ack(seat, None));
        }
        let withheld = self.withheld(fork_id(fork), LegId::Caller);
        let sent = self.with_session(office, LegId::Caller, now, |session, seat| {
            let extra = |writer: &mut Writer| {
                headers::pass_of_answer(withheld, &message.headers, writer);
            };
            // What was said reliably is not said again within its dialog.
            let says = late_offer || is_new_to_it || !session.has_described();
            let passed = passed.as_ref().filter(|_| says);
            session.accept(seat, &extra, passed.map(body::OwnedBody::view))
        });
        if !late_offer {
            self.configure(office, now);
        }
        if sent == Some(true) {
            self.answer_is_sent(office, now);
        }
        self.publish(office);
    }

    /// The caller's 2xx is on its way: from here the call counts as answered.
    pub(super) fn answer_is_sent(&mut self, office: &mut Office, now: Instant) {
        if let State::Answered { fork } = self.state {
            self.answered = Some(now);
            self.describe_answer(office, fork);
            self.note_addresses(now);
            self.settle_join(office);
        }
    }

    pub(super) fn refused(
        &mut self,
        office: &mut Office,
        fork: usize,
        code: u16,
        message: Option<&Message<'_>>,
        now: Instant,
    ) {
        if let Some(message) = message.filter(|_| matches!(code, 401 | 407))
            && matches!(self.state, State::Calling { .. })
            && self.answers_challenge(office, fork, message, now)
        {
            return;
        }
        let cause = message.map(Cause::of).unwrap_or_default();
        self.note_refusal(fork, (code, message), &cause, now);
        // Without a message nobody was there (408), or the way broke (503).
        let code = match (message, code) {
            (None, 503) => FLOW_LOST,
            (None, _) => UNREACHABLE,
            (Some(_), code) => code,
        };
        self.fork_failed(office, fork, (code, cause), now);
    }

    /// A fork is out; when all are, the best of their reasons is the call's.
    pub(super) fn fork_failed(
        &mut self,
        office: &mut Office,
        fork: usize,
        outcome: (u16, Cause),
        now: Instant,
    ) {
        if let Some(it) = self.forks.get_mut(fork) {
            it.refused.get_or_insert_with(|| outcome.clone());
        }
        let State::Calling { early, .. } = &mut self.state else { return };
        early.lose(fork);
        if self.follows(office, fork, &outcome, now)
            || self.tries_another(office, fork, (outcome.0, &outcome.1), now)
        {
            return;
        }
        // 6xx speaks for the callee: nobody else needs to ring (RFC 3261 §16.7 step 5).
        let decided = (600..700).contains(&outcome.0);
        if !decided && self.forks.iter().any(|it| it.refused.is_none()) {
            return;
        }
        // Where a carrier may send a call it has gone already.
        let inside = |it: &&Fork| it.outside.is_none();
        let forwards = |it: &Fork| it.refused.as_ref().map(|it| it.1.forward.clone());
        let mut contacts = self.forks.iter().filter(inside).filter_map(forwards);
        if !decided && let Some(contacts) = contacts.find(|it| !it.is_empty()) {
            return self.forward(office, &contacts, now);
        }
        let refusals = self.forks.iter().filter_map(|it| it.refused.clone());
        let Some((code, cause)) = refusals.min_by_key(|&(code, _)| preference(code)) else {
            return;
        };
        let (release, status) = self.release_of_outside(code).unwrap_or_else(|| release_of(code));
        if forwarding_of(release).is_some_and(|it| self.is_forwarded(office, it, now)) {
            return;
        }
        let ours = (release == ReleaseCode::CalleeRejected).then(|| cause_of_status(code));
        let cause = Cause { status: Some(status), q850: cause.q850.or(ours), ..cause };
        self.end_as(office, release, Side::Callee, cause, now);
    }

    /// The answer of a fork as the caller is to see it; `said` is what it said before, where it says
    /// nothing now.
    fn pass_answer(
        &mut self,
        office: &mut Office,
        fork: usize,
        (message, said): (&Message<'_>, Option<body::OwnedBody>),
        early: bool,
        now: Instant,
    ) -> Result<Option<body::OwnedBody>, Unusable> {
        body::check(message).map_err(|_| Unusable::Description)?;
        let said: Option<Body<'_>> = said.as_ref().map(body::OwnedBody::view);
        let Some(body) = body::of(message).or(said) else { return Ok(None) };
        let Some(range) = body::sdp_range(body) else {
            return Ok(Some(body::OwnedBody::of(body)));
        };
        let State::Calling { late_offer, .. } = self.state else { return Ok(None) };
        let sdp = &body.bytes[range.clone()];
        let Some(peer) = self.peer(office, fork_id(fork)) else { return Ok(None) };
        let Some(to) = self.peer(office, LegId::Caller) else { return Ok(None) };
        let to = (to, &mut self.caller.edition);
        let sdp = if late_offer {
            self.media.offer(office, (Half::Callee, peer.dtmf), to, sdp, now)?
        } else {
            self.media.answer(office, (Half::Callee, peer), to, sdp, early, now)?
        };
        Ok(Some(body::with_sdp(body, range, sdp)))
    }

    /// Where a leg's phone is.
    pub(super) fn peer(&self, office: &Office, leg: LegId) -> Option<Peer> {
        self.leg(leg).map(|it| Peer::of(office, it.session.flow, (it.media_source, it.dtmf)))
    }

    pub(super) fn configure(&mut self, office: &mut Office, now: Instant) {
        let settings = office.settings(self.tenant);
        let answered = matches!(self.state, State::Answered { .. });
        self.media.configure(office, self.id, &settings, answered, now);
    }

    /// Records the answer: who, when, and the dialogs that must get a BYE after a crash.
    ///
    /// `fork` is `None` where we answered ourselves.
    pub(super) fn describe_answer(&mut self, office: &mut Office, fork: Option<usize>) {
        let record = &mut self.record;
        record.answered_at = Some(office.utc);
        record.sip_status = 200;
        if let Some(leg) = fork.and_then(|it| self.forks.get(it)?.leg.as_ref()) {
            record.callee_device = device(&leg.user_agent, leg.session.flow);
        }
        self.media.describe(&mut self.record);
        office.counters.calls_answered += 1;
        let dialogs = [Some(LegId::Caller), fork.map(fork_id)];
        let dialogs = dialogs.into_iter().flatten().filter_map(|it| self.leg(it));
        let dialogs = dialogs.map(|it| &it.session).filter(|it| !it.is_closed());
        let dialogs = dialogs.map(facts).collect();
        let record = self.record.share();
        office.record(Record::CallAnswered(Box::new(CallAnswered { record, dialogs })));
    }

    /// Tells the board what the call is doing.
    pub(super) fn publish(&self, office: &mut Office) {
        let status = self.status();
        office.event(Event::Call(Box::new(status)));
    }
}

/// Not a SIP status: the stream to the phone is lost.
const FLOW_LOST: u16 = 1000;
/// Not a SIP status: nobody answered the INVITE at all.
const UNREACHABLE: u16 = 1001;

/// Which refusal speaks for the call: 6xx first, then 486, 480, 404, the rest by number, a lost
/// phone last (decided so, within what RFC 3261 §16.7 step 6 leaves open).
fn preference(code: u16) -> u16 {
    match code {
        600..700 => code - 600,
        486 => 100,
        480 => 101,
        404 => 102,
        _ => code,
    }
}

/// What a phone's refusal means, and the status the caller gets for it.
fn release_of(code: u16) -> (ReleaseCode, u16) {
    match code {
        486 | 600 => (ReleaseCode::CalleeBusy, code),
        603 => (ReleaseCode::CalleeDeclined, code),
        480 => (ReleaseCode::CalleeNoAnswer, 480),
        415 | 488 | 606 => (ReleaseCode::MediaCodec, code),
        FLOW_LOST => (ReleaseCode::CalleeFlowLost, 480),
        UNREACHABLE | 408 => (ReleaseCode::CalleeUnreachable, 480),
        // A challenge is between the phone and somebody else, what it requires of an INVITE between it
        // and us; a redirection is not followed.
        300..=399 | 401 | 407 | 420..=422 | 503 => (ReleaseCode::CalleeRejected, 480),
        _ => (ReleaseCode::CalleeRejected, code),
    }
}

/// What a BYE needs when the session is no longer there.
pub(super) fn facts(session: &Session) -> DialogFacts {
    let dialog = &session.dialog;
    DialogFacts {
        flow: session.flow,
        call_id: dialog.call_id.clone(),
        local: dialog.local.clone(),
        remote: dialog.remote.clone(),
        local_cseq: dialog.local_cseq,
        remote_target: dialog.remote_target.clone(),
        route_set: dialog.routes.routes().to_vec(),
    }
}

/// User-Agent and source address, as call records have them.
pub(super) fn device(user_agent: &str, flow: Flow) -> SmolStr {
    let agent = match user_agent {
        "" => Short::new(),
        _ => Short::new().text(user_agent).text(" "),
    };
    agent.socket(flow.remote).as_str().into()
}

/// An address as a URI's host.
pub(crate) fn bracketed(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(it) => it.to_string(),
        std::net::IpAddr::V6(it) => format!("[{it}]"),
    }
}

pub(crate) fn escaped(name: &str) -> Cow<'_, str> {
    if !name.contains(['\\', '"']) {
        return name.into();
    }
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_several_refusals() {
        #[rustfmt::skip]
        let table: [(&[u16], u16); 6] = [
            (&[480, 486],            486),
            (&[404, 480],            480),
            (&[486, 603],            603),
            (&[488, 404],            404),
            (&[UNREACHABLE, 500],    500),
            (&[UNREACHABLE, FLOW_LOST], FLOW_LOST),
        ];
        for (codes, best) in table {
            assert_eq!(codes.iter().copied().min_by_key(|&it| preference(it)), Some(best));
        }
        assert_eq!(release_of(407).1, 480, "a challenge is never passed on");
    }
}
