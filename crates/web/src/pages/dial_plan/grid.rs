//! The grid of one table: a row of fields for each row, three empty ones below, and what is wrong where it is wrong.

use super::rows::{Edited, shown};
use super::simulator::{Simulated, said};
use super::tables::Table;
use super::{Came, HOME, held, render};
use crate::pages::form::{Input, at, input};
use crate::pages::layout::Layout;
use crate::pages::viewer::Viewer;
use crate::pages::words::words;
use crate::resource::{Failure, Finding};
use askama::Template;
use axum::response::Response;
use pbx::dialplan::lint::finding;
use pbx::dialplan::plan::DialPlan;
use pbx::dialplan::transition::Transition;
use pbx::language::Language;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Rows of a page.
const ROWS: usize = 200;
/// Empty rows below them.
const EMPTY_ROWS: usize = 3;
/// What transitions are shown with where nothing is dialled.
const SAMPLE: &str = "01381234567";

words! {
    Words {
        save: "Save", "保存";
        attempt: "Simulate", "模拟";
        saved: "Saved. It is in force.", "已保存并生效。";
        not_saved: "Nothing was saved.", "未保存。";
        delete: "Delete", "删除";
        row: "Row", "记录";
        new: "new row", "新记录";
        value: "Value", "值";
        example: "Example", "示例";
        begins: "Rows that begin with", "号码开头";
        find: "Find", "查找";
        next: "Next rows", "后面的记录";
        first: "First rows", "前面的记录";
    }
}

/// What is wrong, and in which place of the form where it is one.
pub(super) struct Wrong {
    pub(super) place: Option<usize>,
    pub(super) sentences: Vec<String>,
    pub(super) failure: Failure,
}

/// A row in its place: what it was, and the values that stand in it.
struct Line {
    place: usize,
    was: Option<u64>,
    deleted: bool,
    values: Value,
}

/// The rows that are shown, and where those behind them begin.
pub(super) struct Grid {
    /// Of the tables that were there when the rows were shown.
    pub(super) tag: String,
    lines: Vec<Line>,
    /// There are more behind this one.
    next: Option<u32>,
}

/// The rows that are there, of those that are asked for.
pub(super) fn stored(table: &Table, plan: &DialPlan, came: &Came, tag: String) -> Grid {
    let mut rows = held::window(plan, table, (came.after, came.q.trim()), ROWS + 1);
    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    let next = rows.last().filter(|_| more).map(|it| it.id());
    let line = |(place, row): (usize, &&dyn held::Row)| Line {
        place,
        was: Some(row.id().into()),
        deleted: false,
        values: shown(row.json()),
    };
    let lines = rows.iter().enumerate().map(line).collect();
    Grid { tag, lines, next }
}

/// The rows as they came back.
pub(super) fn written(edited: &[Edited]) -> Grid {
    let line = |it: &Edited| Line {
        place: it.place,
        was: it.was,
        deleted: it.row.is_none(),
        values: it.row.clone().unwrap_or_default(),
    };
    Grid { tag: String::new(), lines: edited.iter().map(line).collect(), next: None }
}

#[derive(Template)]
#[template(path = "grid.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    title: &'static str,
    help: &'static str,
    action: String,
    attempt: String,
    tag: String,
    saved: bool,
    wrong: Vec<String>,
    heads: Vec<&'static str>,
    examples: bool,
    rows: Vec<Row>,
    plans: Vec<String>,
    /// What the rows that are shown begin with.
    q: String,
    home: String,
    next: Option<String>,
    first: Option<String>,
    simulated: Simulated,
}

struct Row {
    place: usize,
    was: String,
    /// For those who do not see the grid.
    name: String,
    class: &'static str,
    deleted: bool,
    cells: Vec<Cell>,
    example: String,
    notes: Vec<String>,
}

struct Cell {
    path: &'static str,
    label: &'static str,
    class: &'static str,
    wrong: bool,
    input: Input,
}

