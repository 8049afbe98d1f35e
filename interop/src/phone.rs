//! A phone that does exactly what the case says, step by step, and reports what it gets.
//!
//! Blocking and single-threaded: a case plays both phones in turn. Requests are sent again as RFC 3261 §17.1
//! demands; a request that comes a second time is not reported twice.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::clock;
use crate::dialog::Dialog;
use crate::digest::{Challenge, Credentials};
use crate::message::{self, Message};
use crate::wire::{Got, Wire};

/// How long a phone waits for what must come at once; generous, as machines are slow.
pub const SOON: Duration = Duration::from_secs(10);

/// How long a phone listens before it believes that nothing comes.
pub const QUIET: Duration = Duration::from_millis(700);

const T1: Duration = Duration::from_millis(500);

pub struct Phone {
    pub number: String,
    pub password: String,
    pub wire: Wire,
    /// Host and port of the server as it stands in URIs.
    pub server: String,
    /// The newest challenge, used without being asked for again.
    pub challenge: Option<Challenge>,
    /// Added to every INVITE and REGISTER.
    pub extra: Vec<(String, String)>,
    /// Put into the Contact instead of our address.
    pub contact_address: Option<String>,
    register_call_id: String,
    cseq: u32,
    inbox: VecDeque<Message>,
    /// Branch and method of the requests that were reported.
    seen: Vec<(String, String)>,
}

impl Phone {
    pub fn udp(local: IpAddr, server: SocketAddr, number: &str, password: &str) -> Result<Self> {
        Ok(Self::on(Wire::udp(local, server)?, server, number, password))
    }

    pub fn tcp(local: IpAddr, server: SocketAddr, number: &str, password: &str) -> Result<Self> {
        Ok(Self::on(Wire::tcp(local, server)?, server, number, password))
    }

    fn on(wire: Wire, server: SocketAddr, number: &str, password: &str) -> Self {
        Self {
            number: number.to_owned(),
            password: password.to_owned(),
            wire,
            server: server.to_string(),
            challenge: None,
            extra: vec![],
            contact_address: None,
            register_call_id: unique("register"),
            cseq: 0,
            inbox: VecDeque::new(),
            seen: vec![],
        }
    }

    pub fn aor(&self) -> String {
        format!("sip:{}@{}", self.number, self.server)
    }

    pub fn contact(&self) -> Result<String> {
        let address = match &self.contact_address {
            Some(address) => address.clone(),
            None => self.wire.local()?.to_string(),
        };
        let transport = self.wire.transport().to_lowercase();
        Ok(format!("<sip:{}@{address};transport={transport}>", self.number))
    }

    /// A request outside of any dialog, without credentials.
    pub fn request(&mut self, method: &str, uri: &str, to: &str) -> Result<Message> {
        self.cseq += 1;
        let request = self.bare(method, uri)?;
        Ok(request
            .with("From", format!("<{}>;tag={}", self.aor(), unique("t")))
            .with("To", format!("<{to}>"))
            .with("Call-ID", unique("call"))
            .with("CSeq", format!("{} {method}", self.cseq))
            .with("Contact", self.contact()?))
    }

    fn bare(&self, method: &str, uri: &str) -> Result<Message> {
        let (transport, local) = (self.wire.transport(), self.wire.local()?);
        let branch = unique("z9hG4bK");
        Ok(Message::new(&format!("{method} {uri} SIP/2.0"))
            .with("Via", format!("SIP/2.0/{transport} {local};branch={branch};rport"))
            .with("Max-Forwards", 70))
    }

    /// Registers and returns the final answer, whatever it is.
    pub fn try_register(&mut self, expires: u32) -> Result<Message> {
        let registrar = format!("sip:{}", self.server);
        let mut request = self.request("REGISTER", &registrar, &self.aor())?;
        for (name, value) in &mut request.headers {
            if name == "Call-ID" {
                value.clone_from(&self.register_call_id);
            }
        }
        let request = self.dressed(request.with("Expires", expires));
        self.transact_with_credentials(request).map(|(_, answer)| answer)
    }

