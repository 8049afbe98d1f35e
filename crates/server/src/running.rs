//! The running server as the API sees it: the board, the ring, the counters, never the core itself.

use crate::anew::Anew;
use crate::board::Board;
use crate::clock;
use crate::config::Advertised;
use crate::drive::{Order, Orders};
use crate::machine;
use crate::mask::masked;
use crate::metrics::{self, Process, Published, Surroundings};
use crate::office;
use crate::ring;
use crate::verdict::explained;
use crate::watch::Dropped;
use pbx::SmolStr;
use pbx::call::media::Half;
use pbx::call::placed;
use pbx::core::Command;
use pbx::dialplan::Trial;
use pbx::directory::Directory;
use pbx::event::{CallState, CallStatus, LegStatus, Undone};
use pbx::id::{CallId, TenantId};
use pbx::line::doctor::report::Report;
use pbx::line::live::LineStatus;
use pbx::record::{Binding, BindingKey, CallRecord, MediaFigures};
use pbx::supplementary::PhoneChange;
use pbx::time::UnixMillis;
use pbx::trunk::live::TrunkStatus;
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::directory::apply_extension_change;
use store::journal::State;
use store::{Db, StoreHandle};
use web::events::{Fact, Ring};
use web::resource::{Call, Failure, Leg, Status, Traced};
use web::{Changed, Edit, Explained, Ordered, Running, TraceSource};

/// More changed extensions than this are cheaper to load as a whole.
const SINGLE_CHANGES_MAX: usize = 200;
/// Within this the core has decided on a call that nobody places, or taken an order.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// Versions of the directory kept alive here, so that the core thread never frees a large one.
const RETIRED_MAX: usize = 2;

/// Where the server listens, with the real ports.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub(crate) struct Bound {
    pub(crate) sip_udp: Vec<SocketAddr>,
    pub(crate) sip_tcp: Vec<SocketAddr>,
    pub(crate) http: Vec<SocketAddr>,
    /// HTTP over TLS.
    pub(crate) https: Vec<SocketAddr>,
}

pub(crate) struct Live {
    pub(crate) board: Arc<Board>,
    pub(crate) ring: ring::Reader,
    pub(crate) events: Arc<Ring>,
    pub(crate) orders: Orders,
    pub(crate) published: Arc<Published>,
    pub(crate) dropped: Arc<Dropped>,
    pub(crate) media: Box<dyn Fn() -> media::Totals + Send + Sync>,
    /// Taken at the end.
    pub(crate) store: Mutex<Option<StoreHandle>>,
    pub(crate) db: Db,
    pub(crate) versions: Mutex<VecDeque<Arc<Directory>>>,
    pub(crate) data_dir: PathBuf,
    pub(crate) bound: Bound,
    pub(crate) started_at: Instant,
    /// Numbers the questions to the core; the answer carries the same.
    pub(crate) tokens: AtomicU64,
    pub(crate) ready: AtomicBool,
    pub(crate) anew: Arc<Anew>,
    /// Held while a new directory is made, so that the newest is always published last. True where
    /// the core may not know all that the database does.
    pub(crate) behind: tokio::sync::Mutex<bool>,
}

