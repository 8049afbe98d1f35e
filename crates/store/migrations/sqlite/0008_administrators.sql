-- Who administers: people with a password and their sessions, programs with a key. No secret is stored, only what proves
-- one. Times in milliseconds since 1970 (UTC).

CREATE TABLE users (
    tenant_id INTEGER NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    name TEXT NOT NULL COLLATE NOCASE,
    -- Argon2id in the PHC string format.
    password TEXT NOT NULL,
    language TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    password_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    tenant_id INTEGER NOT NULL,
    user_name TEXT NOT NULL COLLATE NOCASE,
    -- SHA-256 of what the browser holds.
    token BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    source TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    FOREIGN KEY (tenant_id, user_name) REFERENCES users (tenant_id, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_user ON sessions (tenant_id, user_name, used_at);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    tenant_id INTEGER NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- SHA-256 of the secret part.
    secret BLOB NOT NULL,
    -- JSON array of words.
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;
