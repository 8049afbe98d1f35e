//! When a row holds: weekly hours and dates, in the tenant's time zone.
//!
//! Written as `mon-fri 09:00-18:00; 2026-12-25; !2026-10-01..2026-10-07`: it holds when one of its
//! entries covers the time and none with `!` does. Hours that end before they begin pass midnight
//! and belong to the day they begin on.

pub(super) mod chinese;

use crate::language::Text;
use crate::text;
use crate::time::UnixMillis;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::str::FromStr;

/// Most entries of one condition.
pub const TIME_ENTRIES_MAX: usize = 64;

const DAY_MINUTES: u16 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The zone of an office; UTC until it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(pub TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

/// A moment as the office's clock on the wall shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    pub date: Date,
    /// Minutes since midnight.
    pub minute: u16,
}

impl LocalTime {
    pub fn new(at: UnixMillis, zone: &Zone) -> Self {
        let timestamp = i64::try_from(at.0).ok();
        let timestamp = timestamp.and_then(|it| Timestamp::from_millisecond(it).ok());
        let local = zone.0.to_datetime(timestamp.unwrap_or(Timestamp::MAX));
        let minute = u16::from(local.hour().unsigned_abs()) * 60;
        Self { date: local.date(), minute: minute + u16::from(local.minute().unsigned_abs()) }
    }
}

/// The local time of a query, worked out when a row first asks for it.
pub(super) struct Clock<'a> {
    at: UnixMillis,
    zone: &'a Zone,
    local: OnceCell<LocalTime>,
}

impl<'a> Clock<'a> {
    pub(super) fn new(at: UnixMillis, zone: &'a Zone) -> Self {
        Self { at, zone, local: OnceCell::new() }
    }

    pub(super) fn local(&self) -> LocalTime {
        *self.local.get_or_init(|| LocalTime::new(self.at, self.zone))
    }
}

/// When a row holds. Made by parsing, so that it is always a legal one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeCondition {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// Written with `!`: never then.
    except: bool,
    days: Days,
    /// Minutes since midnight, the end not included. Begins after its end: passes midnight.
    from: u16,
    to: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    /// A bit for each, Monday first.
    Weekly(u8),
    Dates(Date, Date),
}

impl TimeCondition {
    pub fn holds(&self, at: LocalTime) -> bool {
        let mut covered = self.entries.iter().all(|it| it.except);
        for entry in &self.entries {
            match (entry.covers(at), entry.except) {
                (true, true) => return false,
                (true, false) => covered = true,
                (false, _) => {}
            }
        }
        covered
    }

    /// It names dates: among rows of one prefix these come before the weekly ones.
    pub fn names_dates(&self) -> bool {
        self.entries.iter().any(|it| !it.except && matches!(it.days, Days::Dates(..)))
    }

    /// Whether both may hold at once, exceptions left aside.
    pub fn overlaps(&self, other: &Self) -> bool {
        let both = |a: &Entry, b: &Entry| a.meets(b);
        self.positive().any(|a| other.positive().any(|b| both(a, b)))
            || self.positive().next().is_none()
            || other.positive().next().is_none()
    }

    /// It holds at every minute of every week.
    pub fn holds_always(&self) -> bool {
        // A week that no dates of an office name, asked minute by minute.
        let first = jiff::civil::date(2001, 1, 1);
        self.entries.iter().all(|it| !it.except)
            && (0..7).all(|day| {
                let date = first.saturating_add(jiff::Span::new().days(day));
                (0..DAY_MINUTES).all(|minute| self.holds(LocalTime { date, minute }))
            })
    }

    /// It holds on no day after this one.
    pub fn is_over(&self, today: Date) -> bool {
        let over = |it: &Entry| matches!(it.days, Days::Dates(_, last) if last < today);
        self.positive().next().is_some() && self.positive().all(over)
    }

    fn positive(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|it| !it.except)
    }
}

impl Entry {
    fn covers(&self, at: LocalTime) -> bool {
        if self.from < self.to {
            return self.days.hold(at.date) && (self.from..self.to).contains(&at.minute);
        }
        let evening = at.minute >= self.from && self.days.hold(at.date);
        let morning = || {
            at.minute < self.to && at.date.yesterday().is_ok_and(|before| self.days.hold(before))
        };
        evening || morning()
    }

    fn meets(&self, other: &Self) -> bool {
        let hours = |it: &Self| match it.from < it.to {
            true => [(it.from, it.to), (0, 0)],
            false => [(it.from, DAY_MINUTES), (0, it.to)],
        };
        let meet = |a: (u16, u16), b: (u16, u16)| a.0.max(b.0) < a.1.min(b.1);
        let hours_meet = hours(self).iter().any(|a| hours(other).iter().any(|b| meet(*a, *b)));
        hours_meet && self.days.meet(&other.days)
    }
}

