//! The audit: every change by API, page or command line, with what it was before and after, and how it is taken back.
//!
//! Whoever edits, edits through here: what is there is read before and after, and written down where it differs, in the
//! transaction of the edit ([`Editor`]). What is done outside the database is written down when it is done ([`Author`]).

mod editor;
mod kept;
mod rows;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod together;
mod undo;

pub use editor::Editor;
pub use kept::forget;
pub(crate) use kept::{Kept, KeptExtension, readable};
pub use undo::undo;

use crate::Office;
use crate::access::Principal;
use crate::certificate::{Pem, Shown};
use crate::moment::rfc3339;
use crate::resource::Failure;
use crate::resource::audit::{AuditEntry, AuditPage, Undone};
use axum::Json;
use axum::extract::{Path, Query, State};
use pbx::id::TenantId;
use pbx::text;
use pbx::time::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Db;
use store::db::{self, AuditQuery};

/// What is longer is not kept whole; then it cannot be taken back. Unit: octets.
const VALUE_BYTES_MAX: usize = 1024 * 1024;
const PAGE_DEFAULT: u32 = 50;
const PAGE_MAX: u32 = 500;
/// A page that has so much ends there, with whatever entry: some have whole dial plans. Unit: octets.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Entries that are read at once.
const SLICE: u32 = 10;

pub(crate) const EXTENSIONS: &str = "extensions";
pub(crate) const SETTINGS: &str = "settings";
pub(crate) const USERS: &str = "users";
pub(crate) const API_KEYS: &str = "api_keys";
pub(crate) const CALLS: &str = "calls";
pub(crate) const CALL_RECORDS: &str = "call_records";
pub(crate) const CAPTURES: &str = "captures";
pub(crate) const DIAL_PLAN: &str = "dial_plan";
pub(crate) const CERTIFICATE: &str = "certificate";
/// The certificate's name.
pub(crate) const HTTPS: &str = "https";

/// Who edits, where, and when.
#[derive(Clone, Debug)]
pub struct Author<'a> {
    pub db: &'a Db,
    kind: &'static str,
    name: &'a str,
    source: String,
    pub now: UnixMillis,
    /// The entry that is being taken back.
    undoes: Option<u64>,
}

/// What a change was about.
#[derive(Default)]
struct Change<'a> {
    action: &'static str,
    kind: &'a str,
    name: &'a str,
    before: Option<Value>,
    after: Option<Value>,
    kept: Option<Kept>,
}

impl<'a> Author<'a> {
    pub fn of(office: &'a Office, principal: &'a Principal) -> Self {
        Self {
            db: &office.db,
            kind: principal.kind(),
            name: principal.name(),
            source: principal.source.to_string(),
            now: office.running.now(),
            undoes: None,
        }
    }

    /// The command line while no server runs.
    pub fn offline(db: &'a Db, now: UnixMillis) -> Self {
        Self { db, kind: "cli", name: "", source: "offline".to_owned(), now, undoes: None }
    }

    /// The name, or else what he is.
    pub(crate) fn called(&self) -> &str {
        if self.name.is_empty() { self.kind } else { self.name }
    }

    /// Begins an edit.
    pub fn edit(self) -> Editor<'a> {
        let edit = self.db.edit();
        Editor::new(self, edit)
    }

    /// Something was done that leaves no configuration behind.
    pub(crate) async fn done(&self, action: &'static str, kind: &str, name: &str) {
        self.write(Change { action, kind, name, ..Change::default() }).await;
    }

    /// The same, by this order.
    pub(crate) async fn did(
        &self,
        action: &'static str,
        kind: &str,
        name: &str,
        order: &(impl Serialize + Sync),
    ) {
        let after = value(Some(order));
        self.write(Change { action, kind, name, after, ..Change::default() }).await;
    }

    /// Something was done with a backup.
    pub async fn backup(&self, action: &'static str, name: &str) {
        self.done(action, crate::backups::BACKUPS, name).await;
    }

    /// Another certificate is in use than this one, which was installed or the server's own.
    pub(crate) async fn certificate(&self, before: &Shown, installed: Option<Pem>, after: &Shown) {
        let kept = installed.map(Kept::Certificate);
        let (before, after) = (value(Some(before)), value(Some(after)));
        let Some(action) = action(before.as_ref(), after.as_ref()) else { return };
        self.write(Change { action, kind: CERTIFICATE, name: HTTPS, before, after, kept }).await;
    }

    /// What was done outside the database is done already: where it cannot be written down, that is an error of the log
    /// and no refusal.
    async fn write(&self, change: Change<'_>) {
        let (entry, kept) = self.entry(change);
        let done = self.db.insert_audit_entry_keeping(TenantId::default(), &entry, kept.as_deref());
        if let Err(error) = done.await {
            let (kind, name) = (entry.kind, entry.name);
            tracing::error!(%error, kind, name, "something was done and is not in the audit");
        }
    }

    /// With what nobody is shown.
    fn entry(&self, change: Change<'_>) -> (db::AuditEntry, Option<Vec<u8>>) {
        let text = |it: Option<Value>| it.map(|it| short(it.to_string()));
        let entry = db::AuditEntry {
            at: self.now,
            actor_kind: self.kind.to_owned(),
            actor: self.name.to_owned(),
            source: self.source.clone(),
            action: change.action.to_owned(),
            kind: change.kind.to_owned(),
            name: change.name.to_owned(),
            before: text(change.before),
            after: text(change.after),
            undoes: self.undoes,
            ..db::AuditEntry::default()
        };
        (entry, change.kept.as_ref().and_then(Kept::write))
    }
}

