//! Builds the directory the core decides from, and changes single extensions of it.
//!
//! Here the passwords are opened, and only their digests leave (RFC 7616 §3.4.2).

use crate::db::{Db, StoredExtension, bound_to, parse_settings, stored, time_zone};
use crate::error::StoreError;
use crate::secret::SecretKey;
use futures_util::{FutureExt as _, TryStreamExt as _};
use md5::Md5;
use pbx::dialplan::Tables;
use pbx::dialplan::time::Zone;
use pbx::directory::{Directory, Extension, Secret, Tenant};
use pbx::id::TenantId;
use pbx::settings::Settings;
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Rows of extensions that are read at a time, and how many such portions wait for their turn.
const PORTION_ROWS: usize = 256;
const PORTIONS_MAX: usize = 4;

/// What happened to one extension, in the terms of the directory.
#[derive(Clone, Debug)]
pub enum ExtensionChange {
    /// Added or changed.
    Put(Extension),
    Removed(Box<str>),
}

/// The directory with one change of one tenant, sharing everything else with the one before.
pub fn apply_extension_change(
    directory: &Directory,
    tenant: TenantId,
    change: ExtensionChange,
) -> Directory {
    let mut next = directory.clone();
    next.version += 1;
    let of_tenant = next.tenants.entry(tenant).or_default();
    match change {
        ExtensionChange::Put(extension) => of_tenant.put(extension),
        ExtensionChange::Removed(number) => of_tenant.remove(&number),
    }
    next
}

/// H(A1) of digest authentication with both algorithms (RFC 7616 §3.4.2).
pub fn derive_secret(number: &str, realm: &str, password: &[u8]) -> Secret {
    fn h_a1<D: Digest>(number: &str, realm: &str, password: &[u8]) -> D {
        let head = D::new().chain_update(number).chain_update(":").chain_update(realm);
        head.chain_update(":").chain_update(password)
    }
    Secret {
        md5: h_a1::<Md5>(number, realm, password).finalize().into(),
        sha256: h_a1::<Sha256>(number, realm, password).finalize().into(),
    }
}

/// A name that was legal when it was set may be unknown to this machine: UTC then.
fn zone(settings: &Settings) -> Zone {
    time_zone(&settings.time_zone).map(Zone).unwrap_or_default()
}

impl Db {
    /// The tables as the core takes them: on standby no line registers and no trunk is asked anything.
    async fn tables_in_force(&self, tenant: TenantId) -> Result<Tables, StoreError> {
        let mut tables = self.tables(tenant).await?;
        if self.is_standby() {
            tables.lines.iter_mut().for_each(|it| it.enabled = false);
            tables.trunks.iter_mut().for_each(|it| it.enabled = false);
        }
        Ok(tables)
    }

    /// Everything configured, as the core takes it.
    pub async fn load_directory(&self, version: u64) -> Result<Directory, StoreError> {
        let mut directory = Directory { version, ..Directory::default() };
        let tenants = sqlx::query(
            "SELECT tenant_id, domains, settings FROM tenants LEFT JOIN settings USING (tenant_id)",
        );
        for row in tenants.fetch_all(&mut *self.connection().await?).await? {
            let id = tenant_id(&row)?;
            let domains = serde_json::from_str(row.try_get("domains")?)
                .map_err(|error| StoreError::damaged("the domains of a tenant", error))?;
            let settings = Arc::new(parse_settings(id, row.try_get("settings")?)?);
            let zone = zone(&settings);
            directory.tenants.insert(id, Tenant { domains, settings, zone, ..Tenant::default() });
        }
        self.load_extensions(&mut directory).await?;
        // A row that cannot be read is worth stopping for; one that is wrong was refused at save.
        for (id, tenant) in directory.tenants.iter_mut() {
            *tenant = self.tables_in_force(*id).await?.in_place_of(tenant);
        }
        Ok(directory)
    }

    /// Portion by portion: what SQLite's allocator once held for all rows, it keeps. Beside the reading, passwords are
    /// opened and digested by threads of their own.
    async fn load_extensions(&self, directory: &mut Directory) -> Result<(), StoreError> {
        let settings = |(id, tenant): (&TenantId, &Tenant)| (*id, Arc::clone(&tenant.settings));
        let settings: Arc<BTreeMap<_, _>> =
            Arc::new(directory.tenants.iter().map(settings).collect());
        let mut connection = self.connection().await?;
        let rows = sqlx::query("SELECT * FROM extensions").fetch(&mut *connection);
        let portions = rows.try_chunks(PORTION_ROWS).map_err(|it| StoreError::from(it.1));
        let read = |rows: Vec<SqliteRow>| {
            let (key, settings) = (self.key().clone(), Arc::clone(&settings));
            let read = spawn_blocking(move || extensions(&key, &settings, &rows));
            read.map(|it| it.map_err(|it| StoreError::io(self.path())(it.into()))?)
        };
        let mut portions = pin!(portions.map_ok(read).try_buffered(PORTIONS_MAX));
        while let Some(portion) = portions.try_next().await? {
            for (id, extension) in portion {
                if let Some(tenant) = directory.tenants.get_mut(&id) {
                    tenant.put(extension);
                }
            }
        }
        Ok(())
    }

