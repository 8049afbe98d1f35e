//! Requests made from an INVITE we sent: the ACK of a refusal and the CANCEL.

use crate::message::{HeaderName, Message, Method, StartLine, Writer};
use bytes::Bytes;

/// The ACK of a 3xx-6xx (RFC 3261 §17.1.1.3): the INVITE's Request-URI, top Via, From, Call-ID,
/// CSeq number and Route, the response's To.
pub(super) fn ack(invite: &[u8], response: &Message<'_>) -> Option<Bytes> {
    let mut writer = begin(invite, Method::Ack, &response.headers)?;
    writer.header("Max-Forwards", 70);
    Some(writer.finish())
}

/// The CANCEL of an INVITE (RFC 3261 §9.1).
pub(super) fn cancel(invite: &[u8], reason: &str) -> Option<Bytes> {
    // Ours, so it parses.
    let message = Message::parse(invite).ok()?;
    let mut writer = begin(invite, Method::Cancel, &message.headers)?;
    writer.header("Max-Forwards", 70);
    if !reason.is_empty() {
        writer.header("Reason", reason);
    }
    Some(writer.finish())
}

/// Start line, Via, Route, From, To (of `to_from`), Call-ID and CSeq.
fn begin(
    invite: &[u8],
    method: Method<'_>,
    to_from: &crate::message::Headers<'_>,
) -> Option<Writer> {
    let message = Message::parse(invite).ok()?;
    let StartLine::Request { uri, .. } = message.start else { return None };
    let number = message.headers.get(HeaderName::CSeq)?.split(' ').next()?;
    let mut writer = Writer::request(method, uri);
    for name in [HeaderName::Via, HeaderName::Route, HeaderName::From] {
        writer.headers_of(&message.headers, name);
    }
    writer.headers_of(to_from, HeaderName::To);
    writer.headers_of(&message.headers, HeaderName::CallId);
    writer.header("CSeq", format_args!("{number} {method}"));
    Some(writer)
}

/// A request once more with another branch and CSeq, and these headers in the place of its own; an
/// empty one is left out (RFC 3261 §8.1.3.5).
pub(crate) fn again(
    request: &[u8],
    via: impl std::fmt::Display,
    cseq: u32,
    changes: &[(HeaderName, String)],
) -> Option<Bytes> {
    let message = Message::parse(request).ok()?;
    let StartLine::Request { method, uri, .. } = message.start else { return None };
    let mut writer = Writer::request(method, uri);
    writer.header("Via", via);
    for field in message.headers.iter() {
        let own = [HeaderName::Via, HeaderName::CSeq, HeaderName::ContentType];
        let changed = |it: &(HeaderName, String)| it.0 == field.name;
        if !own.contains(&field.name)
            && field.name != HeaderName::ContentLength
            && !changes.iter().any(changed)
        {
            writer.text_header(field.raw_name, field.value);
        }
    }
    writer.header("CSeq", format_args!("{cseq} {method}"));
    for (name, value) in changes.iter().filter(|it| !it.1.is_empty()) {
        writer.text_header(name.as_str(), value);
    }
    Some(match message.headers.get(HeaderName::ContentType) {
        Some(content_type) => writer.finish_with(content_type, message.body),
        None => writer.finish(),
    })
}
