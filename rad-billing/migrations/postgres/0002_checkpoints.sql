-- Signed checkpoints of the whole ledger, only ever appended to.

CREATE TABLE ledger_checkpoints (
    number    bigint      NOT NULL PRIMARY KEY CHECK (number > 0),
    at        timestamptz NOT NULL CHECK (isfinite(at)),
    accounts  bigint      NOT NULL CHECK (accounts >= 0),
    entries   bigint      NOT NULL CHECK (entries >= 0),
    -- The root of the tree over the heads of all accounts; the hash over those that changed; the hash of the checkpoint before.
    root      bytea       NOT NULL CHECK (octet_length(root) = 32),
    changes   bytea       NOT NULL CHECK (octet_length(changes) = 32),
    previous  bytea       NOT NULL CHECK (octet_length(previous) = 32),
    -- Ed25519: the public key, and the signature over all of the above.
    key       bytea       NOT NULL CHECK (octet_length(key) = 32),
    signature bytea       NOT NULL CHECK (octet_length(signature) = 64)
);

-- The last entry of every account that posted since the checkpoint before.
CREATE TABLE ledger_checkpoint_heads (
    account    bytea  NOT NULL CHECK (octet_length(account) = 16),
    checkpoint bigint NOT NULL REFERENCES ledger_checkpoints (number),
    seq        bigint NOT NULL CHECK (seq > 0),
    hash       bytea  NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (account, checkpoint)
);

CREATE INDEX ledger_checkpoint_heads_by_checkpoint ON ledger_checkpoint_heads (checkpoint, account);

CREATE TRIGGER ledger_checkpoints_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_never_changes();
CREATE TRIGGER ledger_checkpoint_heads_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_checkpoint_heads
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_never_changes();
