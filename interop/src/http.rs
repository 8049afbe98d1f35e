//! One request of HTTP and its answer, as a browser or a program sends it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Longer than anything takes that is not stuck.
const LIMIT: Duration = Duration::from_secs(30);

/// A request being put together; every one has a connection of its own.
pub struct Request {
    server: SocketAddr,
    head: String,
    body: String,
}

pub struct Answer {
    pub status: u16,
    head: String,
    /// What is no text is lost in it.
    pub body: String,
    /// The octets of the body as they came.
    pub octets: usize,
}

impl Request {
    pub fn new(server: SocketAddr, method: &str, path: &str) -> Self {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        Self { server, head, body: String::new() }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        let mut this = self.with("Content-Type", "application/json");
        this.body = body.to_string();
        this
    }

    /// As it is, without a type.
    #[must_use]
    pub fn text(self, body: &str) -> Self {
        Self { body: body.to_owned(), ..self }
    }

    pub fn send(self) -> Result<Answer> {
        let mut stream = self.sent()?;
        let mut all = Vec::new();
        stream.read_to_end(&mut all)?;
        answer(&all)
    }

    /// The head of an answer that may not end by itself.
    pub fn begin(self) -> Result<Answer> {
        let mut stream = BufReader::new(self.sent()?);
        let mut all = Vec::new();
        while !all.ends_with(b"\r\n\r\n") {
            let read = stream.read_until(b'\n', &mut all)?;
            ensure!(read > 0, "the answer ends in its head");
        }
        answer(&all)
    }

    fn sent(self) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(self.server)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let Self { head, body, .. } = self;
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
        Ok(stream)
    }
}

fn answer(all: &[u8]) -> Result<Answer> {
    let end = all.windows(4).position(|it| it == b"\r\n\r\n").context("no end of the head")?;
    let (head, body) = (String::from_utf8_lossy(&all[..end]), &all[end + 4..]);
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).context("no status")?;
    let text = String::from_utf8_lossy(body).into_owned();
    Ok(Answer { status, head: head.into_owned(), octets: body.len(), body: text })
}

impl Answer {
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("not JSON: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|it| it.split_once(": "));
        fields.find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
