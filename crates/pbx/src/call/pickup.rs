//! Call pickup (呼叫代答): a phone takes a call that rings elsewhere in its pickup group.
//!
//! The picker's own call is answered without media; once it has acknowledged that, its leg moves to
//! the call that rings and gets the caller's offer as a re-INVITE, as one more phone of the callee.
//! From there the first answer wins, as among phones: pickup, answer, CANCEL and a second picker
//! may cross as they like.

use super::begin::{Attempt, unusable};
use super::body::{self, OwnedBody};
use super::counts::Shares;
use super::edition::Edition;
use super::end::Cause;
use super::fork::Fork;
use super::media::{Half, Peer, Unusable};
use super::transfer::Errand;
use super::{Call, FORKS_MAX, Leg, State, fork_id, headers};
use crate::directory::Extension;
use crate::id::CallId;
use crate::office::{LegId, Office, Owner};
use crate::record::Side;
use crate::release::ReleaseCode;
use crate::time::UnixMillis;
use sip::message::block::{self, Life};
use sip::message::{Message, Writer};
use std::sync::Arc;
use std::time::Instant;

/// Whose calls are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ringing {
    /// This extension's (指定代答).
    Of(Box<str>),
    /// The first one in the picker's group (组内代答).
    InGroup,
}

/// A pickup under way, in the picker's call.
#[derive(Debug)]
pub(super) struct Picking {
    by: Arc<Extension>,
    /// The call that rang when the code was dialled.
    from: CallId,
}

/// The picker, on the way to the call that rings.
pub struct Picker {
    leg: (Box<Leg>, Owner),
    shares: Shares,
    by: Arc<Extension>,
}

impl Call {
    /// A pickup code was dialled.
    pub(super) fn pick_up(
        &mut self,
        office: &mut Office,
        attempt: &Attempt<'_>,
        (by, ringing): (&Arc<Extension>, Ringing),
        now: Instant,
    ) {
        if by.services.pickup_group == 0 {
            return self.refuse_feature(office, ReleaseCode::FeatureDenied, now);
        }
        self.invite = Some(block::copy(Life::Transaction, attempt.raw));
        office.errands.push_back(Errand::PickUp { call: self.id, by: Arc::clone(by), ringing });
    }

    /// Since when the call rings, if `by` may pick it up.
    pub fn rings_for(
        &self,
        office: &Office,
        by: &Extension,
        ringing: &Ringing,
    ) -> Option<UnixMillis> {
        let callee = self.record.callee_extension.as_deref()?;
        let meant = match ringing {
            Ringing::Of(number) => *callee == **number,
            Ringing::InGroup => *callee != *by.number,
        };
        let extension = office.tenant(self.tenant)?.extension(callee)?;
        let same_group = extension.services.pickup_group == by.services.pickup_group;
        let own = self.record.caller_extension.as_deref() == Some(&*by.number);
        (meant && same_group && !own && self.may_be_picked_up()).then_some(self.record.started_at)
    }

    /// Somebody may still take it.
    pub fn may_be_picked_up(&self) -> bool {
        let calling = matches!(self.state, State::Calling { .. });
        let room = self.forks.len() < FORKS_MAX;
        calling && room && self.caller.session.is_early() && !self.is_joining()
    }

    /// The call it takes is found: the picker hears so.
    pub fn begin_pickup(
        &mut self,
        office: &mut Office,
        (by, from): (Arc<Extension>, CallId),
        now: Instant,
    ) {
        let Some(invite) = self.invite.take() else { return };
        // Parsed once already when it came.
        let Ok(message) = Message::parse(&invite) else { return };
        self.record.linked_call_id = Some(from);
        self.picking = Some(Picking { by, from });
        self.answer_silently(office, &message, now);
    }

    /// Nothing rings that it may take.
    pub fn nothing_rings(&mut self, office: &mut Office, now: Instant) {
        self.refuse_feature(office, ReleaseCode::FeatureNothingRings, now);
    }

