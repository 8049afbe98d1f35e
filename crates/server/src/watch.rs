//! The thread that reads the core's events: it keeps the board, tells what is news and writes the log lines.
//!
//! The core gives events to bounded channels and drops them when they are full; what strangers can
//! cause (failed authentication, throttling) has a channel of its own, so that a flood of those
//! cannot push out what the board needs.

mod calm;

use crate::board::Board;
use crate::private::Private;
use calm::{Bucket, Named};
use pbx::event::{AuthFailure, CallState, Event};
use pbx::line::live::LineStatus;
use pbx::line::register::Standing;
use pbx::record::CallRecord;
use pbx::time::Now;
use pbx::trunk::live::TrunkStatus;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};
use web::events::{Before, Fact, Ring, news};

/// Most events waiting for the board; more are dropped, and the board asks anew.
const EVENTS_MAX: usize = 65_536;
/// Most events of strangers waiting for the log; more are only counted.
const STRANGER_EVENTS_MAX: usize = 1024;
/// Lines of the `security` target: per second, and saved up. The rest is counted in one line.
const SECURITY_RATE: u32 = 20;
const SECURITY_BURST: u32 = 500;
/// Calls whose state is remembered so that each change is told once.
const STATES_MAX: usize = 65_536;
/// Refusals that are told as events: per second, and saved up. Forged sources can cause as many as they like.
const REFUSED_RATE: u32 = 2;
const REFUSED_BURST: u32 = 200;
/// How much the thread gives way to those that carry calls.
const NICE: i32 = 5;
const SWEEP: Duration = Duration::from_secs(1);
/// How often the channels are emptied while anything comes. Nobody waits in them: to wake this
/// thread for each event would cost the core thread more than the event does.
const PAUSE: Duration = Duration::from_millis(100);

/// The core's end. Never waits.
pub(crate) struct Sink {
    events: SyncSender<Event>,
    strangers: SyncSender<Event>,
    dropped: Arc<Dropped>,
    watcher: Arc<Sleep>,
}

/// The watcher's sleep while nothing comes.
#[derive(Default)]
struct Sleep {
    deep: AtomicBool,
    thread: OnceLock<Thread>,
    #[cfg(test)]
    ended: AtomicU64,
}

impl Sleep {
    /// An event wakes who sleeps deeply; the others come with the next look.
    fn end(&self) {
        // Not to be moved before the event is in.
        fence(Ordering::SeqCst);
        if self.deep.load(Ordering::SeqCst) && self.deep.swap(false, Ordering::SeqCst) {
            self.interrupt();
        }
    }

    fn interrupt(&self) {
        #[cfg(test)]
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.thread.get().map(Thread::unpark);
    }
}

/// How many events found their channel full.
#[derive(Default)]
pub(crate) struct Dropped {
    pub(crate) events: AtomicU64,
    pub(crate) strangers: AtomicU64,
}

impl Sink {
    pub(crate) fn publish(&self, event: Event) {
        // Whoever asked for it waits.
        let is_answer = matches!(event, Event::Tried { .. } | Event::Ordered { .. });
        let (channel, counter) = match event {
            Event::AuthFailed { .. } | Event::Throttled { .. } => {
                (&self.strangers, &self.dropped.strangers)
            }
            Event::Registered(_)
            | Event::Unregistered { .. }
            | Event::Call(_)
            | Event::CallEnded(_)
            | Event::Line(_)
            | Event::LineGone { .. }
            | Event::Trunk(_)
            | Event::TrunkGone { .. }
            | Event::Examined { .. }
            | Event::Tried { .. }
            | Event::Ordered { .. }
            | Event::Fault { .. } => (&self.events, &self.dropped.events),
        };
        if let Err(TrySendError::Full(_)) = channel.try_send(event) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if is_answer {
            self.watcher.interrupt();
        } else {
            self.watcher.end();
        }
    }
}

