//! An office without sockets: a real database and API, and a server that only says what it is told to.

use crate::events::Ring;
use crate::resource::{
    AddRequest, Call, Change, Failure, Happening, Leg, NewExtension, Status, Traced, Verdict,
};
use crate::{Changed, Edit, Explained, Office, Running, TraceSource, pages_router};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use pbx::call::media::Half;
use pbx::call::placed::Order;
use pbx::dialplan::live::AllUp;
use pbx::dialplan::{Trial, Tried};
use pbx::directory::Directory;
use pbx::event::CallState;
use pbx::id::TenantId;
use pbx::line::doctor::report::Report;
use pbx::line::live::LineStatus;
use pbx::record::{Binding, BindingKey, CallRecord};
use pbx::release::ReleaseCode;
use pbx::supplementary::PhoneChange;
use pbx::text;
use pbx::time::UnixMillis;
use pbx::trunk::live::TrunkStatus;
use serde_json::json;
use sip::{Flow, Transport};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::Db;
use tempfile::TempDir;
use tower::ServiceExt as _;

/// What a stranger may call himself.
pub(super) const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";

/// Thursday, 2026-11-26 02:15 UTC.
const NOW: UnixMillis = UnixMillis(1_795_659_300_000);

pub(super) struct Scene {
    pub(super) db: Db,
    pub(super) server: Arc<Server>,
    router: Router,
    _folder: TempDir,
}

/// Extensions 100 to 102; the last one's name is a stranger's idea of one.
async fn fill(db: &Db) {
    let named = |number: &str, name: &str| NewExtension {
        number: number.to_owned(),
        password: None,
        change: Change { name: Some(name.to_owned()), ..Change::default() },
    };
    let hostile: String = HOSTILE.chars().take(64).collect();
    let extensions = vec![named("100", "前台"), named("101", ""), named("102", &hostile)];
    let request = AddRequest { extensions, ..AddRequest::default() };
    let author = crate::audit::Author::offline(db, NOW);
    crate::extensions::add(&author, request).await.unwrap();
    let fields = |json: serde_json::Value| json.as_object().unwrap().clone();
    let line = json!({ "account": "1234", "domain": "sip.example.com", "password": "secret-word" });
    crate::outside::lines::add(db, fields(line), NOW).await.unwrap();
    let trunk = json!({ "id": 1, "addresses": [{ "host": "10.23.0.1" }], "description": hostile });
    crate::outside::trunks::add(db, fields(trunk), NOW).await.unwrap();
}

/// A call from a stranger that has failed, with all that can be said of one.
fn hostile_call() -> Call {
    let record = CallRecord {
        caller_number: "100".into(),
        caller_name: HOSTILE.into(),
        dialled_number: "101".into(),
        started_at: NOW,
        ended_at: Some(NOW),
        relayed: true,
        sip_status: 486,
        release_code: Some(ReleaseCode::CalleeBusy),
        ..CallRecord::default()
    };
    let leg = |side: &str| Leg {
        side: side.to_owned(),
        number: "100".to_owned(),
        remote: "192.168.1.20:5062".to_owned(),
        sip_call_id: HOSTILE.to_owned(),
        user_agent: HOSTILE.to_owned(),
        packets_in: 99,
        packets_out: 100,
        bytes_in: 0,
        lost_in: 1,
        jitter_ms: 1.5,
        refused: 0,
        light: Some("green".to_owned()),
    };
    let verdict = Verdict {
        code: "callee.busy".to_owned(),
        guilty: "callee".to_owned(),
        sentence: text!("101 was busy.", "分机101忙。"),
        remedy: text!("Try again later.", "请稍后重试。"),
        action: Some("dialtone calls".to_owned()),
        confidence: "certain".to_owned(),
    };
    let happening = Happening {
        at_ms: 1200,
        place: "callee".to_owned(),
        attempt: Some(1),
        what: "refused".to_owned(),
        text: text!("486 Busy", "拒绝（486）"),
        decisive: true,
    };
    Call {
        verdict: Some(verdict),
        timeline: vec![happening],
        legs: vec![leg("caller"), leg("callee")],
        short_id: "c-0123456789".to_owned(),
        ..Call::of(&record, CallState::Released)
    }
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<String> {
        Some(self.headers.get(name)?.to_str().ok()?.to_owned())
    }
}

