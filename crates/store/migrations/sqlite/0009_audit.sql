-- Every change of the configuration: who, when, from where, what it was and what it became. Times in milliseconds since
-- 1970 (UTC). Secrets are not in it.

CREATE TABLE audit_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id INTEGER NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    -- cli, user or api-key, and the name of that.
    actor_kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    source TEXT NOT NULL,
    action TEXT NOT NULL,
    -- What was changed: the kind as files of import and export name tables, and the name of the one.
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    -- JSON; NULL where there was, or is, nothing.
    before TEXT,
    after TEXT,
    -- The entry that this one takes back.
    undoes INTEGER
) STRICT;

CREATE INDEX audit_entries_of ON audit_entries (tenant_id, kind, name, id);
CREATE INDEX audit_entries_undoes ON audit_entries (undoes) WHERE undoes IS NOT NULL;
