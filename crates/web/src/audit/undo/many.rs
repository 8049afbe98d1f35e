//! Takes back that many extensions were added at once: the wrong range is the first thing that somebody gets wrong.

use super::{CHANGES, changed_since, counts};
use crate::audit::{Author, EXTENSIONS, Kept, KeptExtension};
use crate::extensions::{self, range};
use crate::resource::{Extension, Failure};
use crate::{Edit, Office};
use pbx::id::TenantId;
use pbx::line::config::Incoming;
use std::collections::BTreeSet;
use store::Db;
use store::db::{AuditEntry, AuditQuery};

/// Entries that are read at once.
const ENTRIES: u32 = 500;

/// Whether an entry is of many that were added: it has their numbers, and nothing else of them.
pub(super) fn is(entry: &AuditEntry) -> bool {
    entry.kind == EXTENSIONS && entry.before.is_none() && is_list(entry.after.as_deref())
}

/// Whether what is shown of extensions is their numbers alone.
pub(super) fn is_list(shown: Option<&str>) -> bool {
    shown.is_some_and(|it| it.starts_with('"'))
}

/// Removes all of them, or none: whoever changed one of them since has a use for it.
pub(super) async fn undo(
    office: &Office,
    author: Author<'_>,
    entry: &AuditEntry,
) -> Result<(), Failure> {
    let numbers = numbers(&entry.name);
    let touched = touched(author.db, entry.id).await?;
    if let Some(number) = numbers.iter().find(|it| touched.contains(*it)) {
        let one = AuditEntry { name: number.clone(), ..entry.clone() };
        return Err(changed_since(author.db, &one).await);
    }
    let author = author.edit();
    let gone = all_of(author.db(), &numbers).await?;
    author.db().delete_extensions(TenantId::default(), &numbers).await?;
    author.gone(EXTENSIONS, &entry.name, &entry.name, Some(Kept::Extensions(gone))).await?;
    author.commit().await?;
    office.running.changed(Edit::Extensions(numbers)).await
}

/// These extensions as they are, which no external line may name.
async fn all_of(db: &Db, numbers: &[String]) -> Result<Vec<KeptExtension>, Failure> {
    let wanted: BTreeSet<&str> = numbers.iter().map(String::as_str).collect();
    for line in db.tables(TenantId::default()).await?.lines {
        let owner = line.owner.as_deref();
        let incoming =
            if let Incoming::Extension(it) = &line.incoming { Some(&**it) } else { None };
        if let Some(number) = owner.into_iter().chain(incoming).find(|it| wanted.contains(it)) {
            extensions::must_be_unused(db, number).await?;
        }
    }
    let mut passwords = db.passwords(TenantId::default()).await?;
    let all = extensions::list(db).await?;
    let of = |it: Extension| KeptExtension::new(passwords.remove(&it.number), &it);
    Ok(all.into_iter().filter(|it| wanted.contains(&*it.number)).map(of).collect())
}

/// The numbers that an entry names, as `100-199, 300`.
fn numbers(name: &str) -> Vec<String> {
    // One that is no range is a number.
    let of = |it: &str| range::numbers(it).unwrap_or_else(|_| vec![it.to_owned()]);
    name.split(", ").flat_map(of).collect()
}

/// The extensions that were changed after an entry, and are.
async fn touched(db: &Db, since: u64) -> Result<BTreeSet<String>, Failure> {
    let (mut touched, mut taken_back) = (BTreeSet::new(), BTreeSet::new());
    let mut before = None;
    loop {
        let kind = Some(EXTENSIONS.to_owned());
        let actions = CHANGES;
        let query = AuditQuery { before, kind, actions, limit: ENTRIES, ..AuditQuery::default() };
        let found = db.audit_entries(TenantId::default(), &query).await?;
        let later: Vec<_> = found.iter().take_while(|it| it.id > since).collect();
        let counting = later.iter().filter(|it| counts(it, since, &mut taken_back));
        counting.for_each(|it| touched.extend(numbers(&it.name)));
        if later.len() < found.len() || found.is_empty() {
            return Ok(touched);
        }
        before = found.last().map(|it| it.id);
    }
}
