//! Who is registered: the projection of the journal that a start reads.

use super::{Db, integer, portions};
use crate::error::StoreError;
use futures_util::TryStreamExt as _;
use pbx::SmolStr;
use pbx::id::TenantId;
use pbx::record::{Binding, BindingKey};
use pbx::time::UnixMillis;
use sip::{ConnectionId, Flow, Transport};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite};
use std::fmt::Display;
use std::str::FromStr;

impl Db {
    /// All bindings that have not expired at `now`.
    pub async fn bindings(&self, now: UnixMillis) -> Result<Vec<Binding>, StoreError> {
        let mut connection = self.connection().await?;
        let mut rows = sqlx::query(
            "SELECT tenant_id, extension, device, contact, transport, local, remote, connection,
                call_id, cseq, q, user_agent, registered_at, expires_at
            FROM bindings WHERE expires_at > ? ORDER BY tenant_id, extension, device",
        )
        .bind(integer(now.0))
        .fetch(&mut *connection);
        let mut bindings = vec![];
        while let Some(row) = rows.try_next().await? {
            bindings.push(binding(&row)?);
        }
        Ok(bindings)
    }
}

pub(crate) async fn upsert_bindings(
    connection: &mut SqliteConnection,
    bindings: &[&Binding],
) -> Result<(), sqlx::Error> {
    for portion in portions(bindings) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO bindings (tenant_id, extension, device, contact, transport, local, remote,
                connection, call_id, cseq, q, user_agent, registered_at, expires_at) ",
        );
        query.push_values(portion, |mut row, it| {
            row.push_bind(i64::from(it.key.tenant.0))
                .push_bind(&*it.key.extension)
                .push_bind(&*it.key.device)
                .push_bind(&*it.contact)
                .push_bind(it.flow.transport.uri_name())
                .push_bind(it.flow.local.to_string())
                .push_bind(it.flow.remote.to_string())
                .push_bind(it.flow.connection.map(|it| integer(it.0)))
                .push_bind(&*it.call_id)
                .push_bind(i64::from(it.cseq))
                .push_bind(i64::from(it.q))
                .push_bind(&*it.user_agent)
                .push_bind(integer(it.registered_at.0))
                .push_bind(integer(it.expires_at.0));
        });
        query.push(
            " ON CONFLICT (tenant_id, extension, device) DO UPDATE SET contact = excluded.contact,
                transport = excluded.transport, local = excluded.local, remote = excluded.remote,
                connection = excluded.connection, call_id = excluded.call_id,
                cseq = excluded.cseq, q = excluded.q, user_agent = excluded.user_agent,
                registered_at = excluded.registered_at, expires_at = excluded.expires_at",
        );
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

pub(crate) async fn delete_bindings(
    connection: &mut SqliteConnection,
    keys: &[&BindingKey],
) -> Result<(), sqlx::Error> {
    for key in keys {
        sqlx::query("DELETE FROM bindings WHERE tenant_id = ? AND extension = ? AND device = ?")
            .bind(i64::from(key.tenant.0))
            .bind(&*key.extension)
            .bind(&*key.device)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn binding(row: &SqliteRow) -> Result<Binding, StoreError> {
    let key = BindingKey {
        tenant: TenantId(number(row, "tenant_id")?),
        extension: text(row, "extension")?,
        device: text(row, "device")?,
    };
    let connection: Option<i64> = row.try_get("connection")?;
    let flow = Flow {
        transport: transport(row.try_get("transport")?)?,
        local: parsed(row, "local")?,
        remote: parsed(row, "remote")?,
        connection: connection.and_then(|it| u64::try_from(it).ok()).map(ConnectionId),
    };
    Ok(Binding {
        key,
        contact: text(row, "contact")?,
        flow,
        call_id: text(row, "call_id")?,
        cseq: number(row, "cseq")?,
        q: number(row, "q")?,
        user_agent: text(row, "user_agent")?,
        registered_at: UnixMillis(number(row, "registered_at")?),
        expires_at: UnixMillis(number(row, "expires_at")?),
    })
}

fn transport(name: &str) -> Result<Transport, StoreError> {
    [Transport::Udp, Transport::Tcp]
        .into_iter()
        .find(|it| it.uri_name() == name)
        .ok_or_else(|| StoreError::damaged("a binding", format!("unknown transport {name}")))
}

fn text(row: &SqliteRow, column: &str) -> Result<SmolStr, sqlx::Error> {
    row.try_get::<&str, _>(column).map(Into::into)
}

/// A column that only ever holds numbers of this range.
pub(super) fn number<T: TryFrom<i64>>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let number: i64 = row.try_get(column)?;
    let what = || StoreError::damaged(column, format!("{number} is out of range"));
    T::try_from(number).map_err(|_| what())
}

fn parsed<T: FromStr<Err: Display>>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error| StoreError::damaged(column, format!("{text}: {error}")))
}
