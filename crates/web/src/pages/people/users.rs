//! Administrators (管理员) and the sessions in which they are signed in.

use crate::pages::api::segment;
use crate::pages::delete::{Delete, delete_page};
use crate::pages::failure::{PageFailure, sentences};
use crate::pages::form::{self, Beside, Sent};
use crate::pages::layout::Layout;
use crate::pages::people::{Asked, look};
use crate::pages::viewer::{Viewer, word};
use crate::pages::when::{When, when};
use crate::pages::words::words;
use crate::pages::{render, to};
use crate::resource::Failure;
use crate::resource::access::{NewUser, SessionInfo, UserInfo, UserPassword};
use askama::Template;
use axum::Form as Body;
use axum::extract::{Path, Query};
use axum::response::Response;
use pbx::language::Language;
use serde_json::{Value, json};

/// Where they are, of pages and of the API.
const HOME: &str = "/administrators";
const API: &str = "/api/v1/users";
const SESSIONS: &str = "/api/v1/sessions";

words! {
    Words {
        title: "Administrators", "管理员";
        name: "Name", "账号";
        created: "Added", "添加时间";
        since: "Password of", "密码设置时间";
        second: "Second factor", "两步验证";
        on: "on", "已启用";
        off: "off", "未启用";
        password: "Change the password", "修改密码";
        language: "Language", "语言";
        change_language: "Language of the pages", "页面语言";
        language_help: "What the pages are in for this administrator, where the browser has chosen no other.", "该管理员的页面语言；浏览器中另行选择的除外。";
        delete: "Delete", "删除";
        delete_title: "Delete the administrator?", "确定删除该管理员？";
        delete_help: "His sessions end at once.", "其会话立即结束。";
        add: "Add an administrator", "添加管理员";
        new_password: "Password", "密码";
        password_help: "At least 10 characters.", "至少10个字符。";
        current: "Your present password", "当前密码";
        save: "Save", "保存";
        cancel: "Cancel", "取消";
        sessions: "Sessions", "会话";
        source: "From", "来源地址";
        browser: "Browser", "浏览器";
        used: "Last used", "最近使用";
        end: "End", "结束";
        own: "this one", "当前会话";
        next: "Next page", "下一页";
    }
}

#[derive(Template)]
#[template(path = "administrators.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    users: Vec<User>,
    sessions: Vec<Session>,
    name: String,
    wrong: Beside,
    next: Option<String>,
}

struct User {
    name: String,
    href: String,
    language: &'static str,
    created: When,
    since: When,
    second: bool,
}

struct Session {
    href: String,
    user: String,
    source: String,
    browser: String,
    used: When,
    current: bool,
}

#[derive(Template)]
#[template(path = "administrator_password.html")]
struct PasswordPage {
    page: Layout,
    w: &'static Words,
    name: String,
    action: String,
    own: bool,
    wrong: Beside,
}

#[derive(Template)]
#[template(path = "administrator_language.html")]
struct LanguagePage {
    page: Layout,
    w: &'static Words,
    name: String,
    action: String,
    tag: String,
    languages: Vec<Choice>,
    wrong: Vec<String>,
}

struct Choice {
    word: &'static str,
    name: &'static str,
    chosen: bool,
}

