//! One line of a ladder: its text becomes a step.

use pbx::core::Shed;
use std::time::Duration;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A fact about the cast, true from the start.
    Given(Words),
    /// A phone sends.
    Send {
        phone: String,
        words: Words,
    },
    /// The server sends this next.
    Expect {
        phone: String,
        words: Words,
    },
    Wait {
        by: Duration,
        /// Copies of earlier messages may be sent meanwhile.
        through_resends: bool,
    },
    /// Time passes until the server sends something.
    WaitNext {
        most: Duration,
    },
    /// The wall clock is set, by milliseconds.
    Clock(i64),
    Kill,
    Shutdown,
    /// The newest call, or the first one that is still up.
    Hangup {
        first: bool,
    },
    /// The first number is called, and then the second one.
    Place(Words),
    /// One side of the newest call is sent to a number.
    Transfer(Words),
    Overload(bool),
    Behind(Shed),
    Disconnect(String),
    /// The phone has another address from now on, as after a change of its network.
    Move(String),
    /// DNS changes: a record, or how it answers.
    Dns(Words),
    /// The administrator changes an extension.
    Change(Words),
    Media {
        hearer: String,
        /// `None`: nobody.
        speaker: Option<String>,
    },
    /// A phone sends a digit as events in its media.
    Presses {
        phone: String,
        digit: char,
    },
    /// The digits that came to a phone in its media since the last such line.
    Hears {
        phone: String,
        digits: String,
    },
    /// The media edge cannot carry out the next plan.
    EdgeFails,
    /// The media edge hears nothing from this phone for too long.
    Silence(String),
    /// The next call record.
    Record(Words),
    /// Something published since the last such line.
    Event(Words),
    Report(Words),
}

/// A word and those that qualify it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) head: String,
    pub(super) rest: Vec<Word>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Flag(String),
    Pair(String, String),
}

impl Words {
    pub(super) fn has(&self, flag: &str) -> bool {
        self.flags().any(|it| it == flag)
    }

    pub(super) fn flags(&self) -> impl Iterator<Item = &str> {
        self.rest.iter().filter_map(|it| match it {
            Word::Flag(flag) => Some(flag.as_str()),
            Word::Pair(..) => None,
        })
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rest.iter().filter_map(|it| match it {
            Word::Flag(_) => None,
            Word::Pair(name, value) => Some((name.as_str(), value.as_str())),
        })
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs().find(|it| it.0 == name).map(|it| it.1)
    }

    /// The head as a status code.
    pub(super) fn code(&self) -> Option<u16> {
        self.head.parse().ok().filter(|it| (100..700).contains(it))
    }

    /// The method a status code is qualified by: `200 BYE`.
    pub(super) fn method(&self) -> Option<&str> {
        self.flags().find(|it| it.bytes().all(|it| it.is_ascii_uppercase()))
    }
}

/// Reads a line; `None` for one that is empty or a comment.
pub(super) fn parse(line: &str) -> Result<Option<Step>, String> {
    let tokens = tokens(line)?;
    let Some(first) = tokens.first() else { return Ok(None) };
    if let [left, arrow @ ("->" | "<-"), right, rest @ ..] =
        tokens.iter().map(String::as_str).collect::<Vec<_>>().as_slice()
    {
        return arrow_step(left, arrow, right, rest).map(Some);
    }
    let argument = tokens.get(1).map(String::as_str);
    let words = || words(tokens.iter().skip(1).map(String::as_str));
    let phone = || argument.map(str::to_owned).ok_or_else(|| "which phone?".to_owned());
    Ok(Some(match first.as_str() {
        "given" => Step::Given(words()),
        "change" => Step::Change(words()),
        "dns" => Step::Dns(words()),
        "record" => Step::Record(words_without_head(&tokens)),
        "event" => Step::Event(words_without_head(&tokens)),
        "report" => Step::Report(words_without_head(&tokens)),
        "wait" if tokens.get(2).is_some_and(|it| it == "next") => {
            Step::WaitNext { most: duration(argument.unwrap_or_default())? }
        }
        "wait" => Step::Wait {
            by: duration(argument.unwrap_or_default())?,
            through_resends: tokens.get(2).is_some_and(|it| it == "resends"),
        },
        "clock" => Step::Clock(signed_ms(argument.unwrap_or_default())?),
        "kill" => Step::Kill,
        "shutdown" => Step::Shutdown,
        "hangup" => Step::Hangup { first: argument == Some("first") },
        "place" => Step::Place(words()),
        "transfer" => Step::Transfer(words()),
        "overload" => Step::Overload(argument != Some("over")),
        "behind" => Step::Behind(match argument {
            None => Shed::Unproven,
            Some("far") => Shed::Everything,
            Some("over") => Shed::Nothing,
            Some(other) => return Err(format!("behind {other}?")),
        }),
        "edge" if argument == Some("fails") => Step::EdgeFails,
        "silence" => Step::Silence(phone()?),
        "disconnect" => Step::Disconnect(phone()?),
        "move" => Step::Move(phone()?),
        "media" => match tokens.as_slice() {
            [_, hearer, hears, speaker] if hears == "hears" => Step::Media {
                hearer: hearer.clone(),
                speaker: Some(speaker.clone()).filter(|it| it != "nobody"),
            },
            _ => return Err("write `media alice hears bob`".into()),
        },
        "digits" => match tokens.as_slice() {
            [_, phone, does, digits] if does == "hears" => Step::Hears {
                phone: phone.clone(),
                digits: if digits == "none" { String::new() } else { digits.clone() },
            },
            [_, phone, does, digit] if does == "sends" && digit.len() == 1 => Step::Presses {
                phone: phone.clone(),
                digit: digit.chars().next().unwrap_or_default(),
            },
            _ => return Err("write `digits alice sends 5` or `digits bob hears 5`".into()),
        },
        other => return Err(format!("no such line: {other}")),
    }))
}

