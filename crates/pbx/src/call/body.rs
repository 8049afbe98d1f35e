//! The session description in a body: the whole of it, or one part of a multipart (RFC 5621).

use sip::message::{ContentType, HeaderName, Message, TypedHeader};
use sip::session::Body;
use std::ops::Range;

/// A body that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnedBody {
    pub(super) content_type: Box<str>,
    pub(super) bytes: Vec<u8>,
}

impl OwnedBody {
    pub(super) fn view(&self) -> Body<'_> {
        Body { content_type: &self.content_type, bytes: &self.bytes }
    }
}

/// The body of a message with its type; `None` where it is empty.
pub(super) fn of<'a>(message: &Message<'a>) -> Option<Body<'a>> {
    if message.body.is_empty() {
        return None;
    }
    let content_type = message.headers.get(HeaderName::ContentType).unwrap_or("application/sdp");
    Some(Body { content_type, bytes: message.body })
}

/// Where the session description is in a body.
pub(super) fn sdp_range(body: Body<'_>) -> Option<Range<usize>> {
    let content_type = ContentType::parse(body.content_type).ok()?;
    if content_type.is("application", "sdp") {
        return Some(0..body.bytes.len());
    }
    if !content_type.media_type.eq_ignore_ascii_case("multipart") {
        return None;
    }
    let boundary = content_type.params.unquoted("boundary")?;
    parts(body.bytes, boundary)
        .find(|part| part_is_sdp(&body.bytes[part.head.clone()]))
        .map(|part| part.content)
}

/// Replaces the session description of a body and keeps all around it.
pub(super) fn with_sdp(body: Body<'_>, range: Range<usize>, sdp: &[u8]) -> OwnedBody {
    let mut bytes = Vec::with_capacity(body.bytes.len() + sdp.len());
    bytes.extend_from_slice(&body.bytes[..range.start]);
    bytes.extend_from_slice(sdp);
    bytes.extend_from_slice(&body.bytes[range.end..]);
    OwnedBody { content_type: body.content_type.into(), bytes }
}

struct Part {
    head: Range<usize>,
    content: Range<usize>,
}

/// Most parts looked at.
const PARTS_MAX: usize = 16;

/// The parts between the delimiter lines (RFC 2046 §5.1.1).
fn parts<'a>(bytes: &'a [u8], boundary: &'a str) -> impl Iterator<Item = Part> + 'a {
    let delimiter = format!("--{boundary}");
    let starts: Vec<usize> = memchr::memmem::find_iter(bytes, delimiter.as_bytes())
        .filter(|&at| at == 0 || bytes[at - 1] == b'\n')
        .take(PARTS_MAX + 1)
        .collect();
    let length = delimiter.len();
    (1..starts.len()).filter_map(move |index| {
        let (start, next) = (starts[index - 1], starts[index]);
        let head = start + length;
        let section = bytes.get(head..next)?;
        let blank = memchr::memmem::find(section, b"\r\n\r\n")?;
        let content = head + blank + 4;
        // The line break before the next delimiter belongs to the delimiter.
        let end = next.saturating_sub(2).max(content);
        Some(Part { head: head..head + blank, content: content..end })
    })
}

fn part_is_sdp(head: &[u8]) -> bool {
    let Ok(head) = str::from_utf8(head) else { return false };
    head.lines().any(|line| {
        let Some((name, value)) = line.split_once(':') else { return false };
        name.trim().eq_ignore_ascii_case("content-type")
            && ContentType::parse(value.trim()).is_ok_and(|it| it.is("application", "sdp"))
    })
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
        let changed = with_sdp(body, range, b"v=1\r\ns=-\r\n");
        let text = String::from_utf8(changed.bytes).unwrap();
        assert!(text.contains("\r\n\r\nhello\r\n--b-1\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nv=1\r\ns=-\r\n\r\n--b-1--\r\n"), "{text}");
    }

    #[test]
    fn bodies_without_sdp() {
        for (content_type, bytes) in [
            ("text/plain", "v=0"),
            ("multipart/mixed", "--x\r\n\r\n--x--"),
            ("multipart/mixed;boundary=x", "--x\r\nContent-Type: application/sdp"),
            ("multipart/mixed;boundary=x", ""),
            ("nonsense", "v=0"),
        ] {
            let body = Body { content_type, bytes: bytes.as_bytes() };
            assert_eq!(sdp_range(body), None, "{content_type} {bytes}");
        }
    }
}
