//! Requests within the dialog that the peer challenges: sent again with credentials
//! (RFC 3261 §22.2). Who we are to the peer is the user's to know.

use super::{InviteState, Seat, Session, State};
use crate::dialog::request_uri;
use crate::endpoint::{ClientTx, derive};
use crate::message::{HeaderName, Message, Method};

impl Session {
    /// Our first INVITE was written with these credentials.
    pub fn keep_credentials(&mut self, credentials: Box<[(HeaderName, String)]>) {
        self.credentials = credentials;
    }

    /// The Request-URI of what a 401 or 407 answered; `None` where that is wanted no more, or is our first
    /// INVITE: whoever wrote it writes it again.
    pub fn challenged<O: Copy>(
        &self,
        seat: &Seat<'_, O>,
        transaction: ClientTx,
    ) -> Option<Box<str>> {
        let request = Message::parse(seat.endpoint.challenged(transaction)?).ok()?;
        let wanted = match self.state {
            State::Outgoing { invite, cancelled } => invite != transaction && !cancelled,
            State::Incoming { .. } | State::Established => true,
            State::Closing { bye } => bye == transaction,
            State::Closed => false,
        };
        wanted.then(|| request_uri(&request).into())
    }

    /// Sends the challenged request again with credentials. Whatever waits for the outcome of the
    /// first waits for this one.
    pub fn send_with<O: Copy>(
        &mut self,
        seat: &mut Seat<'_, O>,
        transaction: ClientTx,
        method: Method<'_>,
        credentials: Box<[(HeaderName, String)]>,
    ) -> Option<ClientTx> {
        let request = seat.endpoint.take_challenged(transaction)?;
        let branch = seat.endpoint.new_branch();
        let (via, cseq) = (self.dialog.end.via(branch), self.dialog.local_cseq + 1);
        let bytes = derive::again(&request, via, cseq, &credentials)?;
        self.dialog.local_cseq = cseq;
        let owner = Some(seat.owner);
        let again = seat.endpoint.request(self.flow, method, branch, bytes, owner, seat.now);
        if self.state == (State::Closing { bye: transaction }) {
            self.state = State::Closing { bye: again };
        }
        if let InviteState::Outgoing { invite } = &mut self.invite_state
            && *invite == transaction
        {
            *invite = again;
            self.credentials = credentials;
        }
        self.timer.sent_again(transaction, again);
        Some(again)
    }
}
