//! All callees of a load: they ring, answer after a while and confirm the end.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{T1, Wires};
use crate::clock;
use crate::message::Message;
use crate::rtp;

/// A callee's 200 is sent again until the ACK, at most this often (RFC 3261 §13.3.1.4 with T1*64).
const ANSWERS_MAX: u32 = 10;

/// How the callees behave.
#[derive(Clone)]
pub struct Answering {
    /// From the 180 to the 200.
    pub after: Duration,
    /// Media addresses handed out in turn; where there is none, a closed port is named.
    pub media: Vec<SocketAddr>,
}

impl Default for Answering {
    /// RFC 7501 leaves it open; 30 ms is what the figures of this project are taken with.
    fn default() -> Self {
        Self { after: Duration::from_millis(30), media: vec![] }
    }
}

/// What the callees saw.
#[derive(Clone, Debug, Default)]
pub struct CalleeFigures {
    pub invites: usize,
    pub acks: usize,
    pub byes: usize,
    pub cancels: usize,
    pub answers_resent: usize,
    /// Of each INVITE: where its description wants the media.
    pub offers: Vec<SocketAddr>,
}

/// The callees, running in a thread of their own until stopped.
pub struct Callee {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(CalleeFigures, Wires)>>>,
}

impl Callee {
    pub fn start(wires: Wires, server: SocketAddr, answering: Answering) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let run = move || Loop::new(wires, server, answering).run(&stopped);
        let thread = std::thread::Builder::new().name("callees".to_owned()).spawn(run)?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// What they saw, and their wires for whoever comes next.
    pub fn stop(mut self) -> Result<(CalleeFigures, Wires)> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("stopped once")?;
        thread.join().map_err(|_| anyhow::anyhow!("the callees panicked"))?
    }
}

impl Drop for Callee {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The failure was reported where the callees were needed.
            let _ = thread.join();
        }
    }
}

struct Answer {
    user: usize,
    bytes: Vec<u8>,
    times: u32,
}

struct Loop {
    wires: Wires,
    server: SocketAddr,
    answering: Answering,
    figures: CalleeFigures,
    /// By Call-ID: what is to be sent until the ACK comes.
    open: BTreeMap<String, Answer>,
    /// When to look at which answer, in order of time.
    due: VecDeque<(Instant, String)>,
    again: VecDeque<(Instant, String)>,
}

impl Loop {
    fn new(wires: Wires, server: SocketAddr, answering: Answering) -> Self {
        let (due, again) = (VecDeque::new(), VecDeque::new());
        let figures = CalleeFigures::default();
        Self { wires, server, answering, figures, open: BTreeMap::new(), due, again }
    }

    fn run(mut self, stopped: &AtomicBool) -> Result<(CalleeFigures, Wires)> {
        while !stopped.load(Ordering::Relaxed) {
            if let Some((user, message)) = self.wires.receive()? {
                self.handle(user, &message)?;
            }
            self.answer_due()?;
        }
        Ok((self.figures, self.wires))
    }

    fn handle(&mut self, user: usize, message: &Message) -> Result<()> {
        match message.method() {
            _ if message.status().is_some() => {}
            "INVITE" => self.ring(user, message)?,
            "ACK" => {
                self.figures.acks += 1;
                self.open.remove(message.text("Call-ID"));
            }
            "BYE" => {
                self.figures.byes += 1;
                self.send(user, &message.answer(200, "OK", "callee"))?;
            }
            "CANCEL" => {
                self.figures.cancels += 1;
                self.open.remove(message.text("Call-ID"));
                self.send(user, &message.answer(200, "OK", "callee"))?;
            }
            _ => self.send(user, &message.answer(200, "OK", "callee"))?,
        }
        Ok(())
    }

    fn ring(&mut self, user: usize, invite: &Message) -> Result<()> {
        let call_id = invite.text("Call-ID").to_owned();
        let local = self.wires.local(user)?;
        let contact = self.wires.contact(user, "callee")?;
        self.send(user, &invite.answer(180, "Ringing", "callee").with("Contact", &contact))?;
        if self.open.contains_key(&call_id) {
            return Ok(());
        }
        if let Ok(offer) = rtp::audio_address(&invite.body_text()) {
            self.figures.offers.push(offer);
        }
        let media = self.answering.media.get(self.figures.invites).copied();
        self.figures.invites += 1;
        let sdp = rtp::description(media.unwrap_or(local), "sendrecv");
        let answer = invite.answer(200, "OK", "callee").with("Contact", contact).with_sdp(&sdp);
        self.open.insert(call_id.clone(), Answer { user, bytes: answer.to_bytes(), times: 0 });
        self.due.push_back((clock::now() + self.answering.after, call_id));
        Ok(())
    }

    fn answer_due(&mut self) -> Result<()> {
        let now = clock::now();
        let is_due =
            |it: &VecDeque<(Instant, String)>| it.front().is_some_and(|(at, _)| *at <= now);
        while is_due(&self.due) || is_due(&self.again) {
            let first = if is_due(&self.due) { &mut self.due } else { &mut self.again };
            let Some((_, call_id)) = first.pop_front() else { break };
            let Some(answer) = self.open.get_mut(&call_id) else { continue };
            answer.times += 1;
            self.figures.answers_resent += usize::from(answer.times > 1);
            self.wires.send(answer.user, self.server, &answer.bytes)?;
            if answer.times < ANSWERS_MAX {
                self.again.push_back((now + T1, call_id));
            } else {
                self.open.remove(&call_id);
            }
        }
        Ok(())
    }

    fn send(&mut self, user: usize, message: &Message) -> Result<()> {
        self.wires.send(user, self.server, &message.to_bytes())
    }
}
