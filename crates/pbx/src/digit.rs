//! A digit that is dialled within a call (DTMF), and its form in INFO requests.
//!
//! Between the events of the media (RFC 4733 §3.2, whose codes these are) and the bodies that
//! phones and carriers put into INFO: `application/dtmf-relay` with `Signal=` and `Duration=`, and
//! `application/dtmf` with the digit alone.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a digit looks, by its event code.
const LOOKS: &[u8; 16] = b"0123456789*#ABCD";

/// How long a digit lasts that does not say so.
const USUAL: Duration = Duration::from_millis(160);

/// A tone shorter than this is not heard everywhere (ITU-T Q.24), one longer than that is a key that
/// is stuck.
const SHORTEST: Duration = Duration::from_millis(40);
const LONGEST: Duration = Duration::from_secs(5);

/// 0 to 9, `*`, `#` and A to D.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digit(u8);

/// A digit and how long its key was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Press {
    pub digit: Digit,
    pub lasts: Duration,
}

impl Digit {
    /// By its event code; others are no digits.
    pub fn of_event(code: u8) -> Option<Self> {
        (usize::from(code) < LOOKS.len()).then_some(Self(code))
    }

    pub fn event(self) -> u8 {
        self.0
    }

    pub fn as_char(self) -> char {
        char::from(LOOKS[usize::from(self.0)])
    }

    /// As INFO bodies write it: itself, or its event code.
    fn read(text: &str) -> Option<Self> {
        let looks = |it: u8| LOOKS.iter().position(|look| *look == it.to_ascii_uppercase());
        let code = match text.as_bytes() {
            [it] => u8::try_from(looks(*it)?).ok()?,
            _ => text.parse().ok()?,
        };
        Self::of_event(code)
    }
}

impl Press {
    pub fn new(digit: Digit, lasts: Duration) -> Self {
        Self { digit, lasts: lasts.clamp(SHORTEST, LONGEST) }
    }

    /// Reads the body of an INFO; `None`: it is about something else.
    pub fn read(content_type: &str, body: &[u8]) -> Option<Self> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let relay = kind.eq_ignore_ascii_case("application/dtmf-relay");
        if !relay && !kind.eq_ignore_ascii_case("application/dtmf") {
            return None;
        }
        let text = std::str::from_utf8(body).ok()?.trim();
        if !relay && !text.contains('=') {
            return Some(Self::new(Digit::read(text)?, USUAL));
        }
        let value = |name: &str| {
            let lines = text.lines().filter_map(|it| it.split_once('='));
            let mut named = lines.filter(|it| it.0.trim().eq_ignore_ascii_case(name));
            named.next().map(|it| it.1.trim())
        };
        let lasts = value("Duration").and_then(|it| it.parse().ok()).map(Duration::from_millis);
        Some(Self::new(Digit::read(value("Signal")?)?, lasts.unwrap_or(USUAL)))
    }

    /// The body of an INFO, of the type [`Press::CONTENT_TYPE`].
    pub fn write(self) -> String {
        format!("Signal={}\r\nDuration={}\r\n", self.digit.as_char(), self.lasts.as_millis())
    }

    /// What more carriers know than `application/dtmf`.
    pub const CONTENT_TYPE: &'static str = "application/dtmf-relay";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_info() {
        const RELAY: &str = "application/dtmf-relay";
        type Row<'a> = (&'a str, &'a str, Option<(char, u64)>);
        #[rustfmt::skip]
        let table: &[Row<'_>] = &[
            (RELAY,                          "Signal=5\r\nDuration=250\r\n",   Some(('5', 250))),
            (RELAY,                          "Signal= *\nDuration= 100",       Some(('*', 100))),
            (RELAY,                          "signal=#",                       Some(('#', 160))),
            (RELAY,                          "Duration=90\r\nSignal=d\r\n",    Some(('D', 90))),
            (RELAY,                          "Signal=11\r\nDuration=1\r\n",    Some(('#', 40))),
            (RELAY,                          "Signal=7\r\nDuration=99999",     Some(('7', 5000))),
            (RELAY,                          "Signal=7\r\nDuration=long",      Some(('7', 160))),
            (RELAY,                          "Signal=16\r\nDuration=160",      None),
            (RELAY,                          "Signal=!\r\nDuration=160",       None),
            (RELAY,                          "Signal=",                        None),
            (RELAY,                          "5",                              None),
            ("Application/DTMF",             "5",                              Some(('5', 160))),
            ("application/dtmf;charset=x",   " 10\r\n",                        Some(('*', 160))),
            ("application/dtmf",             "Signal=5\r\nDuration=200",       Some(('5', 200))),
            ("application/dtmf",             "",                               None),
            ("application/media_control+xml", "5",                             None),
            ("text/plain",                   "Signal=5",                       None),
        ];
        for (content_type, body, expected) in table {
            let read = Press::read(content_type, body.as_bytes());
            let read = read.map(|it| (it.digit.as_char(), it.lasts.as_millis()));
            assert_eq!(read, expected.map(|(it, ms)| (it, ms.into())), "{content_type} {body:?}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for code in 0..16 {
            let press = Press::new(Digit::of_event(code).unwrap(), Duration::from_millis(160));
            assert_eq!(Press::read(Press::CONTENT_TYPE, press.write().as_bytes()), Some(press));
            assert_eq!(press.digit.event(), code);
        }
        assert_eq!(Digit::of_event(16), None);
    }
}
