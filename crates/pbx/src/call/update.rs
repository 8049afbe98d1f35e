//! UPDATE (RFC 3311): with an offer it passes from leg to leg, before the answer and after it; without
//! one it asks whether the session is still there.
//!
//! One offer at a time: whose turn it is decides before anything passes (RFC 3311 §5.2). To a phone
//! without UPDATE the offer goes as a re-INVITE, once the call is answered.

use super::begin::unusable;
use super::body::{self, OwnedBody};
use super::end::for_the_other_side;
use super::facts::place_of;
use super::relay_request::{Ask, Exchange};
use super::{Call, Modifying, Purpose, State, fork_id, headers};
use crate::office::{LegId, Office};
use crate::record::Side;
use crate::release::ReleaseCode;
use crate::verdict::fact::What;
use sip::endpoint::ServerTx;
use sip::message::{Message, Method, Writer, reason_phrase};
use std::time::Instant;

/// Whose offer awaits its answer in the session with a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Free,
    /// Ours: 491.
    Ours,
    /// The phone's own: 500, to be tried again.
    Theirs,
}

impl Call {
    /// A phone sent an UPDATE.
    pub(super) fn update_asked(
        &mut self,
        office: &mut Office,
        by: LegId,
        update: ServerTx,
        message: &Message<'_>,
        now: Instant,
    ) {
        let outcome = match body::of(message) {
            // Keep-alive: whether the session exists.
            None => return self.answer_update(office, (by, update), (200, None), now),
            Some(_) if body::check(message).is_err() => Err(400),
            Some(it) if body::sdp_range(it).is_none() => Err(415),
            Some(_) => self.pass_update(office, by, update, message, now),
        };
        if let Err(code) = outcome {
            self.answer_update(office, (by, update), (code, None), now);
        }
    }

    fn pass_update(
        &mut self,
        office: &mut Office,
        by: LegId,
        update: ServerTx,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<(), u16> {
        match self.turn(by) {
            Turn::Free => {}
            Turn::Ours => return Err(491),
            Turn::Theirs => return Err(500),
        }
        if matches!(self.state, State::Answered { fork: None }) {
            let sdp = self.describe_echo(office, message, now);
            let sdp = sdp.map_err(|why| unusable(why).status())?;
            let body = OwnedBody { content_type: "application/sdp".into(), bytes: sdp };
            self.answer_update(office, (by, update), (200, Some(&body)), now);
            self.configure(office, now);
            return Ok(());
        }
        // A phone whose early media is not heard may be the one that answers yet.
        let other = self.hears(by).filter(|_| self.is_heard(by)).ok_or(491_u16)?;
        if self.turn(other) != Turn::Free {
            return Err(491);
        }
        if !self.may_ask_more() {
            return Err(503);
        }
        let session = self.session(other).ok_or(480_u16)?;
        let (takes_update, may_offer) = (session.allows_update(), session.may_offer());
        if !takes_update && !may_offer {
            return Err(488);
        }
        let passed = self.pass_offer(office, by, other, message, now);
        let passed = passed.map_err(|why| unusable(why).status())?;
        let view = passed.as_ref().map(OwnedBody::view);
        let withheld = self.withheld(by, other);
        let extra = |writer: &mut Writer| {
            writer.header("Allow", headers::ALLOW);
            headers::pass(withheld, &message.headers, writer);
        };
        if takes_update {
            let to = self.with_session(office, other, now, |session, seat| {
                session.request(seat, Method::Update, &extra, view)
            });
            let ask = |to| Ask { by, from: update, to, exchange: Exchange::Update };
            self.asks.extend(to.map(ask));
        } else {
            self.modifying =
                Some(Modifying { by, with_offer: true, purpose: Purpose::Update(update) });
            self.with_session(office, other, now, |session, seat| {
                session.modify(seat, &extra, view);
            });
        }
        Ok(())
    }

    /// The other phone answered the UPDATE; without a message it did not.
    pub(super) fn update_answered(
        &mut self,
        office: &mut Office,
        (leg, by, update): (LegId, LegId, ServerTx),
        (code, message): (u16, Option<&Message<'_>>),
        now: Instant,
    ) {
        let accepted = message.filter(|_| (200..300).contains(&code));
        let passed = accepted.and_then(|message| {
            self.pass_later_answer(office, leg, by, message, now).ok().flatten()
        });
        let Some(passed) = passed else {
            self.media.refused();
            // RFC 4320 §4.2 forbids a 408 here; an answer without a description is none.
            let told = match code {
                200..300 => 488,
                408 => 480,
                code => for_the_other_side(code),
            };
            self.answer_update(office, (by, update), (told, None), now);
            // As after a re-INVITE: a broken stream ends the request only.
            if matches!(code, 408 | 481) && matches!(self.state, State::Answered { .. }) {
                self.note(place_of(leg), What::Vanished { status: code }, now);
                self.end(office, ReleaseCode::DialogPeerVanished, Side::System, now);
            }
            return;
        };
        self.answer_update(office, (by, update), (200, Some(&passed)), now);
        self.configure(office, now);
        self.publish(office);
    }

    pub(super) fn answer_update(
        &mut self,
        office: &mut Office,
        (leg, update): (LegId, ServerTx),
        (code, body): (u16, Option<&OwnedBody>),
        now: Instant,
    ) {
        self.with_session(office, leg, now, |session, seat| {
            let extra = |writer: &mut Writer| {
                writer.header("Allow", headers::ALLOW);
                if code == 500 {
                    writer.header("Retry-After", 5);
                }
            };
            let answer = (update, code, reason_phrase(code));
            session.answer_update(seat, answer, &extra, body.map(OwnedBody::view));
        });
    }

    /// Whose offer is open between us and the phone of a leg.
    pub(super) fn turn(&self, leg: LegId) -> Turn {
        let of = |by: LegId| if by == leg { Turn::Theirs } else { Turn::Ours };
        if let Some(it) = self.asks.iter().find(|it| it.exchange != Exchange::None) {
            return of(it.by);
        }
        if let Some(it) = self.modifying {
            return of(it.by);
        }
        let Some(session) = self.leg(leg).map(|it| &it.session) else { return Turn::Ours };
        if !session.is_early() {
            // The 2xx of a call without an offer was one: its answer is in the ACK.
            let offered = match self.state {
                State::Answered { fork: Some(fork) } => Some(fork_id(fork)),
                State::Answered { fork: None } | State::Calling { .. } | State::Ended { .. } => {
                    None
                }
            };
            let open = offered.filter(|it| self.leg(*it).is_some_and(|it| it.session.owes_ack()));
            return open.map_or(Turn::Free, of);
        }
        let late_offer = matches!(self.state, State::Calling { late_offer: true, .. });
        match (session.is_settled(), leg) {
            (true, _) => Turn::Free,
            (false, LegId::Caller) if late_offer && session.has_described() => Turn::Ours,
            (false, LegId::Caller) => Turn::Theirs,
            (false, LegId::Callee(_)) => Turn::Ours,
        }
    }

    /// Before the answer one phone of the callee is heard; it speaks for the session.
    fn is_heard(&self, leg: LegId) -> bool {
        match (&self.state, leg) {
            (State::Calling { early, .. }, LegId::Callee(_)) => {
                early.fork().map(fork_id) == Some(leg)
            }
            (State::Calling { .. } | State::Answered { .. } | State::Ended { .. }, _) => true,
        }
    }
}
