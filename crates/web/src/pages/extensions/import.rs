//! A sheet of extensions (批量导入): tried first, with every row and column that is wrong, then taken in.

use super::made::cards;
use crate::pages::failure::{PageFailure, sentences};
use crate::pages::form::Sent;
use crate::pages::layout::Layout;
use crate::pages::render;
use crate::pages::viewer::Viewer;
use crate::pages::words::words;
use crate::resource::Failure;
use crate::resource::sheet::SheetReport;
use askama::Template;
use axum::Form as Body;
use axum::response::Response;

const API: &str = "/api/v1/extensions:import";
/// Longest sheet that comes by a form. Unit: octets. Longer ones go by the API or the command line.
pub(crate) const SHEET_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest file that fits into it, escaped as a form escapes most of what Chinese is written with. Unit: octets.
pub(crate) const FILE_BYTES_MAX: usize = SHEET_BYTES_MAX / 5;
/// Rows shown of what would change.
const ROWS_MAX: usize = 200;

words! {
    Words {
        title: "Import extensions", "导入分机";
        extensions: "Extensions", "分机";
        export: "Export as CSV", "导出CSV";
        help: "Export the sheet, change it in a spreadsheet, and import it again. What was not touched changes nothing; extensions that are not in the sheet stay.", "先导出表格，在电子表格软件中修改后再导入。未修改的不变；表中没有的分机保留。";
        file: "CSV file", "CSV文件";
        sheet: "Its content", "文件内容";
        sheet_help: "A column number is needed; a new extension without a password gets one.", "必须有number列；新分机未给出密码时自动生成。";
        weak: "Take weak passwords; such phones are accepted from private networks only", "允许弱密码；这些分机仅接受来自私网的注册";
        try_it: "Try", "试运行";
        import: "Import", "导入";
        row: "Row", "行";
        column: "Column", "列";
        reason: "What is wrong", "原因";
        problems: "What is wrong", "问题";
        changes: "Changes", "变化";
        number: "Number", "号码";
        change: "Change", "变化";
        new: "new", "新增";
        more: "Not shown:", "未显示：";
        long: "The file is too long for this page: import it with dialtone ext import FILE, or by the API.", "文件过大，无法在此页面导入：请使用命令dialtone ext import FILE或API。";
    }
}

#[derive(Template)]
#[template(path = "import.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    sheet: String,
    allow_weak: bool,
    report: Option<Report>,
    /// Longest file taken. Unit: octets.
    most: usize,
    /// It was tried and nothing is wrong.
    ready: bool,
    wrong: Vec<String>,
}

struct Report {
    summary: String,
    problems: Vec<Problem>,
    more_problems: usize,
    rows: Vec<(String, String)>,
    more: usize,
}

struct Problem {
    row: u64,
    column: String,
    reason: String,
}

pub(crate) async fn on_form(viewer: Viewer) -> Response {
    page(&viewer, String::new(), false, None, None)
}

pub(crate) async fn on_import(
    viewer: Viewer,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let of =
        |name: &str| sent.iter().find(|it| it.0 == name).map(|it| it.1.clone()).unwrap_or_default();
    let (sheet, allow_weak) = (of("sheet"), !of("allow_weak").is_empty());
    let dry_run = of("step") != "import";
    let path = format!("{API}?dry_run={dry_run}&allow_weak={allow_weak}");
    match viewer.api.post_text::<SheetReport>(&path, "text/csv", sheet.clone()).await {
        Ok(done) if !dry_run && !done.credentials.is_empty() => {
            Ok(cards(&viewer, done.credentials, false).await)
        }
        // Once it is in, the form is empty again.
        Ok(done) if !dry_run => Ok(page(&viewer, String::new(), false, Some(done), None)),
        Ok(tried) => Ok(page(&viewer, sheet, allow_weak, Some(tried), None)),
        Err(failure) => Ok(page(&viewer, sheet, allow_weak, None, Some(&failure))),
    }
}

fn page(
    viewer: &Viewer,
    sheet: String,
    allow_weak: bool,
    report: Option<SheetReport>,
    failure: Option<&Failure>,
) -> Response {
    let w = Words::of(viewer.language);
    let is_good = |it: &SheetReport| {
        it.dry_run && it.problems.is_empty() && !(it.added.is_empty() && it.changed.is_empty())
    };
    render(&Page {
        page: viewer.layout(),
        w,
        sheet,
        allow_weak,
        most: FILE_BYTES_MAX,
        ready: report.as_ref().is_some_and(is_good),
        report: report.map(|it| shown(it, viewer, w)),
        wrong: failure.map(|it| sentences(it, viewer.language)).unwrap_or_default(),
    })
}

fn shown(it: SheetReport, viewer: &Viewer, w: &Words) -> Report {
    let (added, changed, same, wrong) =
        (it.added.len(), it.changed.len(), it.unchanged, it.problems.len());
    let summary = match (it.dry_run, wrong) {
        (_, 1..) => pbx::text!(
            "{wrong} cells or rows are wrong; nothing would be imported",
            "有{wrong}处错误，不会导入"
        ),
        (true, 0) => pbx::text!(
            "{added} would be added, {changed} changed, {same} stay as they are",
            "将新增{added}个，修改{changed}个，{same}个不变"
        ),
        (false, 0) => pbx::text!(
            "{added} were added, {changed} changed, {same} stayed as they were",
            "已新增{added}个，修改{changed}个，{same}个未变"
        ),
    };
    let new = it.added.into_iter().map(|it| (it, w.new.to_owned()));
    let changed = it.changed.into_iter().map(|it| (it.number, it.fields.join(", ")));
    let mut rows: Vec<(String, String)> = new.chain(changed).collect();
    let more = rows.len().saturating_sub(ROWS_MAX);
    rows.truncate(ROWS_MAX);
    let problem = |it: crate::resource::sheet::SheetProblem| Problem {
        row: it.row,
        column: it.column.unwrap_or_default(),
        reason: it.reason.get(viewer.language).to_owned(),
    };
    Report {
        summary: summary.get(viewer.language).to_owned(),
        more_problems: wrong.saturating_sub(ROWS_MAX),
        problems: it.problems.into_iter().take(ROWS_MAX).map(problem).collect(),
        rows,
        more,
    }
}
