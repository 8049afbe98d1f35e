//! All tables of the dial plan, taken out and put in as a whole.

use super::tenant;
use crate::access::Principal;
use crate::audit::Author;
use crate::resource::{DialPlanRequest, Failure, Finding, Imported, TableChange};
use crate::{Edit, Office};
use axum::Json;
use axum::extract::State;
use pbx::dialplan::feature_codes::FeatureRow;
use pbx::dialplan::lint::{self, finding, finding::TableName};
use pbx::dialplan::{Tables, lint::finding::Severity};
use pbx::id::TenantId;
use pbx::line::config::{Line, Password};
use pbx::time::UnixMillis;
use std::collections::BTreeMap;
use store::Db;

/// All tables, without the passwords of lines.
pub async fn export(db: &Db) -> Result<Tables, Failure> {
    let mut tables = db.tables(TenantId::default()).await?;
    tables.lines.iter_mut().for_each(|it| it.password = Password::default());
    Ok(tables)
}

/// Puts the tables in the place of those there are, all or none. A dry run says the same and changes nothing.
pub async fn import(
    db: &Db,
    request: DialPlanRequest,
    now: UnixMillis,
) -> Result<Imported, Failure> {
    let before = db.tables(TenantId::default()).await?;
    let DialPlanRequest { mut tables, only, dry_run } = request;
    if let Some(only) = only {
        tables = before.clone().with(tables, &only);
    }
    keep_passwords(&mut tables.lines, &before.lines);
    let changes = changes(&before, &tables);
    let directory = db.load_directory(0).await?;
    let after = tables.clone().in_place_of(tenant(&directory)?);
    if dry_run {
        db.check_tables(TenantId::default(), &tables, now).await?;
    } else {
        db.set_tables(TenantId::default(), tables, now).await?;
    }
    let mut findings = lint::lint(&after, now);
    findings.retain(|it: &finding::Finding| it.severity() == Severity::Warning);
    Ok(Imported { dry_run, changes, warnings: findings.iter().map(Finding::from).collect() })
}

/// An export names none, and shall not take them away when it is put in again.
fn keep_passwords(lines: &mut [Line], before: &[Line]) {
    let known: BTreeMap<_, _> = before.iter().map(|it| (&it.account, &it.password)).collect();
    for line in lines.iter_mut().filter(|it| it.password.0.is_empty()) {
        if let Some(password) = known.get(&line.account) {
            line.password = (*password).clone();
        }
    }
}

fn changes(before: &Tables, after: &Tables) -> Vec<TableChange> {
    use TableName as T;
    vec![
        change(T::Plans, &before.plans, &after.plans, Clone::clone),
        change(T::Transitions, &before.transitions, &after.transitions, |it| it.id),
        change(T::Callers, &before.callers, &after.callers, |it| it.id),
        change(T::Called, &before.called, &after.called, |it| it.id),
        change(T::RefineCaller, &before.refine_caller, &after.refine_caller, |it| it.id),
        change(T::RefineCalled, &before.refine_called, &after.refine_called, |it| it.id),
        change(T::BlackList, &before.black_list, &after.black_list, |it| it.id),
        change(T::Features, &chosen(before), &chosen(after), |it| it.feature.as_str()),
        change(T::Lines, &before.lines, &after.lines, |it| it.account.clone()),
        change(T::Trunks, &before.trunks, &after.trunks, |it| it.id),
    ]
}

/// A row that names the usual code says nothing.
fn chosen(tables: &Tables) -> Vec<FeatureRow> {
    tables.features.iter().filter(|it| !it.is_usual()).cloned().collect()
}

fn change<T: PartialEq, K: Ord + ToString>(
    table: TableName,
    before: &[T],
    after: &[T],
    key: impl Fn(&T) -> K,
) -> TableChange {
    let old: BTreeMap<K, &T> = before.iter().map(|it| (key(it), it)).collect();
    let new: BTreeMap<K, &T> = after.iter().map(|it| (key(it), it)).collect();
    let names = |keys: Vec<&K>| keys.into_iter().map(ToString::to_string).collect();
    let differs = |id: &K| old.get(id).is_some_and(|it| new.get(id).is_some_and(|row| it != row));
    TableChange {
        table: table.as_str().to_owned(),
        name: table.text(),
        rows: new.len(),
        added: names(new.keys().filter(|it| !old.contains_key(it)).collect()),
        changed: names(new.keys().filter(|it| differs(it)).collect()),
        removed: names(old.keys().filter(|it| !new.contains_key(it)).collect()),
    }
}

pub(crate) async fn on_export(State(office): State<Office>) -> Result<Json<Tables>, Failure> {
    export(&office.db).await.map(Json)
}

pub(crate) async fn on_import(
    State(office): State<Office>,
    principal: Principal,
    Json(request): Json<DialPlanRequest>,
) -> Result<Json<Imported>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let dry_run = request.dry_run;
    let author = Author::of(&office, &principal).edit();
    let imported = author.tables(import(author.db(), request, author.now)).await?;
    author.commit().await?;
    if !dry_run {
        office.running.changed(Edit::DialPlan).await?;
    }
    Ok(Json(imported))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(account: &str, password: &str) -> Line {
        Line { account: account.into(), password: Password(password.into()), ..Line::default() }
    }

    #[test]
    fn a_line_without_password_keeps_its_own() {
        let before = [line("1", "old"), line("2", "old")];
        let mut lines = vec![line("1", ""), line("2", "new"), line("3", "")];
        keep_passwords(&mut lines, &before);
        let passwords: Vec<_> = lines.iter().map(|it| &*it.password.0).collect();
        assert_eq!(passwords, ["old", "new", ""]);
    }

    #[test]
    fn changes_are_named_by_row() {
        let before = Tables { lines: vec![line("1", "a"), line("2", "a")], ..Tables::default() };
        let lines = vec![line("2", "b"), line("3", "a"), line("4", "a")];
        let after = Tables { lines, plans: vec!["guest".into()], ..Tables::default() };
        let changes = changes(&before, &after);
        let of = |table: &str| {
            let it = changes.iter().find(|it| it.table == table).unwrap();
            (it.rows, it.added.join(" "), it.changed.join(" "), it.removed.join(" "))
        };
        let expected = |rows, [added, changed, removed]: [&str; 3]| {
            (rows, added.to_owned(), changed.to_owned(), removed.to_owned())
        };
        assert_eq!(of("lines"), expected(3, ["3 4", "2", "1"]));
        assert_eq!(of("plans"), expected(1, ["guest", "", ""]));
        assert_eq!(of("trunks"), expected(0, ["", "", ""]));
    }
}
