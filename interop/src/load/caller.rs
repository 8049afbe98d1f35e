//! All callers of a load: a small user agent for many calls at once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Outcome, T1, TICK, User, Wires};
use crate::clock;
use crate::dialog::Dialog;
use crate::digest::{Challenge, Credentials};
use crate::message::Message;
use crate::phone::unique;
use crate::rtp;

/// A call that has not got this far after so long has failed (RFC 3261 timer B).
const LIMIT: Duration = Duration::from_secs(32);

/// Where a call stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The INVITE is out, without or with credentials.
    Inviting {
        challenged: bool,
    },
    Ringing,
    Up {
        since: Instant,
    },
    Ending,
    Over {
        status: u16,
    },
}

struct Call {
    user: usize,
    uri: String,
    call_id: String,
    cseq: u32,
    stage: Stage,
    dialog: Option<Dialog>,
    offer: SocketAddr,
    /// Where the answer wants the media.
    answer: Option<SocketAddr>,
    began_at: Instant,
    rang_at: Option<Instant>,
    sent: Vec<u8>,
    sent_at: Instant,
    changed_at: Instant,
    resend: Option<(Instant, Duration)>,
}

/// The callers of a load.
pub struct Caller {
    wires: Wires,
    server: SocketAddr,
    users: Vec<User>,
    run: String,
    calls: Vec<Call>,
    /// The calls that are not over, by index.
    open: Vec<usize>,
    /// When to look at the timers of all next.
    look_at: Instant,
    pub outcome: Outcome,
    /// BYEs that the server sent.
    pub byes: usize,
}

impl Caller {
    pub fn new(wires: Wires, server: SocketAddr, users: Vec<User>) -> Self {
        Self {
            wires,
            server,
            users,
            run: unique("c"),
            calls: vec![],
            open: vec![],
            look_at: clock::now(),
            outcome: Outcome::default(),
            byes: 0,
        }
    }

    /// Begins a call; media is offered at `offer`.
    pub fn call(&mut self, user: usize, number: &str, offer: SocketAddr) -> Result<()> {
        let now = clock::now();
        self.open.push(self.calls.len());
        self.calls.push(Call {
            user,
            uri: format!("sip:{number}@{}", self.server),
            call_id: format!("{}-{}", self.run, self.calls.len()),
            cseq: 1,
            stage: Stage::Inviting { challenged: false },
            dialog: None,
            offer,
            answer: None,
            began_at: now,
            rang_at: None,
            sent: vec![],
            sent_at: now,
            changed_at: now,
            resend: None,
        });
        self.send_invite(self.calls.len() - 1, None)
    }

    /// Makes `count` calls at `rate` a second, user i calling `callees[i]`, each up for `hold`.
    pub fn run(&mut self, callees: &[User], count: u32, rate: u32, hold: Duration) -> Result<()> {
        let started = clock::now();
        let nowhere = self.wires.local(0)?;
        let mut made = 0;
        while made < count || !self.open.is_empty() {
            while made < count && clock::now() >= started + Duration::from_secs(1) * made / rate {
                let user = usize::try_from(made)? % self.users.len();
                self.call(user, &callees[user % callees.len()].number, nowhere)?;
                made += 1;
                self.outcome.begun_in = started.elapsed();
            }
            if self.poll()? {
                self.hang_up_after(hold)?;
            }
        }
        self.outcome.took = started.elapsed();
        Ok(())
    }

    /// Handles what has come and what is due. True where the timers were looked at, about once in [`TICK`].
    pub fn poll(&mut self) -> Result<bool> {
        let mut left = 64;
        while left > 0
            && let Some((user, message)) = self.wires.receive()?
        {
            self.handle(user, &message)?;
            left -= 1;
        }
        let now = clock::now();
        let looks = self.look_at <= now;
        if looks {
            self.look_at = now + TICK;
            self.check_timers(now)?;
        }
        Ok(looks)
    }

    /// Gives the wires back.
    pub fn into_wires(self) -> Wires {
        self.wires
    }

    pub fn stages(&self) -> impl Iterator<Item = &Stage> {
        self.calls.iter().map(|it| &it.stage)
    }

    pub fn up(&self) -> usize {
        self.stages().filter(|it| matches!(it, Stage::Up { .. })).count()
    }

    /// Calls that are not over.
    pub fn under_way(&self) -> usize {
        self.open.len()
    }

    /// Of each call, whether it rang so soon after it began.
    pub fn rang_within(&self, limit: Duration) -> Vec<bool> {
        let soon = |it: &Call| it.rang_at.is_some_and(|at| at - it.began_at <= limit);
        self.calls.iter().map(soon).collect()
    }

