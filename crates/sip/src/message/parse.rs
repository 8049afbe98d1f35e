//! The scanner: octets to start line, header index and body.
//!
//! The one place that finds the ends of lines, heads and bodies; [`crate::frame`] cuts streams
//! with the same functions, so that a datagram and a stream are never read differently
//! (RFC 3261 §7, §18.3, §25.1).

use super::headers::{Field, Headers, MAX_HEADERS};
use super::method::Method;
use super::name::HeaderName;
use super::text::{is_token, number, trim};
use super::{ContentLength, Message, StartLine, TypedHeader};

/// Why octets are not a message at all. There is nobody to answer, save for `NotUtf8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Nothing but line breaks: a keep-alive (RFC 5626 §3.5.1).
    #[error("no message, only line breaks")]
    Empty,
    #[error("no SIP start line")]
    StartLine,
    /// The head is not UTF-8; [`sanitize`] gives a copy that parses.
    #[error("the head is not UTF-8")]
    NotUtf8,
    #[error("more than {MAX_HEADERS} header lines")]
    TooManyHeaders,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Message<'_>, ParseError> {
    let bytes = &bytes[leading_line_breaks(bytes)..];
    if bytes.is_empty() {
        return Err(ParseError::Empty);
    }
    // A datagram may end without the empty line; all of it is head then.
    let head_len = head_end(bytes, &mut 0).unwrap_or(bytes.len());
    let (head, rest) = bytes.split_at(head_len);
    let head = str::from_utf8(head).map_err(|_| ParseError::NotUtf8)?;
    let (first, fields) = match memchr::memchr(b'\n', head.as_bytes()) {
        Some(end) => (&head[..end], &head[end + 1..]),
        None => (head, ""),
    };
    let start = start_line(first).ok_or(ParseError::StartLine)?;
    let headers = header_fields(fields)?;
    // A length that lies leaves the body as it is; `check` reports it.
    let body = match content_length(&headers) {
        Ok(Some(len)) => rest.get(..len).unwrap_or(rest),
        Ok(None) | Err(_) => rest,
    };
    Ok(Message { start, headers, body })
}

/// A copy in which each octet of the head that is not UTF-8 is a `?`; `None` where all is well.
/// The length stays, and so does the body.
pub fn sanitize(bytes: &[u8]) -> Option<Vec<u8>> {
    let skipped = leading_line_breaks(bytes);
    let head_len = head_end(&bytes[skipped..], &mut 0).unwrap_or(bytes.len() - skipped);
    let (head, body) = bytes.split_at(skipped + head_len);
    str::from_utf8(head).err()?;
    let mut copy = Vec::with_capacity(bytes.len());
    for chunk in head.utf8_chunks() {
        copy.extend_from_slice(chunk.valid().as_bytes());
        copy.resize(copy.len() + chunk.invalid().len(), b'?');
    }
    copy.extend_from_slice(body);
    Some(copy)
}

/// The number of line breaks' octets before the start line, which are ignored (RFC 3261 §7.5).
pub(crate) fn leading_line_breaks(bytes: &[u8]) -> usize {
    bytes.iter().position(|it| !matches!(it, b'\r' | b'\n')).unwrap_or(bytes.len())
}

/// The length of the head with its empty line, searched from `*scanned`, which is moved on so that
/// a later call with more octets does not look at the old ones again.
///
/// A line ends with LF, whether or not a CR stands before it.
pub(crate) fn head_end(bytes: &[u8], scanned: &mut usize) -> Option<usize> {
    while let Some(hit) = memchr::memchr(b'\n', bytes.get(*scanned..)?) {
        let line_end = *scanned + hit;
        match bytes[line_end + 1..] {
            [b'\n', ..] => return Some(line_end + 2),
            [b'\r', b'\n', ..] => return Some(line_end + 3),
            [] | [b'\r'] => {
                *scanned = line_end;
                return None;
            }
            _ => *scanned = line_end + 1,
        }
    }
    *scanned = bytes.len();
    None
}

/// Why the length of a body is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LengthError {
    #[error("Malformed Content-Length")]
    Malformed,
    #[error("More than one Content-Length")]
    Duplicate,
}

/// What the head says about the length of the body, in octets.
pub(crate) fn content_length(headers: &Headers<'_>) -> Result<Option<usize>, LengthError> {
    let mut lines = headers.all(HeaderName::ContentLength);
    let Some(first) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(LengthError::Duplicate);
    }
    let ContentLength(octets) = ContentLength::parse(first).map_err(|_| LengthError::Malformed)?;
    Ok(Some(octets))
}

/// Spaces at the ends and between the parts are tolerated (RFC 4475 §3.1.2.9, §3.1.2.10).
fn start_line(line: &str) -> Option<StartLine<'_>> {
    let line = trim(line);
    let (first, rest) = line.split_once(' ')?;
    if starts_with_sip(first) {
        if !first.eq_ignore_ascii_case("SIP/2.0") {
            return None;
        }
        let rest = trim(rest);
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let code = number(code).filter(|it| code.len() == 3 && (100..700).contains(it))?;
        return Some(StartLine::Status { code: u16::try_from(code).ok()?, reason: trim(reason) });
    }
    let (uri, version) = trim(rest).rsplit_once(' ')?;
    let uri = trim(uri);
    if !is_token(first) || uri.is_empty() || !starts_with_sip(version) {
        return None;
    }
    let version_ok = version.eq_ignore_ascii_case("SIP/2.0");
    Some(StartLine::Request { method: Method::from_token(first), uri, version_ok })
}

fn starts_with_sip(text: &str) -> bool {
    text.as_bytes().get(..4).is_some_and(|it| it.eq_ignore_ascii_case(b"SIP/"))
}

fn header_fields(head: &str) -> Result<Headers<'_>, ParseError> {
    let mut headers = Headers::default();
    let mut rest = head;
    while !matches!(rest.as_bytes(), [] | [b'\n', ..] | [b'\r', b'\n', ..] | [b'\r']) {
        if headers.len() == MAX_HEADERS {
            return Err(ParseError::TooManyHeaders);
        }
        let (line, after) = split_field_line(rest);
        headers.push(field(line));
        rest = after;
    }
    Ok(headers)
}

/// The next header line together with the folded lines that continue it, and what follows.
fn split_field_line(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(hit) = memchr::memchr(b'\n', &bytes[from..]) {
        let next = from + hit + 1;
        if !matches!(bytes.get(next), Some(b' ' | b'\t')) {
            return (&text[..next], &text[next..]);
        }
        from = next;
    }
    (text, "")
}

/// A line without a well-formed name is kept with an empty one, for `check` to refuse.
fn field(line: &str) -> Field<'_> {
    let nameless = Field { name: HeaderName::Other, raw_name: "", value: trim(line) };
    let Some(colon) = memchr::memchr(b':', line.as_bytes()) else {
        return nameless;
    };
    let raw_name = line[..colon].trim_end_matches([' ', '\t']);
    let name = HeaderName::from_bytes(raw_name.as_bytes());
    if name == HeaderName::Other && !is_token(raw_name) {
        return nameless;
    }
    Field { name, raw_name, value: trim(&line[colon + 1..]) }
}

#[cfg(test)]
mod tests;
