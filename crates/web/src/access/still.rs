//! Whether somebody who was let in may stay: a stream of events can outlive the session or key it was begun with.

use super::principal::{Principal, Who};
use super::sessions::is_alive;
use crate::Office;
use pbx::id::TenantId;

/// `true` where that cannot be found out: who was let in is not thrown out because the database is busy.
pub(crate) async fn still(office: &Office, principal: &Principal) -> bool {
    let (db, tenant) = (&office.db, TenantId::default());
    match &principal.who {
        Who::Nobody | Who::Cli => true,
        Who::User { session, .. } => match db.session_named(tenant, session).await {
            Ok(found) => found.is_some_and(|it| is_alive(&it, office.running.now())),
            Err(_) => true,
        },
        Who::ApiKey { id, .. } => match db.api_key(tenant, id).await {
            Ok(found) => found.is_some(),
            Err(_) => true,
        },
    }
}
