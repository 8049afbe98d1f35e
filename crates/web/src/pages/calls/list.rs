//! The list of call records, the newest first: what to look for stands in the URL.

use super::{class, direction, way};
use crate::moment::moment;
use crate::pages::api::segment;
use crate::pages::failure::PageFailure;
use crate::pages::layout::Layout;
use crate::pages::viewer::Viewer;
use crate::pages::when::{When, duration, when};
use crate::pages::words::words;
use crate::pages::{query, render};
use crate::records::search::CallsFound;
use crate::resource::Call;
use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pbx::language::Language;
use serde::Deserialize;

words! {
    Words {
        title: "Call records", "话单";
        search: "Search", "查询";
        number: "Number or name", "号码或名称";
        result: "Result", "结果";
        any: "all", "全部";
        answered: "answered", "已应答";
        failed: "failed", "未接通";
        from: "From", "起始日期";
        to: "To", "结束日期";
        day: "Enter a date such as 2026-11-22. Nothing was searched.", "应为日期，例如2026-11-22。未执行查询。";
        way: "External line or SIP trunk", "外线或SIP中继";
        started: "Started", "开始时间";
        caller: "Caller number", "主叫号码";
        called: "Dialled", "所拨号码";
        route: "Route", "路由";
        duration: "Duration", "通话时长";
        reason: "How it ended", "释放原因";
        up: "still up", "进行中";
        export: "Export as CSV", "导出CSV";
        next: "Older calls", "更早的话单";
        further: "Search further back", "继续向前查询";
        first: "Newest calls", "最新话单";
        none: "There are no calls like that.", "没有符合条件的话单。";
        part: "The newest 20,000 calls of these days were looked through.", "已查询该时段内最近的20000条话单。";
    }
}

/// What is looked for.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    q: String,
    result: String,
    from: String,
    to: String,
    way: String,
    code: String,
    cursor: String,
}

#[derive(Template)]
#[template(path = "call_records.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    results: [(&'static str, &'static str); 3],
    days: [Day; 2],
    /// What is looked for cannot be read: nothing was.
    is_wrong: bool,
    rows: Vec<Row>,
    next: Option<String>,
    /// All that is looked for, as a file.
    export: String,
    asked: Asked,
}

/// The first day or the last one.
struct Day {
    name: &'static str,
    label: &'static str,
    /// A browser shows nothing in a field for days that is none.
    kind: &'static str,
    value: String,
    is_wrong: bool,
}

pub(crate) struct Row {
    pub(crate) href: String,
    pub(crate) started: When,
    pub(crate) caller: String,
    pub(crate) name: String,
    pub(crate) dialled: String,
    pub(crate) callee: String,
    pub(crate) route: String,
    pub(crate) duration: String,
    pub(crate) class: &'static str,
    pub(crate) reason: String,
}

pub(crate) async fn on_list(
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> Result<Response, PageFailure> {
    let w = Words::of(viewer.language);
    let zone = viewer.zone();
    let days = [("from", w.from, &asked.from), ("to", w.to, &asked.to)].map(|it| day(it, &zone));
    if days.iter().any(|it| it.is_wrong) {
        return Ok(shown(&viewer, asked, days, CallsFound::default(), String::new()));
    }
    let at = |text: &str, later: u64| {
        moment(text.trim(), &zone).map(|it| (it.0 + later).to_string()).unwrap_or_default()
    };
    // The last day counts as a whole.
    let (from, to) = (at(&asked.from, 0), at(&asked.to, 86_400_000));
    let wanted = |path, cursor| {
        let days = [("from", &*from), ("to", &*to), ("cursor", cursor)];
        let what = [("q", &*asked.q), ("result", &*asked.result)];
        query(path, &[&what[..], &[("way", &*asked.way), ("code", &*asked.code)], &days].concat())
    };
    let found: CallsFound =
        viewer.api.get(&wanted("/api/v1/call-records:search", &asked.cursor)).await?;
    let export = wanted("/api/v1/call-records:export", "");
    Ok(shown(&viewer, asked, days, found, export))
}

fn shown(
    viewer: &Viewer,
    asked: Asked,
    days: [Day; 2],
    found: CallsFound,
    export: String,
) -> Response {
    let (page, w, zone) = (viewer.layout(), Words::of(viewer.language), viewer.zone());
    let rows = found.calls.iter().map(|it| row(it, &zone, viewer.language)).collect();
    let next = found.next.map(|it| address(&asked, &it));
    let results = [("", w.any), ("answered", w.answered), ("failed", w.failed)];
    let is_wrong = days.iter().any(|it| it.is_wrong);
    render(&Page { page, w, results, days, is_wrong, rows, next, export, asked })
}

fn day((name, label, text): (&'static str, &'static str, &String), zone: &TimeZone) -> Day {
    let text = text.trim();
    let is_wrong = !text.is_empty() && moment(text, zone).is_none();
    // A field for days shows none that is written in another way.
    let is_day = text.parse::<Date>().is_ok_and(|it| it.to_string() == text);
    let kind = if text.is_empty() || is_day { "date" } else { "text" };
    Day { name, label, kind, value: text.to_owned(), is_wrong }
}

/// A call as a row of a list.
pub(crate) fn row(call: &Call, zone: &TimeZone, language: Language) -> Row {
    let said = call.verdict.as_ref().map(|it| it.sentence.get(language).to_owned());
    let talked = call.answered_at.is_some();
    let route = [direction(call, language).to_owned(), way(call, language)];
    Row {
        href: format!("/calls/{}", segment(&call.id)),
        started: when(&call.started_at, zone),
        caller: call.caller.clone(),
        name: call.caller_name.clone(),
        dialled: call.dialled.clone(),
        callee: call.callee.clone(),
        route: route.join(" ").trim().to_owned(),
        duration: if talked { duration(call.duration_s) } else { String::new() },
        class: class(call),
        reason: said.unwrap_or_else(|| Words::of(language).up.to_owned()),
    }
}

fn address(asked: &Asked, cursor: &str) -> String {
    query(
        "/call-records",
        &[
            ("q", &*asked.q),
            ("result", &*asked.result),
            ("from", &*asked.from),
            ("to", &*asked.to),
            ("way", &*asked.way),
            ("code", &*asked.code),
            ("cursor", cursor),
        ],
    )
}
