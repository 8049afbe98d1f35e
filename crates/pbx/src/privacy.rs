//! What a caller wants withheld (RFC 3323; `id` of RFC 3325 §9.3, `history` of RFC 7044 §10.1.1), as
//! his own side says it. Pure.

use sip::message::{HeaderName, Message, NameAddr};

/// The number of who does not say his.
pub const ANONYMOUS: &str = "anonymous";

/// From of who withholds his number (RFC 3323 §4.1.1.3).
pub const ANONYMOUS_FROM: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// A user of nobody's, where a URI has to stand.
pub const ANONYMOUS_URI: &str = "sip:anonymous@anonymous.invalid";

/// What is withheld from those who are not trusted with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// Number and name.
    pub identity: bool,
    /// Who sent the call on.
    pub history: bool,
    /// The address his media come from.
    pub media: bool,
}

impl Privacy {
    /// Of whom an INVITE or MESSAGE is from: what Privacy asks for, else what Remote-Party-ID or an
    /// anonymous From does. To hide is everybody's right, so a phone is believed too; to show is not:
    /// `none` takes back nothing that the office itself hides.
    pub fn of(message: &Message<'_>) -> Self {
        let has = |wanted: &[&str]| {
            values(message).any(|it| wanted.iter().any(|one| it.eq_ignore_ascii_case(one)))
        };
        if has(&["none"]) {
            return Self::default();
        }
        let identity = has(&["id", "user", "header"]);
        Self {
            identity: identity || hides_remote_party(message) || is_from_anonymous(message),
            history: has(&["history", "header", "session"]),
            media: has(&["session"]),
        }
    }

    /// The call is to fail where this privacy cannot be had (`critical`), and it asks for one that we
    /// do not know (RFC 3323 §5).
    pub fn is_out_of_reach(message: &Message<'_>) -> bool {
        let known = ["none", "critical", "id", "user", "header", "session", "history"];
        let is_known = |it: &str| known.iter().any(|one| it.eq_ignore_ascii_case(one));
        values(message).any(|it| it.eq_ignore_ascii_case("critical"))
            && !values(message).all(is_known)
    }
}

/// Semicolons separate; commas and blanks are what some phones write.
fn values<'a>(message: &Message<'a>) -> impl Iterator<Item = &'a str> {
    let lines = message.headers.all(HeaderName::Privacy);
    lines.flat_map(|it| it.split([';', ',', ' ', '\t'])).filter(|it| !it.is_empty())
}

/// What came before RFC 3325: the parameter of the caller's own entry.
fn hides_remote_party(message: &Message<'_>) -> bool {
    message.headers.values(HeaderName::RemotePartyId).any(|it| {
        let Ok(address) = NameAddr::parse(it) else { return false };
        let privacy = address.params.unquoted("privacy").unwrap_or_default();
        is_of_caller(&address) && ["full", "uri"].iter().any(|it| privacy.eq_ignore_ascii_case(it))
    })
}

/// An entry of Remote-Party-ID that says nothing of the side is of who calls.
pub fn is_of_caller(entry: &NameAddr<'_>) -> bool {
    entry.params.value("party").is_none_or(|it| it.eq_ignore_ascii_case("calling"))
}

fn is_from_anonymous(message: &Message<'_>) -> bool {
    let from = message.headers.get(HeaderName::From).and_then(|it| NameAddr::parse(it).ok());
    from.is_some_and(|it| it.uri.user_unescaped().eq_ignore_ascii_case(ANONYMOUS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for() {
        const FROM: &str = "From: <sip:1@x>;tag=1";
        let [nothing, id] =
            [false, true].map(|identity| Privacy { identity, ..Privacy::default() });
        let (history, media) = (true, true);
        #[rustfmt::skip]
        let table = [
            (FROM, "Subject: none",                                       nothing, false),
            (FROM, "Privacy: id",                                         id, false),
            (FROM, "Privacy: ID;critical",                                id, false),
            (FROM, "Privacy: critical; user",                             id, false),
            (FROM, "Privacy: none",                                       nothing, false),
            (FROM, "Privacy: history",                                    Privacy { history, ..nothing }, false),
            (FROM, "Privacy: id\r\nPrivacy: history",                     Privacy { history, ..id }, false),
            (FROM, "Privacy: header",                                     Privacy { history, ..id }, false),
            (FROM, "Privacy: session",                                    Privacy { history, media, ..nothing }, false),
            (FROM, "Privacy: carrier-pigeon",                             nothing, false),
            (FROM, "Privacy: carrier-pigeon;critical",                    nothing, true),
            (FROM, "Remote-Party-ID: <sip:1@x>;party=calling;privacy=full", id, false),
            (FROM, "Remote-Party-ID: <sip:1@x>;privacy=\"uri\"",          id, false),
            (FROM, "Remote-Party-ID: <sip:1@x>;privacy=off",              nothing, false),
            (FROM, "Remote-Party-ID: <sip:2@x>;party=called;privacy=full", nothing, false),
            ("From: <sip:Anonymous@anonymous.invalid>", "Subject: none",  id, false),
            ("From: <sip:anonymous@anonymous.invalid>", "Privacy: none",  nothing, false),
        ];
        for (from, line, expected, out_of_reach) in table {
            let text = format!("INVITE sip:2@x SIP/2.0\r\n{from}\r\n{line}\r\n\r\n");
            let message = Message::parse(text.as_bytes()).expect("a request");
            assert_eq!(Privacy::of(&message), expected, "{from} {line}");
            assert_eq!(Privacy::is_out_of_reach(&message), out_of_reach, "{line}");
        }
    }
}
