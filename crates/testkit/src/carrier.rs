//! A carrier as a program: registrar and UAS, with the oddities that real ones have.
//!
//! It is pure: a datagram and the time go in, datagrams come out. Tests put it beside the core in
//! virtual time; the program `carrier` puts it behind a UDP socket.

mod authenticate;
pub mod beside;
mod call;
pub mod oddity;
mod register;
pub mod udp;

pub use oddity::Oddities;

use bytes::Bytes;
use call::Call;
use register::Bound;
use sip::message::{Essentials, HeaderName, Message, Method, Writer, check, response_to};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a call rings before it is answered.
const RING: Duration = Duration::from_millis(500);

/// How long a response is kept for copies of its request.
const KEPT: Duration = Duration::from_secs(32);

/// What a method of the carrier answers: status, further headers, perhaps a body.
#[derive(Debug, Default)]
struct Reply {
    code: u16,
    headers: Vec<(&'static str, String)>,
    sdp: Option<String>,
}

impl Reply {
    fn of(code: u16) -> Self {
        Self { code, ..Self::default() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A request and where it came from.
#[derive(Clone, Copy)]
struct Asked<'a> {
    from: SocketAddr,
    message: &'a Message<'a>,
    it: &'a Essentials<'a>,
    now: Instant,
}

/// What goes out, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub to: SocketAddr,
    pub bytes: Bytes,
}

/// The carrier.
#[derive(Debug)]
pub struct Carrier {
    pub oddities: Oddities,
    /// Where it listens: the host of its Contact.
    pub address: SocketAddr,
    realm: String,
    /// Passwords by user.
    accounts: BTreeMap<String, String>,
    bindings: BTreeMap<String, Vec<Bound>>,
    calls: BTreeMap<String, Call>,
    /// Responses by branch and method, for copies.
    kept: BTreeMap<(String, String), (Instant, Vec<Sent>)>,
    /// How often each nonce was answered.
    nonces: BTreeMap<String, u32>,
    /// Call-IDs of REGISTERs.
    registered_call_ids: Vec<String>,
    serial: u64,
    /// Requests that came, copies not counted, by method.
    pub heard: BTreeMap<String, u32>,
}

impl Carrier {
    /// A carrier with these accounts and their passwords.
    pub fn new(address: SocketAddr, accounts: &[(&str, &str)], oddities: Oddities) -> Self {
        let own = |it: &(&str, &str)| (it.0.to_owned(), it.1.to_owned());
        Self {
            oddities,
            address,
            realm: "telecom".to_owned(),
            accounts: accounts.iter().map(own).collect(),
            bindings: BTreeMap::new(),
            calls: BTreeMap::new(),
            kept: BTreeMap::new(),
            nonces: BTreeMap::new(),
            registered_call_ids: Vec::new(),
            serial: 0,
            heard: BTreeMap::new(),
        }
    }

    /// Takes a datagram.
    pub fn receive(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) -> Vec<Sent> {
        self.kept.retain(|_, it| it.0 > now);
        let Ok(message) = Message::parse(bytes) else { return Vec::new() };
        let (Ok(it), Some(method)) = (check(&message), message.method()) else {
            return Vec::new();
        };
        let key = (it.via.branch().unwrap_or_default().to_owned(), method.to_string());
        if let Some((_, sent)) = self.kept.get(&key) {
            return sent.clone();
        }
        *self.heard.entry(method.to_string()).or_default() += 1;
        if self.oddities.silent || (self.oddities.no_options && method == Method::Options) {
            // A copy is no second request.
            self.kept.insert(key, (now + KEPT, Vec::new()));
            return Vec::new();
        }
        let asked = Asked { from, message: &message, it: &it, now };
        let replies = self.serve(asked, method);
        let tag = format!("c{}", self.tag_of(it.call_id));
        let sent: Vec<Sent> = replies.iter().map(|reply| self.write(asked, reply, &tag)).collect();
        self.kept.insert(key, (now + KEPT, sent.clone()));
        sent
    }

    /// When [`Carrier::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.calls.values().filter_map(Call::due).min()
    }

    /// Answers what has rung long enough.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Sent> {
        let mut out = Vec::new();
        for call in self.calls.values_mut() {
            out.extend(call.handle_timeout(now));
        }
        out
    }

    fn serve(&mut self, asked: Asked<'_>, method: Method<'_>) -> Vec<Reply> {
        let inside = asked.it.to_tag.is_some();
        match method {
            Method::Register => vec![self.register(asked)],
            Method::Options => {
                vec![Reply::of(200).with("Allow", "INVITE, ACK, BYE, CANCEL, PRACK")]
            }
            Method::Invite if inside => self.within(asked, method),
            Method::Invite => self.invite(asked),
            Method::Ack => {
                self.acknowledged(asked.it.call_id);
                Vec::new()
            }
            Method::Cancel => self.cancelled(asked),
            _ if inside => self.within(asked, method),
            _ => vec![Reply::of(501)],
        }
    }

    /// One tag for each call of ours.
    fn tag_of(&mut self, call_id: &str) -> u64 {
        if let Some(call) = self.calls.get(call_id) {
            return call.serial;
        }
        self.serial += 1;
        self.serial
    }

    fn write(&self, asked: Asked<'_>, reply: &Reply, tag: &str) -> Sent {
        let Asked { from, message, .. } = asked;
        let tag = (reply.code > 100 && asked.it.to_tag.is_none()).then_some(tag);
        let phrase = reply.headers.iter().find(|it| it.0 == "reason phrase").map(|it| &*it.1);
        let phrase = phrase.unwrap_or_else(|| sip::message::reason_phrase(reply.code));
        let mut writer: Writer = response_to(message, reply.code, phrase, tag, from);
        for (name, value) in reply.headers.iter().filter(|it| it.0 != "reason phrase") {
            writer.header(name, value);
        }
        let bytes = match &reply.sdp {
            Some(sdp) => writer.finish_with("application/sdp", sdp.as_bytes()),
            None => writer.finish(),
        };
        Sent { to: from, bytes }
    }
}

/// The user of a header's URI.
fn user_of(message: &Message<'_>, name: HeaderName) -> String {
    use sip::message::NameAddr;
    let value = message.headers.get(name).unwrap_or_default();
    NameAddr::parse(value).map(|it| it.uri.user_unescaped().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
