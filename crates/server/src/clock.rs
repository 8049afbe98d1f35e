//! Where the process reads its clocks: once for each turn of a loop.

use pbx::time::{Now, UnixMillis, millis};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Both clocks, read together.
pub(crate) fn now() -> Now {
    #[expect(clippy::disallowed_methods, reason = "the edge gives the core its time")]
    let (instant, utc) = (Instant::now(), SystemTime::now());
    let utc = UnixMillis(utc.duration_since(UNIX_EPOCH).map_or(0, millis));
    Now { instant, utc }
}
