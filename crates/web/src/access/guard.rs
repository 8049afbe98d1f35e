//! Stands before everything on the listener of HTTP but metrics and health: decides who asks, and whether he may.

use super::principal::{Principal, Scope, Scopes, Who, language};
use super::sessions::USE_INTERVAL;
use super::source::{Peer, Source};
use super::{cookie, csrf, keys, origin, redirect, scope, sessions, token};
use crate::Office;
use crate::mss::openapi;
use crate::resource::Failure;
use crate::resource::access::SignedIn;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pbx::id::TenantId;
use pbx::text;

const LOGIN: &str = "/login";
const LOG_OUT: &str = "/logout";
const SETUP: &str = "/setup";
const SETUP_API: &str = "/api/v1/setup";
const SESSIONS_API: &str = "/api/v1/sessions";
const ASSETS: &str = "/assets/";
/// Phones ask here with a token that is good once.
const PROVISION: &str = "/provision/";
const API: &str = "/api/v1/";

/// Why a request goes no further.
enum Refusal {
    Failure(Failure),
    /// A page, to which the browser may go after this one.
    Go(&'static str, String),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

pub(crate) async fn guard(State(office): State<Office>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with(API);
    let (parts, body) = request.into_parts();
    let secure = redirect::target(&office, &parts).and_then(|it| HeaderValue::from_str(&it).ok());
    if let Some(target) = secure {
        // The method stays: 308 is for forms and programs too (RFC 9110 §15.4.9).
        return (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, target)]).into_response();
    }
    let request = Request::from_parts(parts, body);
    let is_mss = request.uri().path().starts_with(openapi::PATH);
    let spoken = language(None, request.headers());
    match judged(&office, request).await {
        Ok(request) => next.run(request).await,
        Err(Refusal::Go(to, from)) => {
            let target = HeaderValue::from_str(&format!("{to}{from}"));
            let target = target.unwrap_or(HeaderValue::from_static("/"));
            (StatusCode::SEE_OTHER, [(header::LOCATION, target)]).into_response()
        }
        Err(Refusal::Failure(failure)) if is_api => failure.into_response(),
        Err(Refusal::Failure(failure)) if is_mss => openapi::refused(&failure, spoken),
        Err(Refusal::Failure(failure)) => crate::failure::plain(&failure),
    }
}

/// The request with its principal.
async fn judged(office: &Office, request: Request) -> Result<Request, Refusal> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let headers = &parts.headers;
    let needs_setup = office.access.needs_setup(&office.db).await?;
    let source = source(office, &parts, needs_setup)?;
    if needs_setup {
        before_setup(headers, &path)?;
    }
    let is_mss = path.starts_with(openapi::PATH);
    if is_mss && !openapi::is_on(office) {
        let what = text!("there is no such path", "没有这个路径");
        return Err(Failure::new(404, "not_found", what).into());
    }
    let in_query = if is_mss { openapi::syskey(&parts.uri) } else { None };
    let found = match in_query.as_deref().or_else(|| bearer(headers)) {
        Some(key) if is_mss || path.starts_with(API) => Some(of_key(office, source, key).await?),
        // A browser would bring its session to an address that changes something by GET.
        Some(_) | None if is_mss => None,
        Some(_) | None => of_session(office, source, headers).await?,
    };
    let changes = !is_safe(&parts.method);
    if is_open(&parts.method, &path) {
        if changes && !origin::is_own(headers) {
            return Err(foreign().into());
        }
        let nobody = || Principal {
            who: Who::Nobody,
            scopes: Scopes::default(),
            source,
            language: language(None, headers),
            csrf: None,
        };
        let principal = found.unwrap_or_else(nobody);
        parts.extensions.insert(principal);
        return Ok(Request::from_parts(parts, body));
    }
    let Some(principal) = found else { return Err(unknown(&parts, &path)) };
    if path.starts_with(API) {
        permit(&principal, scope::needed(&parts.method, &path), &path)?;
    }
    let expected = principal.csrf.clone().filter(|_| changes);
    parts.extensions.insert(principal);
    let request = Request::from_parts(parts, body);
    match expected {
        Some(expected) => Ok(proven(request, &expected).await?),
        None => Ok(request),
    }
}

fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// Without TLS, passwords and sessions are for everybody to read on their way: only near ways are taken. So it is
/// until there is an administrator, who could be anybody.
fn source(office: &Office, parts: &Parts, needs_setup: bool) -> Result<Source, Failure> {
    let peer = parts.extensions.get::<Peer>().copied();
    let source = peer.map(|it| Source::of(it, &parts.headers));
    let served =
        |it: &Source| it.is_near() || office.access.trusts(it) || (it.is_secure() && !needs_setup);
    source.filter(served).ok_or_else(|| {
        let what = text!(
            "without TLS the administration is served to this machine, private networks and the addresses of http.trusted only",
            "未使用TLS时，管理界面只对本机、私网和http.trusted中的地址开放"
        );
        Failure::new(403, "far", what)
    })
}

