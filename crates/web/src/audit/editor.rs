//! An author at work: what he changes and the entries that tell of it are one transaction.

use super::rows::{self, Rows};
use super::{Author, Change, EXTENSIONS, Kept, SETTINGS, action, value};
use crate::extensions::ByPhone;
use crate::resource::{Extension, Failure};
use crate::{extensions, settings};
use pbx::id::TenantId;
use pbx::time::UnixMillis;
use serde::Serialize;
use store::Db;
use store::db::Edit;

/// Begun by [`Author::edit`]. Nothing is in force before [`Editor::commit`], and then only what has an entry.
///
/// The running server is told after that: it reads what others see.
#[must_use]
pub struct Editor<'a> {
    author: Author<'a>,
    edit: Edit,
    pub now: UnixMillis,
}

impl<'a> Editor<'a> {
    pub(super) fn new(author: Author<'a>, edit: Edit) -> Self {
        Self { now: author.now, author, edit }
    }

    /// The database as the edit has left it so far.
    pub fn db(&self) -> &Db {
        &self.edit
    }

    pub async fn commit(self) -> Result<(), Failure> {
        Ok(self.edit.commit().await?)
    }

    pub(crate) fn called(&self) -> &str {
        self.author.called()
    }

    /// Extensions that were added: one with all of it and what is set in the place of its phones, several with their numbers.
    pub(crate) async fn added(
        &self,
        numbers: &[String],
        phones: &[ByPhone],
    ) -> Result<(), Failure> {
        match numbers {
            [] => Ok(()),
            [number] => {
                let set = phones.first().map(|it| &*it.1).unwrap_or_default();
                let after = extensions::with_set(self.db(), number, set).await?;
                self.changed(EXTENSIONS, number, None::<&Extension>, Some(&after)).await
            }
            many => {
                let names = rows::ranges(many);
                let after = Some(names.clone().into());
                let kind = EXTENSIONS;
                let change =
                    Change { action: "add", kind, name: &names, after, ..Change::default() };
                self.write(change).await
            }
        }
    }

    /// A password was made or set; what it was and is, is nobody's to read.
    pub(crate) async fn password(
        &self,
        kind: &str,
        name: &str,
        was: Option<Kept>,
    ) -> Result<(), Failure> {
        self.did("password", kind, name, was).await
    }

    /// Something that is not shown was changed, and was this before.
    pub(crate) async fn did(
        &self,
        action: &'static str,
        kind: &str,
        name: &str,
        kept: Option<Kept>,
    ) -> Result<(), Failure> {
        self.write(Change { action, kind, name, kept, ..Change::default() }).await
    }

    /// Something was removed, which had secrets.
    pub(crate) async fn gone(
        &self,
        kind: &str,
        name: &str,
        before: &(impl Serialize + Sync),
        kept: Option<Kept>,
    ) -> Result<(), Failure> {
        let before = value(Some(before));
        self.write(Change { action: "delete", kind, name, before, kept, ..Change::default() }).await
    }

    /// Something of this kind and name was one thing and is another.
    pub(crate) async fn changed(
        &self,
        kind: &str,
        name: &str,
        before: Option<&impl Serialize>,
        after: Option<&impl Serialize>,
    ) -> Result<(), Failure> {
        let (before, after) = (value(before), value(after));
        let Some(action) = action(before.as_ref(), after.as_ref()) else { return Ok(()) };
        self.write(Change { action, kind, name, before, after, kept: None }).await
    }

    /// Runs an edit of a setting.
    pub async fn setting<T>(
        &self,
        key: &str,
        edit: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let before = settings::show(self.db(), key).await?.value;
        let done = edit.await?;
        let after = settings::show(self.db(), key).await?.value;
        self.changed(SETTINGS, key, Some(&before), Some(&after)).await?;
        Ok(done)
    }

    /// Runs an edit of the tables of the dial plan, of lines and trunks.
    pub async fn tables<T>(
        &self,
        edit: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let tenant = TenantId::default();
        let before = Rows::of(&self.db().tables(tenant).await?);
        let done = edit.await?;
        let after = Rows::of(&self.db().tables(tenant).await?);
        if let Some(it) = rows::difference(&before, &after) {
            let rows::Difference { kind, name, before, after, secrets } = it;
            let kept = secrets.map(Kept::Rows);
            if let Some(action) = action(before.as_ref(), after.as_ref()) {
                self.write(Change { action, kind: &kind, name: &name, before, after, kept })
                    .await?;
            }
        }
        Ok(done)
    }

    async fn write(&self, change: Change<'_>) -> Result<(), Failure> {
        let (entry, kept) = self.author.entry(change);
        let tenant = TenantId::default();
        self.db().insert_audit_entry_keeping(tenant, &entry, kept.as_deref()).await?;
        Ok(())
    }
}