    pub fn register(&mut self) -> Result<()> {
        let answer = self.try_register(3600)?;
        ensure!(answer.status() == Some(200), "REGISTER {}: {}", self.number, answer.start);
        Ok(())
    }

    fn dressed(&self, mut request: Message) -> Message {
        request.headers.extend(self.extra.iter().cloned());
        request
    }

    /// Sends an INVITE and, when challenged, the one with credentials, which is returned.
    pub fn invite(&mut self, number: &str, sdp: &str) -> Result<Message> {
        self.invite_as(None, number, sdp)
    }

    /// The same with a display name, which is not escaped.
    pub fn invite_as(&mut self, name: Option<&str>, number: &str, sdp: &str) -> Result<Message> {
        let uri = format!("sip:{number}@{}", self.server);
        let mut request = self.request("INVITE", &uri, &uri)?;
        for (header, value) in &mut request.headers {
            if let Some(name) = name.filter(|_| header == "From") {
                *value = format!("\"{name}\" {value}");
            }
        }
        let request = self.dressed(request).with_sdp(sdp);
        if self.challenge.is_some() {
            let request = self.with_credentials(request)?;
            self.send(&request)?;
            return Ok(request);
        }
        let answer = self.transact(&request)?;
        ensure!(answer.status() == Some(401), "INVITE without credentials: {}", answer.start);
        self.ack_refusal(&request, &answer)?;
        self.learn(&answer)?;
        let again = self.again(&request)?;
        let again = self.with_credentials(again)?;
        self.send(&again)?;
        Ok(again)
    }

    /// Sends a request; where it is challenged, once more with credentials. The request answered, and its answer.
    pub fn transact_with_credentials(&mut self, request: Message) -> Result<(Message, Message)> {
        let request = match self.challenge {
            Some(_) => self.with_credentials(request)?,
            None => request,
        };
        let answer = self.transact(&request)?;
        if answer.status() != Some(401) {
            return Ok((request, answer));
        }
        if request.method() == "INVITE" {
            self.ack_refusal(&request, &answer)?;
        }
        self.learn(&answer)?;
        let again = self.again(&request)?;
        let again = self.with_credentials(again)?;
        let answer = self.transact(&again)?;
        Ok((again, answer))
    }

    pub fn learn(&mut self, answer: &Message) -> Result<()> {
        let challenge = answer.all("WWW-Authenticate").find_map(Challenge::parse);
        self.challenge = Some(challenge.context("a 401 without a challenge we know")?);
        Ok(())
    }

    /// The same request with a new branch and the next CSeq, without credentials.
    pub fn again(&mut self, request: &Message) -> Result<Message> {
        let method = request.method().to_owned();
        let cseq = request.cseq() + 1;
        self.cseq = self.cseq.max(cseq);
        let local = self.wire.local()?;
        let via =
            format!("SIP/2.0/{} {local};branch={};rport", self.wire.transport(), unique("z9hG4bK"));
        let mut again = request.clone();
        again.headers.retain(|(name, _)| name != "Authorization");
        for (name, value) in &mut again.headers {
            match name.as_str() {
                "Via" => value.clone_from(&via),
                "CSeq" => *value = format!("{cseq} {method}"),
                _ => {}
            }
        }
        Ok(again)
    }

    pub fn with_credentials(&mut self, mut request: Message) -> Result<Message> {
        request.headers.retain(|(name, _)| name != "Authorization");
        let challenge = self.challenge.as_mut().context("no challenge yet")?;
        let uri = request.start.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = challenge.answer(Credentials {
            user: &self.number,
            password: &self.password,
            method: request.method(),
            uri: &uri,
        });
        Ok(request.with("Authorization", answer))
    }

    pub fn send(&mut self, message: &Message) -> Result<()> {
        self.wire.send(&message.to_bytes())
    }

