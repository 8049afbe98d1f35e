//! Takes back what was done to extensions: one who was removed is there again, with the password that his phone has.

use super::{changed, fields, kept, many, must_be_as_left, must_be_newest};
use crate::audit::{Author, EXTENSIONS, Kept, KeptExtension};
use crate::outside::Fields;
use crate::resource::{AddRequest, Credentials, Failure, NewExtension};
use crate::{Edit, Office, extensions};
use pbx::id::TenantId;
use serde_json::Value;
use store::db::AuditEntry;
use store::password::NewPassword;

/// The answer is a new password, where the old one is no longer kept.
pub(super) async fn undo(
    office: &Office,
    author: Author<'_>,
    entry: &AuditEntry,
) -> Result<Option<Credentials>, Failure> {
    if entry.action == "password" {
        return undo_password(office, author, entry).await.map(|()| None);
    }
    if many::is(entry) {
        return many::undo(office, author, entry).await.map(|()| None);
    }
    if many::is_list(entry.before.as_deref()) {
        let all = kept(author.db, entry, extensions_of).await?;
        return back(office, author, all).await.map(|_| None);
    }
    undo_one(office, author, entry).await
}

fn extensions_of(kept: Kept) -> Option<Vec<KeptExtension>> {
    if let Kept::Extensions(it) = kept { Some(it) } else { None }
}

async fn undo_password(
    office: &Office,
    author: Author<'_>,
    entry: &AuditEntry,
) -> Result<(), Failure> {
    let number = &*entry.name;
    must_be_newest(author.db, entry).await?;
    let was = kept(author.db, entry, extensions_of).await?.pop().and_then(|it| it.password);
    let was = was.map(|it| NewPassword::allow_weak(number, &it)).transpose();
    let was = was.map_err(store::StoreError::Password)?;
    let author = author.edit();
    let is = KeptExtension::of(author.db(), number).await?;
    author.db().set_password(TenantId::default(), number, was.as_ref()).await?;
    author.password(EXTENSIONS, number, is.map(Kept::extension)).await?;
    author.commit().await?;
    office.running.changed(Edit::Extensions(vec![number.to_owned()])).await
}

async fn undo_one(
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
    must_be_as_left(author.db, entry, now.as_ref()).await?;
    match fields(entry.before.as_deref()) {
        None => extensions::delete_live(office, author, number).await.map(|()| None),
        Some(was) if now.is_some() => {
            let change = extensions::change_to(&was, &changed(entry))?;
            extensions::set_live(office, author, number, change).await.map(|_| None)
        }
        Some(shown) => {
            let kept = Kept::of(author.db, entry).await?.and_then(extensions_of);
            let kept = kept.and_then(|mut it| it.pop());
            let is_known = kept.is_some();
            let password = match kept {
                Some(it) => it.password,
                None if shown.get("has_password") == Some(&true.into()) => Some(new_password()?),
                None => None,
            };
            let gone = KeptExtension { number: number.to_owned(), password, shown };
            let made = back(office, author, vec![gone]).await?.pop();
            Ok(made.filter(|it| it.password.is_some() && !is_known))
        }
    }
}

fn new_password() -> Result<String, Failure> {
    let made = NewPassword::generate().map_err(store::StoreError::Password)?;
    Ok(made.reveal().to_owned())
}

/// Adds them again.
async fn back(
    office: &Office,
    author: Author<'_>,
    all: Vec<KeptExtension>,
) -> Result<Vec<Credentials>, Failure> {
    let one = |it: KeptExtension| {
        let names: Vec<String> =
            it.shown.keys().filter(|key| says(&it.shown, key)).cloned().collect();
        let change = extensions::change_to(&it.shown, &names)?;
        Ok(NewExtension { number: it.number, password: it.password, change })
    };
    let extensions: Result<_, Failure> = all.into_iter().map(one).collect();
    let request = AddRequest { extensions: extensions?, allow_weak: true, ..AddRequest::default() };
    extensions::add_live(office, author, request).await
}

/// Whether a field is other than what an extension begins with, of those that the running server is told one by one.
fn says(shown: &Fields, key: &str) -> bool {
    let is_off =
        |it: &Value| it == &Value::Bool(false) || it.as_object().is_some_and(|it| it.is_empty());
    !["forward", "do_not_disturb"].contains(&key) || shown.get(key).is_some_and(|it| !is_off(it))
}
