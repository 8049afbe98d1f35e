//! Who may do what over HTTP: administrators with sessions, programs with keys, and the set-up before there is anybody.
//!
//! The guard stands before every path of the listener but metrics and health, and puts a [`Principal`] into each request
//! that it lets through. The control socket needs none of this: whoever may open it is `cli`.

mod cookie;
mod csrf;
pub(crate) mod guard;
mod headers;
pub mod keys;
mod origin;
pub mod password;
mod principal;
mod redirect;
mod scope;
pub mod sessions;
pub mod setup;
mod source;
mod still;
#[cfg(test)]
mod tests;
mod throttle;
mod ticket;
mod token;
pub mod totp;
pub mod users;

pub(crate) use cookie::LANGUAGE_COOKIE;
pub use cookie::SESSION_COOKIE;
pub(crate) use headers::secure;
pub use principal::{Principal, Scope, Scopes, Who};
pub use scope::needed;
pub use source::{Peer, Source};
pub(crate) use still::still;

use crate::Office;
use crate::resource::Failure;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{delete, get, post};
use ipnet::IpNet;
use password::Hasher;
use pbx::id::TenantId;
use pbx::text;
use pbx::time::UnixMillis;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use store::Db;
use throttle::Throttle;
use ticket::Tickets;

/// Longest body of a request to these paths, some of which strangers may ask. Unit: octets.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// What the guard remembers between requests.
pub struct Access {
    /// `http.trusted`: never kept waiting for a password, and served wherever they are.
    trusted: Vec<IpNet>,
    throttle: Mutex<Throttle>,
    /// Wrong passwords, codes and keys since the start.
    failures: AtomicU64,
    tickets: Mutex<Tickets>,
    hasher: Hasher,
    /// Made when it is first asked for; known to nobody who has not seen the server's output.
    setup_code: OnceLock<String>,
    /// There was an administrator. The last one is never removed.
    settled: AtomicBool,
}

impl Access {
    pub(crate) fn new(trusted: Vec<IpNet>) -> Self {
        Self {
            trusted,
            throttle: Mutex::default(),
            failures: AtomicU64::new(0),
            tickets: Mutex::default(),
            hasher: Hasher::default(),
            setup_code: OnceLock::new(),
            settled: AtomicBool::new(false),
        }
    }

    /// Nobody administers the server yet.
    pub async fn needs_setup(&self, db: &Db) -> Result<bool, Failure> {
        if self.settled.load(Ordering::Acquire) {
            return Ok(false);
        }
        let settled = db.has_users(TenantId::default()).await?;
        self.settled.store(settled, Ordering::Release);
        Ok(!settled)
    }

    /// What a panic elsewhere left behind is still a whole value here.
    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody showed what is not right: counted, and one fixed line for tools that ban addresses.
    fn failed(&self, principal: &Principal, reason: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let source = principal.source;
        tracing::warn!(target: "security", "auth_failed proto=http addr={source} reason={reason}");
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Counts an attempt to get in; who must wait is told how long. Who is trusted never waits.
    fn attempt(
        &self,
        principal: &Principal,
        account: Option<&str>,
        now: UnixMillis,
    ) -> Result<(), Failure> {
        if self.trusts(&principal.source) {
            return Ok(());
        }
        let counted = self.throttle().attempt(principal.source.network(), account, now);
        counted.map_err(waiting)
    }

    /// Counts a code by somebody who is trusted and knows the password; everybody else's attempts are counted already.
    fn attempt_code(
        &self,
        principal: &Principal,
        account: &str,
        now: UnixMillis,
    ) -> Result<(), Failure> {
        if !self.trusts(&principal.source) {
            return Ok(());
        }
        self.throttle().attempt_code(account, now).map_err(waiting)
    }

    /// Counts a wrong key of a program.
    fn attempt_key(&self, principal: &Principal, now: UnixMillis) -> Result<(), Failure> {
        if self.trusts(&principal.source) {
            return Ok(());
        }
        self.throttle().attempt_key(principal.source.network(), now).map_err(waiting)
    }

    /// The attempt was right.
    fn succeeded(&self, principal: &Principal, account: Option<&str>) {
        self.throttle().succeeded(principal.source.network(), account);
    }

    fn trusts(&self, source: &Source) -> bool {
        source.is_here() || source.is_in(&self.trusted)
    }
}

fn waiting(wait: Duration) -> Failure {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    let what =
        text!("too many attempts: wait {seconds} seconds", "尝试次数过多，请等待{seconds}秒");
    Failure::new(429, "too_many_attempts", what).after(seconds)
}

/// Whether somebody who was let in a while ago still would be: his session or key may have been ended since.
pub async fn still_admits(office: &Office, principal: &Principal) -> Result<bool, Failure> {
    let (db, tenant) = (&office.db, TenantId::default());
    match &principal.who {
        Who::Nobody => Ok(false),
        Who::Cli => Ok(true),
        Who::ApiKey { id, .. } => Ok(db.api_key(tenant, id).await?.is_some()),
        Who::User { session, .. } => {
            let found = db.session_named(tenant, session).await?;
            Ok(found.is_some_and(|it| sessions::is_alive(&it, office.running.now())))
        }
    }
}

/// The paths of this module, for the control socket as for the listener.
pub(crate) fn routes() -> Router<Office> {
    Router::new()
        .route("/api/v1/setup", get(setup::on_show).post(setup::on_setup))
        .route("/api/v1/sessions", get(sessions::on_list).post(sessions::on_log_in))
        .route("/api/v1/sessions/current", get(sessions::on_current).delete(sessions::on_log_out))
        .route("/api/v1/sessions/{id}", delete(sessions::on_revoke))
        .route("/api/v1/users", get(users::on_list).post(users::on_add))
        .route(
            "/api/v1/users/{name}",
            get(users::on_show).patch(users::on_set).delete(users::on_delete).post(users::on_verb),
        )
        .route("/api/v1/users/{name}/totp", get(totp::on_show).post(totp::on_begin))
        .route("/api/v1/users/{name}/totp:confirm", post(totp::on_confirm))
        .route("/api/v1/users/{name}/totp:renew", post(totp::on_renew))
        .route("/api/v1/users/{name}/totp:off", post(totp::on_off))
        .route("/api/v1/api-keys", get(keys::on_list).post(keys::on_add))
        .route(
            "/api/v1/api-keys/{id}",
            get(keys::on_show).patch(keys::on_set).delete(keys::on_delete),
        )
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// For the control socket: the system has checked who opens it. Pages ask in the name of who looks at them.
pub(crate) async fn as_cli(mut request: Request, next: Next) -> Response {
    let language = principal::language(None, request.headers());
    request.extensions_mut().get_or_insert_with(|| Principal::cli(language));
    next.run(request).await
}
