-- What was last read of each publisher's repository, so that only what changed is read again.

CREATE TABLE catalog_readings (
    publisher  bytea NOT NULL PRIMARY KEY CHECK (octet_length(publisher) IN (0, 16)),
    -- What read it: another one begins anew.
    reader     text NOT NULL,
    repository text NOT NULL,
    sub_dir    text NOT NULL,
    commit_id  text NOT NULL
);

CREATE TABLE catalog_read_modules (
    publisher bytea NOT NULL CHECK (octet_length(publisher) IN (0, 16)),
    -- In the order of its bytes, as everywhere else.
    name      text COLLATE "C" NOT NULL,
    digest    bytea NOT NULL CHECK (octet_length(digest) = 32),
    -- The manifest, or every reason why there is none, as JSON.
    outcome   text NOT NULL,
    PRIMARY KEY (publisher, name)
);
