//! Extensions as they are configured: listed, added, changed, removed.
//!
//! A password goes in as a [`NewPassword`] and is shown to nobody: the directory builder opens it, to derive the digests,
//! and the audit, which seals it again with the entry of its change so that it can be put back.

use super::binding::number;
use super::{Db, ROWS_PER_STATEMENT, from_word, word};
use crate::error::StoreError;
use crate::password::NewPassword;
use crate::secret::{KeyError, SecretKey};
use pbx::dialplan::levels::Levels;
use pbx::dialplan::lint::finding::{Finding, Rule, TableName};
use pbx::directory::{AllowedAddress, Relay};
use pbx::id::TenantId;
use pbx::language::Text;
use pbx::media::MediaSource;
use pbx::supplementary::{CALLS_UNLIMITED, Services};
use pbx::text;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite};
use std::collections::{BTreeMap, BTreeSet};

/// Longest number, name in characters, and list of addresses of an extension.
const NUMBER_CHARS_MAX: usize = 32;
const NAME_CHARS_MAX: usize = 64;
const ADDRESSES_MAX: usize = 32;
/// Most devices the right *one number, many phones* can give.
pub const DEVICES_MAX: u8 = 32;
/// Longest ringing of an extension. Unit: seconds.
const RING_S_MAX: u16 = 600;

/// Everything about an extension that may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExtensionProfile {
    pub number: String,
    pub name: String,
    pub addresses: Vec<AllowedAddress>,
    pub devices_max: Option<u8>,
    pub calls_max: u8,
    pub relay: Relay,
    pub media_source: MediaSource,
    pub digest_without_qop: bool,
    /// Its dial plan. `None`: `default`.
    pub plan: Option<String>,
    /// Call levels (呼叫级别).
    pub levels: Levels,
    pub services: Services,
}

/// An extension as the database has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredExtension {
    #[serde(flatten)]
    pub profile: ExtensionProfile,
    pub has_password: bool,
    pub weak_password: bool,
}

/// An extension to be added.
#[derive(Clone, Debug)]
pub struct NewExtension {
    pub profile: ExtensionProfile,
    /// `None` only for an extension that is authorised by address.
    pub password: Option<NewPassword>,
}

impl Default for ExtensionProfile {
    fn default() -> Self {
        Self {
            number: String::new(),
            name: String::new(),
            addresses: Vec::new(),
            devices_max: None,
            calls_max: 2,
            relay: Relay::default(),
            media_source: MediaSource::default(),
            digest_without_qop: true,
            plan: None,
            levels: Levels::NONE,
            services: Services::default(),
        }
    }
}

impl ExtensionProfile {
    pub fn new(number: &str) -> Self {
        Self { number: number.to_owned(), ..Self::default() }
    }

    /// What passes here is not checked again.
    pub fn checked(self) -> Result<Self, StoreError> {
        let is_part = |it: char| it.is_ascii_alphanumeric() || "._-+".contains(it);
        let number = &self.number;
        if number.is_empty() || number.len() > NUMBER_CHARS_MAX || !number.chars().all(is_part) {
            let rule = text!(
                "must be 1 to 32 digits, letters or . _ - +",
                "应为1至32个数字、字母或. _ - +"
            );
            return Err(invalid("number", number, rule));
        }
        if self.name.chars().count() > NAME_CHARS_MAX || self.name.chars().any(char::is_control) {
            let rule =
                text!("must be at most 64 characters on one line", "应为一行，不超过64个字符");
            return Err(invalid("name", &self.name, rule));
        }
        if !(1..=100).contains(&self.calls_max) {
            return Err(invalid(
                "calls",
                self.calls_max,
                text!("must be 1 to 100", "取值应为1至100"),
            ));
        }
        if let Some(devices) = self.devices_max.filter(|it| !(1..=DEVICES_MAX).contains(it)) {
            let what = text!("must be 1 to {DEVICES_MAX}", "取值应为1至{DEVICES_MAX}");
            return Err(invalid("devices", devices, what));
        }
        if self.services.ring_s > RING_S_MAX {
            let rule = text!("must be at most 600 seconds", "不能超过600秒");
            return Err(invalid("ring_s", self.services.ring_s, rule));
        }
        let (calls_in, calls_out) = (self.services.calls_in_max, self.services.calls_out_max);
        for (field, most) in [("calls_in", calls_in), ("calls_out", calls_out)] {
            if most > CALLS_UNLIMITED {
                return Err(invalid(field, most, text!("must be 0 to 100", "取值应为0至100")));
            }
        }
        if self.addresses.len() > ADDRESSES_MAX {
            return Err(invalid(
                "addresses",
                self.addresses.len(),
                text!("must be at most 32", "不能超过32个"),
            ));
        }
        Ok(self)
    }
}

