//! The dial plan, lines and trunks of a tenant: read and replaced as a whole, checked before.

use super::Db;
use crate::error::StoreError;
use crate::secret::SecretKey;
use futures_util::TryStreamExt as _;
use pbx::dialplan::feature_codes::{FeatureCodes, FeatureRow};
use pbx::dialplan::{Tables, lint};
use pbx::directory::Tenant;
use pbx::id::TenantId;
use pbx::line::config::{Incoming, Line, Password};
use pbx::time::UnixMillis;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

/// A row by its table and number.
type Key = (&'static str, String);

/// A row as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    definition: String,
    /// Of a line that has one.
    password: Option<Password>,
}

impl Db {
    /// The tables of a tenant.
    pub async fn tables(&self, tenant: TenantId) -> Result<Tables, StoreError> {
        let mut connection = self.connection().await?;
        let mut rows = sqlx::query("SELECT * FROM dial_plan_rows WHERE tenant_id = ?")
            .bind(i64::from(tenant.0))
            .fetch(&mut *connection);
        let mut tables = Tables::default();
        while let Some(row) = rows.try_next().await? {
            take(&mut tables, self.key(), tenant, &row)?;
        }
        Ok(tables)
    }

    /// The feature codes of a tenant.
    pub(crate) async fn feature_codes(&self, tenant: TenantId) -> Result<FeatureCodes, StoreError> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT definition FROM dial_plan_rows WHERE tenant_id = ? AND kind = 'features'",
        )
        .bind(i64::from(tenant.0))
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let row = |it: &String| serde_json::from_str::<FeatureRow>(it);
        let codes = rows.iter().map(row).collect::<Result<_, _>>();
        codes.map_err(|error| StoreError::damaged("a feature code", error))
    }

    /// The fields of lines that name this extension, with the line's account.
    pub async fn lines_naming(
        &self,
        tenant: TenantId,
        extension: &str,
    ) -> Result<Vec<(Box<str>, &'static str)>, StoreError> {
        // Few have the number anywhere; what they say of it is read properly.
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT definition FROM dial_plan_rows
            WHERE tenant_id = ? AND kind = 'lines' AND instr(definition, ?) > 0 ORDER BY id",
        )
        .bind(i64::from(tenant.0))
        .bind(format!("\"{extension}\""))
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let mut found = vec![];
        for row in rows {
            let line: Line = serde_json::from_str(&row)
                .map_err(|error| StoreError::damaged("an external line", error))?;
            if line.owner.as_deref() == Some(extension) {
                found.push((line.account.clone(), "owner"));
            }
            if line.incoming == Incoming::Extension(extension.into()) {
                found.push((line.account, "incoming"));
            }
        }
        Ok(found)
    }

    /// Says what [`Db::set_tables`] would refuse, and changes nothing.
    pub async fn check_tables(
        &self,
        tenant: TenantId,
        tables: &Tables,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        let directory = self.load_directory(0).await?;
        let before = directory.tenant(tenant).ok_or(StoreError::NoTenant(tenant.0))?;
        refuse(tables, before, at)
    }

    /// Puts these tables in the place of the tenant's, all of them or, where something would be
    /// broken by it, none. The directory must be loaded anew.
    pub async fn set_tables(
        &self,
        tenant: TenantId,
        tables: Tables,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        let directory = self.load_directory(0).await?;
        let before = directory.tenant(tenant).ok_or(StoreError::NoTenant(tenant.0))?;
        refuse(&tables, before, at)?;
        let (old, new) = (stored(&Tables::of(before))?, stored(&tables)?);
        let mut transaction = self.begin().await?;
        for (kind, id) in old.keys().filter(|it| !new.contains_key(*it)) {
            sqlx::query("DELETE FROM dial_plan_rows WHERE tenant_id = ? AND kind = ? AND id = ?")
                .bind(i64::from(tenant.0))
                .bind(*kind)
                .bind(id)
                .execute(&mut *transaction)
                .await?;
        }
        for (key, row) in new.iter().filter(|(key, row)| old.get(*key) != Some(*row)) {
            let (kind, id) = key;
            let plain = row.password.as_ref().map(|it| it.0.as_bytes());
            let seal = |it: &[u8]| self.key().seal(it, &bound_to(tenant, id));
            sqlx::query(
                "INSERT INTO dial_plan_rows (tenant_id, kind, id, definition, password)
                VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (tenant_id, kind, id) DO UPDATE
                SET definition = excluded.definition, password = excluded.password",
            )
            .bind(i64::from(tenant.0))
            .bind(*kind)
            .bind(id)
            .bind(&row.definition)
            .bind(plain.map(seal).transpose()?)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await
    }
}

