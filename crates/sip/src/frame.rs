//! Cuts a stream into messages by Content-Length.
//!
//! Between a connection and [`Message::parse`]; uses that parser's own scanner, so that both see
//! the same lengths. Whatever is wrong ends the stream: no second request is ever read out of a
//! body (RFC 3261 §18.3, RFC 5626 §3.5.1).

use bytes::{Bytes, BytesMut};

use crate::message::{
    LengthError, MAX_HEAD, Message, ParseError, content_length, head_end, leading_line_breaks,
    sanitize,
};

/// Longest body. Unit: octets. A longer one is an error.
pub const MAX_BODY: usize = 64 * 1024;

/// One thing found in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Head and body of one message.
    Message(Bytes),
    /// CRLFCRLF between messages; the answer is one CRLF (RFC 5626 §3.5.1).
    Ping,
}

/// Why the stream cannot be read on. The connection is answered with 400, where the head can be
/// parsed, and closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct FrameError {
    pub kind: FrameErrorKind,
    /// The head as far as it came, for the answer.
    pub head: Bytes,
}

/// What is wrong in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameErrorKind {
    #[error(transparent)]
    Parse(#[from] ParseError),
    #[error("Missing Content-Length")]
    NoLength,
    #[error(transparent)]
    Length(#[from] LengthError),
    #[error("body above {MAX_BODY} octets")]
    BodyTooLong,
}

/// Collects the octets of one connection.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Looking for the end of a head; the octets before `scanned` need no second look.
    Head { scanned: usize },
    /// The head is known; the message ends after `total` octets.
    Body { total: usize },
    /// An error was reported; nothing more is read.
    Failed,
}

impl Default for State {
    fn default() -> Self {
        Self::Head { scanned: 0 }
    }
}

impl Framer {
    /// Adds octets as they came. After an error they are dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        match self.state {
            State::Head { .. } | State::Body { .. } => self.buffer.extend_from_slice(bytes),
            State::Failed => {}
        }
    }

    /// The next thing that has come completely. To be called until it gives `None` before more is
    /// pushed; the buffer then holds less than one message of the greatest size.
    #[expect(clippy::should_implement_trait, reason = "more may come after `None`")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            match self.state {
                State::Head { scanned } => {
                    if scanned == 0 && self.skip_line_breaks() {
                        return Ok(Some(Frame::Ping));
                    }
                    match self.find_body(scanned)? {
                        Some(total) => self.state = State::Body { total },
                        None => return Ok(None),
                    }
                }
                State::Body { total } if self.buffer.len() < total => return Ok(None),
                State::Body { total } => {
                    self.state = State::default();
                    return Ok(Some(Frame::Message(self.buffer.split_to(total).freeze())));
                }
                State::Failed => return Ok(None),
            }
        }
    }

    /// Whether a message has begun and not ended. The connection is closed when this lasts.
    pub fn incomplete(&self) -> bool {
        match self.state {
            State::Head { .. } => leading_line_breaks(&self.buffer) < self.buffer.len(),
            State::Body { .. } => true,
            State::Failed => false,
        }
    }

    /// Drops the line breaks between messages, up to and with the next ping; true where there is
    /// one. What may be the beginning of a ping stays, so that it makes no difference where the
    /// stream is cut.
    fn skip_line_breaks(&mut self) -> bool {
        const PING: &[u8] = b"\r\n\r\n";
        let mut passed = 0;
        let is_ping = loop {
            let rest = &self.buffer[passed..];
            match rest.first() {
                Some(b'\r' | b'\n') if rest.starts_with(PING) => break true,
                Some(b'\r' | b'\n') if !PING.starts_with(rest) => passed += 1,
                Some(_) | None => break false,
            }
        };
        passed += if is_ping { PING.len() } else { 0 };
        let _ = self.buffer.split_to(passed);
        is_ping
    }

    /// The length of the message, once its head is there.
    fn find_body(&mut self, mut scanned: usize) -> Result<Option<usize>, FrameError> {
        if leading_line_breaks(&self.buffer) == self.buffer.len() {
            return Ok(None);
        }
        let Some(head_len) = head_end(&self.buffer, &mut scanned) else {
            self.state = State::Head { scanned };
            if self.buffer.len() >= MAX_HEAD {
                return Err(self.fail(FrameErrorKind::Parse(ParseError::HeadTooLong), MAX_HEAD));
            }
            return Ok(None);
        };
        if head_len > MAX_HEAD {
            return Err(self.fail(FrameErrorKind::Parse(ParseError::HeadTooLong), MAX_HEAD));
        }
        match body_len(&self.buffer[..head_len]) {
            Ok(body_len) => Ok(Some(head_len + body_len)),
            Err(kind) => Err(self.fail(kind, head_len)),
        }
    }

    fn fail(&mut self, kind: FrameErrorKind, head_len: usize) -> FrameError {
        self.state = State::Failed;
        let mut head = std::mem::take(&mut self.buffer);
        head.truncate(head_len);
        FrameError { kind, head: head.freeze() }
    }
}

/// The length of the body that follows this head.
fn body_len(head: &[u8]) -> Result<usize, FrameErrorKind> {
    let sanitized = sanitize(head);
    let msg = Message::parse(sanitized.as_deref().unwrap_or(head))?;
    let len = content_length(&msg.headers)?.ok_or(FrameErrorKind::NoLength)?;
    if len > MAX_BODY { Err(FrameErrorKind::BodyTooLong) } else { Ok(len) }
}

#[cfg(test)]
mod tests;
