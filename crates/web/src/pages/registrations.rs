//! Registrations (注册状态): every phone that is registered now, fifty at a time.

use super::api::segment;
use super::failure::PageFailure;
use super::layout::Layout;
use super::viewer::Viewer;
use super::when::{When, when};
use super::words::words;
use super::{query, render};
use crate::resource::Registration;
use askama::Template;
use axum::extract::Query;
use axum::response::Response;
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
    let row = |it: &Registration| Row {
        href: format!("/extensions/{}", segment(&it.extension)),
        extension: it.extension.clone(),
        device: it.user_agent.clone(),
        source: format!("{} {}", it.source, it.transport.to_uppercase()),
        contact: it.contact.clone(),
        since: when(&it.registered_at, &zone),
        expires: it.expires_in_s,
    };
    let rows: Vec<Row> = found.iter().map(row).collect();
    let last = found.last().filter(|_| more);
    let next = last.map(|it| {
        let after = format!("{}/{}", it.extension, it.device);
        query("/registrations", &[("q", &*asked.q), ("after", &*after)])
    });
    let empty = rows.is_empty() && asked.q.is_empty() && asked.after.is_empty();
    let (page, w) = (viewer.layout(), Words::of(viewer.language));
    Ok(render(&Page { page, w, asked, empty, rows, next }))
}