impl Db {
    pub async fn extensions(&self, tenant: TenantId) -> Result<Vec<StoredExtension>, StoreError> {
        let rows = sqlx::query("SELECT * FROM extensions WHERE tenant_id = ? ORDER BY number")
            .bind(i64::from(tenant.0))
            .fetch_all(&mut *self.connection().await?)
            .await?;
        rows.iter().map(stored).collect()
    }

    /// Those whose numbers come after this one, with a number or name like `search`; all where that is empty.
    pub async fn extensions_after(
        &self,
        tenant: TenantId,
        after: &str,
        search: &str,
        limit: u32,
    ) -> Result<Vec<StoredExtension>, StoreError> {
        let mut select = QueryBuilder::<Sqlite>::new("SELECT * FROM extensions WHERE tenant_id = ");
        select.push_bind(i64::from(tenant.0)).push(" AND number > ").push_bind(after);
        if !search.is_empty() {
            select.push(" AND (instr(number, ").push_bind(search);
            select.push(") > 0 OR instr(lower(name), lower(").push_bind(search).push(")) > 0)");
        }
        select.push(" ORDER BY number LIMIT ").push_bind(i64::from(limit));
        let rows = select.build().fetch_all(&mut *self.connection().await?).await?;
        rows.iter().map(stored).collect()
    }

    pub async fn extension(
        &self,
        tenant: TenantId,
        number: &str,
    ) -> Result<StoredExtension, StoreError> {
        let row = sqlx::query("SELECT * FROM extensions WHERE tenant_id = ? AND number = ?")
            .bind(i64::from(tenant.0))
            .bind(number)
            .fetch_optional(&mut *self.connection().await?)
            .await?;
        row.as_ref().map_or_else(|| Err(StoreError::NoExtension(number.to_owned())), stored)
    }

    /// Adds extensions, all or none.
    pub async fn insert_extensions(
        &self,
        tenant: TenantId,
        extensions: Vec<NewExtension>,
    ) -> Result<(), StoreError> {
        let codes = self.feature_codes(tenant).await?;
        let settings = self.settings(tenant).await?;
        let mut rows = Vec::with_capacity(extensions.len());
        let mut numbers = BTreeSet::new();
        for extension in extensions {
            let profile = extension.profile.checked()?;
            self.check_plan(tenant, profile.plan.as_deref()).await?;
            let code = codes.dialled(&profile.number);
            let code = code.map(|it| Rule::NumberIsCode(it.feature.as_str().into()));
            let emergency = settings.emergency_number(&profile.number);
            let emergency = emergency.map(|it| Rule::EmergencyNumber(it.into()));
            if let Some(rule) = code.or(emergency) {
                let (table, row) = (TableName::Extensions, profile.number.into());
                let finding = Finding { table, row, field: "number", rule };
                return Err(StoreError::Refused(vec![finding]));
            }
            if !numbers.insert(profile.number.clone()) {
                return Err(StoreError::ExtensionExists(profile.number));
            }
            let sealed = sealed(&self.key, tenant, &profile.number, extension.password.as_ref())?;
            let weak = extension.password.as_ref().is_some_and(NewPassword::is_weak);
            rows.push((profile, sealed, weak));
        }
        let mut transaction = self.begin().await?;
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            insert_chunk(&mut transaction, tenant, chunk).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Replaces everything but number and password.
    pub async fn update_extension(
        &self,
        tenant: TenantId,
        profile: ExtensionProfile,
    ) -> Result<(), StoreError> {
        let profile = profile.checked()?;
        self.check_plan(tenant, profile.plan.as_deref()).await?;
        let done = sqlx::query(
            "UPDATE extensions SET name = ?, addresses = ?, devices_max = ?, calls_max = ?,
                relay = ?, media_source = ?, digest_without_qop = ?, plan = ?, levels = ?,
                services = ?
            WHERE tenant_id = ? AND number = ?",
        )
        .bind(&profile.name)
        .bind(addresses_text(&profile)?)
        .bind(profile.devices_max.map(i64::from))
        .bind(i64::from(profile.calls_max))
        .bind(word(profile.relay))
        .bind(word(profile.media_source))
        .bind(profile.digest_without_qop)
        .bind(&profile.plan)
        .bind(levels_text(&profile)?)
        .bind(services_text(&profile)?)
        .bind(i64::from(tenant.0))
        .bind(&profile.number)
        .execute(&mut *self.writing().await?)
        .await?;
        one_row(done.rows_affected(), &profile.number)
    }

    /// An extension in a plan that does not exist would break the dial plan.
    async fn check_plan(&self, tenant: TenantId, plan: Option<&str>) -> Result<(), StoreError> {
        let Some(plan) = plan else { return Ok(()) };
        let known: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM dial_plan_rows WHERE tenant_id = ? AND kind = 'plans' AND id = ?",
        )
        .bind(i64::from(tenant.0))
        .bind(plan)
        .fetch_optional(&mut *self.connection().await?)
        .await?;
        known.map(drop).ok_or_else(|| {
            let rule = text!(
                "there is no such dial plan. Add it, or name another",
                "没有这个拨号计划。请先添加，或改用已有的"
            );
            invalid("plan", plan, rule)
        })
    }

