//! `ETag` of each resource that can be changed, and `If-Match` of those who change it: nobody overwrites what he has
//! not seen (RFC 9110 §8.8.3, §13.1).

use crate::access::Principal;
use crate::resource::Failure;
use crate::{BODY_BYTES_MAX, Office, audit, webhooks};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pbx::id::TenantId;
use pbx::language::Text;
use pbx::text;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;

/// Collections whose members have tags, and what the audit calls them.
const COLLECTIONS: [(&str, &str); 8] = [
    ("/api/v1/extensions/", audit::EXTENSIONS),
    ("/api/v1/settings/", audit::SETTINGS),
    ("/api/v1/external-lines/", "lines"),
    ("/api/v1/sip-trunks/", "trunks"),
    ("/api/v1/feature-codes/", "features"),
    ("/api/v1/users/", audit::USERS),
    ("/api/v1/api-keys/", audit::API_KEYS),
    ("/api/v1/webhooks/", webhooks::WEBHOOKS),
];
/// Resources of which there is one, with what the audit calls them.
const SINGLE: [(&str, &str, &str); 2] = [
    ("/api/v1/dial-plan", audit::DIAL_PLAN, ""),
    ("/api/v1/certificate", audit::CERTIFICATE, audit::HTTPS),
];

/// What is of the moment, and not what somebody has set.
const LIVE: [&str; 2] = ["state", "used_at"];

/// The longest resource. Unit: octets.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Where the present is looked up.
#[derive(Clone)]
pub(crate) struct Compared {
    pub(crate) office: Office,
    pub(crate) resources: Router,
}

pub(crate) async fn unchanged(
    State(compared): State<Compared>,
    principal: Principal,
    request: Request,
    next: Next,
) -> Response {
    let Some((kind, name)) = resource(request.uri().path()) else { return next.run(request).await };
    if request.method() == Method::GET {
        let known = value(request.headers(), header::IF_NONE_MATCH.as_str());
        let response = tagged(next.run(request).await).await;
        let tag = value(response.headers(), header::ETAG.as_str());
        return match (known, tag) {
            (Some(known), Some(tag)) if matches(&known, &tag, str::eq) => {
                (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response()
            }
            (_, _) => response,
        };
    }
    let (parts, body) = request.into_parts();
    // All of it, however slowly it comes: others are not kept waiting for it.
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        let what = text!("the request is too long", "请求过长");
        return Failure::new(413, "too_large", what).into_response();
    };
    // Whoever compares and changes does both before the next one compares.
    let Compared { office, resources } = compared;
    let _one_at_a_time = office.comparing.lock().await;
    if let Some(wanted) = value(&parts.headers, header::IF_MATCH.as_str()) {
        let mut look = Request::new(Body::empty());
        *look.uri_mut() = parts.uri.clone();
        look.extensions_mut().insert(principal);
        let Ok(present) = resources.oneshot(look).await;
        let present = tagged(present).await;
        let tag = value(present.headers(), header::ETAG.as_str());
        if !tag.as_deref().is_some_and(|it| matches(&wanted, it, is_set_alike)) {
            return changed(&office, kind, &name, tag).await;
        }
    }
    let is_patch = parts.method == Method::PATCH;
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if is_patch { tagged(response).await } else { response }
}

fn resource(path: &str) -> Option<(&'static str, String)> {
    if let Some((_, kind, name)) = SINGLE.iter().find(|it| it.0 == path) {
        return Some((kind, (*name).to_owned()));
    }
    COLLECTIONS.iter().find_map(|(prefix, kind)| {
        let name = path.strip_prefix(prefix)?;
        let is_member = !name.is_empty() && !name.contains(['/', ':']);
        // The audit knows it as it is.
        let plain = || percent_decode_str(name).decode_utf8_lossy().into_owned();
        is_member.then(|| (*kind, plain()))
    })
}

/// Whether answers of this path have a tag.
pub(crate) fn is_tagged(path: &str) -> bool {
    resource(path).is_some()
}

fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|it| it.to_str().ok()).map(str::to_owned)
}

/// Whether a list of tags has one that is like this; `*` is like all that exist.
fn matches(list: &str, tag: &str, alike: impl Fn(&str, &str) -> bool) -> bool {
    list.split(',').map(str::trim).any(|it| it == "*" || alike(it, tag))
}

