//! The loop of the core thread: takes what happened, gives it to the core, does what it asks.
//!
//! It owns the UDP sockets of SIP and the core, and waits for new input only, but for the milliseconds that it rests
//! in a stream of messages ([`rest`]).
//! One turn takes, in this order, each within its budget so that none starves another:
//! 1. timers, 2. orders of other threads, 3. media events, 4. names, 5. streams, 6. UDP by batches.
//!
//! Then the turn's facts go to the journal in one write, its media commands to the media edge, and
//! only then its messages to the sockets (architecture, "The data path").

mod backlog;
#[cfg(test)]
mod count_tests;
mod fence;
mod media_events;
mod outbox;
mod rest;

use crate::clock;
use crate::metrics::Published;
use crate::ring;
use crate::watch;
use backlog::{Backlog, News};
use fence::{Fence, Verdict};
use media::Media;
pub(crate) use media_events::{MediaEvents, MediaSink};
use net::{FromStream, Names, Streams};
use outbox::Outbox;
use pbx::core::{Command, Core, Effect, Input, is_keep_alive};
use pbx::directory::Directory;
use pbx::id::CallId;
use pbx::network::Network;
use pbx::time::Now;
use rest::Rest;
use sip::locate::{Place, Resolution};
use sip::{Flow, Transport};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};
use store::journal::{AppendOutcome, Writer};
use udp::{Batch, Events, Poller, Socket, Waker};

/// Datagrams taken from one socket in one turn.
const BATCH: usize = 64;
/// Longest datagram; a longer one is dropped by `udp` and counted. Unit: octets.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// Orders, media events and stream messages taken in one turn; the rest waits for the next.
const ORDERS_A_TURN: usize = 64;
const MEDIA_A_TURN: usize = 256;
const STREAMS_A_TURN: usize = 256;
/// Names that a turn is told about; more wait for the next.
const NAMES_A_TURN: usize = 64;
/// Most orders waiting. More make the asker wait, who is never this thread.
const ORDERS_MAX: usize = 1024;
/// Calls get their BYEs and records within this time at the end.
const SHUTDOWN: Duration = Duration::from_secs(5);
/// The journal is tried again this often while it waits in memory.
const JOURNAL_RETRY: Duration = Duration::from_millis(250);
/// Counters are published at most this often, and at least this often: connections come and go
/// without the core's hearing of it.
const PUBLISH: Duration = Duration::from_millis(100);
const PUBLISH_ANYWAY: Duration = Duration::from_secs(1);

const WAKER_TOKEN: usize = usize::MAX;

/// What other threads ask of the core thread.
pub(crate) enum Order {
    Directory(Arc<Directory>),
    Network(Network),
    Command(Command),
}

/// The other threads' end.
#[derive(Clone)]
pub(crate) struct Orders {
    sender: SyncSender<Order>,
    waker: Waker,
}

impl Orders {
    /// Waits while [`ORDERS_MAX`] orders are waiting. False when the core thread has ended.
    pub(crate) fn give(&self, order: Order) -> bool {
        let given = self.sender.send(order).is_ok();
        self.waker.wake();
        given
    }
}

/// The sockets and the way to wake whoever waits for them; made before the core exists.
pub(crate) struct Listeners {
    poller: Poller,
    waker: Waker,
    sockets: Vec<Socket>,
    orders: Receiver<Order>,
    sender: SyncSender<Order>,
}

/// What the loop works with besides the listeners.
pub(crate) struct Parts {
    pub(crate) core: Core,
    pub(crate) streams: Streams,
    pub(crate) names: Names,
    pub(crate) media: Media,
    /// What [`Listeners::media_events`] leads to.
    pub(crate) media_events: MediaEvents,
    pub(crate) journal: Writer,
    pub(crate) ring: ring::Writer,
    pub(crate) sink: watch::Sink,
    pub(crate) published: Arc<Published>,
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Asked to; every call had its BYEs, or [`SHUTDOWN`] had passed.
    Stopped,
    /// The core failed too often: the process is to start itself anew.
    Faults,
}

