//! The set-up: the first administrator, whose name and password are all there is to type.

use super::{begun, field};
use crate::access::Principal;
use crate::access::setup::{set_up, state};
use crate::pages::failure::{PageFailure, sentences};
use crate::pages::form::Sent;
use crate::pages::layout::Layout;
use crate::pages::viewer::Viewer;
use crate::pages::words::words;
use crate::pages::{render, to};
use crate::resource::Failure;
use crate::resource::access::{SetupRequest, SetupState};
use askama::Template;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Form as Body};

words! {
    Words {
        title: "Welcome", "欢迎";
        lead: "Three steps, and two phones talk: an administrator, the numbers, the phones.",
            "只需三步即可通话：管理员、号码、话机。";
        step: "Step 1 of 3: administrator", "第1步（共3步）：管理员";
        name: "Name", "账号";
        password: "Password", "密码";
        password_help: "At least 10 characters.", "至少10个字符。";
        code: "Set-up code", "设置码";
        code_help: "The server printed it when it started. On the server: dialtone admin setup-code",
            "服务器启动时已显示，也可在服务器上运行：dialtone admin setup-code";
        next: "Next", "下一步";
    }
}

#[derive(Template)]
#[template(path = "setup.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    state: SetupState,
    name: String,
    code: String,
    wrong: Vec<String>,
}

pub(crate) async fn on_setup_form(
    viewer: Viewer,
    Extension(principal): Extension<Principal>,
) -> Result<Response, PageFailure> {
    let state = state(&viewer.pages.office, &principal).await?;
    if !state.needed {
        return Ok(to("/"));
    }
    Ok(page(&viewer, state, "admin".to_owned(), String::new(), None))
}

pub(crate) async fn on_setup(
    viewer: Viewer,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let (name, code) = (field(&sent, "name").trim().to_owned(), field(&sent, "code"));
    let request = SetupRequest {
        name: name.clone(),
        password: field(&sent, "password"),
        language: Some(viewer.language),
        code: code.clone(),
    };
    let office = &viewer.pages.office;
    match set_up(office, &principal, &headers, request).await {
        Ok(session) => Ok(begun(session, "/welcome")),
        Err(failure) => {
            let state = state(office, &principal).await?;
            let status = StatusCode::from_u16(failure.status);
            let page = page(&viewer, state, name, code, Some(&failure));
            Ok((status.unwrap_or(StatusCode::FORBIDDEN), page).into_response())
        }
    }
}

fn page(
    viewer: &Viewer,
    state: SetupState,
    name: String,
    code: String,
    failure: Option<&Failure>,
) -> Response {
    let wrong = failure.map(|it| sentences(it, viewer.language)).unwrap_or_default();
    let (page, w) = (viewer.layout(), Words::of(viewer.language));
    render(&Page { page, w, state, name, code, wrong })
}
