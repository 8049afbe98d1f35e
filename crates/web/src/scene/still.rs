//! A server in which nothing happens by itself, and time stands still until it is moved on: it says what it is told to
//! say, and remembers what it was asked to do.

use crate::events::Ring;
use crate::resource::{Call, Failure, Status, Traced};
use crate::{Changed, Edit, Explained, Ordered, Running, TraceSource};
use pbx::SmolStr;
use pbx::call::media::Half;
use pbx::call::placed::Order;
use pbx::dialplan::live::AllUp;
use pbx::dialplan::{Trial, Tried};
use pbx::directory::Directory;
use pbx::event::{CallState, Undone};
use pbx::id::CallId;
use pbx::line::doctor::report::Report;
use pbx::line::live::LineStatus;
use pbx::record::{Binding, BindingKey, CallRecord};
use pbx::supplementary::PhoneChange;
use pbx::time::UnixMillis;
use pbx::trunk::live::TrunkStatus;
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::Db;

/// Thursday, 2026-11-26 02:15 UTC.
pub(crate) const NOW: UnixMillis = UnixMillis(1_795_659_300_000);

pub(crate) struct Still {
    db: Db,
    directory: Mutex<Arc<Directory>>,
    events: Arc<Ring>,
    now: AtomicU64,
    anew: AtomicBool,
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) bindings: Mutex<Vec<Arc<Binding>>>,
    /// Extensions that no phone is registered for.
    pub(crate) offline: Mutex<Vec<String>>,
    pub(crate) lines: Mutex<Vec<LineStatus>>,
    pub(crate) trunks: Mutex<Vec<TrunkStatus>>,
    /// The messages of every call.
    pub(crate) ladder: Mutex<Vec<Traced>>,
    /// Those that a trace finds next.
    pub(crate) messages: Arc<Mutex<VecDeque<Traced>>>,
    /// Calls it was asked to place.
    pub(crate) placed: Mutex<Vec<Order>>,
    /// Devices whose registration it was asked to end.
    pub(crate) logged_off: Mutex<Vec<BindingKey>>,
    /// What comes of orders; `None`: the core does not answer.
    pub(crate) outcome: Mutex<Option<Result<(), Undone>>>,
}

impl Still {
    pub(crate) async fn new(db: Db) -> Self {
        let directory = Mutex::new(Arc::new(db.load_directory(0).await.unwrap()));
        Self {
            db,
            directory,
            events: Arc::new(Ring::new(NOW, "test")),
            now: AtomicU64::new(NOW.0),
            anew: AtomicBool::new(false),
            calls: Mutex::default(),
            bindings: Mutex::default(),
            offline: Mutex::default(),
            lines: Mutex::default(),
            trunks: Mutex::default(),
            ladder: Mutex::default(),
            messages: Arc::default(),
            placed: Mutex::default(),
            logged_off: Mutex::default(),
            outcome: Mutex::new(Some(Ok(()))),
        }
    }

    pub(crate) fn is_starting_anew(&self) -> bool {
        self.anew.load(Ordering::Relaxed)
    }

    fn ordered(&self) -> Ordered<'_> {
        let outcome = *self.outcome.lock().unwrap();
        Box::pin(async move { outcome })
    }

    pub(crate) fn wait(&self, time: Duration) {
        self.now.fetch_add(time.as_millis().try_into().unwrap(), Ordering::Relaxed);
    }
}

struct Messages(Arc<Mutex<VecDeque<Traced>>>);

impl TraceSource for Messages {
    fn next(&mut self) -> Option<Traced> {
        self.0.lock().unwrap().pop_front()
    }

    fn take_lost(&mut self) -> bool {
        false
    }
}

impl Running for Still {
    fn status(&self) -> Status {
        let here = |port: u16| vec![format!("192.168.1.10:{port}")];
        Status {
            version: "0.1.0".to_owned(),
            uptime_s: 90_061,
            ready: true,
            sip_udp: here(5060),
            sip_tcp: here(5060),
            http: here(8080),
            https: here(8443),
            server: String::new(),
            standby: self.db.is_standby(),
            registrations: self.bindings.lock().unwrap().len() as u64,
            calls: self.calls.lock().unwrap().len() as u64,
            disk_free: Some(90),
            disk_size: Some(100),
            troubles: vec![],
        }
    }

