//! All callees of a load on one socket: they ring, answer after a while and confirm the end.

use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{T1, receive};
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
    thread: Option<JoinHandle<Result<CalleeFigures>>>,
}

impl Callee {
    pub fn start(socket: UdpSocket, server: SocketAddr, answering: Answering) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let run = move || Loop::new(socket, server, answering).run(&stopped);
        let thread = std::thread::Builder::new().name("callees".to_owned()).spawn(run)?;
        Ok(Self { stop, thread: Some(thread) })
    }

    pub fn stop(mut self) -> Result<CalleeFigures> {
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
    bytes: Vec<u8>,
    times: u32,
}

struct Loop {
    socket: UdpSocket,
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
    fn new(socket: UdpSocket, server: SocketAddr, answering: Answering) -> Self {
        let (due, again) = (VecDeque::new(), VecDeque::new());
        let figures = CalleeFigures::default();
        Self { socket, server, answering, figures, open: BTreeMap::new(), due, again }
    }

    fn run(mut self, stopped: &AtomicBool) -> Result<CalleeFigures> {
        let mut buffer = vec![0; 65_536];
        while !stopped.load(Ordering::Relaxed) {
            if let Some(message) = receive(&self.socket, &mut buffer)? {
                self.handle(&message)?;
            }
            self.answer_due()?;
        }
        Ok(self.figures)
    }

    fn handle(&mut self, message: &Message) -> Result<()> {
        match message.method() {
            _ if message.status().is_some() => {}
            "INVITE" => self.ring(message)?,
            "ACK" => {
                self.figures.acks += 1;
                self.open.remove(message.text("Call-ID"));
            }
            "BYE" => {
                self.figures.byes += 1;
                self.send(&message.answer(200, "OK", "callee"))?;
            }
            "CANCEL" => {
                self.figures.cancels += 1;
                self.open.remove(message.text("Call-ID"));
                self.send(&message.answer(200, "OK", "callee"))?;
            }
            _ => self.send(&message.answer(200, "OK", "callee"))?,
        }
        Ok(())
    }

    fn ring(&mut self, invite: &Message) -> Result<()> {
        let call_id = invite.text("Call-ID").to_owned();
        let local = self.socket.local_addr()?;
        let contact = format!("<sip:callee@{local}>");
        self.send(&invite.answer(180, "Ringing", "callee").with("Contact", &contact))?;
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
        self.open.insert(call_id.clone(), Answer { bytes: answer.to_bytes(), times: 0 });
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
            self.socket.send_to(&answer.bytes, self.server)?;
            if answer.times < ANSWERS_MAX {
                self.again.push_back((now + T1, call_id));
            } else {
                self.open.remove(&call_id);
            }
        }
        Ok(())
    }

    fn send(&self, message: &Message) -> Result<()> {
        self.socket.send_to(&message.to_bytes(), self.server)?;
        Ok(())
    }
}
