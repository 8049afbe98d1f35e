//! Programs made for miniSIPServer write JSON into the query as it is, quotes and blanks included, which is no
//! URI (RFC 3986 §2): the first request line of a connection that begins so is put right before HTTP reads it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const BEGINS: &[u8] = b"GET /openapi/";

/// Longest request line that is put right. Unit: octets.
const LINE_MAX: usize = 8192;

/// A stream of which the first line may be put right.
pub(crate) struct Requoted<S> {
    stream: S,
    /// The first line as far as it has come; `None`: what comes passes as it is.
    line: Option<Vec<u8>>,
    /// What was read and is to be passed on first.
    held: Vec<u8>,
    given: usize,
}

impl<S> Requoted<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, line: Some(Vec::new()), held: Vec::new(), given: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Requoted<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.given < this.held.len() {
                let rest = &this.held[this.given..];
                let length = rest.len().min(buffer.remaining());
                buffer.put_slice(&rest[..length]);
                this.given += length;
                return Poll::Ready(Ok(()));
            }
            let Some(line) = &mut this.line else {
                return Pin::new(&mut this.stream).poll_read(context, buffer);
            };
            let mut space = [0; 1024];
            let mut read = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            line.extend_from_slice(read.filled());
            let is_over =
                read.filled().is_empty() || line.len() > LINE_MAX || line.contains(&b'\n');
            if is_over || !is_meant(line) {
                this.held = right(line);
                this.line = None;
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Requoted<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// Whether it begins as such a request does, as far as it has come.
fn is_meant(line: &[u8]) -> bool {
    let length = line.len().min(BEGINS.len());
    line[..length] == BEGINS[..length]
}

/// With what no URI may hold percent-encoded between method and version.
fn right(read: &[u8]) -> Vec<u8> {
    let end = read.iter().position(|it| matches!(it, b'\r' | b'\n')).unwrap_or(read.len());
    let (line, rest) = read.split_at(end);
    let version = line.iter().rposition(|it| *it == b' ').filter(|at| *at > b"GET".len());
    let Some(version) = version.filter(|_| line.starts_with(BEGINS)) else { return read.to_vec() };
    let (target, version) = line.split_at(version);
    let mut right = b"GET ".to_vec();
    for &byte in &target[b"GET ".len()..] {
        // What stands after # would be no part of the query.
        if matches!(byte, b'"' | b' ' | b'<' | b'>' | b'#' | 0x80..) {
            right.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            right.push(byte);
        }
    }
    [&right, version, rest].concat()
}

/// What is true of every beginning of a connection: nothing is lost of it, what was put right is right, and HTTP is not
/// given what it would take for two requests.
pub(super) fn holds(bytes: &[u8]) {
    let once = right(bytes);
    assert_eq!(right(&once), once, "it is put right once");
    let breaks = |it: &[u8]| it.iter().filter(|it| matches!(it, b'\r' | b'\n')).count();
    assert_eq!(breaks(&once), breaks(bytes), "its lines are those that came");
    assert!(once.len() >= bytes.len());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn line_table() {
        let raw = "GET /openapi/version?{\"syskey\": \"1234\"} HTTP/1.1\r\nHost: \"x\"\r\n\r\n";
        let put_right =
            "GET /openapi/version?{%22syskey%22:%20%221234%22} HTTP/1.1\r\nHost: \"x\"\r\n\r\n";
        let password =
            "GET /openapi/x?{\"password\":\"a#b\",\"description\":\"门\"} HTTP/1.1\r\n\r\n";
        let of_password = "GET /openapi/x?{%22password%22:%22a%23b%22,%22description%22:%22%E9%97%A8%22} HTTP/1.1\r\n\r\n";
        let long = format!("GET /openapi/x?{} HTTP/1.1\r\n\r\n", "\"".repeat(LINE_MAX));
        let other = "POST /api/v1/calls HTTP/1.1\r\n\r\n{\"from\":\"GET /openapi/\"}";
        #[rustfmt::skip]
        let table = [
            (raw,                                    put_right),
            ("GET /openapi/version HTTP/1.1\r\n\r\n", "GET /openapi/version HTTP/1.1\r\n\r\n"),
            (password,                               of_password),
            (other,                                  other),
            ("GET /open",                            "GET /open"),
            ("GET /openapi/x?\"",                    "GET /openapi/x?\""),
            ("",                                     ""),
        ];
        for (came, expected) in table {
            let mut text = String::new();
            Requoted::new(came.as_bytes()).read_to_string(&mut text).await.unwrap();
            assert_eq!(text, expected, "{came}");
        }
        // Beyond its limit it is only bounded.
        let mut text = String::new();
        Requoted::new(long.as_bytes()).read_to_string(&mut text).await.unwrap();
        assert!(text.len() < 4 * long.len());
    }
}
