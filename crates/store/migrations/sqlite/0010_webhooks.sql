-- Where events are sent to, and what was sent. Times in milliseconds since 1970 (UTC).

CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    tenant_id INTEGER NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    -- Which events; empty: all.
    types TEXT NOT NULL,
    description TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    -- The endpoint said that it is gone for good (410).
    gone INTEGER NOT NULL DEFAULT 0,
    -- Sealed.
    secret BLOB NOT NULL,
    -- Signs too, until then.
    previous_secret BLOB,
    previous_until INTEGER,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    -- waiting, delivered or parked.
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    -- Of the next attempt, while it waits.
    next_at INTEGER NOT NULL,
    -- What the last attempt brought: a status, or why there was none.
    status INTEGER,
    error TEXT,
    created_at INTEGER NOT NULL,
    tried_at INTEGER
) STRICT;

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, state, next_at, id);
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (webhook_id, id);
