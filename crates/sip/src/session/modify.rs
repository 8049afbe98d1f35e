//! Changing a session: re-INVITE in both directions (RFC 3261 §14).

use super::accept::finish;
use super::{Body, Extra, InviteState, Seat, Session};
use crate::message::Method;

impl Session {
    /// Sends a re-INVITE; with a body it is an offer, without it asks for one. Does nothing
    /// unless [`Session::may_offer`].
    pub fn modify<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        extra: Extra<'_>,
        body: Option<Body<'_>>,
    ) {
        if !self.may_offer() {
            return;
        }
        let branch = seat.endpoint.new_branch();
        let mut writer = self.dialog.next_request(Method::Invite, branch);
        self.timer.write_later(&mut writer, seat.endpoint.supported);
        self.credentials = Box::default();
        self.timer.propose(body);
        extra(&mut writer);
        let (bytes, owner) = (finish(writer, body), Some(seat.owner));
        let invite =
            seat.endpoint.request(self.flow, Method::Invite, branch, bytes, owner, seat.now);
        self.invite_state = InviteState::Outgoing { invite };
    }

    /// Gives up our re-INVITE: its peer asked no longer for it (RFC 3261 §9).
    pub fn cancel_modify<O: Copy>(&mut self, seat: &mut Seat<'_, O>) {
        if let InviteState::Outgoing { invite } = self.invite_state {
            seat.endpoint.cancel(invite, "", seat.now);
        }
    }

    /// Sends another request within the dialog (INFO, MESSAGE) and names its transaction; its
    /// outcome comes as [`Answer::Other`](super::Answer::Other).
    pub fn request<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        method: Method<'_>,
        extra: Extra<'_>,
        body: Option<Body<'_>>,
    ) -> crate::endpoint::ClientTx {
        let branch = seat.endpoint.new_branch();
        let mut writer = self.dialog.next_request(method, branch);
        if method == Method::Update && self.is_established() {
            self.timer.write_later(&mut writer, seat.endpoint.supported);
            if body.is_some() {
                self.timer.propose(body);
            }
        } else if matches!(method, Method::Update | Method::Prack) {
            self.timer.propose_early(body, method == Method::Prack);
        }
        extra(&mut writer);
        let (bytes, owner) = (finish(writer, body), Some(seat.owner));
        seat.endpoint.request(self.flow, method, branch, bytes, owner, seat.now)
    }
}