    fn server_address(&self) -> String {
        "192.168.1.10".to_owned()
    }

    fn bindings(&self, after: Option<&BindingKey>, most: usize) -> Vec<Arc<Binding>> {
        let bindings = self.bindings.lock().unwrap();
        let later = |it: &&Arc<Binding>| after.is_none_or(|after| it.key > *after);
        bindings.iter().filter(later).take(most).cloned().collect()
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    fn newest_calls(&self, before: Option<CallId>, most: usize, ended: bool) -> Vec<Call> {
        let before = before.map(|it| it.to_string());
        let mut calls = self.calls();
        calls.retain(|it| {
            (ended || it.ended_at.is_none()) && before.as_ref().is_none_or(|before| it.id < *before)
        });
        calls.sort_by(|one, other| other.id.cmp(&one.id));
        calls.truncate(most);
        calls
    }

    fn ended(&self) -> Vec<Call> {
        vec![]
    }

    fn call(&self, id: &str) -> Option<Call> {
        self.calls().into_iter().find(|it| it.id == id || it.short_id == id)
    }

    fn of_record(&self, record: &CallRecord) -> Call {
        Call::of(record, CallState::Released)
    }

    fn hangup(&self, _: &Call) -> bool {
        true
    }

    fn place(&self, order: Order) -> Ordered<'_> {
        self.placed.lock().unwrap().push(order);
        self.ordered()
    }

    fn transfer(&self, _: CallId, _: Half, _: &str) -> Ordered<'_> {
        self.ordered()
    }

    fn log_off(&self, key: BindingKey) -> bool {
        self.logged_off.lock().unwrap().push(key);
        true
    }

    fn set_by_phone(&self, _: &str, _: PhoneChange) -> bool {
        true
    }

    fn ladder(&self, _: &Call, most: usize) -> Vec<Traced> {
        self.ladder.lock().unwrap().iter().take(most).cloned().collect()
    }

    fn events(&self) -> &Arc<Ring> {
        &self.events
    }

    fn trace(&self, _: bool) -> Box<dyn TraceSource> {
        Box::new(Messages(Arc::clone(&self.messages)))
    }

    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.lock().unwrap())
    }

    fn talking(&self) -> BTreeSet<SmolStr> {
        let calls = self.calls();
        calls.iter().flat_map(|it| [it.caller.as_str().into(), it.callee.as_str().into()]).collect()
    }

    fn is_registered(&self, extension: &str) -> bool {
        !self.offline.lock().unwrap().iter().any(|it| it == extension)
    }

    fn explain(&self, trial: Trial) -> Explained<'_> {
        let explanation = trial.explain(&AllUp);
        Box::pin(async move { Some(Arc::new(Tried { trial, explanation })) })
    }

    fn lines(&self) -> Vec<LineStatus> {
        self.lines.lock().unwrap().clone()
    }

    fn trunks(&self) -> Vec<TrunkStatus> {
        self.trunks.lock().unwrap().clone()
    }

    fn register_line(&self, _: &str) -> bool {
        true
    }

    fn examine_line(&self, _: &str, _: Option<&str>) -> Option<u64> {
        None
    }

    fn examined(&self, _: u64) -> Option<Option<Report>> {
        None
    }

    fn now(&self) -> UnixMillis {
        UnixMillis(self.now.load(Ordering::Relaxed))
    }

    fn changed(&self, _: Edit) -> Changed<'_> {
        Box::pin(async {
            let directory = self.db.load_directory(0).await.map_err(Failure::from)?;
            *self.directory.lock().unwrap() = Arc::new(directory);
            Ok(())
        })
    }

    fn start_anew(&self) {
        self.anew.store(true, Ordering::Relaxed);
    }

    fn metrics(&self, auth_failures: u64) -> String {
        format!("wrong credentials: {auth_failures}\n")
    }

    fn is_alive(&self) -> bool {
        true
    }

    fn is_ready(&self) -> bool {
        true
    }
}
