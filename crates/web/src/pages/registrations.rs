//! Registrations (注册状态): every phone that is registered now, fifty at a time; and the history of an extension's.

use super::api::segment;
use super::failure::PageFailure;
use super::layout::Layout;
use super::viewer::Viewer;
use super::when::{When, when};
use super::words::words;
use super::{query, render, to};
use crate::resource::{Registration, RegistrationChange, RegistrationHistory};
use askama::Template;
use axum::Form;
use axum::extract::{Path, Query};
use axum::response::Response;
use jiff::tz::TimeZone;
use serde::Deserialize;

/// Rows of a page.
const ROWS: usize = 50;

words! {
    Words {
        title: "Registrations", "注册状态";
        search: "Search", "搜索";
        search_help: "Number, address or phone", "号码、地址或话机";
        extension: "Extension", "分机";
        device: "Phone", "话机";
        source: "Source", "来源地址";
        contact: "Contact", "联系地址";
        since: "Registered", "注册时间";
        expires: "Expires in", "剩余有效期";
        seconds: "s", "秒";
        none: "No phone is registered.", "没有已注册的话机。";
        not_found: "No registration is like that.", "没有符合条件的注册。";
        next: "Next page", "下一页";
        first: "First page", "第一页";
        history: "History", "历史";
        now: "Registered now", "当前注册";
        none_now: "No phone of this extension is registered.", "该分机当前没有已注册的话机。";
        changes: "Last changes", "最近变更";
        changes_help: "The last 20 changes and the last 5 refusals; a refresh is no change.", "最近20次变更和最近5次被拒绝的注册；刷新注册不算变更。";
        no_changes: "Nothing has happened yet.", "暂无变更。";
        log_off: "Log off", "注销";
        time: "Time", "时间";
        what: "What happened", "变更";
        to_list: "Registrations", "注册状态";
        to_extension: "Open the extension", "查看分机";
    }
}

/// What is looked for.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    q: String,
    after: String,
}

#[derive(Template)]
#[template(path = "registrations.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    asked: Asked,
    empty: bool,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    href: String,
    extension: String,
    device: String,
    source: String,
    contact: String,
    since: When,
    expires: u64,
    history: String,
    /// What names it.
    id: String,
}

#[derive(Deserialize)]
pub(crate) struct LogOff {
    device: String,
}

#[derive(Template)]
#[template(path = "registration-history.html")]
struct HistoryPage {
    page: Layout,
    w: &'static Words,
    extension: String,
    /// Its own page.
    href: String,
    rows: Vec<Row>,
    changes: Vec<Change>,
}

struct Change {
    at: When,
    /// The colour of its lamp.
    class: &'static str,
    text: String,
    device: String,
    source: String,
    contact: String,
}

pub(crate) async fn on_list(
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> Result<Response, PageFailure> {
    let limit = (ROWS + 1).to_string();
    let fields = [("limit", &*limit), ("cursor", &*asked.after), ("search", asked.q.trim())];
    let mut found: Vec<Registration> =
        viewer.api.get(&query("/api/v1/registrations", &fields)).await?;
    let (zone, more) = (viewer.zone(), found.len() > ROWS);
    found.truncate(ROWS);
    let rows: Vec<Row> = found.iter().map(|it| row(it, &zone)).collect();
    let last = found.last().filter(|_| more);
    let next = last.map(|it| {
        let after = format!("{}/{}", it.extension, it.device);
        query("/registrations", &[("q", &*asked.q), ("after", &*after)])
    });
    let empty = rows.is_empty() && asked.q.is_empty() && asked.after.is_empty();
    let (page, w) = (viewer.layout(), Words::of(viewer.language));
    Ok(render(&Page { page, w, asked, empty, rows, next }))
}

fn row(it: &Registration, zone: &TimeZone) -> Row {
    Row {
        href: format!("/extensions/{}", segment(&it.extension)),
        extension: it.extension.clone(),
        device: it.user_agent.clone(),
        source: source(&it.source, &it.transport),
        contact: it.contact.clone(),
        since: when(&it.registered_at, zone),
        expires: it.expires_in_s,
        history: format!("/registrations/{}", segment(&it.extension)),
        id: it.device.clone(),
    }
}

fn source(address: &str, transport: &str) -> String {
    format!("{address} {}", transport.to_uppercase()).trim_end().to_owned()
}

pub(crate) async fn on_history(
    viewer: Viewer,
    Path(number): Path<String>,
) -> Result<Response, PageFailure> {
    let path = format!("/api/v1/extensions/{}/registration-history", segment(&number));
    let found: RegistrationHistory = viewer.api.get(&path).await?;
    let zone = viewer.zone();
    let change = |it: &RegistrationChange| Change {
        at: when(&it.at, &zone),
        class: match it.what.as_str() {
            "registered" => "good",
            "gone" => "off",
            "refused" => "bad",
            _ => "warn",
        },
        text: it.text.get(viewer.language).to_owned(),
        device: it.user_agent.clone(),
        source: source(&it.source, &it.transport),
        contact: it.contact.clone(),
    };
    Ok(render(&HistoryPage {
        page: viewer.layout(),
        w: Words::of(viewer.language),
        href: format!("/extensions/{}", segment(&found.extension)),
        rows: found.registered.iter().map(|it| row(it, &zone)).collect(),
        changes: found.changes.iter().map(change).collect(),
        extension: found.extension,
    }))
}

pub(crate) async fn on_log_off(
    viewer: Viewer,
    Path(number): Path<String>,
    Form(LogOff { device }): Form<LogOff>,
) -> Result<Response, PageFailure> {
    let number = segment(&number);
    viewer.api.delete(&format!("/api/v1/registrations/{number}/{}", segment(&device))).await?;
    Ok(to(&format!("/registrations/{number}")))
}
