//! The session description in a body: the whole of it, or one part of a multipart (RFC 5621).

use bytes::Bytes;
use sip::message::block::{self, Life};
use sip::message::{ContentType, HeaderName, Message, TypedHeader};
use sip::session::Body;
use std::borrow::Cow;
use std::ops::Range;

/// A body that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnedBody {
    pub(super) content_type: Cow<'static, str>,
    pub(super) bytes: Bytes,
}

impl OwnedBody {
    /// A copy of a body that passes as it is, or is kept until the INVITE is answered.
    pub(super) fn of(body: Body<'_>) -> Self {
        Self {
            content_type: owned_type(body.content_type),
            bytes: block::copy(Life::Transaction, body.bytes),
        }
    }

    pub(super) fn view(&self) -> Body<'_> {
        Body { content_type: &self.content_type, bytes: &self.bytes }
    }
}

/// The body of a message with its type; `None` where it is empty.
pub(crate) fn of<'a>(message: &Message<'a>) -> Option<Body<'a>> {
    if message.body.is_empty() {
        return None;
    }
    let content_type = message.headers.get(HeaderName::ContentType).unwrap_or("application/sdp");
    Some(Body { content_type, bytes: message.body })
}

/// A multipart whose parts cannot be told apart: 400 for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Where the session description is in a body; `None` where there is none, or none can be read
/// ([`check`] tells).
pub(super) fn sdp_range(body: Body<'_>) -> Option<Range<usize>> {
    find(body.content_type, body.bytes, 0).ok().flatten()
}

/// Whether every part of a message's body can be found.
pub(crate) fn check(message: &Message<'_>) -> Result<(), Unreadable> {
    of(message).map_or(Ok(()), |it| find(it.content_type, it.bytes, 0).map(|_| ()))
}

/// The first session description, also within a multipart of a multipart (RFC 5621 §3.1).
fn find(
    content_type: &str,
    bytes: &[u8],
    depth: usize,
) -> Result<Option<Range<usize>>, Unreadable> {
    let Ok(content_type) = ContentType::parse(content_type) else { return Ok(None) };
    if content_type.is("application", "sdp") {
        return Ok(Some(0..bytes.len()));
    }
    if !content_type.media_type.eq_ignore_ascii_case("multipart") {
        return Ok(None);
    }
    if depth == DEPTH_MAX {
        return Err(Unreadable);
    }
    let boundary = content_type.params.unquoted("boundary").ok_or(Unreadable)?;
    for part in parts(bytes, boundary)? {
        let inner = part_type(&bytes[part.head.clone()]);
        if let Some(range) = find(inner, &bytes[part.content.clone()], depth + 1)? {
            let start = part.content.start;
            return Ok(Some(start + range.start..start + range.end));
        }
    }
    Ok(None)
}

/// Replaces the session description of a body and keeps all around it.
pub(super) fn with_sdp(body: Body<'_>, range: Range<usize>, sdp: Bytes) -> OwnedBody {
    if range == (0..body.bytes.len()) {
        return OwnedBody { content_type: owned_type(body.content_type), bytes: sdp };
    }
    let bytes = block::write(Life::Turn, body.bytes.len() + sdp.len(), |out| {
        out.extend_from_slice(&body.bytes[..range.start]);
        out.extend_from_slice(&sdp);
        out.extend_from_slice(&body.bytes[range.end..]);
    });
    OwnedBody { content_type: owned_type(body.content_type), bytes }
}

fn owned_type(content_type: &str) -> Cow<'static, str> {
    match content_type {
        "application/sdp" => "application/sdp".into(),
        other => other.to_owned().into(),
    }
}

struct Part {
    head: Range<usize>,
    content: Range<usize>,
}

/// Most parts of a multipart; one with more cannot be read.
const PARTS_MAX: usize = 16;
/// Deepest multipart within a multipart.
const DEPTH_MAX: usize = 3;

