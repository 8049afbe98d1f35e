//! Non-INVITE client transaction: RFC 3261 §17.1.2.

use super::Action::{Failed, Pass, Resend, Send, Start, Stop, TimedOut};
use super::{Actions, T1, T2, T4, TIMEOUT, Timer, actions};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Nothing came yet. `resend` is the current Timer E interval.
    Trying {
        resend: Duration,
    },
    Proceeding,
    /// The final response came; copies are swallowed until Timer K fires.
    Completed,
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Start,
    Response(u16),
    Fired(Timer),
    TransportError,
}

impl Client {
    pub const START: Self = Self::Trying { resend: T1 };

    /// The whole state machine.
    pub fn next(self, event: Event, reliable: bool) -> (Self, Actions) {
        use Client::{Completed, Proceeding, Terminated, Trying};

        match (self, event) {
            (Trying { .. }, Event::Start) => {
                let mut actions: Actions = actions![Send, Start(Timer::F, TIMEOUT)];
                if !reliable {
                    actions.push(Start(Timer::E, T1));
                }
                (self, actions)
            }
            (Trying { resend }, Event::Fired(Timer::E)) => {
                let resend = (2 * resend).min(T2);
                (Trying { resend }, actions![Resend, Start(Timer::E, resend)])
            }
            (Proceeding, Event::Fired(Timer::E)) => {
                (Proceeding, actions![Resend, Start(Timer::E, T2)])
            }
            (Trying { .. } | Proceeding, Event::Response(100..200)) => (Proceeding, actions![Pass]),
            (Trying { .. } | Proceeding, Event::Response(200..700)) => {
                let linger = if reliable { Duration::ZERO } else { T4 };
                (Completed, actions![Stop(Timer::E), Start(Timer::K, linger), Pass])
            }
            (Trying { .. } | Proceeding, Event::Fired(Timer::F)) => {
                (Terminated, actions![TimedOut])
            }
            (Trying { .. } | Proceeding, Event::TransportError) => (Terminated, actions![Failed]),

            (Completed, Event::Fired(Timer::K)) => (Terminated, actions![]),

            // Copies of the final response and stopped timers.
            (state, _) => (state, actions![]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resends_double_up_to_t2_and_stay_there_once_proceeding() {
        let mut state = Client::START;
        let mut pauses = Vec::new();
        for _ in 0..5 {
            let (next, actions) = state.next(Event::Fired(Timer::E), false);
            state = next;
            let Some(Start(Timer::E, pause)) = actions.last() else { panic!("{actions:?}") };
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [1000, 2000, 4000, 4000, 4000]);
        let (state, _) = state.next(Event::Response(100), false);
        let (_, actions) = state.next(Event::Fired(Timer::E), false);
        assert_eq!(actions.as_slice(), [Resend, Start(Timer::E, T2)]);
    }

    #[test]
    fn the_final_response_is_passed_once() {
        let (state, actions) = Client::START.next(Event::Response(200), true);
        assert_eq!(actions.as_slice(), [Stop(Timer::E), Start(Timer::K, Duration::ZERO), Pass]);
        assert_eq!(state.next(Event::Response(200), true), (Client::Completed, actions![]));
    }
}
