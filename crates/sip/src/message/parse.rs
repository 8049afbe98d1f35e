//! The scanner: octets to start line, header index and body.
//!
//! The one place that finds the ends of lines, heads and bodies; [`crate::frame`] cuts streams
//! with the same functions, so that a datagram and a stream are never read differently
//! (RFC 3261 §7, §18.3, §25.1).

use super::headers::{Headers, Line, MAX_HEADERS};
use super::method::Method;
use super::name::HeaderName;
use super::text::{is_token, is_token_bytes, number, trim, trimmed};
use super::{ContentLength, Message, StartLine, TypedHeader};

/// Longest head, empty line included. Unit: octets. A longer one is refused; no datagram has one.
pub const MAX_HEAD: usize = 64 * 1024;

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
    #[error("head above {MAX_HEAD} octets")]
    HeadTooLong,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Message<'_>, ParseError> {
    let bytes = &bytes[leading_line_breaks(bytes)..];
    if bytes.is_empty() {
        return Err(ParseError::Empty);
    }
    let window = &bytes[..bytes.len().min(MAX_HEAD)];
    let first_end = memchr::memchr(b'\n', window).unwrap_or(window.len());
    let first = str::from_utf8(&window[..first_end]).map_err(|_| ParseError::NotUtf8)?;
    let start = start_line(first).ok_or(ParseError::StartLine)?;

    let mut msg = Message { start, headers: Headers::default(), body: &[] };
    let head_len = match scan_fields(window, first_end + 1, &mut msg.headers)? {
        Some(len) => len,
        None if window.len() < bytes.len() => return Err(ParseError::HeadTooLong),
        // A datagram may end without the empty line; all of it is head then.
        None => window.len(),
    };
    debug_assert_eq!(head_len, head_end(window, &mut 0).unwrap_or(window.len()));
    let (head, rest) = bytes.split_at(head_len);
    msg.headers.set_head(simdutf8::basic::from_utf8(head).map_err(|_| ParseError::NotUtf8)?);
    // A length that lies leaves the body as it is; `check` reports it.
    msg.body = match content_length(&msg.headers) {
        Ok(Some(len)) => rest.get(..len).unwrap_or(rest),
        Ok(None) | Err(_) => rest,
    };
    Ok(msg)
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

/// Indexes the header lines from `line_start` on. Gives the length of the head, where it ends with
/// an empty line.
fn scan_fields(
    bytes: &[u8],
    mut line_start: usize,
    headers: &mut Headers<'_>,
) -> Result<Option<usize>, ParseError> {
    loop {
        match bytes.get(line_start..) {
            Some([b'\n', ..]) => return Ok(Some(line_start + 1)),
            Some([b'\r', b'\n', ..]) => return Ok(Some(line_start + 2)),
            None | Some([] | [b'\r']) => return Ok(None),
            Some(_) if headers.len() == MAX_HEADERS => return Err(ParseError::TooManyHeaders),
            Some(_) => {}
        }
        let (next, is_one_line) = field_end(bytes, line_start);
        headers.push(line(line_start, &bytes[line_start..next], is_one_line));
        line_start = next;
    }
}

/// Where the line after this one starts; the folded lines that continue it belong to it. Says whether it is one
/// line, ended by CRLF, without another CR in it.
fn field_end(bytes: &[u8], mut from: usize) -> (usize, bool) {
    let is_folded = |next: usize| matches!(bytes.get(next), Some(b' ' | b'\t'));
    if let Some(hit) = memchr::memchr2(b'\r', b'\n', &bytes[from..])
        && let [b'\r', b'\n', ..] = bytes[from + hit..]
    {
        from += hit + 2;
        if !is_folded(from) {
            return (from, true);
        }
    }
    while let Some(hit) = memchr::memchr(b'\n', &bytes[from..]) {
        from += hit + 1;
        if !is_folded(from) {
            return (from, false);
        }
    }
    (bytes.len(), false)
}

/// A line without a well-formed name is kept with an empty one, for `check` to refuse.
#[expect(clippy::cast_possible_truncation, reason = "no place in a head is above MAX_HEAD")]
fn line(at: usize, bytes: &[u8], is_one_line: bool) -> Line {
    let colon = colon(bytes).unwrap_or(0);
    let blanks = |it: &u8| !matches!(it, b' ' | b'\t');
    let name_len = bytes[..colon].iter().rposition(blanks).map_or(0, |last| last + 1);
    let raw_name = &bytes[..name_len];
    let name = HeaderName::from_bytes(raw_name);
    let is_named = name != HeaderName::Other || is_token_bytes(raw_name);
    let (name_len, value_from) = if is_named { (name_len, colon + 1) } else { (0, 0) };
    let (start, end) = trimmed(&bytes[value_from..]);
    Line {
        name_at: at as u32,
        value_at: (at + value_from + start) as u32,
        value_len: (end - start) as u32,
        name_len: name_len as u16,
        name,
        is_plain: is_one_line && is_named && value_from + end + "\r\n".len() == bytes.len(),
    }
}

/// Where the first colon is: behind nearly every name it is among the first sixteen octets, which
/// are looked at together.
fn colon(bytes: &[u8]) -> Option<usize> {
    const ONES: u128 = u128::MAX / 0xff;
    let Some(first) = bytes.first_chunk() else { return bytes.iter().position(|it| *it == b':') };
    // An octet that is a colon becomes zero; of those only, and of what is above the lowest of
    // them, the borrow sets the highest bit.
    let differs = u128::from_le_bytes(*first) ^ (ONES * u128::from(b':'));
    let zeros = differs.wrapping_sub(ONES) & !differs & (ONES << 7);
    match zeros {
        0 => memchr::memchr(b':', bytes),
        _ => Some(zeros.trailing_zeros() as usize / 8),
    }
}

const _: () = assert!(MAX_HEAD <= u16::MAX as usize + 1, "a name is shorter than a head");

#[cfg(test)]
mod tests;