    /// The password it has; for whoever keeps it to put it back, and for nobody's eyes. `None` too where there is no such
    /// extension.
    pub async fn password(
        &self,
        tenant: TenantId,
        number: &str,
    ) -> Result<Option<NewPassword>, StoreError> {
        let sealed: Option<Option<Vec<u8>>> = sqlx::query_scalar(
            "SELECT password FROM extensions WHERE tenant_id = ? AND number = ?",
        )
        .bind(i64::from(tenant.0))
        .bind(number)
        .fetch_optional(&mut *self.connection().await?)
        .await?;
        sealed.flatten().map(|it| opened(&self.key, tenant, number, &it)).transpose()
    }

    /// The same of all that have one, by number.
    pub async fn passwords(
        &self,
        tenant: TenantId,
    ) -> Result<BTreeMap<String, NewPassword>, StoreError> {
        let sealed: Vec<(String, Vec<u8>)> = sqlx::query_as(
            "SELECT number, password FROM extensions WHERE tenant_id = ? AND password IS NOT NULL",
        )
        .bind(i64::from(tenant.0))
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let open = |(number, sealed): (String, Vec<u8>)| {
            let password = opened(&self.key, tenant, &number, &sealed)?;
            Ok((number, password))
        };
        sealed.into_iter().map(open).collect()
    }

    /// `None` only for an extension that is authorised by address.
    pub async fn set_password(
        &self,
        tenant: TenantId,
        number: &str,
        password: Option<&NewPassword>,
    ) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE extensions SET password = ?, weak_password = ?
            WHERE tenant_id = ? AND number = ?",
        )
        .bind(sealed(&self.key, tenant, number, password)?)
        .bind(password.is_some_and(NewPassword::is_weak))
        .bind(i64::from(tenant.0))
        .bind(number)
        .execute(&mut *self.writing().await?)
        .await?;
        one_row(done.rows_affected(), number)
    }

    /// Their bindings and what their phones have set go with them: whoever gets a number next shall not find the phones of
    /// whoever had it before. All are removed or, where one is not there, none.
    pub async fn delete_extensions(
        &self,
        tenant: TenantId,
        numbers: &[String],
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for chunk in numbers.chunks(ROWS_PER_STATEMENT) {
            let mut gone = 0;
            for delete in [
                "DELETE FROM bindings WHERE extension IN (",
                "DELETE FROM phone_settings WHERE extension IN (",
                "DELETE FROM extensions WHERE number IN (",
            ] {
                let mut delete = QueryBuilder::<Sqlite>::new(delete);
                let mut list = delete.separated(", ");
                for number in chunk {
                    list.push_bind(number);
                }
                delete.push(") AND tenant_id = ").push_bind(i64::from(tenant.0));
                gone = delete.build().execute(&mut *transaction).await?.rows_affected();
            }
            if gone != chunk.len() as u64 {
                return Err(StoreError::NoExtension(chunk.join(", ")));
            }
        }
        transaction.commit().await
    }
}

/// What a sealed password is bound to: it cannot be moved to another extension.
pub(crate) fn bound_to(tenant: TenantId, number: &str) -> Vec<u8> {
    format!("password/{}/{number}", tenant.0).into_bytes()
}