/// Whether both are of the same settings, whatever there was of the moment.
fn is_set_alike(one: &str, other: &str) -> bool {
    let set = |it: &str| it.split('.').next().unwrap_or_default().trim_end_matches('"').to_owned();
    set(one) == set(other)
}

/// The answer with the tag of what it shows.
async fn tagged(response: Response) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, BYTES_MAX).await else {
        let what = Text::same("the answer is too long");
        return Failure::new(500, "fault", what).into_response();
    };
    if let Some(tag) = tag(&body) {
        parts.headers.insert(header::ETAG, tag);
    }
    Response::from_parts(parts, Body::from(body))
}

/// Of what somebody has set, and behind a dot of what is of the moment, where there is any.
fn tag(body: &[u8]) -> Option<HeaderValue> {
    let mut shown: Value = serde_json::from_slice(body).ok()?;
    let fields = shown.as_object_mut()?;
    let live: Vec<Value> = LIVE.iter().filter_map(|it| fields.remove(*it)).collect();
    let digest = |of: &Value| -> String {
        let digest = Sha256::digest(of.to_string());
        digest.iter().take(12).map(|it| format!("{it:02x}")).collect()
    };
    let set = digest(&shown);
    let tag = match live.is_empty() {
        true => format!("\"{set}\""),
        false => format!("\"{set}.{}\"", digest(&live.into())),
    };
    HeaderValue::from_str(&tag).ok()
}

/// By the office's clock, with its distance from UTC.
fn local(office: &Office, at: &str) -> String {
    let directory = office.running.directory();
    let zone = directory.tenant(TenantId::default()).map(|it| it.zone.0.clone());
    let at = at.parse::<Timestamp>().unwrap_or_default();
    let at = at.to_zoned(zone.unwrap_or(TimeZone::UTC));
    at.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

async fn changed(office: &Office, kind: &str, name: &str, tag: Option<String>) -> Response {
    let mut response = conflict(office, kind, name).await.into_response();
    if let Some(tag) = tag.and_then(|it| HeaderValue::from_str(&it).ok()) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Names who changed it, and when.
pub(crate) async fn conflict(office: &Office, kind: &str, name: &str) -> Failure {
    let last = if kind == audit::DIAL_PLAN {
        audit::last_of_plan(&office.db).await
    } else {
        audit::last(&office.db, kind, name).await
    };
    let last = match last {
        Ok(last) => last,
        Err(failure) => return failure,
    };
    let what = match last {
        Some(it) => {
            let (who, at) = (it.who(), local(office, &it.at));
            text!("{} changed this at {at}: load it again", "{}已于{at}修改，请重新加载", who)
        }
        None => text!("this has been changed: load it again", "内容已被修改，请重新加载"),
    };
    Failure::new(412, "changed", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_table() {
        #[rustfmt::skip]
        let table = [
            ("/api/v1/extensions/100",            Some(("extensions", "100"))),
            ("/api/v1/external-lines/5678",       Some(("lines", "5678"))),
            ("/api/v1/dial-plan",                 Some(("dial_plan", ""))),
            ("/api/v1/certificate",               Some(("certificate", "https"))),
            ("/api/v1/users/ann@office",          Some(("users", "ann@office"))),
            ("/api/v1/users/ann/totp",            None),
            ("/api/v1/webhooks/wh-1:test",        None),
            ("/api/v1/external-lines/%2B86138",   Some(("lines", "+86138"))),
            ("/api/v1/extensions",                None),
            ("/api/v1/extensions/100:passwd",     None),
            ("/api/v1/dial-plan:lint",            None),
            ("/api/v1/calls/c-1",                 None),
        ];
        for (path, expected) in table {
            let expected = expected.map(|(kind, name)| (kind, name.to_owned()));
            assert_eq!(resource(path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_of_the_moment_is_no_change_of_anybody() {
        let of =
            |text: &str| tag(text.as_bytes()).and_then(|it| it.to_str().map(str::to_owned).ok());
        let [up, down, other, bare] = [
            r#"{"a":1,"state":{"calls":1}}"#,
            r#"{"a":1,"state":null}"#,
            r#"{"a":2,"state":null}"#,
            r#"{"a":1}"#,
        ]
        .map(|it| of(it).unwrap_or_default());
        assert!(up != down, "who has the one has not the other");
        assert!(
            is_set_alike(&up, &down) && is_set_alike(&up, &bare) && !is_set_alike(&down, &other)
        );
        assert_eq!(of("[1]"), None);
    }
}
