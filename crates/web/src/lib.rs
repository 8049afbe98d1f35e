//! HTTP: metrics and health for monitors, and the API that the command line, programs and pages speak.
//!
//! Above `store`, beside the core: what runs is seen through [`Running`], which the server
//! implements. The API is served on the Unix socket to whoever may open that, and on the listener behind
//! [`access`].

pub mod access;
pub mod audit;
pub mod backups;
pub mod calls;
pub mod captures;
pub mod certificate;
mod conventions;
mod derived;
pub mod dial_plan;
pub mod events;
pub mod extensions;
pub mod failure;
pub mod features;
#[cfg(test)]
mod fuzz;
mod live;
mod metrics;
pub mod moment;
pub mod mss;
pub mod nearest;
pub mod openapi;
pub mod outside;
mod pages;
mod provisioning;
mod readings;
pub mod records;
pub mod registration_history;
pub mod resource;
#[cfg(test)]
mod scene;
pub mod settings;
mod socket;
mod supplementary;
mod troubles;
pub mod webhooks;
mod whole;
mod zipped;

pub use live::{CallPage, Changed, Edit, Explained, Ordered, Running, TraceFilter, TraceSource};
pub use pages::{pages_router, segment};
pub use socket::{ControlSocket, serve_control, serve_public, serve_tls};

use access::Access;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use certificate::Certificate;
use conventions::Again;
use derived::Derived;
use ipnet::IpNet;
use pbx::dialplan::lint::finding::Finding;
use std::sync::Arc;
use store::Db;
use tokio::sync::Mutex;

/// Longest body of a request: an import of 100,000 extensions. Unit: octets.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What the handlers work with.
#[derive(Clone)]
pub struct Office {
    pub db: Db,
    pub running: Arc<dyn Running>,
    /// Edits come one after the other, so that the newest directory is always published last.
    edits: Arc<Mutex<()>>,
    /// Held by whoever makes, looks into or restores a backup.
    backups: Arc<Mutex<()>>,
    uploads: Arc<Mutex<()>>,
    /// Held by whoever compares a resource with what he has seen, and then changes it.
    comparing: Arc<Mutex<()>>,
    again: Arc<Again>,
    pub(crate) nightly: Arc<backups::Nightly>,
    /// What is wrong with the dial plan in force.
    findings: Arc<Derived<Vec<Finding>>>,
    pub(crate) webhooks: Arc<webhooks::Webhooks>,
    pub(crate) captures: Arc<captures::Captures>,
    readings: Arc<readings::Readings>,
    pub(crate) offers: Arc<provisioning::Offers>,
    pub(crate) access: Arc<Access>,
    /// Of the listener for TLS, where there is one.
    pub(crate) certificate: Option<Arc<Certificate>>,
    /// The port of the listener for TLS that whoever asks without it is sent to.
    pub(crate) redirect: Option<u16>,
}

impl Office {
    pub fn new(db: Db, running: Arc<dyn Running>) -> Self {
        Self {
            nightly: Arc::new(backups::Nightly::of(db.folder())),
            db,
            running,
            edits: Arc::default(),
            backups: Arc::default(),
            uploads: Arc::default(),
            comparing: Arc::default(),
            again: Arc::default(),
            findings: Arc::default(),
            webhooks: Arc::default(),
            captures: Arc::default(),
            readings: Arc::default(),
            offers: Arc::default(),
            access: Arc::new(Access::new(vec![])),
            certificate: None,
            redirect: None,
        }
    }

    /// With addresses that are served wherever they are, and never kept waiting.
    #[must_use]
    pub fn trusting(self, networks: Vec<IpNet>) -> Self {
        Self { access: Arc::new(Access::new(networks)), ..self }
    }

    /// With the certificate that is shown to those who ask by TLS.
    #[must_use]
    pub fn certified(self, certificate: Arc<Certificate>) -> Self {
        Self { certificate: Some(certificate), ..self }
    }

    /// Whoever asks without TLS is sent to this port, once an installed certificate is in use.
    #[must_use]
    pub fn redirecting(self, port: u16) -> Self {
        Self { redirect: Some(port), ..self }
    }

    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.certificate.clone()
    }
}

/// All that the listener serves: metrics and health to everybody, the rest to those whom the guard lets through.
pub fn public_router(office: Office) -> Router {
    let guard = from_fn_with_state(office.clone(), access::guard::guard);
    let compatible = mss::openapi::routes().with_state(office.clone());
    let guarded = api_router(office.clone()).merge(pages_router(office.clone()));
    let guarded = guarded.merge(compatible).layer(guard);
    let guarded = guarded.layer(axum::middleware::from_fn(zipped::zipped));
    let secure = from_fn_with_state(office.clone(), access::secure);
    monitors(office).merge(guarded).layer(secure)
}

