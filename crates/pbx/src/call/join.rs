//! A call that brings together who did not call each other: after a transfer, or by an INVITE that
//! takes the place of a dialog (RFC 3891).
//!
//! Its legs are borrowed from the calls they are in and go back there if the two cannot agree. The
//! target makes the offer, the transferee gets it as a re-INVITE, and its answer is the target's ACK.
//! A target outside is made an offer instead ([`own_offer`](super::own_offer)), and the transferee gets
//! what it chose.

use super::begin::{Attempt, unusable};
use super::body::OwnedBody;
use super::diversion::History;
use super::fork::Fork;
use super::refer_to::Replaced;
use super::transfer::Errand;
use super::{Call, Leg, Modifying, Purpose, State, fork_id, half, headers};
use crate::id::CallId;
use crate::office::{LegId, Office, Owner};
use crate::record::{CallStarted, Record, Side};
use crate::release::ReleaseCode;
use sip::message::block::{self, Life};
use sip::message::{Message, Writer};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::time::Instant;

/// What a call has to do with those it came from.
#[derive(Debug)]
pub struct Joining {
    /// Where its legs are from.
    lenders: SmallVec<[Lender; 2]>,
    /// The call and leg it is placed for, until that leg is here.
    awaited: Option<(CallId, LegId)>,
    /// The call whose phone asked for the transfer.
    told: Option<CallId>,
    /// Value of the Referred-By header for the target (RFC 3892); empty where there is none.
    pub(super) referred_by: Box<str>,
    /// What the transferee speaks where it comes from.
    pub(super) codec: SmolStr,
    /// The target was told of ports of this call.
    moved: bool,
    /// The caller takes the place of another phone of its extension, as which it counts.
    replaces: bool,
}

#[derive(Clone, Copy, Debug)]
struct Lender {
    slot: LegId,
    call: CallId,
    /// The leg's place there.
    leg: LegId,
}

/// For whom a call is placed.
pub struct Transferee<'a> {
    pub call: CallId,
    pub slot: LegId,
    pub leg: &'a Leg,
    pub name: SmolStr,
    pub codec: SmolStr,
    /// Who transfers it; `None`: he withholds that.
    pub by: Option<&'a str>,
    /// How the ringing call came to the target, in whose stead it is placed.
    pub(crate) history: History,
}

impl Joining {
    fn begin(
        told: Option<CallId>,
        awaited: Option<(CallId, LegId)>,
        referred_by: Box<str>,
    ) -> Self {
        let (codec, moved, replaces) = <(SmolStr, bool, bool)>::default();
        Self { lenders: SmallVec::new(), awaited, told, referred_by, codec, moved, replaces }
    }
}

impl Call {
    /// A call placed for a phone that is not in it yet.
    pub fn for_transferee(
        office: &mut Office,
        place: (usize, u32),
        attempt: &Attempt<'_>,
        transferee: &Transferee<'_>,
        now: Instant,
    ) -> Self {
        let id = CallId::new(office.utc, &mut *office.rng);
        let owner = Owner { call: place.0, serial: place.1, leg: LegId::Caller };
        let leg = Leg::absent(office, owner, transferee.leg);
        let mut call = Self::with_caller(office, (id, place), attempt, leg, now);
        let number = call.caller.number.clone();
        let known = office.tenant(call.tenant).is_some_and(|it| it.extension(&number).is_some());
        call.history = transferee.history.clone();
        let record = &mut call.record;
        record.linked_call_id = Some(transferee.call);
        record.caller_number = number.clone();
        record.caller_name = transferee.name.clone();
        record.caller_extension = known.then_some(number);
        let host = super::fork::bracketed(call.caller.session.dialog.end.address.ip());
        let referred_by = transferee.by.map(|it| format!("<sip:{it}@{host}>").into());
        let referred_by = referred_by.unwrap_or_default();
        let awaited = Some((transferee.call, transferee.slot));
        let joining = Joining::begin(Some(transferee.call), awaited, referred_by);
        let codec = transferee.codec.clone();
        call.joining = Some(Box::new(Joining { codec, ..joining }));
        call
    }