/// Starts the thread. `report` asks the core to tell again all that stands. The thread ends when
/// the sink is dropped; `lost` hears where a fault ends it before.
pub(crate) fn start(
    board: Arc<Board>,
    ring: Arc<Ring>,
    report: impl Fn() + Send + 'static,
    lost: impl FnOnce(&'static str) + Send + 'static,
) -> std::io::Result<(Sink, Arc<Dropped>)> {
    let (events, events_out) = sync_channel(EVENTS_MAX);
    let (strangers, strangers_out) = sync_channel(STRANGER_EVENTS_MAX);
    let dropped = Arc::new(Dropped::default());
    let sleep = Arc::new(Sleep::default());
    let mut watcher = Watcher::new(board, ring, Arc::clone(&sleep), Arc::clone(&dropped));
    let run = move || watcher.run(&events_out, &strangers_out, &report);
    store::thread::spawn("board", lost, run)?;
    Ok((Sink { events, strangers, dropped: Arc::clone(&dropped), watcher: sleep }, dropped))
}

struct Watcher {
    board: Arc<Board>,
    ring: Arc<Ring>,
    sleep: Arc<Sleep>,
    dropped: Arc<Dropped>,
    dropped_seen: u64,
    /// The state last told of each running call.
    states: BTreeMap<pbx::id::CallId, CallState>,
    security: Bucket,
    /// When each source was last said to be throttled.
    throttled: Named<IpAddr>,
    refusals: Bucket,
    /// When each was last refused from the same source.
    refused: Named<(Box<str>, IpAddr)>,
}

impl Watcher {
    fn new(board: Arc<Board>, ring: Arc<Ring>, sleep: Arc<Sleep>, dropped: Arc<Dropped>) -> Self {
        Self {
            board,
            ring,
            sleep,
            dropped,
            dropped_seen: 0,
            states: BTreeMap::new(),
            security: Bucket::new(SECURITY_RATE, SECURITY_BURST),
            throttled: Named::default(),
            refusals: Bucket::new(REFUSED_RATE, REFUSED_BURST),
            refused: Named::default(),
        }
    }

    fn run(&mut self, events: &Receiver<Event>, strangers: &Receiver<Event>, report: &dyn Fn()) {
        let mut swept = instant();
        self.board.watched_by(std::thread::current());
        let _ = self.sleep.thread.set(std::thread::current());
        // Calls wait for no burst of log lines. It works as well without, only less smoothly.
        let _ = rustix::process::setpriority_process(None, NICE);
        let mut quiet = false;
        loop {
            std::thread::park_timeout(if quiet { SWEEP } else { PAUSE });
            let now = crate::clock::now();
            quiet = true;
            // It says that it sleeps deeply, and looks once more for what came before it said so.
            for deep in [false, true] {
                self.sleep.deep.store(deep, Ordering::SeqCst);
                let Some(found) = crate::logs::together(|| self.pass(events, strangers, now))
                else {
                    return;
                };
                if found > 0 {
                    quiet = false;
                    break;
                }
            }
            if now.instant.duration_since(swept) >= SWEEP {
                swept = now.instant;
                self.sweep(now, report);
            }
        }
    }

    /// What is to be done once a second.
    fn sweep(&mut self, now: Now, report: &dyn Fn()) {
        if let Some(lines) = self.security.left_out(now.instant) {
            tracing::warn!(target: "security", lines, "lines left out");
        }
        if let Some(gone) = self.board.sweep(now.instant) {
            let running = self.board.running();
            self.states.retain(|call, _| running.contains(call));
            if gone > 0 {
                self.tell_gap(now);
            }
        }
        self.ring.sweep(now.utc);
        crate::memory::give_back();
        self.recover(now, report);
    }

    /// Takes all that there is; how many, or `None` where the core has ended.
    fn pass(
        &mut self,
        events: &Receiver<Event>,
        strangers: &Receiver<Event>,
        now: Now,
    ) -> Option<usize> {
        let mut found = 0;
        self.board.begin_pass();
        while found < EVENTS_MAX {
            match events.try_recv() {
                Ok(event) => self.take(&event, now),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return None,
            }
            found += 1;
        }
        self.board.end_pass();
        self.ring.wake();
        for event in strangers.try_iter().take(STRANGER_EVENTS_MAX) {
            self.tell_refusal(&event, now);
            self.log_stranger(&event, now.instant);
            found += 1;
        }
        Some(found)
    }

    fn take(&mut self, event: &Event, now: Now) {
        let before = self.before(event);
        let before = Before { binding: self.board.take(event, now), ..before };
        log(event, &before);
        news(event, &before, |fact| self.ring.push(now.utc, fact));
    }

    /// What was known of the same thing but a binding, and the state of the call for the next time.
    fn before(&mut self, event: &Event) -> Before {
        let none = Before::default();
        match event {
            Event::Call(status) => {
                let known = self.states.get(&status.call).copied();
                let is_full = known.is_none() && self.states.len() >= STATES_MAX;
                if !is_full && known != Some(status.state) {
                    self.states.insert(status.call, status.state);
                }
                // A call too many is taken for told.
                Before { call: if is_full { Some(status.state) } else { known }, ..none }
            }
            Event::CallEnded(record) => {
                Before { call: self.states.remove(&record.call_id), ..none }
            }
            Event::Line(it) => Before { line: self.board.line(it.tenant, &it.account), ..none },
            Event::Trunk(it) => Before { trunk: self.board.trunk(it.tenant, it.id), ..none },
            Event::Registered(_)
            | Event::Unregistered { .. }
            | Event::LineGone { .. }
            | Event::TrunkGone { .. }
            | Event::AuthFailed { .. }
            | Event::Examined { .. }
            | Event::Tried { .. }
            | Event::Ordered { .. }
            | Event::Throttled { .. }
            | Event::Fault { .. } => none,
        }
    }

    /// Asks for a fresh picture where events were lost.
    fn recover(&mut self, now: Now, report: &dyn Fn()) {
        let dropped = self.dropped.events.load(Ordering::Relaxed);
        if dropped > self.dropped_seen {
            tracing::warn!(dropped = dropped - self.dropped_seen, "events were lost");
            self.dropped_seen = dropped;
            self.board.lagged(now.instant);
            self.tell_gap(now);
            report();
        }
    }

    fn tell_gap(&self, now: Now) {
        self.ring.push(now.utc, Fact::Lost);
        self.ring.wake();
    }

    /// Whoever looks after the extension wants to know: a phone with an old password does not say so itself.
    fn tell_refusal(&mut self, event: &Event, now: Now) {
        let Event::AuthFailed { source, user, method, why } = event else { return };
        let is_told = match why {
            AuthFailure::BadDigest
            | AuthFailure::WeakPasswordFromOutside
            | AuthFailure::WrongIdentity => &**method == "REGISTER",
            // There is no such extension, or no mistake of its phone.
            AuthFailure::UnknownUser | AuthFailure::Replay => false,
        };
        if is_told
            && self.refused.is_new((user.clone(), source.ip()), now.instant)
            && self.refusals.take(now.instant)
        {
            let (extension, source, why) = (user.clone(), *source, *why);
            self.ring.push(now.utc, Fact::Refused { extension, source, why });
            self.ring.wake();
        }
    }

    fn log_stranger(&mut self, event: &Event, now: Instant) {
        if let Event::Throttled { source } = event
            && !self.throttled.is_new(source.ip(), now)
        {
            return;
        }
        if !self.security.take(now) {
            return;
        }
        match event {
            Event::AuthFailed { source, user, method: _, why } => {
                tracing::warn!(target: "security", "{}", auth_failed(*source, user, why.as_str()));
            }
            Event::Throttled { source } => {
                tracing::warn!(target: "security", "throttled proto=sip addr={}", source.ip());
            }
            // These come on the other channel.
            Event::Registered(_)
            | Event::Unregistered { .. }
            | Event::Call(_)
            | Event::CallEnded(_)
            | Event::Line(_)
            | Event::LineGone { .. }
            | Event::Trunk(_)
            | Event::TrunkGone { .. }
            | Event::Examined { .. }
            | Event::Tried { .. }
            | Event::Ordered { .. }
            | Event::Fault { .. } => {}
        }
    }
}

/// Writes what somebody may want to know of an event later.
fn log(event: &Event, before: &Before) {
    match event {
        Event::Registered(it) if before.binding.is_some() => tracing::debug!(
            target: "registrar", ext = %Private(&*it.key.extension), "refreshed"
        ),
        Event::Registered(it) => tracing::info!(
            target: "registrar",
            ext = %Private(&*it.key.extension),
            peer = %Private(it.flow.remote),
            transport = it.flow.transport.uri_name(),
            "registered"
        ),
        Event::Unregistered { key, why } => tracing::info!(
            target: "registrar",
            ext = %Private(&*key.extension), why = ?why, "registration ended"
        ),
        Event::Call(status) => {
            if before.call != Some(status.state) {
                tracing::info!(
                    target: "call",
                    call = %status.call.short(),
                    from = %Private(&*status.record.caller_number),
                    to = %Private(&*status.record.dialled_number),
                    "call {}", status.state.as_str()
                );
            }
        }
        Event::CallEnded(record) => log_end(record),
        Event::Fault { call, message } => {
            let call = call.map(|it| it.short().to_string()).unwrap_or_default();
            tracing::error!(target: "call", %call, %message, "internal fault; the call was ended");
        }
        Event::Line(status) => log_line(status, before.line.as_ref()),
        Event::LineGone { account, .. } => tracing::info!(
            target: "line", line = %Private(&**account), "line deleted"
        ),
        Event::Trunk(status) => log_trunk(status, before.trunk.as_ref()),
        Event::TrunkGone { id, .. } => {
            tracing::info!(target: "trunk", trunk = id, "trunk deleted");
        }
        Event::Examined { report, .. } => {
            let remedy = report.as_ref().and_then(|it| it.remedy()).map(|it| it.setting());
            tracing::info!(target: "line", setting = remedy, "line examined");
        }
        Event::AuthFailed { .. }
        | Event::Throttled { .. }
        | Event::Tried { .. }
        | Event::Ordered { .. } => {}
    }
}

/// Says when a line is registered, and when it no longer is: then somebody should look.
fn log_line(status: &LineStatus, before: Option<&LineStatus>) {
    let is_news =
        before.is_none_or(|it| (it.standing, it.trouble) != (status.standing, status.trouble));
    let line = Private(&*status.account);
    let answer = status.last_answer.as_ref().map_or("", |it| &*it.what.en);
    let standing = status.standing.as_str();
    match status.trouble {
        Some(trouble) if is_news && status.standing == Standing::Failed => tracing::warn!(
            target: "line",
            %line, code = trouble.code(), answer, "{}", trouble.sentence().en
        ),
        _ if is_news && status.standing != Standing::Registering => {
            tracing::info!(target: "line", %line, answer, "line {standing}");
        }
        _ => tracing::debug!(target: "line", %line, answer, "line {standing}"),
    }
}

/// Says which of its servers are not there, when that changes.
fn log_trunk(status: &TrunkStatus, before: Option<&TrunkStatus>) {
    let were_up = |place: usize| Some(before?.servers.get(place)?.up);
    let trunk = status.id;
    for (place, server) in status.servers.iter().enumerate() {
        let Some(address) = server.address.filter(|_| were_up(place) != Some(server.up)) else {
            continue;
        };
        let peer = Private(address);
        if server.up {
            tracing::debug!(target: "trunk", trunk, %peer, "server is up");
        } else {
            tracing::warn!(target: "trunk", trunk, %peer, "server does not respond");
        }
    }
}

fn log_end(record: &CallRecord) {
    let code = record.release_code.map_or("", |it| it.as_str());
    tracing::info!(
        target: "call",
        call = %record.call_id.short(),
        from = %Private(&*record.caller_number),
        to = %Private(&*record.dialled_number),
        code,
        status = record.sip_status,
        duration_ms = record.duration_ms,
        "call ended"
    );
}

/// The fixed line that tools which ban addresses look for. What a stranger chose cannot forge
/// another field or line.
fn auth_failed(source: SocketAddr, user: &str, reason: &str) -> String {
    const USER_CHARACTERS: usize = 64;
    let plain = |it: char| it.is_ascii_graphic() && it != '=';
    let user: String =
        user.chars().take(USER_CHARACTERS).map(|it| if plain(it) { it } else { '?' }).collect();
    format!("auth_failed proto=sip addr={} user={user} reason={reason}", source.ip())
}

fn instant() -> Instant {
    crate::clock::now().instant
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::board::tests::call;
    use pbx::time::UnixMillis;
    use std::cell::Cell;
    use web::events::Kinds;

    fn watcher() -> Watcher {
        let ring = Arc::new(Ring::new(UnixMillis(1), "here"));
        Watcher::new(Arc::default(), ring, Arc::default(), Arc::default())
    }

    fn after_s(start: Now, seconds: u64) -> Now {
        let time = Duration::from_secs(seconds);
        Now { instant: start.instant + time, utc: start.utc.after(time) }
    }

    /// The end of one call is lost, as is all that is told of it but its release.
    #[test]
    fn of_a_call_whose_end_was_lost_nothing_is_left() {
        let (mut watcher, start) = (watcher(), crate::clock::now());
        let asked = Cell::new(0);
        let report = || asked.set(asked.get() + 1);
        for number in 1..=3 {
            watcher.take(&call(number, CallState::Answered), start);
        }
        watcher.take(&call(1, CallState::Released), start);
        watcher.dropped.events.fetch_add(2, Ordering::Relaxed);
        watcher.sweep(after_s(start, 1), &report);
        watcher.take(&call(3, CallState::Answered), after_s(start, 2));
        watcher.sweep(after_s(start, 3), &report);
        assert_eq!((asked.get(), watcher.states.len()), (1, 3));
        watcher.sweep(after_s(start, 12), &report);
        let left: Vec<_> = watcher.states.keys().map(|it| it.0.as_u128()).collect();
        assert_eq!((asked.get(), left), (1, vec![3]));
    }

    #[test]
    fn a_fault_of_the_thread_is_told() {
        let ring = Arc::new(Ring::new(UnixMillis(1), "here"));
        let (told, lost) = sync_channel(1);
        let report = || panic!("a fault that is meant to be");
        let lose = move |thread| told.send(thread).unwrap();
        let (_sink, dropped) = start(Arc::default(), ring, report, lose).unwrap();
        dropped.events.fetch_add(1, Ordering::Relaxed);
        assert_eq!(lost.recv(), Ok("board"));
    }

    /// Each wake-up is a system call of the core thread.
    #[test]
    fn a_thousand_events_wake_a_deep_sleeper_once_and_nobody_else() {
        let (events, _events) = sync_channel(EVENTS_MAX);
        let (strangers, _strangers) = sync_channel(STRANGER_EVENTS_MAX);
        let watcher = Arc::new(Sleep::default());
        let sink =
            Sink { events, strangers, dropped: Arc::default(), watcher: Arc::clone(&watcher) };
        let wakes = |deep, event: fn() -> Event| {
            watcher.deep.store(deep, Ordering::SeqCst);
            let before = watcher.ended.load(Ordering::Relaxed);
            (0..1000).for_each(|_| sink.publish(event()));
            watcher.ended.load(Ordering::Relaxed) - before
        };
        let news = || call(1, CallState::Answered);
        assert_eq!((wakes(false, news), wakes(true, news)), (0, 1));
        let stranger = || Event::Throttled { source: ([192, 0, 2, 1], 5060).into() };
        assert_eq!((wakes(false, stranger), wakes(true, stranger)), (0, 1));
        let answer = || Event::Ordered { token: 1, undone: None };
        assert_eq!(wakes(false, answer), 1000, "somebody waits for each");
    }

    #[test]
    fn the_ring_of_events_is_swept_each_second() {
        let (mut watcher, start) = (watcher(), crate::clock::now());
        let mut reader = watcher.ring.read(None, Kinds::ALL).unwrap();
        for _ in 0..2000 {
            watcher.ring.push(start.utc, Fact::Lost);
        }
        watcher.sweep(after_s(start, 60), &|| ());
        assert!(reader.take().lost.is_some(), "what is older than half a minute has gone");
    }

    #[test]
    fn a_stranger_cannot_forge_the_security_line() {
        let source = "198.51.100.7:5060".parse().unwrap();
        #[rustfmt::skip]
        let table = [
            ("100",                    "auth_failed proto=sip addr=198.51.100.7 user=100 reason=bad_digest"),
            ("1 addr=1.2.3.4\nx",      "auth_failed proto=sip addr=198.51.100.7 user=1?addr?1.2.3.4?x reason=bad_digest"),
        ];
        for (user, expected) in table {
            assert_eq!(auth_failed(source, user, "bad_digest"), expected);
        }
    }
}