pub(crate) struct Driver {
    poller: Poller,
    events: Events,
    sockets: Vec<Socket>,
    /// Of each socket, whether there is something to read.
    readable: Vec<bool>,
    /// A budget was spent: there may be more at once.
    more: bool,
    orders: Receiver<Order>,
    parts: Parts,
    /// Away while its datagrams are handled.
    batch: Option<Batch>,
    outbox: Outbox,
    fence: Fence,
    backlog: Backlog,
    rest: Rest,
    journal_waits: bool,
    /// When that was last tried in vain.
    journal_tried: Option<Instant>,
    overloaded: bool,
    stopping_since: Option<Instant>,
    published_at: Option<Instant>,
    unpublished: bool,
}

impl Listeners {
    /// Opens the sockets; `[::]` also takes IPv4, and becomes 0.0.0.0 without IPv6.
    pub(crate) fn open(addresses: &[SocketAddr]) -> std::io::Result<Self> {
        let poller = Poller::new()?;
        let waker = poller.waker(WAKER_TOKEN)?;
        let mut sockets = Vec::with_capacity(addresses.len());
        for (token, address) in addresses.iter().enumerate() {
            let socket = Socket::bind(*address, udp::Options::SIGNALLING)?;
            poller.add(&socket, token)?;
            sockets.push(socket);
        }
        let (sender, orders) = std::sync::mpsc::sync_channel(ORDERS_MAX);
        Ok(Self { poller, waker, sockets, orders, sender })
    }

    /// Where SIP is received over UDP, with the real ports.
    pub(crate) fn bound(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(Socket::local_addr).collect()
    }

    pub(crate) fn orders(&self) -> Orders {
        Orders { sender: self.sender.clone(), waker: self.waker.clone() }
    }

    /// What the media threads call with their events, and where those arrive.
    pub(crate) fn media_events(&self) -> (MediaSink, MediaEvents) {
        media_events::media_events(self.waker.clone())
    }

    /// For the edges that have something for the core.
    pub(crate) fn wake(&self) -> Arc<dyn Fn() + Send + Sync> {
        let waker = self.waker.clone();
        Arc::new(move || waker.wake())
    }
}

impl Driver {
    pub(crate) fn new(listeners: Listeners, parts: Parts) -> Self {
        let outbox = Outbox::new(&listeners.sockets);
        let count = listeners.sockets.len();
        Self {
            poller: listeners.poller,
            events: Events::new(count + 1),
            sockets: listeners.sockets,
            readable: vec![true; count],
            more: true,
            orders: listeners.orders,
            parts,
            batch: Some(Batch::new(BATCH, DATAGRAM_BYTES_MAX)),
            outbox,
            fence: Fence::default(),
            backlog: Backlog::default(),
            rest: Rest::default(),
            journal_waits: false,
            journal_tried: None,
            overloaded: false,
            stopping_since: None,
            published_at: None,
            unpublished: true,
        }
    }

    /// Runs until it is asked to stop, or until the core has failed too often.
    pub(crate) fn run(mut self) -> Ended {
        loop {
            let now = self.step();
            if self.fence.verdict(now.instant) == Verdict::StartAnew {
                return Ended::Faults;
            }
            if self.is_done(now.instant) {
                self.publish_counters(now.instant);
                return Ended::Stopped;
            }
        }
    }

    /// Waits for something to do, and does it; when that was.
    fn step(&mut self) -> Now {
        let before = clock::now();
        let timeout = if self.more { Duration::ZERO } else { self.timeout(before.instant) };
        if let Err(error) = self.poller.wait(&mut self.events, Some(timeout)) {
            tracing::error!(%error, "waiting for input failed");
        }
        for token in self.events.iter() {
            // The waker's token is beyond the sockets'.
            if let Some(readable) = self.readable.get_mut(token) {
                *readable = true;
            }
        }
        let now = clock::now();
        self.more = self.turn(now);
        let rest = self.rest.after(now.instant);
        if !self.more && !rest.is_zero() {
            #[expect(clippy::disallowed_methods, reason = "not to be woken is the purpose")]
            std::thread::sleep(rest);
        }
        now
    }