    /// The directory with the tenant's settings as the database now has them. Digests depend on
    /// the realm: with another one all of them are made anew.
    pub async fn with_settings(
        &self,
        directory: &Directory,
        tenant: TenantId,
    ) -> Result<Directory, StoreError> {
        let settings = self.settings(tenant).await?;
        let before = directory.tenant(tenant).map(|it| &it.settings);
        if before.is_none_or(|it| it.realm != settings.realm) {
            return self.load_directory(directory.version + 1).await;
        }
        let mut next = directory.clone();
        next.version += 1;
        let changed = next.tenants.entry(tenant).or_default();
        changed.zone = zone(&settings);
        changed.settings = Arc::new(settings);
        Ok(next)
    }

    /// The directory with the tenant's dial plan, lines and trunks as the database now has them.
    pub async fn with_tables(
        &self,
        directory: &Directory,
        tenant: TenantId,
    ) -> Result<Directory, StoreError> {
        let tables = self.tables_in_force(tenant).await?;
        let mut next = directory.clone();
        next.version += 1;
        let of_tenant = next.tenants.entry(tenant).or_default();
        *of_tenant = tables.in_place_of(of_tenant);
        Ok(next)
    }

    /// What the database now says about one extension, for [`apply_extension_change`].
    pub async fn extension_change(
        &self,
        tenant: TenantId,
        number: &str,
    ) -> Result<ExtensionChange, StoreError> {
        let row = sqlx::query("SELECT * FROM extensions WHERE tenant_id = ? AND number = ?")
            .bind(i64::from(tenant.0))
            .bind(number)
            .fetch_optional(&mut *self.connection().await?)
            .await?;
        let Some(row) = row else { return Ok(ExtensionChange::Removed(number.into())) };
        let realm = self.settings(tenant).await?.realm;
        Ok(ExtensionChange::Put(extension(self.key(), tenant, &realm, &row)?))
    }
}

/// Those whose tenants there are.
fn extensions(
    key: &SecretKey,
    settings: &BTreeMap<TenantId, Arc<Settings>>,
    rows: &[SqliteRow],
) -> Result<Vec<(TenantId, Extension)>, StoreError> {
    let mut read = Vec::with_capacity(rows.len());
    for row in rows {
        let id = tenant_id(row)?;
        if let Some(settings) = settings.get(&id) {
            read.push((id, extension(key, id, &settings.realm, row)?));
        }
    }
    Ok(read)
}

fn extension(
    key: &SecretKey,
    tenant: TenantId,
    realm: &str,
    row: &SqliteRow,
) -> Result<Extension, StoreError> {
    let StoredExtension { profile, weak_password, .. } = stored(row)?;
    let sealed: Option<&[u8]> = row.try_get("password")?;
    let secret = match sealed {
        None => None,
        Some(sealed) => {
            let password = key
                .open(sealed, &bound_to(tenant, &profile.number))
                .map_err(|it| StoreError::damaged(format!("extension {}", profile.number), it))?;
            Some(derive_secret(&profile.number, realm, &password))
        }
    };
    Ok(Extension {
        number: profile.number.into(),
        name: profile.name.into(),
        secret,
        addresses: profile.addresses,
        devices_max: profile.devices_max,
        calls_max: profile.calls_max,
        relay: profile.relay,
        media_source: profile.media_source,
        digest_without_qop: profile.digest_without_qop,
        weak_password,
        plan: profile.plan.map(Into::into),
        levels: profile.levels,
        services: profile.services,
    })
}

fn tenant_id(row: &SqliteRow) -> Result<TenantId, StoreError> {
    let id: i64 = row.try_get("tenant_id")?;
    u32::try_from(id).map(TenantId).map_err(|error| StoreError::damaged("a tenant", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pbx::dialplan::levels::Levels;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|it| format!("{it:02x}")).collect()
    }

    /// User, realm and password of the example in RFC 7616 §3.9.1; the values are computed with
    /// other programs (md5sum, sha256sum).
    #[test]
    fn digests_are_those_of_user_realm_and_password() {
        let secret = derive_secret("Mufasa", "http-auth@example.org", b"Circle of Life");
        assert_eq!(hex(&secret.md5), "3d78807defe7de2157e2b0b6573a855f");
        assert_eq!(
            hex(&secret.sha256),
            "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"
        );
    }

    #[test]
    fn digests_are_those_that_are_checked_against() {
        use sip::auth::digest::{Algorithm, HexDigest, ha1};
        let secret = derive_secret("100", "dialtone", b"k7mfx2pq");
        for (algorithm, hash) in
            [(Algorithm::Md5, &secret.md5[..]), (Algorithm::Sha256, &secret.sha256[..])]
        {
            let expected = ha1(algorithm, "100", "dialtone", "k7mfx2pq");
            assert_eq!(HexDigest::of(hash).as_str(), expected.as_str());
        }
    }

    #[test]
    fn a_change_makes_a_new_version_and_leaves_the_old_one() {
        let number = |directory: &Directory| {
            directory.tenant(TenantId::default()).map_or(0, |it| it.extensions.len())
        };
        let empty = Directory::default();
        let extension = Extension {
            number: "100".into(),
            name: "".into(),
            secret: None,
            addresses: vec![],
            devices_max: None,
            calls_max: 2,
            relay: pbx::directory::Relay::Always,
            media_source: pbx::media::MediaSource::Auto,
            digest_without_qop: true,
            weak_password: false,
            plan: None,
            levels: Levels::NONE,
            services: Default::default(),
        };
        let tenant = TenantId::default();
        let one = apply_extension_change(&empty, tenant, ExtensionChange::Put(extension));
        let none = apply_extension_change(&one, tenant, ExtensionChange::Removed("100".into()));
        assert_eq!((number(&empty), number(&one), number(&none)), (0, 1, 0));
        assert_eq!((empty.version, one.version, none.version), (0, 1, 2));
    }
}