    /// The picker has acknowledged its answer.
    pub(super) fn picker_acked(&self, office: &mut Office) -> bool {
        let Some(Picking { from, .. }) = &self.picking else { return false };
        office.errands.push_back(Errand::Picked { call: self.id, from: *from });
        true
    }

    /// Gives the picker away; its own call is over.
    pub fn give_picker(&mut self, office: &mut Office, now: Instant) -> Option<Picker> {
        let Picking { by, .. } = self.picking.take()?;
        if !self.caller.session.may_offer() {
            return None;
        }
        let leg = self.give_leg(office, LegId::Caller)?;
        let shares = self.give_shares(Half::Caller);
        self.end(office, ReleaseCode::FeatureDone, Side::System, now);
        Some(Picker { leg, shares, by })
    }

    /// What was to be picked up is gone.
    pub fn picked_too_late(&mut self, office: &mut Office, now: Instant) {
        self.picking = None;
        self.end(office, ReleaseCode::FeatureNothingRings, Side::System, now);
    }

    /// Somebody takes this call: his leg gets the caller's offer.
    pub fn take_picker(&mut self, office: &mut Office, picker: Picker, now: Instant) {
        let Picker { leg, shares, by } = picker;
        let leg = self.move_in(office, fork_id(self.forks.len()), leg);
        self.take_shares(Half::Callee, shares);
        self.forks.push(Fork { number: by.number.clone(), ..Fork::to_leg(leg) });
        let index = self.forks.len() - 1;
        self.pickers.push(fork_id(index));
        let Some(invite) = self.invite.clone() else { return };
        // Parsed once already when it came.
        let Ok(message) = Message::parse(&invite) else { return };
        let Some((peer, mut edition)) = self.hearer(office, fork_id(index)) else { return };
        let offer = match self.offer_to(office, &message, (&peer, &mut edition), now) {
            Ok(offer) => offer,
            Err(why) => return self.end(office, unusable(why), Side::System, now),
        };
        self.keep_edition(fork_id(index), edition);
        self.with_session(office, fork_id(index), now, |session, seat| {
            let extra = |writer: &mut Writer| headers::capabilities_of_request(writer);
            session.modify(seat, &extra, offer.as_ref().map(OwnedBody::view));
        });
    }

    /// Whether nobody has answered and this is the leg of a picker.
    pub(super) fn is_picker(&self, leg: LegId) -> bool {
        matches!(self.state, State::Calling { .. }) && self.pickers.contains(&leg)
    }

    /// The picker's phone will not have the call: it goes on ringing elsewhere.
    pub(super) fn picker_failed(
        &mut self,
        office: &mut Office,
        fork: usize,
        code: u16,
        now: Instant,
    ) {
        self.release_fork(office, fork, "", now);
        self.fork_failed(office, fork, (code, Cause::default()), now);
    }

    /// The record says who answered, where it is a picker.
    pub(super) fn answered_by_picker(&mut self, fork: usize) {
        if !self.is_picker(fork_id(fork)) {
            return;
        }
        let Some(number) = self.forks.get(fork).map(|it| it.number.clone()) else { return };
        self.record.callee_number = number.clone();
        self.record.callee_extension = Some(number);
    }

    /// The caller's body for a phone, with our address in it.
    pub(super) fn offer_to(
        &mut self,
        office: &mut Office,
        invite: &Message<'_>,
        (peer, edition): (&Peer, &mut Edition),
        now: Instant,
    ) -> Result<Option<OwnedBody>, Unusable> {
        let Some(body) = body::of(invite) else { return Ok(None) };
        let Some(range) = body::sdp_range(body) else {
            return Ok(Some(OwnedBody::of(body)));
        };
        let sdp = &body.bytes[range.clone()];
        let from = (Half::Caller, self.caller.dtmf);
        let sdp = self.media.offer(office, from, (*peer, edition), sdp, now)?;
        Ok(Some(body::with_sdp(body, range, sdp)))
    }
}
