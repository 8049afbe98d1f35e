//! External lines and SIP trunks one by one, or page by page: no other table is read for them.

use super::Db;
use super::dial_plan::take;
use crate::error::StoreError;
use pbx::dialplan::Tables;
use pbx::id::TenantId;
use pbx::line::Line;
use pbx::trunk::Trunk;
use sqlx::{QueryBuilder, Sqlite};

impl Db {
    /// Those whose accounts come after this one, and which say `search` somewhere; all where that is empty.
    pub async fn lines_after(
        &self,
        tenant: TenantId,
        after: &str,
        search: &str,
        limit: u32,
    ) -> Result<Vec<Line>, StoreError> {
        let mut select = of_kind(tenant, "lines");
        select.push(" AND id > ").push_bind(after);
        like(&mut select, &["account", "description", "domain"], search);
        select.push(" ORDER BY id LIMIT ").push_bind(i64::from(limit));
        Ok(self.rows(tenant, select).await?.lines)
    }

    pub async fn line(&self, tenant: TenantId, account: &str) -> Result<Option<Line>, StoreError> {
        let mut select = of_kind(tenant, "lines");
        select.push(" AND id = ").push_bind(account);
        Ok(self.rows(tenant, select).await?.lines.pop())
    }

    /// The same of trunks, in the order of their numbers.
    pub async fn trunks_after(
        &self,
        tenant: TenantId,
        after: Option<u32>,
        search: &str,
        limit: u32,
    ) -> Result<Vec<Trunk>, StoreError> {
        let mut select = of_kind(tenant, "trunks");
        select.push(" AND CAST(id AS INTEGER) > ").push_bind(after.map_or(-1, i64::from));
        like(&mut select, &["id", "description", "addresses"], search);
        select.push(" ORDER BY CAST(id AS INTEGER) LIMIT ").push_bind(i64::from(limit));
        Ok(self.rows(tenant, select).await?.trunks)
    }

    pub async fn trunk(&self, tenant: TenantId, id: u32) -> Result<Option<Trunk>, StoreError> {
        let mut select = of_kind(tenant, "trunks");
        select.push(" AND id = ").push_bind(id.to_string());
        Ok(self.rows(tenant, select).await?.trunks.pop())
    }

    async fn rows(
        &self,
        tenant: TenantId,
        mut select: QueryBuilder<Sqlite>,
    ) -> Result<Tables, StoreError> {
        let mut tables = Tables::default();
        for row in select.build().fetch_all(&mut *self.connection().await?).await? {
            take(&mut tables, self.key(), tenant, &row)?;
        }
        Ok(tables)
    }
}

fn of_kind(tenant: TenantId, kind: &'static str) -> QueryBuilder<Sqlite> {
    let mut select = QueryBuilder::new("SELECT * FROM dial_plan_rows WHERE tenant_id = ");
    select.push_bind(i64::from(tenant.0)).push(" AND kind = ").push_bind(kind);
    select
}

/// One of these fields has the text in it, in capitals or not.
fn like(select: &mut QueryBuilder<Sqlite>, fields: &[&str], search: &str) {
    if search.is_empty() {
        return;
    }
    for (at, field) in fields.iter().enumerate() {
        select.push(if at == 0 { " AND (" } else { " OR " });
        select.push("instr(lower(definition ->> '$.").push(field).push("'), lower(");
        select.push_bind(search.to_owned()).push(")) > 0");
    }
    select.push(")");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pbx::line::config::Password;
    use pbx::time::UnixMillis;
    use pbx::trunk::config::TrunkAddress;

    fn tables() -> Tables {
        let line = |account: &str, description: &str| Line {
            account: account.into(),
            description: description.into(),
            domain: "sip.example.com".into(),
            password: Password("k7mfx2pq".into()),
            ..Line::default()
        };
        let trunk = |id| Trunk {
            id,
            addresses: vec![TrunkAddress {
                host: format!("10.0.0.{id}").into(),
                port: 5060,
                priority: 0,
            }],
            ..Trunk::default()
        };
        Tables {
            lines: vec![line("300", "Berlin"), line("100", "Wien"), line("200", "Linz")],
            trunks: vec![trunk(10), trunk(9), trunk(100)],
            ..Tables::default()
        }
    }

    #[test]
    fn pages_of_lines_and_trunks() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(look());
    }

    async fn look() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path()).await.unwrap();
        let tenant = TenantId::default();
        db.set_tables(tenant, tables(), UnixMillis(1_795_659_300_000)).await.unwrap();
        let lines = async |after, search, limit| {
            let found = db.lines_after(tenant, after, search, limit).await.unwrap();
            found.iter().map(|it| it.account.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(lines("", "", 2).await, ["100", "200"]);
        assert_eq!(lines("200", "", 2).await, ["300"]);
        assert_eq!(lines("", "wIE", 9).await, ["100"]);
        assert_eq!(lines("", "example", 9).await.len(), 3);
        assert_eq!(lines("", "' OR 1=1 --", 9).await.len(), 0);
        assert_eq!(db.line(tenant, "200").await.unwrap().unwrap().password.0.len(), 8);
        assert_eq!(db.line(tenant, "999").await.unwrap(), None);
        let trunks = async |after, search, limit| {
            let found = db.trunks_after(tenant, after, search, limit).await.unwrap();
            found.iter().map(|it| it.id).collect::<Vec<_>>()
        };
        assert_eq!(trunks(None, "", 2).await, [9, 10]);
        assert_eq!(trunks(Some(10), "", 2).await, [100]);
        assert_eq!(trunks(None, "10.0.0.9", 9).await, [9]);
        assert_eq!(db.trunk(tenant, 10).await.unwrap().map(|it| it.id), Some(10));
    }
}
