//! What an entry keeps and nobody is shown: the secrets that a change took away, so that it can be taken back.

use super::rows::Secrets;
use crate::Office;
use crate::certificate::Pem;
use crate::extensions;
use crate::outside::Fields;
use crate::resource::{Extension, Failure};
use pbx::id::TenantId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use store::db::{ApiKey, AuditEntry, Factor, User, Webhook};
use store::password::NewPassword;
use store::{Db, StoreError};
use tokio::time::MissedTickBehavior;

/// How often it is looked whether something was kept for long enough.
const LOOK: Duration = Duration::from_hours(1);

/// Forgets it then, until it is dropped.
pub async fn forget(office: Office) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Err(error) = office.db.forget_kept(office.running.now()).await {
            tracing::error!(%error, "secrets that were changed a month ago are still kept");
        }
    }
}

/// As it was before the change.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kept {
    Extensions(Vec<KeptExtension>),
    Rows(Secrets),
    User(User, Option<Factor>),
    ApiKey(ApiKey),
    Webhook(Webhook),
    Certificate(Pem),
}

#[derive(Serialize, Deserialize)]
pub(crate) struct KeptExtension {
    pub(crate) number: String,
    /// `None`: it is authorised by address.
    pub(crate) password: Option<String>,
    /// What is shown of it, but for what a new one has too: so many are kept as are added at once.
    pub(crate) shown: Fields,
}

impl KeptExtension {
    pub(crate) async fn of(db: &Db, number: &str) -> Result<Option<Self>, Failure> {
        let shown = extensions::show(db, number).await?;
        let password = readable(db.password(TenantId::default(), number).await)?;
        Ok(password.map(|it| Self::new(it, &shown)))
    }

    pub(super) fn new(password: Option<NewPassword>, extension: &Extension) -> Self {
        let mut shown = match serde_json::to_value(extension) {
            Ok(Value::Object(shown)) => shown,
            // A struct of plain values is an object.
            Ok(_) | Err(_) => Fields::new(),
        };
        let defaults = extensions::defaults();
        // Without its rights, they would follow from its forwarding.
        shown.retain(|field, value| field == "may_forward" || defaults.get(field) != Some(value));
        let password = password.map(|it| it.reveal().to_owned());
        Self { number: extension.number.clone(), password, shown }
    }
}

/// Of a secret that no key opens nothing can be kept; that is no reason to leave it in its place.
pub(crate) fn readable<T>(found: Result<T, StoreError>) -> Result<Option<T>, Failure> {
    match found {
        Ok(it) => Ok(Some(it)),
        Err(StoreError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Kept {
    /// This one alone.
    pub(crate) fn extension(it: KeptExtension) -> Self {
        Self::Extensions(vec![it])
    }

    pub(super) fn write(&self) -> Option<Vec<u8>> {
        // Structs of plain values are objects.
        serde_json::to_vec(self).ok()
    }

    /// `None`: nothing is kept, or no longer, or not in a form that this version knows.
    pub(super) async fn of(db: &Db, entry: &AuditEntry) -> Result<Option<Self>, Failure> {
        let kept = db.audit_kept(entry.id).await?;
        Ok(kept.and_then(|it| serde_json::from_slice(&it).ok()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use store::db::{ExtensionProfile, KEPT_BYTES_MAX, StoredExtension};

    #[test]
    fn as_many_extensions_are_kept_as_are_added_at_once() {
        let profile = ExtensionProfile::new("100000");
        let stored = StoredExtension { profile, has_password: true, weak_password: false };
        let password = Some(NewPassword::generate().unwrap());
        let one = Kept::extension(KeptExtension::new(password, &Extension::from(stored)));
        let all = one.write().unwrap().len() * extensions::EXTENSIONS_PER_REQUEST_MAX;
        assert!(all <= KEPT_BYTES_MAX, "{all}");
    }
}
