//! The life of one connection (RFC 3261 §18.3): octets in, framed messages to the core, octets out.
//!
//! ```text
//!   Open ──── cannot be framed ───▶ Refusing ── answered, or time ─┐
//!    ├─── peer gone, or time ─────▶ Ended ────── core has heard ───┤
//!    └─── core closes ─────────────────────────────────────────────┴▶ Leaving ── all taken, or time
//! ```
//! What the core closes it closes by dropping the outlet; so it does on hearing of an end.

use super::{Context, FromStream, Report};
use bytes::{Buf, Bytes};
use sip::Flow;
use sip::frame::{Frame, Framer};
use socket2::SockRef;
use std::io::{self, ErrorKind, Read as _};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::time::{Instant, Sleep, sleep_until};

/// Most octets read at once.
const READ_CHUNK: usize = 4 * 1024;

/// The answer to a keep-alive (RFC 5626 §3.5.1).
const PONG: &[u8] = b"\r\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Reading, delivering, writing.
    Open,
    /// The core knows that the stream makes no sense, and may answer until then.
    Refusing { until: Instant },
    /// Nothing more comes. The core is being told; what it has answered until it hears still goes
    /// out, as the peer may have closed its sending side only.
    Ended,
    /// The core sends no more. What is queued goes out, then the peer may read it until then: a
    /// socket closed with unread input would take the output along (RFC 9293 §3.10.4).
    Leaving { until: Instant },
}

pub(super) struct Connection {
    context: Arc<Context>,
    stream: TcpStream,
    flow: Flow,
    state: State,
    framer: Framer,
    /// The next thing to tell the core. While it waits, nothing is read.
    news: Option<FromStream>,
    /// Whether `Closed` has been told.
    told_end: bool,
    output: Output,
    /// What remains of the message being written.
    writing: Bytes,
    /// A keep-alive waits for its answer. Many get one, so that they cannot pile up.
    owes_pong: bool,
    /// The peer sends no more.
    at_end: bool,
    /// The peer takes no more.
    broken: bool,
    /// Our sending side is closed.
    shut: bool,
    /// A message came, or the connection is of our own making.
    useful: bool,
    started: Instant,
    last_traffic: Instant,
    /// When the message that is incomplete began.
    incomplete_since: Option<Instant>,
}

/// What the core sends.
pub(super) struct Output {
    pub(super) queue: mpsc::Receiver<Bytes>,
    /// Octets in `queue` and in the hands of the connection; the sender's limit.
    pub(super) queued: Arc<AtomicUsize>,
    /// Told when the core sends no more.
    pub(super) left: Arc<Notify>,
}

/// What the connection waited for.
enum Step {
    Readable,
    Writable,
    Output(Bytes),
    /// The core sends no more.
    Left,
    /// The core can be told.
    Permit(OwnedPermit<Report>),
    NoCore,
    Deadline,
}

impl Connection {
    pub(super) fn new(
        context: Arc<Context>,
        stream: TcpStream,
        flow: Flow,
        output: Output,
        outgoing: bool,
    ) -> Self {
        let started = now();
        Self {
            context,
            stream,
            flow,
            state: State::Open,
            framer: Framer::default(),
            news: None,
            told_end: false,
            output,
            writing: Bytes::new(),
            owes_pong: false,
            at_end: false,
            broken: false,
            shut: false,
            useful: outgoing,
            started,
            last_traffic: started,
            incomplete_since: None,
        }
    }

