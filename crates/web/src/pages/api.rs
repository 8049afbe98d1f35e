//! How pages do what they do: by the requests that everybody can send to the API, in the name of who looks at the page.
//!
//! They go to the same router without a socket between, so that rights, checks, audit and answers are those of the API.

use super::query;
use crate::access::Principal;
use crate::resource::Failure;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, header};
use bytes::Bytes;
use pbx::text;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::ServiceExt as _;

const JSON: &str = "application/json";
/// Rows that the API gives at most in one go.
const ROWS_MAX: &str = "1000";
/// Longest answer that a page is made from. Unit: octets.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The API in the name of one who looks.
#[derive(Clone)]
pub(crate) struct Api {
    router: Router,
    /// Who looks at the page.
    principal: Option<Principal>,
}

impl Api {
    pub(crate) fn new(router: Router, principal: Option<Principal>) -> Self {
        Self { router, principal }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, Body::empty(), "").await.map(|it| it.0)
    }

    /// A page of a list, and the cursor of the next one.
    pub(crate) async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<(Vec<T>, Option<String>), Failure> {
        let answer = self.asked(Method::GET, path, Body::empty(), "", JSON).await?;
        let next = answer.next.clone();
        parsed(answer).map(|it| (it.0, next))
    }

    /// The whole of a list that has an end of its own.
    pub(crate) async fn all<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<Vec<T>, Failure> {
        let mut rows = vec![];
        let mut next = Some(String::new());
        while let Some(cursor) = next {
            let mut fields = fields.to_vec();
            fields.extend([("limit", ROWS_MAX), ("cursor", &*cursor)]);
            let (more, after) = self.page(&query(path, &fields)).await?;
            rows.extend::<Vec<T>>(more);
            next = after;
        }
        Ok(rows)
    }

    /// With the tag of what is there, for [`Self::patch_if`].
    pub(crate) async fn get_tagged<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<(T, String), Failure> {
        self.ask(Method::GET, path, Body::empty(), "").await
    }

    /// A file.
    pub(crate) async fn bytes(&self, path: &str) -> Result<Bytes, Failure> {
        self.asked(Method::GET, path, Body::empty(), "", JSON).await.map(|it| it.body)
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.ask::<serde::de::IgnoredAny>(Method::DELETE, path, Body::empty(), "").await.map(|_| ())
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        self.ask(Method::POST, path, json(body)?, "").await.map(|it| it.0)
    }

    /// A text that is not JSON.
    pub(crate) async fn post_text<T: DeserializeOwned>(
        &self,
        path: &str,
        kind: &str,
        text: String,
    ) -> Result<T, Failure> {
        parsed(self.asked(Method::POST, path, text.into(), "", kind).await?).map(|it| it.0)
    }

    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        self.ask(Method::PATCH, path, json(body)?, "").await.map(|it| it.0)
    }

    /// Only where it is still what this tag names. An empty tag names everything.
    pub(crate) async fn patch_if<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        tag: &str,
    ) -> Result<T, Failure> {
        self.ask(Method::PATCH, path, json(body)?, tag).await.map(|it| it.0)
    }

    /// As [`Self::patch_if`], all of it.
    pub(crate) async fn put_if<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        tag: &str,
    ) -> Result<T, Failure> {
        self.ask(Method::PUT, path, json(body)?, tag).await.map(|it| it.0)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Body,
        tag: &str,
    ) -> Result<(T, String), Failure> {
        parsed(self.asked(method, path, body, tag, JSON).await?)
    }

    async fn asked(
        &self,
        method: Method,
        path: &str,
        body: Body,
        tag: &str,
        kind: &str,
    ) -> Result<Said, Failure> {
        let mut request = Request::builder().method(method).uri(path);
        if !tag.is_empty() {
            request = request.header(header::IF_MATCH, tag);
        }
        let request = request.header(header::CONTENT_TYPE, kind).body(body);
        let mut request = request.map_err(|error| broken(&error))?;
        if let Some(principal) = self.principal.clone() {
            request.extensions_mut().insert(principal);
        }
        let Ok(answer) = self.router.clone().oneshot(request).await;
        let status = answer.status();
        let tag = header_of(answer.headers(), &header::ETAG).unwrap_or_default().to_owned();
        let next = header_of(answer.headers(), &header::LINK).and_then(cursor);
        let body = to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await;
        let body = body.map_err(|error| broken(&error))?;
        if status.is_success() {
            return Ok(Said { body, tag, next });
        }
        // The API's own refusals are failures; axum's, of a path or a body, are texts.
        Err(serde_json::from_slice(&body).unwrap_or_else(|_| {
            let said = String::from_utf8_lossy(&body);
            Failure::new(status.as_u16(), "invalid", text!("{said}", "请求无效：{said}"))
        }))
    }
}

/// A success.
struct Said {
    body: Bytes,
    tag: String,
    /// The cursor of the next page.
    next: Option<String>,
}

fn header_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|it| it.to_str().ok())
}

/// The cursor of a link to the next page.
fn cursor(link: &str) -> Option<String> {
    let (path, _) = link.strip_prefix('<')?.split_once('>')?;
    let query = path.split_once('?')?.1;
    let mut fields = form_urlencoded::parse(query.as_bytes());
    fields.find(|it| it.0 == "cursor").map(|it| it.1.into_owned())
}

/// What a success says, `null` where it says nothing.
fn parsed<T: DeserializeOwned>(said: Said) -> Result<(T, String), Failure> {
    let body: &[u8] = if said.body.is_empty() { b"null" } else { &said.body };
    serde_json::from_slice(body).map(|it| (it, said.tag)).map_err(|error| broken(&error))
}

fn json(body: &impl Serialize) -> Result<Body, Failure> {
    serde_json::to_vec(body).map(Body::from).map_err(|error| broken(&error))
}

fn broken(error: &dyn std::error::Error) -> Failure {
    Failure::new(500, "fault", text!("internal fault: {error}", "内部故障：{error}"))
}

/// A text as one segment of a path.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
