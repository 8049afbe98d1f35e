//! When a row holds, as it is said in Chinese.

use super::{DAY_MINUTES, Days, Entry, TimeCondition};
use std::fmt::Write;

const DAYS: [&str; 7] = ["周一", "周二", "周三", "周四", "周五", "周六", "周日"];

impl TimeCondition {
    /// `周一至周五09:00-18:00；2026-12-25；2026-10-01至2026-10-07除外`
    pub(in super::super) fn chinese(&self) -> String {
        let entries: Vec<String> = self.entries.iter().map(entry).collect();
        entries.join("；")
    }
}

/// Monday is 0.
pub(in super::super) fn weekday(day: usize) -> &'static str {
    DAYS.get(day).copied().unwrap_or_default()
}

fn entry(it: &Entry) -> String {
    let mut text = match &it.days {
        Days::Weekly(bits) => weekdays(*bits),
        Days::Dates(first, last) if first == last => first.to_string(),
        Days::Dates(first, last) => format!("{first}至{last}"),
    };
    if (it.from, it.to) != (0, DAY_MINUTES) {
        let next = if it.from < it.to { "" } else { "次日" };
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        // Dates end in a digit: the hours stand apart.
        let space = if matches!(it.days, Days::Dates(..)) { " " } else { "" };
        // Writing to a String does not fail.
        let _ = write!(text, "{space}{}-{next}{}", clock(it.from), clock(it.to));
    }
    if it.except {
        text += "除外";
    }
    text
}

/// Runs of days: `每天`, `周一至周五`, `周一、周三`.
fn weekdays(bits: u8) -> String {
    let has = |day: &usize| bits & 1 << day != 0;
    if (0..DAYS.len()).all(|day| has(&day)) {
        return "每天".to_owned();
    }
    let mut runs: Vec<String> = Vec::new();
    let mut day = 0;
    while day < DAYS.len() {
        let length = (day..DAYS.len()).take_while(has).count();
        match length {
            0 => {}
            1 => runs.push(weekday(day).to_owned()),
            _ => runs.push(format!("{}至{}", weekday(day), weekday(day + length - 1))),
        }
        day += length + 1;
    }
    runs.join("、")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_one_says_them() {
        #[rustfmt::skip]
        let table = [
            ("sat-sun",                                 "周六至周日"),
            ("mon-fri 09:00-18:00; !2026-10-01..2026-10-07", "周一至周五09:00-18:00；2026-10-01至2026-10-07除外"),
            ("mon,wed,fri-sun",                         "周一、周三、周五至周日"),
            ("2026-12-25 08:00-12:00",                  "2026-12-25 08:00-12:00"),
            ("22:00-06:00",                             "每天22:00-次日06:00"),
            ("sun",                                     "周日"),
        ];
        for (text, chinese) in table {
            let time: TimeCondition = text.parse().expect("a time");
            assert_eq!(time.chinese(), chinese, "{text}");
        }
    }
}
