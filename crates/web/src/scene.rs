//! For tests: an office without sockets, of a real database and API and a server in which nothing happens by itself.

#![allow(clippy::unwrap_used)]

mod still;

pub(crate) use still::{NOW, Still};

use crate::access::Peer;
use crate::certificate::{self, Certificate};
use crate::{Office, Running, control_router, public_router};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
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
        Self::of(|office, _| office).await
    }

    /// With a certificate of its own.
    pub(crate) async fn certified() -> Self {
        Self::of(|office, folder| {
            let folder = folder.join(certificate::FOLDER);
            let certificate = Certificate::open(folder, vec!["localhost".to_owned()], NOW);
            office.certified(Arc::new(certificate.unwrap()))
        })
        .await
    }

    async fn of(equipped: impl FnOnce(Office, &Path) -> Office) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path()).await.unwrap();
        let server = Arc::new(Still::new(db.clone()).await);
        let office = Office::new(db, Arc::clone(&server) as Arc<dyn Running>)
            .trusting(vec!["203.0.113.0/24".parse().unwrap()]);
        let office = equipped(office, folder.path());
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

    /// As it comes, with what says of what type it is.
    pub(crate) fn body(self, body: Body) -> Self {
        Self { body, ..self }
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
