//! The list of extensions: what to look for stands in the URL, fifty at a time.

use super::{API, HOME, own};
use crate::pages::failure::PageFailure;
use crate::pages::layout::Layout;
use crate::pages::viewer::Viewer;
use crate::pages::words::words;
use crate::pages::{query, render};
use crate::resource::{Call, Extension, Failure};
use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Rows of a page.
const ROWS: usize = 50;
/// Extensions that one look goes through for those of a state.
const LOOK_MAX: usize = 1000;

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
    let calls: Vec<Call> = viewer.api.all("/api/v1/calls", &[]).await?;
    let looked = look(&viewer, &asked).await?;
    let running = &viewer.pages.running;
    let talking: BTreeSet<&str> =
        calls.iter().flat_map(|it| [it.caller.as_str(), it.callee.as_str()]).collect();
    let state = |it: &Extension| {
        if talking.contains(it.number.as_str()) {
            ("talking", "warn", w.talking)
        } else if running.is_registered(&it.number) {
            ("idle", "good", w.idle)
        } else if it.has_password {
            ("offline", "off", w.offline)
        } else {
            ("address", "good", w.by_address)
        }
    };
    let fits = |it: &&Extension| asked.state.is_empty() || state(it).0 == asked.state;
    let mut found: Vec<&Extension> = looked.extensions.iter().filter(fits).collect();
    // Where some of those looked at are left over, the next page begins with them.
    let over = found.len() > ROWS;
    found.truncate(ROWS);
    let last = if over { found.last().map(|it| it.number.clone()) } else { looked.last };
    let next = last.map(|it| address(&asked, &it));
    let empty = looked.extensions.is_empty() && asked.q.is_empty() && asked.after.is_empty();
    let rows: Vec<Row> = found.iter().map(|it| row(it, state(it), w)).collect();
    let states = [
        ("", w.any),
        ("offline", w.offline),
        ("idle", w.idle),
        ("talking", w.talking),
        ("address", w.by_address),
    ];
    let page = viewer.layout();
    Ok(render(&Page { page, w, asked, states: states.into(), rows, empty, next }))
}

/// Those that were looked at, and the last of them where there are more behind.
struct Looked {
    extensions: Vec<Extension>,
    last: Option<String>,
}

/// A page of them; of a state, which no list is sorted by, as many as one look may cost.
async fn look(viewer: &Viewer, asked: &Asked) -> Result<Looked, Failure> {
    let limit = if asked.state.is_empty() { ROWS } else { LOOK_MAX };
    let fields =
        [("limit", &*limit.to_string()), ("cursor", &*asked.after), ("search", asked.q.trim())];
    let mut extensions: Vec<Extension> = viewer.api.get(&query(API, &fields)).await?;
    extensions.truncate(limit);
    let more = extensions.len() == limit;
    let last = extensions.last().filter(|_| more).map(|it| it.number.clone());
    Ok(Looked { extensions, last })
}

fn row(it: &Extension, state: (&str, &'static str, &'static str), w: &'static Words) -> Row {
    let disturb = it.do_not_disturb.then_some(w.disturb);
    let forwarded = (!it.forward.is_empty()).then_some(w.forwarded);
    Row {
        href: own(&it.number),
        number: it.number.clone(),
        name: it.name.clone(),
        levels: it.levels.to_string(),
        class: state.1,
        state: state.2,
        notes: disturb.into_iter().chain(forwarded).collect(),
    }
}

/// The page that begins behind this number.
fn address(asked: &Asked, after: &str) -> String {
    query(HOME, &[("q", &*asked.q), ("state", &*asked.state), ("after", after)])
}
