-- The ledger. Ids are 16 bytes, credits micro-units, revenue minor units of the currency.
--
-- ledger_entries and ledger_lines are the record: only ever appended to, which triggers enforce against everybody who
-- comes through SQL. The other tables are a cache of where the entries lead to; verifying an account rebuilds and
-- compares it.

CREATE TABLE ledger_entries (
    account    bytea       NOT NULL CHECK (octet_length(account) = 16),
    seq        bigint      NOT NULL CHECK (seq > 0),
    at         timestamptz NOT NULL CHECK (isfinite(at)),
    -- The idempotency key.
    key        bytea       NOT NULL CHECK (octet_length(key) = 16),
    actor      bytea                CHECK (octet_length(actor) = 16),
    kind       text        NOT NULL,
    -- What the entry is about, for listings.
    category   text,
    deployment text,
    -- What the entry says, and what it did, as JSON: text, for it is compared to the letter.
    body       text        NOT NULL,
    effect     text        NOT NULL,
    -- SHA-256 over the hash of the entry before and this one's canonical bytes.
    hash       bytea       NOT NULL CHECK (octet_length(hash) = 32),
    CONSTRAINT ledger_entries_number PRIMARY KEY (account, seq),
    CONSTRAINT ledger_entries_key UNIQUE (account, key)
);

CREATE INDEX ledger_entries_by_category ON ledger_entries (account, category, seq);
CREATE INDEX ledger_entries_by_deployment ON ledger_entries (account, deployment, seq) WHERE deployment IS NOT NULL;

CREATE TABLE ledger_lines (
    account  bytea       NOT NULL CHECK (octet_length(account) = 16),
    entry    bigint      NOT NULL,
    -- The place of the line in its entry, from 0.
    place    bigint      NOT NULL,
    at       timestamptz NOT NULL CHECK (isfinite(at)),
    partner  bytea                CHECK (octet_length(partner) = 16),
    agent    bytea                CHECK (octet_length(agent) = 16),
    module   bytea       NOT NULL CHECK (octet_length(module) = 16),
    gross          bigint NOT NULL,
    partner_share  bigint NOT NULL,
    agent_share    bigint NOT NULL,
    platform_share bigint NOT NULL,
    -- The whole line as JSON.
    line     text        NOT NULL,
    PRIMARY KEY (account, entry, place),
    FOREIGN KEY (account, entry) REFERENCES ledger_entries (account, seq),
    CHECK (partner_share::numeric + agent_share + platform_share = gross)
);

-- Newest first for everybody concerned; the last columns make the order total.
CREATE INDEX ledger_lines_by_time ON ledger_lines (at, account, entry, place);
CREATE INDEX ledger_lines_by_partner ON ledger_lines (partner, at, account, entry, place) WHERE partner IS NOT NULL;
CREATE INDEX ledger_lines_by_agent ON ledger_lines (agent, at, account, entry, place) WHERE agent IS NOT NULL;
CREATE INDEX ledger_lines_by_account ON ledger_lines (account, at, entry, place);
CREATE INDEX ledger_lines_by_module ON ledger_lines (module, at, account, entry, place);

CREATE FUNCTION ledger_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% refused on %: what the ledger has recorded is never changed or removed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE TRIGGER ledger_entries_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_never_changes();
CREATE TRIGGER ledger_lines_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_lines
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_never_changes();

-- The rows that every post updates have room on their page for the next version.
CREATE TABLE ledger_accounts (
    account bytea  NOT NULL PRIMARY KEY CHECK (octet_length(account) = 16),
    -- The number and the hash of the last entry.
    seq     bigint NOT NULL CHECK (seq > 0),
    hash    bytea  NOT NULL CHECK (octet_length(hash) = 32),
    -- The account's totals and debts as JSON: the state without its lots, holds and charges.
    state   text   NOT NULL
) WITH (fillfactor = 60);

CREATE TABLE ledger_lots (
    account bytea   NOT NULL,
    id      bigint  NOT NULL,
    -- Whether there is anything left to use: posting reads only those.
    is_open boolean NOT NULL,
    lot     text    NOT NULL,
    PRIMARY KEY (account, id)
) WITH (fillfactor = 70);

CREATE INDEX ledger_lots_open ON ledger_lots (account, id) WHERE is_open;

CREATE TABLE ledger_holds (
    account bytea  NOT NULL,
    id      bigint NOT NULL,
    hold    text   NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE TABLE ledger_charges (
    account bytea  NOT NULL,
    id      bigint NOT NULL,
    charge  text   NOT NULL,
    PRIMARY KEY (account, id)
);

-- Which charges ever took from which lot, for payments that are taken back.
CREATE TABLE ledger_charge_lots (
    account bytea  NOT NULL,
    lot     bigint NOT NULL,
    charge  bigint NOT NULL,
    PRIMARY KEY (account, lot, charge)
);

-- Fails a statement that wrote fewer heads than it meant to: another writer was in between, and the same post may be
-- tried again.
CREATE FUNCTION ledger_expects(heads bigint, written bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF heads <> written THEN
        RAISE EXCEPTION 'another writer posted to the account meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
END
$$;
