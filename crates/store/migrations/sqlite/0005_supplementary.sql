-- Supplementary services: what an extension is granted, and what its phones have set.

-- One JSON object, checked by the program when it is read and written.
ALTER TABLE extensions ADD COLUMN services TEXT NOT NULL DEFAULT '{}';

-- Projection of the journal. An extension whose phones have set nothing has no row.
CREATE TABLE phone_settings (
    tenant_id INTEGER NOT NULL,
    extension TEXT NOT NULL,
    -- NULL: off.
    forward_busy TEXT,
    forward_unreachable TEXT,
    forward_no_answer TEXT,
    forward_always TEXT,
    PRIMARY KEY (tenant_id, extension)
) STRICT, WITHOUT ROWID;
