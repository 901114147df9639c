-- The ledger. Ids are 16 bytes, times microseconds since 1970 UTC, credits micro-units, revenue minor units of the currency.
--
-- ledger_entries and ledger_lines are the record: only ever appended to, which triggers enforce against everybody who comes
-- through SQL. The other tables are a cache of where the entries lead to; verifying an account rebuilds and compares it.
-- What is in the compact form is bytes that a release of rad reads (rad-core/FORMAT.md).

CREATE TABLE ledger_entries (
    account    BLOB    NOT NULL CHECK (length(account) = 16),
    seq        INTEGER NOT NULL CHECK (seq > 0),
    at         INTEGER NOT NULL,
    -- The idempotency key.
    key        BLOB    NOT NULL CHECK (length(key) = 16),
    actor      BLOB             CHECK (length(actor) = 16),
    kind       TEXT    NOT NULL,
    -- What the entry is about, for listings.
    category   TEXT,
    deployment TEXT,
    module     BLOB             CHECK (length(module) = 16),
    -- What a text search looks through, in lower case.
    note       TEXT,
    -- What the entry says: the canonical bytes of its body, which the hash covers.
    body       BLOB    NOT NULL,
    -- What it did, in the compact form.
    effect     BLOB    NOT NULL,
    -- SHA-256 over the hash of the entry before and this one's canonical bytes.
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    UNIQUE (account, seq),
    UNIQUE (account, key)
) STRICT;

-- The number comes last in each: pages are walks along an index. Times need none, for they rise with numbers.
CREATE INDEX ledger_entries_by_kind ON ledger_entries (account, kind, seq);
CREATE INDEX ledger_entries_by_deployment ON ledger_entries (account, deployment, seq) WHERE deployment IS NOT NULL;
CREATE INDEX ledger_entries_by_module ON ledger_entries (account, module, seq) WHERE module IS NOT NULL;
CREATE INDEX ledger_entries_by_note ON ledger_entries (account, seq) WHERE note IS NOT NULL;

CREATE TRIGGER ledger_entries_never_change BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'entries of the ledger never change'); END;

CREATE TRIGGER ledger_entries_never_go BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never removed'); END;

-- Also keeps INSERT OR REPLACE from removing an entry, which fires no trigger of its own. ABORT instead would have SQLite keep
-- every page as it was before a statement, to take that statement alone back.
CREATE TRIGGER ledger_entries_have_no_gap BEFORE INSERT ON ledger_entries
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM ledger_entries WHERE account = NEW.account)
    OR EXISTS (SELECT 1 FROM ledger_entries WHERE account = NEW.account AND key = NEW.key)
BEGIN SELECT RAISE(ROLLBACK, 'an entry of the ledger has the next number and a key of its own'); END;

CREATE TABLE ledger_lines (
    account  BLOB    NOT NULL CHECK (length(account) = 16),
    entry    INTEGER NOT NULL,
    -- The place of the line in its entry, from 0.
    place    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    partner  BLOB             CHECK (length(partner) = 16),
    agent    BLOB             CHECK (length(agent) = 16),
    module   BLOB    NOT NULL CHECK (length(module) = 16),
    gross          INTEGER NOT NULL,
    partner_share  INTEGER NOT NULL,
    agent_share    INTEGER NOT NULL,
    platform_share INTEGER NOT NULL,
    UNIQUE (account, entry, place),
    FOREIGN KEY (account, entry) REFERENCES ledger_entries (account, seq),
    CHECK (partner_share + agent_share + platform_share = gross)
) STRICT;

-- Newest first for everybody concerned; the last columns make the order total.
CREATE INDEX ledger_lines_by_time ON ledger_lines (at, account, entry, place);
CREATE INDEX ledger_lines_by_partner ON ledger_lines (partner, at, account, entry, place) WHERE partner IS NOT NULL;
CREATE INDEX ledger_lines_by_agent ON ledger_lines (agent, at, account, entry, place) WHERE agent IS NOT NULL;
CREATE INDEX ledger_lines_by_account ON ledger_lines (account, at, entry, place);
CREATE INDEX ledger_lines_by_module ON ledger_lines (module, at, account, entry, place);