impl Running for Live {
    fn status(&self) -> Status {
        let (registrations, calls) = self.board.figures();
        let texts = |it: &[SocketAddr]| it.iter().map(ToString::to_string).collect();
        let disk = rustix::fs::statvfs(&self.data_dir).ok();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: clock::now().instant.duration_since(self.started_at).as_secs(),
            ready: self.is_ready(),
            sip_udp: texts(&self.bound.sip_udp),
            sip_tcp: texts(&self.bound.sip_tcp),
            http: texts(&self.bound.http),
            https: texts(&self.bound.https),
            // Told to who asks for it: every page asks for the rest.
            server: String::new(),
            standby: self.db.is_standby(),
            registrations,
            calls,
            disk_free: disk.as_ref().map(|it| it.f_bavail.saturating_mul(it.f_frsize)),
            disk_size: disk.as_ref().map(|it| it.f_blocks.saturating_mul(it.f_frsize)),
            // The web tells them, which knows of backups and certificates.
            troubles: vec![],
        }
    }

    fn server_address(&self) -> String {
        let bound = &self.bound.sip_udp;
        // Interfaces and routes are what it is made of; what others are told is not.
        let network = machine::network(&Advertised { rows: vec![] }, bound);
        office::server_address(&network, bound)
    }

    fn bindings(&self, after: Option<&BindingKey>, most: usize) -> Vec<Arc<Binding>> {
        self.board.bindings(after, most)
    }

    fn calls(&self) -> Vec<Call> {
        let now = clock::now().utc;
        self.board.calls().iter().map(|it| running(it, now)).collect()
    }

    fn newest_calls(&self, before: Option<CallId>, most: usize, ended: bool) -> Vec<Call> {
        let now = clock::now().utc;
        let (up, over) = self.board.newest(before, most);
        let mut calls: Vec<Call> = up.iter().map(|it| running(it, now)).collect();
        if ended {
            calls.extend(over.iter().map(|it| self.of_record(it)));
            // Ids sort by their start.
            calls.sort_by(|one, other| other.id.cmp(&one.id));
            calls.truncate(most);
        }
        calls
    }

    fn ended(&self) -> Vec<Call> {
        self.board.ended().iter().map(|it| self.of_record(it)).collect()
    }

    fn call(&self, id: &str) -> Option<Call> {
        let now = clock::now().utc;
        let meant = |call: CallId| call.to_string() == id || call.short().to_string() == id;
        let up = self.board.calls().into_iter().find(|it| meant(it.call));
        up.map(|it| self.explained(&it.record, running(&it, now))).or_else(|| {
            let ended = self.board.ended().into_iter().find(|it| meant(it.call_id));
            ended.map(|it| self.of_record(&it))
        })
    }

    fn of_record(&self, record: &CallRecord) -> Call {
        self.explained(record, ended(record))
    }

    fn hangup(&self, call: &Call) -> bool {
        let id = call.id.parse::<CallId>();
        id.is_ok_and(|id| self.orders.give(Order::Command(Command::Hangup(id))))
    }

    fn place(&self, order: placed::Order) -> Ordered<'_> {
        self.ordered(|token| Command::Place { order: Box::new(order), token })
    }

    fn transfer(&self, call: CallId, kept: Half, to: &str) -> Ordered<'_> {
        self.ordered(|token| Command::Transfer { call, kept, to: to.into(), token })
    }

    fn log_off(&self, key: BindingKey) -> bool {
        self.orders.give(Order::Command(Command::LogOff(key)))
    }

    fn set_by_phone(&self, extension: &str, change: PhoneChange) -> bool {
        let (tenant, extension) = (TenantId::default(), extension.into());
        self.orders.give(Order::Command(Command::SetPhone { tenant, extension, change }))
    }

    fn ladder(&self, call: &Call, most: usize) -> Vec<Traced> {
        let Ok(id) = call.id.parse::<CallId>() else { return vec![] };
        let mut ring = self.ring.at_start();
        // All others of tens of thousands are passed over before they are made readable.
        let mine = std::iter::from_fn(|| ring.next()).filter(|it| it.call == Some(id));
        mine.take(most).map(traced).collect()
    }

    fn events(&self) -> &Arc<Ring> {
        &self.events
    }

    fn trace(&self, past: bool) -> Box<dyn TraceSource> {
        Box::new(Trace(if past { self.ring.at_start() } else { self.ring.at_end() }))
    }

    fn directory(&self) -> Arc<Directory> {
        self.newest()
    }

    fn talking(&self) -> BTreeSet<SmolStr> {
        self.board.talking()
    }

    fn is_registered(&self, extension: &str) -> bool {
        self.board.has_phone(TenantId::default(), extension)
    }

    fn explain(&self, trial: Trial) -> Explained<'_> {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        let told = self.board.await_trial(token);
        let trial = Box::new(trial);
        let is_asked = self.orders.give(Order::Command(Command::Try { trial, token }));
        Box::pin(async move {
            let told = tokio::time::timeout(TOLD_WITHIN, told);
            if is_asked { told.await.ok()?.ok() } else { None }
        })
    }

    fn lines(&self) -> Vec<LineStatus> {
        self.board.lines()
    }

    fn trunks(&self) -> Vec<TrunkStatus> {
        self.board.trunks()
    }

    fn register_line(&self, account: &str) -> bool {
        let command =
            Command::RegisterLine { tenant: TenantId::default(), account: account.into() };
        self.orders.give(Order::Command(command))
    }

    fn examine_line(&self, account: &str, call: Option<&str>) -> Option<u64> {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        let (tenant, account) = (TenantId::default(), account.into());
        let command = Command::ExamineLine { tenant, account, call: call.map(Into::into), token };
        self.orders.give(Order::Command(command)).then_some(token)
    }

    fn examined(&self, token: u64) -> Option<Option<Report>> {
        self.board.examined(token)
    }

    fn now(&self) -> UnixMillis {
        clock::now().utc
    }

    fn changed(&self, edit: Edit) -> Changed<'_> {
        Box::pin(async move {
            let mut behind = self.behind.lock().await;
            // An edit that once did not reach the core is in the whole directory, not in the next.
            let next = if std::mem::replace(&mut *behind, true) {
                self.db.load_directory(self.newest().version + 1).await?
            } else {
                self.edited(&edit).await?
            };
            self.publish(next);
            *behind = false;
            self.events.push(clock::now().utc, Fact::Changed(edit));
            self.events.wake();
            Ok(())
        })
    }

    fn start_anew(&self) {
        self.anew.want();
    }

    fn metrics(&self, auth_failures: u64) -> String {
        let (counters, wire) = self.published.newest();
        metrics::render(&counters, &wire, &self.surroundings(auth_failures))
    }

    fn is_alive(&self) -> bool {
        self.published.is_alive(clock::now().instant)
    }

    fn is_ready(&self) -> bool {
        let store = lock(&self.store).as_ref().map(StoreHandle::metrics);
        let promises = store.is_some_and(|it| it.state != State::Full);
        promises && self.is_alive() && self.ready.load(Ordering::Acquire)
    }
}