/// What the tables would break, if anything.
fn refuse(tables: &Tables, before: &Tenant, at: UnixMillis) -> Result<(), StoreError> {
    let mut findings = tables.repeated();
    if findings.is_empty() {
        findings = lint::check(before, &tables.clone().in_place_of(before), at);
    }
    if findings.is_empty() { Ok(()) } else { Err(StoreError::Refused(findings)) }
}

fn bound_to(tenant: TenantId, account: &str) -> Vec<u8> {
    format!("line-password/{}/{account}", tenant.0).into_bytes()
}

/// The tables as rows.
fn stored(tables: &Tables) -> Result<BTreeMap<Key, Stored>, StoreError> {
    let mut rows = BTreeMap::new();
    let mut put = |kind, id: String, row: &dyn erased::Json, password| {
        let definition = row.json().map_err(|it| StoreError::damaged("a dial-plan row", it))?;
        rows.insert((kind, id), Stored { definition, password });
        Ok::<_, StoreError>(())
    };
    for it in &tables.plans {
        put("plans", it.to_string(), it, None)?;
    }
    for it in &tables.transitions {
        put("transitions", it.id.to_string(), it, None)?;
    }
    for it in &tables.callers {
        put("callers", it.id.to_string(), it, None)?;
    }
    for it in &tables.called {
        put("called", it.id.to_string(), it, None)?;
    }
    for it in &tables.refine_caller {
        put("refine_caller", it.id.to_string(), it, None)?;
    }
    for it in &tables.refine_called {
        put("refine_called", it.id.to_string(), it, None)?;
    }
    for it in &tables.black_list {
        put("black_list", it.id.to_string(), it, None)?;
    }
    for it in tables.features.iter().filter(|it| !it.is_usual()) {
        put("features", it.feature.as_str().to_owned(), it, None)?;
    }
    for it in &tables.trunks {
        put("trunks", it.id.to_string(), it, None)?;
    }
    for it in &tables.lines {
        let password = (!it.password.0.is_empty()).then(|| it.password.clone());
        let shown = Line { password: Password::default(), ..it.clone() };
        put("lines", it.account.to_string(), &shown, password)?;
    }
    Ok(rows)
}

/// Rows of different types as JSON.
mod erased {
    use super::Serialize;

    pub(super) trait Json {
        fn json(&self) -> serde_json::Result<String>;
    }

    impl<T: Serialize> Json for T {
        fn json(&self) -> serde_json::Result<String> {
            serde_json::to_string(self)
        }
    }
}