    /// Where the answers of the calls want media, in the order of the calls.
    pub fn media(&self) -> Vec<Option<SocketAddr>> {
        self.calls.iter().map(|it| it.answer).collect()
    }

    pub fn hang_up_after(&mut self, hold: Duration) -> Result<()> {
        let now = clock::now();
        for index in self.open.clone() {
            if let Stage::Up { since } = self.calls[index].stage
                && now >= since + hold
            {
                self.hang_up(index)?;
            }
        }
        Ok(())
    }

    /// Ends all calls, also those that only come up meanwhile, and waits until they are over.
    pub fn finish(&mut self) -> Result<()> {
        while !self.open.is_empty() {
            self.hang_up_after(Duration::ZERO)?;
            self.poll()?;
        }
        Ok(())
    }

    fn hang_up(&mut self, index: usize) -> Result<()> {
        let via = self.via(index)?;
        let call = &mut self.calls[index];
        let Some(dialog) = &mut call.dialog else { return Ok(()) };
        dialog.cseq += 1;
        let cseq = dialog.cseq;
        call.cseq = cseq;
        call.sent = within(dialog, &via, "BYE", cseq).to_bytes();
        call.stage = Stage::Ending;
        self.send(index)
    }

    fn send(&mut self, index: usize) -> Result<()> {
        let now = clock::now();
        let call = &mut self.calls[index];
        (call.sent_at, call.changed_at) = (now, now);
        call.resend = self.wires.is_unreliable().then_some((now + T1, T1 * 2));
        self.wires.send(call.user, self.server, &call.sent)
    }

    /// The start of the Via of all requests of a call.
    fn via(&self, index: usize) -> Result<String> {
        let local = self.wires.local(self.calls[index].user)?;
        Ok(format!("SIP/2.0/{} {local}", self.wires.transport()))
    }

    /// With credentials where there is a challenge: the name of their header, and what was asked.
    fn send_invite(&mut self, index: usize, asked: Option<(&str, Challenge)>) -> Result<()> {
        let via = self.via(index)?;
        let server = self.server;
        let call = &mut self.calls[index];
        let user = &self.users[call.user];
        let (number, cseq, call_id) = (&user.number, call.cseq, &call.call_id);
        let mut request = Message::new(&format!("INVITE {} SIP/2.0", call.uri))
            .with("Via", format!("{via};branch=z9hG4bK{call_id}.{cseq};rport"))
            .with("Max-Forwards", 70)
            .with("From", format!("<sip:{number}@{server}>;tag=f{call_id}"))
            .with("To", format!("<{}>", call.uri))
            .with("Call-ID", call_id)
            .with("CSeq", format!("{cseq} INVITE"))
            .with("Contact", self.wires.contact(call.user, number)?);
        if let Some((header, mut challenge)) = asked {
            let (password, uri) = (&user.password, &call.uri);
            let answer =
                challenge.answer(Credentials { user: number, password, method: "INVITE", uri });
            request = request.with(header, answer);
        }
        call.sent = request.with_sdp(&rtp::description(call.offer, "sendrecv")).to_bytes();
        self.send(index)
    }

