-- How each line stands with its carrier. Projection of the journal; times in milliseconds since 1970 (UTC).

CREATE TABLE line_registrations (
    tenant_id INTEGER NOT NULL,
    account TEXT NOT NULL,
    -- Call-ID and CSeq of the newest REGISTER, user part of our Contact.
    call_id TEXT NOT NULL,
    cseq INTEGER NOT NULL,
    contact TEXT NOT NULL,
    -- NULL: the carrier holds no binding.
    since INTEGER,
    until INTEGER,
    PRIMARY KEY (tenant_id, account)
) STRICT, WITHOUT ROWID;
