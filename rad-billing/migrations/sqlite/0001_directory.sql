-- Accounts, sessions and connected repositories. Times are microseconds since 1970 UTC, ids 16 bytes.

CREATE TABLE directory_accounts (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    email         TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    -- The name as searches compare it; the e-mail is stored that way already.
    name_folded   TEXT    NOT NULL,
    -- ' user partner ': a space on both sides of each role.
    roles         TEXT    NOT NULL,
    referred_by   BLOB    REFERENCES directory_accounts (id),
    password_hash TEXT,
    created_at    INTEGER NOT NULL,
    -- Millionths of credits that it was promised when it was made and has not got yet.
    welcome       INTEGER NOT NULL CHECK (welcome >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX directory_accounts_owed ON directory_accounts (id) WHERE welcome > 0;

CREATE TABLE directory_sessions (
    -- SHA-256 of the token: who reads this table cannot sign in with it.
    token   BLOB    NOT NULL PRIMARY KEY CHECK (length(token) = 32),
    account BLOB    NOT NULL REFERENCES directory_accounts (id) ON DELETE CASCADE,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX directory_sessions_by_expiry ON directory_sessions (expires);

CREATE TABLE directory_connections (
    -- The partner's account; empty for the platform itself.
    publisher  BLOB NOT NULL PRIMARY KEY CHECK (length(publisher) IN (0, 16)),
    repository TEXT NOT NULL,
    branch     TEXT,
    sub_dir    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
