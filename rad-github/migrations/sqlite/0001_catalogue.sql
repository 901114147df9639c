-- Published modules and what people think of them. Times are microseconds since 1970 UTC, ids 16 bytes.
-- A publisher is the partner's account; empty for the platform itself.

CREATE TABLE catalog_versions (
    publisher BLOB    NOT NULL PRIMARY KEY CHECK (length(publisher) IN (0, 16)),
    version   INTEGER NOT NULL CHECK (version > 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE catalog_listings (
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    publisher      BLOB    NOT NULL CHECK (length(publisher) IN (0, 16)),
    name           TEXT    NOT NULL,
    published      INTEGER NOT NULL CHECK (published IN (0, 1)),
    -- Whether everybody may see it, as its manifest says.
    public_access  INTEGER NOT NULL CHECK (public_access IN (0, 1)),
    repository     TEXT    NOT NULL,
    commit_id      TEXT    NOT NULL,
    -- The name of its source in catalog_archives, or wherever the sources are kept.
    digest         BLOB    NOT NULL CHECK (length(digest) = 32),
    manifest       TEXT    NOT NULL,
    publish_values TEXT    NOT NULL,
    -- Name, services and description in lower case, in lines, as searches look through them.
    search_text    TEXT    NOT NULL,
    deployments    INTEGER NOT NULL DEFAULT 0 CHECK (deployments >= 0),
    ratings        INTEGER NOT NULL DEFAULT 0 CHECK (ratings >= 0),
    stars          INTEGER NOT NULL DEFAULT 0 CHECK (stars BETWEEN ratings AND 5 * ratings),
    updated_at     INTEGER NOT NULL,
    UNIQUE (publisher, name)
) STRICT;

CREATE INDEX catalog_listings_on_offer ON catalog_listings (name, id) WHERE published;

-- The people a private module trusts; e-mails in lower case (ASCII).
CREATE TABLE catalog_trust (
    module BLOB NOT NULL REFERENCES catalog_listings (id) ON DELETE CASCADE,
    email  TEXT NOT NULL,
    PRIMARY KEY (module, email)
) STRICT, WITHOUT ROWID;

CREATE TABLE catalog_pins (
    account BLOB NOT NULL CHECK (length(account) = 16),
    module  BLOB NOT NULL REFERENCES catalog_listings (id) ON DELETE CASCADE,
    PRIMARY KEY (account, module)
) STRICT, WITHOUT ROWID;

CREATE TABLE catalog_ratings (
    module  BLOB    NOT NULL REFERENCES catalog_listings (id) ON DELETE CASCADE,
    account BLOB    NOT NULL CHECK (length(account) = 16),
    stars   INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5),
    PRIMARY KEY (module, account)
) STRICT, WITHOUT ROWID;

-- The deployments that were counted, so that none counts twice.
CREATE TABLE catalog_deployments (
    module     BLOB NOT NULL REFERENCES catalog_listings (id) ON DELETE CASCADE,
    deployment TEXT NOT NULL,
    PRIMARY KEY (module, deployment)
) STRICT, WITHOUT ROWID;
