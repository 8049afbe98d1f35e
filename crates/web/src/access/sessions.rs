//! Sessions of administrators: begun with name and password, seen, ended.

use super::guard::signed_in;
use super::principal::Principal;
use super::{cookie, token, totp};
use crate::Office;
use crate::audit::{Author, USERS};
use crate::conventions::{Listed, PageQuery};
use crate::live::has;
use crate::moment::rfc3339;
use crate::resource::Failure;
use crate::resource::access::{LogInRequest, SessionInfo, SignedIn};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use pbx::id::TenantId;
use pbx::language::Language;
use pbx::text;
use pbx::time::{UnixMillis, millis};
use std::cmp::Reverse;
use std::time::Duration;
use store::db::{Db, Session, User};
use tokio::time::MissedTickBehavior;

/// However much it is used.
const LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Without a request: a working day.
const IDLE: Duration = Duration::from_secs(10 * 60 * 60);
/// So often at most it is written down that a session or key is in use.
pub(super) const USE_INTERVAL: Duration = Duration::from_secs(60);
/// What is kept of what a browser calls itself.
const USER_AGENT_CHARS_MAX: usize = 200;

/// How often it is looked whether there is room for the sessions of a disk that is full.
const ROOM_LOOK: Duration = Duration::from_secs(10 * 60);

/// Keeps that room, until it is dropped.
pub async fn keep_room(office: Office) {
    let mut looks = tokio::time::interval(ROOM_LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        // On a disk that is full by now there is none.
        let _ = office.db.keep_reserve();
    }
}

/// A session that has begun, with what makes the browser keep it.
pub struct Begun {
    pub signed_in: SignedIn,
    pub cookie: HeaderValue,
}

impl IntoResponse for Begun {
    fn into_response(self) -> Response {
        ([(header::SET_COOKIE, self.cookie)], Json(self.signed_in)).into_response()
    }
}

/// How far somebody has come who has shown a right password.
pub enum Entered {
    Begun(Begun),
    /// He has a second factor: with this and its code he goes on ([`log_in_by_code`]).
    CodeNeeded(String),
}

/// Begins a session for whoever knows the password. Wrong ones make him wait, unless he is trusted.
pub async fn log_in(
    office: &Office,
    principal: &Principal,
    headers: &HeaderMap,
    request: LogInRequest,
) -> Result<Entered, Failure> {
    let LogInRequest { name, password, code } = request;
    let now = office.running.now();
    office.access.attempt(principal, Some(&name), now)?;
    let user = office.db.user(TenantId::default(), &name).await?;
    let stored = user.as_ref().map(|it| it.password.clone());
    let is_right = office.access.hasher.is_right(password, stored).await?;
    let Some(user) = user.filter(|_| is_right) else {
        office.access.failed(principal, "bad_password");
        let what = text!("name or password is wrong", "账号或密码错误");
        return Err(Failure::new(401, "wrong_password", what));
    };
    if user.totp_at.is_some() {
        // The password alone takes no count away: it would give as many codes as one likes.
        let Some(code) = code else {
            return office.access.tickets().issue(&user, now).map(Entered::CodeNeeded);
        };
        totp::check(office, principal, &user, &code).await?;
    }
    enter(office, principal, headers, &user).await.map(Entered::Begun)
}

/// The second step: the code of the phone, or a recovery code, of one whose password was right.
pub async fn log_in_by_code(
    office: &Office,
    principal: &Principal,
    headers: &HeaderMap,
    ticket: &str,
    code: &str,
) -> Result<Begun, Failure> {
    let now = office.running.now();
    let (name, password_at) = office.access.tickets().find(ticket, now).ok_or_else(too_late)?;
    office.access.attempt(principal, Some(&name), now)?;
    office.access.tickets().count(ticket);
    let user = office.db.user(TenantId::default(), &name).await?;
    let user = user.filter(|it| it.password_at == password_at).ok_or_else(too_late)?;
    // Somebody else may have taken the second factor away meanwhile.
    if user.totp_at.is_some() {
        totp::check(office, principal, &user, code).await?;
    }
    office.access.tickets().remove(ticket);
    enter(office, principal, headers, &user).await
}

async fn enter(
    office: &Office,
    principal: &Principal,
    headers: &HeaderMap,
    user: &User,
) -> Result<Begun, Failure> {
    office.access.succeeded(principal, Some(&user.name));
    begin(office, principal, headers, &user.name, user.language).await
}

fn too_late() -> Failure {
    let what = text!(
        "the code came too late or too many were wrong: sign in again",
        "验证超时或错误次数过多，请重新登录"
    );
    Failure::new(401, "sign_in_again", what)
}

