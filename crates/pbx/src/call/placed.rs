//! A call that the server places for somebody: the first party is called, and once it has answered,
//! the second one, as if the first had dialled it (third party call control, RFC 3725).
//!
//! This is flow IV: the first party's offer and answer are complete before the second one is called,
//! so nobody waits for an ACK while a person makes up his mind, as in flow I. The first INVITE offers
//! voice, in the place of nothing, because phones and carriers refuse what has no media; what is said
//! before the second party is there reaches nobody. From then on it is a transfer: the second party
//! is called by a call of its own ([`join`](super::join)), which takes the first one over.

use super::begin::{Attempt, unusable};
use super::edition::Edition;
use super::end::Cause;
use super::media::{CallMedia, Description, Half, Peer, Unusable};
use super::transfer::{Errand, Transfer};
use super::{Call, Leg, State, body, fork_id};
use crate::id::{CallId, TenantId};
use crate::office::{LegId, Office, Owner};
use crate::privacy::{ANONYMOUS, Privacy};
use crate::record::Side;
use crate::release::ReleaseCode;
use crate::verdict::fact::{Place, What, words};
use sdp::Sdp;
use sip::Flow;
use sip::message::Message;
use smol_str::SmolStr;
use std::time::Instant;

/// Reason of the CANCEL to the first party's other phones (RFC 3326 §3.1).
const COMPLETED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// Who is to be brought together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The name the call is to have: who orders it follows it by that.
    pub call: CallId,
    pub tenant: TenantId,
    /// The extension with whose rights both numbers are dialled.
    pub by: Box<str>,
    /// Called first; an extension's phones are called whatever the dial plan says.
    pub first: Box<str>,
    pub second: Box<str>,
    /// What the first party is shown; `None`: the second number.
    pub shown: Option<Box<str>>,
    /// What the second party is shown; `None`: the first number.
    pub shown_to_second: Option<Box<str>>,
    /// Who ordered it, for the record: `api:joe`.
    pub placed_by: Box<str>,
    /// The first party's phone is asked to answer by itself.
    pub answers_itself: bool,
}

/// What is to happen when the first party has answered.
#[derive(Debug)]
pub struct Placing {
    pub by: Box<str>,
    pub second: Box<str>,
    pub shown_to_second: Option<Box<str>>,
    pub placed_by: Box<str>,
}

impl Call {
    /// The call to the first party.
    pub fn placed(
        office: &mut Office,
        place: (usize, u32),
        attempt: &Attempt<'_>,
        order: Order,
        now: Instant,
    ) -> Self {
        let owner = Owner { call: place.0, serial: place.1, leg: LegId::Caller };
        let shown: SmolStr = order.shown.as_deref().unwrap_or(&order.second).into();
        let leg = Leg::nobody(office, owner, attempt.flow, shown.clone());
        let mut call = Self::with_caller(office, (order.call, place), attempt, leg, now);
        let known = office.tenant(call.tenant).and_then(|it| it.extension(&shown));
        let record = &mut call.record;
        record.caller_name = known.map(|it| it.name.clone()).unwrap_or_default();
        record.caller_number = shown;
        // Nobody of ours calls: the phone is only shown this number.
        record.caller_extension = None;
        record.caller_device = SmolStr::default();
        record.place_for(&order.placed_by);
        let Order { by, second, shown_to_second, placed_by, .. } = order;
        call.placing = Some(Box::new(Placing { by, second, shown_to_second, placed_by }));
        call
    }

    /// Calls the first party; `refused` says why nobody is called now.
    pub fn begin_placed(
        &mut self,
        office: &mut Office,
        attempt: &Attempt<'_>,
        refused: Option<ReleaseCode>,
        now: Instant,
    ) {
        if let Some(code) = refused {
            return self.end(office, code, Side::System, now);
        }
        let first = &self.record.dialled_number;
        let first = office.tenant(self.tenant).and_then(|it| it.extension(first)).cloned();
        match first {
            Some(first) => {
                self.record.route = "extension".into();
                self.call_extension(office, attempt, &first, now);
            }
            None => self.route(office, attempt, now),
        }
    }

    pub(super) fn is_placing(&self) -> bool {
        self.placing.is_some()
    }

    /// Nobody has answered yet, of those who are called first.
    pub(super) fn awaits_first(&self) -> bool {
        self.is_placing() && matches!(self.state, State::Calling { .. })
    }

