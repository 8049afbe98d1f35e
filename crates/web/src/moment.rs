//! A day or a time as people write it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use pbx::language::Text;
use pbx::time::UnixMillis;

/// What [`moment`] reads.
pub const MOMENT: Text = Text::fixed(
    "must be a day or a time, as 2026-11-22 or 2026-11-22T10:15:00",
    "应为日期或时间，例如2026-11-22或2026-11-22T10:15:00",
);

/// By the clock of this zone, unless the text names another; a day begins at midnight.
pub fn moment(text: &str, zone: &TimeZone) -> Option<UnixMillis> {
    let local = |it: DateTime| it.to_zoned(zone.clone()).map(|it| it.timestamp());
    let at = text.parse::<Timestamp>().or_else(|_| text.parse().and_then(local)).ok()?;
    u64::try_from(at.as_millisecond()).ok().map(UnixMillis)
}

/// RFC 3339 in UTC with milliseconds; empty for a time out of the calendar.
pub fn rfc3339(at: UnixMillis) -> String {
    let time = i64::try_from(at.0).ok().and_then(|it| Timestamp::from_millisecond(it).ok());
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

    #[test]
    fn moment_table() {
        let zone = TimeZone::posix("CST-8").expect("a zone");
        #[rustfmt::skip]
        let table = [
            ("2026-11-26",                Some(1_795_622_400_000)),
            ("2026-11-26T00:00:00",       Some(1_795_622_400_000)),
            ("2026-11-26T10:15",          Some(1_795_659_300_000)),
            ("2026-11-26T10:15:00",       Some(1_795_659_300_000)),
            ("2026-11-26T02:15:00Z",      Some(1_795_659_300_000)),
            ("2026-11-26T03:15:00+01:00", Some(1_795_659_300_000)),
            ("10:15",                     None),
            ("yesterday",                 None),
        ];
        for (text, expected) in table {
            assert_eq!(moment(text, &zone), expected.map(UnixMillis), "{text}");
        }
    }
}