fn arrow_step(left: &str, arrow: &str, right: &str, rest: &[&str]) -> Result<Step, String> {
    let words = words(rest.iter().copied());
    if words.head.is_empty() {
        return Err("what is sent?".into());
    }
    let (from, to) = if arrow == "->" { (left, right) } else { (right, left) };
    match (from, to) {
        (phone, "pbx") => Ok(Step::Send { phone: phone.to_owned(), words }),
        ("pbx", phone) => Ok(Step::Expect { phone: phone.to_owned(), words }),
        _ => Err("one side is pbx".into()),
    }
}

fn words<'a>(mut tokens: impl Iterator<Item = &'a str>) -> Words {
    let head = tokens.next().unwrap_or_default().to_owned();
    Words { head, rest: tokens.map(word).collect() }
}

fn words_without_head(tokens: &[String]) -> Words {
    let rest = tokens.iter().skip(1).map(|it| word(it)).collect();
    Words { head: String::new(), rest }
}

fn word(token: &str) -> Word {
    match token.split_once('=') {
        Some((name, value)) => Word::Pair(name.to_owned(), value.to_owned()),
        None => Word::Flag(token.to_owned()),
    }
}

/// Splits at blanks outside of quotes; drops the quotes and what follows a `#` after a blank.
fn tokens(line: &str) -> Result<Vec<String>, String> {
    let mut tokens: Vec<String> = Vec::new();
    let (mut within, mut quoted) = (false, false);
    for symbol in line.chars() {
        match symbol {
            '"' => {
                quoted = !quoted;
                if !within {
                    tokens.push(String::new());
                }
                within = true;
            }
            '#' if !within => break,
            symbol if symbol.is_whitespace() && !quoted => within = false,
            symbol => {
                if !within {
                    tokens.push(String::new());
                }
                within = true;
                if let Some(token) = tokens.last_mut() {
                    token.push(symbol);
                }
            }
        }
    }
    if quoted { Err("a quote is open".into()) } else { Ok(tokens) }
}

/// `500ms`, `5s`, `2min`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|it: char| it.is_ascii_alphabetic());
    let unit_ms = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("not a duration: {text:?}")),
    };
    let count: u64 = digits.parse().map_err(|_| format!("not a duration: {text:?}"))?;
    Ok(Duration::from_millis(count * unit_ms))
}

fn signed_ms(text: &str) -> Result<i64, String> {
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err("write `clock +1h` or `clock -1h`".into()),
    };
    let ms = i64::try_from(duration(rest)?.as_millis()).map_err(|error| error.to_string())?;
    Ok(sign * ms)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn arrows_point_from_who_sends() {
        let line = "   pbx <- bob   487 INVITE reason=\"gone fishing\" lost   # to the INVITE";
        let Some(Step::Send { phone, words }) = parse(line).unwrap() else { panic!("a send") };
        assert_eq!(
            (phone.as_str(), words.code(), words.method()),
            ("bob", Some(487), Some("INVITE"))
        );
        assert_eq!((words.get("reason"), words.has("lost")), (Some("gone fishing"), true));
        assert!(matches!(parse("alice <- pbx 100"), Ok(Some(Step::Expect { .. }))));
        assert!(parse("alice -> bob 100").is_err());
    }

    #[test]
    fn other_lines() {
        assert_eq!(parse("  # nothing").unwrap(), None);
        let wait = Step::Wait { by: Duration::from_secs(32), through_resends: true };
        assert_eq!(parse("wait 32s resends").unwrap(), Some(wait));
        assert_eq!(parse("clock -1h").unwrap(), Some(Step::Clock(-3_600_000)));
        assert!(parse("wait long").is_err());
        assert!(parse("alice -> pbx").is_err());
    }
}