fn value(it: Option<&impl Serialize>) -> Option<Value> {
    // Structs of plain values are objects.
    it.and_then(|it| serde_json::to_value(it).ok())
}

/// `null` in the place of what is too long to be kept.
fn short(text: String) -> String {
    if text.len() > VALUE_BYTES_MAX { "null".to_owned() } else { text }
}

fn action(before: Option<&Value>, after: Option<&Value>) -> Option<&'static str> {
    match (before, after) {
        (None, None) => None,
        (None, Some(_)) => Some("add"),
        (Some(_), None) => Some("delete"),
        (Some(before), Some(after)) => (before != after).then_some("change"),
    }
}

/// Which entries a page shows.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PageQuery {
    pub limit: Option<u32>,
    pub cursor: Option<u64>,
    pub kind: Option<String>,
    pub name: Option<String>,
}

/// A page of entries, the newest first.
pub async fn page(db: &Db, query: PageQuery) -> Result<AuditPage, Failure> {
    let limit = query.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let PageQuery { cursor, kind, name, .. } = query;
    let mut wanted =
        AuditQuery { before: cursor, kind, name, limit: SLICE, ..AuditQuery::default() };
    let (mut page, mut octets) = (AuditPage::default(), 0);
    loop {
        let slice = db.audit_entries(TenantId::default(), &wanted).await?;
        // One more than the page takes tells whether there is another page.
        let is_last = slice.len() < SLICE as usize;
        for entry in slice {
            if page.entries.len() >= limit as usize || octets >= PAGE_BYTES {
                page.next = wanted.before;
                return Ok(page);
            }
            wanted.before = Some(entry.id);
            octets += length(&entry);
            page.entries.push(shown(entry));
        }
        if is_last {
            return Ok(page);
        }
    }
}

/// Unit: octets.
fn length(it: &db::AuditEntry) -> usize {
    let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    it.name.len() + of(&it.before) + of(&it.after)
}

/// The last one who changed this; for whoever finds it changed.
pub async fn last(db: &Db, kind: &str, name: &str) -> Result<Option<AuditEntry>, Failure> {
    let wanted = AuditQuery {
        kind: Some(kind.to_owned()),
        name: Some(name.to_owned()),
        actions: undo::CHANGES,
        limit: 1,
        ..AuditQuery::default()
    };
    let found = db.audit_entries(TenantId::default(), &wanted).await?;
    Ok(found.into_iter().next().map(shown))
}

/// The last one who changed anything of the dial plan, lines and trunks included.
pub(crate) async fn last_of_plan(db: &Db) -> Result<Option<AuditEntry>, Failure> {
    let mut newest = None;
    for kind in undo::TABLES {
        let query = AuditQuery { kind: Some(kind.to_owned()), limit: 1, ..AuditQuery::default() };
        let found = db.audit_entries(TenantId::default(), &query).await?;
        newest = newest.into_iter().chain(found).max_by_key(|it| it.id);
    }
    Ok(newest.map(shown))
}

fn shown(it: db::AuditEntry) -> AuditEntry {
    let value = |text: Option<String>| text.and_then(|it| serde_json::from_str(&it).ok());
    let can_undo = undo::refusal(&it).is_none();
    AuditEntry {
        id: it.id,
        at: rfc3339(it.at),
        actor_kind: it.actor_kind,
        actor: it.actor,
        source: it.source,
        action: it.action,
        kind: it.kind,
        name: it.name,
        before: value(it.before),
        after: value(it.after),
        undoes: it.undoes,
        undone_by: it.undone_by,
        can_undo,
    }
}

fn missing(id: impl std::fmt::Display) -> Failure {
    Failure::new(404, "not_found", text!("there is no audit entry {id}", "没有操作日志{id}"))
}

pub(crate) async fn on_page(
    State(office): State<Office>,
    Query(query): Query<PageQuery>,
) -> Result<Json<AuditPage>, Failure> {
    page(&office.db, query).await.map(Json)
}

/// `POST …/{id}:undo`.
pub(crate) async fn on_verb(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Undone>, Failure> {
    let Some(id) = id.strip_suffix(":undo") else {
        return Err(Failure::new(404, "not_found", text!("there is no such verb", "没有这种操作")));
    };
    let number: u64 = id.parse().map_err(|_| missing(id))?;
    let _one_at_a_time = office.edits.lock().await;
    undo(&office, &principal, number).await.map(Json)
}
