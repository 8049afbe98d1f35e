//! Whether a message can be served, and the parts every one of them needs, parsed once.
//!
//! Between the parser and the transactions: what passes here has its mandatory headers, each
//! once and well-formed (RFC 3261 §8.1.1, §8.2, §16.3 step 1, RFC 4475).

use super::headers::{
    CSeq, Contact, Elements, Expires, From, MaxForwards, NameAddr, To, TypedHeader, Via,
};
use super::name::{HeaderName, Shape};
use super::parse::{LengthError, content_length};
use super::uri::Uri;
use super::{CallId, Message, StartLine};

/// What every message has.
#[derive(Clone, Debug)]
pub struct Essentials<'a> {
    /// The topmost Via.
    pub via: Via<'a>,
    /// Elements of all Via headers; more than one in a response means it is for somebody else
    /// (RFC 3261 §8.1.3.3).
    pub via_count: usize,
    pub from: NameAddr<'a>,
    /// Absent from RFC 2543 phones.
    pub from_tag: Option<&'a str>,
    pub to: NameAddr<'a>,
    pub to_tag: Option<&'a str>,
    pub call_id: &'a str,
    pub cseq: CSeq<'a>,
    /// Absent from RFC 2543 phones.
    pub max_forwards: Option<u8>,
    /// The Request-URI of a request, of whatever scheme.
    pub uri: Option<Uri<'a>>,
}

/// Why a message cannot be served as it is. A response is discarded, a request gets `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("version is not SIP/2.0")]
    Version,
    #[error("Request-URI: {0}")]
    RequestUri(&'static str),
    #[error("a header line without a name")]
    HeaderLine,
    #[error("{} is missing", .0.as_str())]
    Missing(HeaderName),
    #[error("{} stands more than once", .0.as_str())]
    Duplicate(HeaderName),
    #[error("{}: {reason}", .name.as_str())]
    Header { name: HeaderName, reason: &'static str },
    #[error("the method of CSeq is not the method of the request")]
    MethodMismatch,
    #[error("Content-Length is more than there is")]
    Truncated,
}

impl Malformed {
    /// The answer to a request: status code and reason phrase.
    pub fn status(&self) -> (u16, &'static str) {
        match self {
            Self::Version => (505, "Version Not Supported"),
            Self::RequestUri(_) => (400, "Malformed Request-URI"),
            Self::HeaderLine => (400, "Malformed header line"),
            Self::Missing(name) => (400, name.missing()),
            Self::Duplicate(name) => (400, name.duplicate()),
            Self::Header { name, .. } => (400, name.malformed()),
            Self::MethodMismatch => (400, "CSeq method does not match"),
            Self::Truncated => (400, "Content-Length exceeds the message"),
        }
    }
}

/// Longest Call-ID, branch and tag; a longer one is 400. Each is kept as long as its dialog or
/// transaction. Unit: octets.
pub const IDENTIFIER_LENGTH_MAX: usize = 1024;

/// Checks a message as far as every message must be right, whatever its method.
pub fn check<'a>(msg: &Message<'a>) -> Result<Essentials<'a>, Malformed> {
    let uri = start(msg)?;
    lines(msg)?;
    length(msg)?;
    let From(from) = require(msg)?;
    let To(to) = require(msg)?;
    let CallId(call_id) = require(msg)?;
    let cseq: CSeq<'_> = require(msg)?;
    if msg.method().is_some_and(|it| it != cseq.method) {
        return Err(Malformed::MethodMismatch);
    }
    let (via, via_count) = vias(msg)?;
    let max_forwards = find::<MaxForwards>(msg)?.map(|it| it.0);
    find::<Expires>(msg)?;
    contacts(msg)?;
    let (from_tag, to_tag) = (from.tag(), to.tag());
    for (name, text) in [
        (HeaderName::CallId, Some(call_id)),
        (HeaderName::Via, via.branch()),
        (HeaderName::From, from_tag),
        (HeaderName::To, to_tag),
    ] {
        if text.is_some_and(|it| it.len() > IDENTIFIER_LENGTH_MAX) {
            return Err(Malformed::Header { name, reason: "an identifier is too long" });
        }
    }
    Ok(Essentials { via, via_count, from, from_tag, to, to_tag, call_id, cseq, max_forwards, uri })
}

/// Header fields in a Request-URI may only be obeyed or refused; they are refused, as obeying
/// would let a stranger write our headers (RFC 4475 §3.1.2.11).
fn start<'a>(msg: &Message<'a>) -> Result<Option<Uri<'a>>, Malformed> {
    let StartLine::Request { uri, version_ok, .. } = msg.start else {
        return Ok(None);
    };
    if !version_ok {
        return Err(Malformed::Version);
    }
    let uri = Uri::parse(uri).map_err(Malformed::RequestUri)?;
    match uri {
        Uri::Sip { headers: Some(_), .. } => Err(Malformed::RequestUri("header fields")),
        Uri::Sip { headers: None, .. } | Uri::Other { .. } => Ok(Some(uri)),
    }
}

fn lines(msg: &Message<'_>) -> Result<(), Malformed> {
    let mut seen = 0u64;
    for line in msg.headers.lines() {
        if line.name_len == 0 {
            return Err(Malformed::HeaderLine);
        }
        if line.name.shape() == Shape::Single {
            let bit = 1u64 << line.name as u8;
            if seen & bit != 0 {
                return Err(Malformed::Duplicate(line.name));
            }
            seen |= bit;
        }
    }
    Ok(())
}

fn length(msg: &Message<'_>) -> Result<(), Malformed> {
    let name = HeaderName::ContentLength;
    match content_length(&msg.headers) {
        Ok(Some(len)) if len > msg.body.len() => Err(Malformed::Truncated),
        Ok(_) => Ok(()),
        Err(LengthError::Duplicate) => Err(Malformed::Duplicate(name)),
        Err(LengthError::Malformed) => Err(Malformed::Header { name, reason: "not a length" }),
    }
}

fn vias<'a>(msg: &Message<'a>) -> Result<(Via<'a>, usize), Malformed> {
    let name = HeaderName::Via;
    let bad = |reason| Malformed::Header { name, reason };
    let (mut top, mut count) = (None, 0);
    for line in msg.headers.all(name) {
        for element in Elements::of(line) {
            // Those below the top belong to others; they only have to be there
            // (RFC 4475 §3.1.1.10).
            if top.is_none() {
                top = Some(Via::parse(element).map_err(bad)?);
            } else if element.is_empty() {
                return Err(bad("empty element"));
            }
            count += 1;
        }
    }
    top.map(|via| (via, count)).ok_or(Malformed::Missing(name))
}

fn contacts(msg: &Message<'_>) -> Result<(), Malformed> {
    let name = HeaderName::Contact;
    for line in msg.headers.all(name) {
        for element in Elements::of(line) {
            Contact::parse(element).map_err(|reason| Malformed::Header { name, reason })?;
        }
    }
    Ok(())
}

fn find<'a, H: TypedHeader<'a>>(msg: &Message<'a>) -> Result<Option<H>, Malformed> {
    let Some(value) = msg.headers.get(H::NAME) else {
        return Ok(None);
    };
    H::parse(value).map(Some).map_err(|reason| Malformed::Header { name: H::NAME, reason })
}

fn require<'a, H: TypedHeader<'a>>(msg: &Message<'a>) -> Result<H, Malformed> {
    find(msg)?.ok_or(Malformed::Missing(H::NAME))
}

const _: () = assert!((HeaderName::Other as u8) < 64, "`lines` keeps one bit per name");

#[cfg(test)]
mod tests;