    /// What is to happen next, and the leg of who has answered.
    pub fn placing(&self) -> Option<(&Placing, LegId)> {
        Some((self.placing.as_deref()?, self.other(LegId::Caller)?))
    }

    /// The first party has answered: it waits for the second one.
    pub(super) fn first_answered(
        &mut self,
        office: &mut Office,
        fork: usize,
        message: &Message<'_>,
        now: Instant,
    ) {
        self.with_session(office, fork_id(fork), now, |session, seat| session.ack(seat, None));
        if let Err(why) = self.hear_first(office, fork, message) {
            return self.end(office, unusable(why), Side::System, now);
        }
        self.state = State::Answered { fork: Some(fork) };
        self.invite = None;
        for index in (0..self.forks.len()).filter(|&it| it != fork) {
            self.release_fork(office, index, COMPLETED_ELSEWHERE, now);
        }
        self.answered = Some(now);
        self.configure(office, now);
        self.describe_answer(office, Some(fork));
        self.transfer = Some(Transfer::ordered(LegId::Caller));
        office.errands.push_back(Errand::PlaceSecond { call: self.id });
        self.publish(office);
    }

    fn hear_first(
        &mut self,
        office: &Office,
        fork: usize,
        message: &Message<'_>,
    ) -> Result<(), Unusable> {
        body::check(message).map_err(|_| Unusable::Description)?;
        // A description said reliably is not said again.
        let said = self.forks.get_mut(fork).and_then(|it| it.said.take());
        let body = body::of(message).or_else(|| said.as_ref().map(body::OwnedBody::view));
        let body = body.ok_or(Unusable::Description)?;
        let range = body::sdp_range(body).ok_or(Unusable::Description)?;
        let peer = self.peer(office, fork_id(fork)).ok_or(Unusable::Description)?;
        self.media.wait_alone(&body.bytes[range], peer)
    }

    /// The second party is called in the first one's name.
    pub fn show_as(&mut self, placing: &Placing) {
        if let Some(shown) = &placing.shown_to_second {
            self.record.caller_number = (**shown).into();
            self.record.caller_name = SmolStr::default();
        }
        self.record.place_for(&placing.placed_by);
    }

    /// The second party was not reached, or not talked to.
    pub(super) fn second_failed(
        &mut self,
        office: &mut Office,
        (status, code): (u16, Option<ReleaseCode>),
        now: Instant,
    ) {
        let Some(placing) = &self.placing else { return };
        if code == Some(ReleaseCode::CallerCancelled) {
            // The first party itself has left.
            return self.end(office, ReleaseCode::CalleeHangup, Side::Callee, now);
        }
        let code = code.unwrap_or(ReleaseCode::SystemOverload);
        let number = words(&placing.second);
        self.note(Place::Office, What::NotJoined { number, code }, now);
        let q850 = Some(code.cause());
        let cause = Cause { status: Some(status), q850, ..Cause::default() };
        self.end_as(office, ReleaseCode::SystemNotJoined, Side::System, cause, now);
    }
}

impl CallMedia {
    /// The callee's half is answered, and there is nobody to talk to: what it sends is counted and
    /// dropped.
    fn wait_alone(&mut self, sdp: &[u8], peer: Peer) -> Result<(), Unusable> {
        let sdp = Sdp::parse(sdp).map_err(|_| Unusable::Description)?;
        let description = Description::of(&sdp);
        if description.lines.iter().all(|it| it.rejected) {
            return Err(Unusable::Description);
        }
        self.refused();
        self.learn_alone(Half::Callee, description, peer);
        Ok(())
    }
}

impl Leg {
    /// In the place of a caller that there is not.
    fn nobody(office: &mut Office, owner: Owner, flow: Flow, number: SmolStr) -> Self {
        let tag = office.claim_tag(owner);
        let identity = *number == *ANONYMOUS;
        let privacy = Privacy { identity, ..Privacy::default() };
        Self {
            session: sip::session::Session::absent(flow, office.local_end(flow, tag)),
            tag,
            number,
            user_agent: SmolStr::default(),
            media_source: crate::media::MediaSource::default(),
            dtmf: crate::interop::Dtmf::default(),
            outside: false,
            credentials: None,
            privacy,
            edition: Edition::of_dialog(tag),
        }
    }
}