    /// Sends and waits for the final response, sending again over UDP until something comes.
    pub fn transact(&mut self, request: &Message) -> Result<Message> {
        let mut wait = T1;
        let end = clock::now() + SOON;
        self.send(request)?;
        loop {
            match self.response(request, wait)? {
                Some(answer) if answer.status().is_some_and(|it| it >= 200) => return Ok(answer),
                // RFC 3261 §17.1.1.2: a provisional response ends the sending.
                Some(_) => wait = SOON,
                None if clock::now() >= end => {
                    bail!("{}: no final response in {SOON:?}", request.start)
                }
                None => {
                    wait *= 2;
                    if matches!(self.wire, Wire::Udp { .. }) {
                        self.send(request)?;
                    }
                }
            }
        }
    }

    /// The next response to that request, or `None` where none comes in time.
    pub fn response(&mut self, request: &Message, limit: Duration) -> Result<Option<Message>> {
        let ours = |it: &Message| {
            it.status().is_some()
                && it.text("Call-ID") == request.text("Call-ID")
                && it.text("CSeq") == request.text("CSeq")
        };
        self.find(limit, ours)
    }

    /// The response with that status; others before it must be provisional.
    pub fn expect(&mut self, request: &Message, status: u16) -> Result<Message> {
        let end = clock::now() + SOON;
        loop {
            let what = || format!("{}: no {status}", request.start);
            let answer = self.response(request, clock::until(end))?.with_context(what)?;
            match answer.status() {
                Some(it) if it == status => return Ok(answer),
                Some(it) if it < 200 => {}
                Some(_) | None => bail!("{}: {} for {status}", request.start, answer.start),
            }
        }
    }

    pub fn expect_request(&mut self, method: &str) -> Result<Message> {
        let found = self.request_within(method, SOON)?;
        found.with_context(|| format!("{} got no {method}", self.number))
    }

    pub fn request_within(&mut self, method: &str, limit: Duration) -> Result<Option<Message>> {
        self.find(limit, |it| it.status().is_none() && it.method() == method)
    }

    /// Fails where anything that is no answer to us comes within [`QUIET`].
    pub fn expect_silence(&mut self) -> Result<()> {
        match self.find(QUIET, |_| true)? {
            None => Ok(()),
            Some(message) => bail!("{} got {}", self.number, message.start),
        }
    }

    /// The first message that fits; the others stay for later.
    fn find(
        &mut self,
        limit: Duration,
        fits: impl Fn(&Message) -> bool,
    ) -> Result<Option<Message>> {
        if let Some(at) = self.inbox.iter().position(&fits) {
            return Ok(self.inbox.remove(at));
        }
        let end = clock::now() + limit;
        loop {
            match self.wire.receive(end)? {
                Got::Silence => return Ok(None),
                Got::Closed => bail!("the server closed the connection of {}", self.number),
                Got::Message(message, _) if self.is_repeated(&message) => {}
                Got::Message(message, _) if fits(&message) => return Ok(Some(message)),
                Got::Message(message, _) => self.inbox.push_back(message),
            }
        }
    }

    fn is_repeated(&mut self, message: &Message) -> bool {
        if message.status().is_some() {
            return false;
        }
        let key = (message.branch().to_owned(), message.method().to_owned());
        let repeated = self.seen.contains(&key);
        if !repeated {
            self.seen.push(key);
        }
        repeated
    }

    /// Acknowledges a refusal: within the transaction (RFC 3261 §17.1.1.3).
    pub fn ack_refusal(&mut self, invite: &Message, answer: &Message) -> Result<()> {
        let start = invite.start.replacen("INVITE", "ACK", 1);
        let ack = Message::new(&start)
            .with("Via", invite.text("Via"))
            .with("Max-Forwards", 70)
            .with("From", invite.text("From"))
            .with("To", answer.text("To"))
            .with("Call-ID", invite.text("Call-ID"))
            .with("CSeq", format!("{} ACK", invite.cseq()));
        self.send(&ack)
    }

