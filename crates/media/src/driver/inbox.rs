//! The commands on their way to a media thread.
//!
//! The writing end is with [`Media`](super::Media), the reading end with the worker. To wake a thread
//! costs more than the command does, so a command waits for a thread that wakes soon by itself.

use super::worker::{SOON, TICK};
use super::{CLOSES_MAX, COMMANDS_MAX, PRESS_ROOM};
use pbx::media::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use udp::Waker;

const FOR_EVER: u64 = u64::MAX;

/// How long a command may wait for a thread that is asleep.
fn patience(command: &Command) -> Duration {
    match command {
        // A datagram of the session wakes the thread, which obeys before it receives.
        Command::Configure { .. } | Command::Press { .. } => SOON,
        // Nobody waits for the end of a session.
        Command::Close { .. } => TICK,
        // Ports run short.
        Command::Want { .. } => Duration::ZERO,
    }
}

/// Where commands are put.
pub(super) struct Inbox {
    queue: Sender<Command>,
    /// How many are in the queue; bounds it.
    waiting: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    sleeps_ms: Arc<AtomicU64>,
    waker: Waker,
}

/// Where the thread takes them.
pub(super) struct Outlet {
    queue: Receiver<Command>,
    waiting: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    /// How long the thread sleeps at most.
    sleeps_ms: Arc<AtomicU64>,
}

pub(super) fn inbox(waker: Waker) -> (Inbox, Outlet) {
    #[expect(
        clippy::disallowed_methods,
        reason = "`waiting` limits it, each kind of command apart"
    )]
    let (sender, receiver) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let ended = Arc::new(AtomicBool::new(false));
    let sleeps_ms = Arc::new(AtomicU64::new(FOR_EVER));
    let outlet = Outlet {
        queue: receiver,
        waiting: Arc::clone(&waiting),
        ended: Arc::clone(&ended),
        sleeps_ms: Arc::clone(&sleeps_ms),
    };
    (Inbox { queue: sender, waiting, ended, sleeps_ms, waker }, outlet)
}

impl Inbox {
    /// Gives the command back if the thread is too far behind, or gone.
    pub(super) fn put(&self, command: Command) -> Result<(), Command> {
        let room = match command {
            Command::Press { .. } => PRESS_ROOM,
            Command::Configure { .. } | Command::Want { .. } => COMMANDS_MAX,
            Command::Close { .. } => COMMANDS_MAX + CLOSES_MAX,
        };
        // The core's thread alone adds, so the limit holds in two steps.
        if self.waiting.load(Ordering::Relaxed) >= room {
            return Err(command);
        }
        let patience = in_ms(patience(&command));
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.queue.send(command).map_err(|it| it.0)?;
        if self.sleeps_ms.load(Ordering::SeqCst) > patience {
            self.waker.wake();
        }
        Ok(())
    }

    /// Tells the thread to end.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Outlet {
    pub(super) fn take(&self) -> Option<Command> {
        let command = self.queue.try_recv().ok()?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(command)
    }

    /// Says how long the thread is going to sleep. False where a command came before that was
    /// known, which may have less patience: then it must not sleep at all.
    pub(super) fn may_sleep(&self, time: Option<Duration>) -> bool {
        self.sleeps_ms.store(time.map_or(FOR_EVER, in_ms), Ordering::SeqCst);
        time.is_some_and(|it| it <= SOON) || self.waiting.load(Ordering::SeqCst) == 0
    }

    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

fn in_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(FOR_EVER)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use pbx::digit::{Digit, Press};
    use pbx::id::CallId;
    use pbx::media::{Plan, TransportId};
    use smallvec::smallvec;
    use udp::Poller;
    use uuid::Uuid;

    fn commands() -> [Command; 4] {
        let call = CallId(Uuid::from_u128(1));
        let press = Press::new(Digit::of_event(5).unwrap(), Duration::from_millis(100));
        [
            Command::Want { leased: 1 },
            Command::Configure { call, plan: Plan::default() },
            Command::Press { call, transport: TransportId(0), press },
            Command::Close { call, pairs: smallvec![] },
        ]
    }

    #[test]
    fn a_command_wakes_who_sleeps_longer_than_it_can_wait() {
        let poller = Poller::new().unwrap();
        #[rustfmt::skip]
        let table = [
            // How long the thread sleeps;    want, configure, press, close
            (None,                            [1, 1, 1, 1]),
            (Some(TICK + SOON),               [1, 1, 1, 1]),
            (Some(TICK),                      [1, 1, 1, 0]),
            (Some(SOON),                      [1, 0, 0, 0]),
            (Some(Duration::ZERO),            [0, 0, 0, 0]),
        ];
        for (sleep, wakes) in table {
            for (command, wakes) in commands().into_iter().zip(wakes) {
                let (inbox, outlet) = inbox(poller.waker(1).unwrap());
                assert!(outlet.may_sleep(sleep));
                let (before, told) = (udp::calls(), format!("{sleep:?}, {command:?}"));
                inbox.put(command).unwrap();
                assert_eq!((udp::calls() - before).wakes, wakes, "{told}");
            }
        }
    }

    #[test]
    fn nobody_sleeps_long_on_a_command_that_came_before() {
        let poller = Poller::new().unwrap();
        for command in commands() {
            let (inbox, outlet) = inbox(poller.waker(1).unwrap());
            assert!(outlet.may_sleep(Some(Duration::ZERO)));
            inbox.put(command).unwrap();
            let may = [None, Some(TICK), Some(SOON)].map(|it| outlet.may_sleep(it));
            assert_eq!(may, [false, false, true]);
            outlet.take().unwrap();
            assert!(outlet.may_sleep(None));
        }
    }
}
