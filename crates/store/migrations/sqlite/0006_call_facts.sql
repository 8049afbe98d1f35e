-- What led to the end of a call: a list in JSON; NULL where nothing is to be told. A projection of the journal, as the
-- rest of the record.

ALTER TABLE call_records ADD COLUMN facts TEXT;
