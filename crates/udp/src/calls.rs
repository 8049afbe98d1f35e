//! How often the current thread has called the kernel through this crate.
//!
//! A call costs more than most of what is done between two of them, so tests hold the counts
//! against ceilings: one that returns unnoticed fails there, on any machine.

use std::cell::Cell;
use std::ops::Sub;

/// Calls by their purpose, since the thread began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub waits: u64,
    /// Batches of datagrams asked for.
    pub receives: u64,
    /// Datagrams or batches of them.
    pub sends: u64,
    /// Sockets put into a poller or taken out.
    pub watches: u64,
    pub wakes: u64,
}

impl Calls {
    /// All together.
    pub fn total(&self) -> u64 {
        self.waits + self.receives + self.sends + self.watches + self.wakes
    }
}

impl Sub for Calls {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            waits: self.waits - before.waits,
            receives: self.receives - before.receives,
            sends: self.sends - before.sends,
            watches: self.watches - before.watches,
            wakes: self.wakes - before.wakes,
        }
    }
}

thread_local! {
    static CALLS: Cell<Calls> = const { Cell::new(Calls {
        waits: 0,
        receives: 0,
        sends: 0,
        watches: 0,
        wakes: 0,
    }) };
}

/// The calls of the current thread.
pub fn calls() -> Calls {
    CALLS.get()
}

pub(crate) fn count(add: impl FnOnce(&mut Calls)) {
    let mut calls = CALLS.get();
    add(&mut calls);
    CALLS.set(calls);
}
