//! Times on pages: by the clock of the office, with the universal time behind them.

use super::viewer::Viewer;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pbx::id::TenantId;

/// A moment as a page shows it.
#[derive(Clone, Default)]
pub(crate) struct When {
    /// By the clock of the office.
    pub(crate) local: String,
    /// RFC 3339.
    pub(crate) utc: String,
}

impl Viewer {
    /// The time zone of the office.
    pub(crate) fn zone(&self) -> TimeZone {
        let directory = self.pages.running.directory();
        let tenant = directory.tenant(TenantId::default());
        tenant.map_or_else(TimeZone::system, |it| it.zone.0.clone())
    }
}

/// Day and time of an RFC 3339 text; empty for any other.
pub(crate) fn when(utc: &str, zone: &TimeZone) -> When {
    let at = utc.parse::<Timestamp>().ok();
    let local = at.map(|it| it.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string());
    When { local: local.unwrap_or_default(), utc: utc.to_owned() }
}

/// The time of day, with milliseconds.
pub(crate) fn clock(unix_ms: u64, zone: &TimeZone) -> String {
    let at = i64::try_from(unix_ms).ok().and_then(|it| Timestamp::from_millisecond(it).ok());
    let zoned = at.map(|it| it.to_zoned(zone.clone()));
    zoned.map(|it| it.strftime("%H:%M:%S%.3f").to_string()).unwrap_or_default()
}

/// `1:02:03` or `2:03`.
pub(crate) fn duration(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours == 0 {
        format!("{minutes}:{seconds:02}")
    } else {
        format!("{hours}:{minutes:02}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_office() {
        let zone = TimeZone::posix("CST-8").expect("a zone");
        assert_eq!(when("2026-11-26T02:15:00.123Z", &zone).local, "2026-11-26 10:15:00");
        assert_eq!(clock(1_795_659_300_123, &zone), "10:15:00.123");
        assert_eq!(when("never", &zone).local, "");
    }

    #[test]
    fn duration_table() {
        for (seconds, expected) in [(0, "0:00"), (65, "1:05"), (3_723, "1:02:03")] {
            assert_eq!(duration(seconds), expected);
        }
    }
}