    /// One turn. True where a budget was spent, so that there may be more at once.
    fn turn(&mut self, now: Now) -> bool {
        self.parts.published.turn(now.instant);
        self.fire_timers(now);
        let mut more = self.take_orders(now);
        more |= self.take_media(now);
        more |= self.take_names(now);
        let mut left = self.take_streams(now);
        self.flush(now);
        for index in 0..self.sockets.len() {
            if std::mem::take(&mut self.readable[index]) {
                left |= self.take_datagrams(index, now);
                self.flush(now);
            }
        }
        more |= left;
        self.judge_backlog(left, now);
        self.retry_journal(now);
        self.publish(now.instant);
        more || !self.outbox.is_empty()
    }

    fn timeout(&self, now: Instant) -> Duration {
        const LONGEST: Duration = Duration::from_secs(1);
        let timer = self.parts.core.poll_timeout().map(|at| at.saturating_duration_since(now));
        let publish = self.unpublished.then_some(PUBLISH);
        let journal = self.journal_waits.then_some(JOURNAL_RETRY);
        let media = self.parts.media_events.timeout(now);
        [timer, publish, journal, media].into_iter().flatten().fold(LONGEST, Duration::min)
    }

    fn fire_timers(&mut self, now: Now) {
        if self.parts.core.poll_timeout().is_some_and(|at| at <= now.instant) {
            self.guarded(now, |core| {
                core.handle_timeout(now);
                None
            });
        }
    }

    fn take_orders(&mut self, now: Now) -> bool {
        for _ in 0..ORDERS_A_TURN {
            let Ok(order) = self.orders.try_recv() else { return false };
            let input = match order {
                Order::Directory(directory) => Input::Directory(directory),
                Order::Network(network) => Input::Network(network),
                Order::Command(command) => {
                    if command == Command::Shutdown {
                        self.stopping_since.get_or_insert(now.instant);
                    }
                    Input::Command(command)
                }
            };
            self.handle(input, now);
        }
        true
    }

    fn take_media(&mut self, now: Now) -> bool {
        self.parts.media_events.look(now.instant);
        for _ in 0..MEDIA_A_TURN {
            let Some(event) = self.parts.media_events.take() else { return false };
            self.handle(Input::Media(event), now);
        }
        true
    }

    fn take_names(&mut self, now: Now) -> bool {
        for _ in 0..NAMES_A_TURN {
            let Some((place, resolution)) = self.parts.names.poll() else { return false };
            log_name(&place, &resolution);
            self.handle(Input::Resolved { place, resolution }, now);
        }
        true
    }

    fn take_streams(&mut self, now: Now) -> bool {
        for _ in 0..STREAMS_A_TURN {
            let Some(news) = self.parts.streams.poll() else { return false };
            match news {
                FromStream::Message { flow, bytes } => self.take_message(flow, &bytes, now),
                FromStream::Malformed { flow, head } => {
                    let call = self.handle(Input::Malformed { flow, head: &head }, now);
                    self.parts.ring.push(now.utc, false, &flow, call, &head);
                    self.forward_sends(now);
                }
                FromStream::Closed { flow } => {
                    if let Some(connection) = flow.connection {
                        self.handle(Input::Closed { connection }, now);
                    }
                }
                FromStream::Connected { token, flow } => {
                    self.handle(Input::Connected { token, flow }, now);
                }
                FromStream::ConnectFailed { token, remote, error } => {
                    tracing::debug!(peer = %crate::private::Private(remote), %error, "no connection");
                    self.handle(Input::ConnectFailed { token }, now);
                }
            }
        }
        true
    }

    /// Takes a batch; true where there may be more.
    fn take_datagrams(&mut self, index: usize, now: Now) -> bool {
        let Some(mut batch) = self.batch.take() else { return false };
        let mut left = false;
        let socket = &self.sockets[index];
        let port = socket.local_addr().port();
        match socket.recv_batch(&mut batch) {
            Ok(count) => {
                left = count == batch.capacity();
                for datagram in batch.iter() {
                    let local = SocketAddr::new(datagram.local, port);
                    let remote = datagram.remote;
                    let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
                    self.take_message(flow, datagram.bytes, now);
                }
            }
            // Most often an ICMP error of something sent before; the phone shows itself by silence.
            Err(error) => tracing::debug!(%error, "receiving failed"),
        }
        self.batch = Some(batch);
        left
    }