CREATE TRIGGER ledger_lines_never_change BEFORE UPDATE ON ledger_lines
BEGIN SELECT RAISE(ABORT, 'revenue lines never change'); END;

CREATE TRIGGER ledger_lines_never_go BEFORE DELETE ON ledger_lines
BEGIN SELECT RAISE(ABORT, 'revenue lines are never removed'); END;

CREATE TRIGGER ledger_lines_are_new BEFORE INSERT ON ledger_lines
WHEN EXISTS (SELECT 1 FROM ledger_lines WHERE account = NEW.account AND entry = NEW.entry AND place = NEW.place)
BEGIN SELECT RAISE(ROLLBACK, 'a revenue line is written once'); END;

CREATE TABLE ledger_accounts (
    account BLOB    NOT NULL PRIMARY KEY CHECK (length(account) = 16),
    -- The number and the hash of the last entry.
    seq     INTEGER NOT NULL CHECK (seq > 0),
    hash    BLOB    NOT NULL CHECK (length(hash) = 32),
    -- The account's totals and debts, in the compact form: the state without its lots, holds and charges.
    state   BLOB    NOT NULL
) STRICT;

-- The lots and holds of every account, and those charges that are not what the entry that made them says any more. Those that
-- are open are what posting has to know.
CREATE TABLE ledger_state (
    account BLOB    NOT NULL,
    -- 1: a lot, open while something is left to use; 2: a hold; 3: a charge, open while it owes.
    kind    INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
    -- The number of the entry that made it.
    id      INTEGER NOT NULL,
    is_open INTEGER NOT NULL CHECK (is_open IN (0, 1)),
    -- In the compact form.
    value   BLOB    NOT NULL,
    PRIMARY KEY (account, kind, id)
) STRICT;

CREATE INDEX ledger_state_open ON ledger_state (account, kind, id) WHERE is_open = 1;

-- Which charges ever took from which lot, for payments that are taken back.
CREATE TABLE ledger_charge_lots (
    account BLOB    NOT NULL,
    lot     INTEGER NOT NULL,
    charge  INTEGER NOT NULL,
    PRIMARY KEY (account, lot, charge)
) STRICT, WITHOUT ROWID;

-- What lines add to the sums of days, one row for each kind of line of a group of posts: only ever appended, so that accounts
-- never wait for each other. A day is the number of days since 1970 in UTC; who there is none of is empty.
CREATE TABLE ledger_revenue_deltas (
    id      INTEGER PRIMARY KEY,
    day     INTEGER NOT NULL,
    partner BLOB    NOT NULL CHECK (length(partner) IN (0, 16)),
    agent   BLOB    NOT NULL CHECK (length(agent) IN (0, 16)),
    module  BLOB    NOT NULL CHECK (length(module) = 16),
    lines         INTEGER NOT NULL,
    gross         INTEGER NOT NULL,
    partner_share INTEGER NOT NULL,
    agent_share   INTEGER NOT NULL
) STRICT;

-- The deltas folded into sums: of a day and of everybody that the scope names; the columns it does not name are empty.
CREATE TABLE ledger_revenue_days (
    -- 1: partner, 2: agent, 4: module, and their sums.
    scope   INTEGER NOT NULL CHECK (scope BETWEEN 0 AND 7),
    partner BLOB    NOT NULL CHECK (length(partner) IN (0, 16)),
    agent   BLOB    NOT NULL CHECK (length(agent) IN (0, 16)),
    module  BLOB    NOT NULL CHECK (length(module) IN (0, 16)),
    day     INTEGER NOT NULL,
    lines         INTEGER NOT NULL,
    gross         INTEGER NOT NULL,
    partner_share INTEGER NOT NULL,
    agent_share   INTEGER NOT NULL,
    PRIMARY KEY (scope, partner, agent, module, day)
) STRICT, WITHOUT ROWID;
