-- The ledger. Ids are 16 bytes, credits micro-units, revenue minor units of the currency.
--
-- ledger_entries and ledger_lines are the record: only ever appended to, which triggers enforce against everybody who
-- comes through SQL. The other tables are a cache of where the entries lead to; verifying an account rebuilds and
-- compares it. What is in the compact form is bytes that a release of rad reads (rad-core/FORMAT.md).
--
-- What every post writes has no checks and no foreign keys: the server would read them anew for every group, and verifying finds
-- more than they refuse.

CREATE TABLE ledger_entries (
    account    bytea       NOT NULL,
    seq        bigint      NOT NULL,
    at         timestamptz NOT NULL,
    -- The idempotency key.
    key        bytea       NOT NULL,
    actor      bytea,
    kind       text        NOT NULL,
    -- What the entry is about, for listings.
    category   text,
    deployment text,
    module     bytea,
    -- What a text search looks through, in lower case.
    note       text,
    -- What the entry says: the canonical bytes of its body, which the hash covers.
    body       bytea       NOT NULL,
    -- What it did, in the compact form.
    effect     bytea       NOT NULL,
    -- SHA-256 over the hash of the entry before and this one's canonical bytes.
    hash       bytea       NOT NULL,
    CONSTRAINT ledger_entries_number PRIMARY KEY (account, seq),
    CONSTRAINT ledger_entries_key UNIQUE (account, key)
);

-- The number comes last in each: pages are walks along an index. Times need none, for they rise with numbers.
CREATE INDEX ledger_entries_by_kind ON ledger_entries (account, kind, seq);
CREATE INDEX ledger_entries_by_deployment ON ledger_entries (account, deployment, seq) WHERE deployment IS NOT NULL;
CREATE INDEX ledger_entries_by_module ON ledger_entries (account, module, seq) WHERE module IS NOT NULL;
CREATE INDEX ledger_entries_by_note ON ledger_entries (account, seq) WHERE note IS NOT NULL;

CREATE TABLE ledger_lines (
    account  bytea       NOT NULL,
    entry    bigint      NOT NULL,
    -- The place of the line in its entry, from 0.
    place    bigint      NOT NULL,
    at       timestamptz NOT NULL,
    partner  bytea,
    agent    bytea,
    module   bytea       NOT NULL,
    gross          bigint NOT NULL,
    partner_share  bigint NOT NULL,
    agent_share    bigint NOT NULL,
    platform_share bigint NOT NULL,
    PRIMARY KEY (account, entry, place)
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
    account bytea  NOT NULL PRIMARY KEY,
    -- The number and the hash of the last entry.
    seq     bigint NOT NULL,
    hash    bytea  NOT NULL,
    -- The account's totals and debts, in the compact form: the state without its lots, holds and charges.
    state   bytea  NOT NULL
) WITH (fillfactor = 60);

-- The lots and holds of every account, and those charges that are not what the entry that made them says any more. Those that
-- are open are what posting has to know.
CREATE TABLE ledger_state (
    account bytea    NOT NULL,
    -- 1: a lot, open while something is left to use; 2: a hold; 3: a charge, open while it owes.
    kind    smallint NOT NULL,
    -- The number of the entry that made it.
    id      bigint   NOT NULL,
    is_open smallint NOT NULL,
    -- In the compact form.
    value   bytea    NOT NULL,
    PRIMARY KEY (account, kind, id)
) WITH (fillfactor = 80);

CREATE INDEX ledger_state_open ON ledger_state (account, kind, id) WHERE is_open = 1;

-- Which charges ever took from which lot, for payments that are taken back.
CREATE TABLE ledger_charge_lots (
    account bytea  NOT NULL,
    lot     bigint NOT NULL,
    charge  bigint NOT NULL,
    PRIMARY KEY (account, lot, charge)
);

-- What lines add to the sums of days, one row for each kind of line of a group of posts: only ever appended, so that accounts
-- never wait for each other. A day is the number of days since 1970 in UTC; who there is none of is empty.
CREATE TABLE ledger_revenue_deltas (
    id      bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    day     bigint NOT NULL,
    partner bytea  NOT NULL,
    agent   bytea  NOT NULL,
    module  bytea  NOT NULL,
    lines         bigint NOT NULL,
    gross         bigint NOT NULL,
    partner_share bigint NOT NULL,
    agent_share   bigint NOT NULL
);

-- The deltas folded into sums: of a day and of everybody that the scope names; the columns it does not name are empty.
CREATE TABLE ledger_revenue_days (
    -- 1: partner, 2: agent, 4: module, and their sums.
    scope   smallint NOT NULL CHECK (scope BETWEEN 0 AND 7),
    partner bytea    NOT NULL CHECK (octet_length(partner) IN (0, 16)),
    agent   bytea    NOT NULL CHECK (octet_length(agent) IN (0, 16)),
    module  bytea    NOT NULL CHECK (octet_length(module) IN (0, 16)),
    day     bigint   NOT NULL,
    lines         bigint NOT NULL,
    gross         bigint NOT NULL,
    partner_share bigint NOT NULL,
    agent_share   bigint NOT NULL,
    PRIMARY KEY (scope, partner, agent, module, day) INCLUDE (lines, gross, partner_share, agent_share)
);