    /// Has the core refuse new work while it cannot read as fast as messages come.
    fn judge_backlog(&mut self, left: bool, now: Now) {
        let before = self.backlog.sheds();
        match self.backlog.turned(left, now.instant) {
            Some(News::Overloaded) => {
                tracing::warn!("messages come too fast: new calls and registrations get 503");
            }
            Some(News::Recovered(lasted)) => {
                let lasted_ms = lasted.as_millis();
                tracing::info!(lasted_ms, "new calls and registrations are taken again");
            }
            None => {}
        }
        let sheds = self.backlog.sheds();
        if sheds != before {
            self.handle(Input::Command(Command::Shed(sheds)), now);
        }
    }

    /// One message: into the core, into the ring, and its consequences into the outbox.
    fn take_message(&mut self, flow: Flow, bytes: &[u8], now: Now) {
        let throttled = self.parts.core.counters().throttled;
        let call = self.handle(Input::Message { flow, bytes }, now);
        // What was dropped unread must not push what matters out of the ring, nor decide whether the loop rests.
        if self.parts.core.counters().throttled == throttled {
            self.rest.came(flow.transport, bytes);
            if !is_keep_alive(bytes) {
                self.parts.ring.push(now.utc, false, &flow, call, bytes);
            }
        }
        self.forward_sends(now);
    }

    fn handle(&mut self, input: Input<'_>, now: Now) -> Option<CallId> {
        self.guarded(now, |core| core.handle(input, now))
    }

    /// Runs the core and takes what it asks for. Nothing of an input whose panic escapes it gets
    /// out.
    fn guarded(
        &mut self,
        now: Now,
        act: impl FnOnce(&mut Core) -> Option<CallId>,
    ) -> Option<CallId> {
        self.unpublished = true;
        let core = &mut self.parts.core;
        let call = self.fence.run(|| act(core))?;
        while let Some(effect) = self.parts.core.poll_effect() {
            self.take_effect(effect);
        }
        self.fence.count(self.parts.core.counters().faults, now.instant);
        call
    }

