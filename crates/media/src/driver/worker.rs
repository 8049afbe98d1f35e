//! One media thread: waits, receives, asks the session, sends; between turns it obeys commands.
//!
//! Everything that is due in a turn is done before the next wait. Read [`Worker::run`] first.
//! What is done for one session is done within a fence: a fault in it ends that session, not the
//! thread. What a fault leaves half done is in the session, which goes, and in the memory of the
//! turn, which the next turn clears.

use super::Config;
use super::inbox::{Inbox, Outlet, inbox};
use super::pool::Pool;
use super::running::{Entry, Sessions};
use super::totals::{Counters, Tally};
use crate::session::{Handled, Outgoing, TRANSPORTS_MAX};
use pbx::id::CallId;
use pbx::media::{Command, Event};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use udp::{Batch, Events, Poller, Transmit};

/// Takes an event, or gives it back while its queue is full.
pub(super) type Sink = Arc<dyn Fn(Event) -> Result<(), Event> + Send + Sync>;

/// Sockets served in one turn; the rest are reported again by the next wait.
const READY_MAX: usize = 256;

/// Datagrams taken from one socket in one turn, so that a flood on it holds up nobody.
const DATAGRAMS_MAX: usize = 16;

/// Octets of the largest media packet; longer ones are dropped and counted. Above the 1,500 of
/// Ethernet, for networks with larger frames there is a limit all the same.
const DATAGRAM_LEN_MAX: usize = 2048;

/// Commands obeyed in one turn, so that packets wait no longer than these take.
const COMMANDS_PER_TURN_MAX: usize = 32;

/// Events kept while their reader is behind. At this many no further command is obeyed.
const PENDING_MAX: usize = 1024;

/// How long to wait before events are offered again.
const RETRY: Duration = Duration::from_millis(5);

/// How often silence, reports and rests are looked after.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// How often commands are looked for while they come, so that most of them wake nobody.
pub(super) const SOON: Duration = Duration::from_millis(20);

/// How long packets have the thread to themselves between two blocks of ports.
const BLOCK_PAUSE: Duration = Duration::from_millis(1);

/// Ticks in which every session is looked at once.
const TICK_SLICES: usize = 10;

/// The token that stands for no socket.
const WAKE: usize = usize::MAX;

/// One media thread's own.
pub(super) struct Worker {
    /// Its number among the threads.
    index: usize,
    poller: Arc<Poller>,
    outlet: Outlet,
    pool: Arc<Mutex<Pool>>,
    sink: Sink,
    counters: Arc<Counters>,
    tally: Tally,
    sessions: Sessions,
    /// As many as the shared counter knows of.
    sessions_counted: u64,
    progress: Duration,
    /// Events to be offered, oldest first.
    pending: VecDeque<Event>,
    tick_at: Instant,
    tick_slice: usize,
    /// Commands were left for the next turn.
    behind: bool,
    /// Something waits for time to pass.
    ticking: bool,
    /// Commands came in the last turn.
    commanded: bool,
    /// Calls with a tone, or digits that last or wait, and when to look at the first of them.
    playing: Vec<CallId>,
    play_at: Option<Instant>,
    room: Room,
}

/// Memory of a turn, made once.
struct Room {
    batch: Batch,
    out: Vec<Outgoing>,
    /// With the index of the datagram whose octets are sent.
    queue: Vec<(usize, Outgoing)>,
}

impl Worker {
    pub(super) fn new(
        config: &Config,
        (index, poller): (usize, Arc<Poller>),
        pool: Arc<Mutex<Pool>>,
        sink: Sink,
        counters: Arc<Counters>,
    ) -> io::Result<(Self, Inbox)> {
        let (inbox, outlet) = inbox(poller.waker(WAKE)?);
        let worker = Self {
            index,
            poller,
            outlet,
            pool,
            sink,
            counters,
            tally: Tally::default(),
            sessions: Sessions::of(index),
            sessions_counted: 0,
            progress: config.progress,
            pending: VecDeque::new(),
            tick_at: clock(),
            tick_slice: 0,
            behind: false,
            ticking: true,
            commanded: false,
            playing: Vec::new(),
            play_at: None,
            room: Room {
                batch: Batch::new(DATAGRAMS_MAX, DATAGRAM_LEN_MAX),
                out: Vec::with_capacity(TRANSPORTS_MAX),
                queue: Vec::with_capacity(DATAGRAMS_MAX * TRANSPORTS_MAX),
            },
        };
        Ok((worker, inbox))
    }