    /// Acknowledges the answer, which makes the dialog (RFC 3261 §13.2.2.4).
    pub fn ack(&mut self, invite: &Message, answer: &Message) -> Result<Dialog> {
        let dialog = Dialog::of_caller(invite, answer);
        self.ack_within(&dialog, invite.cseq())?;
        Ok(dialog)
    }

    pub fn ack_within(&mut self, dialog: &Dialog, cseq: u32) -> Result<()> {
        let ack = self.within(dialog, "ACK", cseq)?;
        self.send(&ack)
    }

    pub fn cancel(&mut self, invite: &Message) -> Result<Message> {
        let start = invite.start.replacen("INVITE", "CANCEL", 1);
        let cancel = Message::new(&start)
            .with("Via", invite.text("Via"))
            .with("Max-Forwards", 70)
            .with("From", invite.text("From"))
            .with("To", invite.text("To"))
            .with("Call-ID", invite.text("Call-ID"))
            .with("CSeq", format!("{} CANCEL", invite.cseq()));
        self.transact(&cancel)
    }

    pub fn respond(&mut self, request: &Message, status: u16, reason: &str) -> Result<Message> {
        let answer = request.answer(status, reason, &self.tag()).with("Contact", self.contact()?);
        self.send(&answer)?;
        Ok(answer)
    }

    /// Answers an INVITE with 200 and the description.
    pub fn accept(&mut self, invite: &Message, sdp: &str) -> Result<Dialog> {
        let answer = invite.answer(200, "OK", &self.tag()).with("Contact", self.contact()?);
        let answer = answer.with_sdp(sdp);
        self.send(&answer)?;
        Ok(Dialog::of_callee(invite, &answer))
    }

    /// The same for every answer of this phone, so that its 180 and 200 make one dialog.
    fn tag(&self) -> String {
        format!("tag-{}", self.register_call_id)
    }

    /// A request within the dialog.
    pub fn within(&self, dialog: &Dialog, method: &str, cseq: u32) -> Result<Message> {
        let mut request = self.bare(method, &dialog.target)?;
        for route in &dialog.routes {
            request = request.with("Route", route);
        }
        Ok(request
            .with("From", &dialog.local)
            .with("To", &dialog.remote)
            .with("Call-ID", &dialog.call_id)
            .with("CSeq", format!("{cseq} {method}"))
            .with("Contact", self.contact()?))
    }

    /// Sends a request within the dialog and returns its final answer.
    pub fn transact_within(&mut self, dialog: &mut Dialog, method: &str) -> Result<Message> {
        dialog.cseq += 1;
        let request = self.within(dialog, method, dialog.cseq)?;
        self.transact(&request)
    }

    /// Hangs up; the answer must be 200.
    pub fn bye(&mut self, dialog: &mut Dialog) -> Result<()> {
        let answer = self.transact_within(dialog, "BYE")?;
        ensure!(answer.status() == Some(200), "BYE of {}: {}", self.number, answer.start);
        Ok(())
    }

    /// Changes the session; the answer is acknowledged and returned.
    pub fn reinvite(&mut self, dialog: &mut Dialog, sdp: &str) -> Result<Message> {
        dialog.cseq += 1;
        let request = self.within(dialog, "INVITE", dialog.cseq)?.with_sdp(sdp);
        let answer = self.transact(&request)?;
        match answer.status() {
            Some(200) => self.ack_within(dialog, dialog.cseq)?,
            Some(_) | None => self.ack_refusal(&request, &answer)?,
        }
        Ok(answer)
    }
}

/// A text that no other call of this run has.
pub fn unique(start: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let process = std::process::id();
    format!("{start}{process:x}x{:x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The remote address in a Contact or request target.
pub fn host_of(value: &str) -> &str {
    let uri = message::uri(value);
    let after_user = uri.split_once('@').map_or(uri, |(_, rest)| rest);
    after_user.split(';').next().unwrap_or_default()
}