    /// Whom the call is placed for, where that leg is not here yet.
    pub fn awaited(&self) -> Option<(CallId, LegId)> {
        self.joining.as_ref()?.awaited
    }

    /// The call whose phone is told how this one goes.
    pub fn told(&self) -> Option<CallId> {
        self.joining.as_ref()?.told
    }

    pub fn dialled(&self) -> &str {
        &self.record.dialled_number
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// The name of a leg's phone as other phones are shown it.
    pub fn name_of(&self, leg: LegId, office: &Office) -> SmolStr {
        match leg {
            LegId::Caller => self.record.caller_name.clone(),
            LegId::Callee(_) => {
                let number = self.leg(leg).map(|it| &*it.number).unwrap_or_default();
                let extension = office.tenant(self.tenant).and_then(|it| it.extension(number));
                extension.map(|it| it.name.clone()).unwrap_or_default()
            }
        }
    }

    /// What a leg's phone speaks.
    pub fn codec_of(&self, leg: LegId) -> SmolStr {
        self.media.codec(half(leg)).into()
    }

    /// Whom the call is placed for is not here yet, or is here by a transfer: nobody waits for
    /// responses.
    pub(super) fn is_joining(&self) -> bool {
        self.joining.is_some()
    }

    /// A leg comes from another call, which gets it back if this fails.
    pub fn borrow_leg(
        &mut self,
        office: &mut Office,
        slot: LegId,
        leg: (Box<Leg>, Owner),
        (call, from): (CallId, LegId),
    ) {
        match slot {
            LegId::Caller => self.take_leg(office, slot, leg),
            LegId::Callee(_) => {
                let leg = self.move_in(office, slot, leg);
                self.media.hide(half(slot), leg.privacy.identity);
                self.forks.push(Fork::to_leg(leg));
            }
        }
        if let Some(joining) = &mut self.joining {
            joining.awaited.take_if(|it| *it == (call, from));
            joining.lenders.push(Lender { slot, call, leg: from });
        }
    }

    /// The target of an attended transfer is here: it is asked for an offer, or made one.
    pub fn ask_target(&mut self, office: &mut Office, now: Instant) {
        self.begin_joined(office);
        self.modifying =
            Some(Modifying { by: LegId::Caller, with_offer: true, purpose: Purpose::Ask });
        let target = fork_id(0);
        let hearer = self.hearer(office, target).filter(|_| self.gets_our_offer(target));
        let offer = match hearer {
            None => None,
            Some((peer, mut edition)) => {
                match self.offer_of_ours(office, (&peer, &mut edition), now) {
                    Ok(offer) => {
                        self.keep_edition(target, edition);
                        Some(offer)
                    }
                    Err(why) => return self.end(office, unusable(why), Side::System, now),
                }
            }
        };
        self.with_session(office, target, now, |session, seat| {
            let extra = |writer: &mut Writer| headers::capabilities_of_request(writer);
            session.modify(seat, &extra, offer.as_ref().map(OwnedBody::view));
        });
    }

    /// The partner of the replaced dialog is here: it gets the caller's offer.
    pub fn ask_partner(&mut self, office: &mut Office, now: Instant) {
        self.begin_joined(office);
        let Some(invite) = self.invite.take() else { return };
        // Parsed once already when it came.
        let Ok(message) = Message::parse(&invite) else { return };
        let passed = match self.pass_offer(office, LegId::Caller, fork_id(0), &message, now) {
            Ok(passed) => passed,
            Err(why) => return self.end(office, unusable(why), Side::System, now),
        };
        let with_offer = passed.is_some();
        self.modifying =
            Some(Modifying { by: LegId::Caller, with_offer, purpose: Purpose::Change });
        let withheld = self.withheld(LegId::Caller, fork_id(0));
        self.with_session(office, fork_id(0), now, |session, seat| {
            let extra = |writer: &mut Writer| {
                headers::capabilities_of_request(writer);
                headers::pass(withheld, &message.headers, writer);
            };
            session.modify(seat, &extra, passed.as_ref().map(OwnedBody::view));
        });
    }

    fn begin_joined(&mut self, office: &mut Office) {
        let number = self.leg(fork_id(0)).map(|it| it.number.clone()).unwrap_or_default();
        let known = office.tenant(self.tenant).is_some_and(|it| it.extension(&number).is_some());
        self.record.sent_number = number.clone();
        self.record.callee_number = number.clone();
        self.record.callee_extension = known.then_some(number);
        self.state = State::Answered { fork: Some(0) };
        self.media.relayed = true;
        office.record(Record::CallStarted(CallStarted { record: self.record.share() }));
    }

    /// The target's 2xx has its offer, or what it chose of ours; the transferee is to answer it.
    pub(super) fn target_offers(
        &mut self,
        office: &mut Office,
        target: LegId,
        message: &Message<'_>,
        now: Instant,
    ) {
        let passed = self.pass_offer(office, target, LegId::Caller, message, now);
        match passed.ok().flatten() {
            Some(offer) => self.meet(office, target, offer, now),
            None => self.join_failed(office, 488, now),
        }
    }

    /// Brings the transferee to the target's offer, once it is here.
    pub(super) fn meet(&mut self, office: &mut Office, by: LegId, offer: OwnedBody, now: Instant) {
        self.modifying = Some(Modifying { by, with_offer: true, purpose: Purpose::Meet });
        self.offer = Some(offer);
        if self.gets_our_offer(by) {
            self.with_session(office, by, now, |session, seat| session.ack(seat, None));
            self.joining.iter_mut().for_each(|it| it.moved = true);
        }
        if self.joining.as_ref().is_some_and(|it| it.awaited.is_some()) {
            office.errands.push_back(Errand::Fetch { call: self.id });
        } else {
            self.offer_to_transferee(office, now);
        }
    }

    /// Both are here.
    pub fn offer_to_transferee(&mut self, office: &mut Office, now: Instant) {
        let Some(offer) = self.offer.clone() else { return };
        if !self.caller.session.may_offer() {
            return self.join_failed(office, 480, now);
        }
        // It was written before the transferee was here, with what he had heard until now.
        let Some(peer) = self.peer(office, LegId::Caller) else { return };
        let offer = self.caller.edition.reprint(offer, peer.local.advertised);
        self.with_session(office, LegId::Caller, now, |session, seat| {
            let extra = |writer: &mut Writer| headers::capabilities_of_request(writer);
            session.modify(seat, &extra, Some(offer.view()));
        });
    }

    /// The transferee's 2xx has the answer: they talk.
    pub(super) fn transferee_answers(
        &mut self,
        office: &mut Office,
        target: LegId,
        message: &Message<'_>,
        now: Instant,
    ) {
        self.with_session(office, LegId::Caller, now, |session, seat| session.ack(seat, None));
        let passed = self.pass_later_answer(office, LegId::Caller, target, message, now);
        let Some(answer) = passed.ok().flatten() else {
            return self.join_failed(office, 488, now);
        };
        self.modifying = None;
        let chosen = self.offer.take().filter(|_| self.gets_our_offer(target));
        self.with_session(office, target, now, |session, seat| {
            session.ack(seat, Some(answer.view()));
        });
        self.configure(office, now);
        self.answer_is_sent(office, now);
        if let Some(chosen) = chosen {
            self.tell_what_differs(office, target, (&chosen, message), now);
        }
        self.publish(office);
    }

    /// One of the two refused, or is not there: everybody goes back to where he was.
    pub fn join_failed(&mut self, office: &mut Office, status: u16, now: Instant) {
        for leg in self.legs() {
            self.with_session(office, leg, now, |session, seat| session.ack(seat, None));
        }
        let cause = super::end::Cause { status: Some(status), ..super::end::Cause::default() };
        let code = match status {
            415 | 488 | 606 => ReleaseCode::MediaCodec,
            _ => ReleaseCode::CalleeUnreachable,
        };
        self.end_as(office, code, Side::System, cause, now);
    }

    /// The INVITE cannot take the place of that dialog.
    pub fn refuse_replacing(&mut self, office: &mut Office, status: u16, now: Instant) {
        let cause = super::end::Cause { status: Some(status), ..super::end::Cause::default() };
        let code = match status {
            403 => ReleaseCode::CallerForbidden,
            _ => ReleaseCode::ReplacedUnknown,
        };
        self.end_as(office, code, Side::System, cause, now);
    }

    /// An INVITE with Replaces: nobody is called, a dialog is taken over.
    pub(super) fn replace_dialog(
        &mut self,
        office: &mut Office,
        attempt: &Attempt<'_>,
        replaced: Replaced,
    ) {
        self.invite = Some(block::copy(Life::Transaction, attempt.raw));
        let joining = Joining::begin(None, None, Box::default());
        self.joining = Some(Box::new(Joining { replaces: true, ..joining }));
        office.errands.push_back(Errand::Replace { call: self.id, replaced });
    }

    /// The phone that asked for the transfer is gone; what it was placed for stays here.
    pub fn keep_transferee(&mut self) {
        let Some(joining) = &mut self.joining else { return };
        joining.told = None;
        joining.awaited = None;
        joining.lenders.retain(|it| it.slot != LegId::Caller);
    }

    /// The call counts as answered: those its legs came from are over.
    pub(super) fn settle_join(&mut self, office: &mut Office) {
        let Some(joining) = self.joining.take() else { return };
        for Lender { slot, call, leg } in joining.lenders {
            let lent = (half(leg), half(slot));
            let replaced = (lent.0.other(), lent.1.other());
            let sides = std::iter::once(lent).chain(joining.replaces.then_some(replaced));
            office.errands.push_back(Errand::Joined { call, to: self.id, sides: sides.collect() });
        }
    }

    /// The call ends before its sides talked: who asked is told, and what was borrowed goes back.
    pub(super) fn undo_join(
        &mut self,
        office: &mut Office,
        (code, status): (ReleaseCode, u16),
        now: Instant,
    ) {
        let Some(joining) = self.joining.take() else { return };
        if let Some(to) = joining.told {
            office.errands.push_back(Errand::Report { to, status, code: Some(code) });
        }
        for Lender { slot, call, leg } in joining.lenders {
            let to = (call, leg);
            if !self.leg(slot).is_some_and(|it| it.session.is_established()) {
                office.errands.push_back(Errand::Gone { to, code });
                continue;
            }
            self.with_session(office, slot, now, |session, seat| session.cancel_modify(seat));
            self.parting.push(slot);
            let moved = joining.moved && slot != LegId::Caller;
            office.errands.push_back(Errand::Return { from: (self.id, slot), to, moved });
        }
    }

    /// The target rings, or says something else before its answer.
    pub(super) fn report_progress(&self, office: &mut Office, status: u16) {
        if let Some(to) = self.joining.as_ref().and_then(|it| it.told) {
            office.errands.push_back(Errand::Report { to, status, code: None });
        }
    }
}

impl Fork {
    /// A phone that was reached by another call.
    pub(super) fn to_leg(leg: Leg) -> Self {
        Self {
            device: None,
            target: (*leg.session.dialog.remote_target).into(),
            user_agent: leg.user_agent.clone(),
            number: leg.number.clone(),
            media_source: leg.media_source,
            leg: Some(leg),
            said: None,
            refused: None,
            outside: None,
        }
    }
}