    /// Runs until told to end, or until the kernel takes the poller away.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut ready = Events::new(READY_MAX);
        while !self.outlet.ended() {
            let timeout = self.timeout();
            self.turn(&mut ready, timeout)?;
        }
        Ok(())
    }

    /// Waits no longer than `timeout`, then does all that is due.
    pub(super) fn turn(&mut self, ready: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = if self.outlet.may_sleep(timeout) { timeout } else { Some(Duration::ZERO) };
        self.poller.wait(ready, timeout)?;
        // First of all: what came for a session may have come before its thread heard of it.
        self.obey();
        // The waker's token is no port.
        for port in ready.iter().filter_map(|it| u16::try_from(it).ok()) {
            self.serve(port);
        }
        self.play();
        self.tick();
        self.offer();
        self.counters.add(&mut self.tally);
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn received(&self) -> u64 {
        self.counters.snapshot().packets_in
    }

    /// Lets commands find the thread asleep.
    #[cfg(test)]
    pub(super) fn fall_asleep(&self, time: Duration) {
        self.outlet.may_sleep(Some(time));
    }

    /// How long the thread may sleep; `None`: until something comes.
    pub(super) fn timeout(&self) -> Option<Duration> {
        if self.behind && self.pending.len() < PENDING_MAX {
            return Some(Duration::ZERO);
        }
        let retry = (!self.pending.is_empty()).then_some(RETRY);
        let commands = self.commanded.then_some(SOON);
        let tick = self.ticking.then(|| self.tick_at.saturating_duration_since(clock()));
        let play = self.play_at.map(|it| it.saturating_duration_since(clock()));
        [retry, commands, tick, play].into_iter().flatten().min()
    }

    fn serve(&mut self, port: u16) {
        if fenced(|| self.receive(port)).is_none() {
            let evicted = self.evict(self.sessions.at_port(port));
            self.pending.extend(evicted.map(failed));
        }
    }

    /// After a fault in a session; its call.
    fn evict(&mut self, session: Option<usize>) -> Option<CallId> {
        self.tally.faults += 1;
        self.ticking = true;
        self.sessions.evict(session, &mut lock(&self.pool), clock())
    }

    fn evict_all(&mut self, broken: Vec<CallId>) {
        for call in broken {
            let evicted = self.evict(self.sessions.at_call(call));
            self.pending.extend(evicted.map(failed));
        }
    }

    /// Takes what one socket has, and relays it.
    fn receive(&mut self, port: u16) {
        let Some(mut entry) = self.sessions.entry(port) else {
            // The session has ended, and somebody goes on sending.
            return lock(&self.pool).hush(port, self.index);
        };
        let Room { batch, out, queue } = &mut self.room;
        let truncated = batch.truncated();
        // What the kernel reports here is about an earlier send; the next receive goes on.
        let received = entry.socket(entry.transport, entry.port).recv_batch(batch).unwrap_or(0);
        let now = clock();
        queue.clear();
        for at in 0..received {
            let Some(datagram) = batch.get(at) else { continue };
            out.clear();
            let (from, bytes) = (datagram.remote, datagram.bytes);
            let session = &mut entry.running.session;
            let handled =
                session.handle_datagram(entry.transport, entry.port, from, bytes, now, out);
            self.tally.packets_in += 1;
            self.tally.bytes_in += bytes.len() as u64;
            match handled {
                Handled::Accepted => {}
                Handled::Refused => self.tally.refused += 1,
                Handled::Limited => self.tally.limited += 1,
                Handled::Latched(remote) => {
                    let transport = session.transport_id(entry.transport);
                    let call = entry.running.call;
                    // To know it is good, to wait for it is not: it goes only where there is room.
                    if self.pending.len() < PENDING_MAX {
                        self.pending.push_back(Event::Latched { call, transport, remote });
                    }
                }
            }
            queue.extend(out.iter().map(|it| (at, *it)));
        }
        self.tally.truncated += batch.truncated() - truncated;
        if entry.running.session.has_digits() {
            pass_made(&mut entry, &mut self.tally, &mut self.pending);
        }
        // What leaves from one socket goes to the kernel together.
        let same_socket = |(_, a): &(usize, Outgoing), (_, b): &(usize, Outgoing)| {
            (a.transport, a.port) == (b.transport, b.port)
        };
        for run in queue.chunk_by(same_socket) {
            let (_, first) = run[0];
            let transmits: SmallVec<[Transmit<'_>; DATAGRAMS_MAX]> =
                run.iter().filter_map(|(at, it)| transmit(batch, *at, it)).collect();
            let sent = entry.socket(first.transport, first.port).send_batch(&transmits).sent;
            self.tally.packets_out += sent as u64;
            self.tally.unsent += (transmits.len() - sent) as u64;
        }
    }

    fn obey(&mut self) {
        let mut obeyed = 0;
        self.behind = false;
        while let Some(command) = self.next_command(obeyed) {
            let event = self.command(&command);
            self.pending.extend(event);
            obeyed += 1;
        }
        self.commanded = obeyed > 0;
        if self.commanded {
            self.ticking = true;
            self.tend_ports(clock());
        }
    }

    fn next_command(&mut self, obeyed: usize) -> Option<Command> {
        if obeyed == COMMANDS_PER_TURN_MAX || self.pending.len() >= PENDING_MAX {
            self.behind = true;
            return None;
        }
        self.outlet.take()
    }

    /// Obeys; the acknowledgement, where there is one.
    fn command(&mut self, command: &Command) -> Option<Event> {
        if let Some(event) = fenced(|| self.obey_one(command)) {
            return event;
        }
        match command {
            Command::Configure { call, .. } | Command::Press { call, .. } => {
                self.evict(self.sessions.at_call(*call));
                Some(failed(*call))
            }
            Command::Close { call, .. } => {
                self.evict(self.sessions.at_call(*call));
                // There is no such session any more: its ports go to rest, and that is all.
                self.obey_one(command)
            }
            Command::Want { .. } => {
                self.evict(None);
                None
            }
        }
    }

    fn obey_one(&mut self, command: &Command) -> Option<Event> {
        let now = clock();
        let mut pool = lock(&self.pool);
        Some(match command {
            Command::Want { leased } => {
                pool.want(usize::try_from(*leased).unwrap_or(usize::MAX));
                return None;
            }
            Command::Configure { call, plan } => {
                let (call, revision) = (*call, plan.revision);
                let configured = self.sessions.configure(call, plan, &mut pool, now);
                drop(pool);
                if plan.tone.is_some() {
                    self.play_from(call, now);
                }
                match configured {
                    Ok(()) => Event::Configured { call, revision },
                    Err(error) => Event::Failed { call, reason: error.to_string() },
                }
            }
            Command::Close { call, pairs } => {
                let figures = self.sessions.close(*call, &mut pool, now);
                for pair in pairs {
                    pool.rest_unused(*pair, now);
                }
                Event::Closed { call: *call, figures }
            }
            Command::Press { call, transport, press } => {
                // A session that has ended needs no digits.
                if let Some(entry) = self.sessions.entry_of(*call) {
                    entry.running.session.press(*transport, *press);
                    drop(pool);
                    self.play_from(*call, now);
                }
                return None;
            }
        })
    }

    /// A call has something to play.
    fn play_from(&mut self, call: CallId, now: Instant) {
        if !self.playing.contains(&call) {
            self.playing.push(call);
        }
        self.play_at = Some(now);
    }

    /// Looks after a slice of the sessions, and the ports.
    fn tick(&mut self) {
        let now = clock();
        if !self.ticking || now < self.tick_at {
            return;
        }
        self.tick_at = now + TICK;
        self.tick_slice = (self.tick_slice + 1) % TICK_SLICES;
        let Self { sessions, pending, tally, sink, progress, .. } = self;
        let mut broken = Vec::new();
        for running in sessions.slice(self.tick_slice, TICK_SLICES) {
            // The reader is behind; silence is reported when there is room.
            if pending.len() >= PENDING_MAX {
                break;
            }
            let call = running.call;
            let look = || {
                let silent = running.session.handle_timeout(now);
                pending.extend(silent.map(|transport| Event::Silent { call, transport }));
                if now.saturating_duration_since(running.reported_at) >= *progress {
                    running.reported_at = now;
                    let progress = Event::Progress { call, figures: running.session.figures() };
                    if !pending.is_empty() || sink(progress).is_err() {
                        tally.progress_dropped += 1;
                    }
                }
            };
            if fenced(look).is_none() {
                broken.push(call);
            }
        }
        self.evict_all(broken);
        self.tend_ports(now);
    }

    /// Sends the tones that are due, and the digits that have no voice whose places they could take.
    fn play(&mut self) {
        let now = clock();
        if self.play_at.is_none_or(|it| now < it) {
            return;
        }
        let Self { sessions, playing, tally, pending, .. } = self;
        let (mut first, mut broken) = (None, Vec::new());
        playing.retain(|call| {
            let Some(mut entry) = sessions.entry_of(*call) else { return false };
            let play = || {
                let due = entry.running.session.play(now);
                pass_made(&mut entry, tally, pending);
                due
            };
            let due = fenced(play).unwrap_or_else(|| {
                broken.push(*call);
                None
            });
            first = [first, due].into_iter().flatten().min();
            due.is_some()
        });
        self.play_at = first;
        self.evict_all(broken);
    }

    /// Lets the pool do what is due, and sees whether time alone will make more due.
    fn tend_ports(&mut self, now: Instant) {
        let mut pool = lock(&self.pool);
        let pairs = pool.tend(now);
        self.ticking = pool.waits() || self.sessions.len() > 0;
        if pool.grows() {
            self.tick_at = self.tick_at.min(now + BLOCK_PAUSE);
        }
        drop(pool);
        if !pairs.is_empty() {
            self.pending.push_back(Event::PortsReady { pairs });
        }
        let sessions = self.sessions.len() as u64;
        let change = sessions.wrapping_sub(self.sessions_counted);
        self.counters.sessions.fetch_add(change, Ordering::Relaxed);
        self.sessions_counted = sessions;
    }

    /// Offers the events, in their order, as far as there is room for them.
    fn offer(&mut self) {
        while let Some(event) = self.pending.pop_front() {
            if let Err(event) = (self.sink)(event) {
                self.pending.push_front(event);
                break;
            }
        }
    }
}

/// `None` after a fault.
fn fenced<T>(act: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(act)).ok()
}

