//! An office without sockets: a real database and API, and a server that only says what it is told to.

use crate::resource::{AddRequest, Call, Change, Happening, Leg, NewExtension, Traced, Verdict};
use crate::scene::{NOW, Still};
use crate::{Office, Running, pages_router};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use pbx::event::CallState;
use pbx::id::TenantId;
use pbx::record::{Binding, BindingKey, CallRecord};
use pbx::release::ReleaseCode;
use pbx::text;
use serde_json::json;
use sip::{Flow, Transport};
use std::sync::Arc;
use std::time::Duration;
use store::Db;
use store::db::{RegistrationChange, What, Why};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// What a stranger may call himself.
pub(super) const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";

pub(super) struct Scene {
    pub(super) db: Db,
    pub(super) server: Arc<Still>,
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
    crate::extensions::add(author, request).await.unwrap();
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
        let server = Arc::new(Still::new(db.clone()).await);
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
        let registered = RegistrationChange::of(&binding, NOW, What::Registered, Why::Registered);
        db.note_registration_changes(TenantId::default(), &[registered]).await.unwrap();
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
        server.ladder.lock().unwrap().extend([traced(false, &invite), traced(true, busy)]);
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