/// All that the control socket serves: the API.
pub fn control_router(office: Office) -> Router {
    let as_cli = axum::middleware::from_fn(access::as_cli);
    api_router(office).fallback(live::no_such_path).layer(as_cli)
}

/// `/metrics`, `/healthz` and `/readyz`: nothing here says who calls whom.
fn monitors(office: Office) -> Router {
    let health = Router::new()
        .route("/healthz", get(live::healthz))
        .route("/readyz", get(live::readyz))
        .with_state(Arc::clone(&office.running));
    Router::new().route("/metrics", get(live::metrics)).with_state(office).merge(health)
}

/// Everything below `/api/v1`. Every request has its [`access::Principal`].
fn api_router(office: Office) -> Router {
    let resources = resources().with_state(office.clone());
    let compared = conventions::Compared { office: office.clone(), resources: resources.clone() };
    resources
        .layer(axum::middleware::from_fn(conventions::objects))
        .layer(from_fn_with_state(compared, conventions::unchanged))
        .layer(from_fn_with_state(office, conventions::once))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(whole::to_the_end))
        .layer(axum::middleware::from_fn(conventions::explained))
}

/// The paths and their handlers.
fn resources() -> Router<Office> {
    Router::new()
        .merge(access::routes())
        .route("/api/v1/audit-entries", get(audit::on_page))
        .route("/api/v1/audit-entries/{id}", post(audit::on_verb))
        .route("/api/v1/status", get(live::status))
        .route("/api/v1/extensions", get(extensions::on_list).post(extensions::on_add))
        .route(
            "/api/v1/extensions/{number}",
            get(extensions::on_show)
                .patch(extensions::on_set)
                .delete(extensions::on_delete)
                .post(extensions::on_verb),
        )
        .route("/api/v1/extensions:import", post(extensions::sheet::on_import))
        .route("/api/v1/extensions:export", get(extensions::sheet::on_export))
        .route("/api/v1/settings", get(settings::on_list))
        .route(
            "/api/v1/settings/{key}",
            get(settings::on_show).patch(settings::on_set).delete(settings::on_reset),
        )
        .route(
            "/api/v1/dial-plan",
            get(dial_plan::tables::on_export).put(dial_plan::tables::on_import),
        )
        .route("/api/v1/dial-plan:lint", get(dial_plan::on_lint))
        .route("/api/v1/dial-plan:simulate", post(dial_plan::on_simulate))
        .route("/api/v1/feature-codes", get(features::on_list))
        .route(
            "/api/v1/feature-codes/{feature}",
            get(features::on_show).patch(features::on_set).delete(features::on_reset),
        )
        .route("/api/v1/external-lines", get(outside::lines::on_list).post(outside::lines::on_add))
        .route(
            "/api/v1/external-lines/{account}",
            get(outside::lines::on_show)
                .patch(outside::lines::on_set)
                .delete(outside::lines::on_delete)
                .post(outside::lines::on_verb),
        )
        .route("/api/v1/sip-trunks", get(outside::trunks::on_list).post(outside::trunks::on_add))
        .route(
            "/api/v1/sip-trunks/{id}",
            get(outside::trunks::on_show)
                .patch(outside::trunks::on_set)
                .delete(outside::trunks::on_delete),
        )
        .route("/api/v1/registrations", get(live::registrations))
        .merge(registration_history::routes())
        .merge(calls::routes())
        .route("/api/v1/call-records", get(records::on_page))
        .route("/api/v1/events", get(events::on_events))
        .route("/api/v1/call-records:search", get(records::search::on_search))
        .route("/api/v1/call-records:export", get(records::export::on_export))
        .route("/api/v1/ws", get(events::on_ws))
        .merge(webhooks::routes())
        .merge(backups::routes())
        .merge(captures::routes())
        .route("/api/v1/trace", get(live::trace))
        .route(
            "/api/v1/certificate",
            get(certificate::api::on_show)
                .put(certificate::api::on_install)
                .delete(certificate::api::on_reset),
        )
        .route("/api/v1/openapi.json", get(openapi::on_document))
        .route("/api/docs", get(openapi::on_page))
        .route("/api/docs.js", get(openapi::on_script))
        .route("/api/{*path}", any(live::no_such_path))
}
