-- How repositories are watched, and what was done by it. Times are microseconds since 1970 UTC.

CREATE TABLE catalog_watches (
    publisher   BLOB    NOT NULL PRIMARY KEY CHECK (length(publisher) IN (0, 16)),
    -- What is watched, as JSON.
    connection  TEXT    NOT NULL,
    auto_update INTEGER NOT NULL CHECK (auto_update IN (0, 1)),
    next_at     INTEGER NOT NULL,
    -- What came of the last look, as JSON.
    last        TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX catalog_watches_due ON catalog_watches (next_at);

CREATE TABLE catalog_syncs (
    publisher BLOB    NOT NULL CHECK (length(publisher) IN (0, 16)),
    -- The order in which they were.
    place     INTEGER NOT NULL,
    -- All of it, as JSON.
    sync      TEXT    NOT NULL,
    PRIMARY KEY (publisher, place)
) STRICT, WITHOUT ROWID;

-- Webhooks that were taken, by what they are known again by.
CREATE TABLE catalog_deliveries (
    id    BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX catalog_deliveries_until ON catalog_deliveries (until);
