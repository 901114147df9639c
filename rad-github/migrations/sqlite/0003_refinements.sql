-- Conversations with a code agent about modules. Times are microseconds since 1970 UTC, ids 16 bytes.

CREATE TABLE refine_sessions (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- As in catalog_listings.
    publisher  BLOB    NOT NULL CHECK (length(publisher) IN (0, 16)),
    module     TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    -- All of it, as JSON.
    session    TEXT    NOT NULL
) STRICT;

CREATE INDEX refine_sessions_latest ON refine_sessions (publisher, started_at, id);

CREATE TABLE refine_activities (
    session  BLOB    NOT NULL REFERENCES refine_sessions (id) ON DELETE CASCADE,
    -- The order in which they came.
    place    INTEGER NOT NULL,
    -- The agent's id.
    id       TEXT    NOT NULL,
    -- All of it, as JSON.
    activity TEXT    NOT NULL,
    PRIMARY KEY (session, place),
    UNIQUE (session, id)
) STRICT, WITHOUT ROWID;
