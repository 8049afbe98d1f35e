//! Takes a change back, where what is kept of it suffices and nobody has changed it since.

mod accounts;
mod extension;
mod many;
mod outside;

use super::rows::Rows;
use super::{
    API_KEYS, Author, CERTIFICATE, DIAL_PLAN, EXTENSIONS, Kept, SETTINGS, USERS, last, missing,
    shown,
};
use crate::access::{Principal, Scope};
use crate::outside::Fields;
use crate::resource::Failure;
use crate::resource::audit::Undone;
use crate::webhooks::WEBHOOKS;
use crate::{Edit, Office, settings};
use pbx::id::TenantId;
use pbx::language::Text;
use pbx::text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use store::Db;
use store::db::{AuditEntry, AuditQuery, KEPT_FOR};

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

/// What is configured besides the tables of the dial plan.
const KINDS: [&str; 6] = [EXTENSIONS, SETTINGS, USERS, API_KEYS, WEBHOOKS, CERTIFICATE];

/// Of these, what scope `admin` is for. All else is for scope `config`, whose change an undo is.
const OF_ADMINISTRATORS: [&str; 4] = [USERS, API_KEYS, WEBHOOKS, CERTIFICATE];

/// What leaves another configuration behind. All else, as a call that was hung up, is over once it is done.
pub(super) const CHANGES: &[&str] =
    &["add", "change", "delete", "password", "rotate", "totp_on", "totp_off", "recovery_codes"];

/// Fields that become others without anybody's doing, or of which an entry of its own tells.
const BY_THEMSELVES: [&str; 4] = ["used_at", "gone", "previous_secret_until", "password_at"];

/// After so many changes of one thing nobody looks whether a secret was among them.
const LATER_MAX: u32 = 1000;

/// Takes an entry back, as another edit with an entry of its own.
pub async fn undo(office: &Office, principal: &Principal, id: u64) -> Result<Undone, Failure> {
    let (db, tenant) = (&office.db, TenantId::default());
    let entry = db.audit_entry(tenant, id).await?.ok_or_else(|| missing(id))?;
    if !OF_ADMINISTRATORS.contains(&&*entry.kind) {
        principal.permitted(Scope::Config)?;
    }
    if let Some(why) = refusal(&entry) {
        return Err(Failure::new(409, "cannot_undo", why));
    }
    let author = Author { undoes: Some(id), ..Author::of(office, principal) };
    let mut credentials = None;
    match &*entry.kind {
        EXTENSIONS => credentials = extension::undo(office, author, &entry).await?,
        USERS => accounts::undo_user(principal, author, &entry).await?,
        API_KEYS => accounts::undo_api_key(author, &entry).await?,
        WEBHOOKS => outside::undo_webhook(office, author, &entry).await?,
        CERTIFICATE => outside::undo_certificate(office, author, &entry).await?,
        SETTINGS => {
            undo_setting(author, &entry).await?;
            office.running.changed(Edit::Settings).await?;
        }
        _ => {
            undo_rows(author, &entry).await?;
            office.running.changed(Edit::DialPlan).await?;
        }
    }
    // The entry that is taken back may be gone: it makes room for this one.
    let query = AuditQuery { undoes: Some(id), limit: 1, ..AuditQuery::default() };
    let by = db.audit_entries(tenant, &query).await?.pop();
    Ok(Undone { entry: shown(by.ok_or_else(|| missing(id))?), credentials })
}

/// Why an entry cannot be taken back, as far as it says so itself.
pub(super) fn refusal(entry: &AuditEntry) -> Option<Text> {
    if let Some(by) = entry.undone_by {
        return Some(text!("entry {by} has taken it back already", "已由{by}撤销"));
    }
    let kind = &*entry.kind;
    let is_configuration = KINDS.contains(&kind) || TABLES.contains(&kind);
    if !is_configuration || !CHANGES.contains(&&*entry.action) {
        return Some(text!(
            "this was done and is over: nothing of it is left that could be taken back",
            "该操作已完成，没有可撤销的内容"
        ));
    }
    let is_long = |it: &Option<String>| it.as_deref() == Some("null");
    if is_long(&entry.before) || is_long(&entry.after) {
        return Some(text!("the change was too large to be kept", "修改内容过大，未能保存"));
    }
    if needs_kept(entry) && !entry.has_kept {
        return Some(no_longer());
    }
    None
}

/// Whether there were secrets in it, without which it cannot be taken back.
fn needs_kept(entry: &AuditEntry) -> bool {
    match (&*entry.kind, &*entry.action) {
        (_, "password" | "rotate" | "totp_off" | "recovery_codes")
        | (USERS | API_KEYS | WEBHOOKS, "delete") => true,
        // One that is added again can have another password.
        (EXTENSIONS, "delete") => many::is_list(entry.before.as_deref()),
        (CERTIFICATE, _) => !outside::is_own(entry.before.as_deref()),
        (kind, _) if TABLES.contains(&kind) => {
            let rows =
                |it: &Option<String>| parsed::<Value>(it.as_deref()).map(|it| Rows::read(&it));
            let (was, is) = (rows(&entry.before), rows(&entry.after));
            was.unwrap_or_default().lost_secrets(&is.unwrap_or_default())
        }
        _ => false,
    }
}

fn no_longer() -> Text {
    let days = KEPT_FOR.as_secs() / (24 * 60 * 60);
    text!(
        "a password, key or secret went with it, and such are kept for {days} days only",
        "其中包含的密码或密钥只保留{days}天，现已无法撤销"
    )
}