impl Days {
    fn hold(&self, date: Date) -> bool {
        match self {
            Self::Weekly(days) => days & 1 << weekday(date) != 0,
            Self::Dates(first, last) => (*first..=*last).contains(&date),
        }
    }

    /// Dates and weekdays stand in different ranks and never compete.
    fn meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Weekly(a), Self::Weekly(b)) => a & b != 0,
            (Self::Dates(a, b), Self::Dates(c, d)) => a.max(c) <= b.min(d),
            (Self::Weekly(_), Self::Dates(..)) | (Self::Dates(..), Self::Weekly(_)) => false,
        }
    }
}

fn weekday(date: Date) -> u8 {
    date.weekday().to_monday_zero_offset().unsigned_abs()
}

/// Names the entry that cannot be read, and the ways to write one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{entry:?} is no time: write days and hours such as `mon-fri 09:00-18:00`, a date such as \
     `2026-12-25` or `2026-10-01..2026-10-07`, with `!` before what is excepted"
)]
pub struct BadTime {
    pub entry: String,
}

impl BadTime {
    pub fn text(&self) -> Text {
        let entry = &self.entry;
        text!(
            "{self}",
            "“{entry}”不是时间：请填写星期和时段（例如`mon-fri 09:00-18:00`），或日期（例如`2026-12-25`、\
             `2026-10-01..2026-10-07`）；除外的部分以`!`开头"
        )
    }
}

impl FromStr for TimeCondition {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let bad = |entry: &str| BadTime { entry: entry.to_owned() };
        let parse = |entry: &str| entry_of(entry).ok_or_else(|| bad(entry));
        let texts = text.split(';').map(str::trim).filter(|it| !it.is_empty());
        let entries: Vec<Entry> = texts.map(parse).collect::<Result<_, _>>()?;
        if entries.is_empty() || entries.len() > TIME_ENTRIES_MAX {
            return Err(bad(text));
        }
        Ok(Self { entries })
    }
}

fn entry_of(text: &str) -> Option<Entry> {
    let (except, text) = match text.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, text),
    };
    let (mut days, mut hours) = (None, None);
    for word in text.split_whitespace() {
        match (hours_of(word), days_of(word)) {
            (Some(found), _) if hours.is_none() => hours = Some(found),
            (None, Some(found)) if days.is_none() && hours.is_none() => days = Some(found),
            _ => return None,
        }
    }
    if days.is_none() && hours.is_none() {
        return None;
    }
    let (from, to) = hours.unwrap_or((0, DAY_MINUTES));
    Some(Entry { except, days: days.unwrap_or(Days::Weekly(0x7f)), from, to })
}

fn days_of(word: &str) -> Option<Days> {
    let word = word.to_ascii_lowercase();
    if word.starts_with(|it: char| it.is_ascii_digit()) {
        let (first, last) = word.split_once("..").unwrap_or((&word, &word));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        return (first <= last).then_some(Days::Dates(first, last));
    }
    let day = |name: &str| DAYS.iter().position(|it| *it == name);
    let mut bits = 0;
    for part in word.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first)?, day(last)?);
        // `sat-mon` goes over Sunday.
        loop {
            bits |= 1 << at;
            if at == last {
                break;
            }
            at = (at + 1) % DAYS.len();
        }
    }
    Some(Days::Weekly(bits))
}

fn hours_of(word: &str) -> Option<(u16, u16)> {
    let (from, to) = word.split_once('-')?;
    let (from, to) = (minute_of(from)?, minute_of(to)?);
    (from != to && from < DAY_MINUTES).then_some((from, to))
}

fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |it: &str| it.len() == 2 && it.bytes().all(|it| it.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= DAY_MINUTES).then_some(hour * 60 + minute)
}

impl fmt::Display for TimeCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.entries.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "; " })?;
            f.write_str(if entry.except { "!" } else { "" })?;
            match &entry.days {
                Days::Weekly(bits) => write_weekdays(f, *bits)?,
                Days::Dates(first, last) if first == last => write!(f, "{first}")?,
                Days::Dates(first, last) => write!(f, "{first}..{last}")?,
            }
            if (entry.from, entry.to) != (0, DAY_MINUTES) {
                let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
                write!(f, " {}-{}", clock(entry.from), clock(entry.to))?;
            }
        }
        Ok(())
    }
}

/// Runs of days: `mon-fri`, `mon,wed`.
fn write_weekdays(f: &mut fmt::Formatter<'_>, bits: u8) -> fmt::Result {
    let has = |day: usize| bits & 1 << day != 0;
    let mut day = 0;
    let mut separator = "";
    while day < DAYS.len() {
        let first = day;
        while day < DAYS.len() && has(day) {
            day += 1;
        }
        match day - first {
            0 => {}
            1 => write!(f, "{separator}{}", DAYS[first])?,
            _ => write!(f, "{separator}{}-{}", DAYS[first], DAYS[day - 1])?,
        }
        if day > first {
            separator = ",";
        }
        day += 1;
    }
    Ok(())
}

