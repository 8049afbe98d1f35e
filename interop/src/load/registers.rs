//! Registers many users from one socket at a given rate, each with a challenge of its own.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Outcome, T1, User, receive};
use crate::clock;
use crate::digest::{Challenge, Credentials};
use crate::message::Message;
use crate::phone::unique;

/// A REGISTER without a final answer after this long has failed (RFC 3261 timer F).
const LIMIT: Duration = Duration::from_secs(16);

struct Register {
    started: Instant,
    call_id: String,
    cseq: u32,
    sent: Vec<u8>,
    resend_at: Instant,
    resend_after: Duration,
    over: bool,
}

/// Registers every user once; `rate` in REGISTERs that begin a second.
pub fn register_all(
    socket: &UdpSocket,
    server: SocketAddr,
    users: &[User],
    rate: u32,
) -> Result<Outcome> {
    let started = clock::now();
    let run = unique("r");
    let mut outcome = Outcome::default();
    let mut all: Vec<Register> = Vec::with_capacity(users.len());
    let mut open = 0;
    let mut buffer = vec![0; 65_536];
    while all.len() < users.len() || open > 0 {
        while let Some(user) = users.get(all.len()) {
            let due = started + Duration::from_secs(1) * u32::try_from(all.len())? / rate;
            if clock::now() < due {
                break;
            }
            let call_id = format!("{run}-{}", all.len());
            let sent = request(socket, server, user, &call_id, 1, None)?;
            socket.send_to(&sent, server)?;
            let now = clock::now();
            let (resend_at, resend_after) = (now + T1, T1 * 2);
            let cseq = 1;
            let over = false;
            all.push(Register { started: now, call_id, cseq, sent, resend_at, resend_after, over });
            open += 1;
        }
        while let Some(answer) = receive(socket, &mut buffer)? {
            open -= usize::from(handle(socket, server, users, &mut all, &answer, &mut outcome)?);
        }
        open -= resend(socket, server, &mut all, &mut outcome)?;
    }
    outcome.took = started.elapsed();
    Ok(outcome)
}

/// True where the answer ends a registration.
fn handle(
    socket: &UdpSocket,
    server: SocketAddr,
    users: &[User],
    all: &mut [Register],
    answer: &Message,
    outcome: &mut Outcome,
) -> Result<bool> {
    let index = answer.text("Call-ID").rsplit('-').next().and_then(|it| it.parse::<usize>().ok());
    let Some((register, user)) = index.and_then(|it| Some((all.get_mut(it)?, users.get(it)?)))
    else {
        return Ok(false);
    };
    let stale = register.over || answer.cseq() != register.cseq;
    if stale || register.call_id != answer.text("Call-ID") {
        return Ok(false);
    }
    let status = answer.status().unwrap_or_default();
    let challenge = answer.header("WWW-Authenticate").and_then(Challenge::parse);
    match (status, challenge) {
        (100..200, _) => return Ok(false),
        (200, _) => {
            let waited = u64::try_from(register.started.elapsed().as_micros())?;
            outcome.waits_us.push(waited);
            outcome.done += 1;
        }
        (401, Some(challenge)) if register.cseq == 1 => {
            register.cseq = 2;
            register.sent = request(socket, server, user, &register.call_id, 2, Some(challenge))?;
            socket.send_to(&register.sent, server)?;
            register.resend_at = clock::now() + T1;
            register.resend_after = T1 * 2;
            return Ok(false);
        }
        _ => outcome.fail(status),
    }
    register.over = true;
    Ok(true)
}

/// Sends again what was not answered; how many gave up.
fn resend(
    socket: &UdpSocket,
    server: SocketAddr,
    all: &mut [Register],
    outcome: &mut Outcome,
) -> Result<usize> {
    let now = clock::now();
    let mut gave_up = 0;
    for register in all.iter_mut().filter(|it| !it.over && it.resend_at <= now) {
        if now - register.started > LIMIT {
            register.over = true;
            gave_up += 1;
            outcome.fail(0);
            continue;
        }
        socket.send_to(&register.sent, server)?;
        outcome.resent += 1;
        register.resend_at = now + register.resend_after;
        register.resend_after *= 2;
    }
    Ok(gave_up)
}

fn request(
    socket: &UdpSocket,
    server: SocketAddr,
    user: &User,
    call_id: &str,
    cseq: u32,
    challenge: Option<Challenge>,
) -> Result<Vec<u8>> {
    let local = socket.local_addr()?;
    let number = &user.number;
    let uri = format!("sip:{server}");
    let request = Message::new(&format!("REGISTER {uri} SIP/2.0"))
        .with("Via", format!("SIP/2.0/UDP {local};branch=z9hG4bK{call_id}.{cseq};rport"))
        .with("Max-Forwards", 70)
        .with("From", format!("<sip:{number}@{server}>;tag=f{call_id}"))
        .with("To", format!("<sip:{number}@{server}>"))
        .with("Call-ID", call_id)
        .with("CSeq", format!("{cseq} REGISTER"))
        .with("Contact", format!("<sip:{number}@{local}>"))
        .with("Expires", 3600);
    let Some(mut challenge) = challenge else { return Ok(request.to_bytes()) };
    let password = &user.password;
    let answer =
        challenge.answer(Credentials { user: number, password, method: "REGISTER", uri: &uri });
    Ok(request.with("Authorization", answer).to_bytes())
}
