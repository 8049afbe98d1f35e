//! Takes a change back, where what it was before says all that is needed and nobody has changed it since.

mod many;

use super::rows::{MASKED_NEW, Rows};
use super::{Author, DIAL_PLAN, EXTENSIONS, SETTINGS, last, missing, shown, value};
use crate::access::Principal;
use crate::dial_plan::tables;
use crate::outside::Fields;
use crate::resource::audit::Undone;
use crate::resource::{AddRequest, Credentials, DialPlanRequest, Failure, NewExtension};
use crate::{Edit, Office, extensions, settings};
use pbx::id::TenantId;
use pbx::language::Text;
use pbx::text;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use store::Db;
use store::db::AuditEntry;

pub(super) const TABLES: [&str; 11] = [
    DIAL_PLAN,
    "plans",
    "transitions",
    "callers",
    "called",
    "refine_caller",
    "refine_called",
    "black_list",
    "features",
    "lines",
    "trunks",
];

/// Takes an entry back, as another edit with an entry of its own.
pub async fn undo(office: &Office, principal: &Principal, id: u64) -> Result<Undone, Failure> {
    let (db, tenant) = (&office.db, TenantId::default());
    let entry = db.audit_entry(tenant, id).await?.ok_or_else(|| missing(id))?;
    if let Some(why) = refusal(&entry) {
        return Err(Failure::new(409, "cannot_undo", why));
    }
    let author = Author { undoes: Some(id), ..Author::of(office, principal) };
    let credentials = match &*entry.kind {
        EXTENSIONS if many::is(&entry) => {
            many::undo(office, author, &entry).await?;
            None
        }
        EXTENSIONS => undo_extension(office, author, &entry).await?,
        SETTINGS => {
            undo_setting(author, &entry).await?;
            office.running.changed(Edit::Settings).await?;
            None
        }
        _ => {
            undo_rows(author, &entry).await?;
            office.running.changed(Edit::DialPlan).await?;
            None
        }
    };
    let by = db.audit_entry(tenant, id).await?.and_then(|it| it.undone_by);
    let entry = db.audit_entry(tenant, by.ok_or_else(|| missing(id))?).await?;
    Ok(Undone { entry: shown(entry.ok_or_else(|| missing(id))?), credentials })
}

/// Why an entry cannot be taken back, as far as it says so itself.
pub(super) fn refusal(entry: &AuditEntry) -> Option<Text> {
    let is_lost = |it: &Option<String>| it.as_deref() == Some("null");
    if let Some(by) = entry.undone_by {
        return Some(text!("entry {by} has taken it back already", "已由{by}撤销"));
    }
    if entry.action == "password" {
        return Some(text!("passwords are not kept: set another one", "不保存旧密码，请重新设置"));
    }
    let is_kept = [EXTENSIONS, SETTINGS].contains(&&*entry.kind) || TABLES.contains(&&*entry.kind);
    // Of many that are gone, there are the numbers alone.
    let is_list = |it: &Option<String>| it.as_deref().is_some_and(|it| it.starts_with('"'));
    let are_gone = entry.kind == EXTENSIONS && is_list(&entry.before);
    if !is_kept || are_gone || is_lost(&entry.before) || is_lost(&entry.after) {
        return Some(text!(
            "what is kept of this change does not suffice to take it back",
            "所保存的内容不足以撤销该操作"
        ));
    }
    if TABLES.contains(&&*entry.kind) {
        let rows = |it: &Option<String>| parsed::<Value>(it.as_deref()).map(|it| Rows::read(&it));
        let was = rows(&entry.before).unwrap_or_default();
        let is = rows(&entry.after);
        let is_new = is.as_ref().is_some_and(|it| it.has_secret(MASKED_NEW));
        if is_new || (is.is_none() && was.has_any_secret()) {
            return Some(text!(
                "the password of the line is not kept: add the line again, or set its password",
                "不保存外线的密码，请重新添加外线或设置密码"
            ));
        }
    }
    None
}

