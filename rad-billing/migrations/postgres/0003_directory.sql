-- Accounts, sessions and connected repositories. Ids are 16 bytes. Texts that pages are ordered by compare byte by byte, as
-- cursors do.

CREATE TABLE directory_accounts (
    id            bytea       NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    email         text        COLLATE "C" NOT NULL UNIQUE,
    name          text        NOT NULL,
    -- The name as searches compare it; the e-mail is stored that way already.
    name_folded   text        NOT NULL,
    -- ' user partner ': a space on both sides of each role.
    roles         text        NOT NULL,
    referred_by   bytea       REFERENCES directory_accounts (id),
    password_hash text,
    created_at    timestamptz NOT NULL,
    -- Millionths of credits that it was promised when it was made and has not got yet.
    welcome       bigint      NOT NULL CHECK (welcome >= 0)
);

CREATE INDEX directory_accounts_owed ON directory_accounts (id) WHERE welcome > 0;

CREATE TABLE directory_sessions (
    -- SHA-256 of the token: who reads this table cannot sign in with it.
    token   bytea       NOT NULL PRIMARY KEY CHECK (octet_length(token) = 32),
    account bytea       NOT NULL REFERENCES directory_accounts (id) ON DELETE CASCADE,
    expires timestamptz NOT NULL
);

CREATE INDEX directory_sessions_by_expiry ON directory_sessions (expires);

CREATE TABLE directory_connections (
    -- The partner's account; empty for the platform itself.
    publisher  bytea NOT NULL PRIMARY KEY CHECK (octet_length(publisher) IN (0, 16)),
    repository text  NOT NULL,
    branch     text,
    sub_dir    text  NOT NULL
);