impl Live {
    /// Brings all that the database says to the core, whoever wrote it.
    pub(crate) async fn read_again(&self) -> Result<(), Failure> {
        *self.behind.lock().await = true;
        self.changed(Edit::Extensions(vec![])).await
    }

    /// Gives the core an order, and waits for what comes of it.
    fn ordered(&self, command: impl FnOnce(u64) -> Command) -> Ordered<'_> {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        let told = self.board.await_order(token);
        let is_given = self.orders.give(Order::Command(command(token)));
        Box::pin(async move { if is_given { outcome(told, TOLD_WITHIN).await } else { None } })
    }

    /// With its timeline and, once it is over, its verdict.
    fn explained(&self, record: &CallRecord, call: Call) -> Call {
        let zone = self.newest().tenant(record.tenant).map(|it| it.zone.clone());
        let (verdict, timeline) = explained(record, &zone.unwrap_or_default());
        Call { verdict, timeline, ..call }
    }

    fn newest(&self) -> Arc<Directory> {
        lock(&self.versions).back().cloned().unwrap_or_default()
    }

    /// The newest directory with what the database now says of the edited.
    async fn edited(&self, edit: &Edit) -> Result<Directory, Failure> {
        let newest = self.newest();
        Ok(match edit {
            Edit::DialPlan => self.db.with_tables(&newest, TenantId::default()).await?,
            Edit::Settings => self.db.with_settings(&newest, TenantId::default()).await?,
            Edit::Extensions(numbers) if numbers.len() > SINGLE_CHANGES_MAX => {
                self.db.load_directory(newest.version + 1).await?
            }
            Edit::Extensions(numbers) => {
                let mut next = Directory::clone(&newest);
                for number in numbers {
                    let change = self.db.extension_change(TenantId::default(), number).await?;
                    next = apply_extension_change(&next, TenantId::default(), change);
                }
                next
            }
        })
    }

    /// The database is committed already; the core decides by it from its next input on.
    fn publish(&self, directory: Directory) {
        let next = Arc::new(directory);
        let mut versions = lock(&self.versions);
        versions.push_back(Arc::clone(&next));
        while versions.len() > RETIRED_MAX {
            versions.pop_front();
        }
        self.orders.give(Order::Directory(next));
    }

    fn surroundings(&self, http_auth_failures: u64) -> Surroundings {
        let store = lock(&self.store).as_ref().map(StoreHandle::metrics);
        let (lines, trunks) = self.board.outside();
        let disk = rustix::fs::statvfs(&self.data_dir).ok();
        Surroundings {
            uptime: clock::now().instant.duration_since(self.started_at),
            media: (self.media)(),
            store,
            calls_active: self.board.calls_by_direction(),
            lines,
            trunks,
            events_dropped: self.dropped.events.load(Ordering::Relaxed),
            http_auth_failures,
            disk_free_bytes: disk.map(|it| it.f_bavail.saturating_mul(it.f_frsize)),
            process: Process::read(),
        }
    }
}

