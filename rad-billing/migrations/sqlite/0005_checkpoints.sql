-- Signed checkpoints of the whole ledger, only ever appended to. Times are microseconds since 1970 UTC.

CREATE TABLE ledger_checkpoints (
    number    INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    at        INTEGER NOT NULL,
    accounts  INTEGER NOT NULL CHECK (accounts >= 0),
    entries   INTEGER NOT NULL CHECK (entries >= 0),
    -- The root of the tree over the heads of all accounts; the hash over those that changed; the hash of the checkpoint before.
    root      BLOB    NOT NULL CHECK (length(root) = 32),
    changes   BLOB    NOT NULL CHECK (length(changes) = 32),
    previous  BLOB    NOT NULL CHECK (length(previous) = 32),
    -- Ed25519: the public key, and the signature over all of the above.
    key       BLOB    NOT NULL CHECK (length(key) = 32),
    signature BLOB    NOT NULL CHECK (length(signature) = 64)
) STRICT;

CREATE TRIGGER ledger_checkpoints_never_change BEFORE UPDATE ON ledger_checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints never change'); END;

CREATE TRIGGER ledger_checkpoints_never_go BEFORE DELETE ON ledger_checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are never removed'); END;

CREATE TRIGGER ledger_checkpoints_have_no_gap BEFORE INSERT ON ledger_checkpoints
WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM ledger_checkpoints)
BEGIN SELECT RAISE(ABORT, 'a checkpoint has the next number'); END;

-- The last entry of every account that posted since the checkpoint before.
CREATE TABLE ledger_checkpoint_heads (
    account    BLOB    NOT NULL CHECK (length(account) = 16),
    checkpoint INTEGER NOT NULL REFERENCES ledger_checkpoints (number),
    seq        INTEGER NOT NULL CHECK (seq > 0),
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (account, checkpoint)
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_checkpoint_heads_by_checkpoint ON ledger_checkpoint_heads (checkpoint, account);

CREATE TRIGGER ledger_checkpoint_heads_never_change BEFORE UPDATE ON ledger_checkpoint_heads
BEGIN SELECT RAISE(ABORT, 'signed heads never change'); END;

CREATE TRIGGER ledger_checkpoint_heads_never_go BEFORE DELETE ON ledger_checkpoint_heads
BEGIN SELECT RAISE(ABORT, 'signed heads are never removed'); END;

-- Also keeps INSERT OR REPLACE from removing a head, which fires no trigger of its own.
CREATE TRIGGER ledger_checkpoint_heads_are_new BEFORE INSERT ON ledger_checkpoint_heads
WHEN EXISTS (SELECT 1 FROM ledger_checkpoint_heads WHERE account = NEW.account AND checkpoint >= NEW.checkpoint)
BEGIN SELECT RAISE(ABORT, 'a signed head is written once'); END;
