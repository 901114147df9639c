-- Published modules and what people think of them. Ids are 16 bytes.
-- A publisher is the partner's account; empty for the platform itself.

CREATE TABLE catalog_versions (
    publisher bytea NOT NULL PRIMARY KEY CHECK (octet_length(publisher) IN (0, 16)),
    version   bigint NOT NULL CHECK (version > 0)
);

CREATE TABLE catalog_listings (
    id             bytea NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    publisher      bytea NOT NULL CHECK (octet_length(publisher) IN (0, 16)),
    name           text COLLATE "C" NOT NULL,
    published      boolean NOT NULL,
    -- Whether everybody may see it, as its manifest says.
    public_access  boolean NOT NULL,
    repository     text NOT NULL,
    commit_id      text NOT NULL,
    -- The name of its source in catalog_archives, or wherever the sources are kept.
    digest         bytea NOT NULL CHECK (octet_length(digest) = 32),
    manifest       text NOT NULL,
    publish_values text NOT NULL,
    -- Name, services and description in lower case, in lines, as searches look through them.
    search_text    text NOT NULL,
    deployments    bigint NOT NULL DEFAULT 0 CHECK (deployments >= 0),
    ratings        bigint NOT NULL DEFAULT 0 CHECK (ratings >= 0),
    stars          bigint NOT NULL DEFAULT 0 CHECK (stars BETWEEN ratings AND 5 * ratings),
    updated_at     timestamptz NOT NULL,
    UNIQUE (publisher, name)
);

CREATE INDEX catalog_listings_on_offer ON catalog_listings (name, id) WHERE published;

-- The people a private module trusts; e-mails in lower case (ASCII).
CREATE TABLE catalog_trust (
    module bytea NOT NULL REFERENCES catalog_listings (id) ON DELETE CASCADE,
    email  text NOT NULL,
    PRIMARY KEY (module, email)
);

CREATE TABLE catalog_pins (
    account bytea NOT NULL CHECK (octet_length(account) = 16),
    module  bytea NOT NULL REFERENCES catalog_listings (id) ON DELETE CASCADE,
    PRIMARY KEY (account, module)
);

CREATE TABLE catalog_ratings (
    module  bytea NOT NULL REFERENCES catalog_listings (id) ON DELETE CASCADE,
    account bytea NOT NULL CHECK (octet_length(account) = 16),
    stars   bigint NOT NULL CHECK (stars BETWEEN 1 AND 5),
    PRIMARY KEY (module, account)
);

-- The deployments that were counted, so that none counts twice.
CREATE TABLE catalog_deployments (
    module     bytea NOT NULL REFERENCES catalog_listings (id) ON DELETE CASCADE,
    deployment text NOT NULL,
    PRIMARY KEY (module, deployment)
);
