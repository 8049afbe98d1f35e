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

/// RFC 3339 in UTC with milliseconds; empty for a time out of the calendar.
pub(crate) fn rfc3339(at: UnixMillis) -> String {
    let time = i64::try_from(at.0).ok().and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
    time.map_or_else(String::new, |it| it.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_readable() {
        assert_eq!(rfc3339(UnixMillis(1_700_000_000_123)), "2023-11-14T22:13:20.123Z");
        assert_eq!(rfc3339(UnixMillis(u64::MAX)), "");
    }
}
