//! Requests within the dialog that pass from leg to leg and back: INFO (RFC 6086) and MESSAGE
//! (RFC 3428 §8). Offers in PRACK and UPDATE await their answers here too.

use super::early::Early;
use super::end::for_the_other_side;
use super::facts::place_of;
use super::{Call, Purpose, State, body, fork_id, headers};
use crate::office::{LegId, Office};
use crate::record::Side;
use crate::release::ReleaseCode;
use crate::verdict::fact::What;
use sip::endpoint::{ClientTx, ServerTx};
use sip::message::{Essentials, Message, Method, Writer, reason_phrase};
use std::time::Instant;

/// Most requests under way in one call; more get 503.
const ASKS_MAX: usize = 8;

/// A request passed on whose answer is awaited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    /// The leg that asked.
    pub by: LegId,
    pub from: ServerTx,
    pub to: ClientTx,
    pub exchange: Exchange,
}

/// What the answer is to the two legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// Theirs alone: it passes as it is.
    None,
    /// The answer to an offer in a PRACK.
    Prack,
    /// The answer to an offer in an UPDATE.
    Update,
}

impl Call {
    /// A phone asks something within its dialog.
    pub(super) fn asked(
        &mut self,
        office: &mut Office,
        leg: LegId,
        from: ServerTx,
        (message, it): (&Message<'_>, &Essentials<'_>),
        now: Instant,
    ) {
        let method = it.cseq.method;
        match method {
            // Keep-alive: whether the session exists.
            Method::Info | Method::Message if message.body.is_empty() => {
                return self.respond(office, from, 200, now);
            }
            Method::Info if self.is_pressed(office, leg, message) => {
                return self.respond(office, from, 200, now);
            }
            Method::Info | Method::Message => {}
            Method::Refer => return self.refer_asked(office, (leg, from), (message, it), now),
            Method::Update => return self.update_asked(office, leg, from, message, now),
            Method::Options => return self.respond(office, from, 200, now),
            Method::Invite
            | Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Register
            | Method::Prack
            | Method::Subscribe
            | Method::Notify
            | Method::Publish => return self.respond(office, from, 405, now),
            Method::Other(_) => return self.respond(office, from, 501, now),
        }
        if matches!(self.state, State::Answered { fork: None }) {
            return self.respond(office, from, 200, now);
        }
        let reachable = |call: &mut Self, leg| call.session(leg).is_some_and(|it| it.may_ask());
        let Some(other) = self.hears(leg).filter(|&it| reachable(self, it)) else {
            // Nobody is there yet, which is no reason to end the dialog (RFC 5057 §5.1).
            return self.respond(office, from, 480, now);
        };
        if !self.may_ask_more() {
            return self.respond(office, from, 503, now);
        }
        let withheld = self.withheld(leg, other);
        let to = self.with_session(office, other, now, |session, seat| {
            let extra = |writer: &mut Writer| headers::pass(withheld, &message.headers, writer);
            session.request(seat, method, &extra, body::of(message))
        });
        self.asks.extend(to.map(|to| Ask { by: leg, from, to, exchange: Exchange::None }));
    }

    pub(super) fn may_ask_more(&self) -> bool {
        self.asks.len() < ASKS_MAX
    }

    /// Who hears what a leg says: before the answer, the caller and the phone whose early media is
    /// heard, or the only one that is called.
    pub(super) fn hears(&self, leg: LegId) -> Option<LegId> {
        match (&self.state, leg) {
            (State::Calling { early: Early::Of(fork), .. }, LegId::Caller) => Some(fork_id(*fork)),
            (State::Calling { .. }, LegId::Caller) if self.forks.len() == 1 => Some(fork_id(0)),
            (State::Calling { .. }, LegId::Callee(_)) => Some(LegId::Caller),
            (State::Calling { .. } | State::Answered { .. } | State::Ended { .. }, _) => {
                self.other(leg)
            }
        }
    }

    /// The other side answered what was passed on; without a message it did not.
    pub(super) fn ask_answered(
        &mut self,
        office: &mut Office,
        (leg, to): (LegId, ClientTx),
        (code, message): (u16, Option<&Message<'_>>),
        now: Instant,
    ) {
        let Some(index) = self.asks.iter().position(|it| it.to == to) else {
            if self.digit_answered(office, to, now) {
                self.end_if_vanished(office, (leg, code), now);
            }
            return;
        };
        let Ask { by, from, exchange, .. } = self.asks.remove(index);
        match exchange {
            Exchange::None => self.pass_response(office, (leg, by, from), (code, message), now),
            Exchange::Prack => self.prack_answered(office, (leg, from), (code, message), now),
            Exchange::Update => {
                self.update_answered(office, (leg, by, from), (code, message), now);
            }
        }
    }

    fn pass_response(
        &mut self,
        office: &mut Office,
        (leg, by, from): (LegId, LegId, ServerTx),
        (code, message): (u16, Option<&Message<'_>>),
        now: Instant,
    ) {
        let status = code;
        // RFC 4320 §4.2 forbids a 408 here.
        let code = if code == 408 { 480 } else { for_the_other_side(code) };
        let tag = self.caller.tag.to_string();
        let Some(mut writer) =
            office.endpoint.response(from, code, reason_phrase(code), Some(&tag))
        else {
            return;
        };
        let bytes = match message {
            Some(message) => {
                headers::pass(self.withheld(leg, by), &message.headers, &mut writer);
                match body::of(message) {
                    Some(body) => writer.finish_with(body.content_type, body.bytes),
                    None => writer.finish(),
                }
            }
            None => writer.finish(),
        };
        office.endpoint.respond(from, code, bytes, now);
        self.end_if_vanished(office, (leg, status), now);
    }

    /// The dialog is gone on that side (RFC 3261 §12.2.1.2); a broken stream (503 without a
    /// message) ends the request only.
    fn end_if_vanished(&mut self, office: &mut Office, (leg, status): (LegId, u16), now: Instant) {
        let vanished = matches!(status, 408 | 481);
        if vanished && matches!(self.state, State::Answered { .. }) {
            self.note(place_of(leg), What::Vanished { status }, now);
            self.end(office, ReleaseCode::DialogPeerVanished, Side::System, now);
        }
    }

    /// The call ends: nobody will answer these any more.
    pub(super) fn refuse_asks(&mut self, office: &mut Office, now: Instant) {
        let update = match self.modifying.take().map(|it| it.purpose) {
            Some(Purpose::Update(update)) => Some(update),
            Some(Purpose::Change | Purpose::Ask | Purpose::Meet | Purpose::Align) | None => None,
        };
        let asks = std::mem::take(&mut self.asks);
        for from in asks.iter().map(|it| it.from).chain(update) {
            self.respond(office, from, 487, now);
        }
    }

    pub(super) fn respond(&self, office: &mut Office, to: ServerTx, code: u16, now: Instant) {
        let tag = self.caller.tag.to_string();
        let response = office.endpoint.response(to, code, reason_phrase(code), Some(&tag));
        if let Some(mut writer) = response {
            writer.header("Allow", headers::ALLOW);
            office.endpoint.respond(to, code, writer.finish(), now);
        }
    }
}
