-- What a change took away that nobody is shown: the passwords, keys and secrets without which it could not be taken back.
CREATE TABLE audit_kept (
    entry INTEGER PRIMARY KEY REFERENCES audit_entries (id) ON DELETE CASCADE,
    kept_at INTEGER NOT NULL,
    -- Sealed with the key file.
    sealed BLOB NOT NULL
) STRICT;

CREATE INDEX audit_kept_at ON audit_kept (kept_at);