/// What a panic elsewhere left behind is still a whole value here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Trace(ring::Reader);

impl TraceSource for Trace {
    fn next(&mut self) -> Option<Traced> {
        self.0.next().map(traced)
    }

    fn take_lost(&mut self) -> bool {
        self.0.take_lost()
    }
}

fn traced(entry: ring::Entry) -> Traced {
    Traced {
        unix_ms: entry.at.0,
        sent: entry.sent,
        transport: entry.flow.transport.uri_name().to_owned(),
        local: entry.flow.local.to_string(),
        remote: entry.flow.remote.to_string(),
        call: entry.call.map(|it| it.to_string()),
        text: masked(&entry.bytes),
    }
}

fn running(status: &CallStatus, now: UnixMillis) -> Call {
    let record = &status.record;
    Call {
        duration_s: now.since(record.answered_at.unwrap_or(record.started_at)).as_secs(),
        codec_caller: status.codec_caller.to_string(),
        codec_callee: status.codec_callee.to_string(),
        relayed: status.relayed,
        legs: status.legs.iter().map(leg).collect(),
        ..Call::of(record, status.state)
    }
}

fn ended(record: &CallRecord) -> Call {
    let legs = if record.relayed { figures(record) } else { vec![] };
    Call { legs, ..Call::of(record, CallState::Released) }
}

/// What is left of the two sides of a call: their media in sum.
fn figures(record: &CallRecord) -> Vec<Leg> {
    let leg = |side: &str, number: &str, device: &str, media: &MediaFigures| Leg {
        side: side.to_owned(),
        number: number.to_owned(),
        remote: String::new(),
        sip_call_id: String::new(),
        user_agent: device.to_owned(),
        packets_in: media.rtp_packets_in,
        packets_out: media.rtp_packets_out,
        bytes_in: media.rtp_bytes_in,
        lost_in: media.rtp_lost_in,
        jitter_ms: f64::from(media.rtp_jitter_ms_in),
        refused: 0,
        light: None,
    };
    let caller = leg("caller", &record.caller_number, &record.caller_device, &record.caller_media);
    let callee = leg("callee", &record.callee_number, &record.callee_device, &record.callee_media);
    vec![caller, callee]
}

fn leg(leg: &LegStatus) -> Leg {
    let sum = |figure: fn(&pbx::media::Figures) -> u64| leg.media.iter().map(figure).sum();
    let jitter_us = leg.media.iter().map(|it| it.jitter_in_us).max().unwrap_or(0);
    Leg {
        side: if leg.caller { "caller" } else { "callee" }.to_owned(),
        number: leg.number.to_string(),
        remote: leg.remote.to_string(),
        sip_call_id: leg.sip_call_id.to_string(),
        user_agent: leg.user_agent.to_string(),
        packets_in: sum(|it| it.packets_in),
        packets_out: sum(|it| it.packets_out),
        bytes_in: sum(|it| it.bytes_in),
        lost_in: sum(|it| it.lost_in),
        jitter_ms: f64::from(jitter_us) / 1000.0,
        refused: sum(|it| it.refused),
        light: leg.light.map(|it| it.as_str().to_owned()),
    }
}

/// What the core says of an order that it was given. One that it has not come to yet it will do: whoever was told
/// otherwise would give it twice.
async fn outcome<E>(
    told: impl Future<Output = Result<Result<(), Undone>, E>>,
    within: Duration,
) -> Option<Result<(), Undone>> {
    match tokio::time::timeout(within, told).await {
        Ok(told) => told.ok(),
        Err(_) => Some(Ok(())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_order_that_waits_is_not_given_twice() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let of = |told| runtime.block_on(async { outcome(told, Duration::ZERO).await });
        let (answer, told) = tokio::sync::oneshot::channel();
        answer.send(Err(Undone::NoCall)).unwrap();
        assert_eq!(of(told), Some(Err(Undone::NoCall)));
        let (_core, told) = tokio::sync::oneshot::channel();
        assert_eq!(of(told), Some(Ok(())), "it is the core's to do");
        let (core, told) = tokio::sync::oneshot::channel();
        drop(core);
        assert_eq!(of(told), None, "the core is gone");
    }
}
