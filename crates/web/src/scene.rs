//! For tests: an office without sockets, of a real database and API and a server in which nothing happens by itself.

#![allow(clippy::unwrap_used)]

use crate::access::Peer;
use crate::events::Ring;
use crate::resource::{Call, Failure, Status, Traced};
use crate::{
    Changed, Edit, Explained, Office, Running, TraceSource, control_router, public_router,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use pbx::call::media::Half;
use pbx::call::placed::Order;
use pbx::dialplan::live::AllUp;
use pbx::dialplan::{Trial, Tried};
use pbx::directory::Directory;
use pbx::line::doctor::report::Report;
use pbx::line::live::LineStatus;
use pbx::record::{Binding, BindingKey, CallRecord};
use pbx::supplementary::PhoneChange;
use pbx::time::UnixMillis;
use pbx::trunk::live::TrunkStatus;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::Db;
use tempfile::TempDir;
use tower::ServiceExt as _;

/// This machine, a private network, a trusted network, and the world.
pub(crate) const HERE: &str = "127.0.0.1:40000";
pub(crate) const OFFICE: &str = "192.168.1.7:40000";
pub(crate) const TRUSTED: &str = "203.0.113.5:40000";
pub(crate) const WORLD: &str = "198.51.100.5:40000";

pub(crate) struct Scene {
    pub(crate) server: Arc<Still>,
    pub(crate) office: Office,
    listener: Router,
    socket: Router,
    _folder: TempDir,
}

/// A request being put together.
pub(crate) struct Asking<'a> {
    scene: &'a Scene,
    method: Method,
    path: String,
    /// `None`: by the control socket.
    from: Option<String>,
    headers: Vec<(String, String)>,
    body: Body,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path()).await.unwrap();
        let server = Arc::new(Still::new(db.clone()).await);
        let office = Office::new(db, Arc::clone(&server) as Arc<dyn Running>)
            .trusting(vec!["203.0.113.0/24".parse().unwrap()]);
        let (listener, socket) = (public_router(office.clone()), control_router(office.clone()));
        Self { server, office, listener, socket, _folder: folder }
    }

    /// By the listener, from this machine.
    pub(crate) fn ask(&self, method: Method, path: &str) -> Asking<'_> {
        Asking {
            scene: self,
            method,
            path: path.to_owned(),
            from: Some(HERE.to_owned()),
            headers: vec![("host".to_owned(), "localhost:8080".to_owned())],
            body: Body::empty(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Asking<'_> {
        self.ask(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Asking<'_> {
        self.ask(Method::POST, path)
    }
}

impl Asking<'_> {
    pub(crate) fn path(&self) -> String {
        self.path.clone()
    }

    pub(crate) fn from(self, peer: &str) -> Self {
        Self { from: Some(peer.to_owned()), ..self }
    }

    pub(crate) fn by_socket(self) -> Self {
        Self { from: None, ..self }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(it, _)| it != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        let this = self.with("content-type", "application/json");
        Self { body: body.to_string().into(), ..this }
    }

    pub(crate) fn text(self, kind: &str, body: &str) -> Self {
        let this = self.with("content-type", kind);
        Self { body: body.to_owned().into(), ..this }
    }

    pub(crate) fn bytes(self, body: Vec<u8>) -> Self {
        let this = self.with("content-type", "application/gzip");
        Self { body: body.into(), ..this }
    }

    pub(crate) async fn send(self) -> Answer {
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(self.body).unwrap();
        let router = match self.from {
            Some(peer) => {
                request
                    .extensions_mut()
                    .insert(Peer { address: peer.parse().unwrap(), tls: false });
                &self.scene.listener
            }
            None => &self.scene.socket,
        };
        let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// The status alone.
    pub(crate) async fn status(self) -> u16 {
        self.send().await.status
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// The stable word of a failure.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    /// The session cookie that was set, as the browser sends it back.
    pub(crate) fn cookie(&self) -> String {
        let set = self.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap();
        set.split(';').next().unwrap().to_owned()
    }
}

/// A server in which nothing happens by itself, and time stands still until it is moved on.
pub(crate) struct Still {
    db: Db,
    directory: Mutex<Arc<Directory>>,
    events: Arc<Ring>,
    now: AtomicU64,
    anew: AtomicBool,
    /// Calls it was asked to place.
    pub(crate) placed: Mutex<Vec<Order>>,
    /// SIP messages that a trace finds next.
    pub(crate) messages: Arc<Mutex<VecDeque<Traced>>>,
}

impl Still {
    async fn new(db: Db) -> Self {
        let directory = Mutex::new(Arc::new(db.load_directory(0).await.unwrap()));
        let events = Arc::new(Ring::new(UnixMillis(1_795_659_300_000), "test"));
        Self {
            db,
            directory,
            events,
            now: AtomicU64::new(1_795_659_300_000),
            anew: AtomicBool::new(false),
            placed: Mutex::default(),
            messages: Arc::default(),
        }
    }

    pub(crate) fn is_starting_anew(&self) -> bool {
        self.anew.load(Ordering::Relaxed)
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
        Status {
            version: "0.1.0".to_owned(),
            uptime_s: 1,
            ready: true,
            sip_udp: vec![],
            sip_tcp: vec![],
            http: vec![],
            standby: self.db.is_standby(),
            registrations: 0,
            calls: 0,
        }
    }

    fn server_address(&self) -> String {
        "192.168.1.10".to_owned()
    }

    fn bindings(&self, _: Option<&BindingKey>, _: usize) -> Vec<Arc<Binding>> {
        vec![]
    }

    fn calls(&self) -> Vec<Call> {
        vec![]
    }

    fn ended(&self) -> Vec<Call> {
        vec![]
    }

    fn call(&self, _: &str) -> Option<Call> {
        None
    }

    fn of_record(&self, _: &CallRecord) -> Call {
        panic!("no calls here")
    }

    fn hangup(&self, _: &Call) -> bool {
        false
    }

    fn place(&self, order: Order) -> bool {
        self.placed.lock().unwrap().push(order);
        true
    }

    fn transfer(&self, _: &Call, _: Half, _: &str) -> bool {
        true
    }

    fn set_by_phone(&self, _: &str, _: PhoneChange) -> bool {
        true
    }

    fn ladder(&self, _: &Call, _: usize) -> Vec<Traced> {
        vec![]
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

    fn is_registered(&self, _: &str) -> bool {
        true
    }

    fn explain(&self, trial: Trial) -> Explained<'_> {
        let explanation = trial.explain(&AllUp);
        Box::pin(async move { Some(Arc::new(Tried { trial, explanation })) })
    }

    fn lines(&self) -> Vec<LineStatus> {
        vec![]
    }

    fn trunks(&self) -> Vec<TrunkStatus> {
        vec![]
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

    fn metrics(&self) -> String {
        "metrics\n".to_owned()
    }

    fn is_alive(&self) -> bool {
        true
    }

    fn is_ready(&self) -> bool {
        true
    }
}