pub(crate) fn stored(row: &SqliteRow) -> Result<StoredExtension, StoreError> {
    let number_text: String = row.try_get("number")?;
    let what = format!("extension {number_text}");
    let addresses = serde_json::from_str(row.try_get("addresses")?)
        .map_err(|error| StoreError::damaged(&*what, error))?;
    let devices_max: Option<i64> = row.try_get("devices_max")?;
    let profile = ExtensionProfile {
        number: number_text,
        name: row.try_get("name")?,
        addresses,
        devices_max: devices_max
            .map(u8::try_from)
            .transpose()
            .map_err(|error| StoreError::damaged(&*what, error))?,
        calls_max: number(row, "calls_max")?,
        relay: from_word(&what, row.try_get("relay")?)?,
        media_source: from_word(&what, row.try_get("media_source")?)?,
        digest_without_qop: row.try_get("digest_without_qop")?,
        plan: row.try_get("plan")?,
        levels: serde_json::from_str(row.try_get("levels")?)
            .map_err(|error| StoreError::damaged(&*what, error))?,
        services: serde_json::from_str(row.try_get("services")?)
            .map_err(|error| StoreError::damaged(&*what, error))?,
    };
    let password: Option<&[u8]> = row.try_get("password")?;
    let weak_password = row.try_get("weak_password")?;
    Ok(StoredExtension { profile, has_password: password.is_some(), weak_password })
}

async fn insert_chunk(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    rows: &[(ExtensionProfile, Option<Vec<u8>>, bool)],
) -> Result<(), StoreError> {
    let mut taken = QueryBuilder::<Sqlite>::new("SELECT number FROM extensions WHERE tenant_id = ");
    taken.push_bind(i64::from(tenant.0)).push(" AND number IN (");
    let mut numbers = taken.separated(", ");
    for (profile, _, _) in rows {
        numbers.push_bind(&*profile.number);
    }
    taken.push(") LIMIT 1");
    let taken = taken.build_query_scalar().persistent(false);
    if let Some(number) = taken.fetch_optional(&mut *connection).await? {
        return Err(StoreError::ExtensionExists(number));
    }

    let lists = rows
        .iter()
        .map(|it| Ok((addresses_text(&it.0)?, levels_text(&it.0)?, services_text(&it.0)?)));
    let lists = lists.collect::<Result<Vec<_>, StoreError>>()?;
    let mut insert = QueryBuilder::<Sqlite>::new(
        "INSERT INTO extensions (tenant_id, number, name, password, weak_password, addresses,
            devices_max, calls_max, relay, media_source, digest_without_qop, plan, levels, services) ",
    );
    insert.push_values(
        rows.iter().zip(lists),
        |mut row, ((it, sealed, weak), (addresses, levels, services))| {
            row.push_bind(i64::from(tenant.0))
                .push_bind(&*it.number)
                .push_bind(&*it.name)
                .push_bind(sealed.as_deref())
                .push_bind(*weak)
                .push_bind(addresses)
                .push_bind(it.devices_max.map(i64::from))
                .push_bind(i64::from(it.calls_max))
                .push_bind(word(it.relay))
                .push_bind(word(it.media_source))
                .push_bind(it.digest_without_qop)
                .push_bind(it.plan.as_deref())
                .push_bind(levels)
                .push_bind(services);
        },
    );
    insert.build().persistent(false).execute(connection).await?;
    Ok(())
}

fn sealed(
    key: &SecretKey,
    tenant: TenantId,
    number: &str,
    password: Option<&NewPassword>,
) -> Result<Option<Vec<u8>>, KeyError> {
    password.map(|it| key.seal(it.reveal().as_bytes(), &bound_to(tenant, number))).transpose()
}

fn addresses_text(profile: &ExtensionProfile) -> Result<String, StoreError> {
    serde_json::to_string(&profile.addresses)
        .map_err(|error| StoreError::damaged("addresses", error))
}

fn levels_text(profile: &ExtensionProfile) -> Result<String, StoreError> {
    serde_json::to_string(&profile.levels).map_err(|error| StoreError::damaged("levels", error))
}

fn services_text(profile: &ExtensionProfile) -> Result<String, StoreError> {
    serde_json::to_string(&profile.services).map_err(|error| StoreError::damaged("services", error))
}

fn opened(
    key: &SecretKey,
    tenant: TenantId,
    number: &str,
    sealed: &[u8],
) -> Result<NewPassword, StoreError> {
    let what = || format!("extension {number}");
    let plain = key.open(sealed, &bound_to(tenant, number));
    let plain = plain.map_err(|error| StoreError::damaged(what(), error))?;
    let text = std::str::from_utf8(&plain).map_err(|error| StoreError::damaged(what(), error))?;
    Ok(NewPassword::allow_weak(number, text)?)
}

fn one_row(affected: u64, number: &str) -> Result<(), StoreError> {
    if affected == 0 { Err(StoreError::NoExtension(number.to_owned())) } else { Ok(()) }
}

fn invalid(field: &'static str, value: impl ToString, rule: Text) -> StoreError {
    StoreError::Invalid { field, value: value.to_string(), rule }
}