    fn take_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Send { flow, bytes, call } => self.outbox.send(flow, bytes, call),
            Effect::Connect { token, local, remote } => {
                self.outbox.connects.push((token, local, remote));
            }
            // These only ask; nothing they lead to is before the journal.
            Effect::Resolve(place) => self.parts.names.ask(place),
            Effect::KeepResolved(places) => self.parts.names.keep(places),
            Effect::Record(record) => self.outbox.records.push(record),
            Effect::Event(event) => self.parts.sink.publish(event),
            Effect::Media(command) => self.outbox.media.push(command),
        }
    }

    /// Copies what the last input sends into the ring, behind that input.
    fn forward_sends(&mut self, now: Now) {
        for it in self.outbox.unseen() {
            self.parts.ring.push(now.utc, true, &it.flow, it.call, &it.bytes);
        }
    }

    /// Journal, then media, then the wire. What the core asks for because a connection is gone
    /// waits for the next turn, which follows at once.
    fn flush(&mut self, now: Now) {
        self.commit(now);
        self.forward_sends(now);
        for (token, local, remote) in self.outbox.connects.drain(..) {
            self.parts.streams.connect(token, local, remote);
        }
        for connection in self.outbox.flush(&self.sockets, &mut self.parts.streams) {
            self.handle(Input::Closed { connection }, now);
        }
    }

    /// Gives away what the sends promise. A full journal or media thread may make the core ask for
    /// more of both, to be given away before those sends too.
    fn commit(&mut self, now: Now) {
        while !self.outbox.records.is_empty() || !self.outbox.media.is_empty() {
            if !self.outbox.records.is_empty() {
                let outcome = self.parts.journal.append_batch(&self.outbox.records);
                self.outbox.records.clear();
                self.judge_journal(outcome, now);
            }
            if !self.outbox.media.is_empty() {
                let free = self.parts.core.counters().ports_free;
                self.parts.media_events.promise(free, now.instant);
            }
            for command in std::mem::take(&mut self.outbox.media) {
                if let Err(media::Full(command)) = self.parts.media.command(command) {
                    self.refuse(&command, now);
                }
            }
        }
    }

    /// A media thread that is this far behind cannot serve the call: the core ends it.
    fn refuse(&mut self, command: &pbx::media::Command, now: Now) {
        match command {
            pbx::media::Command::Configure { call, .. } => {
                let reason = "the media thread is too far behind".to_owned();
                let failed = pbx::media::Event::Failed { call: *call, reason };
                self.handle(Input::Media(failed), now);
            }
            pbx::media::Command::Press { call, .. } => {
                tracing::warn!(call = %call.short(), "a digit was lost: the media thread is behind");
            }
            // The core states it anew whenever the number changes.
            pbx::media::Command::Want { .. } => {}
            // There is room for one of each pair of ports, so the thread is gone.
            pbx::media::Command::Close { call, .. } => {
                tracing::error!(call = %call.short(), "a media session was not closed");
            }
        }
    }

    /// Tells the core whether the journal still takes what is promised.
    fn judge_journal(&mut self, outcome: AppendOutcome, now: Now) {
        self.journal_waits = match outcome {
            AppendOutcome::Written | AppendOutcome::Recovered => false,
            AppendOutcome::Spooled | AppendOutcome::Full => true,
        };
        let overloaded = match outcome {
            AppendOutcome::Full => true,
            AppendOutcome::Written | AppendOutcome::Recovered => false,
            AppendOutcome::Spooled => self.overloaded,
        };
        if overloaded != self.overloaded {
            self.overloaded = overloaded;
            self.handle(Input::Command(Command::Overload(overloaded)), now);
        }
    }

    /// Now and then, and with each turn while the disk takes what waits.
    fn retry_journal(&mut self, now: Now) {
        let lately = |it: Instant| now.instant.duration_since(it) < JOURNAL_RETRY;
        if !self.journal_waits || self.journal_tried.is_some_and(lately) {
            return;
        }
        let waited = self.parts.journal.spooled();
        let outcome = self.parts.journal.append_batch(&[]);
        let in_vain = self.parts.journal.spooled() == waited;
        self.journal_tried = in_vain.then_some(now.instant);
        self.judge_journal(outcome, now);
    }

    fn is_done(&self, now: Instant) -> bool {
        let Some(since) = self.stopping_since else { return false };
        let idle = self.parts.core.is_idle() && self.outbox.is_empty();
        idle || now.duration_since(since) >= SHUTDOWN
    }

    fn publish(&mut self, now: Instant) {
        let pause = if self.unpublished { PUBLISH } else { PUBLISH_ANYWAY };
        if self.published_at.is_none_or(|it| now.duration_since(it) >= pause) {
            self.publish_counters(now);
        }
    }

    fn publish_counters(&mut self, now: Instant) {
        let streams = self.parts.streams.counters();
        let open = self.parts.streams.open() as u64;
        let oversize = self.batch.as_ref().map_or(0, Batch::truncated);
        let traced = self.parts.ring.pushed();
        let wire = self.outbox.counts();
        let overloaded = self.backlog.is_alarmed();
        // A reader that holds the lock makes this wait for the next turn, not the thread.
        self.unpublished = !self.parts.published.offer(
            self.parts.core.counters(),
            crate::metrics::Wire { streams, open, oversize, traced, overloaded, ..wire },
        );
        self.published_at = Some(now);
    }
}

/// What DNS says of a carrier is the first thing to look at when its line is down.
fn log_name(place: &Place, resolution: &Resolution) {
    // The name of a company, not of a person.
    let name = place;
    match resolution {
        Resolution::Found(_) => tracing::debug!(target: "dns", %name, "resolved"),
        Resolution::Stale(_, lack) => tracing::warn!(
            target: "dns", %name, ?lack, "not resolved any more; its last addresses are used"
        ),
        Resolution::Nothing(lack) => tracing::warn!(target: "dns", %name, ?lack, "not resolved"),
    }
}
