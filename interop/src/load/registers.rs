//! Registers many users over one set of wires at a given rate, each with a challenge of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Outcome, T1, User, Wires};
use crate::clock;
use crate::digest::{Challenge, Credentials};
use crate::message::Message;

/// A REGISTER without a final answer after this long has failed (RFC 3261 timer F).
const LIMIT: Duration = Duration::from_secs(16);

/// How a registration is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Registering {
    /// REGISTERs that begin a second.
    pub rate: u32,
    /// Unit: seconds.
    pub expires: u32,
}

struct Register {
    started: Instant,
    call_id: String,
    cseq: u32,
    sent: Vec<u8>,
    resend_at: Instant,
    resend_after: Duration,
    over: bool,
}

struct Load<'a> {
    wires: &'a mut Wires,
    server: SocketAddr,
    users: &'a [User],
    expires: u32,
    first_cseq: u32,
    /// By user.
    all: Vec<Register>,
    /// All before this one are over.
    first_open: usize,
    outcome: Outcome,
}

/// Registers every user once for an hour; `rate` in REGISTERs that begin a second.
pub fn register_all(
    wires: &mut Wires,
    server: SocketAddr,
    users: &[User],
    rate: u32,
) -> Result<Outcome> {
    register_with(wires, server, users, Registering { rate, expires: 3600 })
}

/// Registers every user once.
pub fn register_with(
    wires: &mut Wires,
    server: SocketAddr,
    users: &[User],
    how: Registering,
) -> Result<Outcome> {
    let started = clock::now();
    // Every user asks twice: without credentials and with them.
    let first_cseq = wires.register_cseq + 1;
    wires.register_cseq += 2;
    let all = Vec::with_capacity(users.len());
    let outcome = Outcome::default();
    let expires = how.expires;
    let mut load = Load { wires, server, users, expires, first_cseq, all, first_open: 0, outcome };
    while load.first_open < users.len() {
        while load.all.len() < users.len() {
            let number = u32::try_from(load.all.len())?;
            if clock::now() < started + Duration::from_secs(1) * number / how.rate {
                break;
            }
            load.begin()?;
            load.outcome.begun_in = started.elapsed();
        }
        while let Some((_, answer)) = load.wires.receive()? {
            load.handle(&answer)?;
        }
        load.resend()?;
    }
    load.outcome.took = started.elapsed();
    Ok(load.outcome)
}

impl Load<'_> {
    fn begin(&mut self) -> Result<()> {
        let index = self.all.len();
        let call_id = format!("{}-{index}", self.wires.name);
        let sent = self.request(index, &call_id, None)?;
        self.wires.send(index, self.server, &sent)?;
        let started = clock::now();
        let (resend_at, resend_after) = (started + T1, T1 * 2);
        let (cseq, over) = (self.first_cseq, false);
        self.all.push(Register { started, call_id, cseq, sent, resend_at, resend_after, over });
        Ok(())
    }

    fn handle(&mut self, answer: &Message) -> Result<()> {
        let call_id = answer.text("Call-ID");
        let index = call_id.rsplit('-').next().and_then(|it| it.parse::<usize>().ok());
        let Some((index, register)) = index.and_then(|it| Some((it, self.all.get(it)?))) else {
            return Ok(());
        };
        let stale = register.over || answer.cseq() != register.cseq;
        if stale || register.call_id != call_id {
            return Ok(());
        }
        let status = answer.status().unwrap_or_default();
        let challenge = answer.header("WWW-Authenticate").and_then(Challenge::parse);
        match (status, challenge) {
            (100..200, _) => return Ok(()),
            (200, _) => {
                let waited = u64::try_from(register.started.elapsed().as_micros())?;
                self.outcome.waits_us.push(waited);
                self.outcome.done += 1;
            }
            (401, Some(challenge)) if register.cseq == self.first_cseq => {
                return self.answer_challenge(index, challenge);
            }
            _ => self.outcome.fail(status),
        }
        self.end(index);
        Ok(())
    }

    fn answer_challenge(&mut self, index: usize, challenge: Challenge) -> Result<()> {
        let sent = self.request(index, &self.all[index].call_id, Some(challenge))?;
        self.wires.send(index, self.server, &sent)?;
        let register = &mut self.all[index];
        (register.cseq, register.sent) = (self.first_cseq + 1, sent);
        (register.resend_at, register.resend_after) = (clock::now() + T1, T1 * 2);
        Ok(())
    }

    fn end(&mut self, index: usize) {
        let register = &mut self.all[index];
        (register.over, register.sent) = (true, vec![]);
        while self.all.get(self.first_open).is_some_and(|it| it.over) {
            self.first_open += 1;
        }
    }

    /// Sends again what was not answered, and gives up what was not answered for long.
    fn resend(&mut self) -> Result<()> {
        let now = clock::now();
        for index in self.first_open..self.all.len() {
            let register = &mut self.all[index];
            if register.over || register.resend_at > now {
                continue;
            }
            register.resend_at = now + register.resend_after;
            register.resend_after *= 2;
            if now - register.started > LIMIT {
                self.outcome.fail(0);
                self.end(index);
            } else if self.wires.is_unreliable() {
                self.wires.send(index, self.server, &register.sent)?;
                self.outcome.resent += 1;
            }
        }
        Ok(())
    }

    /// The first, or the second with an answer to its challenge.
    fn request(
        &self,
        index: usize,
        call_id: &str,
        challenge: Option<Challenge>,
    ) -> Result<Vec<u8>> {
        let (server, User { number, password }) = (self.server, &self.users[index]);
        let (local, transport) = (self.wires.local(index)?, self.wires.transport());
        let cseq = self.first_cseq + u32::from(challenge.is_some());
        let branch = format!("z9hG4bK{call_id}.{cseq}");
        let uri = format!("sip:{server}");
        let request = Message::new(&format!("REGISTER {uri} SIP/2.0"))
            .with("Via", format!("SIP/2.0/{transport} {local};branch={branch};rport"))
            .with("Max-Forwards", 70)
            .with("From", format!("<sip:{number}@{server}>;tag=f{call_id}"))
            .with("To", format!("<sip:{number}@{server}>"))
            .with("Call-ID", call_id)
            .with("CSeq", format!("{cseq} REGISTER"))
            .with("Contact", self.wires.contact(index, number)?)
            .with("Expires", self.expires);
        let Some(mut challenge) = challenge else { return Ok(request.to_bytes()) };
        let it = Credentials { user: number, password, method: "REGISTER", uri: &uri };
        Ok(request.with("Authorization", challenge.answer(it)).to_bytes())
    }
}
