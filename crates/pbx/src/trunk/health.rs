//! Whether a server of a trunk is there: OPTIONS asks it, and failed calls tell (a circuit breaker).
//!
//! ```text
//!   up ──a call got no answer──▶ down ──OPTIONS answered──▶ up
//!    └──OPTIONS not answered in 4 s──▶┘
//! ```

use std::time::{Duration, Instant};

/// How long a server has to answer OPTIONS.
pub const ANSWER_MAX: Duration = Duration::from_secs(4);

/// How often a server that is down is asked, where it is usually asked less often.
pub const DOWN_EVERY: Duration = Duration::from_secs(10);

/// One server's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    state: State,
    /// What it was before the question that is out.
    up: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody asks; it is taken to be up.
    Unasked,
    /// The next question goes out at this time.
    Waiting { at: Instant },
    /// A question awaits its answer.
    Asking { until: Instant },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is to be asked from this time on.
    Watched {
        at: Instant,
    },
    Unwatched,
    /// The time of [`Health::poll_timeout`] has come.
    Due,
    /// A response to OPTIONS, whatever it says but that nobody is served (503).
    Answered,
    /// None, or one that says so.
    Unanswered,
    /// A call was answered, or refused for its own sake.
    CallServed,
    /// A call got no answer, or the way broke.
    CallFailed,
}

impl Health {
    pub const UNASKED: Self = Self { state: State::Unasked, up: true };

    /// Whether calls are sent there.
    pub fn is_up(self) -> bool {
        self.up
    }

    /// When [`Event::Due`] is due.
    pub fn poll_timeout(self) -> Option<Instant> {
        match self.state {
            State::Unasked => None,
            State::Waiting { at } => Some(at),
            State::Asking { until } => Some(until),
        }
    }

    /// Takes an event; `true`: send OPTIONS. `every` is what is configured.
    #[must_use]
    pub fn handle(&mut self, event: Event, every: Duration, now: Instant) -> bool {
        match (self.state, event) {
            (_, Event::Watched { at }) => self.state = State::Waiting { at },
            (_, Event::Unwatched) => *self = Self::UNASKED,
            (State::Waiting { at }, Event::Due) if at <= now => {
                self.state = State::Asking { until: now + ANSWER_MAX };
                return true;
            }
            (State::Asking { until }, Event::Due) if until <= now => self.down(every, now),
            (State::Asking { .. }, Event::Unanswered) => self.down(every, now),
            (State::Asking { .. } | State::Waiting { .. }, Event::Answered | Event::CallServed) => {
                self.up = true;
                self.state = State::Waiting { at: now + every };
            }
            // Asked at once, so that one lost call does not close the way for long.
            (State::Waiting { .. }, Event::CallFailed) => {
                self.up = false;
                self.state = State::Asking { until: now + ANSWER_MAX };
                return true;
            }
            (State::Asking { .. }, Event::CallFailed) => self.up = false,
            // Too early, too late, or nobody watches.
            (State::Unasked | State::Waiting { .. } | State::Asking { .. }, _) => {}
        }
        false
    }

    fn down(&mut self, every: Duration, now: Instant) {
        self.up = false;
        self.state = State::Waiting { at: now + every.min(DOWN_EVERY) };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "some instant to count from")]

    use super::*;

    #[test]
    fn events_in_a_row() {
        use Event::{Answered, CallFailed, CallServed, Due, Unanswered, Unwatched};
        let start = Instant::now();
        let every = Duration::from_secs(30);
        let mut it = Health::UNASKED;
        assert!(it.is_up() && it.poll_timeout().is_none());
        assert!(!it.handle(Event::Watched { at: start }, every, start));
        #[rustfmt::skip]
        let table = [
            // at  event        asks    up     next after
            (0,   Due,          true,   true,  4),
            (1,   Answered,     false,  true,  30),
            (20,  Due,          false,  true,  11), // too early
            (31,  Due,          true,   true,  4),
            (35,  Due,          false,  false, 10), // no answer
            (45,  Due,          true,   false, 4),
            (46,  Unanswered,   false,  false, 10),
            (50,  CallServed,   false,  true,  30),
            (60,  CallFailed,   true,   false, 4),
            (61,  CallFailed,   false,  false, 3),
            (62,  Answered,     false,  true,  30),
            (63,  Answered,     false,  true,  30), // a second one
        ];
        for (at, event, asks, up, next) in table {
            let now = start + Duration::from_secs(at);
            assert_eq!(it.handle(event, every, now), asks, "{at} {event:?}");
            assert_eq!(it.is_up(), up, "{at} {event:?}");
            let expected = Some(now + Duration::from_secs(next));
            assert_eq!(it.poll_timeout(), expected, "{at} {event:?}");
        }
        let _ = it.handle(CallFailed, every, start);
        assert!(!it.handle(Unwatched, every, start) && it.is_up());
        assert!(!it.handle(CallFailed, every, start) && it.is_up(), "nobody would close it again");
    }
}
