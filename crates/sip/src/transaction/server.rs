//! Non-INVITE server transaction: RFC 3261 §17.2.2, without a 100 (RFC 4320 §4.1).

use super::Action::{Failed, Resend, Send, Start};
use super::{Actions, TIMEOUT, Timer, actions};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The request is with the transaction user; copies are swallowed.
    Trying,
    /// The final response went out; copies of the request get it again until Timer J fires.
    Completed,
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A copy of the request.
    Request,
    /// The transaction user sends a response with this status code.
    Respond(u16),
    Fired(Timer),
    TransportError,
}

impl Server {
    /// The whole state machine.
    pub fn next(self, event: Event, reliable: bool) -> (Self, Actions) {
        use Server::{Completed, Terminated, Trying};

        match (self, event) {
            (Trying, Event::Respond(200..700)) => {
                let linger = if reliable { Duration::ZERO } else { TIMEOUT };
                (Completed, actions![Send, Start(Timer::J, linger)])
            }
            (Completed, Event::Request) => (Completed, actions![Resend]),
            (Completed, Event::Fired(Timer::J)) => (Terminated, actions![]),
            (Trying | Completed, Event::TransportError) => (Terminated, actions![Failed]),
            // RFC 4320 forbids provisionals here; a second final is the user's mistake.
            (state, _) => (state, actions![]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_gets_the_same_answer_and_none_before_it() {
        assert_eq!(Server::Trying.next(Event::Request, false), (Server::Trying, actions![]));
        let (state, actions) = Server::Trying.next(Event::Respond(200), false);
        assert_eq!(actions.as_slice(), [Send, Start(Timer::J, TIMEOUT)]);
        assert_eq!(state.next(Event::Request, false), (Server::Completed, actions![Resend]));
        assert_eq!(state.next(Event::Respond(500), false), (Server::Completed, actions![]));
    }
}
