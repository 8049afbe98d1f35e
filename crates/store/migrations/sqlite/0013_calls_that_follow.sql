-- A call that was forwarded or transferred leads to the one that goes on in its place.
CREATE INDEX call_records_linked ON call_records (linked_call_id) WHERE linked_call_id IS NOT NULL;
