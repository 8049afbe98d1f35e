//! Ending a session: BYE (RFC 3261 §15).

use super::{InviteState, Seat, Session, State};
use crate::message::Method;
use std::time::Instant;

impl Session {
    /// Ends an established session with BYE; `reason` is the value of its Reason header
    /// (RFC 3326), or empty. A re-INVITE of the peer still open gets 487 first; while the ACK of
    /// our 2xx is missing, the BYE waits for it.
    pub fn close<O: Copy>(&mut self, seat: &mut Seat<'_, O>, reason: &str) {
        if self.state != State::Established {
            return;
        }
        if matches!(self.invite_state, InviteState::Unacked(_)) {
            self.close_due = Some(reason.into());
            return;
        }
        if matches!(self.invite_state, InviteState::Incoming { .. }) {
            self.refuse(seat, (487, "Request Terminated"), &super::no_extra);
        }
        if matches!(self.invite_state, InviteState::AckOwed { .. }) {
            // The peer resends its 2xx until it hears this.
            self.ack(seat, None);
        }
        self.timer.stop();
        self.give_up_offer(seat);
        let branch = seat.endpoint.new_branch();
        let mut writer = self.dialog.next_request(Method::Bye, branch);
        if !reason.is_empty() {
            writer.header("Reason", reason);
        }
        let (bytes, owner) = (writer.finish(), Some(seat.owner));
        let bye = seat.endpoint.request(self.flow, Method::Bye, branch, bytes, owner, seat.now);
        self.state = State::Closing { bye };
    }

    /// The process ends: the ACK of our 2xx is waited for no longer than this.
    pub fn hurry(&mut self, until: Instant) {
        if let InviteState::Unacked(it) = &mut self.invite_state {
            it.give_up_at = it.give_up_at.min(until);
        }
    }

    /// Cancels a re-INVITE of ours that has no final response: a peer that never gives it one would
    /// hold its transaction for ever. A 2xx that crosses is still acknowledged.
    pub(super) fn give_up_offer<O: Copy>(&mut self, seat: &mut Seat<'_, O>) {
        if let InviteState::Outgoing { invite } = self.invite_state {
            seat.endpoint.cancel(invite, "", seat.now);
        } else {
            self.invite_state = InviteState::Idle;
        }
    }

    /// Forgets the session without a word: the peer is known to be gone.
    pub fn abandon(&mut self) {
        self.state = State::Closed;
        self.invite_state = InviteState::Idle;
    }
}
