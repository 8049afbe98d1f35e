//! The clock of the tests: real time, since the server under test is a real process.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two looks at something that has no event of its own (a file, a counter, a process).
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[expect(clippy::disallowed_methods, reason = "the server under test lives in real time")]
pub fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "paces what is sent to a real process")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Looks until there is something, at most for `limit`.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = now() + limit;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if now() >= end {
            bail!("{what}: not within {limit:?}");
        }
        pause(LOOK_EVERY);
    }
}

/// What is left until `end`, but never zero, which sockets take for "for ever".
pub fn until(end: Instant) -> Duration {
    end.saturating_duration_since(now()).max(Duration::from_millis(1))
}
