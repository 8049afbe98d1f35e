//! Takes back what was done to administrators and to the keys of programs: what they prove themselves with is what it was.

use super::{change_back, kept, must_be_as_left, must_be_newest};
use crate::access::{Principal, keys, totp, users};
use crate::audit::{Author, Kept};
use crate::resource::Failure;
use pbx::id::TenantId;
use pbx::text;
use store::db::{AuditEntry, Factor, User};

pub(super) async fn undo_user(
    principal: &Principal,
    author: Author<'_>,
    entry: &AuditEntry,
) -> Result<(), Failure> {
    let (db, name) = (author.db, &*entry.name);
    if ["add", "change", "delete"].contains(&&*entry.action) {
        let now = db.user(TenantId::default(), name).await?.map(users::shown);
        must_be_as_left(db, entry, now.as_ref()).await?;
    } else {
        must_be_of_another(principal, name)?;
        must_be_newest(db, entry).await?;
    }
    match &*entry.action {
        "add" => users::delete(author, name).await,
        "delete" => {
            let (user, factor) = kept(db, entry, user_of).await?;
            users::put_back(author, user, factor).await
        }
        "change" => {
            let change = change_back(entry, &["language"])?;
            users::set(author, name, change).await.map(drop)
        }
        "password" => {
            let (user, _) = kept(db, entry, user_of).await?;
            users::set_password(author, name, &user.password, principal.session()).await
        }
        "totp_on" => totp::remove(author, name).await,
        // Turned off, or with other recovery codes.
        _ => {
            let factor = kept(db, entry, |it| user_of(it)?.1).await?;
            totp::put_back(author, name, factor).await
        }
    }
}

/// What he proves himself with, he is asked for before he changes it: his browser may have been left alone.
fn must_be_of_another(principal: &Principal, name: &str) -> Result<(), Failure> {
    if !principal.is(name) {
        return Ok(());
    }
    let what = text!(
        "this is what you sign in with: change it on the page Administrators, which asks for your password, or have another administrator take it back",
        "这是您本人的登录凭据：请在“管理员”页面修改（需输入当前密码），或由其他管理员撤销"
    );
    Err(Failure::new(403, "own", what))
}

fn user_of(kept: Kept) -> Option<(User, Option<Factor>)> {
    if let Kept::User(user, factor) = kept { Some((user, factor)) } else { None }
}

pub(super) async fn undo_api_key(author: Author<'_>, entry: &AuditEntry) -> Result<(), Failure> {
    let (db, id) = (author.db, &*entry.name);
    let now = db.api_key(TenantId::default(), id).await?.map(keys::shown);
    must_be_as_left(db, entry, now.as_ref()).await?;
    match &*entry.action {
        "add" => keys::revoke(author, id).await,
        "delete" => {
            let key = |it| if let Kept::ApiKey(key) = it { Some(key) } else { None };
            let key = kept(db, entry, key).await?;
            keys::put_back(author, key).await
        }
        _ => {
            let change = change_back(entry, &["name", "scopes"])?;
            keys::set(author, id, change).await.map(drop)
        }
    }
}
