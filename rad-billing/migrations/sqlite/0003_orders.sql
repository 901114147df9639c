-- Orders for credits, and the sandbox provider's own records. Credits and prices are micro-units.

CREATE TABLE orders (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account    BLOB    NOT NULL CHECK (length(account) = 16),
    credits    INTEGER NOT NULL CHECK (credits > 0),
    price      INTEGER NOT NULL CHECK (price >= 0),
    currency   TEXT    NOT NULL,
    provider   TEXT    NOT NULL,
    reference  TEXT,
    status     TEXT    NOT NULL CHECK (status IN ('created', 'paid', 'failed', 'mismatch')),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX orders_by_account ON orders (account, created_at, id);
CREATE INDEX orders_paid ON orders (status) WHERE status = 'paid';

CREATE TABLE sandbox_payments (
    reference  TEXT    NOT NULL PRIMARY KEY,
    order_id   BLOB    NOT NULL UNIQUE CHECK (length(order_id) = 16),
    amount     INTEGER NOT NULL,
    currency   TEXT    NOT NULL,
    return_url TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('pending', 'paid', 'failed'))
) STRICT, WITHOUT ROWID;
