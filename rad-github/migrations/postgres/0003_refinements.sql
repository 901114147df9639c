-- Conversations with a code agent about modules. Ids are 16 bytes.

CREATE TABLE refine_sessions (
    id         bytea NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    -- As in catalog_listings.
    publisher  bytea NOT NULL CHECK (octet_length(publisher) IN (0, 16)),
    module     text NOT NULL,
    started_at timestamptz NOT NULL,
    -- All of it, as JSON.
    session    text NOT NULL
);

CREATE INDEX refine_sessions_latest ON refine_sessions (publisher, started_at, id);

CREATE TABLE refine_activities (
    session  bytea NOT NULL REFERENCES refine_sessions (id) ON DELETE CASCADE,
    -- The order in which they came.
    place    bigint NOT NULL,
    -- The agent's id.
    id       text NOT NULL,
    -- All of it, as JSON.
    activity text NOT NULL,
    PRIMARY KEY (session, place),
    UNIQUE (session, id)
);
