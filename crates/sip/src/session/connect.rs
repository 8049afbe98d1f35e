//! The session as UAC: INVITE, its responses, its ACK, and giving it up.

use super::accept::{body_of, finish};
use super::prack::{Order, Provisionals, Reliability};
use super::timer::{Terms, Timer};
use super::{Body, Extra, InviteState, Seat, Session, State};
use crate::dialog::Dialog;
use crate::endpoint::{ClientTx, Endpoint, derive};
use crate::flow::Flow;
use crate::message::block::{self, Life};
use crate::message::{Essentials, HeaderName, Message, Method};
use std::time::Instant;

/// What a response, or the lack of one, means for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The first INVITE has reached somebody.
    Trying,
    /// A provisional response above 100 to the first INVITE; to a reliable one [`Session::prack`]
    /// is owed.
    Progress {
        code: u16,
        reliable: bool,
    },
    /// The first INVITE was answered; [`Session::ack`] is owed.
    Accepted,
    /// The first INVITE was refused, or nobody answered (408), or the way broke (503). The
    /// session is closed.
    Refused(u16),
    /// Our re-INVITE was answered; [`Session::ack`] is owed.
    Modified,
    ModifyRefused(u16),
    /// Our refresh of the session found nobody (408) or no session (481): it should be ended.
    Vanished(u16),
    /// Our BYE is through, or nobody answered it: the session is closed.
    Closed,
    /// The way of our BYE is broken: the session is closed, and its peer does not know.
    Unheard,
    /// The final response to another request of ours.
    Other(ClientTx, u16),
    Nothing,
}

/// The first INVITE of a new session.
pub struct Offer<'a> {
    pub max_forwards: u8,
    pub reliability: Reliability,
    pub terms: Terms,
    pub extra: Extra<'a>,
    pub body: Option<Body<'a>>,
}

impl Session {
    /// Sends the first INVITE of a new session. The Request-URI is the dialog's target.
    pub fn connect<O: Copy>(
        seat: &mut Seat<'_, O>,
        flow: Flow,
        mut dialog: Dialog,
        Offer { max_forwards, reliability, terms, extra, body }: Offer<'_>,
    ) -> Self {
        dialog.local_cseq += 1;
        let branch = seat.endpoint.new_branch();
        let mut writer =
            dialog.request_with(Method::Invite, dialog.local_cseq, branch, max_forwards);
        let timer = Timer::new(terms);
        reliability.write(&mut writer, timer.is_wanted(), seat.endpoint.supported);
        timer.write_first(&mut writer);
        extra(&mut writer);
        let bytes = finish(writer, body);
        let owner = Some(seat.owner);
        let sent = Some(bytes.clone());
        let invite = seat.endpoint.request(flow, Method::Invite, branch, bytes, owner, seat.now);
        let state = State::Outgoing { invite, cancelled: false };
        Self {
            flow,
            dialog,
            state,
            invite_state: InviteState::Idle,
            provisionals: Provisionals::Plain,
            allows_update: false,
            timer,
            sent,
            credentials: Box::default(),
            invite_cseq: 0,
            last_ack: None,
            named: None,
            close_due: None,
        }
    }

