//! Ending a session: BYE (RFC 3261 §15).

use super::{Offer, Seat, Session, State};
use crate::message::Method;

impl Session {
    /// Ends an established session with BYE; `reason` is the value of its Reason header
    /// (RFC 3326), or empty. A re-INVITE of the peer still open gets 487 first; while the ACK of
    /// our 2xx is missing, the BYE waits for it.
    pub fn close<O: Copy>(&mut self, seat: &mut Seat<'_, O>, reason: &str) {
        if self.state != State::Established {
            return;
        }
        if matches!(self.offer, Offer::Unacked(_)) {
            self.close_due = Some(reason.into());
            return;
        }
        if matches!(self.offer, Offer::Incoming { .. }) {
            self.refuse(seat, (487, "Request Terminated"), &super::no_extra);
        }
        if matches!(self.offer, Offer::AckOwed { .. }) {
            // The peer resends its 2xx until it hears this.
            self.ack(seat, None);
        }
        if !matches!(self.offer, Offer::Outgoing { .. }) {
            self.offer = Offer::Idle;
        }
        let branch = seat.endpoint.new_branch();
        let mut writer = self.dialog.next_request(Method::Bye, branch);
        if !reason.is_empty() {
            writer.header("Reason", reason);
        }
        let (bytes, owner) = (writer.finish(), Some(seat.owner));
        let bye = seat.endpoint.request(self.flow, Method::Bye, branch, bytes, owner, seat.now);
        self.state = State::Closing { bye };
    }

    /// Forgets the session without a word: the peer is known to be gone.
    pub fn abandon(&mut self) {
        self.state = State::Closed;
        self.offer = Offer::Idle;
    }
}
