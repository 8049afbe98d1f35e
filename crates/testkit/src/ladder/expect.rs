//! The conditions on the right of a line: what a message of the server must hold.

use super::carrier::password_of;
use super::line::{Word, Words};
use super::stage::user_in;
use crate::phone::sdp::Described;
use pbx::digit::Press;
use sdp::Direction;
use sip::auth::digest::{Algorithm, ha1, verify};
use sip::message::{Credentials, HeaderName, Message, NameAddr, StartLine, Uri};
use std::net::IpAddr;

/// Words that say something about the step, not about the message.
const STEP_WORDS: [&str; 4] = ["lost", "resend", "ignored", "gone"];

/// What conditions may refer to besides the message.
pub(super) struct Surroundings<'a> {
    /// Names an address: `pbx` or a phone.
    pub(super) owner_of: &'a dyn Fn(IpAddr) -> String,
    /// The server's tag in the phone's newest dialog.
    pub(super) known_tag: &'a str,
    /// Call-ID of the request before.
    pub(super) last_call_id: Option<&'a str>,
}

/// Checks a message against its line.
pub(super) fn check(
    message: &Message<'_>,
    words: &Words,
    surroundings: &Surroundings<'_>,
) -> Result<(), String> {
    let first = match message.start {
        StartLine::Request { method, .. } => method.as_str().to_owned(),
        StartLine::Status { code, .. } => code.to_string(),
    };
    same("the message", &first, &words.head)?;
    for word in &words.rest {
        match word {
            Word::Pair(name, value) => pair(message, name, value, surroundings)?,
            Word::Flag(flag) if STEP_WORDS.contains(&flag.as_str()) => {}
            Word::Flag(flag) if message.is_request() => {
                same("the called number", &uri_user(message), flag)?;
            }
            Word::Flag(flag) => {
                let cseq = message.headers.get(HeaderName::CSeq).unwrap_or_default();
                let method = cseq.split_whitespace().nth(1).unwrap_or_default();
                same("the method of CSeq", method, flag)?;
            }
        }
    }
    Ok(())
}

fn pair(
    message: &Message<'_>,
    name: &str,
    value: &str,
    surroundings: &Surroundings<'_>,
) -> Result<(), String> {
    let header = |name| message.headers.get(name).unwrap_or_default();
    match name {
        "from" => same("From", &user_in(message, HeaderName::From).unwrap_or_default(), value),
        "to" => same("To", &user_in(message, HeaderName::To).unwrap_or_default(), value),
        "uri" => same("Request-URI", &uri_user(message), value),
        "name" => holds("From", header(HeaderName::From), &format!("\"{value}\"")),
        "reason" => holds("Reason", header(HeaderName::Reason), value),
        "contact" => holds("Contact", header(HeaderName::Contact), value),
        "phrase" => match message.start {
            StartLine::Status { reason, .. } => same("the reason phrase", reason, value),
            StartLine::Request { .. } => Err("a request has no reason phrase".into()),
        },
        "header" => header_is(message, value),
        "once" => match message.headers.iter().filter(|it| it.raw_name == value).count() {
            1 => Ok(()),
            times => Err(format!("{value} stands there {times} times")),
        },
        "no" => match message.headers.named(value) {
            Some(found) => Err(format!("there is {value}: {found}")),
            None => Ok(()),
        },
        "tag" if value == "new" => {
            let to = NameAddr::parse(header(HeaderName::To)).ok();
            match to.and_then(|it| it.tag()) {
                Some(tag) if tag != surroundings.known_tag => Ok(()),
                tag => Err(format!("the tag is {tag:?}")),
            }
        }
        "cseq" => {
            let is = header(HeaderName::CSeq).split(' ').next().unwrap_or_default();
            same("CSeq", is, value)
        }
        "call-id" => {
            let is_same = surroundings.last_call_id == Some(header(HeaderName::CallId));
            same("the Call-ID", if is_same { "same" } else { "new" }, value)
        }
        "credentials" => same("the digest", credentials(message), value),
        "body" => holds("the body", &String::from_utf8_lossy(message.body), value),
        "dtmf" => {
            let content_type = header(HeaderName::ContentType);
            let press = Press::read(content_type, message.body);
            let digit = press.map(|it| it.digit.as_char().to_string());
            same("the digit", digit.as_deref().unwrap_or("none"), value)
        }
        "sdp" => described_as(message, value),
        "direction" => {
            let is = Described::read(message.body).map(|it| it.direction.as_str());
            same("the direction", is.unwrap_or("none"), value)
        }
        "media" => {
            let address = Described::read(message.body).map(|it| it.address.ip());
            let owner = address.map_or_else(|| "nobody".to_owned(), surroundings.owner_of);
            same("the media address", &owner, value)
        }
        _ => Err(format!("no such condition: {name}")),
    }
}

