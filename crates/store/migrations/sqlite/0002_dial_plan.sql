-- Dial plan, external lines and SIP trunks: one JSON object a row, checked by the program when it is written and read.

CREATE TABLE dial_plan_rows (
    tenant_id INTEGER NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    -- The table of the dial plan, as in files of import and export: plans, transitions, callers, called,
    -- refine_caller, refine_called, black_list, lines, trunks.
    kind TEXT NOT NULL,
    -- The row's number, the line's account, the plan's name.
    id TEXT NOT NULL,
    definition TEXT NOT NULL,
    -- The password of a line, sealed; it is not in the definition.
    password BLOB,
    PRIMARY KEY (tenant_id, kind, id)
) STRICT, WITHOUT ROWID;
