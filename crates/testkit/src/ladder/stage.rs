//! The stage of a ladder: the office, its phones, and everything that was said between them.

use super::carrier;
use crate::office::{Office, Outgoing, Sent};
use crate::phone::{Heard, Phone, Request, Target, Wishes};
use bytes::Bytes;
use pbx::core::Input;
use sip::message::{HeaderName, Message, NameAddr, StartLine, TypedHeader, Via};
use sip::{Flow, Transport};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

/// Office, phones, and the books.
pub(super) struct Stage {
    pub(super) office: Office,
    pub(super) phones: BTreeMap<String, Phone>,
    /// What phones sent, by phone and first word: for resending.
    pub(super) sent: Vec<(String, String, Bytes)>,
    /// What the server sent, to tell copies from news.
    pub(super) said: BTreeSet<(Flowed, Bytes)>,
    /// Requests delivered that have no final response yet: their line and top Via branch.
    pub(super) unanswered: BTreeMap<(String, String), String>,
    /// The Contact that each line registered, by its account.
    pub(super) contacts: BTreeMap<String, String>,
    /// Call-ID of the newest request each heard.
    pub(super) call_ids: BTreeMap<String, String>,
    /// Messages written below an error.
    lines: Vec<String>,
}

/// Whom a message went to, as a key.
pub(super) type Flowed = (String, u64);

impl Stage {
    pub(super) fn new(office: Office, phones: BTreeMap<String, Phone>) -> Self {
        let (sent, said) = (Vec::new(), BTreeSet::new());
        Self {
            office,
            phones,
            sent,
            said,
            unanswered: BTreeMap::new(),
            contacts: BTreeMap::new(),
            call_ids: BTreeMap::new(),
            lines: Vec::new(),
        }
    }

    pub(super) fn phone(&mut self, name: &str) -> Result<&mut Phone, String> {
        self.phones.get_mut(name).ok_or_else(|| format!("{name} is not in the cast"))
    }

    /// Registers a phone behind the curtain.
    pub(super) fn register(&mut self, name: &str) -> Result<(), String> {
        let request =
            Request { method: "REGISTER".into(), target: Target::Server, ..Request::default() };
        let bytes = self.phone(name)?.request(request)?;
        self.deliver(name, &bytes)?;
        let bytes =
            self.answer_challenge(name)?.ok_or_else(|| format!("{name} was not challenged"))?;
        self.deliver(name, &bytes)?;
        let sent =
            self.office.poll_sent().ok_or_else(|| format!("no answer to {name}'s REGISTER"))?;
        let (_, heard) = self.hear(name, &sent)?;
        match heard {
            Heard::Response { code: 200, .. } => Ok(()),
            other => Err(format!("{name}'s REGISTER: {other:?}")),
        }
    }

    /// Forgets what happened behind the curtain.
    pub(super) fn settle(&mut self) {
        self.sent.clear();
        self.said.clear();
        self.lines.clear();
        self.office.events.clear();
    }

    /// Brings a phone's message to the core, over its connection where it needs one.
    pub(super) fn deliver(&mut self, name: &str, bytes: &Bytes) -> Result<(), String> {
        let flow = self.flow(name)?;
        self.note(name, bytes, "->");
        if let Ok(message) = Message::parse(bytes)
            && let Some(method) = message.method()
            && method.as_str() != "ACK"
            && let Some(branch) = branch(&message)
        {
            let key = (branch, method.as_str().to_owned());
            self.unanswered.insert(key, format!("{name}'s {method}"));
        }
        self.office.receive(flow, bytes);
        Ok(())
    }

    pub(super) fn flow(&mut self, name: &str) -> Result<Flow, String> {
        let phone = self.phones.get_mut(name).ok_or_else(|| format!("no {name}"))?;
        if phone.flow.transport == Transport::Tcp && phone.flow.connection.is_none() {
            let connection = self.office.next_connection();
            phone.connected(phone.flow.remote, connection);
        }
        Ok(phone.flow)
    }

    /// Where the next message is a 401 to this phone: takes it away and gives the request to send
    /// then, with the ACK of an INVITE delivered in between.
    pub(super) fn answer_challenge(&mut self, name: &str) -> Result<Option<Bytes>, String> {
        let Some(Outgoing::Message { flow, bytes, .. }) =
            self.office.peek_sent().map(|it| it.what.clone())
        else {
            return Ok(None);
        };
        let is_401 = Message::parse(&bytes).is_ok_and(|it| matches!(it.status(), Some(401 | 407)));
        if !is_401 || flow != self.flow(name)? {
            return Ok(None);
        }
        self.office.poll_sent();
        self.said_now(name, &bytes);
        let heard = self.phone(name)?.hear(&bytes)?;
        if let Heard::Response { method, call: Some(call), .. } = heard
            && method == "INVITE"
        {
            let request =
                Request { method: "ACK".into(), target: Target::Call(call), ..Request::default() };
            let ack = self.phone(name)?.request(request)?;
            self.deliver(name, &ack)?;
        }
        self.phone(name)?.request_with_credentials().map(Some)
    }

