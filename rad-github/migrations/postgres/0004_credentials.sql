-- Tokens and keys of publishers, sealed with a key that is not in the database. A publisher is the partner's account; empty
-- for the platform itself.

CREATE TABLE catalog_credentials (
    publisher bytea NOT NULL CHECK (octet_length(publisher) IN (0, 16)),
    -- What it opens: 'repository', 'agent'.
    kind      text NOT NULL,
    sealed    bytea NOT NULL,
    PRIMARY KEY (publisher, kind)
);
