//! INVITE client transaction: RFC 3261 §17.1.1 as corrected by RFC 6026 §7.2.

use super::Action::{Failed, Pass, Resend, Send, SendAck, Start, Stop, TimedOut};
use super::{Actions, T1, TIMEOUT, Timer, actions};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteClient {
    /// Nothing came yet. `resend` is the current Timer A interval.
    Calling {
        resend: Duration,
    },
    /// A provisional came: the peer is at work, for as long as the user lets it.
    Proceeding,
    /// A 2xx came; further ones (forks, copies) are the user's to acknowledge.
    Accepted,
    /// A 3xx-6xx came and was acknowledged; copies are acknowledged again.
    Completed,
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Start,
    /// A response with this status code.
    Response(u16),
    /// The user sent a CANCEL: a peer that never answers must not keep us (RFC 3261 §9.1).
    Cancelled,
    Fired(Timer),
    TransportError,
}

impl InviteClient {
    pub const START: Self = Self::Calling { resend: T1 };

    /// The whole state machine.
    pub fn next(self, event: Event, reliable: bool) -> (Self, Actions) {
        use InviteClient::{Accepted, Calling, Completed, Proceeding, Terminated};

        match (self, event) {
            (Calling { .. }, Event::Start) => {
                let mut actions: Actions = actions![Send, Start(Timer::B, TIMEOUT)];
                if !reliable {
                    actions.push(Start(Timer::A, T1));
                }
                (self, actions)
            }
            (Calling { resend }, Event::Fired(Timer::A)) => {
                let resend = 2 * resend;
                (Calling { resend }, actions![Resend, Start(Timer::A, resend)])
            }
            (Calling { .. }, Event::Response(100..200)) => {
                (Proceeding, actions![Stop(Timer::A), Stop(Timer::B), Pass])
            }
            (Proceeding, Event::Response(100..200)) => (Proceeding, actions![Pass]),
            (Proceeding, Event::Cancelled) => (Proceeding, actions![Start(Timer::B, TIMEOUT)]),
            (Calling { .. } | Proceeding, Event::Response(200..300)) => {
                (Accepted, actions![Stop(Timer::A), Start(Timer::M, TIMEOUT), Pass])
            }
            (Calling { .. } | Proceeding, Event::Response(300..700)) => {
                let linger = if reliable { Duration::ZERO } else { TIMEOUT };
                (Completed, actions![Stop(Timer::A), SendAck, Start(Timer::D, linger), Pass])
            }
            (Calling { .. } | Proceeding, Event::Fired(Timer::B)) => {
                (Terminated, actions![TimedOut])
            }
            (Calling { .. } | Proceeding, Event::TransportError) => (Terminated, actions![Failed]),

            (Accepted, Event::Response(200..300)) => (Accepted, actions![Pass]),
            (Accepted, Event::Fired(Timer::M)) => (Terminated, actions![]),

            (Completed, Event::Response(300..700)) => (Completed, actions![SendAck]),
            (Completed, Event::Fired(Timer::D)) => (Terminated, actions![]),

            // A late provisional, a second kind of final, a stopped timer: too late to matter.
            (state, _) => (state, actions![]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_table() {
        use InviteClient::{Accepted, Calling, Completed, Proceeding, Terminated};
        let calling = InviteClient::START;
        #[rustfmt::skip]
        let table: &[(InviteClient, Event, InviteClient, &[super::super::Action])] = &[
            (calling,    Event::Start,             calling,    &[Send, Start(Timer::B, TIMEOUT), Start(Timer::A, T1)]),
            (calling,    Event::Fired(Timer::A),   Calling { resend: 2 * T1 }, &[Resend, Start(Timer::A, Duration::from_secs(1))]),
            (calling,    Event::Response(180),     Proceeding, &[Stop(Timer::A), Stop(Timer::B), Pass]),
            (calling,    Event::Fired(Timer::B),   Terminated, &[TimedOut]),
            (calling,    Event::TransportError,    Terminated, &[Failed]),
            (Proceeding, Event::Fired(Timer::A),   Proceeding, &[]),
            (Proceeding, Event::Cancelled,         Proceeding, &[Start(Timer::B, TIMEOUT)]),
            (Proceeding, Event::Response(200),     Accepted,   &[Stop(Timer::A), Start(Timer::M, TIMEOUT), Pass]),
            (Accepted,   Event::Response(200),     Accepted,   &[Pass]),
            (Accepted,   Event::Response(486),     Accepted,   &[]),
            (Accepted,   Event::Fired(Timer::M),   Terminated, &[]),
            (Proceeding, Event::Response(487),     Completed,  &[Stop(Timer::A), SendAck, Start(Timer::D, TIMEOUT), Pass]),
            (Completed,  Event::Response(487),     Completed,  &[SendAck]),
            (Completed,  Event::Response(180),     Completed,  &[]),
            (Completed,  Event::Fired(Timer::D),   Terminated, &[]),
        ];
        for &(state, event, expected, actions) in table {
            let (next, got) = state.next(event, false);
            assert_eq!((next, got.as_slice()), (expected, actions), "{state:?} on {event:?}");
        }
    }
}