    /// Lets a carrier answer the REGISTER that was sent next: a challenge, then 200. Returns whether
    /// it was 200.
    pub(super) fn answer_register(&mut self) -> Result<bool, String> {
        let sent = self.office.poll_sent().ok_or("the server sent nothing")?;
        let name = self.recipient_by_address(match &sent.what {
            Outgoing::Message { flow, .. } => flow.remote,
            Outgoing::Connect { remote, .. } => *remote,
        });
        if let Outgoing::Connect { token, .. } = sent.what {
            let connection = self.office.next_connection();
            let phone = self.phone(&name)?;
            phone.connected(phone.flow.remote, connection);
            let flow = phone.flow;
            self.office.input(Input::Connected { token, flow });
            return Ok(false);
        }
        let (bytes, _) = self.hear(&name, &sent)?;
        let message = Message::parse(&bytes).map_err(|error| error.to_string())?;
        let known = message.headers.get(HeaderName::Authorization).is_some();
        let mut wishes = Wishes::default();
        if !known {
            let challenge = format!("Digest {}", carrier::USUAL_CHALLENGE);
            wishes.headers.push(("WWW-Authenticate".to_owned(), challenge));
        }
        let code = if known { 200 } else { 401 };
        let answer = self.phone(&name)?.answer(code, Some("REGISTER"), &wishes)?;
        self.deliver(&name, &answer)?;
        Ok(known)
    }

    /// Gives a phone what the server sent it, whoever it is meant to be.
    pub(super) fn hear(&mut self, name: &str, sent: &Sent) -> Result<(Bytes, Heard), String> {
        let Outgoing::Message { bytes, .. } = &sent.what else {
            return Err(format!("the server {}", self.describe(sent)));
        };
        if self.recipient(sent) != name {
            return Err(format!("the server {}", self.describe(sent)));
        }
        self.said_now(name, bytes);
        let heard = self.phone(name)?.hear(bytes)?;
        Ok((bytes.clone(), heard))
    }

    /// Books a message of the server; `false` if it is a copy of an earlier one.
    pub(super) fn said_now(&mut self, name: &str, bytes: &Bytes) -> bool {
        self.note(name, bytes, "<-");
        if let Ok(message) = Message::parse(bytes)
            && message.method().is_some_and(|it| it.as_str() == "REGISTER")
            && let Some(account) = user_in(&message, HeaderName::To)
            && let Some(contact) = sip::dialog::contact_uri(&message)
        {
            self.contacts.insert(account, contact.to_owned());
        }
        if let Ok(message) = Message::parse(bytes)
            && message.status().is_some_and(|it| it >= 200)
            && let Some(branch) = branch(&message)
        {
            let cseq = message.headers.get(HeaderName::CSeq).unwrap_or_default();
            let method = cseq.split_whitespace().nth(1).unwrap_or_default();
            self.unanswered.remove(&(branch, method.to_owned()));
        }
        let connection = self.phones.get(name).and_then(|it| it.flow.connection);
        let key = (name.to_owned(), connection.map_or(0, |it| it.0));
        self.said.insert((key, bytes.clone()))
    }

    /// The phone something was sent to, else the bare address.
    pub(super) fn recipient(&self, sent: &Sent) -> String {
        let remote = match &sent.what {
            Outgoing::Message { flow, .. } => {
                let phone = self.phones.values().find(|it| it.flow == *flow);
                if let Some(phone) = phone {
                    return phone.name.clone();
                }
                return flow.to_string();
            }
            Outgoing::Connect { remote, .. } => *remote,
        };
        self.recipient_by_address(remote)
    }

    /// The phone at an address, whatever its connection is.
    pub(super) fn recipient_by_address(&self, remote: SocketAddr) -> String {
        let phone = self.phones.values().find(|it| it.address() == remote);
        phone.map_or_else(|| remote.to_string(), |it| it.name.clone())
    }

    /// One message in words, with its text.
    pub(super) fn describe(&self, sent: &Sent) -> String {
        let to = self.recipient(sent);
        match &sent.what {
            Outgoing::Message { bytes, .. } => {
                let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n      ");
                format!("sent {to}: {}\n      {text}", brief(bytes))
            }
            Outgoing::Connect { .. } => format!("connects to {to}"),
        }
    }

    fn note(&mut self, name: &str, bytes: &Bytes, arrow: &str) {
        let at = self.office.clock.elapsed();
        self.lines.push(line(at, name, arrow, &brief(bytes)));
    }

    /// The last messages, newest last.
    pub(super) fn transcript(&self) -> String {
        const SHOWN: usize = 40;
        let mut out = String::from("  so far:\n");
        for line in self.lines.iter().rev().take(SHOWN).rev() {
            // Writing into a String cannot fail.
            let _ = writeln!(out, "    {line}");
        }
        out
    }
}

fn line(at: Duration, name: &str, arrow: &str, what: &str) -> String {
    format!("{:9.3}s  {name:>8} {arrow} pbx  {what}", at.as_secs_f64())
}

/// `INVITE sip:101@10.0.0.1`, `200 OK (BYE)`.
pub(crate) fn brief(bytes: &[u8]) -> String {
    let Ok(message) = Message::parse(bytes) else { return "no SIP message".into() };
    let cseq = message.headers.get(HeaderName::CSeq).unwrap_or_default();
    match message.start {
        StartLine::Request { method, uri, .. } => format!("{method} {uri}"),
        StartLine::Status { code, reason } => {
            format!("{code} {reason} ({})", cseq.split_whitespace().nth(1).unwrap_or_default())
        }
    }
}

fn branch(message: &Message<'_>) -> Option<String> {
    let value = message.headers.values(HeaderName::Via).next()?;
    Via::parse(value).ok()?.branch().map(str::to_owned)
}

/// The user in From, To or the Request-URI.
pub(super) fn user_in(message: &Message<'_>, header: HeaderName) -> Option<String> {
    let address = NameAddr::parse(message.headers.get(header)?).ok()?;
    Some(address.uri.user_unescaped().into_owned())
}
