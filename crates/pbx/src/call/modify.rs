//! Changing a running call: re-INVITE passes from leg to leg with its offer and answer
//! (RFC 3261 §14, RFC 3264 §8); holding is nothing else.

use super::begin::unusable;
use super::body::{self, OwnedBody};
use super::edition::Edition;
use super::end::{Cause, for_the_other_side};
use super::facts::place_of;
use super::media::{Peer, Unusable};
use super::update::Turn;
use super::{Call, Modifying, Purpose, State, half, headers};
use crate::office::{LegId, Office};
use crate::record::Side;
use crate::release::ReleaseCode;
use crate::verdict::fact::What;
use bytes::Bytes;
use sip::message::{Message, Writer, reason_phrase};
use sip::session::no_extra;
use std::time::Instant;

impl Call {
    /// A phone sent a re-INVITE: its other side gets one too.
    pub(super) fn modify_asked(
        &mut self,
        office: &mut Office,
        by: LegId,
        message: &Message<'_>,
        now: Instant,
    ) {
        if matches!(self.state, State::Answered { fork: None }) {
            return self.modify_echo(office, by, message, now);
        }
        let Some(other) = self.other(by) else {
            return self.refuse_modify(office, by, 481, now);
        };
        if body::check(message).is_err() {
            return self.refuse_modify(office, by, 400, now);
        }
        if body::of(message).is_some_and(|it| body::sdp_range(it).is_none()) {
            return self.refuse_modify(office, by, 415, now);
        }
        let free = self.session(other).is_some_and(|it| it.may_offer());
        if !free || self.turn(other) != Turn::Free || self.turn(by) != Turn::Free {
            // Both sides change the call at once: they try again after a while.
            return self.refuse_modify(office, by, 491, now);
        }
        let passed = match self.pass_offer(office, by, other, message, now) {
            Ok(passed) => passed,
            Err(why) => {
                let code = unusable(why).status();
                return self.refuse_modify(office, by, code, now);
            }
        };
        self.modifying =
            Some(Modifying { by, with_offer: passed.is_some(), purpose: Purpose::Change });
        let withheld = self.withheld(by, other);
        self.with_session(office, other, now, |session, seat| {
            let extra = |writer: &mut Writer| {
                headers::capabilities_of_request(writer);
                headers::pass(withheld, &message.headers, writer);
            };
            session.modify(seat, &extra, passed.as_ref().map(OwnedBody::view));
        });
    }

    /// A phone gave up its re-INVITE: it gets 487, and the other side hears of it.
    pub(super) fn modify_cancelled(&mut self, office: &mut Office, by: LegId, now: Instant) {
        self.modifying = None;
        self.media.refused();
        self.refuse_modify(office, by, 487, now);
        if let Some(other) = self.other(by) {
            self.with_session(office, other, now, |session, seat| session.cancel_modify(seat));
        }
    }

    /// The other side took the re-INVITE.
    pub(super) fn modified(
        &mut self,
        office: &mut Office,
        leg: LegId,
        message: &Message<'_>,
        now: Instant,
    ) {
        let Some(change @ Modifying { by, with_offer, .. }) = self.modifying else {
            self.with_session(office, leg, now, |session, seat| session.ack(seat, None));
            return;
        };
        match change.purpose {
            Purpose::Ask => return self.target_offers(office, leg, message, now),
            Purpose::Meet => return self.transferee_answers(office, by, message, now),
            Purpose::Align => return self.aligned(office, (leg, by), message, now),
            Purpose::Change | Purpose::Update(_) => {}
        }
        let passed = if with_offer {
            self.pass_later_answer(office, leg, by, message, now)
        } else {
            self.pass_offer(office, leg, by, message, now)
        };
        if with_offer || passed.is_err() {
            self.modifying = None;
            self.with_session(office, leg, now, |session, seat| session.ack(seat, None));
        }
        let Ok(passed) = passed else {
            self.media.refused();
            return self.refuse_change(office, change, (488, None), now);
        };
        if let Purpose::Update(update) = change.purpose {
            self.answer_update(office, (by, update), (200, passed.as_ref()), now);
        } else {
            self.accept_change(office, (leg, by), (message, passed.as_ref()), now);
        }
        if with_offer {
            self.configure(office, now);
            self.publish(office);
        }
    }

