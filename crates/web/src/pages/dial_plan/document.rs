//! The dial plan as one document (导出与导入): all tables, lines and trunks as the API gives them, tried first, with what
//! would change, then put in the place of what there is.

use super::simulator::first;
use super::{API, HOME};
use crate::conventions::{object, plain};
use crate::pages::extensions::import::FILE_BYTES_MAX;
use crate::pages::failure::{PageFailure, sentences};
use crate::pages::form::{self, Sent};
use crate::pages::layout::Layout;
use crate::pages::render;
use crate::pages::viewer::Viewer;
use crate::pages::words::words;
use crate::resource::{DialPlanRequest, Failure, Imported};
use askama::Template;
use axum::Form as Body;
use axum::response::Response;
use pbx::dialplan::Tables;
use pbx::language::Text;
use pbx::text;
use serde::de::IgnoredAny;
use serde_json::Deserializer;
use serde_json::error::Category;
use sha2::{Digest as _, Sha256};

/// Names of rows that are shown of a table.
const NAMES_MAX: usize = 50;

words! {
    Words {
        title: "Export and import", "导出与导入";
        tables: "Simulator", "拨号模拟";
        export: "Export as JSON", "导出JSON";
        help: "The document holds all tables of the dial plan, the external lines without their passwords, and the SIP trunks. What is imported takes the place of all of them; a line that is there already keeps its password.",
            "文件包含拨号规则的所有表、外线（不含密码）和SIP中继。导入将替换全部内容；已有外线的密码保留不变。";
        apart: "Emergency numbers, the out-group prefix and extensions are not in it: they are on the pages System and Extensions.",
            "紧急号码、出群呼叫前缀和分机不在其中，请在“系统信息”和“分机”页面设置。";
        file: "JSON file", "JSON文件";
        content: "Its content", "文件内容";
        try_it: "Try", "试运行";
        import: "Import", "导入";
        table: "Table", "表";
        rows: "Rows", "记录数";
        added: "Added", "新增";
        changed: "Changed", "修改";
        removed: "Removed", "删除";
        same: "Nothing would change.", "没有变化。";
        tried: "This would change:", "将有以下变化：";
        other: "Nothing was imported: this is not what was tried. It would change:", "尚未导入：内容与试运行时不同。将有以下变化：";
        imported: "Imported. It is in force.", "已导入并生效。";
        long: "The file is too long for this page: import it with dialtone dialplan import FILE, or by the API.",
            "文件过大，无法在此页面导入：请使用命令dialtone dialplan import FILE或API。";
    }
}

#[derive(Template)]
#[template(path = "dial_plan_document.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    home: &'static str,
    api: &'static str,
    document: String,
    /// Of what was there when it was tried: nobody replaces what he has not seen.
    tag: String,
    /// What was tried, and would change something: nothing else is imported.
    tried: Option<String>,
    report: Option<Report>,
    /// Longest file taken. Unit: octets.
    most: usize,
    wrong: Vec<String>,
}

struct Report {
    dry_run: bool,
    summary: &'static str,
    changes: Vec<Change>,
    warnings: Vec<String>,
}

struct Change {
    table: String,
    rows: usize,
    added: String,
    changed: String,
    removed: String,
}

/// What stands in the form.
#[derive(Default)]
struct Sheet {
    document: String,
    tag: String,
}

pub(crate) async fn on_form(viewer: Viewer) -> Response {
    page(&viewer, Sheet::default(), None)
}

pub(crate) async fn on_import(
    viewer: Viewer,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let of = |name: &str| sent.iter().find(|it| it.0 == name).map(|it| it.1.as_str());
    let document = of("document").unwrap_or_default().to_owned();
    let is_tried = of("tried") == Some(&*mark(&document));
    let wants_import = of("step") == Some("import");
    let dry_run = !(wants_import && is_tried);
    let tag = match dry_run {
        true => viewer.api.get_tagged::<IgnoredAny>(API).await?.1,
        false => form::tag(&sent).to_owned(),
    };
    let done = put(&viewer, &document, dry_run, &tag).await;
    // Once it is in, the form is empty again.
    let sheet = match &done {
        Ok(it) if !it.dry_run => Sheet::default(),
        Ok(_) | Err(_) => Sheet { document, tag },
    };
    Ok(page(&viewer, sheet, Some((&done, wants_import && dry_run))))
}

/// By what a document is known again.
fn mark(document: &str) -> String {
    Sha256::digest(document).iter().take(12).map(|it| format!("{it:02x}")).collect()
}

async fn put(
    viewer: &Viewer,
    document: &str,
    dry_run: bool,
    tag: &str,
) -> Result<Imported, Failure> {
    let tables = read(document).map_err(|what| Failure::new(422, "invalid", what))?;
    let request = DialPlanRequest { tables, only: None, dry_run };
    viewer.api.put_if(API, &request, tag).await
}

/// A list is no document, though serde would take an empty one for tables without rows; and no table is there twice.
fn read(document: &str) -> Result<Tables, Text> {
    let mut from = Deserializer::from_str(document);
    let tables = object(&mut from).and_then(|it| from.end().map(|()| it));
    tables.map_err(|error| match error.classify() {
        Category::Data => plain(&error.to_string()),
        Category::Syntax | Category::Eof | Category::Io => {
            let (line, column) = (error.line(), error.column());
            text!(
                "This is no JSON: look at line {line}, column {column}.",
                "内容不是有效的JSON：请检查第{line}行第{column}列。"
            )
        }
    })
}

/// `done` is what came of it, and whether something else was to be imported than what was tried.
fn page(
    viewer: &Viewer,
    Sheet { document, tag }: Sheet,
    done: Option<(&Result<Imported, Failure>, bool)>,
) -> Response {
    let w = Words::of(viewer.language);
    let (report, wrong) = match done {
        None => (None, vec![]),
        Some((Ok(it), is_other)) => (Some(report(it, is_other, viewer, w)), vec![]),
        Some((Err(it), _)) => (None, sentences(it, viewer.language)),
    };
    let is_ready = |it: &&Report| it.dry_run && !it.changes.is_empty();
    render(&Page {
        page: viewer.layout(),
        w,
        home: HOME,
        api: API,
        tried: report.as_ref().filter(is_ready).map(|_| mark(&document)),
        document,
        tag,
        most: FILE_BYTES_MAX,
        report,
        wrong,
    })
}

/// Only the tables in which something is another.
fn report(it: &Imported, is_other: bool, viewer: &Viewer, w: &'static Words) -> Report {
    let changes = it
        .changes
        .iter()
        .filter(|it| [&it.added, &it.changed, &it.removed].iter().any(|names| !names.is_empty()));
    let change = |it: &crate::resource::TableChange| Change {
        table: viewer.say(&it.name).to_owned(),
        rows: it.rows,
        added: names(&it.added),
        changed: names(&it.changed),
        removed: names(&it.removed),
    };
    let changes: Vec<Change> = changes.map(change).collect();
    let summary = match (it.dry_run, changes.is_empty()) {
        (true, true) => w.same,
        (true, false) if is_other => w.other,
        (true, false) => w.tried,
        (false, _) => w.imported,
    };
    let rest = |more| text!("and {more} more", "还有{more}条");
    let warnings = first(it.warnings.iter().cloned(), rest, viewer.language);
    Report { dry_run: it.dry_run, summary, changes, warnings }
}

/// The first of them, and how many there are besides.
fn names(all: &[String]) -> String {
    let mut text = all.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ");
    let more = all.len().saturating_sub(NAMES_MAX);
    if more > 0 {
        text += &format!(" … +{more}");
    }
    text
}