pub(super) async fn begin(
    office: &Office,
    principal: &Principal,
    headers: &HeaderMap,
    user: &str,
    language: Language,
) -> Result<Begun, Failure> {
    let now = office.running.now();
    let secret = token::random(token::SECRET_BYTES)?;
    let agent = headers.get(header::USER_AGENT).and_then(|it| it.to_str().ok());
    let session = Session {
        id: token::random(token::ID_BYTES)?,
        user: user.to_owned(),
        created_at: now,
        used_at: now,
        expires_at: now.after(LIFE),
        source: principal.source.to_string(),
        user_agent: agent.unwrap_or_default().chars().take(USER_AGENT_CHARS_MAX).collect(),
    };
    let token = token::hash(&secret);
    written(&office.db, || keep(&office.db, &session, &token)).await?;
    let secure = principal.source.is_secure() || cookie::is_secure(headers);
    let cookie = cookie::set(&secret, secure).ok_or_else(|| {
        // A text of hexadecimal digits is a value.
        Failure::new(500, "fault", text!("no cookie can be made", "无法生成cookie"))
    })?;
    let csrf = token::csrf(&secret);
    Ok(Begun { signed_in: SignedIn { user: session.user, language, csrf }, cookie })
}

/// In the place of those that are over.
async fn keep(db: &Db, session: &Session, token: &[u8]) -> Result<(), Failure> {
    let now = session.created_at;
    db.purge_sessions(now, UnixMillis(now.0.saturating_sub(millis(IDLE)))).await?;
    Ok(db.insert_session(TenantId::default(), session, token).await?)
}

/// Writes what nobody signs in without: on a disk that is full, where room was kept.
pub(super) async fn written<T, F: Future<Output = Result<T, Failure>>>(
    db: &Db,
    write: impl Fn() -> F,
) -> Result<T, Failure> {
    match write().await {
        Err(failure) if failure.code == "disk_full" && db.give_up_reserve() => write().await,
        done => done,
    }
}

/// Whether a session may still be used.
pub(super) fn is_alive(session: &Session, now: UnixMillis) -> bool {
    now < session.expires_at && now.since(session.used_at) < IDLE
}

/// All that are alive.
pub async fn list(office: &Office, current: Option<&str>) -> Result<Vec<SessionInfo>, Failure> {
    let now = office.running.now();
    let found = office.db.sessions(TenantId::default()).await?;
    let alive = found.into_iter().filter(|it| is_alive(it, now));
    Ok(alive.map(|it| shown(it, current)).collect())
}

/// Ends a session, mostly somebody else's.
pub async fn revoke(office: &Office, principal: &Principal, id: &str) -> Result<(), Failure> {
    let tenant = TenantId::default();
    let whose = office.db.session_named(tenant, id).await?.map(|it| it.user);
    if office.db.delete_session(tenant, id).await? {
        let whose = whose.unwrap_or_default();
        Author::of(office, principal).done("sign_out", USERS, &whose).await;
        return Ok(());
    }
    Err(Failure::new(404, "not_found", text!("there is no session {id}", "没有会话{id}")))
}

/// Ends the session of this request; the cookie that makes the browser forget it.
pub async fn log_out(office: &Office, principal: &Principal) -> Result<HeaderValue, Failure> {
    if let Some(id) = principal.session() {
        office.db.delete_session(TenantId::default(), id).await?;
    }
    Ok(cookie::clear())
}

fn shown(session: Session, current: Option<&str>) -> SessionInfo {
    SessionInfo {
        current: current == Some(&session.id),
        created_at: rfc3339(session.created_at),
        used_at: rfc3339(session.used_at),
        expires_at: rfc3339(session.expires_at),
        id: session.id,
        user: session.user,
        source: session.source,
        user_agent: session.user_agent,
    }
}

pub(crate) async fn on_list(
    State(office): State<Office>,
    principal: Principal,
    Query(query): Query<PageQuery>,
) -> Result<Listed<SessionInfo>, Failure> {
    let mut found = list(&office, principal.session()).await?;
    found.retain(|it| {
        let is_like = [&it.user, &it.source].iter().any(|text| has(text, query.search()));
        is_like && (query.cursor.is_empty() || place(it) < query.cursor)
    });
    found.sort_by_key(|it| Reverse(place(it)));
    found.truncate(usize::try_from(query.wanted()).unwrap_or(usize::MAX));
    Ok(query.listed("/api/v1/sessions", found, place))
}

/// The newest sessions come first.
fn place(session: &SessionInfo) -> String {
    format!("{}/{}", session.created_at, session.id)
}

pub(crate) async fn on_log_in(
    State(office): State<Office>,
    principal: Principal,
    headers: HeaderMap,
    Json(request): Json<LogInRequest>,
) -> Result<Begun, Failure> {
    match log_in(&office, &principal, &headers, request).await? {
        Entered::Begun(begun) => Ok(begun),
        Entered::CodeNeeded(_) => {
            let what = text!(
                "a second factor is asked for: send `code` too, of the phone or a recovery code",
                "需要两步验证：请同时提供code（手机上的验证码或恢复码）"
            );
            Err(Failure::new(401, "code_needed", what).at("code"))
        }
    }
}

/// Who asks, and the token his scripts send back.
pub(crate) async fn on_current(principal: Principal) -> Result<Json<SignedIn>, Failure> {
    signed_in(&principal).map(Json)
}

pub(crate) async fn on_log_out(
    State(office): State<Office>,
    principal: Principal,
) -> Result<([(HeaderName, HeaderValue); 1], Json<()>), Failure> {
    signed_in(&principal)?;
    let cookie = log_out(&office, &principal).await?;
    Ok(([(header::SET_COOKIE, cookie)], Json(())))
}

pub(crate) async fn on_revoke(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<()>, Failure> {
    revoke(&office, &principal, &id).await.map(Json)
}
