//! INVITE server transaction: RFC 3261 §17.2.1 as corrected by RFC 6026 §7.1.
//!
//! The figure in the RFC is the table in [`InviteServer::next`]; read one beside the other.

use super::Action::{Failed, Pass, Resend, Send, Start, Stop, TimedOut};
use super::{Actions, T1, T2, T4, TIMEOUT, Timer, actions};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteServer {
    /// The INVITE is with the transaction user; only provisionals have gone out.
    Proceeding,
    /// A 2xx went out. Its retransmission belongs to the transaction user, not to us.
    Accepted,
    /// A 3xx-6xx went out and awaits its ACK. `resend` is the current Timer G interval.
    Completed {
        resend: Duration,
    },
    /// The ACK came; late copies are swallowed until Timer I fires.
    Confirmed,
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A copy of the INVITE that created this transaction.
    Invite,
    Ack,
    /// The transaction user sends a response with this status code.
    Respond(u16),
    Fired(Timer),
    TransportError,
}

impl InviteServer {
    /// The whole state machine. Pure: no clock, no socket, no lookup.
    pub fn next(self, event: Event, reliable: bool) -> (Self, Actions) {
        use InviteServer::{Accepted, Completed, Confirmed, Proceeding, Terminated};

        match (self, event) {
            (Proceeding, Event::Invite) => (Proceeding, actions![Resend]),
            (Proceeding, Event::Respond(100..200)) => (Proceeding, actions![Send]),
            (Proceeding, Event::Respond(200..300)) => {
                (Accepted, actions![Send, Start(Timer::L, TIMEOUT)])
            }
            (Proceeding, Event::Respond(300..700)) => {
                let mut actions: Actions = actions![Send, Start(Timer::H, TIMEOUT)];
                if !reliable {
                    actions.push(Start(Timer::G, T1));
                }
                (Completed { resend: T1 }, actions)
            }

            // A copy of the INVITE is not answered here: the transaction user resends its 2xx
            // until the ACK comes (RFC 3261 §13.3.1.4).
            (Accepted, Event::Invite) => (Accepted, actions![]),
            (Accepted, Event::Respond(200..300)) => (Accepted, actions![Send]),
            (Accepted, Event::Ack) => (Accepted, actions![Pass]),
            (Accepted, Event::Fired(Timer::L)) => (Terminated, actions![]),

            (Completed { .. }, Event::Invite) => (self, actions![Resend]),
            (Completed { resend }, Event::Fired(Timer::G)) => {
                let resend = (2 * resend).min(T2);
                (Completed { resend }, actions![Resend, Start(Timer::G, resend)])
            }
            (Completed { .. }, Event::Ack) => {
                let linger = if reliable { Duration::ZERO } else { T4 };
                (Confirmed, actions![Stop(Timer::G), Start(Timer::I, linger)])
            }
            (Completed { .. }, Event::Fired(Timer::H)) => (Terminated, actions![TimedOut]),

            (Confirmed, Event::Fired(Timer::I)) => (Terminated, actions![]),

            // RFC 6026 keeps the state: a timer or the user ends the transaction, not the error.
            (Proceeding | Accepted | Completed { .. }, Event::TransportError) => {
                (self, actions![Failed])
            }

            // Everything else is a duplicate, or came too late to matter.
            (state, _) => (state, actions![]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `events` to a fresh transaction over UDP and renders what it did, one line each.
    fn run(events: &[Event]) -> String {
        let mut state = InviteServer::Proceeding;
        let mut lines = Vec::new();
        for &event in events {
            let (next, actions) = state.next(event, false);
            lines.push(format!("{event:?} -> {next:?} {actions:?}"));
            state = next;
        }
        lines.join("\n")
    }

    #[test]
    fn rejected_call_is_resent_until_acked() {
        use Event::{Ack, Fired, Respond};
        let log = run(&[
            Respond(180),
            Respond(486),
            Fired(Timer::G),
            Fired(Timer::G),
            Ack,
            Ack,
            Fired(Timer::I),
        ]);
        assert!(log.starts_with("Respond(180) -> Proceeding"), "{log}");
        assert_eq!(log.matches("Resend").count(), 2, "{log}");
        assert!(log.contains("Completed { resend: 2s }"), "{log}");
        assert!(log.ends_with("Fired(I) -> Terminated []"), "{log}");
    }

    #[test]
    fn answered_call_leaves_the_resending_to_the_transaction_user() {
        use Event::{Ack, Fired, Invite, Respond};
        let log = run(&[Respond(200), Invite, Respond(200), Ack, Fired(Timer::L)]);
        assert!(log.contains("Invite -> Accepted []"), "{log}");
        assert!(log.contains("Ack -> Accepted [Pass]"), "{log}");
    }

    #[test]
    fn a_missing_ack_is_reported() {
        let (state, _) = InviteServer::Proceeding.next(Event::Respond(404), false);
        let (state, actions) = state.next(Event::Fired(Timer::H), false);
        assert_eq!((state, actions.as_slice()), (InviteServer::Terminated, &[TimedOut][..]));
    }
}
