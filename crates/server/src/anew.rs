//! Whether the process is to begin again: somebody wants it to, or a thread that it needs is lost.

use crate::clock;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Where a thread is lost so soon after the start, it is no matter of chance: it would be lost again, and each start
/// cuts all calls off.
const SOON: Duration = Duration::from_mins(1);

pub(crate) struct Anew {
    wanted: Notify,
    started_at: Instant,
}

impl Anew {
    pub(crate) fn new(started_at: Instant) -> Self {
        Self { wanted: Notify::new(), started_at }
    }

    /// Ends calls with their BYEs, and starts.
    pub(crate) fn want(&self) {
        self.wanted.notify_one();
    }

    /// Returns once somebody wants it, also where that was before.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// A thread that calls can do without for a while has ended by a fault.
    pub(crate) fn lost(&self, thread: &str) {
        self.lost_at(thread, clock::now().instant);
    }

    fn lost_at(&self, thread: &str, now: Instant) {
        if now.duration_since(self.started_at) < SOON {
            tracing::error!(thread, "a thread has ended soon after the start: calls go on without");
        } else {
            tracing::error!(thread, "a thread has ended: starting anew");
            self.want();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn a_lost_thread_has_the_process_start_anew_unless_it_would_be_lost_again() {
        let start = clock::now().instant;
        let table =
            [(Duration::ZERO, false), (SOON - Duration::from_millis(1), false), (SOON, true)];
        for (after, expected) in table {
            let anew = Anew::new(start);
            anew.lost_at("board", start + after);
            let wanted = pin!(anew.wanted()).poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(wanted == Poll::Ready(()), expected, "after {after:?}");
        }
    }
}