impl Scene {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path()).await.unwrap();
        fill(&db).await;
        let directory = Mutex::new(Arc::new(db.load_directory(0).await.unwrap()));
        let server = Arc::new(Server::new(db.clone(), directory));
        let running: Arc<dyn Running> = Arc::clone(&server) as Arc<dyn Running>;
        let binding = Binding {
            key: BindingKey {
                tenant: TenantId::default(),
                extension: "100".into(),
                device: "1".into(),
            },
            contact: "sip:100@192.168.1.20:5062".into(),
            flow: Flow {
                transport: Transport::Udp,
                local: "192.168.1.10:5060".parse().unwrap(),
                remote: "192.168.1.20:5062".parse().unwrap(),
                connection: None,
            },
            call_id: "c".into(),
            cseq: 1,
            q: 1000,
            user_agent: HOSTILE.into(),
            registered_at: NOW,
            expires_at: NOW.after(Duration::from_secs(2700)),
        };
        server.bindings.lock().unwrap().push(Arc::new(binding));
        server.calls.lock().unwrap().push(hostile_call());
        let traced = |sent, text: &str| Traced {
            unix_ms: NOW.0,
            sent,
            transport: "udp".to_owned(),
            local: "192.168.1.10:5060".to_owned(),
            remote: "192.168.1.20:5062".to_owned(),
            call: None,
            text: text.to_owned(),
        };
        let invite = format!("INVITE sip:101@x SIP/2.0\r\nUser-Agent: {HOSTILE}\r\n\r\n");
        let busy = "SIP/2.0 486 Busy\r\nCSeq: 1 INVITE\r\n\r\n";
        server.traced.lock().unwrap().extend([traced(false, &invite), traced(true, busy)]);
        let as_cli = axum::middleware::from_fn(crate::access::as_cli);
        let router = pages_router(Office::new(db.clone(), running)).layer(as_cli);
        Self { db, server, router, _folder: folder }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub(super) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(Method::GET).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form as a browser does.
    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = serde_urlencoded::to_string(fields).unwrap();
        let request = Request::builder().method(Method::POST).uri(path);
        let kind = "application/x-www-form-urlencoded";
        self.ask(request.header(header::CONTENT_TYPE, kind).body(body.into()).unwrap()).await
    }

    async fn ask(&self, request: Request) -> Answer {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

/// A server in which nothing happens by itself.
pub(super) struct Server {
    db: Db,
    directory: Mutex<Arc<Directory>>,
    events: Arc<Ring>,
    pub(super) calls: Mutex<Vec<Call>>,
    pub(super) bindings: Mutex<Vec<Arc<Binding>>>,
    pub(super) lines: Mutex<Vec<LineStatus>>,
    pub(super) trunks: Mutex<Vec<TrunkStatus>>,
    pub(super) traced: Mutex<Vec<Traced>>,
    /// Calls it was asked to place.
    pub(super) placed: Mutex<Vec<Order>>,
}

impl Server {
    fn new(db: Db, directory: Mutex<Arc<Directory>>) -> Self {
        Self {
            db,
            directory,
            events: Arc::new(Ring::new(NOW, "")),
            calls: Mutex::default(),
            bindings: Mutex::default(),
            lines: Mutex::default(),
            trunks: Mutex::default(),
            traced: Mutex::default(),
            placed: Mutex::default(),
        }
    }
}

struct Nothing;

impl TraceSource for Nothing {
    fn next(&mut self) -> Option<Traced> {
        None
    }

    fn take_lost(&mut self) -> bool {
        false
    }
}

impl Running for Server {
    fn status(&self) -> Status {
        Status {
            version: "0.1.0".to_owned(),
            uptime_s: 90_061,
            ready: true,
            sip_udp: vec!["192.168.1.10:5060".to_owned()],
            sip_tcp: vec!["192.168.1.10:5060".to_owned()],
            http: vec!["192.168.1.10:8080".to_owned()],
            standby: self.db.is_standby(),
            registrations: self.bindings.lock().unwrap().len() as u64,
            calls: self.calls.lock().unwrap().len() as u64,
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

    fn call(&self, id: &str) -> Option<Call> {
        self.calls().into_iter().find(|it| it.id == id || it.short_id == id)
    }

    fn ended(&self) -> Vec<Call> {
        vec![]
    }

    fn of_record(&self, record: &CallRecord) -> Call {
        Call::of(record, CallState::Released)
    }

    fn hangup(&self, _: &Call) -> bool {
        true
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

    fn ladder(&self, _: &Call, most: usize) -> Vec<Traced> {
        self.traced.lock().unwrap().iter().take(most).cloned().collect()
    }

    fn events(&self) -> &Arc<Ring> {
        &self.events
    }

    fn trace(&self, _: bool) -> Box<dyn TraceSource> {
        Box::new(Nothing)
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
        NOW
    }

    fn changed(&self, _: Edit) -> Changed<'_> {
        Box::pin(async {
            let directory = self.db.load_directory(0).await.map_err(Failure::from)?;
            *self.directory.lock().unwrap() = Arc::new(directory);
            Ok(())
        })
    }

    fn start_anew(&self) {}

    fn metrics(&self) -> String {
        String::new()
    }

    fn is_alive(&self) -> bool {
        true
    }

    fn is_ready(&self) -> bool {
        true
    }
}
