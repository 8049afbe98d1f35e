-- Calls that are up for longer than the journal is kept: what their records and BYEs after a crash are made of.

CREATE TABLE open_calls (
    call_id TEXT PRIMARY KEY,
    -- The newest record of the call, framed as in the journal.
    frame BLOB NOT NULL
) STRICT;
