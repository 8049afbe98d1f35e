//! A reader of the server's events, over its control socket: as a stream, or by a WebSocket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::clock;
use crate::server::Server;

/// Events that wait to be looked at; more than any case makes.
const WAITING_MAX: usize = 65_536;

/// One event, and when it was here.
pub struct Event {
    pub at: Instant,
    pub envelope: Value,
}

impl Event {
    pub fn name(&self) -> &str {
        self.envelope["type"].as_str().unwrap_or_default()
    }
}

/// The events from now on, or from where the query says.
pub struct Events {
    stream: UnixStream,
    events: Receiver<Event>,
}

impl Events {
    /// `query` as in `types=call.*`. The stream has begun when this returns.
    pub fn follow(server: &Server, query: &str) -> Result<Self> {
        let path = format!("/api/v1/events?{query}");
        Self::begin(server, &path, "", (200, "content-type: text/event-stream"), chunks)
    }

    /// The same by a WebSocket (RFC 6455), with the key of the RFC's example.
    pub fn follow_ws(server: &Server, query: &str) -> Result<Self> {
        let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let accepted = (101, "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=");
        Self::begin(server, &format!("/api/v1/ws?{query}"), fields, accepted, frames)
    }

    fn begin(
        server: &Server,
        path: &str,
        fields: &str,
        (status, expected): (u16, &str),
        read: fn(BufReader<UnixStream>, &SyncSender<Event>) -> Result<()>,
    ) -> Result<Self> {
        let mut stream = UnixStream::connect(server.data.join("dialtone.sock"))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: dialtone\r\n{fields}\r\n")?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            ensure!(reader.read_line(&mut head)? > 0, "no answer: {head}");
        }
        ensure!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        ensure!(head.to_lowercase().contains(expected), "{head}");
        let (found, events) = sync_channel(WAITING_MAX);
        std::thread::Builder::new().name("events".to_owned()).spawn(move || {
            // It ends with the connection, whose end the case finds as silence.
            let _ = read(reader, &found);
        })?;
        Ok(Self { stream, events })
    }

    /// The next event, which must come in time and have this name.
    pub fn expect(&self, name: &str, within: Duration) -> Result<Value> {
        let event = self.events.recv_timeout(within).with_context(|| format!("no {name}"))?;
        ensure!(event.name() == name, "{} instead of {name}: {}", event.name(), event.envelope);
        Ok(event.envelope)
    }

    /// What comes until nothing comes for that time.
    pub fn rest(&self, quiet: Duration) -> Vec<Event> {
        std::iter::from_fn(|| self.events.recv_timeout(quiet).ok()).collect()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // Ends the thread, which waits in its read.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// Takes the chunks (RFC 9112 §7.1) and the lines of data in them apart.
fn chunks(mut reader: BufReader<UnixStream>, found: &SyncSender<Event>) -> Result<()> {
    let mut text = String::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = u64::from_str_radix(size.trim(), 16)?;
        reader.by_ref().take(size).read_to_string(&mut text)?;
        let mut end = String::new();
        reader.read_line(&mut end)?;
        while let Some(at) = text.find('\n') {
            let line: String = text.drain(..=at).collect();
            if let Some(data) = line.strip_prefix("data: ") {
                let envelope = serde_json::from_str(data)?;
                found.send(Event { at: clock::now(), envelope })?;
            }
        }
    }
}

/// Takes the frames of the server apart (RFC 6455 §5.2): whole ones, without a mask.
fn frames(mut reader: BufReader<UnixStream>, found: &SyncSender<Event>) -> Result<()> {
    const WHOLE_TEXT: u8 = 0x81;
    const PING: u8 = 0x89;
    loop {
        let mut head = [0; 2];
        reader.read_exact(&mut head)?;
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                reader.read_exact(&mut length)?;
                u64::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                reader.read_exact(&mut length)?;
                u64::from_be_bytes(length)
            }
            length => length.into(),
        };
        let mut text = String::new();
        reader.by_ref().take(length).read_to_string(&mut text)?;
        match head[0] {
            WHOLE_TEXT => {
                let envelope = serde_json::from_str(&text)?;
                found.send(Event { at: clock::now(), envelope })?;
            }
            PING => {}
            other => bail!("an unexpected frame {other:#x}"),
        }
    }
}
