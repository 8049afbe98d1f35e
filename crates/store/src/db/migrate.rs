//! Brings the schema to the present: plain numbered scripts, each in a transaction of its own.

use crate::error::StoreError;
use sqlx::{Connection as _, SqliteConnection};

struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

/// In order, without gaps. To change the schema, add a file and a line.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "office",
        sql: include_str!("../../migrations/sqlite/0001_office.sql"),
    },
    Migration {
        version: 2,
        name: "dial_plan",
        sql: include_str!("../../migrations/sqlite/0002_dial_plan.sql"),
    },
    Migration {
        version: 3,
        name: "line_registrations",
        sql: include_str!("../../migrations/sqlite/0003_line_registrations.sql"),
    },
    Migration {
        version: 4,
        name: "extension_rights",
        sql: include_str!("../../migrations/sqlite/0004_extension_rights.sql"),
    },
    Migration {
        version: 5,
        name: "supplementary",
        sql: include_str!("../../migrations/sqlite/0005_supplementary.sql"),
    },
    Migration {
        version: 6,
        name: "call_facts",
        sql: include_str!("../../migrations/sqlite/0006_call_facts.sql"),
    },
    Migration {
        version: 7,
        name: "do_not_disturb",
        sql: include_str!("../../migrations/sqlite/0007_do_not_disturb.sql"),
    },
    Migration {
        version: 8,
        name: "administrators",
        sql: include_str!("../../migrations/sqlite/0008_administrators.sql"),
    },
    Migration {
        version: 9,
        name: "audit",
        sql: include_str!("../../migrations/sqlite/0009_audit.sql"),
    },
    Migration {
        version: 10,
        name: "webhooks",
        sql: include_str!("../../migrations/sqlite/0010_webhooks.sql"),
    },
    Migration {
        version: 11,
        name: "short_call_ids",
        sql: include_str!("../../migrations/sqlite/0011_short_call_ids.sql"),
    },
    Migration {
        version: 12,
        name: "second_factor",
        sql: include_str!("../../migrations/sqlite/0012_second_factor.sql"),
    },
    Migration {
        version: 13,
        name: "calls_that_follow",
        sql: include_str!("../../migrations/sqlite/0013_calls_that_follow.sql"),
    },
    Migration {
        version: 14,
        name: "registration_changes",
        sql: include_str!("../../migrations/sqlite/0014_registration_changes.sql"),
    },
    Migration {
        version: 15,
        name: "audit_kept",
        sql: include_str!("../../migrations/sqlite/0015_audit_kept.sql"),
    },
    Migration {
        version: 16,
        name: "open_calls",
        sql: include_str!("../../migrations/sqlite/0016_open_calls.sql"),
    },
];

/// The schema of this version.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |it| it.version)
}

pub(crate) async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
            version INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
        ) STRICT",
    )
    .execute(&mut *connection)
    .await?;
    let found: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM schema_migrations")
        .fetch_one(&mut *connection)
        .await?;
    let known = newest();
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for migration in MIGRATIONS.iter().filter(|it| it.version > found) {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(migration.sql).execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO schema_migrations (version, name) VALUES (?, ?)")
            .bind(migration.version)
            .bind(migration.name)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_without_gaps() {
        let versions: Vec<i64> = MIGRATIONS.iter().map(|it| it.version).collect();
        assert_eq!(versions, (1..).take(MIGRATIONS.len()).collect::<Vec<_>>());
    }
}
