//! The pages that say what went wrong, in the language of who looks.

use super::Pages;
use super::layout::Layout;
use super::render;
use super::viewer::Viewer;
use super::words::Trouble;
use crate::conventions::{failure_of, is_text};
use crate::resource::{Failure, Finding};
use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pbx::language::Language;
use pbx::text;

/// Ends a handler of a page. [`dress`] makes the page, as it knows the language.
pub(crate) struct PageFailure(Failure);

impl From<Failure> for PageFailure {
    fn from(it: Failure) -> Self {
        Self(it)
    }
}

impl IntoResponse for PageFailure {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// How axum refuses what comes before a handler has its say, in English or without a word.
const REFUSALS: [StatusCode; 5] = [
    StatusCode::BAD_REQUEST,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::UNPROCESSABLE_ENTITY,
];

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    page: Layout,
    w: &'static Trouble,
    status: u16,
    /// One below the other.
    sentences: Vec<String>,
}

pub(crate) async fn on_missing() -> PageFailure {
    Failure::new(404, "not_found", text!("There is no such page.", "没有这个页面。")).into()
}

/// The words of a failure, one sentence for each thing that is wrong.
pub(crate) fn sentences(failure: &Failure, language: Language) -> Vec<String> {
    if failure.findings.is_empty() {
        let detail = match language {
            Language::En => &failure.detail_en,
            Language::Zh => &failure.detail_zh,
        };
        return detail.lines().map(str::to_owned).collect();
    }
    let line = |it: &Finding| it.text.get(language).to_owned();
    failure.findings.iter().map(line).collect()
}

/// The same where it stands beside its field: without the name of the place.
pub(crate) fn beside(failure: &Failure, language: Language) -> Vec<String> {
    if failure.findings.is_empty() {
        return sentences(failure, language);
    }
    failure.findings.iter().map(|it| said(it, language)).collect()
}

/// What is wrong, and what to do, of one finding.
pub(crate) fn said(finding: &Finding, language: Language) -> String {
    let (what, remedy) = (finding.what.get(language), finding.remedy.get(language));
    match language {
        Language::En => format!("{what}. {remedy}."),
        Language::Zh => format!("{what}。{remedy}。"),
    }
}

/// Gives every page its headers, failures their page, and keeps the language that was chosen.
pub(crate) async fn dress(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let viewer = Viewer::of(&parts, &pages);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = shown(&viewer, &failure);
    } else if REFUSALS.contains(&response.status()) && is_text(&response) {
        let (failure, allow) = failure_of(response).await;
        response = shown(&viewer, &failure);
        response.headers_mut().extend(allow.map(|it| (header::ALLOW, it)));
    }
    let headers = response.headers_mut();
    // What is on a page is nobody else's and may be of a moment ago.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(cookie) = viewer.cookie().and_then(|it| HeaderValue::from_str(&it).ok()) {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

fn shown(viewer: &Viewer, failure: &Failure) -> Response {
    let page = FailurePage {
        page: viewer.layout(),
        w: Trouble::of(viewer.language),
        status: failure.status,
        sentences: sentences(failure, viewer.language),
    };
    let status = StatusCode::from_u16(failure.status);
    (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), render(&page)).into_response()
}