async fn undo_setting(author: Author<'_>, entry: &AuditEntry) -> Result<(), Failure> {
    let key = &*entry.name;
    let author = author.edit();
    let now = settings::show(author.db(), key).await?.value;
    if parsed::<Value>(entry.after.as_deref()).as_ref() != Some(&now) {
        return Err(changed_since(author.db(), entry).await);
    }
    let before = parsed(entry.before.as_deref()).unwrap_or_default();
    author.setting(key, settings::set(author.db(), key, before)).await?;
    author.commit().await
}

async fn undo_rows(author: Author<'_>, entry: &AuditEntry) -> Result<(), Failure> {
    let author = author.edit();
    let read = |it: &Option<String>| parsed::<Value>(it.as_deref()).map(|it| Rows::read(&it));
    let (was, is) =
        (read(&entry.before).unwrap_or_default(), read(&entry.after).unwrap_or_default());
    let now = Rows::of(&author.db().tables(TenantId::default()).await?);
    // Those that the entry took away must still be away, the others as it left them.
    if !now.like(&is).is_like(&is) || !now.like(&was).is_like(&now.like(&is).like(&was)) {
        return Err(changed_since(author.db(), entry).await);
    }
    let back = now.replaced(&is, &was).tables();
    let tables =
        back.map_err(|error| Failure::new(500, "damaged", Text::same(error.to_string())))?;
    let request = DialPlanRequest { tables, only: None, dry_run: false };
    author.tables(tables::import(author.db(), request, author.now)).await?;
    author.commit().await
}

async fn undo_extension(
    office: &Office,
    author: Author<'_>,
    entry: &AuditEntry,
) -> Result<Option<Credentials>, Failure> {
    let number = &*entry.name;
    let now = match extensions::show(author.db, number).await {
        Ok(now) => Some(now),
        Err(failure) if failure.status == 404 => None,
        Err(failure) => return Err(failure),
    };
    let is_same = match (&now, fields(entry.after.as_deref())) {
        (None, None) => true,
        (Some(now), Some(is)) => {
            let now = value(Some(now)).unwrap_or_default();
            changed(entry).iter().all(|field| now.get(field) == is.get(field))
        }
        (None, Some(_)) | (Some(_), None) => false,
    };
    if !is_same {
        return Err(changed_since(author.db, entry).await);
    }
    match fields(entry.before.as_deref()) {
        None => extensions::delete_live(office, author, number).await.map(|()| None),
        Some(was) => {
            let change = extensions::change_to(&was, &changed(entry))?;
            if now.is_some() {
                return extensions::set_live(office, author, number, change).await.map(|_| None);
            }
            let new = NewExtension { number: number.to_owned(), password: None, change };
            let request = AddRequest { extensions: vec![new], ..AddRequest::default() };
            let made = extensions::add_live(office, author, request).await?.pop();
            Ok(made.filter(|it| it.password.is_some()))
        }
    }
}

/// The fields that the entry changed: of what was added or is gone, all.
fn changed(entry: &AuditEntry) -> Vec<String> {
    let was = fields(entry.before.as_deref()).unwrap_or_default();
    let is = fields(entry.after.as_deref()).unwrap_or_default();
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let differs = |name: &&String| was.get(*name) != is.get(*name);
    names.into_iter().filter(differs).cloned().collect()
}

fn fields(text: Option<&str>) -> Option<Fields> {
    parsed(text)
}

/// Names who did it, where that is known.
async fn changed_since(db: &Db, entry: &AuditEntry) -> Failure {
    let newest = last(db, &entry.kind, &entry.name).await.ok().flatten();
    let text = match newest.filter(|it| it.id > entry.id) {
        Some(it) => {
            let who = if it.actor.is_empty() { it.actor_kind } else { it.actor };
            text!("{who} has changed it since, at {}", "{who}已于{}再次修改", it.at)
        }
        None => text!("it has been changed since", "此后已被修改"),
    };
    Failure::new(409, "changed_since", text)
}

fn parsed<T: DeserializeOwned>(text: Option<&str>) -> Option<T> {
    text.and_then(|it| serde_json::from_str(it).ok())
}
