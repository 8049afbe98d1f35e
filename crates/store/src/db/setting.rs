//! Settings of a tenant, as one JSON object that is checked on its way in and out.

use super::Db;
use crate::error::StoreError;
use jiff::tz::TimeZone;
use pbx::dialplan::lint;
use pbx::directory::Tenant;
use pbx::id::TenantId;
use pbx::settings::{OutOfRange, Settings};
use pbx::time::UnixMillis;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the records of a tenant need of its configuration.
#[derive(Clone, Debug)]
pub struct TenantName {
    pub name: String,
    /// Of its CSV files.
    pub time_zone: TimeZone,
}

impl Db {
    /// The settings of a tenant; the defaults where it never changed any.
    pub async fn settings(&self, tenant: TenantId) -> Result<Settings, StoreError> {
        let found: Option<Option<String>> = sqlx::query_scalar(
            "SELECT settings FROM tenants LEFT JOIN settings USING (tenant_id)
            WHERE tenant_id = ?",
        )
        .bind(i64::from(tenant.0))
        .fetch_optional(&mut *self.connection().await?)
        .await?;
        match found {
            Some(text) => parse(tenant, text.as_deref()),
            None => Err(StoreError::NoTenant(tenant.0)),
        }
    }

    /// Stores the settings of a tenant after checking them.
    pub async fn set_settings(
        &self,
        tenant: TenantId,
        settings: Settings,
    ) -> Result<Settings, StoreError> {
        let settings = settings.checked()?;
        if time_zone(&settings.time_zone).is_none() {
            return Err(OutOfRange::new("time_zone", &settings.time_zone).into());
        }
        self.refuse_settings(tenant, &settings).await?;
        let text = serde_json::to_string(&settings)
            .map_err(|error| StoreError::damaged("settings", error))?;
        let mut transaction = self.begin().await?;
        let known: Option<i64> =
            sqlx::query_scalar("SELECT tenant_id FROM tenants WHERE tenant_id = ?")
                .bind(i64::from(tenant.0))
                .fetch_optional(&mut *transaction)
                .await?;
        if known.is_none() {
            return Err(StoreError::NoTenant(tenant.0));
        }
        sqlx::query(
            "INSERT INTO settings (tenant_id, settings) VALUES (?, ?)
            ON CONFLICT (tenant_id) DO UPDATE SET settings = excluded.settings",
        )
        .bind(i64::from(tenant.0))
        .bind(text)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(settings)
    }

    /// What the settings would break, if anything: an emergency number that is a feature code, or the
    /// number of an extension.
    async fn refuse_settings(
        &self,
        tenant: TenantId,
        settings: &Settings,
    ) -> Result<(), StoreError> {
        let directory = self.load_directory(0).await?;
        let before = directory.tenant(tenant).ok_or(StoreError::NoTenant(tenant.0))?;
        let after = Tenant { settings: Arc::new(settings.clone()), ..before.clone() };
        // The day matters to warnings only.
        let findings = lint::check(before, &after, UnixMillis(0));
        if findings.is_empty() { Ok(()) } else { Err(StoreError::Refused(findings)) }
    }

    /// Names and time zones of all tenants, for exports.
    pub async fn tenant_names(&self) -> Result<BTreeMap<TenantId, TenantName>, StoreError> {
        tenant_names(&mut *self.pool.acquire().await?).await
    }
}

pub(crate) async fn tenant_names(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<TenantId, TenantName>, StoreError> {
    let rows = sqlx::query(
        "SELECT tenant_id, name, settings FROM tenants LEFT JOIN settings USING (tenant_id)",
    )
    .fetch_all(connection)
    .await?;
    let mut names = BTreeMap::new();
    for row in rows {
        let tenant = TenantId(super::binding::number(&row, "tenant_id")?);
        let settings: Option<&str> = row.try_get("settings")?;
        // Records are written whatever the settings say; UTC is never wrong.
        let zone = parse(tenant, settings).ok().and_then(|it| time_zone(&it.time_zone));
        let time_zone = zone.unwrap_or(TimeZone::UTC);
        names.insert(tenant, TenantName { name: row.try_get("name")?, time_zone });
    }
    Ok(names)
}

/// The zone of an IANA name; the machine's for an empty one.
pub(crate) fn time_zone(name: &str) -> Option<TimeZone> {
    if name.is_empty() { Some(TimeZone::system()) } else { TimeZone::get(name).ok() }
}

pub(crate) fn parse(tenant: TenantId, text: Option<&str>) -> Result<Settings, StoreError> {
    let Some(text) = text else { return Ok(Settings::default()) };
    let what = || format!("settings of tenant {}", tenant.0);
    let settings: Settings =
        serde_json::from_str(text).map_err(|error| StoreError::damaged(what(), error))?;
    settings.checked().map_err(|error| StoreError::damaged(what(), error))
}
