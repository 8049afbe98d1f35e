//! Reliable ringing (RFC 3262): each leg has its own, and a PRACK passes from leg to leg where it
//! brings a description.
//!
//! The PRACK to a phone whose reliable response brought a description waits for the caller's, where
//! the caller sends one: that may have the answer (the INVITE had no offer) or a new offer.

use super::relay_request::{Ask, Exchange};
use super::{Call, State, body, fork_id, headers};
use crate::office::{LegId, Office};
use crate::record::Side;
use crate::release::ReleaseCode;
use sip::endpoint::ServerTx;
use sip::message::{Message, Method, Writer, reason_phrase};
use sip::session::{Reliability, no_extra};
use std::time::Instant;

/// Code and body of the answer to a PRACK.
type Answer<'a> = (u16, Option<&'a body::OwnedBody>);

impl Call {
    /// What the INVITE to a fork says, which wants it so. An offer in its reliable response could not
    /// be answered in time unless the caller's PRACK brings the answer.
    pub(super) fn reliability(&self, index: usize, wanted: Reliability) -> Reliability {
        let late_offer = matches!(self.state, State::Calling { late_offer: true, .. });
        let in_time = !late_offer || self.passes_reliably() || self.gets_our_offer(fork_id(index));
        if in_time { wanted } else { Reliability::Off }
    }

    /// A description may go to the caller in a reliable response. It cannot be taken back, so there
    /// must be no other phone to bring another one.
    pub(super) fn passes_reliably(&self) -> bool {
        self.caller.session.is_reliable() && self.forks.len() == 1
    }

    /// Acknowledges a phone's reliable response without a word.
    pub(super) fn acknowledge(&mut self, office: &mut Office, fork: usize, now: Instant) {
        self.with_session(office, fork_id(fork), now, |session, seat| {
            session.prack(seat, &no_extra, None);
        });
    }

    /// The caller acknowledged a reliable response of ours.
    pub(super) fn acknowledged(
        &mut self,
        office: &mut Office,
        prack: ServerTx,
        message: &Message<'_>,
        now: Instant,
    ) {
        let has_sdp = body::of(message).is_some_and(|it| body::sdp_range(it).is_some());
        let (held, late_offer) = match self.state {
            State::Calling { early, late_offer, .. } => (early.fork(), late_offer),
            State::Answered { .. } | State::Ended { .. } => (None, false),
        };
        let owes =
            |fork: &usize| self.leg(fork_id(*fork)).is_some_and(|it| it.session.owes_prack());
        match (has_sdp, held.filter(owes), late_offer) {
            (false, None, _) => self.answer_prack(office, prack, (200, None), now),
            (false, Some(fork), false) => {
                self.acknowledge(office, fork, now);
                self.answer_prack(office, prack, (200, None), now);
            }
            // The answer was due here; without one there is no session.
            (false, Some(fork), true) => {
                self.acknowledge(office, fork, now);
                self.answer_prack(office, prack, (200, None), now);
                self.end(office, ReleaseCode::MediaCodec, Side::System, now);
            }
            (true, Some(fork), true) => self.early_answer(office, (fork, prack), message, now),
            (true, Some(fork), false) => self.prack_offer(office, (fork, prack), message, now),
            (true, None, false) if held.is_some_and(|it| self.takes_update(it)) => {
                self.prack_offer(office, (held.unwrap_or_default(), prack), message, now);
            }
            // Nothing can carry it on.
            (true, None, _) => self.answer_prack(office, prack, (488, None), now),
        }
    }

    /// The caller's PRACK answers the offer a phone made in its reliable response.
    fn early_answer(
        &mut self,
        office: &mut Office,
        (fork, prack): (usize, ServerTx),
        message: &Message<'_>,
        now: Instant,
    ) {
        let passed = self.pass_later_answer(office, LegId::Caller, fork_id(fork), message, now);
        let Ok(Some(passed)) = passed else {
            self.acknowledge(office, fork, now);
            self.answer_prack(office, prack, (200, None), now);
            return self.end(office, ReleaseCode::MediaCodec, Side::System, now);
        };
        if let State::Calling { late_offer, .. } = &mut self.state {
            *late_offer = false;
        }
        let withheld = self.withheld(LegId::Caller, fork_id(fork));
        self.with_session(office, fork_id(fork), now, |session, seat| {
            let extra = |writer: &mut Writer| headers::pass(withheld, &message.headers, writer);
            session.prack(seat, &extra, Some(passed.view()));
        });
        self.answer_prack(office, prack, (200, None), now);
        self.configure(office, now);
        self.publish(office);
    }

    /// The caller's PRACK makes a new offer: it goes on in the PRACK that is owed, or in an UPDATE.
    fn prack_offer(
        &mut self,
        office: &mut Office,
        (fork, from): (usize, ServerTx),
        message: &Message<'_>,
        now: Instant,
    ) {
        let passed = self.pass_offer(office, LegId::Caller, fork_id(fork), message, now);
        let view = passed.as_ref().ok().and_then(Option::as_ref).map(body::OwnedBody::view);
        let view = view.filter(|_| self.may_ask_more());
        let withheld = self.withheld(LegId::Caller, fork_id(fork));
        let to = self.with_session(office, fork_id(fork), now, |session, seat| {
            let extra = |writer: &mut Writer| headers::pass(withheld, &message.headers, writer);
            let prack = session.prack(seat, &extra, view);
            prack.or_else(|| view.map(|it| session.request(seat, Method::Update, &extra, Some(it))))
        });
        match to.flatten().filter(|_| view.is_some()) {
            Some(to) => {
                self.asks.push(Ask { by: LegId::Caller, from, to, exchange: Exchange::Prack });
            }
            None => self.answer_prack(office, from, (488, None), now),
        }
    }

    /// An offer may go to a phone before its answer.
    fn takes_update(&self, fork: usize) -> bool {
        let leg = self.leg(fork_id(fork));
        leg.is_some_and(|it| it.session.is_settled() && it.session.allows_update())
    }

    /// A phone answered the PRACK with the caller's offer. Whatever it says of the PRACK, the call
    /// goes on.
    pub(super) fn prack_answered(
        &mut self,
        office: &mut Office,
        (leg, from): (LegId, ServerTx),
        (code, message): (u16, Option<&Message<'_>>),
        now: Instant,
    ) {
        let accepted = message.filter(|_| (200..300).contains(&code));
        let passed = accepted.and_then(|message| {
            self.pass_later_answer(office, leg, LegId::Caller, message, now).ok().flatten()
        });
        let Some(passed) = passed else {
            self.media.refused();
            return self.answer_prack(office, from, (488, None), now);
        };
        self.answer_prack(office, from, (200, Some(&passed)), now);
        self.configure(office, now);
    }

    fn answer_prack(
        &mut self,
        office: &mut Office,
        prack: ServerTx,
        (code, body): Answer<'_>,
        now: Instant,
    ) {
        let sent = self.with_session(office, LegId::Caller, now, |session, seat| {
            let view = body.map(body::OwnedBody::view);
            session.answer_prack(seat, (prack, code, reason_phrase(code)), &no_extra, view)
        });
        if sent == Some(true) {
            self.answer_is_sent(office, now);
        }
    }
}
