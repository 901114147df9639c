-- Deployments, their runs, logs and states. Times are microseconds since 1970 UTC.

-- Proves that the key given at start is the one everything sealed was sealed with.
CREATE TABLE runner_key (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    sealed BLOB    NOT NULL
) STRICT;

CREATE TABLE deployments (
    id          TEXT    PRIMARY KEY,
    owner       BLOB    NOT NULL,
    submission  BLOB    NOT NULL,
    module_name TEXT    NOT NULL,
    -- What never changes, as JSON.
    record      TEXT    NOT NULL,
    -- The module's name and the id, lower case.
    search      TEXT    NOT NULL,
    -- Sealed.
    secrets     BLOB    NOT NULL,
    outputs     BLOB,
    -- The latest run that is pending no more, and how it stands.
    latest_run  BLOB    NOT NULL,
    action      TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (owner, submission)
) STRICT;

CREATE INDEX deployments_by_age ON deployments (created_at, id);
CREATE INDEX deployments_by_owner ON deployments (owner, created_at, id);

-- Apart from the deployments, so that listing them does not read states.
CREATE TABLE deployment_states (
    deployment TEXT    PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    sealed     BLOB    NOT NULL,
    saved_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE runs (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          BLOB    NOT NULL UNIQUE,
    deployment  TEXT    NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    owner       BLOB    NOT NULL,
    action      TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    step        TEXT,
    cost        INTEGER NOT NULL,
    settlement  TEXT    NOT NULL,
    diagnostics TEXT    NOT NULL DEFAULT '[]',
    -- Its place in the queue.
    queued      INTEGER,
    worker      TEXT,
    epoch       INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER,
    log_length  INTEGER NOT NULL DEFAULT 0,
    log_cut     INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER
) STRICT;

-- A deployment has one run at a time.
CREATE UNIQUE INDEX runs_one_at_a_time ON runs (deployment)
    WHERE status IN ('pending', 'waiting', 'queued', 'working');
CREATE INDEX runs_by_deployment ON runs (deployment, seq);
CREATE INDEX runs_by_status ON runs (status, seq);
CREATE INDEX runs_queued ON runs (queued) WHERE status = 'queued';
CREATE INDEX runs_owed ON runs (seq) WHERE settlement = 'owed';

CREATE TABLE run_resources (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    run        BLOB    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    address    TEXT    NOT NULL,
    change     TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    elapsed    INTEGER,
    UNIQUE (run, address)
) STRICT;

CREATE TABLE run_log (
    run   BLOB    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    -- Of the first byte.
    start INTEGER NOT NULL,
    bytes BLOB    NOT NULL,
    PRIMARY KEY (run, start)
) STRICT, WITHOUT ROWID;
