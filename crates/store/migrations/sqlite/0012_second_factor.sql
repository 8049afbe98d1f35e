-- The second factor of administrators (TOTP, RFC 6238). Times in milliseconds since 1970 (UTC).

CREATE TABLE totp (
    tenant_id INTEGER NOT NULL,
    user_name TEXT NOT NULL COLLATE NOCASE,
    -- Sealed with the key file.
    secret BLOB NOT NULL,
    -- NULL: nobody has shown yet that his phone makes the right codes.
    confirmed_at INTEGER,
    -- The newest step a code was taken of; neither it nor an older one is taken again.
    last_step INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, user_name),
    FOREIGN KEY (tenant_id, user_name) REFERENCES users (tenant_id, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- For who has lost his phone; each is good once.
CREATE TABLE recovery_codes (
    tenant_id INTEGER NOT NULL,
    user_name TEXT NOT NULL COLLATE NOCASE,
    -- SHA-256 of 80 random bits.
    hash BLOB NOT NULL,
    PRIMARY KEY (tenant_id, user_name, hash),
    FOREIGN KEY (tenant_id, user_name) REFERENCES totp (tenant_id, user_name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