    /// Runs until the connection has ended and the core knows.
    pub(super) async fn run(mut self) {
        // Set anew only where it would come too late: most deadlines only move away.
        let mut timer = pin!(sleep_until(self.started));
        while !self.is_done() {
            #[cfg(test)]
            super::count_tests::count(|it| it.rounds += 1);
            match self.step(timer.as_mut()).await {
                Step::Readable => self.read(),
                Step::Writable => self.write(),
                Step::Output(bytes) => {
                    self.writing = bytes;
                    self.write();
                }
                Step::Left => {
                    self.leave();
                    self.write();
                }
                Step::Permit(permit) => self.tell(permit),
                Step::NoCore => self.abandon(),
                Step::Deadline => self.on_deadline(),
            }
            self.advance();
            // Mostly the core can be told at once, and need not be waited for.
            while self.news.is_some()
                && let Ok(permit) = self.context.to_core.clone().try_reserve_owned()
            {
                self.tell(permit);
                self.advance();
            }
        }
    }

    async fn step(&mut self, mut timer: Pin<&mut Sleep>) -> Step {
        let (reads, writes, tells) = (self.reads(), self.writes(), self.news.is_some());
        let left = matches!(self.state, State::Leaving { .. });
        let takes = !writes && !left;
        let deadline = self.deadline();
        if let Some(at) = deadline
            && (at < timer.deadline() || timer.is_elapsed())
        {
            timer.as_mut().reset(at);
        }
        let to_core = self.context.to_core.clone();
        tokio::select! {
            // Errors show again, with their kind, when reading and writing.
            _ = self.stream.readable(), if reads => Step::Readable,
            _ = self.stream.writable(), if writes => Step::Writable,
            bytes = self.output.queue.recv(), if takes => bytes.map_or(Step::Left, Step::Output),
            () = self.output.left.notified(), if !left => Step::Left,
            permit = to_core.reserve_owned(), if tells => permit.map_or(Step::NoCore, Step::Permit),
            () = timer, if deadline.is_some() => Step::Deadline,
        }
    }

    /// In [`State::Leaving`] only to see the peer's end, and after all output.
    fn reads(&self) -> bool {
        let wanted = match self.state {
            State::Open => self.news.is_none(),
            State::Leaving { .. } => self.shut,
            State::Refusing { .. } | State::Ended => false,
        };
        wanted && !self.at_end
    }

    fn writes(&self) -> bool {
        !self.writing.is_empty() || self.owes_pong
    }

    /// None while the peer waits for the core: that is not its fault.
    fn deadline(&self) -> Option<Instant> {
        let limits = &self.context.limits;
        match self.state {
            State::Open if self.news.is_some() => None,
            State::Open => {
                let idle = match self.useful {
                    true => self.last_traffic + limits.idle,
                    false => self.started + limits.first_message,
                };
                let message = self.incomplete_since.map(|since| since + limits.message);
                Some(message.map_or(idle, |message| message.min(idle)))
            }
            State::Refusing { until } => Some(until),
            State::Ended => None,
            State::Leaving { until } => (!self.broken).then_some(until),
        }
    }

    fn on_deadline(&mut self) {
        // The timer may have been set for an earlier one.
        if self.deadline().is_none_or(|it| it > now()) {
            return;
        }
        match self.state {
            State::Open | State::Refusing { .. } => self.state = State::Ended,
            State::Leaving { .. } => self.broken = true,
            State::Ended => {}
        }
    }

