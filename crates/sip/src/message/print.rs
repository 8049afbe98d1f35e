//! Printing: messages as octets, one behind the other in a block.
//!
//! No value can start a new line, so nothing a peer sent can become a header of ours
//! (RFC 3261 §7, §25.1).

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use std::fmt::{self, Display, Write as _};

use super::block::{self, Life};
use super::headers::{Headers, LineName, Run};
use super::method::Method;
use super::name::HeaderName;
use super::short::decimal;

/// Room for a usual INVITE without growing. Unit: octets.
const INVITE_LEN: usize = 1536;
/// The same for any other message, which has no body.
const USUAL_LEN: usize = 768;
/// A longer line that has to be written again is copied to the heap. Unit: octets.
const USUAL_LINE: usize = 256;

/// A message being written, head first.
#[derive(Clone, Debug)]
pub struct Writer {
    life: Life,
    out: BytesMut,
}

/// Lets values be formatted into a message.
struct Text<'a>(&'a mut BytesMut);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Writer {
    /// Starts a request. No transaction keeps an ACK.
    pub fn request(method: Method<'_>, uri: &str) -> Self {
        let room = if method == Method::Invite { INVITE_LEN } else { USUAL_LEN };
        let life = if method == Method::Ack { Life::Turn } else { Life::Transaction };
        let mut writer = Self::empty(life, room);
        writer.text(method.as_str());
        writer.raw(b" ");
        writer.text(uri);
        writer.raw(b" SIP/2.0\r\n");
        writer
    }

    /// Starts a response.
    pub fn response(code: u16, reason: &str) -> Self {
        Self::response_with_room(Life::Transaction, (code, reason), USUAL_LEN)
    }

    /// Starts a response, with room for this many octets.
    pub(super) fn response_with_room(
        life: Life,
        (code, reason): (u16, &str),
        octets: usize,
    ) -> Self {
        let mut writer = Self::empty(life, octets);
        writer.raw(b"SIP/2.0 ");
        writer.decimal(code.into());
        writer.raw(b" ");
        writer.text(reason);
        writer.raw(b"\r\n");
        writer
    }

    fn empty(life: Life, octets: usize) -> Self {
        Self { life, out: block::begin(life, octets) }
    }

    /// Appends a header. Line breaks in the value become spaces.
    pub fn header(&mut self, name: &str, value: impl Display) -> &mut Self {
        let start = self.out.len();
        self.raw(name.as_bytes());
        self.raw(b": ");
        // Writing into memory cannot fail; an error could only be the value's own, and then what
        // it wrote so far stands.
        let _ = write!(Text(&mut self.out), "{value}");
        self.end_line(start);
        self
    }

    /// Appends a header whose value is text already, as [`Self::header`] does but faster.
    pub fn text_header(&mut self, name: &str, value: &str) -> &mut Self {
        let start = self.out.len();
        self.out.reserve(name.len() + value.len() + ": \r\n".len());
        self.raw(name.as_bytes());
        self.raw(b": ");
        self.raw(value.as_bytes());
        self.end_line(start);
        self
    }

    /// Copies the lines that are kept, in order and under the names they came with.
    pub fn lines_of<'h, 'a>(
        &mut self,
        headers: &'h Headers<'a>,
        keep: impl Fn(LineName<'h, 'a>) -> bool,
    ) -> &mut Self {
        for run in headers.runs(keep) {
            match run {
                Run::Text(text) => self.raw(text.as_bytes()),
                Run::Line(it) => {
                    self.text_header(it.raw_name, it.value);
                }
            }
        }
        self
    }

    /// Copies every line of this header under its canonical name. Nothing where there is none, and
    /// nothing for [`HeaderName::Other`], which names no header.
    pub fn headers_of(&mut self, headers: &Headers<'_>, name: HeaderName) -> &mut Self {
        if name != HeaderName::Other {
            for value in headers.all(name) {
                self.text_header(name.as_str(), value);
            }
        }
        self
    }

    /// Ends a message that has no body.
    pub fn finish(mut self) -> Bytes {
        self.raw(b"Content-Length: 0\r\n\r\n");
        block::end(self.life, self.out)
    }

    /// Ends a message with its body.
    pub fn finish_with(mut self, content_type: &str, body: &[u8]) -> Bytes {
        self.text_header(HeaderName::ContentType.as_str(), content_type);
        self.raw(b"Content-Length: ");
        self.decimal(body.len());
        self.raw(b"\r\n\r\n");
        self.raw(body);
        block::end(self.life, self.out)
    }