-- Writes what a group of posts does, column by column, if every account still has the last entry that it had when the group
-- was prepared. Fails as a conflict if not: another writer was in between, and the same posts may be tried again. Whoever calls
-- it has set that tables are never read whole: plans are kept for as long as a connection is.
CREATE FUNCTION ledger_write(
    head_account bytea[], head_seq bigint[], head_hash bytea[], head_state bytea[], head_before bigint[],
    entry_account bytea[], entry_seq bigint[], entry_at timestamptz[], entry_key bytea[], entry_actor bytea[],
    entry_kind text[], entry_category text[], entry_deployment text[], entry_module bytea[], entry_note text[],
    entry_body bytea[], entry_effect bytea[], entry_hash bytea[],
    line_account bytea[], line_entry bigint[], line_place bigint[], line_at timestamptz[], line_partner bytea[],
    line_agent bytea[], line_module bytea[], line_gross bigint[], line_partner_share bigint[],
    line_agent_share bigint[], line_platform_share bigint[],
    took_account bytea[], took_lot bigint[], took_charge bigint[],
    state_account bytea[], state_kind smallint[], state_id bigint[], state_is_open smallint[], state_value bytea[],
    gone_account bytea[], gone_kind smallint[], gone_id bigint[],
    delta_day bigint[], delta_partner bytea[], delta_agent bytea[], delta_module bytea[], delta_lines bigint[],
    delta_gross bigint[], delta_partner_share bigint[], delta_agent_share bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    moved bigint;
    added bigint;
BEGIN
    -- The heads first, in the order of their ids: writers that share accounts wait here, and never in a circle.
    UPDATE ledger_accounts AS now SET seq = head.seq, hash = head.hash, state = head.state
    FROM unnest(head_account, head_seq, head_hash, head_state, head_before) AS head (account, seq, hash, state, before)
    WHERE now.account = head.account AND now.seq = head.before;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved < cardinality(head_account) THEN
        INSERT INTO ledger_accounts (account, seq, hash, state)
        SELECT head.account, head.seq, head.hash, head.state
        FROM unnest(head_account, head_seq, head_hash, head_state, head_before) AS head (account, seq, hash, state, before)
        WHERE head.before = 0
        ON CONFLICT (account) DO NOTHING;
        GET DIAGNOSTICS added = ROW_COUNT;
        IF moved + added < cardinality(head_account) THEN
            RAISE EXCEPTION 'another writer posted to the account meanwhile' USING ERRCODE = 'serialization_failure';
        END IF;
    END IF;
    INSERT INTO ledger_entries
        (account, seq, at, key, actor, kind, category, deployment, module, note, body, effect, hash)
    SELECT * FROM unnest(entry_account, entry_seq, entry_at, entry_key, entry_actor, entry_kind, entry_category,
        entry_deployment, entry_module, entry_note, entry_body, entry_effect, entry_hash);
    IF cardinality(line_account) > 0 THEN
        INSERT INTO ledger_lines
            (account, entry, place, at, partner, agent, module, gross, partner_share, agent_share, platform_share)
        SELECT * FROM unnest(line_account, line_entry, line_place, line_at, line_partner, line_agent, line_module,
            line_gross, line_partner_share, line_agent_share, line_platform_share);
        INSERT INTO ledger_revenue_deltas (day, partner, agent, module, lines, gross, partner_share, agent_share)
        SELECT * FROM unnest(delta_day, delta_partner, delta_agent, delta_module, delta_lines, delta_gross,
            delta_partner_share, delta_agent_share);
    END IF;
    IF cardinality(took_account) > 0 THEN
        INSERT INTO ledger_charge_lots (account, lot, charge)
        SELECT * FROM unnest(took_account, took_lot, took_charge)
        ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(state_account) > 0 THEN
        INSERT INTO ledger_state (account, kind, id, is_open, value)
        SELECT * FROM unnest(state_account, state_kind, state_id, state_is_open, state_value)
        ON CONFLICT (account, kind, id) DO UPDATE SET is_open = excluded.is_open, value = excluded.value;
    END IF;
    IF cardinality(gone_account) > 0 THEN
        DELETE FROM ledger_state
        USING unnest(gone_account, gone_kind, gone_id) AS gone (account, kind, id)
        WHERE ledger_state.account = gone.account AND ledger_state.kind = gone.kind AND ledger_state.id = gone.id;
    END IF;
END
$$;