    /// Takes a response to a request of this session.
    pub fn handle_response<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        transaction: ClientTx,
        message: &Message<'_>,
        it: &Essentials<'_>,
    ) -> Answer {
        let code = message.status().unwrap_or_default();
        if self.is_refresh(transaction) {
            return self.refresh_answered(seat, (message, it), code);
        }
        match (self.state, code) {
            (State::Outgoing { invite, cancelled }, _) if invite == transaction => {
                self.first_response(seat, (message, it), code, cancelled)
            }
            (State::Closing { bye }, 200..) if bye == transaction => {
                self.state = State::Closed;
                Answer::Closed
            }
            (State::Established | State::Closing { .. } | State::Closed, _)
                if it.cseq.method == Method::Invite =>
            {
                self.later_response(seat, transaction, (message, it), code)
            }
            (_, 200..) => {
                self.description_accepted(message, it.cseq.method, code, seat.now);
                Answer::Other(transaction, code)
            }
            _ => Answer::Nothing,
        }
    }

    /// What an UPDATE or PRACK of ours said stands.
    fn description_accepted(
        &mut self,
        message: &Message<'_>,
        method: Method<'_>,
        code: u16,
        now: Instant,
    ) {
        if code >= 300 {
            return;
        }
        let (update, early) = (method == Method::Update, self.is_early());
        if update {
            self.refresh_target(message);
        }
        if early && (update || method == Method::Prack) {
            self.timer.accepted_early(!update);
        } else if update {
            self.timer.accepted(message, now);
        }
    }

    /// Nobody answered (`code` 408) or the transport failed (503).
    pub fn handle_failure(&mut self, transaction: ClientTx, code: u16, now: Instant) -> Answer {
        if self.is_refresh(transaction) {
            return self.refresh_failed(transaction, code, now);
        }
        match (self.state, &self.invite_state) {
            (State::Outgoing { invite, .. }, _) if invite == transaction => {
                self.state = State::Closed;
                Answer::Refused(code)
            }
            (State::Closing { bye }, _) if bye == transaction => {
                self.state = State::Closed;
                if code == 503 { Answer::Unheard } else { Answer::Closed }
            }
            (_, InviteState::Outgoing { invite }) if *invite == transaction => {
                self.invite_state = InviteState::Idle;
                Answer::ModifyRefused(code)
            }
            _ => Answer::Other(transaction, code),
        }
    }

    /// Acknowledges the 2xx that was reported, with an answer if the 2xx was the offer.
    pub fn ack<O: Copy>(&mut self, seat: &mut Seat<'_, O>, body: Option<Body<'_>>) {
        let InviteState::AckOwed { cseq } = self.invite_state else { return };
        let branch = seat.endpoint.new_branch();
        let mut writer = self.dialog.request(Method::Ack, cseq, branch);
        for (name, value) in &self.credentials {
            writer.text_header(name.as_str(), value);
        }
        self.timer.keep(body);
        let bytes = finish(writer, body);
        self.last_ack = Some((cseq, (*bytes).into()));
        seat.endpoint.send(self.flow, bytes, Some(seat.owner));
        self.invite_state = InviteState::Idle;
    }

    /// Gives up the first INVITE: CANCEL now or after the first provisional. The session closes
    /// with the final response; a 2xx that crosses is acknowledged and ended with BYE.
    pub fn cancel<O: Copy>(&mut self, seat: &mut Seat<'_, O>, reason: &str) {
        if let State::Outgoing { invite, cancelled } = &mut self.state
            && !*cancelled
        {
            *cancelled = true;
            seat.endpoint.cancel(*invite, reason, seat.now);
        }
    }

    fn first_response<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        (message, it): (&Message<'_>, &Essentials<'_>),
        code: u16,
        cancelled: bool,
    ) -> Answer {
        match code {
            0..=99 => Answer::Nothing,
            100 => Answer::Trying,
            101..=199 if cancelled => Answer::Nothing,
            101..=199 => {
                let order = self.order_of(message, it);
                if order == Order::Other {
                    return Answer::Nothing;
                }
                // The PRACK that is owed goes to the dialog it is owed to.
                if it.to_tag.is_some() && (order == Order::Next || !self.owes_prack()) {
                    self.learn(message, it);
                }
                Answer::Progress { code, reliable: order == Order::Next }
            }
            200..=299 => {
                self.settle_provisionals();
                self.learn(message, it);
                self.start_timer(seat, message);
                self.state = State::Established;
                self.invite_state = InviteState::AckOwed { cseq: it.cseq.number };
                if cancelled {
                    // The answer crossed our CANCEL: the peer thinks we talk.
                    self.ack(seat, None);
                    self.close(seat, "");
                    return Answer::Nothing;
                }
                Answer::Accepted
            }
            422 if !cancelled && self.timer.raise(message) && self.ask_for_longer(seat) => {
                Answer::Nothing
            }
            420 if !cancelled && self.does_without(seat, message) => Answer::Nothing,
            _ => {
                self.settle_provisionals();
                self.state = State::Closed;
                Answer::Refused(code)
            }
        }
    }

    /// The peer refuses extensions that we offered or required (RFC 3261 §8.1.3.5): the INVITE
    /// goes out again without them. `false`: it named none of ours.
    fn does_without<O: Copy>(&mut self, seat: &mut Seat<'_, O>, refusal: &Message<'_>) -> bool {
        let refused: Vec<&str> = refusal.headers.values(HeaderName::Unsupported).collect();
        let is_refused = |it: &str| refused.iter().any(|one| one.eq_ignore_ascii_case(it));
        let Some(sent) = self.sent.clone() else { return false };
        // Ours, so it parses.
        let Ok(invite) = Message::parse(&sent) else { return false };
        let has = |it: &str| {
            let named = [HeaderName::Require, HeaderName::Supported];
            named.into_iter().any(|name| invite.headers.has_token(name, it))
        };
        if !refused.iter().any(|it| has(it)) {
            return false;
        }
        let left = |name: HeaderName| {
            let values = invite.headers.values(name).filter(|it| !is_refused(it));
            (name, values.collect::<Vec<_>>().join(", "))
        };
        let mut changes = vec![left(HeaderName::Require), left(HeaderName::Supported)];
        if is_refused("timer") {
            self.timer.do_without();
            changes.push((HeaderName::SessionExpires, String::new()));
            changes.push((HeaderName::MinSe, String::new()));
        }
        self.send_again(seat, &changes)
    }

    /// The first INVITE once more, as a new transaction of a new dialog, with these headers in the
    /// place of its own.
    fn send_again<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        changes: &[(HeaderName, String)],
    ) -> bool {
        let Some(sent) = self.sent.take() else { return false };
        let cseq = self.dialog.local_cseq + 1;
        let branch = seat.endpoint.new_branch();
        let again = derive::again(&sent, self.dialog.end.via(branch), cseq, changes);
        let Some(bytes) = again else { return false };
        if let Ok(invite) = Message::parse(&bytes) {
            self.dialog.forget(&invite);
        }
        self.dialog.local_cseq = cseq;
        self.provisionals = Provisionals::Plain;
        self.timer.forget_early();
        self.sent = Some(bytes.clone());
        let owner = Some(seat.owner);
        let invite =
            seat.endpoint.request(self.flow, Method::Invite, branch, bytes, owner, seat.now);
        self.state = State::Outgoing { invite, cancelled: false };
        true
    }

    /// The peer's sessions last longer (RFC 4028 §7.3).
    fn ask_for_longer<O: Copy>(&mut self, seat: &mut Seat<'_, O>) -> bool {
        let Terms { expires_s, min_s } = self.timer.terms();
        let changes = [
            (HeaderName::SessionExpires, expires_s.to_string()),
            (HeaderName::MinSe, min_s.to_string()),
        ];
        self.send_again(seat, &changes)
    }

    /// The first INVITE is answered: its description stands.
    fn start_timer<O: Copy>(&mut self, seat: &Seat<'_, O>, message: &Message<'_>) {
        self.timer.refreshed(message, seat.now);
        let sent = self.sent.take();
        let invite = sent.as_ref().and_then(|it| Message::parse(it).ok());
        self.timer.begin(invite.as_ref().and_then(body_of));
    }

    /// A response to a re-INVITE, or one more 2xx to the first INVITE.
    fn later_response<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        transaction: ClientTx,
        (message, it): (&Message<'_>, &Essentials<'_>),
        code: u16,
    ) -> Answer {
        let awaited =
            matches!(self.invite_state, InviteState::Outgoing { invite } if invite == transaction);
        match code {
            200..=299 if awaited => {
                self.refresh_target(message);
                self.timer.accepted(message, seat.now);
                self.invite_state = InviteState::AckOwed { cseq: it.cseq.number };
                if self.state == State::Established {
                    return Answer::Modified;
                }
                // It crossed a BYE: acknowledged all the same (RFC 3261 §13.2.2.4).
                self.ack(seat, None);
                Answer::Nothing
            }
            300.. if awaited => {
                self.invite_state = InviteState::Idle;
                Answer::ModifyRefused(code)
            }
            200..=299 if *self.dialog.remote_tag == *it.to_tag.unwrap_or_default() => {
                // A copy: its ACK was lost. While the user still owes the ACK there is none.
                if let Some((cseq, bytes)) = &self.last_ack
                    && *cseq == it.cseq.number
                {
                    seat.endpoint.send_again(
                        self.flow,
                        block::copy(Life::Turn, bytes),
                        Some(seat.owner),
                    );
                }
                Answer::Nothing
            }
            // A leg that moved to another call has left an absent session here: not its dialog.
            200..=299 if *self.dialog.call_id == *it.call_id => {
                self.end_fork(seat.endpoint, seat.owner, seat.now, message, it);
                Answer::Nothing
            }
            _ => Answer::Nothing,
        }
    }

    /// Another phone behind a forking proxy answered too: it is acknowledged and ended
    /// (RFC 3261 §13.2.2.4).
    fn end_fork<O: Copy>(
        &self,
        endpoint: &mut Endpoint<O>,
        owner: O,
        now: Instant,
        message: &Message<'_>,
        it: &Essentials<'_>,
    ) {
        let mut fork = self.dialog.clone();
        fork.learn(message, it);
        let ack = fork.request(Method::Ack, it.cseq.number, endpoint.new_branch()).finish();
        endpoint.send(self.flow, ack, Some(owner));
        let branch = endpoint.new_branch();
        let bye = fork.next_request(Method::Bye, branch).finish();
        endpoint.request(self.flow, Method::Bye, branch, bye, None, now);
    }
}