/// As its text.
impl JsonSchema for TimeCondition {
    fn schema_name() -> Cow<'static, str> {
        "TimeCondition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

impl Serialize for TimeCondition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeCondition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(text: &str) -> TimeCondition {
        text.parse().expect(text)
    }

    /// 2026-11-26 is a Thursday.
    fn local(text: &str) -> LocalTime {
        let (date, clock) = text.split_once(' ').expect("a date and a time");
        let minute = minute_of(clock).expect("a time");
        LocalTime { date: date.parse().expect("a date"), minute }
    }

    #[test]
    fn condition_table() {
        #[rustfmt::skip]
        let table = [
            ("mon-fri 09:00-18:00",               "2026-11-26 09:00", true),
            ("mon-fri 09:00-18:00",               "2026-11-26 18:00", false),
            ("mon-fri 09:00-18:00",               "2026-11-28 10:00", false),
            ("mon,thu",                           "2026-11-26 23:59", true),
            ("sat-mon",                           "2026-11-29 12:00", true),
            ("sat-mon",                           "2026-11-27 12:00", false),
            ("22:00-06:00",                       "2026-11-26 05:59", true),
            ("22:00-06:00",                       "2026-11-26 06:00", false),
            ("fri 22:00-06:00",                   "2026-11-28 05:00", true),
            ("fri 22:00-06:00",                   "2026-11-27 05:00", false),
            ("2026-12-25",                        "2026-12-25 00:00", true),
            ("2026-12-25",                        "2026-12-26 00:00", false),
            ("2026-10-01..2026-10-07 08:00-24:00", "2026-10-07 23:59", true),
            ("2026-10-01..2026-10-07 08:00-24:00", "2026-10-03 07:59", false),
            ("mon-fri; !2026-11-26",              "2026-11-26 12:00", false),
            ("mon-fri; !2026-11-26",              "2026-11-27 12:00", true),
            ("!mon-fri",                          "2026-11-28 12:00", true),
            ("mon-fri; 2026-11-28",               "2026-11-28 12:00", true),
        ];
        for (text, at, expected) in table {
            assert_eq!(condition(text).holds(local(at)), expected, "{text} at {at}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let table = [
            ("Mon-Fri 09:00-18:00;2026-12-25", "mon-fri 09:00-18:00; 2026-12-25"),
            ("mon,tue,thu,sat-sun", "mon-tue,thu,sat-sun"),
            (
                "22:00-06:00; !2026-10-01..2026-10-07",
                "mon-sun 22:00-06:00; !2026-10-01..2026-10-07",
            ),
            ("2026-12-24 12:00-24:00", "2026-12-24 12:00-24:00"),
        ];
        for (text, expected) in table {
            assert_eq!(condition(text).to_string(), expected);
            assert_eq!(condition(expected), condition(text));
        }
        for text in [
            "",
            ";",
            "!",
            "someday",
            "mon 9:00-18:00",
            "mon 09:00-09:00",
            "24:00-08:00",
            "2026-13-01",
            "2026-10-07..2026-10-01",
            "09:00-18:00 mon",
            "mon 25:00-26:00",
        ] {
            assert!(text.parse::<TimeCondition>().is_err(), "{text}");
        }
    }

    #[test]
    fn overlap_table() {
        #[rustfmt::skip]
        let table = [
            ("mon-fri",             "sat-sun",             false),
            ("mon-fri",             "fri-sun",             true),
            ("mon 08:00-12:00",     "mon 12:00-18:00",     false),
            ("mon 08:00-12:00",     "mon 11:59-18:00",     true),
            ("mon 22:00-06:00",     "mon 23:00-23:30",     true),
            ("mon-fri",             "2026-12-25",          false),
            ("2026-12-24..2026-12-26", "2026-12-25",       true),
            ("!mon-fri",            "sat",                 true),
        ];
        for (a, b, expected) in table {
            assert_eq!(condition(a).overlaps(&condition(b)), expected, "{a} / {b}");
            assert_eq!(condition(b).overlaps(&condition(a)), expected, "{b} / {a}");
        }
    }

    /// 2026-11-26T02:15:00Z is 10:15 in Shanghai, and the day before in New York.
    #[test]
    fn the_clock_is_the_tenants() {
        let at = UnixMillis(1_795_659_300_000);
        for (zone, expected) in [
            ("UTC0", "2026-11-26 02:15"),
            ("CST-8", "2026-11-26 10:15"),
            ("EST5EDT,M3.2.0,M11.1.0", "2026-11-25 21:15"),
        ] {
            let zone = Zone(TimeZone::posix(zone).expect(zone));
            assert_eq!(LocalTime::new(at, &zone), local(expected));
        }
    }
}
