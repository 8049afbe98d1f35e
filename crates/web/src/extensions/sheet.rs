//! Extensions as a sheet of CSV (RFC 4180): taken out, and put in again. A dry run names row, column and reason; what was
//! taken out and not touched changes nothing.

mod cells;

use super::{
    ByPhone, EXTENSIONS_PER_REQUEST_MAX, added, change_to, changed, numbers, password, patched,
    put_password, set_by_phone, too_many,
};
use crate::access::Principal;
use crate::audit::{Author, EXTENSIONS, Editor};
use crate::outside::Fields;
use crate::resource::sheet::{SheetChange, SheetProblem, SheetReport};
use crate::resource::{AddRequest, Change, Credentials, Extension, Failure, Finding, NewExtension};
use crate::{Edit, Office, supplementary};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use csv::StringRecord;
use pbx::id::TenantId;
use pbx::language::Text;
use pbx::supplementary::{PhoneChange, PhoneSettings};
use pbx::text;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use store::Db;
use store::db::{ExtensionProfile, StoredExtension};
use store::password::NewPassword;
use tokio::task::spawn_blocking;

/// What is wrong is told so often; behind that, nothing is looked at.
const PROBLEMS_MAX: usize = 1000;

const NUMBER: &str = "number";
const PASSWORD: &str = "password";

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ImportQuery {
    dry_run: bool,
    /// Take weak passwords, for private sources only.
    allow_weak: bool,
}

/// What the rows of a sheet ask for.
#[derive(Default)]
struct Plan {
    new: Vec<NewExtension>,
    changes: Vec<Changing>,
    passwords: Vec<(String, NewPassword)>,
    report: SheetReport,
}

/// An extension that is to be another one.
struct Changing {
    before: Extension,
    after: Extension,
    profile: ExtensionProfile,
    /// What is to be set in the place of its phones.
    by_phone: Vec<PhoneChange>,
}

/// All extensions, without passwords.
pub async fn export(db: &Db) -> Result<Vec<u8>, Failure> {
    let mut sheet = csv::Writer::from_writer(vec![]);
    let written = sheet.write_record(cells::COLUMNS);
    written.map_err(|error| unreadable(&error))?;
    for extension in super::list(db).await? {
        let fields = fields_of(&extension);
        let row = cells::COLUMNS.iter().map(|column| cells::written(&fields, column));
        sheet.write_record(row).map_err(|error| unreadable(&error))?;
    }
    sheet.into_inner().map_err(|error| unreadable(&error))
}

/// Takes a sheet in, all of it or, where something is wrong, nothing.
async fn import(
    office: &Office,
    author: Author<'_>,
    sheet: Bytes,
    query: ImportQuery,
) -> Result<SheetReport, Failure> {
    // Edits come one by one, so what is compared with is still so when it is written.
    let plan = plan(&office.db, sheet, query).await?;
    let mut report = SheetReport { dry_run: query.dry_run, ..plan.report };
    if query.dry_run {
        return Ok(report);
    }
    if !report.problems.is_empty() {
        return Err(refused(&report.problems));
    }
    let changed = plan.changes.iter().map(|it| it.after.number.clone());
    let mut touched: Vec<String> =
        changed.chain(plan.passwords.iter().map(|it| it.0.clone())).collect();
    let request =
        AddRequest { extensions: plan.new, allow_weak: query.allow_weak, skip_emergency: false };
    let author = author.edit();
    let (made, phones) = write(&author, request, plan.changes, &plan.passwords).await?;
    author.commit().await?;
    touched.extend(numbers(&made));
    if !touched.is_empty() {
        office.running.changed(Edit::Extensions(touched)).await?;
    }
    for (number, changes) in phones {
        set_by_phone(office, &number, changes).await?;
    }
    report.credentials = made;
    Ok(report)
}

/// All that the sheet asks for, but for what phones could have set, which is the running server's to write.
async fn write(
    author: &Editor<'_>,
    new: AddRequest,
    changes: Vec<Changing>,
    passwords: &[(String, NewPassword)],
) -> Result<(Vec<Credentials>, Vec<ByPhone>), Failure> {
    let (db, tenant) = (author.db(), TenantId::default());
    let (made, mut phones) = match &*new.extensions {
        [] => (vec![], vec![]),
        _ => added(db, new).await?,
    };
    author.added(&numbers(&made), &phones).await?;
    for Changing { before, after, profile, by_phone } in changes {
        let number = &*after.number;
        db.update_extension(tenant, profile).await?;
        author.changed(EXTENSIONS, number, Some(&before), Some(&after)).await?;
        if !by_phone.is_empty() {
            phones.push((after.number, by_phone));
        }
    }
    for (number, password) in passwords {
        put_password(author, number, password).await?;
    }
    Ok((made, phones))
}

