//! What the peer asks within the dialog (RFC 3261 §12.2.2).

use super::{Extra, InviteState, Seat, Session, State, no_extra, timer};
use crate::endpoint::ServerTx;
use crate::flow::Flow;
use crate::message::block::Life;
use crate::message::{Essentials, Message, Method, Writer, response_to_checked};
use std::net::IpAddr;

/// What a request within the dialog means for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// The ACK of our 2xx; its body, if any, is the answer to our offer.
    Acked,
    /// A re-INVITE: [`Session::accept`] or [`Session::refuse`] it.
    Modify,
    /// The peer hung up; answered. The session is closed, unless its first INVITE is open, which
    /// must still be refused.
    Closed,
    /// The PRACK of a reliable provisional response of ours: answer this transaction by
    /// [`Session::answer_prack`].
    Acknowledged(ServerTx),
    /// Another method: answer this transaction.
    Other(ServerTx),
    /// Out of order, or in the way of another INVITE: answered here, or an ACK nobody awaits.
    Nothing,
}

impl Session {
    /// Takes a request whose dialog this is; the transaction layer has found it to be new.
    pub fn handle_request<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        flow: Flow,
        message: &Message<'_>,
        it: &Essentials<'_>,
    ) -> Request {
        let method = it.cseq.method;
        let known_host = self.flow.remote.ip();
        self.follow(flow, it);
        if method == Method::Ack {
            let acked = self.acked(it.cseq.number);
            if acked {
                self.timer.hear_answer(message);
            }
            let Some(reason) = self.close_due.take().filter(|_| acked) else {
                return if acked { Request::Acked } else { Request::Nothing };
            };
            self.close(seat, &reason);
            return Request::Nothing;
        }
        if self.dialog.remote_cseq.is_some_and(|newest| it.cseq.number <= newest) {
            self.answer(seat, flow, (message, it), (500, "CSeq Out Of Order"));
            return Request::Nothing;
        }
        self.dialog.remote_cseq = Some(it.cseq.number);
        let renews = matches!(method, Method::Invite | Method::Update) && self.is_established();
        if renews && timer::is_too_brief(message, self.timer.terms().min_s) {
            self.answer_too_brief(seat, flow, (message, it));
            return Request::Nothing;
        }
        self.hear_timer(message, method, known_host);
        match (method, self.state) {
            (Method::Bye, State::Closed) => {
                self.answer(seat, flow, (message, it), (481, "Call/Transaction Does Not Exist"));
                Request::Nothing
            }
            (Method::Bye, state) => {
                self.answer(seat, flow, (message, it), (200, "OK"));
                self.hung_up(seat, state);
                Request::Closed
            }
            (Method::Invite, State::Established) => self.modify_asked(seat, flow, (message, it)),
            (Method::Invite, State::Incoming { .. }) => {
                self.answer_too_soon(seat, flow, (message, it));
                Request::Nothing
            }
            (Method::Invite, State::Outgoing { .. }) => {
                self.answer(seat, flow, (message, it), (491, "Request Pending"));
                Request::Nothing
            }
            (Method::Prack, _) => match self.acknowledged(seat, flow, (message, it)) {
                Some(prack) => Request::Acknowledged(prack),
                None => Request::Nothing,
            },
            (_, State::Closing { .. } | State::Closed) => {
                self.answer(seat, flow, (message, it), (481, "Call/Transaction Does Not Exist"));
                Request::Nothing
            }
            _ => {
                if method == Method::Update {
                    self.dialog.refresh_target(message);
                    self.learn_methods(message);
                    self.follow(flow, it);
                }
                Request::Other(seat.endpoint.open(flow, message, it, seat.owner))
            }
        }
    }

    /// What a request says of the session timer and of the description that stands.
    fn hear_timer(&mut self, message: &Message<'_>, method: Method<'_>, known_host: IpAddr) {
        if matches!(method, Method::Invite | Method::Update) && self.is_established() {
            self.timer.hear_request(message);
        } else if method == Method::Update && !message.body.is_empty() {
            self.timer.hear_early_offer();
        }
        if self.flow.remote.ip() != known_host {
            // Its media comes from elsewhere too: the same description is news.
            self.timer.hear_move();
        }
    }

    fn hung_up<O: Copy>(&mut self, seat: &mut Seat<'_, O>, state: State) {
        match state {
            // BYE from both sides at once: ours is still to be answered, and will be.
            State::Closing { .. } | State::Incoming { .. } => {}
            State::Outgoing { .. } => self.cancel(seat, ""),
            State::Established | State::Closed => {
                if matches!(self.invite_state, InviteState::Incoming { .. }) {
                    self.refuse(seat, (487, "Request Terminated"), &no_extra);
                }
                // The peer resends its 2xx until it hears this.
                self.ack(seat, None);
                self.give_up_offer(seat);
                self.state = State::Closed;
            }
        }
    }

    fn modify_asked<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        flow: Flow,
        (message, it): (&Message<'_>, &Essentials<'_>),
    ) -> Request {
        match self.invite_state {
            InviteState::Idle => {
                self.dialog.refresh_target(message);
                self.learn_methods(message);
                self.follow(flow, it);
                self.invite_cseq = it.cseq.number;
                let invite = seat.endpoint.open(flow, message, it, seat.owner);
                self.invite_state = InviteState::Incoming { invite };
                if let Some(writer) = seat.endpoint.response(invite, 100, "Trying", None) {
                    seat.endpoint.respond(invite, 100, writer.finish(), seat.now);
                }
                if self.refreshes(message) {
                    self.accept_refresh(seat);
                    return Request::Nothing;
                }
                Request::Modify
            }
            InviteState::Incoming { .. } => {
                self.answer_too_soon(seat, flow, (message, it));
                Request::Nothing
            }
            // One of ours is open, or its ACK is missing.
            InviteState::Outgoing { .. }
            | InviteState::AckOwed { .. }
            | InviteState::Unacked(_) => {
                self.answer(seat, flow, (message, it), (491, "Request Pending"));
                Request::Nothing
            }
        }
    }

    /// One of the peer's INVITEs awaits its final response already (RFC 3261 §14.2).
    fn answer_too_soon<O: Copy>(
        &self,
        seat: &mut Seat<'_, O>,
        flow: Flow,
        request: (&Message<'_>, &Essentials<'_>),
    ) {
        let later = |writer: &mut Writer| {
            writer.header("Retry-After", 5);
        };
        self.answer_with(seat, flow, request, (500, "Server Internal Error"), &later);
    }

    /// RFC 4028 §9.
    fn answer_too_brief<O: Copy>(
        &self,
        seat: &mut Seat<'_, O>,
        flow: Flow,
        request: (&Message<'_>, &Essentials<'_>),
    ) {
        let least = |writer: &mut Writer| {
            writer.header("Min-SE", self.timer.terms().min_s);
        };
        self.answer_with(seat, flow, request, (422, "Session Interval Too Small"), &least);
    }

    /// Answers at once, in a transaction: a copy gets the same answer, and an INVITE its ACK.
    pub(super) fn answer<O: Copy>(
        &self,
        seat: &mut Seat<'_, O>,
        flow: Flow,
        request: (&Message<'_>, &Essentials<'_>),
        status: (u16, &str),
    ) {
        self.answer_with(seat, flow, request, status, &no_extra);
    }

    fn answer_with<O: Copy>(
        &self,
        seat: &mut Seat<'_, O>,
        flow: Flow,
        (message, it): (&Message<'_>, &Essentials<'_>),
        (code, reason): (u16, &str),
        extra: Extra<'_>,
    ) {
        let tag = self.dialog.end.tag.text();
        let mut writer = response_to_checked(
            (message, it),
            Life::Transaction,
            (code, reason),
            Some(&tag),
            flow.remote,
        );
        extra(&mut writer);
        seat.endpoint.answer(flow, (message, it), seat.owner, (code, writer), seat.now);
    }
}
