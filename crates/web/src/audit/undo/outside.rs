//! Takes back what was done to what the world outside sees of us: endpoints of events, and the certificate.

use super::{change_back, fields, kept, must_be_as_left, must_be_newest};
use crate::audit::{Author, Kept};
use crate::certificate::api as certificate;
use crate::resource::Failure;
use crate::{Office, webhooks};
use store::db::{AuditEntry, Webhook};

pub(super) async fn undo_webhook(
    office: &Office,
    author: Author<'_>,
    entry: &AuditEntry,
) -> Result<(), Failure> {
    let (db, id) = (author.db, &*entry.name);
    if entry.action == "rotate" {
        must_be_newest(db, entry).await?;
        let was = kept(db, entry, webhook_of).await?;
        // Whoever has the new one already has a day.
        return webhooks::put_secret(office, author, id, was.secret).await.map(drop);
    }
    let now = webhooks::shown_if_any(office, id).await?;
    must_be_as_left(db, entry, now.as_ref()).await?;
    match &*entry.action {
        "add" => webhooks::delete(office, author, id).await,
        "delete" => webhooks::put_back(office, author, kept(db, entry, webhook_of).await?).await,
        _ => {
            let change = change_back(entry, &["url", "types", "description", "enabled"])?;
            webhooks::set(office, author, id, change).await.map(drop)
        }
    }
}

fn webhook_of(kept: Kept) -> Option<Webhook> {
    if let Kept::Webhook(it) = kept { Some(it) } else { None }
}

pub(super) async fn undo_certificate(
    office: &Office,
    author: Author<'_>,
    entry: &AuditEntry,
) -> Result<(), Failure> {
    let certificate = certificate::of(office)?;
    let now = certificate.shown();
    // The server makes its own anew by itself: any of them is as it was left.
    if !(now.self_signed && is_own(entry.after.as_deref())) {
        must_be_as_left(author.db, entry, Some(&now)).await?;
    }
    let pem = |it| if let Kept::Certificate(pem) = it { Some(pem) } else { None };
    let installed = match is_own(entry.before.as_deref()) {
        true => None,
        false => Some(kept(author.db, entry, pem).await?),
    };
    certificate::put(certificate, author, installed).await.map(drop)
}

/// Whether it is one that the server has made, of which nothing is kept.
pub(super) fn is_own(shown: Option<&str>) -> bool {
    fields(shown).is_none_or(|it| it.get("self_signed") == Some(&true.into()))
}