/// What was kept of an entry that needs it.
async fn kept<T>(
    db: &Db,
    entry: &AuditEntry,
    pick: impl Fn(Kept) -> Option<T>,
) -> Result<T, Failure> {
    let kept = Kept::of(db, entry).await?.and_then(pick);
    kept.ok_or_else(|| Failure::new(409, "cannot_undo", no_longer()))
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
    let tenant = TenantId::default();
    let secrets = match Kept::of(author.db, entry).await? {
        Some(Kept::Rows(it)) => Some(it),
        Some(_) | None => None,
    };
    let author = author.edit();
    let read = |it: &Option<String>| parsed::<Value>(it.as_deref()).map(|it| Rows::read(&it));
    let (was, is) =
        (read(&entry.before).unwrap_or_default(), read(&entry.after).unwrap_or_default());
    let now = Rows::of(&author.db().tables(tenant).await?);
    // Those that the entry took away must still be away, the others as it left them.
    let is_as_left = now.like(&is).is_like(&is)
        && now.like(&was).is_like(&now.like(&is).like(&was))
        && secrets.as_ref().is_none_or(|it| now.has(it));
    if !is_as_left {
        return Err(changed_since(author.db(), entry).await);
    }
    let back = now.replaced(&is, &was, secrets.as_ref()).tables();
    let back = back.map_err(|error| Failure::new(500, "damaged", Text::same(error.to_string())))?;
    let put = async { Ok(author.db().set_tables(tenant, back, author.now).await?) };
    author.tables(put).await?;
    author.commit().await
}

/// Refuses unless what is shown of something is as the entry left it, in all that the entry changed; of what was added, its
/// secret too.
async fn must_be_as_left(
    db: &Db,
    entry: &AuditEntry,
    now: Option<&impl Serialize>,
) -> Result<(), Failure> {
    let now = super::value(now);
    let is_as_left = match (&now, fields(entry.after.as_deref())) {
        (None, None) => true,
        (Some(now), Some(is)) => changed(entry).iter().all(|field| now.get(field) == is.get(field)),
        (None, Some(_)) | (Some(_), None) => false,
    };
    if !is_as_left {
        return Err(changed_since(db, entry).await);
    }
    if entry.action == "add" { must_be_newest(db, entry).await } else { Ok(()) }
}

/// Refuses unless this was the last time that the secret became another one, or came or went with what has it.
async fn must_be_newest(db: &Db, entry: &AuditEntry) -> Result<(), Failure> {
    let query = AuditQuery {
        kind: Some(entry.kind.clone()),
        name: Some(entry.name.clone()),
        // What else was done, as the logging off of a phone, made no other secret.
        actions: CHANGES,
        limit: LATER_MAX,
        ..AuditQuery::default()
    };
    let found = db.audit_entries(TenantId::default(), &query).await?;
    let later: Vec<_> = found.into_iter().take_while(|it| it.id > entry.id).collect();
    let mut taken_back = BTreeSet::new();
    let mut counting = later.iter().filter(|it| counts(it, entry.id, &mut taken_back));
    if later.len() < LATER_MAX as usize && !counting.any(|it| it.action != "change") {
        return Ok(());
    }
    Err(changed_since(db, entry).await)
}

/// Whether something that was done after `since` still counts: not what was taken back, nor what took it back. To be asked
/// of the newest first.
fn counts(it: &AuditEntry, since: u64, taken_back: &mut BTreeSet<u64>) -> bool {
    if taken_back.remove(&it.id) {
        return false;
    }
    let undone = it.undoes.filter(|undone| *undone > since);
    taken_back.extend(undone);
    undone.is_none()
}

/// The fields that the entry changed: of what was added or is gone, all.
fn changed(entry: &AuditEntry) -> Vec<String> {
    let was = fields(entry.before.as_deref()).unwrap_or_default();
    let is = fields(entry.after.as_deref()).unwrap_or_default();
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let differs = |name: &&String| was.get(*name) != is.get(*name);
    let is_ours = |name: &&String| !BY_THEMSELVES.contains(&name.as_str());
    names.into_iter().filter(is_ours).filter(differs).cloned().collect()
}

/// The fields that the entry changed, of those named, as they were: a change back.
fn change_back<T: DeserializeOwned>(entry: &AuditEntry, names: &[&str]) -> Result<T, Failure> {
    let was = fields(entry.before.as_deref()).unwrap_or_default();
    let mut back = Fields::new();
    for name in changed(entry).into_iter().filter(|it| names.contains(&it.as_str())) {
        let value = was.get(&name).cloned().unwrap_or_default();
        back.insert(name, value);
    }
    serde_json::from_value(Value::Object(back))
        .map_err(|error| Failure::new(500, "damaged", Text::same(error.to_string())))
}

fn fields(text: Option<&str>) -> Option<Fields> {
    parsed(text)
}

/// Names who did it, where that is known.
async fn changed_since(db: &Db, entry: &AuditEntry) -> Failure {
    let newest = last(db, &entry.kind, &entry.name).await.ok().flatten();
    let text = match newest.filter(|it| it.id > entry.id) {
        Some(it) => {
            let (who, at) = (it.who(), it.at);
            text!("{} has changed it since, at {at}", "{}已于{at}再次修改", who)
        }
        None => text!("it has been changed since", "此后已被修改"),
    };
    Failure::new(409, "changed_since", text)
}

fn parsed<T: DeserializeOwned>(text: Option<&str>) -> Option<T> {
    text.and_then(|it| serde_json::from_str(it).ok())
}