/// Until there is an administrator, there is nothing but his making.
fn before_setup(headers: &HeaderMap, path: &str) -> Result<(), Refusal> {
    if !origin::is_safe_host(headers) {
        let what = text!(
            "until the set-up is done, ask by address or by localhost, not by a name of DNS",
            "完成初始设置之前，请使用IP地址或localhost访问，不要使用域名"
        );
        return Err(Failure::new(403, "host", what).into());
    }
    if [SETUP, SETUP_API].contains(&path) || path.starts_with(ASSETS) {
        return Ok(());
    }
    if path.starts_with(API) {
        let what = text!(
            "there is no administrator yet: open {SETUP} in a browser, or use `dialtone admin add`",
            "还没有管理员：请用浏览器打开{SETUP}，或使用`dialtone admin add`"
        );
        return Err(Failure::new(403, "setup_needed", what).into());
    }
    Err(Refusal::Go(SETUP, String::new()))
}

/// What serves those who are not known yet.
pub(crate) fn is_open(method: &Method, path: &str) -> bool {
    match path {
        LOGIN | SETUP | SETUP_API => true,
        SESSIONS_API => method == Method::POST,
        _ => path.starts_with(ASSETS) || path.starts_with(PROVISION),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

async fn of_key(office: &Office, source: Source, text: &str) -> Result<Principal, Failure> {
    let now = office.running.now();
    let stranger =
        Principal { who: Who::Nobody, source, ..Principal::cli(pbx::language::Language::En) };
    let Some(key) = keys::proven(&office.db, text).await? else {
        // Only wrong ones count: a program may ask as often as it likes.
        office.access.attempt_key(&stranger, now)?;
        office.access.failed(&stranger, "bad_key");
        let what = text!("the API key is wrong or was revoked", "API密钥错误或已撤销");
        return Err(Failure::new(401, "wrong_key", what));
    };
    if key.used_at.is_none_or(|it| now.since(it) >= USE_INTERVAL) {
        // A figure for people; nobody is refused where it cannot be written.
        let _ = office.db.use_api_key(&key.id, now).await;
    }
    let scopes = keys::scopes(&key).into_iter().collect();
    Ok(Principal { who: Who::ApiKey { id: key.id, name: key.name }, scopes, ..stranger })
}

async fn of_session(
    office: &Office,
    source: Source,
    headers: &HeaderMap,
) -> Result<Option<Principal>, Failure> {
    let Some(secret) = cookie::find(headers, cookie::SESSION_COOKIE) else { return Ok(None) };
    let (tenant, now) = (TenantId::default(), office.running.now());
    let session = office.db.session(tenant, &token::hash(secret)).await?;
    let Some(session) = session.filter(|it| sessions::is_alive(it, now)) else { return Ok(None) };
    // A session goes with its user.
    let Some(user) = office.db.user(tenant, &session.user).await? else { return Ok(None) };
    if now.since(session.used_at) >= USE_INTERVAL {
        // Where it cannot be written, the session ends a little early.
        let _ = office.db.use_session(&session.id, now).await;
    }
    Ok(Some(Principal {
        who: Who::User { name: user.name, session: session.id },
        scopes: Scopes::ALL,
        source,
        language: language(Some(user.language), headers),
        csrf: Some(token::csrf(secret)),
    }))
}

/// Nobody is known by this request.
fn unknown(parts: &Parts, path: &str) -> Refusal {
    if path.starts_with(API) || path.starts_with(openapi::PATH) {
        let what = text!("sign in, or show an API key", "请登录，或提供API密钥");
        Failure::new(401, "not_authenticated", what).into()
    } else if parts.method == Method::GET && path != "/" && is_plain(path) {
        Refusal::Go(LOGIN, format!("?next={path}"))
    } else if !is_safe(&parts.method) && path != LOG_OUT {
        // What a form brought is not kept: there may be passwords in it, and nobody knows whose it is.
        let page = origin::page(&parts.headers).filter(|it| is_plain(it)).unwrap_or("/");
        Refusal::Go(LOGIN, format!("?unsaved=1&next={page}"))
    } else {
        Refusal::Go(LOGIN, String::new())
    }
}

/// Whether it can stand in a query as it is.
fn is_plain(path: &str) -> bool {
    path.bytes().all(|it| it.is_ascii_alphanumeric() || b"/-._~:".contains(&it))
}

/// Everybody may see and end his own session.
fn permit(principal: &Principal, needed: Scope, path: &str) -> Result<(), Failure> {
    if path == "/api/v1/sessions/current" { Ok(()) } else { principal.permitted(needed) }
}

/// A request of a browser that changes something must come from our own page.
async fn proven(request: Request, expected: &str) -> Result<Request, Failure> {
    if !origin::is_own(request.headers()) {
        return Err(foreign());
    }
    let (request, given) = csrf::of(request).await?;
    if given.as_deref() == Some(expected) {
        return Ok(request);
    }
    let what = text!(
        "the page is older than your session: load it again (the header {} or the field csrf is missing or wrong)",
        "页面已过期，请重新加载（缺少{}头域或csrf字段，或其值错误）",
        csrf::HEADER
    );
    Err(Failure::new(403, "csrf", what))
}

fn foreign() -> Failure {
    let what = text!("the request comes from a page of another site", "该请求来自其他网站的页面");
    Failure::new(403, "foreign", what)
}

/// What a browser is told of its own session.
pub(super) fn signed_in(principal: &Principal) -> Result<SignedIn, Failure> {
    match (&principal.who, &principal.csrf) {
        (Who::User { name, .. }, Some(csrf)) => {
            let language = principal.language;
            Ok(SignedIn { user: name.clone(), language, csrf: csrf.clone() })
        }
        _ => {
            let what = text!("this request belongs to no session", "该请求不属于任何会话");
            Err(Failure::new(404, "no_session", what))
        }
    }
}
