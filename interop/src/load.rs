//! Load: many users on one socket, many calls at once, at a given rate, with their failures counted.
//!
//! One set of wires plays all callers and another all callees, each with its own loop. Terms and the shape of a call
//! are those of RFC 7501: a challenged INVITE, 180, 200, ACK, BYE, 200; the callee answers after a fixed time.

mod callee;
mod caller;
mod registers;
mod wires;

pub use callee::{Answering, Callee, CalleeFigures};
pub use caller::{Caller, Stage};
pub use registers::{Registering, register_all, register_with};
pub use wires::{Counts, Wires};

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Between two looks at the timers while nothing comes.
const TICK: Duration = Duration::from_millis(1);

/// RFC 3261 §17.1.1.1.
const T1: Duration = Duration::from_millis(500);

/// A user with his password.
#[derive(Clone, Debug)]
pub struct User {
    pub number: String,
    pub password: String,
}

impl User {
    /// The users `first` to `first + count - 1`, all with the same password.
    pub fn range(first: u32, count: u32, password: &str) -> Vec<Self> {
        let user = |number: u32| Self { number: number.to_string(), password: password.to_owned() };
        (first..first + count).map(user).collect()
    }
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub done: usize,
    pub failed: usize,
    /// Requests sent again because no answer came.
    pub resent: usize,
    /// Final statuses of the failures; 0 for silence.
    pub failures: BTreeMap<u16, usize>,
    /// From the INVITE with credentials to its 180, or from the first REGISTER to the 200. Unit: microseconds.
    pub waits_us: Vec<u64>,
    /// Until the last of them was begun.
    pub begun_in: Duration,
    pub took: Duration,
}

impl Outcome {
    fn fail(&mut self, status: u16) {
        self.failed += 1;
        *self.failures.entry(status).or_default() += 1;
    }

    /// The wait that this part of all waits does not exceed. Unit: milliseconds.
    pub fn wait_ms(&self, part: f64) -> f64 {
        let mut sorted = self.waits_us.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index below the number of waits"
        )]
        let at = (last as f64 * part) as usize;
        sorted.get(at).map_or(0.0, |&it| Duration::from_micros(it).as_secs_f64() * 1000.0)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} done, {} failed, {} resent", self.done, self.failed, self.resent)?;
        if !self.failures.is_empty() {
            write!(f, " (status: times {:?})", self.failures)?;
        }
        write!(f, ", wait p50 {:.2} ms, p99 {:.2} ms", self.wait_ms(0.5), self.wait_ms(0.99))?;
        write!(f, ", {:.1} s", self.took.as_secs_f64())
    }
}
