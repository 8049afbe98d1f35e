//! The session as UAS: provisional responses, the answer and its resending, refusal.

use super::prack::Provisionals;
use super::timer::{Terms, Timer};
use super::{Body, Extra, InviteState, Overdue, Seat, Session, State, Unacked};
use crate::dialog::{Dialog, LocalEnd};
use crate::endpoint::ServerTx;
use crate::flow::Flow;
use crate::message::{Essentials, HeaderName, Message, Writer};
use crate::transaction::{T1, T2, TIMEOUT};
use bytes::Bytes;

impl Session {
    /// The session a peer's INVITE begins; `invite` is its open transaction.
    pub fn incoming(
        message: &Message<'_>,
        it: &Essentials<'_>,
        flow: Flow,
        end: LocalEnd,
        (invite, terms): (ServerTx, Terms),
    ) -> Self {
        let reliable = message.headers.has_token(HeaderName::Require, "100rel");
        let mut session = Self {
            flow,
            dialog: Dialog::of_request(message, it, end),
            state: State::Incoming { invite },
            invite_state: InviteState::Idle,
            provisionals: if reliable {
                Provisionals::Sending(Box::default())
            } else {
                Provisionals::Plain
            },
            allows_update: false,
            timer: Timer::new(terms),
            sent: None,
            credentials: Box::default(),
            invite_cseq: it.cseq.number,
            last_ack: None,
            named: None,
            close_due: None,
        };
        session.follow(flow, it);
        session.learn_methods(message);
        session.timer.hear_request(message);
        session
    }

    /// Sends a provisional response to the first INVITE, reliably where the peer requires that. A
    /// 100 has no To tag: it makes no dialog.
    pub fn provisional<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        (code, reason): (u16, &str),
        extra: Extra<'_>,
        body: Option<Body<'_>>,
    ) {
        let State::Incoming { invite } = self.state else { return };
        let tag = (code > 100).then(|| self.dialog.end.tag.text());
        let Some(mut writer) = seat.endpoint.response(invite, code, reason, tag.as_deref()) else {
            return;
        };
        if code > 100 {
            writer.header("Contact", self.dialog.end.contact());
        }
        extra(&mut writer);
        if code > 100 && self.is_reliable() {
            self.send_reliably(seat, code, writer, body);
        } else {
            seat.endpoint.respond(invite, code, finish(writer, body), seat.now);
        }
    }

    /// Answers the INVITE that is open, the first or a later one, with 200. Returns `false` where
    /// the answer waits for a PRACK: [`Session::answer_prack`] tells when it is sent.
    pub fn accept<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        extra: Extra<'_>,
        body: Option<Body<'_>>,
    ) -> bool {
        let Some(invite) = self.open_invite() else { return false };
        let tag = self.dialog.end.tag.text();
        let Some(mut writer) = seat.endpoint.response(invite, 200, "OK", Some(&tag)) else {
            return false;
        };
        writer.header("Contact", self.dialog.end.contact());
        extra(&mut writer);
        self.timer.accept(&mut writer, seat.now);
        let described = self.described().cloned();
        let described = described.as_ref().and_then(|it| Message::parse(it).ok());
        match body {
            Some(body) => self.timer.keep(Some(body)),
            None => self.timer.begin(described.as_ref().and_then(body_of)),
        }
        let answer = finish(writer, body);
        let answer = if self.is_early() { self.hold_answer(answer) } else { Some(answer) };
        let Some(answer) = answer else { return false };
        self.send_answer(seat, invite, answer);
        true
    }

    pub(super) fn send_answer<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        invite: ServerTx,
        bytes: Bytes,
    ) {
        self.settle_provisionals();
        let flow = seat.endpoint.server_flow(invite).unwrap_or(self.flow);
        seat.endpoint.respond(invite, 200, bytes.clone(), seat.now);
        self.state = State::Established;
        self.invite_state = InviteState::Unacked(Unacked {
            flow,
            bytes,
            interval: T1,
            resend_at: seat.now + T1,
            give_up_at: seat.now + TIMEOUT,
        });
    }

    /// Refuses the INVITE that is open. Refusing the first one ends the session.
    pub fn refuse<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        (code, reason): (u16, &str),
        extra: Extra<'_>,
    ) {
        let Some(invite) = self.open_invite() else { return };
        let tag = self.dialog.end.tag.text();
        if let Some(mut writer) = seat.endpoint.response(invite, code, reason, Some(&tag)) {
            extra(&mut writer);
            seat.endpoint.respond(invite, code, writer.finish(), seat.now);
        }
        if self.is_early() {
            self.settle_provisionals();
            self.state = State::Closed;
        } else {
            self.invite_state = InviteState::Idle;
        }
    }

    /// An ACK came; returns whether it is that of our newest 2xx.
    pub(super) fn acked(&mut self, cseq: u32) -> bool {
        let awaited =
            matches!(self.invite_state, InviteState::Unacked(_)) && cseq == self.invite_cseq;
        if awaited {
            self.invite_state = InviteState::Idle;
        }
        awaited
    }

    /// Resends what waits for its acknowledgement, and says when one has not come for too long.
    #[must_use]
    pub fn handle_timeout<O: Copy>(&mut self, seat: &mut Seat<'_, O>) -> Option<Overdue> {
        if self.reliable_timeout(seat) {
            return Some(Overdue::Prack);
        }
        if self.answer_timeout(seat) {
            return Some(Overdue::Ack);
        }
        self.timer_timeout(seat)
    }

    /// Resends a 2xx that has no ACK yet. Returns `true` when it is given up, 32 s after it was
    /// first sent.
    fn answer_timeout<O: Copy>(&mut self, seat: &mut Seat<'_, O>) -> bool {
        let InviteState::Unacked(it) = &mut self.invite_state else { return false };
        if seat.now >= it.give_up_at {
            self.invite_state = InviteState::Idle;
            let Some(reason) = self.close_due.take() else { return true };
            self.close(seat, &reason);
            return false;
        }
        if seat.now >= it.resend_at {
            // Over a reliable transport too: a proxy may have lost it further on.
            it.interval = (2 * it.interval).min(T2);
            it.resend_at = seat.now + it.interval;
            seat.endpoint.send_again(it.flow, it.bytes.clone(), Some(seat.owner));
        }
        false
    }

    /// The server transaction of an INVITE without a final response.
    pub(super) fn open_invite(&self) -> Option<ServerTx> {
        match (self.state, &self.invite_state) {
            (State::Incoming { invite }, _)
            | (State::Established, &InviteState::Incoming { invite }) => Some(invite),
            (
                State::Outgoing { .. } | State::Established | State::Closing { .. } | State::Closed,
                _,
            ) => None,
        }
    }
}

/// The body of a message; `None` where it is empty.
pub(super) fn body_of<'a>(message: &Message<'a>) -> Option<Body<'a>> {
    let content_type = message.headers.get(HeaderName::ContentType).unwrap_or_default();
    (!message.body.is_empty()).then_some(Body { content_type, bytes: message.body })
}

pub(super) fn finish(writer: Writer, body: Option<Body<'_>>) -> Bytes {
    match body {
        Some(it) if !it.bytes.is_empty() => writer.finish_with(it.content_type, it.bytes),
        _ => writer.finish(),
    }
}
