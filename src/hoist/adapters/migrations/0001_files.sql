-- Files, and each user's books. What a list asks for is a column; the whole row is the document.
CREATE TABLE files (
    user_id TEXT $bytewise NOT NULL,
    file_id TEXT $bytewise NOT NULL,
    version BIGINT NOT NULL,
    status TEXT NOT NULL,
    visibility TEXT NOT NULL,
    name TEXT NOT NULL,
    name_fold TEXT $bytewise NOT NULL,
    folder TEXT $bytewise NOT NULL,
    content_type TEXT $bytewise NOT NULL,
    size BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    due_at_ms BIGINT,
    created_sort TEXT $bytewise,
    name_sort TEXT $bytewise,
    size_sort TEXT $bytewise,
    document TEXT NOT NULL,
    steps TEXT NOT NULL,
    PRIMARY KEY (user_id, file_id)
);
CREATE INDEX files_by_id ON files (file_id);
CREATE INDEX files_by_created ON files (user_id, created_sort);
CREATE INDEX files_by_name ON files (user_id, name_sort);
CREATE INDEX files_by_size ON files (user_id, size_sort);
CREATE TABLE accounts (
    user_id TEXT $bytewise NOT NULL,
    version BIGINT NOT NULL,
    due_at_ms BIGINT,
    document TEXT NOT NULL,
    PRIMARY KEY (user_id)
);
