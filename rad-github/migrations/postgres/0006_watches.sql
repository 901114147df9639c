-- How repositories are watched, and what was done by it.

CREATE TABLE catalog_watches (
    publisher   bytea NOT NULL PRIMARY KEY CHECK (octet_length(publisher) IN (0, 16)),
    -- What is watched, as JSON.
    connection  text NOT NULL,
    auto_update boolean NOT NULL,
    next_at     timestamptz NOT NULL,
    -- What came of the last look, as JSON.
    last        text NOT NULL
);

CREATE INDEX catalog_watches_due ON catalog_watches (next_at);

CREATE TABLE catalog_syncs (
    publisher bytea NOT NULL CHECK (octet_length(publisher) IN (0, 16)),
    -- The order in which they were.
    place     bigint NOT NULL,
    -- All of it, as JSON.
    sync      text NOT NULL,
    PRIMARY KEY (publisher, place)
);

-- Webhooks that were taken, by what they are known again by.
CREATE TABLE catalog_deliveries (
    id    bytea NOT NULL PRIMARY KEY CHECK (octet_length(id) = 32),
    until timestamptz NOT NULL
);

CREATE INDEX catalog_deliveries_until ON catalog_deliveries (until);
