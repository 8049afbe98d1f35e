//! Counts the core's internal faults: at the third within a minute the process starts itself anew.
//!
//! The core catches a panic itself and ends the call it concerned; what escapes even that, or comes
//! too often, means that its state cannot be trusted.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// So many faults within [`WINDOW`] mean that the core's own state is broken.
const FAULTS_MAX: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);

/// Whether the process can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    GoOn,
    StartAnew,
}

#[derive(Default)]
pub(super) struct Fence {
    faults: VecDeque<Instant>,
    /// The core's own count when it was last looked at.
    counted: u64,
    escaped: bool,
}

impl Fence {
    /// Runs `act`; `None` where a panic escaped the core.
    pub(super) fn run<T>(&mut self, act: impl FnOnce() -> T) -> Option<T> {
        // Nothing of the core is used after an escaped panic: the process ends by it.
        if self.escaped {
            return None;
        }
        let done = catch_unwind(AssertUnwindSafe(act)).ok();
        self.escaped |= done.is_none();
        done
    }

    /// Takes the core's count of faults.
    pub(super) fn count(&mut self, faults: u64, now: Instant) {
        for _ in 0..faults.saturating_sub(self.counted).min(FAULTS_MAX as u64) {
            self.faults.push_back(now);
        }
        self.counted = faults;
        while self.faults.len() > FAULTS_MAX {
            self.faults.pop_front();
        }
    }

    pub(super) fn verdict(&self, now: Instant) -> Verdict {
        let recent = self.faults.iter().filter(|it| now.duration_since(**it) <= WINDOW).count();
        if self.escaped || recent >= FAULTS_MAX { Verdict::StartAnew } else { Verdict::GoOn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_fault_in_a_minute_is_one_too_many() {
        let start = crate::clock::now().instant;
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut fence = Fence::default();
        let mut verdict_at = |faults, seconds| {
            fence.count(faults, at(seconds));
            fence.verdict(at(seconds))
        };
        assert_eq!(verdict_at(1, 0), Verdict::GoOn);
        assert_eq!(verdict_at(2, 10), Verdict::GoOn);
        assert_eq!(verdict_at(2, 11), Verdict::GoOn, "nothing new");
        assert_eq!(verdict_at(3, 65), Verdict::GoOn, "the first is older than a minute");
        assert_eq!(verdict_at(4, 66), Verdict::StartAnew);
    }

    #[test]
    fn what_escapes_the_core_ends_the_process() {
        let mut fence = Fence::default();
        assert_eq!(fence.run(|| 7), Some(7));
        assert_eq!(fence.verdict(crate::clock::now().instant), Verdict::GoOn);
        assert_eq!(fence.run(|| std::panic::resume_unwind(Box::new(()))), None::<()>);
        assert_eq!(fence.verdict(crate::clock::now().instant), Verdict::StartAnew);
        assert_eq!(fence.run(|| 7), None, "a broken core is not run again");
    }
}
