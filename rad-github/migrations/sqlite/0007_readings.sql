-- What was last read of each publisher's repository, so that only what changed is read again.

CREATE TABLE catalog_readings (
    publisher  BLOB NOT NULL PRIMARY KEY CHECK (length(publisher) IN (0, 16)),
    -- What read it: another one begins anew.
    reader     TEXT NOT NULL,
    repository TEXT NOT NULL,
    sub_dir    TEXT NOT NULL,
    commit_id  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE catalog_read_modules (
    publisher BLOB NOT NULL CHECK (length(publisher) IN (0, 16)),
    name      TEXT NOT NULL,
    digest    BLOB NOT NULL CHECK (length(digest) = 32),
    -- The manifest, or every reason why there is none, as JSON.
    outcome   TEXT NOT NULL,
    PRIMARY KEY (publisher, name)
) STRICT;
