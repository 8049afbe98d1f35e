//! The ladder (时序图) of a call, drawn here: one column for each party, an arrow for each message.

use crate::pages::when::clock;
use crate::resource::{Call, Traced};
use askama::Template;
use jiff::tz::TimeZone;

/// Most messages that are drawn.
const DRAWN_MAX: usize = 400;

/// Sizes of the drawing, in its own units.
const TIME_WIDTH: usize = 100;
const COLUMN_WIDTH: usize = 210;
const HEAD_HEIGHT: usize = 48;
const ROW_HEIGHT: usize = 30;

/// Longest label over an arrow. Unit: characters.
const LABEL_MAX: usize = 34;

#[derive(Template)]
#[template(path = "ladder.svg", escape = "html")]
pub(super) struct Drawing {
    name: &'static str,
    width: usize,
    height: usize,
    columns: Vec<Column>,
    arrows: Vec<Arrow>,
}

struct Column {
    x: usize,
    name: String,
    address: String,
}

struct Arrow {
    at: usize,
    y: usize,
    /// Where its label stands.
    above: usize,
    from: usize,
    to: usize,
    middle: usize,
    /// Its head, as points of a polygon.
    head: String,
    time: String,
    label: String,
    class: &'static str,
}

/// A message as text, below the drawing.
pub(super) struct Message {
    pub(super) time: String,
    pub(super) way: String,
    pub(super) what: String,
    pub(super) text: String,
}

/// The messages as text, in the order of the drawing.
pub(super) fn messages(ladder: &[Traced], zone: &TimeZone) -> Vec<Message> {
    let message = |it: &Traced| Message {
        time: clock(it.unix_ms, zone),
        way: if it.sent {
            format!("{} \u{2192} {}", it.local, it.remote)
        } else {
            format!("{} \u{2192} {}", it.remote, it.local)
        },
        what: what(&it.text),
        text: it.text.replace("\r\n", "\n").trim_end().to_owned(),
    };
    ladder.iter().map(message).collect()
}

pub(super) fn drawing(
    name: &'static str,
    call: &Call,
    ladder: &[Traced],
    zone: &TimeZone,
) -> Drawing {
    let parties = parties(ladder);
    let x = |index: usize| TIME_WIDTH + COLUMN_WIDTH / 2 + index * COLUMN_WIDTH;
    // The first party is who calls: it stands to our left, all others to our right.
    let place = |remote: &str| match parties.iter().position(|it| *it == remote) {
        Some(0) | None => 0,
        Some(index) => index + 1,
    };
    let number = |remote: &str| {
        let leg = call.legs.iter().find(|it| it.remote == remote);
        leg.map(|it| it.number.clone()).unwrap_or_default()
    };
    let mut columns: Vec<Column> = Vec::new();
    for party in &parties {
        columns.push(Column {
            x: x(place(party)),
            name: number(party),
            address: (*party).to_owned(),
        });
    }
    let ours = Column { x: x(1), name: "dialtone".to_owned(), address: String::new() };
    columns.insert(1.min(columns.len()), ours);
    let arrow = |(at, it): (usize, &Traced)| {
        let party = x(place(&it.remote));
        let (from, to) = if it.sent { (x(1), party) } else { (party, x(1)) };
        arrow(at, it, from, to, zone)
    };
    let arrows: Vec<Arrow> = ladder.iter().take(DRAWN_MAX).enumerate().map(arrow).collect();
    Drawing {
        name,
        width: TIME_WIDTH + columns.len() * COLUMN_WIDTH,
        height: HEAD_HEIGHT + ROW_HEIGHT * (arrows.len() + 1),
        columns,
        arrows,
    }
}

fn arrow(at: usize, message: &Traced, from: usize, to: usize, zone: &TimeZone) -> Arrow {
    let y = HEAD_HEIGHT + ROW_HEIGHT * (at + 1);
    let back = if to > from { to - 9 } else { to + 9 };
    Arrow {
        at,
        y,
        above: y - 6,
        from,
        to,
        middle: from.midpoint(to),
        head: format!("{to},{y} {back},{} {back},{}", y - 5, y + 5),
        time: clock(message.unix_ms, zone),
        label: shortened(&what(&message.text)),
        class: class(&message.text),
    }
}

/// The far ends, in the order they first appear.
fn parties(ladder: &[Traced]) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for it in ladder {
        if !found.contains(&it.remote.as_str()) {
            found.push(&it.remote);
        }
    }
    found
}

fn class(text: &str) -> &'static str {
    match text.strip_prefix("SIP/2.0 ").and_then(|it| it.bytes().next()) {
        None => "request",
        Some(b'1') => "provisional",
        Some(b'2' | b'3') => "final",
        Some(_) => "refusal",
    }
}

/// The method and whom it is for, or status, reason and the method it answers.
fn what(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default().trim_end();
    let Some(status) = first.strip_prefix("SIP/2.0 ") else {
        return first.trim_end_matches("SIP/2.0").trim_end().to_owned();
    };
    let cseq =
        text.lines().find(|it| it.get(..5).is_some_and(|it| it.eq_ignore_ascii_case("cseq:")));
    let method = cseq.and_then(|it| it.split_whitespace().last()).unwrap_or_default();
    format!("{status} ({method})")
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LABEL_MAX {
        return text.to_owned();
    }
    text.chars().take(LABEL_MAX - 1).chain(['\u{2026}']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pbx::event::CallState;
    use pbx::record::CallRecord;

    fn message(sent: bool, remote: &str, text: &str) -> Traced {
        Traced {
            unix_ms: 1_795_659_300_123,
            sent,
            transport: "udp".to_owned(),
            local: "10.0.0.1:5060".to_owned(),
            remote: remote.to_owned(),
            call: None,
            text: text.to_owned(),
        }
    }

    #[test]
    fn who_calls_stands_to_our_left_and_all_others_to_our_right() {
        let ladder = [
            message(false, "a", "INVITE sip:102@x SIP/2.0\r\n\r\n"),
            message(true, "b", "INVITE sip:102@y SIP/2.0\r\n\r\n"),
            message(false, "b", "SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n"),
        ];
        let call = Call::of(&CallRecord::default(), CallState::Released);
        let drawn = drawing("", &call, &ladder, &TimeZone::UTC);
        let columns: Vec<_> = drawn.columns.iter().map(|it| (it.x, it.address.as_str())).collect();
        assert_eq!(columns, [(205, "a"), (415, ""), (625, "b")]);
        let arrows: Vec<_> = drawn.arrows.iter().map(|it| (it.from, it.to, &*it.label)).collect();
        let expected = [
            (205, 415, "INVITE sip:102@x"),
            (415, 625, "INVITE sip:102@y"),
            (625, 415, "486 Busy Here (INVITE)"),
        ];
        assert_eq!(arrows, expected);
    }

    #[test]
    fn label_table() {
        let long = format!("OPTIONS sip:{} SIP/2.0\r\n", "x".repeat(50));
        #[rustfmt::skip]
        let table = [
            ("SIP/2.0 200 OK\r\ncseq: 7 BYE\r\n", "200 OK (BYE)"),
            ("ACK sip:1@x SIP/2.0\r\n",           "ACK sip:1@x"),
            ("",                                   ""),
        ];
        for (text, expected) in table {
            assert_eq!(what(text), expected);
        }
        assert_eq!(shortened(&what(&long)).chars().count(), LABEL_MAX);
    }
}
