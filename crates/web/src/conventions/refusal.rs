//! Refusals that come before a handler has its say: a body that is no JSON, a field of another type, a method that a
//! path does not know. They are told as all others are.

use super::plain::{is_path, no_json, plain};
use crate::resource::Failure;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pbx::text;

/// Longest text that becomes a failure. Unit: octets.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// One of these stands before the field and what is wrong with it.
const BEFORE_FIELD: [&str; 4] =
    ["target type: ", "query string: ", "form body: ", "request body: "];
/// So begins what is said of a body that is none at all.
const NO_JSON: &str = "Failed to parse the request body as JSON";

pub(crate) async fn explained(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || !is_text(&response) {
        return response;
    }
    let (failure, allow) = failure_of(response).await;
    let mut told = failure.into_response();
    told.headers_mut().extend(allow.map(|it| (header::ALLOW, it)));
    told
}

/// Whether an answer may be one of axum's own: a text, or nothing.
pub(crate) fn is_text(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    kind.is_none_or(|it| it.starts_with("text/plain"))
}

/// The failure that such an answer tells of, and the methods that it names.
pub(crate) async fn failure_of(response: Response) -> (Failure, Option<HeaderValue>) {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, TEXT_BYTES_MAX).await.unwrap_or_default();
    let failure = unreadable(parts.status, &String::from_utf8_lossy(&body));
    (failure, parts.headers.remove(header::ALLOW))
}

/// What axum says of a request that it cannot read, as a failure.
pub(crate) fn unreadable(status: StatusCode, said: &str) -> Failure {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            let what = text!("this path does not know the method", "该路径不支持此方法");
            Failure::new(405, "method", what)
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            let what = text!(
                "the body must be JSON: Content-Type: application/json",
                "请求内容应为JSON：Content-Type: application/json"
            );
            Failure::new(415, "media_type", what)
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            Failure::new(413, "too_large", text!("the request is too long", "请求过长"))
        }
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            if said.starts_with(NO_JSON) {
                return Failure::new(422, "invalid", no_json(said));
            }
            let behind = |it: &str| said.split_once(it).map(|(_, about)| about);
            let about = BEFORE_FIELD.into_iter().find_map(behind).unwrap_or(said).trim();
            let failure = Failure::new(422, "invalid", plain(about));
            match field(about) {
                Some(field) => failure.at(field),
                None => failure,
            }
        }
        other => Failure::new(other.as_u16(), "refused", text!("{said}", "请求被拒绝：{said}")),
    }
}

/// The path of a field before what is wrong with it, or the name of one that does not exist.
fn field(about: &str) -> Option<&str> {
    let before = about.split_once(": ").map(|(it, _)| it).filter(|it| is_path(it));
    let named = |kind| about.strip_prefix(kind)?.strip_prefix(" field `")?.split('`').next();
    before.or_else(|| ["unknown", "missing", "duplicate"].into_iter().find_map(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_table() {
        #[rustfmt::skip]
        let table = [
            ("change.calls: invalid value: integer `300`, expected u8 at line 1 column 9", Some("change.calls")),
            ("extensions[0].numbr: unknown field `numbr`, expected one of `number`",       Some("extensions[0].numbr")),
            ("unknown field `numbr`, expected `number` at line 1 column 9",                Some("numbr")),
            ("missing field `number` at line 1 column 2",                                  Some("number")),
            ("duplicate field `number` at line 1 column 9",                                Some("number")),
            ("Failed to parse the request body as JSON: EOF while parsing",                None),
        ];
        for (about, expected) in table {
            assert_eq!(field(about), expected, "{about}");
        }
    }

    #[test]
    fn what_axum_says_is_told_in_both_languages() {
        #[rustfmt::skip]
        let table = [
            ("Failed to deserialize query string: limit: invalid digit found in string", Some("limit"), "limit：应为整数"),
            ("Failed to deserialize the JSON body into the target type: missing field `from` at line 1 column 2", Some("from"), "缺少from"),
            ("Failed to deserialize form body: missing field `name`", Some("name"), "缺少name"),
            ("Failed to parse the request body as JSON: expected ident at line 1 column 2", None, "请求内容不是有效的JSON：请检查第1行第2列"),
        ];
        for (said, field, zh) in table {
            let failure = unreadable(StatusCode::UNPROCESSABLE_ENTITY, said);
            assert_eq!((failure.field.as_deref(), &*failure.detail_zh), (field, zh), "{said}");
        }
    }
}
