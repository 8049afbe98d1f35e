-- What happened to the devices of an extension: the newest changes of each, and of those who were refused in its name.
-- Times in milliseconds since 1970 (UTC).

CREATE TABLE registration_changes (
    id INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL,
    extension TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- registered, changed, gone, refused; and what there is to say of it.
    what TEXT NOT NULL,
    why TEXT NOT NULL,
    device TEXT NOT NULL,
    contact TEXT NOT NULL,
    transport TEXT NOT NULL,
    source TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    FOREIGN KEY (tenant_id, extension) REFERENCES extensions (tenant_id, number) ON DELETE CASCADE
) STRICT;

CREATE INDEX registration_changes_extension ON registration_changes (tenant_id, extension, id);