    fn read(&mut self) {
        let mut chunk = [0; READ_CHUNK];
        let mut read = None;
        // Less than there was room for was all there is: saying so here saves the read that would
        // find nothing. More that comes meanwhile is news again (epoll(7), edge-triggered).
        let outcome = self.stream.try_io(Interest::READABLE, || {
            #[cfg(test)]
            super::count_tests::count(|it| it.reads += 1);
            let len = (&*SockRef::from(&self.stream)).read(&mut chunk)?;
            read = Some(len);
            let is_all = (1..READ_CHUNK).contains(&len);
            if is_all { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match read {
            Some(0) => self.at_end = true,
            Some(len) => {
                self.last_traffic = now();
                if self.state == State::Open {
                    self.framer.push(chunk.get(..len).unwrap_or_default());
                }
            }
            None => {
                if let Err(error) = outcome {
                    self.on_error(&error);
                }
            }
        }
    }

    fn write(&mut self) {
        loop {
            if self.writing.is_empty() {
                if let Ok(bytes) = self.output.queue.try_recv() {
                    self.writing = bytes;
                } else if std::mem::take(&mut self.owes_pong) {
                    self.output.queued.fetch_add(PONG.len(), Ordering::Relaxed);
                    self.writing = Bytes::from_static(PONG);
                } else {
                    return;
                }
            }
            #[cfg(test)]
            super::count_tests::count(|it| it.writes += 1);
            match self.stream.try_write(&self.writing) {
                Ok(len) => {
                    self.last_traffic = now();
                    self.output.queued.fetch_sub(len, Ordering::Relaxed);
                    self.writing.advance(len);
                }
                Err(error) => return self.on_error(&error),
            }
        }
    }

    fn on_error(&mut self, error: &io::Error) {
        // Readiness may be stale; then the next round waits for it again.
        if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) {
            self.at_end = true;
            self.broken = true;
        }
    }

    /// Hands the news to the core.
    fn tell(&mut self, permit: OwnedPermit<Report>) {
        let Some(news) = self.news.take() else { return };
        // How long the core was behind is no idleness of the peer.
        self.last_traffic = now();
        match &news {
            FromStream::Malformed { .. } => {
                self.state = State::Refusing { until: now() + self.context.limits.flush };
            }
            FromStream::Closed { .. } => self.told_end = true,
            FromStream::Message { .. }
            | FromStream::Connected { .. }
            | FromStream::ConnectFailed { .. } => {}
        }
        permit.send(Report::ToCore(news));
        (self.context.wake)();
    }

    /// The core sends no more. Nor does it want to hear more than that this was the end.
    fn leave(&mut self) {
        self.news = (!self.told_end).then_some(FromStream::Closed { flow: self.flow });
        self.state = State::Leaving { until: now() + self.context.limits.flush };
    }

    /// There is no core any more, but what it sent last still goes out.
    fn abandon(&mut self) {
        self.told_end = true;
        self.leave();
    }

    /// Does what needs no waiting.
    fn advance(&mut self) {
        if self.broken {
            self.output.queued.fetch_sub(self.writing.len(), Ordering::Relaxed);
            self.writing.clear();
            self.owes_pong = false;
        }
        match self.state {
            State::Open if self.news.is_none() => self.pull(),
            State::Ended if self.news.is_none() && !self.told_end => {
                self.news = Some(FromStream::Closed { flow: self.flow });
            }
            State::Leaving { .. } if !self.shut && !self.writes() => {
                self.shut = true;
                self.broken |= SockRef::from(&self.stream).shutdown(Shutdown::Write).is_err();
            }
            // Waiting: for the core, for the peer, or for the deadline.
            State::Open | State::Refusing { .. } | State::Ended | State::Leaving { .. } => {}
        }
    }

    /// Takes the next thing out of what has been read.
    fn pull(&mut self) {
        loop {
            match self.framer.next() {
                Ok(Some(Frame::Message(bytes))) => {
                    self.useful = true;
                    self.incomplete_since = None;
                    self.news = Some(FromStream::Message { flow: self.flow, bytes });
                    return;
                }
                Ok(Some(Frame::Ping)) => self.owes_pong = true,
                Ok(None) => break,
                Err(error) => {
                    self.news = Some(FromStream::Malformed { flow: self.flow, head: error.head });
                    return;
                }
            }
        }
        if self.at_end {
            self.state = State::Ended;
            self.news = Some(FromStream::Closed { flow: self.flow });
        } else if !self.framer.incomplete() {
            self.incomplete_since = None;
        } else if self.incomplete_since.is_none() {
            self.incomplete_since = Some(now());
        }
    }

    fn is_done(&self) -> bool {
        let left = matches!(self.state, State::Leaving { .. });
        left && self.told_end && (self.broken || (self.shut && self.at_end))
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge has the clock")]
fn now() -> Instant {
    Instant::now()
}
