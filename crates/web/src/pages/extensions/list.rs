//! The list of extensions: what to look for stands in the URL, fifty at a time.

use super::{API, HOME, own};
use crate::pages::failure::PageFailure;
use crate::pages::layout::Layout;
use crate::pages::viewer::Viewer;
use crate::pages::words::words;
use crate::pages::{query, render};
use crate::resource::{ExtensionNow, ExtensionState};
use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;

/// Rows of a page.
const ROWS: usize = 50;

words! {
    Words {
        title: "Extensions", "分机";
        search: "Search", "搜索";
        search_help: "Number or description", "号码或描述";
        state: "State", "状态";
        any: "all", "全部";
        add: "Add", "添加";
        add_range: "Add a range", "批量添加";
        import: "Import", "导入";
        number: "Number", "号码";
        name: "Description", "描述";
        levels: "Call levels", "呼叫级别";
        forwarded: "forwarded", "已转移";
        disturb: "do not disturb", "免打扰";
        offline: "not registered", "未注册";
        idle: "idle", "空闲";
        talking: "in a call", "通话中";
        by_address: "by address", "按IP地址";
        next: "Next page", "下一页";
        first: "First page", "第一页";
        none: "There are no extensions yet. Each phone needs one.", "还没有分机。每部话机需要一个分机。";
        not_found: "No extension is like that.", "没有符合条件的分机。";
        part: "None of those looked through so far is like that.", "已查找的分机中没有符合条件的。";
        further: "Look further", "继续查找";
    }
}

/// What is looked for.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    q: String,
    state: String,
    after: String,
}

#[derive(Template)]
#[template(path = "extensions.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    asked: Asked,
    states: Vec<(&'static str, &'static str)>,
    rows: Vec<Row>,
    /// Nothing is there at all.
    empty: bool,
    next: Option<String>,
}

struct Row {
    href: String,
    number: String,
    name: String,
    levels: String,
    class: &'static str,
    state: &'static str,
    notes: Vec<&'static str>,
}

pub(crate) async fn on_list(
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> Result<Response, PageFailure> {
    let w = Words::of(viewer.language);
    let limit = ROWS.to_string();
    let fields = [
        ("limit", &*limit),
        ("cursor", &*asked.after),
        ("search", asked.q.trim()),
        ("state", &*asked.state),
    ];
    let (found, next) = viewer.api.page::<ExtensionNow>(&query(API, &fields)).await?;
    let next = next.map(|it| address(&asked, &it));
    let nothing = found.is_empty() && asked.q.is_empty() && asked.after.is_empty();
    let empty = nothing && asked.state.is_empty();
    let rows: Vec<Row> = found.iter().map(|it| row(it, w)).collect();
    let states = ExtensionState::ALL.map(|it| (it.as_str(), said(it, w).1));
    let states = std::iter::once(("", w.any)).chain(states).collect();
    let page = viewer.layout();
    Ok(render(&Page { page, w, asked, states, rows, empty, next }))
}

/// The class of the lamp, and the word beside it.
fn said(state: ExtensionState, w: &'static Words) -> (&'static str, &'static str) {
    match state {
        ExtensionState::Offline => ("off", w.offline),
        ExtensionState::Idle => ("good", w.idle),
        ExtensionState::Talking => ("warn", w.talking),
        ExtensionState::ByAddress => ("good", w.by_address),
    }
}

fn row(it: &ExtensionNow, w: &'static Words) -> Row {
    let (class, state) = said(it.state, w);
    let it = &it.extension;
    let disturb = it.do_not_disturb.then_some(w.disturb);
    let forwarded = (!it.forward.is_empty()).then_some(w.forwarded);
    Row {
        href: own(&it.number),
        number: it.number.clone(),
        name: it.name.clone(),
        levels: it.levels.to_string(),
        class,
        state,
        notes: disturb.into_iter().chain(forwarded).collect(),
    }
}

/// The page that begins behind this number.
fn address(asked: &Asked, after: &str) -> String {
    query(HOME, &[("q", &*asked.q), ("state", &*asked.state), ("after", after)])
}