fn failed(call: CallId) -> Event {
    Event::Failed { call, reason: "internal error".to_owned() }
}

/// Sends the packets that a session made, and reports the digits it heard.
fn pass_made(entry: &mut Entry<'_>, tally: &mut Tally, pending: &mut VecDeque<Event>) {
    for (outgoing, bytes) in entry.running.session.take_made() {
        let Outgoing { to, source, .. } = outgoing;
        let transmits = [Transmit { to, source, bytes: &bytes }];
        let sent = entry.socket(outgoing.transport, outgoing.port).send_batch(&transmits).sent;
        tally.packets_out += sent as u64;
        tally.unsent += (transmits.len() - sent) as u64;
    }
    let call = entry.running.call;
    for (transport, press) in entry.running.session.take_pressed() {
        // The core is behind, and a digit that comes late is worse than none.
        if pending.len() < PENDING_MAX {
            pending.push_back(Event::Pressed { call, transport, press });
        }
    }
}

fn transmit<'a>(batch: &'a Batch, at: usize, outgoing: &Outgoing) -> Option<Transmit<'a>> {
    let bytes = batch.get(at)?.bytes;
    Some(Transmit { to: outgoing.to, source: outgoing.source, bytes })
}

/// A thread that panicked with the lock left the books as they are between two calls: whole.
fn lock(pool: &Mutex<Pool>) -> MutexGuard<'_, Pool> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The media threads' time.
#[expect(clippy::disallowed_methods, reason = "the edge gives its sessions their time")]
pub(super) fn clock() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
