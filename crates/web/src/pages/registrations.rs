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
    from: usize,
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
    let all: Vec<Registration> = viewer.api.get("/api/v1/registrations").await?;
    let (zone, wanted) = (viewer.zone(), asked.q.trim().to_lowercase());
    let found = |it: &&Registration| {
        let texts = [&it.extension, &it.source, &it.user_agent, &it.contact];
        texts.iter().any(|it| it.to_lowercase().contains(&wanted))
    };
    let row = |it: &Registration| Row {
        href: format!("/extensions/{}", segment(&it.extension)),
        extension: it.extension.clone(),
        device: it.user_agent.clone(),
        source: format!("{} {}", it.source, it.transport.to_uppercase()),
        contact: it.contact.clone(),
        since: when(&it.registered_at, &zone),
        expires: it.expires_in_s,
    };
    let mut rows: Vec<Row> =
        all.iter().filter(found).skip(asked.from).take(ROWS + 1).map(row).collect();
    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    let from = (asked.from + ROWS).to_string();
    let next = more.then(|| query("/registrations", &[("q", &asked.q), ("from", &from)]));
    let (page, w, empty) = (viewer.layout(), Words::of(viewer.language), all.is_empty());
    Ok(render(&Page { page, w, asked, empty, rows, next }))
}