    fn handle(&mut self, user: usize, message: &Message) -> Result<()> {
        let Some(status) = message.status() else { return self.handle_request(user, message) };
        let call_id = message.text("Call-ID");
        let index = call_id.rsplit('-').next().and_then(|it| it.parse::<usize>().ok());
        let Some(index) =
            index.filter(|&it| self.calls.get(it).is_some_and(|call| call.call_id == call_id))
        else {
            return Ok(());
        };
        match message.method() {
            "INVITE" => self.handle_invite_response(index, status, message),
            "BYE" if status >= 200 && self.calls[index].stage == Stage::Ending => {
                if status == 200 {
                    self.outcome.done += 1;
                } else {
                    self.outcome.fail(status);
                }
                self.end(index, status);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn handle_request(&mut self, user: usize, message: &Message) -> Result<()> {
        if message.method() == "BYE" {
            self.byes += 1;
            let call_id = message.text("Call-ID");
            let is_its = |&it: &usize| self.calls[it].call_id == call_id;
            if let Some(index) = self.open.iter().copied().find(is_its) {
                self.end(index, 0);
            }
        }
        if message.method() != "ACK" {
            let answer = message.answer(200, "OK", "caller").to_bytes();
            self.wires.send(user, self.server, &answer)?;
        }
        Ok(())
    }

    fn handle_invite_response(&mut self, index: usize, status: u16, it: &Message) -> Result<()> {
        let stage = self.calls[index].stage.clone();
        let newest = it.cseq() == self.calls[index].cseq;
        match (stage, status) {
            (Stage::Inviting { challenged: true }, 180..200) if newest => {
                let waited = self.calls[index].sent_at.elapsed();
                self.outcome.waits_us.push(u64::try_from(waited.as_micros())?);
                self.calls[index].stage = Stage::Ringing;
                self.calls[index].rang_at = Some(clock::now());
                self.calls[index].resend = None;
            }
            (Stage::Inviting { .. }, 100..200) => self.calls[index].resend = None,
            (Stage::Inviting { challenged: false }, 401 | 407) if newest => {
                self.ack_refusal(index, it)?;
                let (asks, answers) = match status {
                    401 => ("WWW-Authenticate", "Authorization"),
                    _ => ("Proxy-Authenticate", "Proxy-Authorization"),
                };
                let Some(challenge) = it.header(asks).and_then(Challenge::parse) else {
                    self.outcome.fail(status);
                    self.end(index, status);
                    return Ok(());
                };
                self.calls[index].cseq += 1;
                self.calls[index].stage = Stage::Inviting { challenged: true };
                self.send_invite(index, Some((answers, challenge)))?;
            }
            (Stage::Inviting { .. } | Stage::Ringing, 200..300) if newest => {
                self.answered(index, it)?
            }
            // The ACK was lost, or the answer crossed it.
            (Stage::Up { .. } | Stage::Ending, 200..300) => self.ack(index)?,
            (Stage::Inviting { .. } | Stage::Ringing, 300..) if newest => {
                self.ack_refusal(index, it)?;
                self.outcome.fail(status);
                self.end(index, status);
            }
            (_, 300..) => self.ack_refusal(index, it)?,
            // A provisional response that changes nothing any more.
            (_, _) => {}
        }
        Ok(())
    }

    fn answered(&mut self, index: usize, answer: &Message) -> Result<()> {
        let call = &mut self.calls[index];
        let invite = Message::new("INVITE sip:x SIP/2.0")
            .with("Call-ID", &call.call_id)
            .with("CSeq", format!("{} INVITE", call.cseq));
        call.dialog = Some(Dialog::of_caller(&invite, answer));
        call.answer = rtp::audio_address(&answer.body_text()).ok();
        call.stage = Stage::Up { since: clock::now() };
        call.resend = None;
        self.ack(index)
    }

    fn ack(&mut self, index: usize) -> Result<()> {
        let via = self.via(index)?;
        let call = &self.calls[index];
        let Some(dialog) = &call.dialog else { return Ok(()) };
        let invite_cseq = if call.stage == Stage::Ending { call.cseq - 1 } else { call.cseq };
        let ack = within(dialog, &via, "ACK", invite_cseq);
        self.wires.send(call.user, self.server, &ack.to_bytes())
    }

    fn ack_refusal(&mut self, index: usize, answer: &Message) -> Result<()> {
        let call = &self.calls[index];
        let ack = Message::new(&format!("ACK {} SIP/2.0", call.uri))
            .with("Via", answer.text("Via"))
            .with("Max-Forwards", 70)
            .with("From", answer.text("From"))
            .with("To", answer.text("To"))
            .with("Call-ID", &call.call_id)
            .with("CSeq", format!("{} ACK", answer.cseq()));
        self.wires.send(call.user, self.server, &ack.to_bytes())
    }

    fn end(&mut self, index: usize, status: u16) {
        self.calls[index].stage = Stage::Over { status };
        self.calls[index].resend = None;
        self.open.retain(|&it| it != index);
    }

    fn check_timers(&mut self, now: Instant) -> Result<()> {
        for index in self.open.clone() {
            let call = &mut self.calls[index];
            let is_up = matches!(call.stage, Stage::Up { .. });
            if !is_up && now - call.changed_at > LIMIT {
                self.outcome.fail(0);
                self.end(index, 0);
                continue;
            }
            if let Some((at, after)) = call.resend
                && at <= now
            {
                call.resend = Some((now + after, after * 2));
                self.outcome.resent += 1;
                self.wires.send(call.user, self.server, &call.sent)?;
            }
        }
        Ok(())
    }
}

fn within(dialog: &Dialog, via: &str, method: &str, cseq: u32) -> Message {
    let branch = format!("z9hG4bK{}.{cseq}{method}", dialog.call_id);
    let mut request = Message::new(&format!("{method} {} SIP/2.0", dialog.target))
        .with("Via", format!("{via};branch={branch};rport"))
        .with("Max-Forwards", 70);
    for route in &dialog.routes {
        request = request.with("Route", route);
    }
    request
        .with("From", &dialog.local)
        .with("To", &dialog.remote)
        .with("Call-ID", &dialog.call_id)
        .with("CSeq", format!("{cseq} {method}"))
}