pub(super) fn page(
    viewer: &Viewer,
    table: &'static Table,
    grid: Grid,
    came: &Came,
    wrong: Option<Wrong>,
    simulated: Simulated,
) -> Response {
    let language = viewer.language;
    let w = Words::of(language);
    let home = format!("{HOME}/{}", table.path);
    let Grid { tag, mut lines, next } = grid;
    let behind = lines.iter().map(|it| it.place + 1).max().unwrap_or(0);
    let empty =
        |place| Line { place, was: None, deleted: false, values: Value::Object(Map::new()) };
    lines.extend((behind..behind + EMPTY_ROWS).map(empty));
    let findings = about(table, &lines, &simulated.findings);
    let rows = lines.iter().map(|it| row(table, it, &findings, wrong.as_ref(), language));
    let action = came.page(table, came.after, false);
    let attempt = action.replacen(&home, &format!("{home}/try"), 1);
    render(&Page {
        page: viewer.layout(),
        w,
        title: table.title.get(language),
        help: table.help.get(language),
        saved: came.saved.is_some() && wrong.is_none(),
        action,
        attempt,
        tag,
        heads: table.fields().iter().map(|it| it.label.get(language)).collect(),
        examples: table.path == "transitions",
        rows: rows.collect(),
        plans: viewer.plans(),
        q: came.q.trim().to_owned(),
        next: next.map(|it| came.page(table, it, false)),
        first: (came.after > 0).then(|| came.page(table, 0, false)),
        home,
        wrong: wrong.map(|it| it.sentences).unwrap_or_default(),
        simulated,
    })
}

/// The findings on rows that are shown; there may be many others.
fn about(table: &Table, lines: &[Line], findings: &[finding::Finding]) -> Vec<Finding> {
    let ids: BTreeSet<String> =
        lines.iter().filter_map(|it| it.values["id"].as_u64()).map(|it| it.to_string()).collect();
    let meant = |it: &&finding::Finding| it.table == table.name && ids.contains(&*it.row);
    findings.iter().filter(meant).map(Finding::from).collect()
}

fn row(
    table: &'static Table,
    line: &Line,
    findings: &[Finding],
    wrong: Option<&Wrong>,
    language: Language,
) -> Row {
    let w = Words::of(language);
    let id = line.values["id"].as_u64().map(|it| it.to_string()).unwrap_or_default();
    let is_mine = |it: &&Finding| it.table == table.name.as_str() && it.row == id && !id.is_empty();
    let mine: Vec<&Finding> = findings.iter().filter(is_mine).collect();
    let refused = wrong.map(|it| it.failure.findings.iter().filter(is_mine).collect::<Vec<_>>());
    let refused = refused.unwrap_or_default();
    let here = wrong.filter(|it| it.place == Some(line.place));
    let is_here = here.is_some();
    let field = here.and_then(|it| it.failure.field.as_deref());
    let cell = |it: &'static crate::pages::form::Field| Cell {
        path: it.path,
        label: it.label.get(language),
        class: width(it.path),
        wrong: field == Some(it.path) || refused.iter().any(|finding| finding.field == it.path),
        input: input(&it.kind, at(&line.values, it.path), language),
    };
    // A row that is never reached is struck through.
    let shadowed = mine.iter().any(|it| it.what.en.starts_with("shadowed"));
    Row {
        place: line.place,
        was: line.was.map(|it| it.to_string()).unwrap_or_default(),
        name: if id.is_empty() { w.new.to_owned() } else { format!("{} {id}", w.row) },
        class: match (shadowed, is_here || !refused.is_empty()) {
            (_, true) => "wrong",
            (true, false) => "shadowed",
            (false, false) => "",
        },
        deleted: line.deleted,
        cells: table.fields().iter().map(cell).collect(),
        example: example(&line.values),
        notes: mine.iter().chain(&refused).map(|it| said(it, language)).collect(),
    }
}

/// What a transition makes of a number.
fn example(values: &Value) -> String {
    let Value::Object(fields) = values else { return String::new() };
    let kept = fields.iter().filter(|it| !it.1.is_null() && *it.1 != "");
    let kept: Map<_, _> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    let Ok(transition) = serde_json::from_value::<Transition>(kept.into()) else {
        return String::new();
    };
    format!("{SAMPLE} \u{2192} {}", transition.apply(SAMPLE))
}

/// The class of a cell's field.
fn width(path: &str) -> &'static str {
    match path {
        "id" | "transition" | "level" | "start" | "length" | "group" | "rate" => "narrow",
        "prefix" | "plan" | "to_plan" | "caller" | "called" | "string" => "middle",
        _ => "wide",
    }
}
