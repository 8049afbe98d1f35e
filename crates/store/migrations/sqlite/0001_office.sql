-- Who exists, what is set, who is registered, what was called.
-- Secrets are sealed with the key file beside the database; tenant_id is part of what they are bound to.

CREATE TABLE tenants (
    tenant_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- JSON array of host names; empty for the only tenant.
    domains TEXT NOT NULL DEFAULT '[]'
) STRICT;

INSERT INTO tenants (tenant_id, name) VALUES (0, 'default');

-- One JSON object a tenant, checked by the program when it is read and written.
CREATE TABLE settings (
    tenant_id INTEGER PRIMARY KEY REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    settings TEXT NOT NULL
) STRICT;

CREATE TABLE extensions (
    tenant_id INTEGER NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    number TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Sealed; NULL where the extension is authorised by address alone.
    password BLOB,
    weak_password INTEGER NOT NULL,
    -- JSON array of {network, port}.
    addresses TEXT NOT NULL,
    -- NULL: no right to several devices.
    devices_max INTEGER,
    calls_max INTEGER NOT NULL,
    relay TEXT NOT NULL,
    media_source TEXT NOT NULL,
    digest_without_qop INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, number)
) STRICT, WITHOUT ROWID;

-- Projection of the journal. Times in milliseconds since 1970 (UTC).
CREATE TABLE bindings (
    tenant_id INTEGER NOT NULL,
    extension TEXT NOT NULL,
    device TEXT NOT NULL,
    contact TEXT NOT NULL,
    transport TEXT NOT NULL,
    local TEXT NOT NULL,
    remote TEXT NOT NULL,
    connection INTEGER,
    call_id TEXT NOT NULL,
    cseq INTEGER NOT NULL,
    q INTEGER NOT NULL,
    user_agent TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, extension, device)
) STRICT, WITHOUT ROWID;

-- Projection of the journal. Times are UTC with milliseconds: 2026-11-22T10:15:02.123Z.
CREATE TABLE call_records (
    call_id TEXT PRIMARY KEY,
    linked_call_id TEXT,
    tenant_id INTEGER NOT NULL,
    direction TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ringing_at TEXT,
    answered_at TEXT,
    ended_at TEXT,
    duration_ms INTEGER NOT NULL,
    billable_ms INTEGER NOT NULL,
    caller_number TEXT NOT NULL,
    caller_name TEXT NOT NULL,
    caller_extension TEXT,
    caller_device TEXT NOT NULL,
    dialled_number TEXT NOT NULL,
    sent_number TEXT NOT NULL,
    callee_number TEXT NOT NULL,
    callee_extension TEXT,
    callee_device TEXT NOT NULL,
    line TEXT,
    trunk TEXT,
    dial_plan TEXT NOT NULL,
    route TEXT NOT NULL,
    sip_status INTEGER NOT NULL,
    q850_cause INTEGER NOT NULL,
    released_by TEXT,
    release_code TEXT,
    fci TEXT NOT NULL,
    codec_caller TEXT NOT NULL,
    codec_callee TEXT NOT NULL,
    video INTEGER NOT NULL,
    relayed INTEGER NOT NULL,
    caller_rtp_packets_in INTEGER NOT NULL,
    caller_rtp_bytes_in INTEGER NOT NULL,
    caller_rtp_lost_in INTEGER NOT NULL,
    caller_rtp_jitter_ms_in INTEGER NOT NULL,
    caller_rtp_packets_out INTEGER NOT NULL,
    callee_rtp_packets_in INTEGER NOT NULL,
    callee_rtp_bytes_in INTEGER NOT NULL,
    callee_rtp_lost_in INTEGER NOT NULL,
    callee_rtp_jitter_ms_in INTEGER NOT NULL,
    callee_rtp_packets_out INTEGER NOT NULL,
    recording TEXT,
    journal_seq INTEGER NOT NULL
) STRICT;

CREATE INDEX call_records_started ON call_records (tenant_id, started_at);
-- The order of exports.
CREATE INDEX call_records_journal ON call_records (journal_seq);

-- The program's own bookkeeping belongs to no tenant.
-- How far the journal is in these tables; written with them in one transaction.
CREATE TABLE journal_progress (
    journal TEXT PRIMARY KEY,
    applied_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO journal_progress (journal, applied_seq) VALUES ('main', 0);

-- A known text sealed with the key file: tells whether that file belongs to this database.
CREATE TABLE key_check (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    sealed BLOB NOT NULL
) STRICT;
