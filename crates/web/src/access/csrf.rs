//! The token that our own pages send back with everything that changes something: as a header by scripts, as a field
//! by forms.

use crate::BODY_BYTES_MAX;
use crate::resource::Failure;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use pbx::text;

pub(super) const HEADER: &str = "x-csrf-token";
/// Of forms; where a form carries a file it must be the first one.
const FIELD: &str = "csrf";

/// The token of a request, which is read to its end where a form has it.
pub(super) async fn of(request: Request) -> Result<(Request, Option<String>), Failure> {
    if let Some(token) = request.headers().get(HEADER).and_then(|it| it.to_str().ok()) {
        let token = token.to_owned();
        return Ok((request, Some(token)));
    }
    let Some(form) = Form::of(request.headers()) else { return Ok((request, None)) };
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
        let what = text!(
            "the request is longer than {BODY_BYTES_MAX} bytes, or was cut off",
            "请求超过{BODY_BYTES_MAX}字节，或传输中断"
        );
        Failure::new(413, "too_large", what)
    })?;
    let token = form.token(&body);
    Ok((Request::from_parts(head, Body::from(body)), token))
}

#[derive(Debug, PartialEq, Eq)]
enum Form {
    Fields,
    Parts { boundary: String },
}

impl Form {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let (essence, parameters) = kind.split_once(';').unwrap_or((kind, ""));
        match essence.trim() {
            "application/x-www-form-urlencoded" => Some(Self::Fields),
            "multipart/form-data" => {
                let boundary = parameters.trim().strip_prefix("boundary=")?.trim_matches('"');
                Some(Self::Parts { boundary: boundary.to_owned() })
            }
            _ => None,
        }
    }

    /// Of hexadecimal digits: nothing in it is escaped.
    fn token(&self, body: &[u8]) -> Option<String> {
        let token = match self {
            Self::Fields => body.split(|it| *it == b'&').find_map(|pair| {
                pair.strip_prefix(FIELD.as_bytes()).and_then(|it| it.strip_prefix(b"="))
            })?,
            Self::Parts { boundary } => {
                let head = format!(
                    "--{boundary}\r\nContent-Disposition: form-data; name=\"{FIELD}\"\r\n\r\n"
                );
                let rest = body.strip_prefix(head.as_bytes())?;
                rest.split(|it| *it == b'\r').next()?
            }
        };
        String::from_utf8(token.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn token_table() {
        const PARTS: &str =
            "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nabc\r\n--x--\r\n";
        const FILE: &str =
            "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n&csrf=abc\r\n--x--\r\n";
        #[rustfmt::skip]
        let table = [
            ("application/x-www-form-urlencoded",                "csrf=abc&name=x",  Some("abc")),
            ("application/x-www-form-urlencoded; charset=utf-8", "name=x&csrf=abc",  Some("abc")),
            ("application/x-www-form-urlencoded",                "xcsrf=abc",        None),
            ("multipart/form-data; boundary=x",                  PARTS,              Some("abc")),
            ("multipart/form-data; boundary=x",                  FILE,               None),
            ("multipart/form-data; boundary=y",                  PARTS,              None),
            ("application/json",                                 "{\"csrf\":\"abc\"}", None),
        ];
        for (kind, body, expected) in table {
            let request = Request::builder().header(header::CONTENT_TYPE, kind);
            let request = request.body(Body::from(body)).unwrap();
            let (request, token) = of(request).await.unwrap();
            assert_eq!(token.as_deref(), expected, "{kind} {body}");
            let left = to_bytes(request.into_body(), 1000).await.unwrap();
            assert_eq!(left, body, "the handler reads it again");
        }
    }
}
