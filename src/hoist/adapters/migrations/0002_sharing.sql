-- Links to files, and who downloaded them.
CREATE TABLE shares (
    user_id TEXT $bytewise NOT NULL,
    share_id TEXT $bytewise NOT NULL,
    file_id TEXT $bytewise NOT NULL,
    version BIGINT NOT NULL,
    downloads BIGINT NOT NULL,
    is_revoked SMALLINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (user_id, share_id)
);
CREATE INDEX shares_by_id ON shares (share_id);
CREATE TABLE downloads (
    user_id TEXT $bytewise NOT NULL,
    file_id TEXT $bytewise NOT NULL,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (user_id, file_id)
);
CREATE INDEX downloads_by_id ON downloads (file_id);
