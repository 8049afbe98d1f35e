//! The audit log (操作日志): who changed what, from where, what it was and became, and *undo*.

use super::api::segment;
use super::extensions::cards;
use super::failure::PageFailure;
use super::layout::Layout;
use super::viewer::Viewer;
use super::when::{When, when};
use super::words::words;
use super::{query, render, to};
use crate::resource::audit::{AuditEntry, AuditPage, Undone};
use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

/// Where it is, of the API.
const API: &str = "/api/v1/audit-entries";
/// Entries of a page.
const ROWS: &str = "50";

words! {
    Words {
        title: "Audit log", "操作日志";
        none: "Nothing was changed yet.", "还没有修改记录。";
        at: "Time", "时间";
        who: "Who", "操作者";
        what: "What", "操作";
        change: "Before and after", "修改前后";
        undo: "Undo", "撤销";
        undone: "undone", "已撤销";
        undoes: "takes back an earlier change", "撤销了先前的修改";
        next: "Older changes", "更早的修改";
        first: "Newest changes", "最新修改";
    }
}

/// From which entry on.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    cursor: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    rows: Vec<Row>,
    first: bool,
    next: Option<String>,
}

struct Row {
    id: u64,
    at: When,
    who: String,
    source: String,
    action: String,
    kind: String,
    name: String,
    /// The fields that differ: name, before, after.
    changes: Vec<(String, String, String)>,
    can_undo: bool,
    note: &'static str,
}

pub(crate) async fn on_list(
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> Result<Response, PageFailure> {
    let (w, zone) = (Words::of(viewer.language), viewer.zone());
    let path = query(API, &[("limit", ROWS), ("cursor", &asked.cursor)]);
    let found: AuditPage = viewer.api.get(&path).await?;
    let row = |it: AuditEntry| Row {
        id: it.id,
        at: when(&it.at, &zone),
        who: it.who().get(viewer.language).to_owned(),
        action: it.action_text().get(viewer.language).to_owned(),
        kind: it.kind_text().get(viewer.language).to_owned(),
        source: it.source,
        name: it.name,
        changes: changes(it.before.as_ref(), it.after.as_ref()),
        can_undo: it.can_undo,
        note: match (it.undone_by, it.undoes) {
            (Some(_), _) => w.undone,
            (None, Some(_)) => w.undoes,
            (None, None) => "",
        },
    };
    let rows = found.entries.into_iter().map(row).collect();
    let next = found.next.map(|it| query("/audit", &[("cursor", &it.to_string())]));
    let first = asked.cursor.is_empty();
    Ok(render(&Page { page: viewer.layout(), w, rows, first, next }))
}

/// An extension that is there again has a new password: it is shown once, as that of a new one.
pub(crate) async fn on_undo(
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageFailure> {
    let undone: Undone = viewer.api.post(&format!("{API}/{}:undo", segment(&id)), &()).await?;
    Ok(match undone.credentials {
        Some(made) => cards(&viewer, vec![made], false).await,
        None => to("/audit"),
    })
}

/// The fields of one that differ from those of the other, each as short as it can be written.
fn changes(before: Option<&Value>, after: Option<&Value>) -> Vec<(String, String, String)> {
    let of = |value: Option<&Value>, name: &str| {
        value.and_then(|it| it.get(name)).map(shown).unwrap_or_default()
    };
    let (Some(old), Some(new)) = (before, after) else { return vec![] };
    let (Some(old_fields), Some(new_fields)) = (old.as_object(), new.as_object()) else {
        return vec![(String::new(), shown(old), shown(new))];
    };
    let mut names: Vec<&String> = old_fields.keys().chain(new_fields.keys()).collect();
    names.sort();
    names.dedup();
    let differing = names.into_iter().filter(|it| old.get(it) != new.get(it));
    differing.map(|it| (it.clone(), of(before, it), of(after, it))).collect()
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_shown() {
        let before = json!({ "name": "Hall", "calls": 2, "gone": true });
        let after = json!({ "name": "Door", "calls": 2, "new": [1] });
        let expected = [("gone", "true", ""), ("name", "Hall", "Door"), ("new", "", "[1]")];
        let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(changes(Some(&before), Some(&after)), expected);
        assert_eq!(changes(None, Some(&after)), []);
    }
}