    /// Appends octets that are known to be well-formed lines.
    pub(super) fn raw(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(octets);
    }

    /// Appends text as part of one line.
    pub(super) fn text(&mut self, text: &str) {
        one_line(&mut self.out, text.as_bytes());
    }

    fn decimal(&mut self, number: usize) {
        self.raw(decimal(number as u64, &mut [0; 20]));
    }

    /// Where the text of the message is.
    pub(super) fn out(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    /// Ends the line that started here, and takes out the line breaks that stand in it.
    fn end_line(&mut self, start: usize) {
        if memchr::memchr2(b'\r', b'\n', &self.out[start..]).is_some() {
            // Splitting it off would leave the block no room behind this message.
            let line = SmallVec::<[u8; USUAL_LINE]>::from_slice(&self.out[start..]);
            self.out.truncate(start);
            one_line(&mut self.out, &line);
        }
        self.raw(b"\r\n");
    }
}

/// Appends text in which each run of line breaks is one space.
pub(super) fn one_line(out: &mut BytesMut, line: &[u8]) {
    let mut rest = line;
    while let Some(hit) = memchr::memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(&rest[..hit]);
        out.extend_from_slice(b" ");
        let run = &rest[hit..];
        let next = run.iter().position(|it| !matches!(it, b'\r' | b'\n')).unwrap_or(run.len());
        rest = &run[next..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Message;
    use super::*;

    #[test]
    fn a_request_with_a_body() {
        let mut writer = Writer::request(Method::Invite, "sip:bob@example.com");
        writer.header("Max-Forwards", 70).header("Subject", "lunch");
        let bytes = writer.finish_with("application/sdp", b"v=0\r\n");
        let expected = "INVITE sip:bob@example.com SIP/2.0\r\nMax-Forwards: 70\r\n\
                        Subject: lunch\r\nContent-Type: application/sdp\r\n\
                        Content-Length: 5\r\n\r\nv=0\r\n";
        assert_eq!(str::from_utf8(&bytes).unwrap(), expected);
    }

    #[test]
    fn no_value_starts_a_line() {
        let mut writer = Writer::response(400, "Bad\r\nRequest");
        writer.header("Subject\r\n", "a\r\nX-Evil: 1\r\r\n\n\r\nb");
        let bytes = writer.finish_with("text/plain\r\nX-Evil: 2", b"");
        let expected = "SIP/2.0 400 Bad Request\r\nSubject : a X-Evil: 1 b\r\n\
                        Content-Type: text/plain X-Evil: 2\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(str::from_utf8(&bytes).unwrap(), expected);
    }

    #[test]
    fn lines_pass_as_they_came_but_never_as_more_than_one() {
        let head = "OPTIONS sip:a SIP/2.0\r\nVia: v\r\nA: one\r\nB: two\r\nMax-Forwards: 70\r\n\
                    C:three\r\nD: four\nE: f\r\n ive\r\nF: si\rx\r\nG: seven \r\nH: eight\r\n\r\n";
        let msg = Message::parse(head.as_bytes()).unwrap();
        let kept =
            |it: LineName<'_, '_>| !matches!(it.known(), HeaderName::Via | HeaderName::MaxForwards);
        let mut writer = Writer::response(200, "OK");
        writer.lines_of(&msg.headers, kept);
        let expected = "SIP/2.0 200 OK\r\nA: one\r\nB: two\r\nC:three\r\nD: four\r\nE: f  ive\r\n\
                        F: si x\r\nG: seven\r\nH: eight\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(str::from_utf8(&writer.finish()).unwrap(), expected);
    }

    #[test]
    fn copied_lines_keep_their_order_and_lose_their_folds() {
        let text = b"OPTIONS sip:a SIP/2.0\r\nv: one\r\nm: x\r\nVIA:\r\n two,\r\n\tthree\r\n\r\n";
        let msg = Message::parse(text).unwrap();
        let mut writer = Writer::response(200, "OK");
        writer.headers_of(&msg.headers, HeaderName::Via);
        writer.headers_of(&msg.headers, HeaderName::Route);
        let bytes = writer.finish();
        let expected = "SIP/2.0 200 OK\r\nVia: one\r\nVia: two, \tthree\r\n\
                        Content-Length: 0\r\n\r\n";
        assert_eq!(str::from_utf8(&bytes).unwrap(), expected);
    }
}
