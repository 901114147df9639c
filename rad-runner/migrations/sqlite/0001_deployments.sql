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
    -- What it is made from and what it cost, as JSON; an update's apply changes it.
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
    -- An apply or destroy stopped after it had begun to change something.
    diverged    INTEGER NOT NULL DEFAULT 0 CHECK (diverged IN (0, 1)),
    -- When somebody first asked to purge it.
    purge_asked INTEGER,
    -- After a purge: the addresses of what may be left, as JSON.
    remains     TEXT    NOT NULL DEFAULT '[]',
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (owner, submission)
) STRICT;

CREATE INDEX deployments_by_age ON deployments (created_at, id);
CREATE INDEX deployments_by_owner ON deployments (owner, created_at, id);
CREATE INDEX deployments_to_purge ON deployments (purge_asked) WHERE purge_asked IS NOT NULL AND action <> 'purge';

-- Apart from the deployments, so that listing them does not read states.
CREATE TABLE deployment_states (
    deployment    TEXT    NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    -- Counts up; the highest is the state.
    number        INTEGER NOT NULL,
    sealed        BLOB    NOT NULL,
    serial        INTEGER NOT NULL,
    -- Of the state as the engine wrote it.
    size          INTEGER NOT NULL,
    saved_at      INTEGER NOT NULL,
    -- The run that wrote it and the epoch of its lease,
    run           BLOB,
    epoch         INTEGER,
    -- or the version that was restored and by whom.
    restored_from INTEGER,
    restored_by   BLOB,
    PRIMARY KEY (deployment, number),
    CHECK ((run IS NULL) = (restored_from IS NOT NULL))
) STRICT;

CREATE TABLE runs (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          BLOB    NOT NULL UNIQUE,
    deployment  TEXT    NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    owner       BLOB    NOT NULL,
    action      TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    -- What a waiting run waits for.
    waits_for   TEXT,
    -- A person asked to cancel it while a worker had it.
    cancel_asked INTEGER NOT NULL DEFAULT 0 CHECK (cancel_asked IN (0, 1)),
    -- How often it was given back because the platform could not begin it, and until when it then waits.
    attempts    INTEGER NOT NULL DEFAULT 0,
    not_before  INTEGER,
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
    log_cut     INTEGER NOT NULL DEFAULT 0 CHECK (log_cut IN (0, 1)),
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER
) STRICT;

-- A deployment has one run at a time.
CREATE UNIQUE INDEX runs_one_at_a_time ON runs (deployment)
    WHERE status IN ('pending', 'waiting', 'queued', 'working');
CREATE INDEX runs_by_deployment ON runs (deployment, seq);
CREATE INDEX runs_by_status ON runs (status, seq);
CREATE INDEX runs_queued ON runs (owner, queued) WHERE status = 'queued';
CREATE INDEX runs_working ON runs (owner) WHERE status = 'working';
CREATE INDEX runs_owed ON runs (seq) WHERE settlement = 'owed';

-- Owners who were given a lease, in the order in which they had their last one.
CREATE TABLE lease_turns (
    owner BLOB    PRIMARY KEY,
    turn  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What an update makes of its deployment.
CREATE TABLE run_targets (
    run        BLOB    PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    deployment TEXT    NOT NULL,
    -- As JSON.
    target     TEXT    NOT NULL,
    -- Sealed as those of its deployment.
    secrets    BLOB    NOT NULL
) STRICT;

-- The changes of a run's plan, what a check found, and what a person confirmed, each as JSON.
CREATE TABLE run_plans (
    run       BLOB    PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    changes   TEXT,
    drift     TEXT,
    confirmed TEXT    NOT NULL DEFAULT '[]'
) STRICT;

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
