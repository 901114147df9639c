-- Tokens and keys of publishers, sealed with a key that is not in the database. A publisher is the partner's account; empty
-- for the platform itself.

CREATE TABLE catalog_credentials (
    publisher BLOB NOT NULL CHECK (length(publisher) IN (0, 16)),
    -- What it opens: 'repository', 'agent'.
    kind      TEXT NOT NULL,
    sealed    BLOB NOT NULL,
    PRIMARY KEY (publisher, kind)
) STRICT, WITHOUT ROWID;