pub(crate) async fn on_users(
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> Result<Response, PageFailure> {
    Ok(page(&viewer, &asked.after, String::new(), None).await?)
}

pub(crate) async fn on_add(
    viewer: Viewer,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let name = field(&sent, "name").trim().to_owned();
    let language = Some(viewer.language);
    let new = NewUser { name: name.clone(), password: field(&sent, "password"), language };
    match viewer.api.post::<UserInfo>(API, &new).await {
        Ok(_) => Ok(to(HOME)),
        Err(failure) => Ok(page(&viewer, "", name, Some(&failure)).await?),
    }
}

async fn page(
    viewer: &Viewer,
    after: &str,
    name: String,
    failure: Option<&Failure>,
) -> Result<Response, Failure> {
    let zone = viewer.zone();
    let (users, next) = look::<UserInfo>(viewer, API, HOME, after).await?;
    let sessions: Vec<SessionInfo> = viewer.api.all(SESSIONS, &[]).await?;
    let user = |it: UserInfo| User {
        href: own(&it.name),
        language: named(it.language),
        created: when(&it.created_at, &zone),
        since: when(&it.password_at, &zone),
        second: it.second_factor,
        name: it.name,
    };
    let session = |it: SessionInfo| Session {
        href: format!("{HOME}/sessions/{}/end", segment(&it.id)),
        user: it.user,
        source: it.source,
        browser: it.user_agent,
        used: when(&it.used_at, &zone),
        current: it.current,
    };
    Ok(render(&Page {
        page: viewer.layout(),
        w: Words::of(viewer.language),
        users: users.into_iter().map(user).collect(),
        sessions: sessions.into_iter().map(session).collect(),
        name,
        wrong: beside(viewer, failure, &["name", "password"]),
        next,
    }))
}

pub(crate) async fn on_end_session(
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageFailure> {
    viewer.api.delete(&format!("{SESSIONS}/{}", segment(&id))).await?;
    Ok(to(HOME))
}

pub(crate) async fn on_password_form(viewer: Viewer, Path(name): Path<String>) -> Response {
    password_page(&viewer, name, None)
}

pub(crate) async fn on_password(
    viewer: Viewer,
    Path(name): Path<String>,
    Body(sent): Body<Sent>,
) -> Response {
    let current = Some(field(&sent, "current")).filter(|it| !it.is_empty());
    let request = UserPassword { password: field(&sent, "password"), current };
    let path = format!("{API}/{}:passwd", segment(&name));
    match viewer.api.post::<Value>(&path, &request).await {
        Ok(_) => to(HOME),
        Err(failure) => password_page(&viewer, name, Some(&failure)),
    }
}

fn password_page(viewer: &Viewer, name: String, failure: Option<&Failure>) -> Response {
    render(&PasswordPage {
        page: viewer.layout(),
        w: Words::of(viewer.language),
        action: format!("{}/password", own(&name)),
        own: viewer.user() == Some(&name),
        wrong: beside(viewer, failure, &["current", "password"]),
        name,
    })
}

pub(crate) async fn on_language_form(
    viewer: Viewer,
    Path(name): Path<String>,
) -> Result<Response, PageFailure> {
    let path = format!("{API}/{}", segment(&name));
    let (user, tag): (UserInfo, String) = viewer.api.get_tagged(&path).await?;
    Ok(language_page(&viewer, user.name, (word(user.language), tag), None))
}

pub(crate) async fn on_language(
    viewer: Viewer,
    Path(name): Path<String>,
    Body(sent): Body<Sent>,
) -> Response {
    let (path, language) = (format!("{API}/{}", segment(&name)), field(&sent, "language"));
    let change = json!({ "language": language });
    match viewer.api.patch_if::<UserInfo>(&path, &change, form::tag(&sent)).await {
        Ok(_) => to(HOME),
        Err(failure) => {
            let shown = (&*language, form::tag_again(&sent, &failure));
            language_page(&viewer, name, shown, Some(&failure))
        }
    }
}

fn language_page(
    viewer: &Viewer,
    name: String,
    (chosen, tag): (&str, String),
    failure: Option<&Failure>,
) -> Response {
    let choice = |it| Choice { word: word(it), name: named(it), chosen: word(it) == chosen };
    render(&LanguagePage {
        page: viewer.layout(),
        w: Words::of(viewer.language),
        action: format!("{}/language", own(&name)),
        name,
        tag,
        languages: [Language::En, Language::Zh].map(choice).into(),
        wrong: failure.map(|it| sentences(it, viewer.language)).unwrap_or_default(),
    })
}

/// Each in itself, for who does not read the other.
fn named(language: Language) -> &'static str {
    match language {
        Language::En => "English",
        Language::Zh => "中文",
    }
}

pub(crate) async fn on_delete_form(viewer: Viewer, Path(name): Path<String>) -> Response {
    delete_page(&viewer, delete(&viewer, name), None)
}

pub(crate) async fn on_delete(viewer: Viewer, Path(name): Path<String>) -> Response {
    match viewer.api.delete(&format!("{API}/{}", segment(&name))).await {
        Ok(()) => to(HOME),
        Err(failure) => delete_page(&viewer, delete(&viewer, name), Some(&failure)),
    }
}

fn delete(viewer: &Viewer, name: String) -> Delete {
    let w = Words::of(viewer.language);
    let action = format!("{}/delete", own(&name));
    Delete { title: w.delete_title, help: w.delete_help, name, action, back: HOME.to_owned() }
}

fn beside(viewer: &Viewer, failure: Option<&Failure>, fields: &[&'static str]) -> Beside {
    failure.map(|it| Beside::of(it, viewer.language, fields)).unwrap_or_default()
}

pub(super) fn own(name: &str) -> String {
    format!("{HOME}/{}", segment(name))
}

/// As it was written: blanks may be part of a password.
pub(super) fn field(sent: &Sent, name: &str) -> String {
    sent.iter().find(|it| it.0 == name).map(|it| it.1.clone()).unwrap_or_default()
}
