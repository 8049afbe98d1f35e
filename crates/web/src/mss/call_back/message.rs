//! The messages of the call-back: `METHOD: name=value, name=value`, one a datagram.
//!
//! It is read with patience, for the vendor publishes no grammar: parts end with a comma, a semicolon or
//! a line, names in any case, values with or without quotes, and what is not known is passed over.

use std::fmt;

/// Longest datagram that is read; a longer one is not for us. Unit: octets.
pub(super) const MESSAGE_MAX: usize = 2048;

/// Most parameters of one message; the rest is passed over.
const PARAMETERS_MAX: usize = 32;

/// Longest name of an order. Unit: octets.
const ID_MAX: usize = 64;

/// What the application server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// Bring two numbers together.
    Request,
    /// Release them, or call nobody any more.
    Cancel,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) method: Method,
    /// The name that the application server gave the order.
    pub(super) id: &'a str,
    /// The number the first party is shown.
    pub(super) caller1: &'a str,
    pub(super) called1: &'a str,
    /// The number the second party is shown.
    pub(super) caller2: &'a str,
    pub(super) called2: &'a str,
    /// Longest that they may talk, from the answer of the first party on. Unit: seconds.
    pub(super) duration_s: Option<u32>,
}

/// What we say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The order was understood; 0: and is carried out.
    Ack { id: Box<str>, result: Refused },
    /// It is over.
    Response { id: Box<str>, duration_s: u64, cause: u16 },
}

/// `result` of an ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    No = 0,
    /// A number is missing or cannot be dialled.
    Number = 1,
    /// None of the numbers is an extension whose rights could count.
    Rights = 2,
    /// There are too many orders, or the server takes no calls.
    Busy = 3,
    /// There is no such order.
    Unknown = 4,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ack { id, result } => write!(f, "ACK: id={id}, result={}", *result as u8),
            Self::Response { id, duration_s, cause } => {
                write!(f, "RESPONSE: id={id}, duration={duration_s}, cause={cause}")
            }
        }
    }
}

/// `None`: nothing that could be answered.
pub(super) fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    if bytes.len() > MESSAGE_MAX {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let (method, parameters) = text.split_once(':')?;
    let method = match method.trim() {
        it if it.eq_ignore_ascii_case("REQUEST") => Method::Request,
        it if it.eq_ignore_ascii_case("CANCEL") => Method::Cancel,
        _ => return None,
    };
    let (caller1, called1, caller2, called2) = <(&str, &str, &str, &str)>::default();
    let duration_s = None;
    let mut it = Message { method, id: "", caller1, called1, caller2, called2, duration_s };
    for parameter in parameters.split([',', ';', '\r', '\n']).take(PARAMETERS_MAX) {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let value = value.trim_matches(|it: char| it == '"' || it.is_whitespace());
        match name.trim().to_ascii_lowercase().as_str() {
            "id" => it.id = value,
            "caller1" => it.caller1 = value,
            "called1" => it.called1 = value,
            "caller2" => it.caller2 = value,
            "called2" => it.called2 = value,
            "duration" => it.duration_s = value.parse().ok(),
            _ => {}
        }
    }
    let graphic = it.id.bytes().all(|it| it.is_ascii_graphic());
    ((1..=ID_MAX).contains(&it.id.len()) && graphic).then_some(it)
}

/// What is true of every datagram: it is read or passed over, and what was read, said once more, is read as
/// the same.
pub(super) fn holds(bytes: &[u8]) {
    let Some(it) = parse(bytes) else { return };
    assert!((1..=ID_MAX).contains(&it.id.len()), "a name that cannot be answered");
    let Message { method, id, caller1, called1, caller2, called2, duration_s } = it;
    let method = match method {
        Method::Request => "REQUEST",
        Method::Cancel => "CANCEL",
    };
    let duration = duration_s.map(|it| it.to_string()).unwrap_or_default();
    let again = format!(
        "{method}: id={id}\ncaller1={caller1}\ncalled1={called1}\ncaller2={caller2}\ncalled2={called2}\nduration={duration}"
    );
    let is_short = again.len() <= MESSAGE_MAX;
    assert!(
        !is_short || parse(again.as_bytes()).as_ref() == Some(&it),
        "read otherwise: {again:?}"
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn message_table() {
        let order = Message {
            method: Method::Request,
            id: "7",
            caller1: "100",
            called1: "90138",
            caller2: "",
            called2: "101",
            duration_s: None,
        };
        let timed = Message { duration_s: Some(60), ..order.clone() };
        let none = "";
        let cancel = Message {
            method: Method::Cancel,
            caller1: none,
            called1: none,
            called2: none,
            ..order.clone()
        };
        #[rustfmt::skip]
        let table: [(&[u8], Option<Message<'_>>); 14] = [
            (b"REQUEST: id=7, caller1=100, called1=90138, called2=101",            Some(order.clone())),
            (b"REQUEST:id=7;caller1=100;called1=90138;called2=101;fee=3\r\n",      Some(order.clone())),
            (b"request: ID=7\r\nCaller1=\"100\"\r\ncalled1= 90138 \r\ncalled2=101", Some(order.clone())),
            (b"REQUEST: id=7, caller1=100, called1=90138, called2=101, duration=60", Some(timed)),
            (b"REQUEST: id=7,caller1=100,called1=90138,called2=101,duration=-1",   Some(order.clone())),
            (b"REQUEST: id=7,,=,x,caller1=100,called1=90138,called2=101",          Some(order)),
            (b"CANCEL: id=7",                                                      Some(cancel)),
            (b"REQUEST: called1=100",                                              None),
            (b"REQUEST: id=a b, called1=100",                                      None),
            (b"REQUEST id=7",                                                      None),
            (b"ACK: id=7, result=0",                                               None),
            (b"\xff\xfe: id=7",                                                    None),
            (b"",                                                                  None),
            (b":",                                                                 None),
        ];
        for (bytes, expected) in table {
            assert_eq!(parse(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(parse(&[b'x'; MESSAGE_MAX + 1]), None);
        let long = format!("REQUEST: id={}", "7".repeat(ID_MAX + 1));
        assert_eq!(parse(long.as_bytes()), None);
    }

    /// Whatever comes is read or passed over.
    #[test]
    fn nothing_makes_it_fail() {
        let seed = b"REQUEST: id=7, caller1=100, called1=\"90138\", called2=101, duration=60\r\n";
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut bytes = seed.to_vec();
            for _ in 0..4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let [at, with, ..] = state.to_be_bytes();
                let at = usize::from(at) % bytes.len();
                match with % 4 {
                    0 => bytes[at] = with,
                    1 => bytes.truncate(at.max(1)),
                    2 => bytes.insert(at, with),
                    _ => bytes.extend_from_within(at..),
                }
            }
            holds(&bytes);
        }
    }

    #[test]
    fn replies_are_lines() {
        let ack = Reply::Ack { id: "7".into(), result: Refused::Rights };
        assert_eq!(ack.to_string(), "ACK: id=7, result=2");
        let end = Reply::Response { id: "7".into(), duration_s: 61, cause: 16 };
        assert_eq!(end.to_string(), "RESPONSE: id=7, duration=61, cause=16");
    }
}