/// Compares the sheet with what is there, where others are not kept waiting for it: a long one takes a second.
async fn plan(db: &Db, sheet: Bytes, query: ImportQuery) -> Result<Plan, Failure> {
    let present: BTreeMap<String, Extension> =
        super::list(db).await?.into_iter().map(|it| (it.number.clone(), it)).collect();
    let plans = db.tables(TenantId::default()).await?.plans;
    let compared = spawn_blocking(move || compare(&present, &plans, &sheet, query)).await;
    compared.map_err(|error| Failure::new(500, "fault", Text::same(error.to_string())))?
}

fn compare(
    present: &BTreeMap<String, Extension>,
    plans: &[Box<str>],
    sheet: &[u8],
    query: ImportQuery,
) -> Result<Plan, Failure> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(without_mark(sheet));
    let head = reader.headers().map_err(|error| unreadable(&error))?.clone();
    let mut plan = Plan::default();
    plan.report.problems = wrong_head(&head);
    if !plan.report.problems.is_empty() {
        return Ok(plan);
    }
    let mut seen = BTreeSet::new();
    for row in reader.records() {
        let row = row.map_err(|error| unreadable(&error))?;
        let line = row.position().map_or(0, csv::Position::line);
        if plan.report.problems.len() >= PROBLEMS_MAX {
            let reason = text!("from here on nothing was looked at", "从此行起未作检查");
            plan.report.problems.push(SheetProblem { row: line, column: None, reason });
            break;
        }
        if seen.len() > present.len() + EXTENSIONS_PER_REQUEST_MAX {
            return Err(too_many());
        }
        let taken = cells::read(&head, &row).and_then(|cells| {
            let number = cells.text(NUMBER);
            if !seen.insert(number.to_owned()) {
                let reason = text!("{number} is there twice", "{number}重复");
                return Err((Some(NUMBER.to_owned()), reason));
            }
            take(&mut plan, present.get(number), &cells, query, plans).map_err(|failure| {
                let column = failure.field.as_deref().map(str::to_owned);
                (column, failure.detail())
            })
        });
        if let Err((column, reason)) = taken {
            plan.report.problems.push(SheetProblem { row: line, column, reason });
        }
    }
    Ok(plan)
}

/// Columns that there are not, or that are there twice: of which the sheet means, nobody can say.
fn wrong_head(head: &StringRecord) -> Vec<SheetProblem> {
    let mut seen = BTreeSet::new();
    let wrong = |column: &str| match column.trim() {
        it if !cells::COLUMNS.contains(&it) => Some(problem(1, column, no_column())),
        it if !seen.insert(it.to_owned()) => {
            Some(problem(1, it, text!("{it} is there twice", "{it}重复")))
        }
        _ => None,
    };
    let mut problems: Vec<SheetProblem> =
        head.iter().filter_map(wrong).take(PROBLEMS_MAX).collect();
    if !head.iter().any(|it| it.trim() == NUMBER) {
        let reason = text!("there is no column number", "缺少number列");
        problems.push(problem(1, NUMBER, reason));
    }
    problems
}

/// What one row asks for.
fn take(
    plan: &mut Plan,
    present: Option<&Extension>,
    row: &cells::Cells,
    query: ImportQuery,
    plans: &[Box<str>],
) -> Result<(), Failure> {
    let number = row.text(NUMBER).to_owned();
    let secret = Some(row.text(PASSWORD)).filter(|it| !it.is_empty()).map(str::to_owned);
    let checked = |it: &String| password(&number, Some(it), query.allow_weak);
    let checked = secret.as_ref().map(checked).transpose()?;
    let change = patched(row.fields())?;
    let was = present.map(profile_of).transpose()?;
    let profile = was.unwrap_or_else(|| ExtensionProfile::new(&number));
    let profile = changed(profile, change.clone())?.checked()?;
    let by_phone = supplementary::by_phone(&number, &change)?;
    let is_plan = |name: &String| plans.iter().any(|it| **it == **name);
    if let Some(name) = profile.plan.as_ref().filter(|it| !is_plan(it)) {
        let what = text!("there is no dial plan {name}", "没有拨号计划{name}");
        return Err(Failure::new(422, "invalid", what).at("plan"));
    }
    let Some(present) = present else {
        plan.report.added.push(number.clone());
        plan.new.push(NewExtension { number, password: secret, change });
        return Ok(());
    };
    let stored = StoredExtension {
        profile: profile.clone(),
        has_password: present.has_password,
        weak_password: present.weak_password,
    };
    let mut settings = PhoneSettings::default();
    let set = Change {
        forward: present.forward.clone(),
        do_not_disturb: Some(present.do_not_disturb),
        ..Change::default()
    };
    let set = supplementary::by_phone(&number, &set)?;
    set.into_iter().chain(by_phone).for_each(|it| settings.apply(it));
    let mut after = Extension::from(stored);
    supplementary::show(&mut after, &settings);
    let (was, is) = (fields_of(present), fields_of(&after));
    let mut names: Vec<String> =
        is.keys().filter(|it| was.get(*it) != is.get(*it)).cloned().collect();
    if !names.is_empty() {
        let by_phone = supplementary::by_phone(&number, &change_to(&is, &names)?)?;
        plan.changes.push(Changing { before: present.clone(), after, profile, by_phone });
    }
    if let Some(checked) = checked {
        names.push(PASSWORD.to_owned());
        plan.passwords.push((number.clone(), checked));
    }
    if names.is_empty() {
        plan.report.unchanged += 1;
    } else {
        plan.report.changed.push(SheetChange { number, fields: names });
    }
    Ok(())
}