/// The parts between the delimiter lines, up to the closing one (RFC 2046 §5.1.1).
fn parts(bytes: &[u8], boundary: &str) -> Result<Vec<Part>, Unreadable> {
    let delimiter = format!("--{boundary}");
    let ends_there = |at: usize| {
        let rest = &bytes[at + delimiter.len()..];
        rest.starts_with(b"--") || rest.trim_ascii_start().len() < rest.len()
    };
    let starts: Vec<usize> = memchr::memmem::find_iter(bytes, delimiter.as_bytes())
        .filter(|&at| (at == 0 || bytes[at - 1] == b'\n') && ends_there(at))
        .take(PARTS_MAX + 2)
        .collect();
    let closed = starts.last().is_some_and(|&at| bytes[at + delimiter.len()..].starts_with(b"--"));
    if !closed || starts.len() > PARTS_MAX + 1 {
        return Err(Unreadable);
    }
    let part = |pair: &[usize]| {
        let (head, next) = (pair[0] + delimiter.len(), pair[1]);
        let section = &bytes[head..next];
        let blank = memchr::memmem::find(section, b"\r\n\r\n").ok_or(Unreadable)?;
        let content = head + blank + 4;
        // The line break before the next delimiter belongs to the delimiter.
        let end = next.saturating_sub(2).max(content);
        Ok(Part { head: head..head + blank, content: content..end })
    };
    starts.windows(2).map(part).collect()
}

/// The Content-Type of a part; plain text where it names none (RFC 2046 §5.1).
fn part_type(head: &[u8]) -> &str {
    let head = str::from_utf8(head).unwrap_or_default();
    let named = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let name = name.trim();
        (name.eq_ignore_ascii_case("content-type") || name.eq_ignore_ascii_case("c"))
            .then(|| value.trim())
    });
    named.unwrap_or("text/plain")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sdp_part_of_a_multipart_changes() {
        let content_type = "multipart/mixed; boundary=\"b-1\"";
        let bytes = b"--b-1\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b-1\r\n\
                      Content-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b-1--\r\n";
        let body = Body { content_type, bytes };
        let range = sdp_range(body).unwrap();
        assert_eq!(&bytes[range.clone()], b"v=0\r\n");
        let changed = with_sdp(body, range, Bytes::from_static(b"v=1\r\ns=-\r\n"));
        let text = str::from_utf8(&changed.bytes).unwrap();
        assert!(text.contains("\r\n\r\nhello\r\n--b-1\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nv=1\r\ns=-\r\n\r\n--b-1--\r\n"), "{text}");
    }

    #[test]
    fn a_multipart_within_a_multipart() {
        let bytes = b"--a\r\nContent-Type: multipart/alternative;boundary=ab\r\n\r\n\
                      --ab\r\nc: application/sdp\r\n\r\nv=0\r\n\r\n--ab--\r\n\r\n--a--";
        let body = Body { content_type: "multipart/mixed;boundary=a", bytes };
        assert_eq!(&bytes[sdp_range(body).unwrap()], b"v=0\r\n");
    }

    #[test]
    fn bodies_without_sdp() {
        let many = "--x\r\n\r\nhi\r\n".repeat(PARTS_MAX + 1) + "--x--";
        let deep = "--x\r\nContent-Type: multipart/mixed;boundary=x\r\n\r\nhi\r\n--x--";
        #[rustfmt::skip]
        let table = [
            ("text/plain",                 "v=0",                                Ok(None)),
            ("nonsense",                   "v=0",                                Ok(None)),
            ("multipart/mixed;boundary=x", "--x\r\n\r\nhi\r\n--x--",           Ok(None)),
            ("multipart/mixed",            "--x\r\n\r\n--x--",                  Err(Unreadable)),
            ("multipart/mixed;boundary=x", "--x\r\nContent-Type: application/sdp", Err(Unreadable)),
            ("multipart/mixed;boundary=x", "--x\r\n\r\nhi\r\n--x\r\n",          Err(Unreadable)),
            ("multipart/mixed;boundary=x", "--x\r\nno blank line\r\n--x--",    Err(Unreadable)),
            ("multipart/mixed;boundary=x", "",                                   Err(Unreadable)),
            ("multipart/mixed;boundary=x", many.as_str(),                        Err(Unreadable)),
            ("multipart/mixed;boundary=x", deep,                                 Err(Unreadable)),
        ];
        for (content_type, bytes, expected) in table {
            let body = Body { content_type, bytes: bytes.as_bytes() };
            assert_eq!(find(content_type, bytes.as_bytes(), 0), expected, "{content_type} {bytes}");
            assert_eq!(sdp_range(body), None, "{content_type} {bytes}");
        }
    }
}