/// Adds one row of the database to its table.
pub(super) fn take(
    tables: &mut Tables,
    key: &SecretKey,
    tenant: TenantId,
    row: &SqliteRow,
) -> Result<(), StoreError> {
    let kind: &str = row.try_get("kind")?;
    let id: &str = row.try_get("id")?;
    let text: &str = row.try_get("definition")?;
    let what = || format!("row {id} of {kind}");
    fn read<T: DeserializeOwned>(text: &str, what: impl Fn() -> String) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|error| StoreError::damaged(what(), error))
    }
    match kind {
        "plans" => tables.plans.push(read(text, what)?),
        "transitions" => tables.transitions.push(read(text, what)?),
        "callers" => tables.callers.push(read(text, what)?),
        "called" => tables.called.push(read(text, what)?),
        "refine_caller" => tables.refine_caller.push(read(text, what)?),
        "refine_called" => tables.refine_called.push(read(text, what)?),
        "black_list" => tables.black_list.push(read(text, what)?),
        "features" => tables.features.push(read(text, what)?),
        "trunks" => tables.trunks.push(read(text, what)?),
        "lines" => {
            let mut line: Line = read(text, what)?;
            if let Some(sealed) = row.try_get::<Option<&[u8]>, _>("password")? {
                let plain = key.open(sealed, &bound_to(tenant, id));
                let plain = plain.map_err(|it| StoreError::damaged(what(), it))?;
                let plain = std::str::from_utf8(&plain);
                line.password =
                    Password(plain.map_err(|it| StoreError::damaged(what(), it))?.into());
            }
            tables.lines.push(line);
        }
        _ => return Err(StoreError::damaged(what(), "there is no such table")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use pbx::dialplan::rows::{CalledRow, DEFAULT_PLAN, LineChoice, RouteType};

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    const AT: UnixMillis = UnixMillis(1_795_659_300_000);

    fn tables(account: &str) -> Tables {
        let line = Line {
            account: account.into(),
            domain: "sip.example.com".into(),
            password: Password("k7mfx2pq".into()),
            ..Line::default()
        };
        let row = CalledRow {
            id: 1,
            plan: DEFAULT_PLAN.into(),
            prefix: "9".into(),
            route: RouteType::ExternalLine(LineChoice::Line(account.into())),
            transition: None,
            reanalyze: false,
            level: None,
            time: Some("mon-fri 09:00-18:00".parse().unwrap()),
            description: "".into(),
        };
        Tables { lines: vec![line], called: vec![row], ..Tables::default() }
    }

    #[test]
    fn tables_are_stored_whole_and_passwords_sealed() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let db = Db::open(folder.path()).await.unwrap();
            let tenant = TenantId::default();
            db.set_tables(tenant, tables("1234"), AT).await.unwrap();
            assert_eq!(db.tables(tenant).await.unwrap(), tables("1234"));
            let text: Vec<String> = sqlx::query_scalar("SELECT definition FROM dial_plan_rows")
                .fetch_all(db.pool())
                .await
                .unwrap();
            assert!(text.iter().all(|it| !it.contains("k7mfx2pq")), "{text:?}");
            let directory = db.load_directory(1).await.unwrap();
            let loaded = directory.tenant(tenant).unwrap();
            assert_eq!(Tables::of(loaded), tables("1234"));
            db.set_tables(tenant, tables("5678"), AT).await.unwrap();
            assert_eq!(db.tables(tenant).await.unwrap(), tables("5678"));
            let next = db.with_tables(&directory, tenant).await.unwrap();
            assert_eq!(Tables::of(next.tenant(tenant).unwrap()), tables("5678"));
            assert_eq!((directory.version, next.version), (1, 2));
        });
    }

    #[test]
    fn lines_that_name_an_extension() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let db = Db::open(folder.path()).await.unwrap();
            let tenant = TenantId::default();
            let profile = |number: &str| crate::db::NewExtension {
                profile: crate::db::ExtensionProfile::new(number),
                password: None,
            };
            let extensions = vec![profile("100"), profile("101")];
            db.insert_extensions(tenant, extensions).await.unwrap();
            let mut all = tables("1234");
            all.lines[0].owner = Some("100".into());
            let incoming = Incoming::Extension("101".into());
            let second = Line { account: "100".into(), incoming, ..all.lines[0].clone() };
            all.lines.push(second);
            db.set_tables(tenant, all, AT).await.unwrap();
            let naming = async |number| db.lines_naming(tenant, number).await.unwrap();
            let both = [("100".into(), "owner"), ("1234".into(), "owner")];
            assert_eq!(naming("100").await, both);
            assert_eq!(naming("101").await, [("100".into(), "incoming")]);
            assert_eq!(naming("1234").await, [], "an account is no extension");
        });
    }

    #[test]
    fn what_would_break_is_refused_and_nothing_is_changed() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let db = Db::open(folder.path()).await.unwrap();
            let tenant = TenantId::default();
            db.set_tables(tenant, tables("1234"), AT).await.unwrap();
            let mut without = tables("1234");
            without.lines.clear();
            assert!(db.check_tables(tenant, &without, AT).await.is_err());
            assert!(db.check_tables(tenant, &tables("5678"), AT).await.is_ok());
            let error = db.set_tables(tenant, without, AT).await.unwrap_err();
            assert_eq!(
                error.to_string(),
                "Analyze called number, row 1, route: there is no external line 1234. \
             Add it, or name another."
            );
            let mut twice = tables("1234");
            twice.called.push(twice.called[0].clone());
            let error = db.set_tables(tenant, twice, AT).await.unwrap_err();
            assert!(matches!(error, StoreError::Refused(ref it) if it.len() == 1), "{error}");
            assert_eq!(db.tables(tenant).await.unwrap(), tables("1234"));
        });
    }
}