/// `Name` is there, or `Name:value` stands in one of its lines.
fn header_is(message: &Message<'_>, wanted: &str) -> Result<(), String> {
    let (name, value) = wanted.split_once(':').unwrap_or((wanted, ""));
    let lines: Vec<&str> = message
        .headers
        .iter()
        .filter(|it| it.raw_name.eq_ignore_ascii_case(name))
        .map(|it| it.value)
        .collect();
    if lines.iter().any(|it| it.contains(value.trim())) {
        Ok(())
    } else {
        Err(format!("{name} is {lines:?}, not {value:?}"))
    }
}

/// `none`, `offer`, `answer`, or either with its codecs: `offer(pcma,opus)`.
fn described_as(message: &Message<'_>, wanted: &str) -> Result<(), String> {
    let described = Described::read(message.body);
    if wanted == "none" {
        return match described {
            Some(it) => Err(format!("there is SDP: {it:?}")),
            None => Ok(()),
        };
    }
    let Some(described) = described else { return Err("there is no SDP".into()) };
    match wanted.split_once('(') {
        Some((_, codecs)) => {
            same("the codecs", &described.codecs.join(","), codecs.trim_end_matches(')'))
        }
        None => Ok(()),
    }
}

/// What the credentials of a line's request are worth: `none`, `right` or `wrong`. The user is the
/// line's account, and with it goes the password it has in ladders.
fn credentials(message: &Message<'_>) -> &'static str {
    let headers = &message.headers;
    let own = headers.get(HeaderName::Authorization);
    let Some(value) = own.or_else(|| headers.get(HeaderName::ProxyAuthorization)) else {
        return "none";
    };
    let (Ok(Credentials::Digest(it)), Some(method)) = (Credentials::parse(value), message.method())
    else {
        return "wrong";
    };
    let Some(algorithm) = Algorithm::parse(it.algorithm) else { return "wrong" };
    let secret = ha1(algorithm, it.username, it.realm, &password_of(it.username));
    if verify(algorithm, &secret, method, &it) { "right" } else { "wrong" }
}

/// Reads `offer(pcma,opus)` of a line that sends.
pub(super) fn codecs_in(wish: &str) -> Option<Vec<String>> {
    let (_, codecs) = wish.split_once('(')?;
    Some(codecs.trim_end_matches(')').split(',').map(str::to_owned).collect())
}

/// Reads `sendonly`.
pub(super) fn direction_in(wish: &str) -> Result<Direction, String> {
    let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    all.into_iter().find(|it| it.as_str() == wish).ok_or_else(|| format!("no direction {wish}"))
}

/// Whether a value is the wanted one.
pub(super) fn same(what: &str, is: &str, wanted: &str) -> Result<(), String> {
    if is == wanted { Ok(()) } else { Err(format!("{what} is {is:?}, not {wanted:?}")) }
}

fn holds(what: &str, is: &str, wanted: &str) -> Result<(), String> {
    if is.contains(wanted) {
        Ok(())
    } else {
        Err(format!("{what} is {is:?} and does not hold {wanted:?}"))
    }
}

fn uri_user(message: &Message<'_>) -> String {
    let StartLine::Request { uri, .. } = message.start else { return String::new() };
    Uri::parse(uri).map(|it| it.user_unescaped().into_owned()).unwrap_or_default()
}
