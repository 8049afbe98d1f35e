//! Signing in and out.

use super::{begun, field};
use crate::access::Principal;
use crate::access::sessions::{Entered, log_in, log_in_by_code, log_out};
use crate::pages::failure::{PageFailure, sentences};
use crate::pages::form::Sent;
use crate::pages::layout::Layout;
use crate::pages::viewer::Viewer;
use crate::pages::words::words;
use crate::pages::{render, to};
use crate::resource::Failure;
use crate::resource::access::LogInRequest;
use askama::Template;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Form as Body};
use serde::Deserialize;

words! {
    Words {
        title: "Sign in", "登录";
        name: "Administrator", "管理员账号";
        password: "Password", "密码";
        step_title: "Second factor", "两步验证";
        code: "Code", "验证码";
        code_help: "The six digits that your authenticator app shows, or one of your recovery codes.", "验证器应用显示的六位数字，或一个恢复码。";
        cancel: "Cancel", "取消";
        lost: "Phone and recovery codes lost? On the server: dialtone admin totp off NAME", "手机和恢复码都已丢失？请在服务器上运行：dialtone admin totp off NAME";
        unsaved: "Your session had ended, so what you just sent was not saved.", "登录已失效，刚才提交的内容未保存。";
        back: "Sign in to return to that page.", "登录后将返回该页面。";
        forgotten: "Forgotten? On the server: dialtone admin passwd NAME", "忘记密码？请在服务器上运行：dialtone admin passwd NAME";
    }
}

#[derive(Template)]
#[template(path = "login.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    name: String,
    next: String,
    /// A form was sent after the session had ended.
    unsaved: bool,
    wrong: Vec<String>,
}

#[derive(Template)]
#[template(path = "login_code.html")]
struct CodePage {
    page: Layout,
    w: &'static Words,
    ticket: String,
    next: String,
    wrong: Vec<String>,
}

/// Where the browser wanted to go.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    next: String,
    /// What it sent there was not taken.
    unsaved: Option<String>,
}

pub(crate) async fn on_login_form(viewer: Viewer, Query(wanted): Query<Wanted>) -> Response {
    if viewer.user().is_some() {
        return to(&own(wanted.next));
    }
    let next = own(wanted.next);
    render(&Page { unsaved: wanted.unsaved.is_some(), ..blank(&viewer, String::new(), next) })
}

pub(crate) async fn on_log_in(
    viewer: Viewer,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    Body(sent): Body<Sent>,
) -> Response {
    let (name, next) = (field(&sent, "name"), own(field(&sent, "next")));
    let office = &viewer.pages.office;
    let ticket = field(&sent, "ticket");
    if !ticket.is_empty() {
        let code = field(&sent, "code");
        return match log_in_by_code(office, &principal, &headers, &ticket, &code).await {
            Ok(session) => begun(session, &next),
            Err(it) if it.code == "sign_in_again" => {
                (status(&it), page(&viewer, name, next, &it)).into_response()
            }
            Err(it) => (status(&it), code_page(&viewer, ticket, next, Some(&it))).into_response(),
        };
    }
    let request =
        LogInRequest { name: name.clone(), password: field(&sent, "password"), code: None };
    match log_in(office, &principal, &headers, request).await {
        Ok(Entered::Begun(session)) => begun(session, &next),
        Ok(Entered::CodeNeeded(ticket)) => code_page(&viewer, ticket, next, None),
        Err(it) => (status(&it), page(&viewer, name, next, &it)).into_response(),
    }
}

fn status(failure: &Failure) -> StatusCode {
    StatusCode::from_u16(failure.status).unwrap_or(StatusCode::UNAUTHORIZED)
}

pub(crate) async fn on_log_out(
    viewer: Viewer,
    Extension(principal): Extension<Principal>,
) -> Result<Response, PageFailure> {
    let cookie = log_out(&viewer.pages.office, &principal).await?;
    Ok(([(header::SET_COOKIE, cookie)], to("/login")).into_response())
}

fn page(viewer: &Viewer, name: String, next: String, failure: &Failure) -> Response {
    render(&Page { wrong: sentences(failure, viewer.language), ..blank(viewer, name, next) })
}

fn blank(viewer: &Viewer, name: String, next: String) -> Page {
    let (page, w) = (viewer.layout(), Words::of(viewer.language));
    Page { page, w, name, next, unsaved: false, wrong: Vec::new() }
}

fn code_page(viewer: &Viewer, ticket: String, next: String, failure: Option<&Failure>) -> Response {
    let wrong = failure.map(|it| sentences(it, viewer.language)).unwrap_or_default();
    let (page, w) = (viewer.layout(), Words::of(viewer.language));
    render(&CodePage { page, w, ticket, next, wrong })
}

/// A path of ours; from elsewhere nobody is led away.
fn own(next: String) -> String {
    // Browsers take a backslash for a slash, and leave out control characters.
    let leads_away = |it: char| it == '\\' || it.is_control();
    let plain = next.starts_with('/') && !next.starts_with("//") && !next.contains(leads_away);
    if plain { next } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_table() {
        for (next, expected) in [
            ("/extensions?q=1", "/extensions?q=1"),
            ("//elsewhere", "/"),
            ("/\\elsewhere", "/"),
            ("/\t/elsewhere", "/"),
            ("/\r\n/elsewhere", "/"),
            ("https://elsewhere", "/"),
            ("", "/"),
        ] {
            assert_eq!(own(next.to_owned()), expected, "{next}");
        }
    }
}