    fn accept_change(
        &mut self,
        office: &mut Office,
        (leg, by): (LegId, LegId),
        (message, passed): (&Message<'_>, Option<&OwnedBody>),
        now: Instant,
    ) {
        let withheld = self.withheld(leg, by);
        let sent = self.with_session(office, by, now, |session, seat| {
            let extra = |writer: &mut Writer| {
                headers::pass_of_answer(withheld, &message.headers, writer);
            };
            session.accept(seat, &extra, passed.map(OwnedBody::view))
        });
        // An INVITE that took the place of a dialog.
        if self.answered.is_none() && sent == Some(true) {
            self.answer_is_sent(office, now);
        }
    }

    /// Refuses a re-INVITE, or the UPDATE it stands for.
    fn refuse_change(
        &mut self,
        office: &mut Office,
        Modifying { by, purpose, .. }: Modifying,
        (code, reason): (u16, Option<Box<str>>),
        now: Instant,
    ) {
        if let Purpose::Update(update) = purpose {
            // RFC 4320 §4.2 forbids a 408 here.
            let code = if code == 408 { 480 } else { code };
            return self.answer_update(office, (by, update), (code, None), now);
        }
        self.with_session(office, by, now, |session, seat| {
            let extra = |writer: &mut Writer| {
                if let Some(reason) = &reason {
                    writer.header("Reason", reason);
                }
            };
            session.refuse(seat, (code, reason_phrase(code)), &extra);
        });
    }

    /// The other side refused the re-INVITE, or did not answer it.
    pub(super) fn modify_refused(
        &mut self,
        office: &mut Office,
        leg: LegId,
        code: u16,
        message: Option<&Message<'_>>,
        now: Instant,
    ) {
        self.media.refused();
        if let Some(change) = self.modifying.take() {
            if matches!(change.purpose, Purpose::Ask | Purpose::Meet) {
                return self.join_failed(office, for_the_other_side(code), now);
            }
            // Nobody asked for that: what was said before stands.
            if change.purpose != Purpose::Align {
                let reason = message.map(Cause::of).and_then(|it| it.reason);
                self.refuse_change(office, change, (for_the_other_side(code), reason), now);
            }
        }
        // RFC 5057 §5.1: these end the dialog, not just the request. A broken stream (503 without a
        // message) ends the request only: the phone may be back with another one.
        if matches!(code, 408 | 481) {
            self.vanished(office, leg, code, now);
        }
    }

    /// A phone is not there any more (408), or knows nothing of the session (481).
    pub(super) fn vanished(&mut self, office: &mut Office, leg: LegId, code: u16, now: Instant) {
        if let Some(session) = self.session(leg)
            && code == 481
        {
            session.abandon();
        }
        self.note(place_of(leg), What::Vanished { status: code }, now);
        self.end(office, ReleaseCode::DialogPeerVanished, Side::System, now);
    }

    /// Refuses a re-INVITE that cannot pass.
    pub(super) fn refuse_modify(
        &mut self,
        office: &mut Office,
        leg: LegId,
        code: u16,
        now: Instant,
    ) {
        self.with_session(office, leg, now, |session, seat| {
            session.refuse(seat, (code, reason_phrase(code)), &no_extra);
        });
    }

    /// The ACK of a 2xx of ours: where that 2xx made the offer, the ACK has the answer.
    pub(super) fn acked(
        &mut self,
        office: &mut Office,
        leg: LegId,
        message: &Message<'_>,
        now: Instant,
    ) {
        if matches!(self.state, State::Answered { fork: None }) {
            if self.picker_acked(office) {
                return;
            }
            return self.echo_acked(office, leg, message, now);
        }
        let Some(other) = self.other(leg) else { return };
        let owed = match self.modifying {
            Some(Modifying { by, with_offer: false, .. }) => by == leg,
            Some(_) => false,
            None => leg == LegId::Caller && self.session(other).is_some_and(|it| it.owes_ack()),
        };
        if !owed {
            return;
        }
        self.modifying = None;
        let passed = self.pass_later_answer(office, leg, other, message, now);
        let passed = passed.ok().flatten();
        // The answer was owed here; without one there is no session.
        let failed = passed.is_none();
        self.with_session(office, other, now, |session, seat| {
            session.ack(seat, passed.as_ref().map(OwnedBody::view));
        });
        if failed {
            return self.end(office, ReleaseCode::MediaCodec, Side::System, now);
        }
        self.configure(office, now);
        self.publish(office);
    }

    /// The body of an offer as the other leg is to see it.
    pub(super) fn pass_offer(
        &mut self,
        office: &mut Office,
        from: LegId,
        to: LegId,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<Option<OwnedBody>, Unusable> {
        let Some((peer, mut edition)) = self.hearer(office, to) else { return Ok(None) };
        let (from, hearer) = ((half(from), self.dtmf(from)), (peer, &mut edition));
        let passed =
            self.pass(message, |media, sdp| media.offer(office, from, hearer, sdp, now))?;
        self.keep_edition(to, edition);
        Ok(passed)
    }

    /// The body of an answer as the other leg is to see it.
    pub(super) fn pass_later_answer(
        &mut self,
        office: &mut Office,
        from: LegId,
        to: LegId,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<Option<OwnedBody>, Unusable> {
        let Some(peer) = self.peer(office, from) else { return Ok(None) };
        let Some((it, mut edition)) = self.hearer(office, to) else { return Ok(None) };
        let (from, hearer) = ((half(from), peer), (it, &mut edition));
        let passed =
            self.pass(message, |media, sdp| media.answer(office, from, hearer, sdp, false, now))?;
        self.keep_edition(to, edition);
        Ok(passed)
    }

    /// Where the phone of a leg is and what it has heard, to describe something to it.
    pub(super) fn hearer(&self, office: &Office, leg: LegId) -> Option<(Peer, Edition)> {
        self.peer(office, leg).zip(self.leg(leg).map(|it| it.edition))
    }

    /// It is told.
    pub(super) fn keep_edition(&mut self, leg: LegId, edition: Edition) {
        if let Some(leg) = self.leg_mut(leg) {
            leg.edition = edition;
        }
    }

    fn pass(
        &mut self,
        message: &Message<'_>,
        describe: impl FnOnce(&mut super::CallMedia, &[u8]) -> Result<Bytes, Unusable>,
    ) -> Result<Option<OwnedBody>, Unusable> {
        body::check(message).map_err(|_| Unusable::Description)?;
        let Some(body) = body::of(message) else { return Ok(None) };
        let Some(range) = body::sdp_range(body) else { return Ok(None) };
        let sdp = describe(&mut self.media, &body.bytes[range.clone()])?;
        Ok(Some(body::with_sdp(body, range, sdp)))
    }
}