/// The extension as the database has it, from what the API shows.
fn profile_of(present: &Extension) -> Result<ExtensionProfile, Failure> {
    let fields = fields_of(present);
    let names: Vec<String> = fields.keys().cloned().collect();
    changed(ExtensionProfile::new(&present.number), change_to(&fields, &names)?)
}

fn fields_of(extension: &Extension) -> Fields {
    match serde_json::to_value(extension) {
        Ok(Value::Object(fields)) => fields,
        // A struct of plain values is an object.
        Ok(_) | Err(_) => Fields::new(),
    }
}

/// Spreadsheets write a byte order mark.
fn without_mark(sheet: &[u8]) -> &[u8] {
    sheet.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(sheet)
}

fn problem(row: u64, column: &str, reason: Text) -> SheetProblem {
    SheetProblem { row, column: Some(column.to_owned()), reason }
}

fn no_column() -> Text {
    let columns = cells::COLUMNS.join(", ");
    text!("there is no such column; there are {columns}", "没有这一列；可用的列：{columns}")
}

fn unreadable(error: &impl std::fmt::Display) -> Failure {
    let what = text!("this is no CSV: {error}", "不是CSV文件：{error}");
    Failure::new(422, "invalid", what)
}

fn refused(problems: &[SheetProblem]) -> Failure {
    let what =
        text!("nothing was imported: correct these rows", "没有导入任何分机，请先改正以下各行");
    let finding = |it: &SheetProblem| {
        let (row, column) = (it.row, it.column.clone().unwrap_or_default());
        Finding {
            severity: "error".to_owned(),
            table: "extensions".to_owned(),
            row: row.to_string(),
            text: text!("row {row}, {column}: {}", "第{row}行{column}：{}", it.reason),
            field: column,
            what: it.reason.clone(),
            remedy: text!("correct the cell", "请改正该单元格"),
        }
    };
    let findings = problems.iter().map(finding).collect();
    Failure { findings, ..Failure::new(422, "refused", what) }
}

/// `GET /api/v1/extensions:export`.
pub(crate) async fn on_export(State(office): State<Office>) -> Result<Response, Failure> {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"extensions.csv\""),
    ];
    Ok((headers, export(&office.db).await?).into_response())
}

/// `POST /api/v1/extensions:import`.
pub(crate) async fn on_import(
    State(office): State<Office>,
    principal: Principal,
    Query(query): Query<ImportQuery>,
    sheet: Bytes,
) -> Result<Json<SheetReport>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(&office, &principal);
    import(&office, author, sheet, query).await.map(Json)
}

/// For the fuzz target `sheet`: a sheet of extensions, whatever stands in it.
pub fn fuzz(bytes: &[u8]) {
    cells::holds(without_mark(bytes));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Any file may be taken for a sheet, and be as long as a body may be.
    #[test]
    fn what_is_wrong_has_an_end_and_so_has_a_sheet() {
        let none = BTreeMap::new();
        let look = |sheet: &str| compare(&none, &[], sheet.as_bytes(), ImportQuery::default());
        let times = 3 * PROBLEMS_MAX;
        let columns = look(&format!("number{}\n", ",x".repeat(times))).unwrap();
        assert_eq!(columns.report.problems.len(), PROBLEMS_MAX);
        let rows = look(&format!("number\n100\n{}", "100\n".repeat(times))).unwrap();
        assert_eq!(rows.report.problems.len(), PROBLEMS_MAX + 1);
        let last = rows.report.problems.last().unwrap();
        assert_eq!((last.row, &*last.reason.zh), (PROBLEMS_MAX as u64 + 3, "从此行起未作检查"));
        let many = (0..EXTENSIONS_PER_REQUEST_MAX + 2).map(|it| format!("{}\n", 100_000 + it));
        let many = look(&format!("number\n{}", many.collect::<String>()));
        assert_eq!(many.err().map(|it| it.code), Some("too_many".to_owned()));
    }
}
