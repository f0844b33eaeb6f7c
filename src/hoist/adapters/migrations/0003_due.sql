-- The janitor finds what is due without reading what is settled: most rows, for ever.
CREATE INDEX files_due ON files (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX accounts_due ON accounts (due_at_ms) WHERE due_at_ms IS NOT NULL;
